//! `watchkeeper engine`: what is done with the models' engines outside of the daemon.

mod golden;

use clap::Subcommand;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Records what models answer on the CPU, for engines to be compared with
    Golden(golden::Args),
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Golden(args) => golden::main(args),
    }
}
