//! `watchkeeper analyze`: one recording through the pipeline, every frame. The same file and the same
//! configuration give the same output, byte for byte.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::exit::BadInput;
use super::track_writer::{Format, TrackWriter};
use super::{ConfigArg, Exit};
use crate::config::{Config, SourceKind, camera_from_url};
use crate::daemon;
use crate::inference::ModelManager;
use crate::pipeline::{self, CameraPipeline, Environment, FrameResult, Report};
use crate::source::{self, Delivery};
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::progress::Progress;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recording
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
    /// Model to use, by its name in the configuration; default: the only one
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Where the tracks go; `-` is standard output
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// jsonl: one object a frame, boxes in pixels; mot: MOTChallenge text
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Prints a summary as JSON when done
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let loaded = super::load(&args.config.config)?;
    let _log = log::init(&loaded.config.log)?;
    daemon::register_secrets(&loaded.config);
    let mut config = loaded.config;
    let model = pick_model(&config, args.model.as_deref())?;
    let labels = Arc::clone(&config.models[model].labels);
    let path = args.file.to_str().ok_or_else(|| BadInput(format!("{}: the path is not UTF-8", args.file.display())))?;
    let mut camera = camera_from_url(path, None, None)?;
    if !matches!(camera.source, SourceKind::File { .. }) {
        return Err(BadInput(format!("{path}: analyze reads recordings; for a live camera use run or probe")).into());
    }
    camera.models = vec![0];
    config.models = vec![Arc::clone(&config.models[model])];

    source::init()?;
    let metrics = Metrics::default();
    let progress = Progress::default();
    let models = Arc::new(ModelManager::load(&config, &metrics, &pipeline::fits_head)?);
    let inputs = [args.file.as_path(), args.config.config.as_path(), config.models[0].onnx.as_path()];
    let mut writer = TrackWriter::create(&args.out, &inputs, args.format, labels)?;
    let (reports, incoming) = pipeline::channel();
    let environment = Environment {
        config: &config,
        models: &models,
        metrics: &metrics,
        progress: &progress,
        reports,
        publish_frames: true,
    };
    let began = Instant::now();
    let pipeline = CameraPipeline::start(&environment, &Arc::new(camera), Delivery::Every)?;
    // The cameras' own senders end with them; this one must not outlive them.
    drop(environment);
    let mut meter = Meter::new();
    let mut written = Ok(());
    while let Ok(report) = incoming.recv() {
        for report in std::iter::once(report).chain(incoming.try_iter()) {
            if let Report::Frame(result) = report {
                meter.step(&result, &pipeline);
                if written.is_ok() {
                    written = writer.frame(&result);
                }
                let _ = result.recycle.try_send(result.tracks);
            }
        }
        if written.is_err() {
            pipeline.stop();
        }
        std::thread::sleep(pipeline::READ_EVERY);
    }
    meter.done();
    let (status, counters) = (pipeline.metrics().status(), Arc::clone(pipeline.metrics()));
    // Also after a failure: a run that is cut off by the end of the process would cry out.
    pipeline.join();
    written?;
    let (frames, tracks) = (writer.frames, writer.tracks);
    if frames > 0 || status.fault.is_empty() {
        writer.finish()?;
    }
    if !status.fault.is_empty() {
        let so_far = match frames {
            0 => "nothing was written".to_owned(),
            n => format!("the output holds the {n} frames before it"),
        };
        return Err(BadInput(format!("{path}: {}: {}; {so_far}", status.fault, status.detail)).into());
    }
    if counters.failed.get() > 0 || counters.panics.get() > 0 {
        anyhow::bail!("{} of {frames} frames could not be analysed; see the log", counters.failed.get());
    }
    let coded = counters.coded.get();
    let undecoded = coded.saturating_sub(counters.received.get());
    if undecoded > 0 {
        eprintln!("warning: {undecoded} of {coded} coded pictures could not be decoded; the recording is damaged");
    }
    let (detections, bad_boxes) = (counters.detections.get(), counters.bad_boxes.get());
    if bad_boxes > 0 {
        eprintln!("warning: {bad_boxes} boxes were none (no area, no label, no number); check head and labels");
    } else if detections == 0 && frames > 0 {
        eprintln!("warning: nothing was detected in any frame; check head, labels, classes and min_score");
    }
    let seconds = began.elapsed().as_secs_f64();
    if args.json {
        let summary = json!({
            "frames": frames,
            "undecoded": undecoded,
            "detections": detections,
            "bad_boxes": bad_boxes,
            "tracks": tracks,
            "seconds": seconds,
            "fps": frames as f64 / seconds,
        });
        eprintln!("{summary}");
    } else {
        eprintln!("{frames} frames, {tracks} tracks, {seconds:.1} s, {:.1} frames/s", frames as f64 / seconds);
    }
    Ok(Exit::Done)
}

fn pick_model(config: &Config, wanted: Option<&str>) -> anyhow::Result<usize> {
    let names = || config.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
    match wanted {
        Some(name) => config
            .models
            .iter()
            .position(|model| model.name == name)
            .ok_or_else(|| BadInput(format!("--model {name}: the configuration has {}", names())).into()),
        None if config.models.len() == 1 => Ok(0),
        None if config.models.is_empty() => {
            Err(BadInput("the configuration has no model; add [models.<name>]".to_owned()).into())
        }
        None => {
            Err(BadInput(format!("the configuration has several models; choose one with --model: {}", names())).into())
        }
    }
}

/// A bar on a terminal, a line now and then elsewhere.
struct Meter {
    bar: Option<ProgressBar>,
    told: Instant,
}

impl Meter {
    fn new() -> Self {
        let bar = std::io::IsTerminal::is_terminal(&std::io::stderr()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3}% {msg} eta {eta}") {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, told: Instant::now() }
    }

    fn step(&mut self, result: &FrameResult, pipeline: &CameraPipeline) {
        let at = result.meta.media_time;
        let duration = *pipeline.facts().duration.lock();
        if let Some(bar) = &self.bar {
            if let (None, Some(duration)) = (bar.length(), duration) {
                bar.set_length(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
            }
            bar.set_position(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
            bar.set_message(format!("frame {}", result.meta.seq));
        } else if self.told.elapsed() >= Duration::from_secs(10) {
            self.told = Instant::now();
            let of = duration.map(|time| format!(" of {:.0} s", time.as_secs_f64())).unwrap_or_default();
            eprintln!("frame {}, {:.0} s{of}", result.meta.seq, at.as_secs_f64());
        }
    }

    fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
