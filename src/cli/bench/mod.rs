//! `watchkeeper bench`: how many cameras this machine can take. Drawn pictures go through all that stands behind
//! decoding, for each number of cameras in each concurrency mode, beside the same engines without a pipeline.

mod bare;
mod cell;
mod feed;
mod latency;
mod phase;
mod report;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use super::workbench::{self, About, Mode, OpenDevice};
use super::{ConfigArg, Exit};
use crate::config::Config;
use crate::source;
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;
use cell::Cells;
use feed::Feed;
use report::Report;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Models to use, by their names in the configuration, separated by commas; default: all of them
    #[arg(long, visible_alias = "model", value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Numbers of cameras, separated by commas
    #[arg(
        long, value_name = "N,...", value_delimiter = ',', default_value = "1,2,4,8",
        value_parser = clap::value_parser!(u16).range(1..=256)
    )]
    cameras: Vec<u16>,
    /// Concurrency modes, separated by commas
    #[arg(long, value_enum, value_name = "MODES", value_delimiter = ',', default_value = "parallel,serial")]
    modes: Vec<Mode>,
    /// How long each number of cameras is measured in each mode, seconds; bare inference and warm-up come on top
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Frames a second of each camera, newer ones replacing those not taken in time; default: as fast as they are taken
    #[arg(long, value_name = "F", value_parser = fps)]
    fps: Option<f64>,
    /// Size of the pictures, pixels
    #[arg(long, value_name = "WxH", default_value = "1920x1080", value_parser = workbench::size)]
    size: (u32, u32),
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Writes JSON to a file, too
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    workbench::number(text, 0.1, 86_400.0)
}

fn fps(text: &str) -> Result<f64, String> {
    workbench::number(text, 0.1, 1000.0)
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let config = workbench::config(&args.config.config, args.models.as_deref())?;
    let _log = log::init(&config.log)?;
    if let Some(path) = &args.out {
        // Now, not after all the measuring; what is in it stays until then.
        let opened = std::fs::File::options().append(true).create(true).open(path);
        opened.with_context(|| unwritable(path))?;
    }
    let mut run = Run { args, report: None, feed: None, device: None };
    let mut out = std::io::stdout().lock();
    let mut lost = None;
    for &mode in &args.modes {
        lost = run.mode(mode, &config, &mut out)?;
        if lost.is_some() {
            break;
        }
    }
    let Some(report) = run.report else { anyhow::bail!("no mode was measured") };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        report.foot(&mut out)?;
    }
    out.flush()?;
    if let Some(path) = &args.out {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n").with_context(|| unwritable(path))?;
    }
    if let Some(reason) = lost {
        eprintln!("the GPU failed for good: {reason}");
        return Ok(Exit::DeviceLost);
    }
    let all = report.rows.len() == args.cameras.len() * args.modes.len();
    Ok(if all && report.rows.iter().all(report::Row::is_whole) { Exit::Done } else { Exit::Internal })
}

/// What stays from mode to mode.
struct Run<'a> {
    args: &'a Args,
    report: Option<Report>,
    feed: Option<Feed>,
    device: Option<OpenDevice>,
}

impl Run<'_> {
    /// Measures all numbers of cameras in one mode; why the device is lost, where it is.
    fn mode(&mut self, mode: Mode, config: &Config, out: &mut impl Write) -> anyhow::Result<Option<String>> {
        let args = self.args;
        let (config, metrics) = (mode.of(config), Metrics::default());
        let models = match workbench::models(&config, &metrics) {
            Ok(models) => Arc::new(models),
            // What is known of the modes before is not thrown away.
            Err(error) if self.report.is_some() => {
                eprintln!("{}: {error}", mode.name());
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        self.device = self.device.take().or_else(|| OpenDevice::of(&models));
        let report = match &mut self.report {
            Some(report) => report,
            none => {
                let about = About::new(&config, &models);
                if !args.json {
                    intro(args, &about, out)?;
                }
                none.insert(new_report(args, about))
            }
        };
        let feed = match &mut self.feed {
            Some(feed) => feed,
            none => {
                // After the device is open: GStreamer's plugins touch CUDA, too.
                source::init()?;
                none.insert(Feed::new(args.size, args.fps)?)
            }
        };
        let (device, span) = (self.device.as_ref(), Duration::from_secs_f64(args.seconds));
        let cells = Cells { mode, config: &config, models: &models, metrics: &metrics, device, feed, span };
        for &cameras in &args.cameras {
            let row = cells.measure(usize::from(cameras));
            if !args.json {
                row.write(out)?;
                out.flush()?;
            }
            let measured = row.figure.is_some();
            report.rows.push(row);
            if !measured || models.device_lost().is_some() {
                // More of them will not do either.
                break;
            }
        }
        Ok(models.device_lost().map(str::to_owned))
    }
}

fn unwritable(path: &Path) -> String {
    format!("{}: cannot be written", path.display())
}

fn new_report(args: &Args, about: About) -> Report {
    let (width, height) = args.size;
    let (seconds, fps) = (args.seconds, args.fps);
    Report { schema: "bench/1", about, seconds, fps, width, height, rows: Vec::new() }
}

fn intro(args: &Args, about: &About, out: &mut impl Write) -> io::Result<()> {
    about.print(out)?;
    let ((width, height), seconds) = (args.size, args.seconds);
    let pace = args.fps.map_or("as fast as they are taken".to_owned(), |fps| format!("{fps} a second and camera"));
    writeln!(
        out,
        "bench       drawn pictures of {width}x{height} pixels, {pace}, {seconds} s a line; decoding is not in it"
    )?;
    if !about.has_device() && args.modes.len() > 1 {
        writeln!(out, "            no model runs on a GPU: the modes do not differ")?;
    }
    report::head(out)
}
