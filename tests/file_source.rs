//! Recordings as cameras.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use fault_camera::clips;
use gst::prelude::*;
use support::rig::{Rig, camera};
use support::wait_for;
use watchkeeper::source::Notice;

/// A Matroska file whose pictures have these times, in milliseconds.
fn record(path: &Path, times: impl Iterator<Item = u64>) {
    gst::init().unwrap();
    let launch = format!(
        "appsrc name=in format=time caps=image/jpeg,width=320,height=240,framerate=15/1 ! matroskamux ! filesink location={path:?}"
    );
    let pipeline = gst::parse::launch(&launch).unwrap().downcast::<gst::Pipeline>().unwrap();
    let source = pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let clip = clips::mjpeg_320x240();
    for (time, unit) in times.zip(clip.access_units.iter().cycle()) {
        let mut buffer = gst::Buffer::from_slice(unit.units.concat());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(time));
        buffer.get_mut().unwrap().set_duration(gst::ClockTime::from_mseconds(66));
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    let bus = pipeline.bus().unwrap();
    bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &[gst::MessageType::Eos]).unwrap();
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn a_recording_with_a_gap_is_played_to_its_end_at_its_own_pace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gap.mkv");
    // One second of pictures, eight of nothing, one of pictures.
    record(&path, (0..15).chain(135..150).map(|n| n * 66));
    let rig = Rig::start(camera(path.to_str().unwrap()));
    let ended = || rig.notices().iter().any(|(_, notice)| matches!(notice, Notice::Ended));
    assert!(wait_for(Duration::from_secs(20), ended), "{:?}", rig.notices());
    assert_eq!(rig.first_fault(), None);
    // Counted at the decoder: on a busy machine a newer frame may replace one that nobody took yet.
    assert_eq!(rig.metrics.received.get(), 30);
    assert!(rig.began.elapsed() > Duration::from_secs(9), "it was not played at its own pace");
}

#[test]
fn a_repeated_recording_goes_on_with_a_new_run_and_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("short.mkv");
    record(&path, (0..15).map(|n| n * 66));
    let mut camera = camera(path.to_str().unwrap());
    let watchkeeper::config::SourceKind::File { repeat, .. } = &mut camera.source else { panic!() };
    *repeat = true;
    let rig = Rig::start(camera);
    assert!(wait_for(Duration::from_secs(15), || rig.frames().last().is_some_and(|meta| meta.run >= 3)));
    assert_eq!(rig.first_fault(), None);
    let frames = rig.frames();
    assert!(frames.windows(2).all(|pair| pair[0].media_time <= pair[1].media_time));
}
