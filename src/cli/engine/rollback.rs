//! `watchkeeper engine rollback`: the plan before this one.

use std::io::Write as _;

use serde_json::json;

use super::stores;
use crate::cli::exit::BadInput;
use crate::cli::{ConfigArg, Exit};
use crate::config::Model;
use crate::inference::artefact::{Manifest, Shown, Staged, Store, sha256_of_file};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model, by its name in the configuration
    #[arg(value_name = "MODEL")]
    model: String,
    /// The engine to take, by the beginning of its digest as `engine list` shows it; default: the one before
    #[arg(long, value_name = "SHA256")]
    to: Option<String>,
    /// Takes it although its manifest says that it is of another model file or machine
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    config: ConfigArg,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let config = stores::load(&args.config.config)?;
    let model = stores::models(&config, std::slice::from_ref(&args.model))?.remove(0);
    let store = Store::of(&model.plan);
    let before = store.current();
    let lock = stores::lock(&store)?;
    let staged = store.before(&lock, args.to.as_deref()).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return BadInput(format!("model {:?}: {error}; `watchkeeper engine list` shows what there is", model.name))
                .into();
        }
        stores::unusable(&store, &error)
    })?;
    if !args.force
        && let Some(reason) = unfit(&model, &staged)?
    {
        let words = format!(
            "model {:?}: {} would be refused by the daemon: {reason}; put the model file of then back, or build anew \
             (`watchkeeper engine build {}`); --force goes back all the same",
            model.name,
            &staged.sha256[..12],
            model.name
        );
        return Err(BadInput(words).into());
    }
    store.roll_back(&lock, &staged).map_err(|error| stores::unusable(&store, &error))?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let answer = json!({ "model": model.name, "plan": model.plan, "from": before, "to": staged.sha256 });
        writeln!(out, "{answer}")?;
    } else {
        let from = before.map_or_else(|| "a plan from elsewhere".to_owned(), |sha256| sha256[..12].to_owned());
        writeln!(out, "{}: {} leads to {} now, {from} before", model.name, model.plan.display(), &staged.sha256[..12])?;
        writeln!(out, "a running daemon takes it with: systemctl reload watchkeeper")?;
    }
    Ok(Exit::Done)
}

/// Why the daemon would not take the plan, as far as can be said without a GPU: of another model file, or of another
/// machine or TensorRT than the engine in use, which was built here.
fn unfit(model: &Model, staged: &Staged) -> anyhow::Result<Option<String>> {
    let Some(then) = Manifest::read(&staged.plan).ok().flatten() else { return Ok(None) };
    let now = Manifest::read(&model.plan).ok().flatten();
    let here = now.as_ref().map_or(&then.platform, |now| &now.platform);
    let onnx = sha256_of_file(&model.onnx)
        .map_err(|error| BadInput(format!("model {:?}: {}: {error}", model.name, model.onnx.display())))?;
    let found = then.mismatches(here, &onnx, &then.plan.sha256);
    Ok((!found.is_empty()).then(|| Shown(&found).to_string()))
}
