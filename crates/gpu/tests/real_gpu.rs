//! What only an NVIDIA GPU can show; `make test-gpu` runs it.
//!
//! A program with a `main` of its own, so that it can be copied to a machine that has a GPU and nothing else. It says
//! which device it found, runs one test after the other, and ends with times. Without a GPU it fails, in one line.

use std::process::ExitCode;

use gpu::Device;

mod common;
mod suite;

mod real_gpu {
    pub mod accounting;
    pub mod busy;
    pub mod figures;
    pub mod lean;
    pub mod machine;
    pub mod onnxruntime;
    pub mod overlap;
    pub mod runner;
    pub mod sticky;
    pub mod tensorrt;
}

use real_gpu::runner::{Test, Verdict, run};
use real_gpu::{accounting, figures, lean, onnxruntime, overlap, sticky, tensorrt};

macro_rules! on_the_real_device {
    ($($module:ident: $($name:ident),*;)*) => {
        /// The tests that every device passes, fake or real.
        const SUITE: &[Test] = &[$($(Test {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: |device| passed(suite::$module::$name, device),
        },)*)*];
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

macro_rules! real {
    ($($module:ident: $($name:ident),*;)*) => {
        /// The tests that ask for a real one.
        const REAL: &[Test] = &[$($(Test {
            name: concat!(stringify!($module), "::", stringify!($name)),
            run: $module::$name,
        },)*)*];
    };
}

real! {
    overlap: the_host_does_not_wait_for_copies, kernels_of_two_streams_run_at_the_same_time, copies_run_beside_kernels;
    accounting: device_memory_is_what_the_driver_counts, pinned_memory_is_not_the_devices,
        what_drops_gives_its_memory_back;
    sticky: an_illegal_access_ends_its_process_and_no_other, a_broken_device_lets_go_of_what_drops;
    lean: runtimes_answer_through_their_table;
    tensorrt: a_plan_is_built_and_gives_what_onnx_runtime_gives;
    onnxruntime: providers_give_what_the_cpu_gives;
    figures: are_printed;
}

fn passed(test: fn(&Device), device: &Device) -> Verdict {
    test(device);
    Verdict::Passed
}

fn main() -> ExitCode {
    run(&[SUITE, REAL].concat(), &[("sticky", sticky::child), ("sticky-drop", sticky::child_that_drops)])
}
