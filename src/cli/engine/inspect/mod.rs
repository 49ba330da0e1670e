//! `watchkeeper engine inspect`: what is in a plan, or in a model file.

mod model_file;
mod plan;

use std::path::{Path, PathBuf};

use super::stores;
use crate::cli::exit::BadInput;
use crate::cli::{ConfigArg, Exit};
use crate::config::{Backend, Config, Model};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A model, by its name in the configuration, or a file: FILE.plan or FILE.onnx
    #[arg(value_name = "MODEL|FILE")]
    what: String,
    #[command(flatten)]
    config: ConfigArg,
    /// Lists all layers, or all operators
    #[arg(long)]
    layers: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let path = Path::new(&args.what);
    let ends_with = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    if ends_with("onnx") {
        return model_file::show(path, args);
    }
    if ends_with("plan") || ends_with("engine") || args.what.contains('/') {
        // The configuration is not needed, but it may know where TensorRT is.
        let library = args.config.config.is_file().then(|| stores::load(&args.config.config)).transpose()?;
        let library = library.and_then(|config| config.runtime.tensorrt_library);
        return plan::show(&Target { plan: path.to_owned(), model: None, onnx: None, library, command: None }, args);
    }
    let config = stores::load(&args.config.config)?;
    let model = named(&config, &args.what)?;
    if model.backend != Backend::Tensorrt {
        return model_file::show(&model.onnx, args);
    }
    let command = format!("watchkeeper engine build {} --config {}", model.name, config.path.display());
    if !model.plan.exists() {
        let words =
            format!("model {:?}: {}: it is not built yet; build it: {command}", model.name, model.plan.display());
        return Err(BadInput(words).into());
    }
    let target = Target {
        plan: model.plan.clone(),
        model: Some(model.name.clone()),
        onnx: Some(model.onnx.clone()),
        library: config.runtime.tensorrt_library.clone(),
        command: Some(command),
    };
    plan::show(&target, args)
}

/// A plan to look at.
struct Target {
    plan: PathBuf,
    /// Name in the configuration.
    model: Option<String>,
    /// The model file that it should be of.
    onnx: Option<PathBuf>,
    /// TensorRT's library.
    library: Option<PathBuf>,
    /// What builds it anew.
    command: Option<String>,
}

fn named<'a>(config: &'a Config, name: &str) -> anyhow::Result<&'a Model> {
    let found = config.models.iter().find(|model| model.name == name);
    found.map(|model| &**model).ok_or_else(|| {
        let known: Vec<&str> = config.models.iter().map(|model| model.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let words = format!(
            "there is no model {name:?} in the configuration; there are: {known}; files end with .plan or .onnx"
        );
        BadInput(words).into()
    })
}
