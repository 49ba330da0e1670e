//! A camera's frame on the simulated device, from the planes of a picture to what detectors found: safe code only.

mod support;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use gpu::kernels::{Candidates, CandidatesLayout, Channels, Letterbox, Normalisation, Placement};
use gpu::{
    BoundTensor, Device, DeviceBuffer, DeviceTensor, Driver, ElementType, Event, FrameUpload, PinnedBuffer,
    SharedTensor, Stream, Timing,
};
use gpu_sim::plan::{Plan, Target};
use picture::{Colour, Matrix, Picture, Plane, Planes, Range};
use tensorrt_rs::{BoundContext, Engine, Library, Runtime, RuntimeOptions};

/// Side of the frame; the models' input has half of it.
const SIDE: usize = 640;
const INPUT: usize = SIDE / 2;
const MAJORS: [(&str, &str); 2] = [("libnvinfer.so.10", "10.16.1"), ("libnvinfer.so.11", "11.4.0")];

/// The device is the process's, and so is what it is told to be.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn device(integrated: bool) -> Device {
    let library = support::library("libcuda.so.1");
    support::control(library, &format!(r#"{{"cuda":{{"integrated":{integrated}}}}}"#));
    let driver = Driver::load_from(Path::new("libcuda.so.1")).expect("the simulated driver");
    let device = driver.open(0).expect("the simulated device");
    assert_eq!(device.info().integrated, integrated);
    device
}

fn engine(library: &'static str, version: &str, model: Vec<u8>) -> Arc<Engine> {
    let target =
        Target { tensorrt: version.to_owned(), compute_capability: "8.7".to_owned(), precision: "fp32".to_owned() };
    let plan = Plan::build("blobs", model, &[], &target).expect("a plan").to_bytes();
    support::library(library);
    let library = Library::load(library).expect("the simulated TensorRT");
    Runtime::new(&library, &RuntimeOptions::default()).expect("a runtime").deserialize(&plan).expect("an engine")
}

/// Luma of a black frame with a white disc of 64 pixels.
fn disc(centre: (usize, usize)) -> Vec<u8> {
    let near = |i: usize| (i % SIDE).abs_diff(centre.0).pow(2) + (i / SIDE).abs_diff(centre.1).pow(2) < 32 * 32;
    (0..SIDE * SIDE).map(|i| if near(i) { 235 } else { 16 }).collect()
}

struct Model {
    bound: BoundContext<BoundTensor, Stream>,
    candidates: Candidates,
}

impl Model {
    fn new(stream: &Stream, device: &Device, engine: &Arc<Engine>, input: &SharedTensor) -> Self {
        let owner = device.owner("model");
        let output = engine.tensor("output0").expect("an output").shape;
        let &[1, rows, boxes] = output.as_slice() else { panic!("{output}") };
        let (rows, boxes) = (rows as usize, boxes as usize);
        let own = DeviceTensor::new(ElementType::F32, stream, &owner, rows * boxes).expect("device memory");
        let buffers = [("images".to_owned(), input.clone().into()), ("output0".to_owned(), own.into())];
        let context = engine.create_context().expect("a context");
        let layout = CandidatesLayout { boxes, classes: rows - 4, extras: 0 };
        Self {
            bound: BoundContext::new(context, stream.clone(), buffers, None).expect("buffers that fit"),
            candidates: Candidates::new(stream, &owner, layout, 10).expect("candidates"),
        }
    }

    /// Puts the execution and the search of its output into the stream.
    fn start(&mut self, stream: &Stream) {
        let running = self.bound.enqueue().expect("queued");
        self.candidates.launch(stream, running.buffer("output0").expect("an output"), 0.5).expect("launched");
        // Waited for by whoever reads the candidates.
        std::mem::forget(running);
    }

    fn centres(&self) -> Vec<[f32; 2]> {
        let survivors = self.candidates.survivors().expect("survivors");
        survivors.iter().map(|found| [found.centre_size()[0], found.centre_size()[1]]).collect()
    }
}

#[test]
fn two_models_find_in_one_input_what_each_frame_shows() {
    let _turn = turn();
    let discs = [(128, 128), (320, 448), (512, 256), (192, 512)].map(|centre| (centre, disc(centre)));
    for (library, version) in MAJORS {
        for integrated in [false, true] {
            let device = device(integrated);
            device.bind().expect("a context");
            let [fine, coarse] = [16, 32].map(|cell| test_models::blob_detector(INPUT as u32, INPUT as u32, cell));
            let engines = [fine, coarse].map(|model| engine(library, version, model));
            let (stream, owner) = (Stream::new(&device).expect("a stream"), device.owner("camera"));
            let input = SharedTensor::new(ElementType::F32, &stream, &owner, 3 * INPUT * INPUT).expect("a tensor");
            let mut models = engines.each_ref().map(|engine| Model::new(&stream, &device, engine, &input));
            let mut upload = FrameUpload::new(&stream, &owner);
            let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
            let values = Normalisation { bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] };
            let whole = Placement { left: 0, top: 0, columns: INPUT, rows: INPUT, width: INPUT, height: INPUT };
            let letterbox = Letterbox::new(whole, Channels::new(colour, &values)).expect("a letterbox");
            let grey = vec![128; SIDE * SIDE / 2];
            for ((x, y), luma) in &discs {
                let y_plane = Plane { data: luma, stride: SIDE };
                let planes = Planes::Nv12 { y: y_plane, uv: Plane { data: &grey, stride: SIDE } };
                let frame = Picture { width: SIDE, height: SIDE, planes, colour };
                let on_device = upload.load(&frame).expect("loaded");
                letterbox.launch(&stream, &on_device, input.tensor_mut()).expect("launched");
                models.iter_mut().for_each(|model| model.start(&stream));
                for model in &models {
                    let centres = model.centres();
                    let near = |c: &[f32; 2]| (c[0] - *x as f32 / 2.0).hypot(c[1] - *y as f32 / 2.0) < 2.0;
                    assert!(centres.len() == 1 && near(&centres[0]), "({x}, {y}): {centres:?}, {library}");
                }
            }
            drop((models, engines, upload, input));
            assert!(device.memory().is_empty(), "{:?}", device.memory());
        }
    }
}

