//! The simulated libcuda, as a program that opens it sees it.

mod support;

use std::ffi::c_void;
use std::process::Command;

use support::cuda::*;
use support::{control, library, misuse, statistics, turn};

const MIB: usize = 1 << 20;

fn cuda() -> &'static libloading::Library {
    library("libcuda.so.1")
}

#[test]
fn it_says_what_it_is() {
    let _turn = turn();
    let _ready = Ready::new();
    let mut name = [0_u8; 64];
    assert_eq!(cuDeviceGetName(name.as_mut_ptr(), 64, 0), 0);
    assert!(name.starts_with(b"Simulated GPU (CPU)\0"));
}

#[test]
fn a_copy_lands_when_its_stream_gets_there() {
    let _turn = turn();
    let _ready = Ready::new();
    let (source, target, memory, stream) = (pinned(MIB, 7), pinned(MIB, 1), device(MIB), stream());
    control(cuda(), r#"{"cuda":{"copy_ms":60}}"#);
    assert_eq!(cuMemcpyHtoDAsync_v2(memory, source, MIB, stream), 0);
    assert_eq!(cuMemcpyDtoHAsync_v2(target, memory, MIB, stream), 0);
    assert_eq!(cuStreamQuery(stream), 600);
    assert_eq!(bytes(target, 4), [1; 4], "read before the stream got there");
    assert_eq!(cuStreamSynchronize(stream), 0);
    assert_eq!(bytes(target, MIB), vec![7; MIB]);
    assert_eq!(cuStreamQuery(stream), 0);
    for address in [source, target] {
        assert_eq!(cuMemFreeHost(address), 0);
    }
    assert_eq!((cuMemFree_v2(memory), cuStreamDestroy_v2(stream)), (0, 0));
}

#[test]
fn a_device_that_hangs_ends_nothing_any_more() {
    let _turn = turn();
    let _ready = Ready::new();
    let (source, memory, stream) = (pinned(64, 7), device(64), stream());
    control(cuda(), r#"{"cuda":{"hang_after":2}}"#);
    assert_eq!(cuMemcpyHtoDAsync_v2(memory, source, 64, stream), 0);
    assert_eq!(cuStreamSynchronize(stream), 0, "it still works");
    assert_eq!(cuMemcpyHtoDAsync_v2(memory, source, 64, stream), 0);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(cuStreamQuery(stream), 600);
    control(cuda(), r#"{"cuda":{"hang_after":0}}"#);
    assert_eq!(cuStreamSynchronize(stream), 0);
    assert_eq!((cuMemFreeHost(source), cuMemFree_v2(memory), cuStreamDestroy_v2(stream)), (0, 0, 0));
}

#[test]
fn a_source_changed_too_early_shows() {
    let _turn = turn();
    let _ready = Ready::new();
    let (source, memory, stream) = (pinned(64, 7), device(64), stream());
    control(cuda(), r#"{"cuda":{"copy_ms":60}}"#);
    assert_eq!(cuMemcpyHtoDAsync_v2(memory, source, 64, stream), 0);
    // SAFETY: pinned memory of 64 bytes.
    unsafe { std::ptr::write_bytes(source as *mut u8, 9, 64) };
    let mut back = [0_u8; 64];
    assert_eq!(cuStreamSynchronize(stream), 0);
    assert_eq!(cuMemcpyDtoH_v2(back.as_mut_ptr() as usize, memory, 64), 0);
    assert_eq!(back, [9; 64]);
    assert_eq!((cuMemFree_v2(memory), cuMemFreeHost(source), cuStreamDestroy_v2(stream)), (0, 0, 0));
}

#[test]
fn pageable_memory_is_read_and_written_before_the_call_returns() {
    let _turn = turn();
    let _ready = Ready::new();
    let (memory, stream) = (device(64), stream());
    control(cuda(), r#"{"cuda":{"copy_ms":20}}"#);
    let mut source = [3_u8; 64];
    assert_eq!(cuMemcpyHtoDAsync_v2(memory, source.as_ptr() as usize, 64, stream), 0);
    source = [4; 64];
    let mut back = [0_u8; 64];
    assert_eq!(cuMemcpyDtoHAsync_v2(back.as_mut_ptr() as usize, memory, 64, stream), 0);
    assert_eq!((back, source), ([3; 64], [4; 64]));
    assert_eq!((cuMemFree_v2(memory), cuStreamDestroy_v2(stream)), (0, 0));
}

#[test]
fn the_cpu_cannot_touch_device_memory() {
    let _turn = turn();
    let _ready = Ready::new();
    let memory = device(4096);
    // The kernel reads for us, and says EFAULT where we would crash.
    // SAFETY: plain system calls; the descriptor is closed again.
    let (written, error) = unsafe {
        let file = libc::memfd_create(c"probe".as_ptr(), 0);
        let written = libc::write(file, memory as *const c_void, 16);
        let error = std::io::Error::last_os_error().raw_os_error();
        libc::close(file);
        (written, error)
    };
    assert_eq!((written, error), (-1, Some(libc::EFAULT)));
    assert_eq!(cuMemFree_v2(memory), 0);
}

#[test]
fn events_order_streams_and_tell_time() {
    let _turn = turn();
    let _ready = Ready::new();
    let (memory, first, second) = (device(64), stream(), stream());
    let (mut start, mut end) = (0, 0);
    assert_eq!((cuEventCreate(&mut start, 0), cuEventCreate(&mut end, 0)), (0, 0));
    control(cuda(), r#"{"cuda":{"copy_ms":40}}"#);
    assert_eq!(cuEventRecord(start, first), 0);
    assert_eq!(cuMemsetD8Async(memory, 5, 64, first), 0);
    assert_eq!(cuEventRecord(end, first), 0);
    assert_eq!(cuEventQuery(end), 600);
    assert_eq!(cuStreamWaitEvent(second, end, 0), 0);
    let target = pinned(64, 0);
    assert_eq!(cuMemcpyDtoHAsync_v2(target, memory, 64, second), 0);
    assert_eq!(cuStreamSynchronize(second), 0);
    assert_eq!(bytes(target, 64), [5; 64]);
    let mut milliseconds = 0.0;
    assert_eq!(cuEventElapsedTime(&mut milliseconds, start, end), 0);
    assert!((40.0..10_000.0).contains(&milliseconds), "{milliseconds}");
    assert_eq!((cuEventDestroy_v2(start), cuEventDestroy_v2(end)), (0, 0));
    assert_eq!((cuMemFree_v2(memory), cuMemFreeHost(target)), (0, 0));
    assert_eq!((cuStreamDestroy_v2(first), cuStreamDestroy_v2(second)), (0, 0));
}

#[test]
fn the_default_stream_waits_for_blocking_streams() {
    let _turn = turn();
    let _ready = Ready::new();
    let mut blocking = 0;
    assert_eq!(cuStreamCreate(&mut blocking, 0), 0);
    let memory = device(64);
    control(cuda(), r#"{"cuda":{"copy_ms":40}}"#);
    assert_eq!(cuMemsetD8Async(memory, 8, 64, blocking), 0);
    let mut back = [0_u8; 64];
    assert_eq!(cuMemcpyDtoH_v2(back.as_mut_ptr() as usize, memory, 64), 0);
    assert_eq!(back, [8; 64]);
    assert_eq!((cuMemFree_v2(memory), cuStreamDestroy_v2(blocking)), (0, 0));
}

#[test]
fn a_device_can_be_absent_or_unusable() {
    let _turn = turn();
    control(cuda(), r#"{"cuda":{"devices":0}}"#);
    assert_eq!(cuInit(0), 100);
    control(cuda(), r#"{"cuda":{"devices":1,"init_error":500}}"#);
    assert_eq!(cuInit(0), 500);
    control(cuda(), r#"{"cuda":{"init_error":0,"compute_capability":"7.2","integrated":true}}"#);
    assert_eq!(cuInit(0), 0);
    let attribute = |number| {
        let mut value = -1;
        assert_eq!(cuDeviceGetAttribute(&mut value, number, 0), 0);
        value
    };
    assert_eq!([75, 76, 18].map(attribute), [7, 2, 1]);
}

#[test]
fn memory_runs_out_where_it_is_asked_to() {
    let _turn = turn();
    let _ready = Ready::new();
    control(cuda(), r#"{"cuda":{"fail_allocation":2}}"#);
    let mut memory = [0; 3];
    assert_eq!(memory.each_mut().map(|address| cuMemAlloc_v2(address, 512)), [0, 2, 0]);
    control(cuda(), r#"{"cuda":{"fail_allocation":0,"total_memory":1048576}}"#);
    let (mut free, mut total, mut more) = (0, 0, 0);
    assert_eq!(cuMemGetInfo_v2(&mut free, &mut total), 0);
    assert_eq!((free, total), (MIB - 1024, MIB));
    assert_eq!(cuMemAlloc_v2(&mut more, MIB), 2);
    assert_eq!(cuMemAlloc_v2(&mut more, MIB - 1024), 0);
    for address in [memory[0], memory[2], more] {
        assert_eq!(cuMemFree_v2(address), 0);
    }
    assert_eq!(statistics(cuda())["used_bytes"], 0);
}

#[test]
fn a_sticky_error_stays() {
    let _turn = turn();
    let ready = Ready::new();
    let (memory, stream) = (device(64), stream());
    control(cuda(), r#"{"cuda":{"sticky_after":2,"sticky_error":719}}"#);
    assert_eq!(cuMemsetD8Async(memory, 1, 64, stream), 0);
    assert_eq!(cuMemsetD8Async(memory, 2, 64, stream), 0, "errors of a launch come later");
    assert_eq!(cuStreamSynchronize(stream), 719);
    assert_eq!(cuMemsetD8Async(memory, 3, 64, stream), 719);
    assert_eq!(cuMemFree_v2(memory), 719);
    drop(ready);
    control(cuda(), r#"{"cuda":{"reset":true}}"#);
    let _ready = Ready::new();
    assert_eq!((cuMemFree_v2(memory), cuStreamDestroy_v2(stream)), (0, 0));
}

#[test]
fn misuse_is_refused_and_counted() {
    let _turn = turn();
    let _ready = Ready::new();
    let (memory, stream) = (device(1024), stream());
    let source = pinned(2048, 1);
    assert_eq!(cuMemcpyHtoDAsync_v2(memory, source, 1025, stream), 1, "beyond the end");
    assert_eq!(cuMemcpyHtoDAsync_v2(source + 4096, source, 16, stream), 1, "no device memory");
    assert_eq!(cuMemcpyDtoHAsync_v2(memory, memory, 16, stream), 1, "no host memory");
    assert_eq!(misuse(cuda(), "bad-address"), 3);
    assert_eq!(cuMemFree_v2(memory + 512), 1);
    assert_eq!(misuse(cuda(), "free-unknown"), 1);
    let other = std::thread::spawn(move || cuMemFree_v2(memory)).join().expect("no panic");
    assert_eq!((other, misuse(cuda(), "no-context")), (201, 1));
    control(cuda(), r#"{"cuda":{"copy_ms":50}}"#);
    assert_eq!(cuMemcpyHtoDAsync_v2(memory, source, 1024, stream), 0);
    assert_eq!(cuMemFree_v2(memory), 0);
    assert_eq!(misuse(cuda(), "free-in-use"), 1);
    assert_eq!((cuMemFreeHost(source), cuStreamDestroy_v2(stream)), (0, 0));
    assert_eq!(cuStreamSynchronize(stream), 400);
    assert_eq!(misuse(cuda(), "unknown-stream"), 1);
}

fn run_proof(input: &[u32], output: usize, memory: usize, stream: usize) -> Vec<u32> {
    let (mut module, mut function) = (0, 0);
    assert_eq!(cuModuleLoadData(&mut module, PROOF.as_ptr().cast()), 0);
    assert_eq!(cuModuleGetFunction(&mut function, module, c"absent".as_ptr().cast()), 500);
    assert_eq!(cuModuleGetFunction(&mut function, module, c"proof".as_ptr().cast()), 0);
    let size = size_of_val(input);
    assert_eq!(cuMemcpyHtoD_v2(memory, input.as_ptr() as usize, size), 0);
    let (mut from, mut to, mut count) = (memory, output, input.len() as u32);
    let mut parameters: [*mut c_void; 3] = [(&raw mut from).cast(), (&raw mut to).cast(), (&raw mut count).cast()];
    let blocks = count.div_ceil(256);
    let launched =
        cuLaunchKernel(function, blocks, 1, 1, 256, 1, 1, 0, stream, parameters.as_mut_ptr(), std::ptr::null_mut());
    assert_eq!((launched, cuStreamSynchronize(stream)), (0, 0), "built without kernels? see the build's warnings");
    let mut answer = vec![0_u32; input.len()];
    assert_eq!(cuMemcpyDtoH_v2(answer.as_mut_ptr() as usize, output, size), 0);
    assert_eq!(cuModuleUnload(module), 0);
    answer
}

#[test]
fn kernels_run_as_their_host_builds() {
    let _turn = turn();
    let _ready = Ready::new();
    let input: Vec<u32> = (0..1000).map(|i| i * 977).collect();
    let size = size_of_val(input.as_slice());
    let (memory, output, stream) = (device(size), device(size), stream());
    let answer = run_proof(&input, output, memory, stream);
    let half = |i: usize| ((i & 0xffff) as f32 * 0.5 + 1.0).to_bits();
    let wanted: Vec<u32> = input.iter().enumerate().map(|(i, x)| x.wrapping_mul(2_654_435_761) ^ half(i)).collect();
    assert_eq!(answer, wanted);
    control(cuda(), r#"{"cuda":{"wrong_proof":true}}"#);
    assert_ne!(run_proof(&input, output, memory, stream), wanted);
    assert_eq!((cuMemFree_v2(memory), cuMemFree_v2(output), cuStreamDestroy_v2(stream)), (0, 0, 0));
}

#[test]
fn a_kernel_with_a_stale_pointer_is_an_illegal_access() {
    let _turn = turn();
    let ready = Ready::new();
    let (memory, stale, stream) = (device(4096), device(4096), stream());
    assert_eq!(cuMemFree_v2(stale), 0);
    let (mut module, mut function) = (0, 0);
    assert_eq!(cuModuleLoadData(&mut module, PROOF.as_ptr().cast()), 0);
    assert_eq!(cuModuleGetFunction(&mut function, module, c"proof".as_ptr().cast()), 0);
    let (mut from, mut to, mut count) = (memory, stale, 16_u32);
    let mut parameters: [*mut c_void; 3] = [(&raw mut from).cast(), (&raw mut to).cast(), (&raw mut count).cast()];
    let none = std::ptr::null_mut();
    assert_eq!(cuLaunchKernel(function, 1, 1, 1, 16, 1, 1, 0, stream, parameters.as_mut_ptr(), none), 0);
    assert_eq!(cuStreamSynchronize(stream), 700);
    assert_eq!(cuCtxSynchronize(), 700);
    drop(ready);
    control(cuda(), r#"{"cuda":{"reset":true}}"#);
    let _ready = Ready::new();
    assert_eq!((cuMemFree_v2(memory), cuStreamDestroy_v2(stream), cuModuleUnload(module)), (0, 0, 0));
}

#[test]
#[ignore = "run by leaks_are_reported_at_exit in a process of its own"]
fn leaves_things_behind() {
    std::mem::forget(Ready::new());
    device(1000);
    stream();
}

#[test]
fn leaks_are_reported_at_exit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let report = folder.path().join("report.jsonl");
    let status = Command::new(std::env::current_exe().expect("a path"))
        .args(["--ignored", "--exact", "leaves_things_behind"])
        .env("WATCHKEEPER_SIM_REPORT", &report)
        .status()
        .expect("the test runs again");
    assert!(status.success());
    let text = std::fs::read_to_string(&report).expect("a report");
    let leaks: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter(|line| line["event"] == "leak")
        .collect();
    let kinds: Vec<_> = leaks.iter().map(|leak| (leak["kind"].as_str(), leak["bytes"].as_u64())).collect();
    assert_eq!(kinds, [(Some("allocations"), Some(1000)), (Some("streams"), Some(0))]);
}
