//! `watchkeeper analyze`: one recording through the pipeline, every frame. The same file and the same
//! configuration give the same output, byte for byte.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::exit::BadInput;
use super::recording::{self, Player};
use super::track_writer::{Crops, Format, Recording, TrackWriter};
use super::{ConfigArg, Exit};
use crate::daemon;
use crate::pipeline::{CameraPipeline, FrameResult, Publish};
use crate::telemetry::log;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The recording
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArg,
    /// Models to use, by their names in the configuration, separated by commas; default: all of them
    #[arg(long, visible_alias = "model", value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Where the tracks go; `-` is standard output. Given several times, each with a --format of its own, all are written
    #[arg(long, short, value_name = "FILE", required = true)]
    out: Vec<PathBuf>,
    /// How they are written; default: jsonl
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Vec<Format>,
    /// Writes the best picture of each track as JPEG into this folder
    #[arg(long, value_name = "DIR")]
    crops: Option<PathBuf>,
    /// Prints a summary as JSON when done
    #[arg(long)]
    json: bool,
}

impl Args {
    /// Each output with its format.
    fn outputs(&self) -> Result<Vec<(&Path, Format)>, BadInput> {
        let formats = match (&self.out[..], &self.format[..]) {
            ([_], []) => &[Format::Jsonl],
            (out, formats) if out.len() == formats.len() => formats,
            (out, formats) => {
                let message = format!("{} --out and {} --format; each output needs its own", out.len(), formats.len());
                return Err(BadInput(message));
            }
        };
        for (at, out) in self.out.iter().enumerate() {
            if self.out[..at].contains(out) {
                return Err(BadInput(format!("--out {}: given twice; one would be lost", out.display())));
            }
        }
        Ok(self.out.iter().map(PathBuf::as_path).zip(formats.iter().copied()).collect())
    }
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let loaded = super::load(&args.config.config)?;
    let _log = log::init(&loaded.config.log)?;
    daemon::register_secrets(&loaded.config);
    let mut config = loaded.config;
    config.models = super::chosen_models(&config, args.models.as_deref())?;
    let outputs = args.outputs()?;
    let name = args.file.file_name().unwrap_or(args.file.as_os_str()).to_string_lossy().into_owned();
    let recording = Recording { name, labels: Arc::clone(&config.models[0].labels) };
    // What is wrong with the recording's name is said before the models are loaded.
    recording::camera(&args.file)?;

    let publish = match outputs.iter().any(|(_, format)| format.needs() == Publish::Found) {
        _ if args.crops.is_some() => Publish::Everything,
        true => Publish::Found,
        false => Publish::Objects,
    };
    let player = Player::new(config, publish)?;
    let mut inputs = vec![args.file.as_path(), args.config.config.as_path()];
    inputs.extend(player.config().models.iter().map(|model| model.onnx.as_path()));
    let writers = outputs.iter().map(|(out, format)| TrackWriter::create(out, &inputs, *format));
    let mut writers = writers.collect::<anyhow::Result<Vec<_>>>()?;
    let mut crops = args.crops.as_deref().map(Crops::new).transpose()?;
    let (mut frames, mut tracks, mut highest) = (0_u64, 0_u64, 0);
    let began = Instant::now();
    let mut meter = Meter::new();
    let played = player.play(&args.file, "camera", |result, pipeline| {
        meter.step(result, pipeline);
        frames += 1;
        for track in result.objects.tracks() {
            if track.number > highest {
                (highest, tracks) = (track.number, tracks + 1);
            }
        }
        if let Some(crops) = &mut crops {
            crops.frame(result)?;
        }
        writers.iter_mut().try_for_each(|writer| writer.frame(result, &recording, crops.as_ref()))
    });
    meter.done();
    let played = played?;
    let (status, counters) = (&played.status, &played.counters);
    let path = args.file.display();
    if frames > 0 || status.fault.is_empty() {
        if let Some(crops) = &mut crops {
            crops.finish()?;
        }
        for writer in writers {
            writer.finish(&recording, crops.as_ref())?;
        }
    }
    if !status.fault.is_empty() {
        let so_far = match frames {
            0 => "nothing was written".to_owned(),
            n => format!("the output holds the {n} frames before it"),
        };
        return Err(BadInput(format!("{path}: {}: {}; {so_far}", status.fault, status.detail)).into());
    }
    played.check_answers(&args.file)?;
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
