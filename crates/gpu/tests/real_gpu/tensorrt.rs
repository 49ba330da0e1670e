//! A plan built and run by a real TensorRT, the library that `TENSORRT` names: the shipped ReID model, whose answer to
//! two pictures was recorded from ONNX Runtime.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gpu::{Device, DeviceBuffer, PinnedBuffer, Stream};
use sha2::{Digest, Sha256};
use tensorrt_rs::enums::{AllocationStrategy, DataType, MemoryPool, TensorIOMode};
use tensorrt_rs::{
    BoundContext, Builder, Dims, Engine, HostMemory, Library, NetworkFlag, OnnxParser, OnnxParserLibrary, ProfileRange,
    Runtime, RuntimeOptions, Scratch,
};

use super::runner::Verdict;

const MODEL: &[u8] = include_bytes!("../../../../engines/reid/model.onnx");
const MODEL_SHA256: &str = "32c0b5da04476cc668320705c5dbd2fdb33103c178303bab14f61359007ee481";
const PICTURE: usize = 3 * 128 * 64;
const EMBEDDING: usize = 128;
const MOST: usize = 4;

/// Every eighth value of the embeddings that ONNX Runtime 1.31.1 gives on the CPU.
const EXPECTED: [[f32; 16]; 2] = [
    [
        3.490354,
        2.229_821_2,
        1.259_810_3,
        -0.291_805_5,
        1.956_699_3,
        2.480_486_9,
        0.589076,
        -3.273_594_9,
        0.400_570_2,
        0.473_291_3,
        -0.475_257_1,
        -0.498365,
        0.182_564_2,
        -0.301_573_6,
        -0.812_227_1,
        0.019_004_9,
    ],
    [
        3.287_242_2,
        2.277_526_6,
        1.029_707_8,
        -0.140_014_7,
        1.683_763_7,
        2.345695,
        0.462_113_5,
        -3.218_678_2,
        0.511_351_5,
        0.283_867_9,
        -0.590_836_8,
        -0.342_020_7,
        0.170_892_8,
        -0.280_663_4,
        -0.670_996_2,
        0.170_490_7,
    ],
];

/// TensorRT multiplies in TF32 unless it is told otherwise: 10 bits of mantissa, and the two embeddings differ by a
/// seventh of their length.
const TOLERANCE: f32 = 0.03;

/// The answer belongs to one file. This is checked without a GPU too, so that a new model gets a new answer.
pub fn check_model() {
    let digest: String = Sha256::digest(MODEL).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, MODEL_SHA256, "engines/reid/model.onnx changed: record its answer anew");
}

fn picture(number: usize) -> impl Iterator<Item = f32> {
    (0..PICTURE).map(move |i| {
        let (column, row, channel) = (i % 64, i / 64 % 128, i / (64 * 128));
        ((column / 8 * 37 + row / 16 * 53 + channel * 91 + number * 29) % 256) as f32 / 255.0
    })
}

/// How far off an embedding is: 1 would be as far as that to the other picture's.
fn off(embedding: &[f32], number: usize) -> f32 {
    let distance =
        |values: &mut dyn Iterator<Item = (f32, f32)>| values.map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    let sampled = embedding.iter().step_by(8).copied();
    let [one, other] = EXPECTED.map(IntoIterator::into_iter);
    distance(&mut sampled.zip(EXPECTED[number])) / distance(&mut one.zip(other))
}

/// The embeddings are those of the pictures of these numbers.
fn assert_expected(embeddings: &[f32], numbers: &[usize], what: &str) {
    assert_eq!(embeddings.len(), numbers.len() * EMBEDDING);
    for (embedding, &number) in embeddings.chunks(EMBEDDING).zip(numbers) {
        let off = off(embedding, number);
        assert!(off < TOLERANCE, "{what}, picture {number}: off by {off}: {embedding:?}");
    }
}

