//! `watchkeeper events`: what the outbox keeps, also while the daemon runs, which it does not disturb.

mod export;
mod filter;
mod follow;
mod line;
mod list;
mod show;
mod stats;

use std::path::PathBuf;

use clap::Subcommand;

use super::exit::BadInput;
use super::{ConfigArg, Exit};
use crate::config::Sink;
use crate::outbox::Reader;
use crate::outbox::reader::ReadError;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prints the latest events, the newest last
    List(list::Args),
    /// Prints events as they come
    Follow(follow::Args),
    /// Prints one event whole
    Show(show::Args),
    /// Writes events as JSON Lines
    Export(export::Args),
    /// Counts what is kept, and says how far each sink is
    Stats(stats::Args),
}

/// Where the outbox is.
#[derive(Debug, clap::Args)]
struct Place {
    #[command(flatten)]
    config: ConfigArg,
    /// The folder of the outbox; default: `runtime.state_dir` of the configuration, which is not read otherwise
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
}

impl Place {
    /// The folder, and the sinks of the configuration where it was read.
    fn resolve(&self) -> anyhow::Result<(PathBuf, Option<Vec<Sink>>)> {
        match &self.state_dir {
            Some(dir) => Ok((dir.clone(), None)),
            None => {
                let config = super::load(&self.config.config)?.config;
                Ok((config.runtime.state_dir, Some(config.sinks)))
            }
        }
    }

    fn open(&self) -> anyhow::Result<Reader> {
        Ok(Reader::open(&self.resolve()?.0)?)
    }
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List(args) => list::main(args),
        Command::Follow(args) => follow::main(args),
        Command::Show(args) => show::main(args),
        Command::Export(args) => export::main(args),
        Command::Stats(args) => stats::main(args),
    }
}

/// What the data base says no to is not our own fault.
fn unreadable(error: ReadError) -> anyhow::Error {
    BadInput(error.to_string()).into()
}
