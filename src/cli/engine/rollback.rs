//! `watchkeeper engine rollback`: the plan before this one.

use std::io::Write as _;

use serde_json::json;

use super::stores;
use crate::cli::exit::BadInput;
use crate::cli::{ConfigArg, Exit};
use crate::inference::artefact::Store;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model, by its name in the configuration
    #[arg(value_name = "MODEL")]
    model: String,
    /// The engine to take, by the beginning of its digest as `engine list` shows it; default: the one before
    #[arg(long, value_name = "SHA256")]
    to: Option<String>,
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
    let staged = store.roll_back(&lock, args.to.as_deref()).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            return BadInput(format!("model {:?}: {error}; `watchkeeper engine list` shows what there is", model.name))
                .into();
        }
        stores::unusable(&store, &error)
    })?;
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
