//! The same on the machine's own GPU, and what only that can show. `make test-gpu` runs it.

mod common;
mod suite;

use std::time::{Duration, Instant};

use gpu::kernels::{Channels, Colour, Crop, Matrix, Normalisation, PixelRect, Range, TensorMut};
use gpu::{Device, DeviceBuffer, PinnedBuffer, Stream};

use suite::picture::{Kind, Stored};

macro_rules! on_the_real_device {
    ($($module:ident: $($name:ident),*;)*) => {
        $(mod $module {
            $(#[test]
            #[ignore = "needs an NVIDIA GPU: make test-gpu"]
            fn $name() {
                crate::suite::$module::$name(&crate::common::real_device());
            })*
        })*
    };
}

on_the_real_device! {
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

/// Bytes of a copy that takes milliseconds.
const LARGE: usize = 64 << 20;

struct Copying {
    stream: Stream,
    host: PinnedBuffer<u8>,
    memory: DeviceBuffer<u8>,
}

impl Copying {
    fn new(device: &Device) -> Self {
        let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("overlap"));
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

#[test]
#[ignore = "needs an NVIDIA GPU: make test-gpu"]
fn copies_run_beside_the_host() {
    let device = common::real_device();
    let mut copying = Copying::new(&device);
    copying.put(1);
    copying.stream.synchronize().expect("synchronize");
    let enqueue = timed(|| copying.put(20));
    let busy = !copying.stream.is_idle().expect("query");
    let finish = timed(|| copying.stream.synchronize().expect("synchronize"));
    println!("20 copies of {LARGE} bytes: {enqueue:?} to put them in, {finish:?} more to finish");
    assert!(busy && finish > enqueue, "the host waited for its copies");
}

#[test]
#[ignore = "needs an NVIDIA GPU: make test-gpu"]
fn copies_and_kernels_of_two_streams_overlap() {
    let device = common::real_device();
    let mut copying = Copying::new(&device);
    let (stream, owner) = (Stream::new(&device).expect("stream"), device.owner("overlap"));
    let stored = Stored::new(&stream, &owner, (640, 480), Kind::Nv12, 0);
    let input = Normalisation { bgr: false, pad: 0, mean: [0.0; 3], scale: [1.0; 3] };
    let crop = Crop::new(256, 256, Channels::new(Colour { matrix: Matrix::Bt601, range: Range::Limited }, &input))
        .expect("crop");
    let boxes = [PixelRect { x: 0, y: 0, width: 640, height: 480 }; 64];
    let mut out = DeviceBuffer::<f32>::new(&stream, &owner, 64 * 3 * 256 * 256).expect("tensor");
    let mut kernels = |times: usize| {
        for _ in 0..times {
            crop.launch(&stream, &stored.picture(), &boxes, TensorMut::F32(out.view_mut())).expect("launch");
        }
    };
    kernels(2);
    stream.synchronize().expect("synchronize");
    let one = timed(|| {
        kernels(10);
        stream.synchronize().expect("synchronize");
    });
    let copy = timed(|| {
        copying.put(10);
        copying.stream.synchronize().expect("synchronize");
    });
    // As many kernels as take about as long as the copies.
    let times = ((10.0 * copy.as_secs_f64() / one.as_secs_f64()) as usize).clamp(1, 10_000);
    let kernel = timed(|| {
        kernels(times);
        stream.synchronize().expect("synchronize");
    });
    let both = timed(|| {
        copying.put(10);
        kernels(times);
        copying.stream.synchronize().expect("synchronize");
        stream.synchronize().expect("synchronize");
    });
    println!("copies {copy:?}, kernels {kernel:?}, both {both:?}");
    assert!(both < (copy + kernel).mul_f64(0.85), "copies {copy:?}, kernels {kernel:?}, both {both:?}: no overlap");
}
