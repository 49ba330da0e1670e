//! Memory and kernels on the fake driver: the kernels' own sources, compiled for the host.

mod common;
mod suite;

use common::Control;
use gpu::kernels::{Candidates, CandidatesLayout, MaskGeometry, Masks, Placement};
use gpu::{Class, Device, DeviceBuffer, Driver, Event, FrameUpload, MappedBuffer, PinnedBuffer, Stream, Timing, Usage};

macro_rules! on_the_fake_device {
    ($($module:ident: $($name:ident),*;)*) => {
        $(mod $module {
            $(#[test]
            fn $name() {
                crate::suite::$module::$name(&crate::common::fake_device());
            })*
        })*
    };
}

on_the_fake_device! {
    letterbox: gives_what_the_reference_gives, colours_are_right, what_does_not_fit_is_refused;
    crop: gives_what_the_reference_gives, boxes_must_lie_in_the_picture;
    frame: allocates_nothing_after_the_first;
    candidates: gives_what_the_reference_gives, other_layouts_are_refused;
    masks: gives_what_the_reference_gives, bad_requests_are_told_apart;
    memory: new_memory_is_zero_and_counted, copies_arrive, streams_keep_their_memory_to_themselves, events_mark_places,
        a_device_without_room_says_who_asked;
    tensor: elements_arrive_as_their_bits, elements_of_another_type_are_refused,
        clones_of_a_shared_tensor_are_the_same_memory, shared_tensors_are_what_kernels_write_in_one_stream;
    upload: pictures_arrive_whatever_their_layout, each_launch_sees_its_own_picture,
        memory_is_taken_for_larger_pictures_only, pictures_that_are_too_short_are_refused;
}

/// Where host and device share their memory, kernels read what the host wrote, in place.
mod integrated {
    use crate::common::integrated_device;
    use crate::suite::{frame, upload};

    #[test]
    fn a_frame_allocates_nothing_after_the_first() {
        frame::allocates_nothing_after_the_first(&integrated_device());
    }

    #[test]
    fn pictures_arrive_whatever_their_layout() {
        upload::pictures_arrive_whatever_their_layout(&integrated_device());
    }

    #[test]
    fn each_launch_sees_its_own_picture() {
        upload::each_launch_sees_its_own_picture(&integrated_device());
    }

    #[test]
    fn memory_is_taken_for_larger_pictures_only() {
        upload::memory_is_taken_for_larger_pictures_only(&integrated_device());
    }
}

/// The next picture is filled in while the device still works on the last.
#[test]
fn loading_waits_for_no_more_than_it_must() {
    for device in [common::fake_device(), common::integrated_device()] {
        let (stream, owner) = (Stream::new(&device).expect("stream"), device.owner("upload"));
        let stored = suite::picture::Stored::new(&stream, &owner, (64, 36), suite::picture::Kind::Nv12, 0);
        let mut upload = FrameUpload::new(&stream, &owner);
        let mut work = DeviceBuffer::<u8>::new(&stream, &owner, 16).expect("device");
        let marks = [(); 4].map(|()| Event::new(&device, Timing::Off).expect("event"));
        for (i, mark) in marks.iter().enumerate() {
            upload.load(&stored.host()).expect("load");
            stream.fill(work.view_mut(), 9).expect("what is done with the picture");
            mark.record(&stream).expect("record");
            let done: Vec<_> = marks[..=i].iter().map(|mark| mark.is_passed().expect("query")).collect();
            assert!(!done[i] && (i == 0 || !done[i - 1]), "picture {i} waited for the last: {done:?}");
        }
    }
}

#[test]
fn work_runs_beside_the_host_until_it_is_waited_for() {
    let device = common::fake_device();
    let (stream, owner) = (Stream::new(&device).expect("stream"), device.owner("async"));
    let mut host = PinnedBuffer::<u8>::new(&stream, &owner, 16).expect("pinned");
    let mut memory = DeviceBuffer::<u8>::new(&stream, &owner, 16).expect("device");
    let mark = Event::new(&device, Timing::Off).expect("event");
    stream.fill(memory.view_mut(), 9).expect("fill");
    stream.download(memory.view(), &mut host, 0).expect("download");
    mark.record(&stream).expect("record");
    assert!(!mark.is_passed().expect("query") && !host.is_ready().expect("query"), "nothing has run yet");
    assert!(!stream.is_idle().expect("query"));
    assert_eq!(host.read().expect("read"), [9; 16], "a reader waits");
    assert!(host.is_ready().expect("query"));
    assert!(!mark.is_passed().expect("query"), "and for no more than it must");

    let mut mapped = MappedBuffer::<u8>::new(&stream, &owner, 16).expect("mapped");
    stream.fill(mapped.view_mut(), 3).expect("fill");
    assert_eq!(mapped.read().expect("read"), [3; 16]);
}

/// The fake driver ends the process where memory is freed with work waiting, or a stream destroyed.
#[test]
fn what_drops_early_waits_for_its_work() {
    let device = common::fake_device();
    let (stream, owner) = (Stream::new(&device).expect("stream"), device.owner("drop"));
    let mut host = PinnedBuffer::<u8>::new(&stream, &owner, 16).expect("pinned");
    let mut memory = DeviceBuffer::<u8>::new(&stream, &owner, 16).expect("device");
    stream.fill(memory.view_mut(), 9).expect("fill");
    stream.download(memory.view(), &mut host, 0).expect("download");
    drop(stream);
    drop(host);
    drop(memory);
    assert!(device.memory().is_empty());
}

/// Whichever allocation is the one that fails: the error says so, and nothing of the others is left.
#[test]
fn what_cannot_be_made_whole_is_not_made() {
    let (_folder, path) = common::driver("full", &[]);
    let device = Driver::load_from(&path).expect("driver").open(0).expect("device");
    let (stream, owner) = (Stream::new(&device).expect("stream"), device.owner("gate"));
    let layout = CandidatesLayout { boxes: 100, classes: 2, extras: 0 };
    let placement = Placement { left: 0, top: 0, columns: 8, rows: 8, width: 8, height: 8 };
    let geometry = MaskGeometry { frame: (16, 16), placement, prototypes: (4, 4), count: 2 };
    let mut failures = 0;
    for room in 0.. {
        common::set(&path, &[(Control::FullAfter, room)]);
        let made = Candidates::new(&stream, &owner, layout, 10)
            .and_then(|candidates| Ok((candidates, Masks::new(&stream, &owner, geometry, 4)?)));
        common::set(&path, &[(Control::FullAfter, -1)]);
        match made {
            Ok(_) => break,
            Err(error) => assert_eq!(error.class(), Class::OutOfMemory, "{error}"),
        }
        assert_eq!(owner.usage(), Usage::default(), "after {room} allocations");
        failures += 1;
    }
    assert_eq!(failures, 12, "5 allocations of one, 7 of the other");
}

/// A camera's thread takes all of these along.
#[test]
fn all_of_it_moves_between_threads() {
    fn moves<T: Send + Sync>() {}
    moves::<Device>();
    moves::<Stream>();
    moves::<Event>();
    moves::<DeviceBuffer<f32>>();
    moves::<PinnedBuffer<f32>>();
    moves::<MappedBuffer<f32>>();
    moves::<FrameUpload>();
    moves::<Candidates>();
    moves::<Masks>();
}
