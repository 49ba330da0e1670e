//! Faults of the simulated libcuda that a running program meets: memory, PTX, time.

mod support;

use std::ffi::c_void;
use std::time::{Duration, Instant};

use support::cuda::*;
use support::{control, library, turn};

fn cuda() -> &'static libloading::Library {
    library("libcuda.so.1")
}

#[test]
fn once_memory_has_run_out_it_stays_out_where_that_is_asked_for() {
    let _turn = turn();
    let _ready = Ready::new();
    control(cuda(), r#"{"cuda":{"fail_allocation":2,"fail_allocation_onwards":true}}"#);
    let mut memory = [0; 4];
    assert_eq!(memory.each_mut().map(|address| cuMemAlloc_v2(address, 512)), [0, 2, 2, 2]);
    control(cuda(), r#"{"cuda":{"fail_allocation":0}}"#);
    assert_eq!((cuMemFree_v2(memory[0]), cuMemAlloc_v2(&mut memory[1], 512), cuMemFree_v2(memory[1])), (0, 0, 0));
}

#[test]
fn pinned_memory_runs_out_on_its_own() {
    let _turn = turn();
    let _ready = Ready::new();
    control(cuda(), r#"{"cuda":{"fail_host_allocation":2}}"#);
    let mut memory = [0; 3];
    assert_eq!(memory.each_mut().map(|address| cuMemHostAlloc(address, 512, 0)), [0, 2, 0]);
    let other = device(512);
    assert_eq!((cuMemFreeHost(memory[0]), cuMemFreeHost(memory[2]), cuMemFree_v2(other)), (0, 0, 0));
}

#[test]
fn an_old_driver_refuses_new_ptx() {
    let _turn = turn();
    let _ready = Ready::new();
    let mut module = 0;
    control(cuda(), r#"{"cuda":{"driver_version":11080}}"#);
    assert_eq!(cuModuleLoadData(&mut module, PROOF.as_ptr().cast()), 222, "CUDA 11.8 knows PTX 7.8");
    control(cuda(), r#"{"cuda":{"driver_version":12020}}"#);
    assert_eq!((cuModuleLoadData(&mut module, PROOF.as_ptr().cast()), cuModuleUnload(module)), (0, 0));
}

#[test]
fn a_kernel_takes_as_long_as_it_is_told_to() {
    let _turn = turn();
    let _ready = Ready::new();
    let (memory, stream) = (device(4096), stream());
    let (mut module, mut function) = (0, 0);
    assert_eq!(cuModuleLoadData(&mut module, PROOF.as_ptr().cast()), 0);
    assert_eq!(cuModuleGetFunction(&mut function, module, c"proof".as_ptr().cast()), 0);
    control(cuda(), r#"{"cuda":{"launch_ms":80}}"#);
    let (mut from, mut to, mut count) = (memory, memory + 2048, 16_u32);
    let mut parameters: [*mut c_void; 3] = [(&raw mut from).cast(), (&raw mut to).cast(), (&raw mut count).cast()];
    let began = Instant::now();
    let none = std::ptr::null_mut();
    assert_eq!(cuLaunchKernel(function, 1, 1, 1, 16, 1, 1, 0, stream, parameters.as_mut_ptr(), none), 0);
    assert_eq!(cuStreamQuery(stream), 600, "a launch does not wait");
    assert_eq!(cuStreamSynchronize(stream), 0);
    assert!(began.elapsed() >= Duration::from_millis(80));
    assert_eq!((cuMemFree_v2(memory), cuStreamDestroy_v2(stream), cuModuleUnload(module)), (0, 0, 0));
}

#[test]
fn a_hanging_gpu_finishes_nothing_until_it_hangs_no_more() {
    let _turn = turn();
    let _ready = Ready::new();
    let (memory, stream) = (device(64), stream());
    control(cuda(), r#"{"cuda":{"hang":true}}"#);
    assert_eq!(cuMemsetD8Async(memory, 1, 64, stream), 0);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(cuStreamQuery(stream), 600);
    control(cuda(), r#"{"cuda":{"hang":false}}"#);
    assert_eq!((cuStreamSynchronize(stream), cuMemFree_v2(memory), cuStreamDestroy_v2(stream)), (0, 0, 0));
}
