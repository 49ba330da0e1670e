//! `watchkeeper engine build`: ONNX files into plans for this machine.
//!
//! One build at a time: a lock for the GPU, whoever builds and wherever to, and one for the store. Whatever happens,
//! the configured path leads to a whole plan: a new one is written beside the old ones, loaded, measured and judged, and
//! only then the link is swapped.

mod calibrate;
mod derive;
mod interrupt;
mod judge;
mod make;
mod meter;
mod summary;
mod timing_cache;
mod turn;
mod wish;

use std::io::Write as _;

use anyhow::Context as _;
use serde_json::json;

use super::stores;
use super::verify::DataArgs;
use crate::cli::ConfigArg;
use crate::cli::exit::{self, Exit};
use crate::inference::InferenceError;
use crate::inference::build::Workshop;
use crate::telemetry::log;
use interrupt::Interrupt;
pub(in crate::cli) use interrupt::Interrupted;
use wish::Wish;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Models, by their names in the configuration
    #[arg(value_name = "MODEL", required_unless_present = "all", conflicts_with = "all")]
    models: Vec<String>,
    /// All models that TensorRT runs
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    wish: Wish,
    #[command(flatten)]
    calibration: calibrate::CalibrationArgs,
    /// Puts the engine into the store, and leaves the model's plan as it is
    #[arg(long)]
    no_install: bool,
    /// Does not compare the engine with its model file
    #[arg(long)]
    no_verify: bool,
    #[command(flatten, next_help_heading = "Pictures for the comparison with the model file")]
    data: DataArgs,
    /// Installs the engine only where it agrees so far with its model file, 0 to 1; default: runtime.require_verified,
    /// else 0.9
    #[arg(long, value_name = "X", value_parser = agreement)]
    min_agreement: Option<f64>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

fn agreement(text: &str) -> Result<f64, String> {
    crate::cli::workbench::number(text, 0.0, 1.0)
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let config = stores::load(&args.config.config)?;
    let mut models = stores::models(&config, &args.models)?;
    // TensorRT's own words are in the build's log, and errors quote them.
    let filter = "warn,tensorrt=off".to_owned();
    let _log = log::init(&crate::config::Log { filter, ..config.log.clone() })?;
    let size = |model: &crate::config::Model| std::fs::metadata(&model.onnx).map_or(0, |about| about.len());
    models.sort_by_key(|model| std::cmp::Reverse(size(model)));
    models.dedup_by(|a, b| a.name == b.name);
    let data = if args.no_verify { None } else { Some(args.data.open()?) };
    let interrupt = Interrupt::listen()?;
    // Before the device is opened: whoever waits takes none of its memory.
    let _turn = turn::of_gpu(&interrupt)?;
    let workshop = Workshop::open(&config)?;
    if data.is_some() {
        // What is needed at the end is better missed at the beginning.
        crate::inference::load_onnxruntime(config.runtime.onnxruntime_library.as_deref()).context(
            "an engine is compared with its model file, which ONNX Runtime runs (--no-verify: not compared)",
        )?;
    }
    let job = make::Job { args, data: data.as_ref() };
    let mut made = Vec::new();
    let mut failed: Option<anyhow::Error> = None;
    let mut failures = Vec::new();
    for model in &models {
        match make::make(&workshop, &config, model, &job, &interrupt) {
            Ok(engine) => {
                if !args.json {
                    write!(std::io::stdout().lock(), "{}", summary::words(&engine))?;
                }
                made.push(engine);
            }
            Err(error) => {
                failures.push(json!({ "model": model.name, "error": format!("{error:#}") }));
                let lost = error.chain().any(|cause| {
                    matches!(cause.downcast_ref(), Some(InferenceError::DeviceLost { .. })) || cause.is::<Interrupted>()
                });
                // One is told by whoever called, the others here.
                if let Some(before) = failed.replace(error) {
                    exit::print(&before);
                }
                if lost {
                    break;
                }
            }
        }
    }
    if args.json {
        let engines: Vec<_> = made.iter().map(summary::json).collect();
        writeln!(std::io::stdout().lock(), "{:#}", json!({ "engines": engines, "failed": failures }))?;
    } else if made.iter().any(|engine| engine.installed) {
        writeln!(std::io::stdout().lock(), "a running daemon takes it with: systemctl reload watchkeeper")?;
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(Exit::Done),
    }
}
