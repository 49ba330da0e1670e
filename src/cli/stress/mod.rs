//! `watchkeeper stress`: may the contexts of one engine run at once on this machine? Contexts of every engine are
//! enqueued from several threads for a while, and their answers compared with those given alone.

mod compare;
mod hammer;
mod reference;
mod report;
mod tally;
mod trial;

use std::io::Write as _;
use std::time::Duration;

use super::workbench::{self, Mode};
use super::{ConfigArg, Exit};
use crate::telemetry::log;
use report::{ModeReport, Report};
use trial::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Models to use, by their names in the configuration, separated by commas; default: all of them
    #[arg(long, visible_alias = "model", value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Threads, each with a context of every engine
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=64))]
    contexts: u8,
    /// How long each mode is tried, seconds
    #[arg(long, value_name = "S", default_value_t = 30.0, value_parser = seconds)]
    seconds: f64,
    /// Contexts run at once (parallel), one at a time (serial), or first the one and then the other (both)
    #[arg(long, value_enum, default_value_t = Modes::Both)]
    mode: Modes,
    /// Largest relative difference of an answer that is not wrong yet
    #[arg(long, value_name = "D", default_value_t = 0.01, value_parser = tolerance)]
    tolerance: f64,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Modes {
    Parallel,
    Serial,
    Both,
}

impl Modes {
    /// Serial first: what parallel runs break may stay broken in the process.
    const fn list(self) -> &'static [Mode] {
        match self {
            Self::Parallel => &[Mode::Parallel],
            Self::Serial => &[Mode::Serial],
            Self::Both => &[Mode::Serial, Mode::Parallel],
        }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    workbench::number(text, 0.1, 86_400.0)
}

fn tolerance(text: &str) -> Result<f64, String> {
    workbench::number(text, 0.0, 1.0)
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let config = workbench::config(&args.config.config, args.models.as_deref())?;
    let _log = log::init(&config.log)?;
    let settings = Settings {
        contexts: usize::from(args.contexts),
        span: Duration::from_secs_f64(args.seconds),
        tolerance: args.tolerance,
    };
    let (mut device, mut about, mut modes) = (None, None, Vec::new());
    for &mode in args.mode.list() {
        if modes.iter().any(|done: &ModeReport| done.device_lost || done.hung) {
            let mut report = ModeReport::new(mode);
            report.not_safe("not tried: the mode before left the device unusable".to_owned());
            modes.push(report);
            continue;
        }
        match trial::run(mode, &config, &mut device, &settings) {
            Ok((on, report)) => {
                about.get_or_insert(on);
                modes.push(report);
            }
            Err(error) if about.is_none() => return Err(error.into()),
            // What is known of the modes before is not thrown away.
            Err(error) => {
                let mut report = ModeReport::new(mode);
                report.not_safe(format!("it could not begin: {error}"));
                modes.push(report);
            }
        }
    }
    let Some(about) = about else { anyhow::bail!("no mode was tried") };
    let (lost, hung) = (modes.iter().any(|mode| mode.device_lost), modes.iter().any(|mode| mode.hung));
    let report = Report::new(about, settings.contexts, args.tolerance, modes);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        report.write(&mut out)?;
    }
    out.flush()?;
    let exit = match report.safe {
        _ if lost => Exit::DeviceLost,
        true => Exit::Done,
        false => Exit::Gpu,
    };
    if hung {
        // Threads that hang on the device would hold up a normal end.
        process::exit_now(exit as i32);
    }
    Ok(exit)
}
