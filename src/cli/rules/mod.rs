//! `watchkeeper rules`: what is done with rules outside of the daemon.

mod live;
mod picture;
mod print;
mod progress;
mod replay;
mod report;
mod test;
mod when;

use clap::Subcommand;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the configuration's rules over tracks of the past and says what would have fired
    Test(Box<test::Args>),
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::Test(args) => test::main(args),
    }
}
