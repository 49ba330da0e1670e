//! The whole pipeline on a recording, against bare `session.run` in the same process.
//!
//! ```text
//! cargo bench --bench pipeline                      # a generated clip and models made by code
//! cargo bench --bench pipeline -- --clip C --model M --head yolox --classes 80
//! ```
//!
//! Every figure is a ratio or a difference within one run: machines differ, and are noisy.
//!
//! - throughput: frames per second of the pipeline over runs per second of the bare model, one
//!   inference worker, one thread; pairs are interleaved and the median pair is printed;
//! - CPU: CPU time of the whole process over CPU time inside the model;
//! - host cost: with a look-up model in the network's place ("inference is free", as on a GPU), CPU
//!   time of the whole process less the model's, per frame, decoding included.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use test_models::{Layout, Object, lookup_detector};
use watchkeeper::config::{self, Config, camera_from_url};
use watchkeeper::inference::ModelManager;
use watchkeeper::pipeline::{self, CameraPipeline, Environment, Publish, Report};
use watchkeeper::source::{self, Delivery};
use watchkeeper::telemetry::metrics::Metrics;
use watchkeeper::telemetry::progress::Progress;

fn main() -> anyhow::Result<()> {
    process::prepare(&[], &[]);
    let options = Options::from_args();
    if options.listed {
        return Ok(());
    }
    for file in [&options.clip, &options.clip_1080, &options.model].into_iter().flatten() {
        anyhow::ensure!(file.is_file(), "{}: no such file", file.display());
    }
    source::init()?;
    let work = tempfile::tempdir()?;
    let base = process::resident_bytes().unwrap_or(0);
    println!("{:<44} {:>9} {:>9} {:>9} {:>9}", "host cost, inference is free", "frames", "ms/frame", "CPU ms", "fps");
    for (name, width, height) in [("768x576", 768, 576), ("1920x1080", 1920, 1080)] {
        let clip = match (&options.clip, &options.clip_1080) {
            (Some(clip), _) if width == 768 => clip.clone(),
            (_, Some(clip)) if width == 1920 => clip.clone(),
            _ => make_clip(work.path(), width, height)?,
        };
        let model = work.path().join("lookup.onnx");
        std::fs::write(&model, lookup_detector(Layout::YoloX, 416, 416, 80, &walkers()))?;
        let once = Bench { clip, model, head: "yolox", classes: 80, dir: work.path().to_owned() };
        once.run(options.frames)?;
        let mut runs: Vec<Run> = (0..options.repeats).map(|_| once.run(options.frames)).collect::<Result<_, _>>()?;
        runs.sort_by_key(|run| run.cpu - run.model_cpu);
        let run = &runs[runs.len() / 2];
        let host = run.cpu.saturating_sub(run.model_cpu).as_secs_f64() * 1e3 / run.frames as f64;
        println!(
            "{:<44} {:>9} {host:>9.2} {:>9.2} {:>9.1}",
            format!("look-up model, {name}"),
            run.frames,
            run.cpu.as_secs_f64() * 1e3 / run.frames as f64,
            run.frames as f64 / run.wall.as_secs_f64(),
        );
    }
    let Some(model) = options.model else {
        println!("throughput and CPU ratio need a real model: --model FILE --head HEAD [--classes N] [--clip FILE]");
        return Ok(());
    };
    let clip = match options.clip {
        Some(clip) => clip,
        None => make_clip(work.path(), 768, 576)?,
    };
    let head: &'static str = Box::leak(options.head.into_boxed_str());
    let bench = Bench { clip, model, head, classes: options.classes, dir: work.path().to_owned() };
    bench.run(options.frames)?;
    let mut ratios = Vec::new();
    println!("{:<20} {:>12} {:>12} {:>12} {:>12}", "pair", "bare fps", "pipeline fps", "throughput", "CPU ratio");
    for pair in 0..options.repeats {
        let (first, second);
        // Interleaved and swapped, so that a machine that slows down slows both.
        let (bare, run) = if pair % 2 == 0 {
            first = bench.bare(options.frames)?;
            second = bench.run(options.frames)?;
            (first, second)
        } else {
            second = bench.run(options.frames)?;
            first = bench.bare(options.frames)?;
            (first, second)
        };
        let pipeline_fps = run.frames as f64 / run.wall.as_secs_f64();
        let throughput = pipeline_fps / bare;
        let cpu = run.cpu.as_secs_f64() / run.model_cpu.as_secs_f64();
        println!("{pair:<20} {bare:>12.2} {pipeline_fps:>12.2} {throughput:>12.3} {cpu:>12.3}");
        ratios.push((throughput, cpu));
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!(
        "median: throughput {:.3} of bare session.run; CPU {:.3} of that inside session.run",
        median(ratios.iter().map(|r| r.0).collect()),
        median(ratios.iter().map(|r| r.1).collect())
    );
    let resident = process::resident_bytes().unwrap_or(0);
    println!("resident memory: {} MB, {} MB before the first pipeline", resident >> 20, base >> 20);
    Ok(())
}

struct Options {
    clip: Option<PathBuf>,
    clip_1080: Option<PathBuf>,
    model: Option<PathBuf>,
    head: String,
    classes: usize,
    frames: u64,
    repeats: usize,
    listed: bool,
}

impl Options {
    fn from_args() -> Self {
        let args: Vec<String> = std::env::args().skip(1).collect();
        let value = |name: &str| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1)).cloned();
        let file = |name: &str| value(name).map(|path| std::path::absolute(&path).unwrap_or_else(|_| path.into()));
        Self {
            clip: file("--clip"),
            clip_1080: file("--clip-1080"),
            model: file("--model"),
            head: value("--head").unwrap_or_else(|| "yolo".to_owned()),
            classes: value("--classes").and_then(|n| n.parse().ok()).unwrap_or(80),
            frames: value("--frames").and_then(|n| n.parse().ok()).unwrap_or(300),
            repeats: value("--repeats").and_then(|n| n.parse().ok()).unwrap_or(5),
            // `cargo test --benches` and `--list` must not run it.
            listed: args.iter().any(|arg| arg == "--list" || arg == "--test"),
        }
    }
}

