//! A kernel that reads where nothing is: what that does to its process, and to no other.

use std::io::{BufRead, BufReader, Write, stdout};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use gpu::kernels::{
    Candidates, CandidatesLayout, Channels, Colour, Letterbox, Matrix, Normalisation, Picture, Placement, Plane,
    Planes, Range, Subsampling, TensorMut,
};
use gpu::{
    Class, CudaError, Device, DeviceBuffer, DeviceView, Driver, Event, MappedBuffer, PinnedBuffer, Stream, Timing,
};

use super::lean;
use super::machine;
use super::runner::Verdict;

/// What the daemon leaves with: restart me.
const RESTART: i32 = 71;
/// A line of a child's, after which it has nothing left to do but to leave.
const LEAVING: &str = "leaving";
/// How long leaving may take.
const QUICK: Duration = Duration::from_secs(5);
/// How long a child may live.
const LIFE: Duration = Duration::from_secs(120);

pub fn an_illegal_access_ends_its_process_and_no_other(device: &Device) -> Verdict {
    watch("sticky", device)
}

pub fn a_broken_device_lets_go_of_what_drops(device: &Device) -> Verdict {
    watch("sticky-drop", device)
}

/// Runs a child that breaks its device, and sees how it ends.
fn watch(name: &str, device: &Device) -> Verdict {
    let me = std::env::current_exe().expect("this program");
    let mut command = Command::new(me);
    let mut child = command.args(["--child", name]).stdout(Stdio::piped()).spawn().expect("a child");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let lines = std::thread::spawn(move || {
        let mut left = None;
        for line in output.lines().map_while(Result::ok) {
            if line == LEAVING {
                left = Some(Instant::now());
            } else {
                println!("         {line}");
            }
        }
        left
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if start.elapsed() > LIFE {
            child.kill().expect("a child");
            child.wait().expect("a child");
            panic!("the child did not end in {LIFE:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let ended = Instant::now();
    let left = lines.join().expect("a reader").unwrap_or_else(|| panic!("the child did not get there: {status}"));
    assert_eq!(status.code(), Some(RESTART), "{status}");
    let took = ended.saturating_duration_since(left);
    println!("         gone {took:.2?} later");
    assert!(took < QUICK, "leaving took {took:?}");
    device.prove().expect("this process's device works on");
    Verdict::Passed
}

/// The way of the daemon: abandon all, drop nothing, leave.
pub fn child() -> ExitCode {
    break_the_device(|everything| {
        gpu::abandon();
        tensorrt_rs::lifecycle::abandon();
        drop(everything);
        process::exit_now(RESTART)
    })
}

/// The way of a program that does not know: everything drops, `exit` runs what libraries left for it.
pub fn child_that_drops() -> ExitCode {
    break_the_device(|everything| {
        drop(everything);
        ExitCode::from(RESTART as u8)
    })
}

/// What a camera has.
struct Everything {
    _runtimes: Vec<std::sync::Arc<tensorrt_rs::Runtime>>,
    _event: Event,
    memory: DeviceBuffer<u8>,
    _pinned: PinnedBuffer<u8>,
    _mapped: MappedBuffer<u8>,
    _candidates: Candidates,
    stream: Stream,
}

fn break_the_device(leave: impl FnOnce(Everything) -> ExitCode) -> ExitCode {
    let device = match Driver::load().and_then(|driver| driver.open(0)) {
        Ok(device) => device,
        Err(error) => {
            println!("no second process gets the device: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut everything = everything(&device);
    let error = access_nothing(&device, &everything.stream);
    println!("{error}");
    assert_eq!(error.class(), Class::Sticky, "{error}");
    let error = everything.stream.fill(everything.memory.view_mut(), 0).expect_err("every later call fails too");
    assert_eq!(error.class(), Class::Sticky, "{error}");
    println!("{LEAVING}");
    stdout().flush().expect("a pipe");
    leave(everything)
}

fn everything(device: &Device) -> Everything {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("gate"));
    let mut memory = DeviceBuffer::<u8>::new(&stream, &owner, 1000).expect("device");
    let mut pinned = PinnedBuffer::<u8>::new(&stream, &owner, 1000).expect("pinned");
    let mapped = MappedBuffer::<u8>::new(&stream, &owner, 1000).expect("mapped");
    let layout = CandidatesLayout { boxes: 100, classes: 2, extras: 0 };
    let candidates = Candidates::new(&stream, &owner, layout, 10).expect("candidates");
    let event = Event::new(device, Timing::On).expect("event");
    stream.fill(memory.view_mut(), 1).expect("fill");
    stream.download(memory.view(), &mut pinned, 0).expect("download");
    event.record(&stream).expect("record");
    stream.synchronize().expect("it works as yet");
    Everything {
        _runtimes: lean::runtimes(device),
        _event: event,
        memory,
        _pinned: pinned,
        _mapped: mapped,
        _candidates: candidates,
        stream,
    }
}

/// Has a kernel read samples in the first page of the address space, which nobody ever has.
fn access_nothing(device: &Device, stream: &Stream) -> CudaError {
    let owner = device.owner("nothing");
    let mut out = DeviceBuffer::<f32>::new(stream, &owner, 3 * 16 * 16).expect("tensor");
    // On the simulator kernels are functions of this process, and only addresses of its device are checked.
    let address = if machine::is_simulated(device) { out.device_ptr() + (1 << 33) } else { 256 };
    // SAFETY: the promise is broken on purpose. The device's memory is protected: it faults, and so does every later
    // call of this process, whose end this is.
    let data: DeviceView<'_, u8> = unsafe { DeviceView::from_raw_parts(address, 16 * 16) };
    let plane = Plane { data, pitch: 16 };
    let planes = Planes::Planar { y: plane, u: plane, v: plane, subsampling: Subsampling::Yuv444 };
    let picture = Picture { width: 16, height: 16, planes };
    let placement = Placement { left: 0, top: 0, columns: 16, rows: 16, width: 16, height: 16 };
    let input = Normalisation { bgr: false, pad: 0, mean: [0.0; 3], scale: [1.0; 3] };
    let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
    let letterbox = Letterbox::new(placement, Channels::new(colour, &input)).expect("letterbox");
    letterbox.launch(stream, &picture, TensorMut::F32(out.view_mut())).expect("the launch itself succeeds");
    let error = stream.synchronize().expect_err("the access fails");
    // It cannot be freed any more.
    std::mem::forget(out);
    error
}
