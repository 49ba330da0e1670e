//! `watchkeeper engine rollback`: the plan before this one.

use std::io::Write as _;

use serde_json::json;

use super::stores;
use crate::cli::exit::BadInput;
use crate::cli::{ConfigArg, Exit};
use crate::inference::artefact::Store;
use crate::inference::{objection, this_machine};

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
            return BadInput(format!(
                "model {:?}: {error}; `watchkeeper engine list` shows what there is, and --to takes one of them",
                model.name
            ))
            .into();
        }
        stores::unusable(&store, &error)
    })?;
    let here = this_machine(config.runtime.tensorrt_library.as_deref());
    if !args.force
        && let Some(reason) = objection(&model, &staged.plan, &config, here.as_ref())
            .map_err(|error| BadInput(format!("model {:?}: {}: {error}", model.name, model.onnx.display())))?
    {
        let words = format!(
            "model {:?}: a start would refuse {}: {reason}; or put back what it was built for; --force goes back all the same",
            model.name,
            &staged.sha256[..12],
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
