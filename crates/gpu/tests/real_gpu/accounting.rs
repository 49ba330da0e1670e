//! What this crate counts, and what the driver does.

use gpu::kernels::{Candidates, CandidatesLayout, MaskGeometry, Masks, Placement};
use gpu::{Device, DeviceBuffer, Event, FrameUpload, PinnedBuffer, Stream, Timing, Usage};

use super::machine;
use super::runner::Verdict;
use crate::suite::picture::{Kind, Stored};

const MIB: usize = 1 << 20;

fn free(device: &Device) -> i64 {
    device.free_memory().expect("free memory").0 as i64
}

/// How far the driver's figure may be off: it gives out memory in blocks, and on a Jetson all programs share it.
fn tolerance(device: &Device) -> i64 {
    (if device.info().integrated { 256 * MIB } else { 32 * MIB }) as i64
}

/// Something else may use the device for a moment, so one good try of three is enough.
fn close(device: &Device, what: &str, mut difference: impl FnMut() -> i64) {
    let good = |off: &i64| off.abs() <= tolerance(device);
    let mut tries = Vec::new();
    while tries.len() < 3 && !tries.iter().any(good) {
        tries.push(difference());
    }
    let mib: Vec<_> = tries.iter().map(|off| format!("{:.1}", *off as f64 / MIB as f64)).collect();
    println!("         {what}: off by {} MiB", mib.join(", "));
    assert!(tries.iter().any(good), "{what}: off by {tries:?} bytes; does something else use the device?");
}

pub fn device_memory_is_what_the_driver_counts(device: &Device) -> Verdict {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("accounting"));
    close(device, "taken", || {
        let before = free(device);
        let take = |mib: usize| DeviceBuffer::<u8>::new(&stream, &owner, mib * MIB).expect("device memory");
        let buffers = [1, 7, 64, 512].map(take);
        stream.synchronize().expect("synchronize");
        let (counted, taken) = (owner.usage().device, before - free(device));
        assert_eq!(counted, 584 * MIB);
        drop(buffers);
        taken - counted as i64
    });
    close(device, "given back", || {
        let before = free(device);
        drop(DeviceBuffer::<u8>::new(&stream, &owner, 512 * MIB).expect("device memory"));
        free(device) - before
    });
    assert_eq!(owner.usage(), Usage::default());
    Verdict::Passed
}

pub fn pinned_memory_is_not_the_devices(device: &Device) -> Verdict {
    if device.info().integrated {
        return Verdict::Skipped("host and device share their memory".to_owned());
    }
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("accounting"));
    close(device, "taken by pinned memory", || {
        let before = free(device);
        let pinned = PinnedBuffer::<u8>::new(&stream, &owner, 256 * MIB).expect("pinned memory");
        assert_eq!(owner.usage(), Usage { pinned: pinned.len(), ..Usage::default() });
        before - free(device)
    });
    Verdict::Passed
}

/// What a camera has, made and dropped again and again.
pub fn what_drops_gives_its_memory_back(device: &Device) -> Verdict {
    let scene = device.owner("scene");
    let scene_stream = Stream::new(device).expect("stream");
    let stored = Stored::new(&scene_stream, &scene, (1920, 1080), Kind::Nv12, 0);
    let owner = device.owner("camera");
    let camera = || {
        let stream = Stream::new(device).expect("stream");
        let layout = CandidatesLayout { boxes: 8400, classes: 80, extras: 32 };
        let placement = Placement { left: 0, top: 140, columns: 640, rows: 360, width: 640, height: 640 };
        let geometry = MaskGeometry { frame: (1920, 1080), placement, prototypes: (160, 160), count: 32 };
        let candidates = Candidates::new(&stream, &owner, layout, 300).expect("candidates");
        let masks = Masks::new(&stream, &owner, geometry, 100).expect("masks");
        let mut upload = FrameUpload::new(&stream, &owner);
        upload.load(&stored.host()).expect("load");
        let mark = Event::new(device, Timing::Off).expect("event");
        mark.record(&stream).expect("record");
        drop((candidates, masks, upload, mark, stream));
        assert_eq!(owner.usage(), Usage::default());
    };
    // What the driver keeps for the next of a kind, it has after a few.
    (0..5).for_each(|_| camera());
    let count = if machine::is_simulated(device) { 10 } else { 100 };
    close(device, &format!("left by {count} cameras"), || {
        let before = free(device);
        (0..count).for_each(|_| camera());
        before - free(device)
    });
    Verdict::Passed
}