struct Bench {
    clip: PathBuf,
    model: PathBuf,
    head: &'static str,
    classes: usize,
    dir: PathBuf,
}

struct Run {
    /// Frames analysed within the span.
    frames: u64,
    wall: Duration,
    /// CPU of the whole process.
    cpu: Duration,
    /// CPU inside the model.
    model_cpu: Duration,
}

impl Bench {
    fn config(&self) -> anyhow::Result<Config> {
        let labels: String = (0..self.classes).map(|n| format!("class {n}\n")).collect();
        std::fs::write(self.dir.join("labels.txt"), labels)?;
        let toml = format!(
            "[runtime]\npolicy = \"any\"\ninference_workers = 1\nthreads_per_inference = 1\nstate_dir = {state:?}\n\
             [models.detection]\nonnx = {onnx:?}\nbackend = \"onnxruntime\"\nhead = {head:?}\nlabels = \"labels.txt\"\n",
            state = self.dir.join("state"),
            onnx = self.model,
            head = self.head,
        );
        let path = self.dir.join("bench.toml");
        std::fs::write(&path, toml)?;
        Ok(config::load(&path)?.config)
    }

    /// At most `frames` frames of the clip through the pipeline.
    fn run(&self, frames: u64) -> anyhow::Result<Run> {
        let config = self.config()?;
        let metrics = Metrics::default();
        let progress = Progress::default();
        let models = Arc::new(ModelManager::load(&config, &metrics, &pipeline::fits_head)?);
        let mut camera = camera_from_url(&self.clip.to_string_lossy(), None, None)?;
        camera.models = vec![0];
        let (reports, incoming) = pipeline::channel();
        let environment = Environment {
            config: &config,
            models: &models,
            metrics: &metrics,
            progress: &progress,
            reports,
            publish: Publish::Objects,
            media: None,
            track_log: None,
            clips: None,
        };
        let camera = CameraPipeline::start(&environment, &Arc::new(camera), Delivery::Every)?;
        drop(environment);
        let model_cpu = || Duration::from_micros(metrics.models()[0].infer_cpu_us.get());
        let mut count = 0;
        let mut first = None;
        let mut last = None;
        while let Ok(report) = incoming.recv() {
            for report in std::iter::once(report).chain(incoming.try_iter()) {
                if let Report::Frame(result) = report {
                    let _ = result.recycle.try_send(result.objects);
                    count += 1;
                }
            }
            // The span begins and ends at a look, so that it holds whole frames only.
            let now = (Instant::now(), process::cpu_time(), model_cpu(), count);
            first.get_or_insert(now);
            if count <= frames {
                last = Some(now);
            } else {
                camera.stop();
            }
            std::thread::sleep(pipeline::READ_EVERY);
        }
        camera.join();
        let (Some(first), Some(last)) = (first, last) else { anyhow::bail!("no frame in {}", self.clip.display()) };
        Ok(Run {
            frames: last.3 - first.3,
            wall: last.0 - first.0,
            cpu: last.1.saturating_sub(first.1),
            model_cpu: last.2.saturating_sub(first.2),
        })
    }

