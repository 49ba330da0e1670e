//! `watchkeeper engine verify`: how far plans are from their model files.
//!
//! The plan runs on the GPU, the model file beside it on the CPU in 32-bit floats, in one process, about the same pictures. Each
//! prepares them as the pipeline does where it runs, and the same head with the same settings reads both answers. What the
//! figures mean is said in [`crate::eval::divergence`].
//!
//! [`run`] and [`gate`] are also what `engine build` asks before a plan is installed.

mod compare;
mod data;
mod engine;
mod frames;
mod keep;
mod labelled;
mod progress;
mod report;

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

pub(super) use data::{Data, DataArgs};
pub(super) use report::Few;

use super::stores;
use crate::cli::exit::BadInput;
use crate::cli::{ConfigArg, Exit};
use crate::config::{Config, Model, Policy};
use crate::inference::artefact::{Verified, sha256_of_file};
use crate::telemetry::log;

/// Agreement asked for where nobody says how much.
const ENOUGH: f64 = 0.9;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Models, by their names in the configuration
    #[arg(value_name = "MODEL", required_unless_present = "all")]
    models: Vec<String>,
    /// All models that TensorRT runs
    #[arg(long, conflicts_with = "models")]
    all: bool,
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    data: DataArgs,
    /// Least agreement, 0 to 1; default: runtime.require_verified, else 0.9
    #[arg(long, value_name = "X", value_parser = share)]
    min_agreement: Option<f64>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// How far a plan is from its model file. The plan may lie anywhere, installed or not; a manifest beside it is obeyed.
/// [`Few`] where the model file itself finds too little in these pictures, which proves nothing.
///
/// # Errors
/// Where plan, model file or pictures cannot be used, and what `go_on` answers, which is asked before each picture.
pub(super) fn run(
    config: &Config,
    model: &Arc<Model>,
    plan: &Path,
    data: &Data,
    go_on: &dyn Fn() -> anyhow::Result<()>,
) -> anyhow::Result<Result<Verified, Few>> {
    report::verified(&compare::compare(config, model, plan, data, go_on)?, model, data)
}

/// May the plan be used?
///
/// # Errors
/// Why not, with the numbers and what to do.
pub(super) fn gate(model: &str, verified: &Verified, bound: f64) -> Result<(), String> {
    if verified.agreement >= bound { Ok(()) } else { Err(report::refusal(model, verified, bound)) }
}

/// The agreement that is asked for.
pub(super) fn bound(config: &Config, asked: Option<f64>) -> f64 {
    asked.or(config.runtime.require_verified).unwrap_or(ENOUGH)
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let config = stores::load(&args.config.config)?;
    let _log = log::init(&crate::config::Log { filter: "warn".to_owned(), ..config.log.clone() })?;
    let models = stores::models(&config, &args.models)?;
    for model in &models {
        if !model.plan.exists() {
            let (name, plan) = (&model.name, model.plan.display());
            let words = format!("model {name:?}: there is no plan {plan}; build it: watchkeeper engine build {name}");
            return Err(BadInput(words).into());
        }
    }
    let data = args.data.open()?;
    let bound = bound(&config, args.min_agreement);
    if config.runtime.policy == Policy::GpuOnly {
        eprintln!("the model files run on the CPU, by ONNX Runtime, as what the engines are compared with; only here");
    }
    // From the first model to the last: libraries that use the device's context stay in the process.
    let _device = gpu::Driver::load().and_then(|driver| driver.open(0)).ok();
    let mut out = std::io::stdout().lock();
    let (mut entries, mut refused) = (Vec::new(), Vec::new());
    for model in &models {
        // Where the link leads now: it may lead elsewhere when this is done.
        let plan = std::fs::canonicalize(&model.plan)?;
        let sha256 = sha256_of_file(&plan)?;
        let verified = match run(&config, model, &plan, &data, &|| Ok(()))? {
            Ok(verified) => verified,
            Err(few) => {
                refused.push(few.words(&model.name, &data));
                continue;
            }
        };
        let kept = keep::keep(model, &sha256, &verified)?;
        let passed = gate(&model.name, &verified, bound);
        if args.json {
            entries.push(entry(model, &sha256, &verified, passed.is_ok(), kept.as_ref().err()));
        } else {
            let kept = kept.unwrap_or_else(|why| format!("not kept: {why}"));
            writeln!(out, "{}  {kept}", report::table(&model.name, &sha256, &verified, bound))?;
        }
        refused.extend(passed.err());
    }
    if args.json {
        let document = json!({ "schema": "verify/1", "asked": bound, "engines": entries, "refused": refused });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    }
    out.flush()?;
    if refused.is_empty() { Ok(Exit::Done) } else { Err(BadInput(refused.join("\n")).into()) }
}

fn entry(model: &Model, sha256: &str, verified: &Verified, passed: bool, not_kept: Option<&String>) -> Value {
    json!({
        "model": model.name,
        "plan": model.plan,
        "sha256": sha256,
        "passed": passed,
        "not_kept": not_kept,
        "verified": verified,
    })
}

fn share(text: &str) -> Result<f64, String> {
    crate::cli::workbench::number(text, 0.0, 1.0)
}
