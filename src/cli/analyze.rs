//! `watchkeeper analyze`: one recording through the pipeline, every frame. The same file and the same
//! configuration give the same output, byte for byte.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::exit::BadInput;
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Jsonl,
    Mot,
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
    let mut writer = TrackWriter::create(&args.out, args.format, labels)?;
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
    while let Ok(report) = incoming.recv() {
        for report in std::iter::once(report).chain(incoming.try_iter()) {
            if let Report::Frame(result) = report {
                meter.step(&result, &pipeline);
                writer.frame(&result)?;
                let _ = result.recycle.try_send(result.tracks);
            }
        }
        std::thread::sleep(pipeline::READ_EVERY);
    }
    meter.done();
    let frames = writer.frames;
    let tracks = writer.tracks;
    writer.finish()?;
    let (status, counters) = (pipeline.metrics().status(), Arc::clone(pipeline.metrics()));
    pipeline.join();
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
    let seconds = began.elapsed().as_secs_f64();
    if args.json {
        let summary = json!({ "frames": frames, "undecoded": undecoded, "tracks": tracks, "seconds": seconds, "fps": frames as f64 / seconds });
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

/// Writes tracks in one of the formats, with fixed decimals.
struct TrackWriter {
    out: BufWriter<Box<dyn Write>>,
    path: PathBuf,
    format: Format,
    labels: Arc<[String]>,
    frames: u64,
    tracks: u64,
    highest: u64,
    line: String,
}

impl TrackWriter {
    fn create(path: &std::path::Path, format: Format, labels: Arc<[String]>) -> anyhow::Result<Self> {
        let out: Box<dyn Write> = if path.as_os_str() == "-" {
            Box::new(std::io::stdout())
        } else {
            let cannot = |error| BadInput(format!("{}: cannot be written: {error}", path.display()));
            Box::new(File::create(path).map_err(cannot)?)
        };
        let (out, path) = (BufWriter::with_capacity(64 * 1024, out), path.to_owned());
        Ok(Self { out, path, format, labels, frames: 0, tracks: 0, highest: 0, line: String::with_capacity(4096) })
    }

    fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        use std::fmt::Write as _;
        self.frames += 1;
        for track in &result.tracks {
            if track.number > self.highest {
                self.highest = track.number;
                self.tracks += 1;
            }
        }
        self.line.clear();
        match self.format {
            Format::Mot => {
                for track in result.tracks.iter().filter(|track| !track.coasted) {
                    let b = track.bbox;
                    writeln!(
                        self.line,
                        "{},{},{:.2},{:.2},{:.2},{:.2},{:.4},{},-1,-1",
                        result.meta.seq,
                        track.number,
                        b.x1,
                        b.y1,
                        b.width(),
                        b.height(),
                        track.score,
                        u32::from(track.class) + 1,
                    )?;
                }
            }
            Format::Jsonl => {
                let time = result.meta.media_time.as_secs_f64();
                write!(self.line, "{{\"frame\":{},\"time_s\":{time:.6},\"tracks\":[", result.meta.seq)?;
                for (at, track) in result.tracks.iter().enumerate() {
                    let b = track.bbox;
                    let label = self.labels.get(usize::from(track.class)).map_or("", String::as_str);
                    write!(
                        self.line,
                        "{}{{\"id\":{},\"label\":{},\"score\":{:.4},\"box\":[{:.2},{:.2},{:.2},{:.2}],\"coasted\":{}}}",
                        if at > 0 { "," } else { "" },
                        track.number,
                        json!(label),
                        track.score,
                        b.x1,
                        b.y1,
                        b.x2,
                        b.y2,
                        track.coasted,
                    )?;
                }
                self.line.push_str("]}\n");
            }
        }
        self.out.write_all(self.line.as_bytes()).with_context(|| format!("{}: cannot be written", self.path.display()))
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.out.flush().with_context(|| format!("{}: cannot be written", self.path.display()))
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
