//! `streetscene`: renders the little world to files.

mod render;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Render seeds to pictures and truth.
    Render(render::Args),
    #[cfg(feature = "gstreamer")]
    Serve(streetscene::serve::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Render(args) => render::run(&args),
        #[cfg(feature = "gstreamer")]
        Command::Serve(args) => streetscene::serve::run(args),
    }
}
