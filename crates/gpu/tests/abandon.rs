//! Leaving after a sticky error. One test: what it does holds for its whole process.

mod common;

use gpu::kernels::{Candidates, CandidatesLayout};
use gpu::{Device, DeviceBuffer, Driver, Event, MappedBuffer, PinnedBuffer, Stream, Timing};

/// All that drops, with work under way on it.
type Everything = (Event, DeviceBuffer<u8>, PinnedBuffer<u8>, MappedBuffer<u8>, Candidates, Stream);

fn everything(device: &Device) -> Everything {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("gate"));
    let mut memory = DeviceBuffer::<u8>::new(&stream, &owner, 100).expect("device");
    let mut host = PinnedBuffer::<u8>::new(&stream, &owner, 100).expect("pinned");
    let mut mapped = MappedBuffer::<u8>::new(&stream, &owner, 100).expect("mapped");
    let layout = CandidatesLayout { boxes: 10, classes: 1, extras: 0 };
    let candidates = Candidates::new(&stream, &owner, layout, 10).expect("candidates");
    let event = Event::new(device, Timing::Off).expect("event");
    stream.fill(memory.view_mut(), 1).expect("fill");
    stream.download(memory.view(), &mut host, 0).expect("download");
    stream.fill(mapped.view_mut(), 1).expect("fill");
    event.record(&stream).expect("record");
    (event, memory, host, mapped, candidates, stream)
}

#[test]
fn what_drops_after_it_does_not_call_the_driver() {
    let (_folder, path) = common::driver("left", &[]);
    let device = Driver::load_from(&path).expect("driver").open(0).expect("device");
    let owner = device.owner("gate");
    let before = everything(&device);
    let calls = common::calls(&path);
    drop(before);
    assert!(common::calls(&path) > calls, "as long as nothing is abandoned, what drops frees");
    assert_eq!(owner.usage(), gpu::Usage::default());

    let left = everything(&device);
    let (held, calls) = (owner.usage(), common::calls(&path));
    assert!(!gpu::is_abandoned());
    gpu::abandon();
    assert!(gpu::is_abandoned());

    drop(left);
    assert_eq!(owner.usage(), held, "kept, and counted as such");
    drop((owner, device));
    assert_eq!(common::calls(&path), calls);
}