pub fn a_plan_is_built_and_gives_what_onnx_runtime_gives(device: &Device) -> Verdict {
    let Some(paths) = std::env::var_os("TENSORRT") else {
        return Verdict::Skipped(
            "TENSORRT names no libnvinfer.so.10 or .11, with its libnvonnxparser beside it".to_owned(),
        );
    };
    check_model();
    for path in std::env::split_paths(&paths) {
        device.bind().expect("a context");
        let library = Library::load(&path).unwrap_or_else(|error| panic!("{error}"));
        println!("         {}: TensorRT {}, build {:?}", path.display(), library.version(), library.build());
        let plan = build(&library).unwrap_or_else(|error| panic!("{error}"));
        println!("         a plan of {} bytes", plan.len());
        run(device, &library, &plan).unwrap_or_else(|error| panic!("{error}"));
        assert!(device.memory().iter().all(|(owner, _)| !owner.starts_with("camera")), "{:?}", device.memory());
    }
    device.prove().expect("the context is as it was");
    Verdict::Passed
}

fn build(library: &Library) -> Result<HostMemory, tensorrt_rs::Error> {
    let mut builder = Builder::new(library, None)?;
    let mut network = builder.create_network(&[NetworkFlag::StronglyTyped])?;
    let parsers = OnnxParserLibrary::load(parser(library), library)?;
    OnnxParser::new(&parsers, &mut network)?.parse(MODEL, None)?;
    assert_eq!(network.inputs()?[0].name, "images");
    assert!(network.layer_count()? > 10);
    let mut profile = builder.create_profile()?;
    let shape = |batch: usize| Dims::new(&[batch as i64, 3, 128, 64]).expect("four dimensions");
    profile.set_range("images", &ProfileRange { min: shape(1), opt: shape(2), max: shape(MOST) })?;
    let mut config = builder.create_config()?;
    assert_eq!(config.add_profile(&profile)?, 0);
    config.set_memory_pool_limit(MemoryPool::Workspace, 256 << 20)?;
    config.set_optimization_level(1)?;
    builder.build(&network, &config)
}

fn parser(library: &Library) -> PathBuf {
    let name = format!("libnvonnxparser.so.{}", library.version().major);
    let beside = library.path().parent().unwrap_or(Path::new("")).join(&name);
    if beside.exists() { beside } else { PathBuf::from(name) }
}

fn run(device: &Device, library: &Library, plan: &[u8]) -> Result<(), tensorrt_rs::Error> {
    let runtime = Runtime::new(library, &RuntimeOptions { record_errors: true, ..RuntimeOptions::default() })?;
    let engine = runtime.deserialize(plan)?;
    let [input, output] = engine.tensors() else { panic!("{:?}", engine.tensors()) };
    assert_eq!((input.name.as_str(), input.mode, input.data_type), ("images", TensorIOMode::Input, DataType::Float));
    assert_eq!((output.name.as_str(), output.mode), ("embedding", TensorIOMode::Output));
    assert_eq!((input.shape.as_slice(), output.shape.as_slice()), (&[-1, 3, 128, 64][..], &[-1, 128][..]));
    assert!(engine.layer_count()? > 0 && engine.create_inspector()?.engine_json()?.contains('{'));
    println!("         {} layers, {} bytes of scratch", engine.layer_count()?, engine.device_memory_size()?);

    let scratch = engine.device_memory_size()?.max(256) as usize;
    let stream = Stream::new(device).expect("stream");
    let block = DeviceBuffer::<u8>::new(&stream, &device.owner("camera scratch"), scratch).expect("device memory");
    stream.synchronize().expect("synchronize");
    let scratch = Scratch::new(block)?;
    let mut own = [Camera::new(device, &engine, 0, None)?, Camera::new(device, &engine, 1, None)?];
    let mut most: f32 = 0.0;
    for round in 0..20 {
        let numbers = [round % 2, 1 - round % 2];
        // Both are on their way before either is waited for.
        own.iter_mut().try_for_each(|camera| camera.start(&numbers))?;
        for camera in &mut own {
            let embeddings = camera.answer()?;
            assert_expected(&embeddings, &numbers, "two contexts at once");
            most = most.max(off(&embeddings[..EMBEDDING], numbers[0]));
        }
    }
    println!("         20 times in two contexts at once: off by at most {most:.1e} of what another picture makes");
    for number in 0..2 {
        let mut camera = Camera::new(device, &engine, 2 + number, Some(scratch.clone()))?;
        camera.start(&[number])?;
        assert_expected(&camera.answer()?, &[number], "user-managed memory, another shape");
    }
    let error = own[0].bound.set_input_shape("images", &[MOST as i64 + 1, 3, 128, 64]).expect_err("past the profile");
    println!("         {error}");
    own[0].start(&[1, 0])?;
    assert_expected(&own[0].answer()?, &[1, 0], "after a refusal");
    // The engine first: contexts keep what they need.
    drop((runtime, engine));
    own[1].start(&[0, 1])?;
    assert_expected(&own[1].answer()?, &[0, 1], "without its owners");
    Ok(())
}

