//! `watchkeeper engine golden`: `golden.json` beside each model file.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::cli::exit::BadInput;
use crate::cli::{ConfigArg, Exit};
use crate::config::{Backend, Model, Policy};
use crate::inference::ModelManager;
use crate::inference::golden::Recording;
use crate::pipeline;
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Models to record, by their names in the configuration, separated by commas; default: all of them
    #[arg(long, visible_alias = "model", value_name = "NAMES", value_delimiter = ',')]
    models: Option<Vec<String>>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let loaded = crate::cli::load(&args.config.config)?;
    let _log = log::init(&crate::config::Log { filter: "warn".to_owned(), ..loaded.config.log.clone() })?;
    let mut config = loaded.config;
    config.runtime.policy = Policy::Any;
    let models = crate::cli::chosen_models(&config, args.models.as_deref())?;
    config.models = models.into_iter().map(on_cpu).collect();
    let models = ModelManager::load(&config, &Metrics::default(), &pipeline::fits_head)?;
    let proofs = pipeline::proofs();
    let (mut lines, mut written) = (Vec::new(), Vec::new());
    for loaded in (0..config.models.len()).filter_map(|index| models.model(index)) {
        let Some(prepare) = proofs.prepare else { continue };
        let recording = models.record(&loaded, prepare)?;
        let path: PathBuf = Recording::path(&loaded.model.onnx);
        recording.write(&path).map_err(|error| {
            BadInput(format!("{}: cannot be written: {error}; copy the model to where you may write", path.display()))
        })?;
        lines.push(format!("{}: {}, {} values", loaded.model.name, path.display(), recording.kept()));
        written.push(json!({ "model": loaded.model.name, "path": path, "values": recording.kept() }));
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&written)?)?;
    } else {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    Ok(Exit::Done)
}

/// The reference.
fn on_cpu(model: Arc<Model>) -> Arc<Model> {
    let model = Model { backend: Backend::OnnxruntimeCpu, plan: PathBuf::new(), engine_copies: 1, ..(*model).clone() };
    Arc::new(model)
}
