//! `watchkeeper models`: well-known models, fetched and made ready for use.

mod address;
mod catalogue;
mod download;
mod failed;
mod fetch;
mod list;
mod part;
mod place;
mod progress;
mod pull;
mod written;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Exit, exit};
use failed::Failed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the models that can be pulled
    List(list::Args),
    /// Downloads a model, checks it against its known sum, and puts its model.toml beside it
    Pull(pull::Args),
}

/// The catalogue.
#[derive(Debug, clap::Args)]
struct CatalogueArg {
    /// Another catalogue than the one that is built in
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let outcome = match &args.command {
        Command::List(args) => list::main(args),
        Command::Pull(args) => pull::main(args),
    };
    let error = match outcome {
        Ok(exit) => return Ok(exit),
        Err(error) => error,
    };
    match error.downcast::<Failed>() {
        Ok(failed) => {
            let code = failed.exit;
            exit::print(&failed.into());
            Ok(code)
        }
        Err(error) => Err(error),
    }
}