    /// Runs per second of the bare model on one of the clip's frames, after warm-up.
    fn bare(&self, runs: u64) -> anyhow::Result<f64> {
        let runtime = onnxruntime::Runtime::load(Path::new("libonnxruntime.so"))?;
        let session = onnxruntime::Session::open(&runtime, &self.model, onnxruntime::SessionOptions { threads: 1 })?;
        let shapes: Vec<Vec<i64>> =
            session.inputs().iter().map(|input| input.shape.iter().map(|d| (*d).max(1)).collect()).collect();
        let mut binding = session.bind(&shapes)?;
        self.fill_with_a_frame(&mut binding, &shapes[0])?;
        for _ in 0..5 {
            binding.run()?;
        }
        let began = Instant::now();
        for _ in 0..runs {
            binding.run()?;
        }
        Ok(runs as f64 / began.elapsed().as_secs_f64())
    }

    /// A real frame: on noise and on zeros a network takes another time than on a picture.
    fn fill_with_a_frame(&self, binding: &mut onnxruntime::Binding, shape: &[i64]) -> anyhow::Result<()> {
        use watchkeeper::source::slot::{FrameSlot, Take};
        use watchkeeper::telemetry::metrics::CameraMetrics;
        let config = self.config()?;
        let slot = Arc::new(FrameSlot::new(Delivery::Every));
        let source = source::Source::start(source::Setup {
            camera: Arc::new(camera_from_url(&self.clip.to_string_lossy(), None, None)?),
            policy: config::Policy::Any,
            delivery: Delivery::Every,
            slot: Arc::clone(&slot),
            metrics: Arc::new(CameraMetrics::new("bare")),
            stage: Progress::default().stage("bare"),
            ring: None,
            notify: Arc::new(|_| {}),
        })?;
        let taken = slot.take(Duration::from_secs(10));
        source.stop();
        slot.close();
        source.join();
        let Take::Frame(frame) = taken else { anyhow::bail!("no frame in {}", self.clip.display()) };
        let picture = frame.picture().ok_or_else(|| anyhow::anyhow!("unreadable frame"))?;
        let size = |n: i64| usize::try_from(n).unwrap_or(0);
        let input = &config.models[0].input;
        let mut letterbox = watchkeeper::vision::Letterbox::new(&picture, size(shape[3]), size(shape[2]), input)?;
        letterbox.run(&picture, binding.input_mut::<f32>(0)?)?;
        Ok(())
    }
}

/// Ten people, as the look-up model sees them in every frame.
fn walkers() -> Vec<Object> {
    (0..10)
        .map(|n| Object { centre_and_size: [30.0 + 38.0 * n as f32, 200.0, 20.0, 60.0], class: 0, score: 0.8 })
        .collect()
}

/// A clip like a camera's: H.264, one slice, no B-frames, a key frame every two seconds.
fn make_clip(dir: &Path, width: u32, height: u32) -> anyhow::Result<PathBuf> {
    let path = dir.join(format!("{width}x{height}.mp4"));
    if path.exists() {
        return Ok(path);
    }
    let encoder =
        ["x264enc bitrate=3000 key-int-max=60 bframes=0 threads=1", "openh264enc bitrate=3000000 gop-size=60"]
            .into_iter()
            .find(|encoder| gst::ElementFactory::find(encoder.split(' ').next().unwrap_or_default()).is_some())
            .ok_or_else(|| anyhow::anyhow!("no H.264 encoder; run scripts/setup.sh"))?;
    // Snow moves everywhere at once and a flat picture nowhere; smooth zones in between are camera-like.
    let launch = format!(
        "videotestsrc num-buffers=300 pattern=smpte horizontal-speed=3 ! \
         video/x-raw,format=I420,width={width},height={height},framerate=30/1 ! {encoder} ! h264parse ! mp4mux ! \
         filesink location={path:?}"
    );
    let pipeline = gst::parse::launch(&launch)?;
    use gst::prelude::*;
    pipeline.set_state(gst::State::Playing)?;
    let bus = pipeline.bus().ok_or_else(|| anyhow::anyhow!("no bus"))?;
    let kinds = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(120), &kinds);
    pipeline.set_state(gst::State::Null)?;
    match message.map(|message| message.type_()) {
        Some(gst::MessageType::Eos) => Ok(path),
        other => anyhow::bail!("the clip could not be made: {other:?}"),
    }
}
