//! `watchkeeper engine`: what is done with the models' engines outside of the daemon.

mod build;
mod gc;
mod golden;
mod inspect;
mod list;
mod rollback;
mod stores;
mod verify;

use clap::Subcommand;

use super::Exit;

pub(super) use build::Interrupted;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds models' engines for this machine, from their model files
    Build(build::Args),
    /// Records what models answer on the CPU, for engines to be compared with
    Golden(golden::Args),
    /// Says how far engines are from their model files, and keeps it in their manifests
    Verify(Box<verify::Args>),
    /// Lists the engines that were built, and which of them are in use
    List(list::Args),
    /// Says what is in a plan or a model file
    Inspect(inspect::Args),
    /// Goes back to the engine that a model had before
    Rollback(rollback::Args),
    /// Deletes engines that nothing uses any more
    Gc(gc::Args),
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Build(args) => build::main(args),
        Command::Golden(args) => golden::main(args),
        Command::Verify(args) => verify::main(args),
        Command::List(args) => list::main(args),
        Command::Inspect(args) => inspect::main(args),
        Command::Rollback(args) => rollback::main(args),
        Command::Gc(args) => gc::main(args),
    }
}
