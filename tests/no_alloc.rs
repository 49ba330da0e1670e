//! Nothing is allocated on the frame path after start-up: preprocessing, decoding of a model's output, suppression,
//! tracking and what further models add to tracks work in memory they already have. Allocations are counted on the
//! calling thread.

#![allow(clippy::unwrap_used)]

#[path = "no_alloc/camera_motion.rs"]
mod camera_motion;
#[path = "no_alloc/objects.rs"]
mod objects;
#[path = "no_alloc/outputs.rs"]
mod outputs;

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use watchkeeper::config::{self, Fit, Input, TrackerKind, Tracking};
use watchkeeper::inference::ModelManager;
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::tracking;
use watchkeeper::types::camera_motion::CameraMotion;
use watchkeeper::types::detection::Detection;
use watchkeeper::types::embedding::Embeddings;
use watchkeeper::types::found::Found;
use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range, Subsampling};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::objects::FrameObjects;
use watchkeeper::vision::{Decoder, Letterbox};

/// Runs a frame and asserts that it allocated nothing, nor gave anything back.
#[track_caller]
fn allocates_nothing(what: &str, frame: impl FnOnce()) {
    let info = measure(frame);
    assert_eq!((info.count_total, info.bytes_total, info.count_current), (0, 0, 0), "{what}: {info:?}");
}

#[test]
fn the_counter_counts() {
    let info = measure(|| {
        black_box(vec![1_u8; 1000]);
    });
    assert_eq!((info.count_total, info.bytes_total, info.count_current), (1, 1000, 0));
    let mut grown: Vec<u32> = Vec::with_capacity(1);
    grown.push(1);
    assert_eq!(measure(|| grown.push(black_box(2))).count_total, 1, "growing counts too");
    let given_back = black_box(vec![1]);
    assert_eq!(measure(|| drop(given_back)).count_current, -1, "and so does giving back");
    allocates_nothing("nothing", || {
        black_box(1);
    });
}

// ------------------------------------------------------------------------------------------------ frame to tensor

fn input(fit: Fit) -> Input {
    Input { fit, bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0 / 255.0; 3] }
}

/// Samples for the largest picture here, in any layout.
fn noise() -> Vec<u8> {
    (0..1280 * 720).map(|i| (i * 7 % 256) as u8).collect()
}

/// A picture in each layout, with the layout's name.
fn pictures(bytes: &[u8], width: usize, height: usize) -> [(&'static str, Picture<'_>); 4] {
    let plane = |stride| Plane { data: bytes, stride };
    let planar = |stride, subsampling| {
        let (y, u, v) = (plane(width), plane(stride), plane(stride));
        Planes::Planar { y, u, v, subsampling }
    };
    let half = width.div_ceil(2);
    let colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };
    [
        ("I420", planar(half, Subsampling::Yuv420)),
        ("Y42B", planar(half, Subsampling::Yuv422)),
        ("Y444", planar(width, Subsampling::Yuv444)),
        ("NV12", Planes::Nv12 { y: plane(width), uv: plane(2 * half) }),
    ]
    .map(|(layout, planes)| (layout, Picture { width, height, planes, colour }))
}