/// One thread puts work in and marks its end; another one waits for that, while the first goes on.
#[test]
fn an_event_is_recorded_in_one_thread_and_waited_for_in_another() {
    let _turn = turn();
    let device = device(false);
    let (stream, owner) = (Stream::new(&device).expect("a stream"), device.owner("events"));
    let mut memory = DeviceBuffer::<u8>::new(&stream, &owner, 1 << 16).expect("device memory");
    let mark = Event::new(&device, Timing::Off).expect("an event");
    support::control(support::library("libcuda.so.1"), r#"{"cuda":{"copy_ms":5}}"#);
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::channel::<PinnedBuffer<u8>>();
        let mark = &mark;
        let waiting = scope.spawn(move || {
            for host in receive {
                mark.synchronize().expect("synchronize");
                // The mark may be a later one by now, never an earlier one.
                assert!(host.is_ready().expect("query"), "the wait ended before the copy");
            }
        });
        for byte in 0..20 {
            let mut host = PinnedBuffer::new(&stream, &owner, 1 << 16).expect("pinned memory");
            stream.fill(memory.view_mut(), byte).expect("filled");
            stream.download(memory.view(), &mut host, 0).expect("a download");
            mark.record(&stream).expect("recorded");
            send.send(host).expect("somebody waits");
        }
        drop(send);
        waiting.join().expect("all waits ended as they should");
    });
    support::control(support::library("libcuda.so.1"), r#"{"cuda":{"copy_ms":0}}"#);
    assert!(mark.is_passed().expect("query"));
}