/// What one camera has of the engine.
struct Camera {
    bound: BoundContext<DeviceBuffer<f32>, Stream>,
    stream: Stream,
    pictures: PinnedBuffer<f32>,
    embeddings: PinnedBuffer<f32>,
    batch: usize,
}

impl Camera {
    fn new(
        device: &Device,
        engine: &Arc<Engine>,
        number: usize,
        scratch: Option<Scratch>,
    ) -> Result<Self, tensorrt_rs::Error> {
        let (stream, owner) = (Stream::new(device).expect("stream"), device.owner(&format!("camera {number}")));
        let context = match scratch {
            Some(_) => engine.create_context_with(AllocationStrategy::UserManaged)?,
            None => engine.create_context()?,
        };
        let buffer = |len| DeviceBuffer::new(&stream, &owner, len).expect("device memory");
        let buffers = [("images", buffer(MOST * PICTURE)), ("embedding", buffer(MOST * EMBEDDING))];
        let buffers = buffers.map(|(name, buffer)| (name.to_owned(), buffer));
        Ok(Self {
            bound: BoundContext::new(context, stream.clone(), buffers, scratch)?,
            pictures: PinnedBuffer::new(&stream, &owner, MOST * PICTURE).expect("pinned memory"),
            embeddings: PinnedBuffer::new(&stream, &owner, MOST * EMBEDDING).expect("pinned memory"),
            stream,
            batch: 0,
        })
    }

    /// Puts everything for these pictures into the stream.
    fn start(&mut self, numbers: &[usize]) -> Result<(), tensorrt_rs::Error> {
        let Self { bound, stream, pictures, embeddings, batch, .. } = self;
        *batch = numbers.len();
        bound.set_input_shape("images", &[*batch as i64, 3, 128, 64])?;
        let values = numbers.iter().flat_map(|&number| picture(number));
        pictures.write().expect("free").iter_mut().zip(values).for_each(|(to, value)| *to = value);
        let (up, down) = (*batch * PICTURE, *batch * EMBEDDING);
        let to = bound.buffer_mut("images")?.view_mut().range(0..up).expect("it fits");
        stream.upload(pictures, 0..up, to).expect("upload");
        let running = bound.enqueue()?;
        let from = running.buffer("embedding")?.view().range(0..down).expect("it fits");
        stream.download(from, embeddings, 0).expect("download");
        // Its execution goes on; the context knows.
        std::mem::forget(running);
        Ok(())
    }

    fn answer(&mut self) -> Result<Vec<f32>, tensorrt_rs::Error> {
        self.bound.wait()?;
        Ok(self.embeddings.read().expect("the answer")[..self.batch * EMBEDDING].to_vec())
    }
}
