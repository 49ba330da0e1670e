//! Times of the kernels on the device, as lines for `benches/RESULTS.md`.

use gpu::kernels::{
    Candidates, CandidatesLayout, Channels, Colour, Crop, Letterbox, MaskGeometry, MaskRequest, Masks, Matrix,
    Normalisation, PixelRect, Placement, Range, TensorMut,
};
use gpu::{Device, DeviceBuffer, Event, FrameUpload, Owner, Stream, Timing};

use super::busy::Busy;
use super::machine;
use super::runner::Verdict;
use crate::common::Numbers;
use crate::suite::picture::{Kind, Stored, upload};

const FRAME: (usize, usize) = (1920, 1080);

/// The frame in an input of 640 by 640.
const PLACEMENT: Placement = Placement { left: 0, top: 140, columns: 640, rows: 360, width: 640, height: 640 };

/// Measures on one stream.
struct Bench {
    device: Device,
    stream: Stream,
    owner: Owner,
    busy: Busy,
}

impl Bench {
    fn new(device: &Device) -> Self {
        let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("figures"));
        Self { device: device.clone(), busy: Busy::on(&stream, device, &owner), stream, owner }
    }

    /// Prints how long `work` takes on the device, and at what rate it moves the `bytes` that it must read or write.
    fn measure(&mut self, what: &str, bytes: usize, mut work: impl FnMut(&Stream)) {
        let (warm_up, count) = if machine::is_simulated(&self.device) { (1, 5) } else { (20, 100) };
        let marks = [(); 2].map(|()| Event::new(&self.device, Timing::On).expect("event"));
        let mut once = || {
            // Until this is done the host has put in all the rest, so that no gap of the host's is measured.
            self.busy.launch();
            marks[0].record(&self.stream).expect("record");
            work(&self.stream);
            marks[1].record(&self.stream).expect("record");
            self.stream.synchronize().expect("synchronize");
            marks[1].since(&marks[0]).expect("time")
        };
        for _ in 0..warm_up {
            once();
        }
        let mut times: Vec<_> = (0..count).map(|_| once()).collect();
        times.sort_by(f32::total_cmp);
        let [least, middle, most] = [0, times.len() / 2, times.len() * 95 / 100].map(|at| times[at]);
        let rate = bytes as f32 / middle / 1e6;
        println!("| {what} | {middle:.4} | {least:.4} | {most:.4} | {rate:.1} |");
    }
}

fn channels() -> Channels {
    let input = Normalisation { bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] };
    Channels::new(Colour { matrix: Matrix::Bt709, range: Range::Limited }, &input)
}

pub fn are_printed(device: &Device) -> Verdict {
    let mut bench = Bench::new(device);
    let info = device.info();
    let (major, minor) = info.driver;
    let simulated = if machine::is_simulated(device) { ", SIMULATED: not a measurement" } else { "" };
    println!("\n{}, CUDA {major}.{minor}{simulated}", info.name);
    println!("Median of 100 launches, by events on the device; GB/s counts what must be read or written, once.\n");
    println!("| on the device | ms | least | 95 of 100 | GB/s |");
    println!("|---|---|---|---|---|");
    pictures(&mut bench);
    candidates(&mut bench);
    masks(&mut bench);
    println!();
    Verdict::Passed
}

fn pictures(bench: &mut Bench) {
    let samples = FRAME.0 * FRAME.1 * 3 / 2;
    let (stream, owner) = (bench.stream.clone(), bench.owner.clone());
    let stored = Stored::new(&stream, &owner, FRAME, Kind::Nv12, 0);
    let mut frames = FrameUpload::new(&stream, &owner);
    bench.measure("upload 1920x1080 NV12", samples, |_| {
        frames.load(&stored.host()).expect("load");
    });

    let letterbox = Letterbox::new(PLACEMENT, channels()).expect("letterbox");
    let elements = 3 * PLACEMENT.width * PLACEMENT.height;
    let mut floats = DeviceBuffer::<f32>::new(&stream, &owner, elements).expect("tensor");
    bench.measure("letterbox 1920x1080 NV12 to 640x640, f32", samples + 4 * elements, |stream| {
        letterbox.launch(stream, &stored.picture(), TensorMut::F32(floats.view_mut())).expect("launch");
    });
    let mut halves = DeviceBuffer::<u16>::new(&stream, &owner, elements).expect("tensor");
    bench.measure("letterbox 1920x1080 NV12 to 640x640, f16", samples + 2 * elements, |stream| {
        letterbox.launch(stream, &stored.picture(), TensorMut::F16(halves.view_mut())).expect("launch");
    });

    let crop = Crop::new(128, 256, channels()).expect("crop");
    let boxes: Vec<_> = (0..8).map(|i| PixelRect { x: 200 * i, y: 300 + 20 * i, width: 180, height: 420 }).collect();
    let elements = boxes.len() * 3 * 128 * 256;
    let mut crops = DeviceBuffer::<f32>::new(&stream, &owner, elements).expect("tensor");
    bench.measure("8 crops of 180x420 to 128x256, f32", 8 * 180 * 420 * 3 / 2 + 4 * elements, |stream| {
        crop.launch(stream, &stored.picture(), &boxes, TensorMut::F32(crops.view_mut())).expect("launch");
    });
}

fn candidates(bench: &mut Bench) {
    let layout = CandidatesLayout { boxes: 8400, classes: 80, extras: 0 };
    let mut numbers = Numbers(1);
    // About 100 boxes are good enough.
    let score = |value: f32| if value > 0.999_85 { value } else { value * 0.2 };
    let data: Vec<f32> = (0..84 * 8400).map(|_| score(numbers.share())).collect();
    let (stream, owner) = (bench.stream.clone(), bench.owner.clone());
    let output = upload(&stream, &owner, &data);
    let mut candidates = Candidates::new(&stream, &owner, layout, 300).expect("candidates");
    bench.measure("candidates of 84x8400, with their copy to the host", 4 * data.len(), |stream| {
        candidates.launch(stream, output.view(), 0.25).expect("launch");
    });
    let count = candidates.survivors().expect("survivors").count();
    assert!((20..300).contains(&count), "{count} survivors");
}

fn masks(bench: &mut Bench) {
    let geometry = MaskGeometry { frame: FRAME, placement: PLACEMENT, prototypes: (160, 160), count: 32 };
    let mut numbers = Numbers(2);
    let prototypes: Vec<f32> = (0..32 * 160 * 160).map(|_| numbers.share() - 0.5).collect();
    let (stream, owner) = (bench.stream.clone(), bench.owner.clone());
    let prototypes = upload(&stream, &owner, &prototypes);
    let coefficients: Vec<f32> = (0..32).map(|_| numbers.share() - 0.5).collect();
    let request = |i: usize| {
        let (x, y) = (150.0 * i as f32, 200.0 + 20.0 * i as f32);
        MaskRequest { edges: [x, y, x + 180.0, y + 420.0], coefficients: &coefficients }
    };
    let mut masks = Masks::new(&stream, &owner, geometry, 10).expect("masks");
    bench.measure("10 masks of 180x420, with their copy to the host", 10 * 180 * 420, |stream| {
        masks.launch(stream, prototypes.view(), (0..10).map(request)).expect("launch");
    });
    assert!(masks.masks().expect("masks").all(|mask| mask.sound));
}