#[test]
fn a_picture_becomes_a_tensor_without_an_allocation() {
    let bytes = noise();
    for (width, height) in [(1280_usize, 720), (321, 241), (48, 700)] {
        for (layout, picture) in pictures(&bytes, width, height) {
            for fit in [Fit::Letterbox, Fit::LetterboxTopLeft, Fit::Stretch] {
                let mut letterbox = Letterbox::new(&picture, 320, 320, &input(fit)).unwrap();
                let mut tensor = vec![0.0; 3 * 320 * 320];
                letterbox.run(&picture, &mut tensor).unwrap();
                allocates_nothing(&format!("{width}x{height} {layout} {fit:?}"), || {
                    for _ in 0..2 {
                        assert!(letterbox.fits(&picture));
                        letterbox.run(&picture, &mut tensor).unwrap();
                        black_box(letterbox.mapping());
                    }
                });
                assert!(tensor.iter().any(|value| *value > 0.0));
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------ detections to tracks

/// Frames after which the scene below is as it was.
const PERIOD: usize = 90;

/// Forty walkers on ten lanes, whose ways cross; of the four in a lane one is away for a while, one is seen badly
/// for a while, and a stranger passes.
fn scene(frame: usize, detections: &mut Vec<Detection>) {
    let phase = frame % PERIOD;
    let turn = phase as f32 / PERIOD as f32 * std::f32::consts::TAU;
    detections.clear();
    for lane in 0..10_u16 {
        for walker in 0..4_u16 {
            // Away for longer than a track lives.
            if walker == 3 && (20..60).contains(&phase) {
                continue;
            }
            let x = 600.0 + 500.0 * (turn + f32::from(walker) * 1.5).sin();
            let y = 50.0 + 60.0 * f32::from(lane) + 4.0 * (2.0 * turn + f32::from(walker)).cos();
            let score = if walker == 1 && (30..35).contains(&phase) { 0.3 } else { 0.9 };
            detections.push(Detection { bbox: BBox::from_centre(x, y, 40.0, 50.0), score, class: lane % 2 });
        }
        if (10..15).contains(&phase) {
            let x = 100.0 + 200.0 * f32::from(lane);
            detections.push(Detection { bbox: BBox::from_centre(x, 900.0, 30.0, 30.0), score: 0.8, class: 0 });
        }
    }
}

/// By motion alone, or with what each detection looks like.
fn follow(kind: TrackerKind, looking: bool) {
    let settings = Tracking { tracker: kind, max_gap: Duration::from_millis(500), ..Tracking::default() };
    let mut tracker = tracking::new(&settings);
    let mut detections = Vec::with_capacity(64);
    let (mut looks, mut wanted) = (Embeddings::default(), Vec::with_capacity(64));
    // Every birth and every end happened once, and the lists are as long as they will be.
    let warm_up = 2 * PERIOD;
    let (mut ended, mut most) = (0, 0);
    for frame in 0..warm_up + 3 * PERIOD {
        scene(frame, &mut detections);
        let time = Duration::from_millis(frame as u64 * 1000 / 15);
        looks.clear();
        for detection in &detections {
            let (x, y) = detection.bbox.centre();
            looks.push(&[x, y, 600.0 - x, 300.0 - y]);
        }
        let mut update = || {
            let input = tracking::Input::new(time, &detections);
            // A mast in the wind.
            let shake = CameraMotion { tx: [0.0, 1.5, 0.0, -1.5][frame % 4], ..CameraMotion::NONE };
            let appearance = looking.then_some(&looks);
            let input = tracking::Input { appearance, camera_motion: shake, size: Some((1280, 960)), ..input };
            tracker.wants(&input, &mut wanted);
            most = most.max(tracker.update(&input).len());
            ended += tracker.ended().len();
            black_box(tracker.changes());
        };
        if frame < warm_up {
            update();
        } else {
            allocates_nothing(&format!("{kind:?}, looking: {looking}, frame {frame}"), update);
        }
    }
    assert!(most >= 40 && ended >= 3 * 10, "{kind:?}: {most} tracks at once and {ended} ends prove little");
}

#[test]
fn tracks_are_followed_born_and_ended_without_an_allocation() {
    for &kind in TrackerKind::ALL {
        follow(kind, false);
        follow(kind, true);
    }
}

// ------------------------------------------------------------------------------------------------ all of it

/// A model on disk, used as `settings` say, and the manager that loaded it.
fn loaded(onnx: &[u8], settings: &str) -> (tempfile::TempDir, ModelManager) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.onnx"), onnx).unwrap();
    let text = format!(
        "[runtime]\npolicy = \"any\"\n[models.test]\nonnx = \"model.onnx\"\nbackend = \"onnxruntime\"\n{settings}\n"
    );
    std::fs::write(folder.path().join("labels.txt"), "ball\n").unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, text).unwrap();
    let config = config::load(&file).unwrap().config;
    let manager = ModelManager::load(&config, &Metrics::default(), &watchkeeper::pipeline::fits_head).unwrap();
    (folder, manager)
}

#[test]
fn a_frame_goes_from_picture_to_tracks_without_an_allocation() {
    let blobs = test_models::blob_detector(320, 240, 16);
    let (_folder, manager) = loaded(&blobs, "head = \"yolo\"\nlabels = \"labels.txt\"");
    let model = manager.model(0).unwrap();
    let mut context =
        manager.create_pipeline_contexts(&manager.lane("test").unwrap(), &model, 1).unwrap().free.pop_front();
    let mut decoder = Decoder::new(&model.model, model.io()).unwrap();
    let mut tracker = tracking::new(&Tracking::default());
    let mut found = Found::default();
    let mut objects = FrameObjects::with_capacity(64);

    let (width, height) = (320, 240);
    let chroma = vec![128_u8; width * height / 4];
    let mut luma = vec![0_u8; width * height];
    let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
    let mut letterbox = None;
    let (mut followed, mut allocating) = (0, vec![]);
    for frame in 0..60_usize {
        // A bright disc moves to the right.
        let (x, y) = (60.0 + 2.0 * frame as f32, 120.0);
        for (at, pixel) in luma.iter_mut().enumerate() {
            let (dx, dy) = ((at % width) as f32 - x, (at / width) as f32 - y);
            *pixel = if dx * dx + dy * dy < 400.0 { 255 } else { 0 };
        }
        let plane = |data, stride| Plane { data, stride };
        let (y, u, v) = (plane(&luma, width), plane(&chroma, width / 2), plane(&chroma, width / 2));
        let planes = Planes::Planar { y, u, v, subsampling: Subsampling::Yuv420 };
        let picture = Picture { width, height, planes, colour };
        let letterbox =
            letterbox.get_or_insert_with(|| Letterbox::new(&picture, 320, 240, &model.model.input).unwrap());
        let mut step = || {
            let mut ready = context.take().unwrap();
            letterbox.run(&picture, ready.input_f32(0).unwrap()).unwrap();
            let (back, result) = ready.submit().wait().unwrap();
            result.unwrap();
            let output = back.output(0).unwrap();
            decoder.decode(&[output], &letterbox.mapping(), &mut found).unwrap();
            let time = Duration::from_millis(frame as u64 * 1000 / 15);
            objects.set_tracks(tracker.update(&tracking::Input::new(time, &found.detections)).iter().copied());
            followed += usize::from(objects.tracks().len() == 1);
            context = Some(back);
        };
        if frame < 10 {
            step();
        } else if measure(step).count_total > 0 {
            allocating.push(frame);
        }
    }
    // The channel to the workers allocates once, in the first frame whose result is not there at once.
    assert!(allocating.len() <= 1, "frames that allocated: {allocating:?}");
    assert_eq!(followed, 59, "the disc is followed from its second frame on");
}
