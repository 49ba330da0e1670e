//! Streams run beside the host and beside each other.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use gpu::{Device, DeviceBuffer, PinnedBuffer, Stream};

use super::busy::{Busy, Work, together};
use super::machine;
use super::runner::Verdict;

/// Bytes of a copy that takes milliseconds.
const LARGE: usize = 64 << 20;

struct Copying {
    stream: Stream,
    host: PinnedBuffer<u8>,
    memory: DeviceBuffer<u8>,
}

impl Copying {
    fn new(device: &Device) -> Self {
        let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("copies"));
        let host = PinnedBuffer::new(&stream, &owner, LARGE).expect("pinned");
        let memory = DeviceBuffer::new(&stream, &owner, LARGE).expect("device");
        stream.synchronize().expect("synchronize");
        Self { stream, host, memory }
    }

    fn put(&mut self, times: usize) {
        for _ in 0..times {
            self.stream.upload(&mut self.host, 0..LARGE, self.memory.view_mut()).expect("upload");
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

pub fn the_host_does_not_wait_for_copies(device: &Device) -> Verdict {
    let mut copying = Copying::new(device);
    copying.put(1);
    copying.stream.synchronize().expect("synchronize");
    let enqueue = timed(|| copying.put(20));
    let busy = !copying.stream.is_idle().expect("query");
    let finish = timed(|| copying.stream.synchronize().expect("synchronize"));
    let rate = 20.0 * LARGE as f64 / (enqueue + finish).as_secs_f64() / 1e9;
    println!(
        "         20 copies of {LARGE} bytes: {enqueue:.2?} to put them in, {finish:.2?} more to finish, {rate:.1} GB/s"
    );
    assert!(busy && finish > enqueue, "the host waited for its copies");
    Verdict::Passed
}

fn kernels(busy: &RefCell<Busy>, times: usize) -> Work<'_> {
    let stream = busy.borrow().stream.clone();
    (stream, Box::new(move || (0..times).for_each(|_| busy.borrow_mut().launch())))
}

fn copies(copying: &RefCell<Copying>, times: usize) -> Work<'_> {
    let stream = copying.borrow().stream.clone();
    (stream, Box::new(move || copying.borrow_mut().put(times)))
}

pub fn kernels_of_two_streams_run_at_the_same_time(device: &Device) -> Verdict {
    let [a, b] = [(); 2].map(|()| RefCell::new(Busy::new(device)));
    together(device, &mut [kernels(&a, 1), kernels(&b, 1)]);
    let one = together(device, &mut [kernels(&a, 1)]);
    let behind = together(device, &mut [kernels(&a, 2)]);
    let beside = together(device, &mut [kernels(&a, 1), kernels(&b, 1)]);
    println!("         one kernel {one:.2} ms, two in one stream {behind:.2} ms, two in two streams {beside:.2} ms");
    if machine::is_simulated(device) {
        return Verdict::Skipped("the simulator's times say nothing".to_owned());
    }
    assert!(behind > 1.6 * one, "two in one stream took no longer, so the comparison says nothing");
    assert!(beside < 1.6 * one, "the streams did not overlap");
    Verdict::Passed
}

pub fn copies_run_beside_kernels(device: &Device) -> Verdict {
    let (busy, copying) = (RefCell::new(Busy::new(device)), RefCell::new(Copying::new(device)));
    together(device, &mut [copies(&copying, 1), kernels(&busy, 1)]);
    // As many of both as take about as long.
    let (copy, kernel) = (together(device, &mut [copies(&copying, 1)]), together(device, &mut [kernels(&busy, 1)]));
    let share = |long: f32, short: f32| ((long / short).round() as usize).clamp(1, 50);
    let (n, m) = if copy < kernel { (share(kernel, copy), 1) } else { (1, share(copy, kernel)) };
    let (copy, kernel) = (together(device, &mut [copies(&copying, n)]), together(device, &mut [kernels(&busy, m)]));
    let both = together(device, &mut [copies(&copying, n), kernels(&busy, m)]);
    println!("         {n} copies {copy:.2} ms, {m} kernels {kernel:.2} ms, both {both:.2} ms");
    if machine::is_simulated(device) {
        return Verdict::Skipped("the simulator's times say nothing".to_owned());
    }
    assert!(both < 0.8 * (copy + kernel), "copies and kernels took turns");
    Verdict::Passed
}
