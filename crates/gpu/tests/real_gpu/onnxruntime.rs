//! Models on ONNX Runtime's GPU providers, in memory and streams of ours: the build that `ONNXRUNTIME_GPU` names. Its own
//! CPU provider says what is right.

use std::path::Path;
use std::sync::Arc;

use ::onnxruntime::{
    ComputeStream, DeviceOptions, Error, Provider, Runtime, Session, SessionOptions, ShapeRange, Tensorrt,
};
use gpu::{Device, DeviceBuffer, PinnedBuffer, Stream};

use super::runner::Verdict;

struct Model {
    name: &'static str,
    bytes: &'static [u8],
    shape: [i64; 4],
}

const MODELS: [Model; 2] = [
    Model {
        name: "detection",
        bytes: include_bytes!("../../../../engines/detection/model.onnx"),
        shape: [1, 3, 288, 512],
    },
    Model { name: "reid", bytes: include_bytes!("../../../../engines/reid/model.onnx"), shape: [2, 3, 128, 64] },
];

impl Model {
    /// One of two pictures.
    fn input(&self, number: usize) -> Vec<f32> {
        let (height, width) = (self.shape[2] as usize, self.shape[3] as usize);
        let value = |i: usize| {
            let (column, row, channel) = (i % width, i / width % height, i / (width * height));
            ((column / 8 * 37 + row / 16 * 53 + channel * 91 + number * 29) % 256) as f32 / 255.0
        };
        (0..self.shape.iter().product::<i64>() as usize).map(value).collect()
    }
}

pub fn providers_give_what_the_cpu_gives(device: &Device) -> Verdict {
    let Some(path) = std::env::var_os("ONNXRUNTIME_GPU") else {
        return Verdict::Skipped("ONNXRUNTIME_GPU names no libonnxruntime.so of a GPU build".to_owned());
    };
    device.bind().expect("a context");
    let runtime = Runtime::load(Path::new(&path)).unwrap_or_else(|error| panic!("{error}"));
    println!("         {}: {}", runtime.path().display(), runtime.build_info());
    let folder = tempfile::tempdir().expect("a folder");
    for model in &MODELS {
        let file = folder.path().join(format!("{}.onnx", model.name));
        std::fs::write(&file, model.bytes).expect("a file");
        let expected = on_cpu(&runtime, &file, model);
        assert!(distance(&expected[0], &expected[1]) > 0.0, "{}: both pictures are the same to it", model.name);
        let off = on_device(device, &runtime, &file, model, &Provider::Cuda, &expected)
            .unwrap_or_else(|error| panic!("{}: {error}", model.name));
        // Without TF32, and sums in another order.
        assert!(off < 1e-3, "{}: off by {off}", model.name);
        let shape = model.shape.to_vec();
        let range = ShapeRange { input: "images".to_owned(), min: shape.clone(), opt: shape.clone(), max: shape };
        let ranges = if model.name == "reid" { vec![range] } else { Vec::new() };
        let tensorrt =
            Provider::Tensorrt(Tensorrt { fp16: false, cache: Some(folder.path().join(model.name)), ranges });
        match on_device(device, &runtime, &file, model, &tensorrt, &expected) {
            // In TF32, unless it is told otherwise.
            Ok(off) => assert!(off < 2e-2, "{}: off by {off}", model.name),
            // It is a library of its own, which need not be there.
            Err(error @ Error::Unavailable { .. }) => println!("         {}: {error}", model.name),
            Err(error) => panic!("{}: {error}", model.name),
        }
    }
    device.prove().expect("the context is as it was");
    Verdict::Passed
}

fn on_cpu(runtime: &Runtime, file: &Path, model: &Model) -> [Vec<f32>; 2] {
    let session = Session::open(runtime, file, SessionOptions { threads: 2 }).unwrap_or_else(|error| panic!("{error}"));
    let mut binding = session.bind(&[model.shape.to_vec()]).expect("buffers");
    [0, 1].map(|number| {
        binding.input_mut::<f32>(0).expect("floats").copy_from_slice(&model.input(number));
        binding.run().expect("it runs");
        binding.output::<f32>(0).expect("floats").1.to_vec()
    })
}

fn distance(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| (one - other).powi(2)).sum::<f32>().sqrt()
}

/// How far off the answers are: 1 would be as far as that to the other picture.
fn on_device(
    device: &Device,
    runtime: &Runtime,
    file: &Path,
    model: &Model,
    provider: &Provider,
    expected: &[Vec<f32>; 2],
) -> Result<f32, Error> {
    let (compute, stream) = (Stream::new(device).expect("stream"), Stream::new(device).expect("stream"));
    let options = DeviceOptions { provider: provider.clone(), ordinal: 0, stream: ComputeStream::new(compute) };
    let session: Arc<Session> = Session::open_on(runtime, file, &options)?;
    let placement = session.placement().map(ToString::to_string).unwrap_or_default();
    println!("         {} on {}: {placement}", model.name, provider.name());
    let owner = device.owner(model.name);
    let (inputs, len) = ([0, 1].map(|number| model.input(number)), expected[0].len());
    let shapes = session.shapes(vec![model.shape.to_vec()])?;
    let memory = |len| DeviceBuffer::<f32>::new(&stream, &owner, len).expect("device memory");
    let pinned = |len| PinnedBuffer::<f32>::new(&stream, &owner, len).expect("pinned memory");
    let (mut up, mut down) = (pinned(inputs[0].len()), pinned(len));
    let buffers = (vec![memory(inputs[0].len())], vec![memory(len)]);
    let mut binding = session.bind_device(stream.clone(), vec![shapes], buffers.0, buffers.1)?;
    let mut most: f32 = 0.0;
    for number in [0, 1, 0, 1] {
        up.write().expect("free").copy_from_slice(&inputs[number]);
        stream.upload(&mut up, 0..inputs[number].len(), binding.input_mut(0)?.view_mut()).expect("upload");
        binding.run()?;
        stream.download(binding.output(0)?.view(), &mut down, 0).expect("download");
        let answer = down.read().expect("the answer");
        let off = distance(answer, &expected[number]) / distance(&expected[0], &expected[1]);
        assert!(off.is_finite(), "{}: {answer:?}", model.name);
        most = most.max(off);
    }
    println!("         {} on {}: off by {most:.1e} of what another picture makes", model.name, provider.name());
    Ok(most)
}
