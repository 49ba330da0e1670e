//! Every tracker on synthetic scenes, by motion alone and with what subjects look like.
//!
//! 600 frames at 1920 x 1080 and 30 frames/s; objects cross at constant speed and bounce off the
//! edges, 10 % of their detections are missing, and false boxes make up 2 %. One iteration is all
//! 600 frames, so the time divided by 600 is that of a frame: at most 25 us for 20 objects and 150 us for 100 is
//! wanted, so 15 ms and 90 ms here.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use watchkeeper::config::{TrackerKind, Tracking};
use watchkeeper::tracking::{self, Input};
use watchkeeper::types::detection::Detection;
use watchkeeper::types::embedding::Embeddings;
use watchkeeper::types::geometry::BBox;

const FRAMES: usize = 600;
const WIDTH: f32 = 1920.0;
const HEIGHT: f32 = 1080.0;
/// Numbers in an embedding.
const DIM: usize = 128;

/// A small generator, so that every run measures the same scene.
struct Random(u64);

impl Random {
    /// Evenly within `from..to`.
    fn within(&mut self, from: f32, to: f32) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from + (to - from) * (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }
}

struct Object {
    at: [f32; 2],
    speed: [f32; 2],
    size: [f32; 2],
    look: [f32; DIM],
}

/// One frame, with what each detection looks like.
type Frame = (Vec<Detection>, Embeddings);

fn look(random: &mut Random) -> [f32; DIM] {
    std::array::from_fn(|_| random.within(-1.0, 1.0))
}

fn scene(objects: usize) -> Vec<Frame> {
    let mut random = Random(1);
    let mut objects: Vec<Object> = (0..objects)
        .map(|_| {
            let h = random.within(60.0, 200.0);
            Object {
                at: [random.within(0.0, WIDTH), random.within(0.0, HEIGHT)],
                speed: [random.within(-6.0, 6.0), random.within(-3.0, 3.0)],
                size: [0.4 * h, h],
                look: look(&mut random),
            }
        })
        .collect();
    (0..FRAMES)
        .map(|_| {
            let (mut detections, mut looks) = (Vec::new(), Embeddings::default());
            for object in &mut objects {
                for (axis, end) in [WIDTH, HEIGHT].into_iter().enumerate() {
                    object.at[axis] += object.speed[axis];
                    if !(0.0..=end).contains(&object.at[axis]) {
                        object.speed[axis] = -object.speed[axis];
                    }
                }
                let mut add = |at: [f32; 2], [w, h]: [f32; 2], score, look: [f32; DIM]| {
                    let bbox = BBox::from_centre(at[0], at[1], w, h);
                    detections.push(Detection { bbox, score, class: 0 });
                    looks.push(&look);
                };
                if random.within(0.0, 1.0) >= 0.1 {
                    let wobble = 0.02 * object.size[1];
                    let at = object.at.map(|v| v + random.within(-wobble, wobble));
                    let look = object.look.map(|v| v + random.within(-0.5, 0.5));
                    add(at, object.size, random.within(0.3, 0.95), look);
                }
                if random.within(0.0, 1.0) < 0.02 {
                    let at = [random.within(0.0, WIDTH), random.within(0.0, HEIGHT)];
                    add(at, [40.0, 100.0], random.within(0.1, 0.8), look(&mut random));
                }
            }
            (detections, looks)
        })
        .collect()
}

fn track(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tracking");
    group.throughput(Throughput::Elements(FRAMES as u64));
    for objects in [20, 100] {
        let scene = scene(objects);
        for (&kind, looking) in TrackerKind::ALL.iter().flat_map(|kind| [(kind, false), (kind, true)]) {
            let mut tracker = tracking::new(&Tracking { tracker: kind, ..Tracking::default() });
            let mut wanted = Vec::new();
            let name = format!("{kind:?}, {objects} objects{}", if looking { ", looks" } else { "" });
            group.bench_function(name, |bencher| {
                bencher.iter(|| {
                    tracker.reset();
                    for (i, (detections, looks)) in scene.iter().enumerate() {
                        let input = Input::new(Duration::from_secs_f64(i as f64 / 30.0), black_box(detections));
                        let input = Input { appearance: looking.then_some(looks), size: Some((1920, 1080)), ..input };
                        if looking {
                            tracker.wants(&input, &mut wanted);
                        }
                        black_box(tracker.update(&input));
                    }
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, track);
criterion_main!(benches);
