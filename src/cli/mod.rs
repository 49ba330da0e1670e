//! What the user types. One file per command.

mod analyze;
mod bench;
mod check;
mod demo;
mod doctor;
mod engine;
mod eval;
mod events;
mod exit;
mod jpeg;
mod models;
mod mot;
mod plan;
mod probe;
mod recording;
mod rules;
mod run;
mod schema;
mod stress;
mod track_writer;
mod workbench;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

pub use exit::Exit;

use crate::telemetry::redact::redact;

/// Multi-stream video analytics: cameras in, events out.
#[derive(Debug, Parser)]
#[command(name = "watchkeeper", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the daemon until SIGTERM
    Run(ConfigArg),
    /// Checks a configuration and names everything that is wrong with it
    Check(check::Args),
    /// Says what works on this machine and what does not, each with what to do
    Doctor(doctor::Args),
    /// Says stage by stage what works with a camera and what does not
    Probe(probe::Args),
    /// Runs one recording through the pipeline, every frame, and writes its tracks
    Analyze(analyze::Args),
    /// Works on the models' engines
    Engine(engine::Args),
    /// Fetches well-known models and makes them ready for use
    Models(models::Args),
    /// Says whether a configuration fits a device: memory and time, line by line
    Plan(plan::Args),
    /// Says how good answers are against ground truth
    Eval(eval::Args),
    /// Tries rules on the past
    Rules(rules::Args),
    /// Shows what the outbox keeps: list, follow, show, export, stats
    Events(events::Args),
    /// Finds out whether contexts of one engine may run at once on this machine
    Stress(stress::Args),
    /// Measures how many cameras this machine can take
    Bench(bench::Args),
    /// Shows the daemon at work on synthetic cameras, on the CPU
    Demo(demo::Args),
    /// Prints the JSON Schema of the configuration
    Schema,
    /// Prints the version
    Version {
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
}

/// The configuration file.
#[derive(Debug, clap::Args)]
struct ConfigArg {
    /// Configuration file; `conf.d/*.toml` beside it is read too
    #[arg(long, short, value_name = "FILE", default_value = "/etc/watchkeeper/watchkeeper.toml")]
    config: PathBuf,
}

/// Parses the command line, runs it, and turns its outcome into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            if !error.use_stderr() {
                let _ = error.print();
                return Exit::Done.into();
            }
            // It repeats what was typed, and a URL with a password may have been.
            eprint!("{}", redact(&error.render().to_string()));
            return Exit::Usage.into();
        }
    };
    let result = match cli.command {
        Command::Run(args) => run::main(&args.config),
        Command::Check(args) => check::main(&args),
        Command::Doctor(args) => doctor::main(&args),
        Command::Probe(args) => probe::main(&args),
        Command::Analyze(args) => analyze::main(&args),
        Command::Engine(args) => engine::main(&args),
        Command::Models(args) => models::main(&args),
        Command::Plan(args) => plan::main(&args),
        Command::Eval(args) => eval::main(&args),
        Command::Rules(args) => rules::main(&args),
        Command::Events(args) => events::main(&args),
        Command::Stress(args) => stress::main(&args),
        Command::Bench(args) => bench::main(&args),
        Command::Demo(args) => demo::main(&args),
        Command::Schema => schema::main(),
        Command::Version { json } => version(json),
    };
    let exit = match &result {
        Ok(exit) => *exit,
        Err(error) => Exit::of(error),
    };
    // A reader that closed its end (`| head`) wants no more words.
    if let (Err(error), true) = (&result, exit != Exit::Done) {
        exit::print(error);
    }
    if gpu::is_abandoned() || matches!(exit, Exit::DeviceLost | Exit::TryAgain) {
        // Nothing that libraries registered to be run at the end may run: it would meet a broken device, or a thread that
        // was left behind inside a driver.
        process::exit_now(exit as i32);
    }
    exit.into()
}

fn version(json: bool) -> anyhow::Result<Exit> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let gstreamer = gst::version();
    let gstreamer = format!("{}.{}.{}", gstreamer.0, gstreamer.1, gstreamer.2);
    if json {
        let version = serde_json::json!({ "watchkeeper": env!("CARGO_PKG_VERSION"), "gstreamer": gstreamer });
        writeln!(out, "{version}")?;
    } else {
        writeln!(out, "watchkeeper {} (GStreamer {gstreamer})", env!("CARGO_PKG_VERSION"))?;
    }
    Ok(Exit::Done)
}

/// The models that a recording goes through, the one that feeds the tracker first: at least one.
fn chosen_models(
    config: &crate::config::Config,
    names: Option<&[String]>,
) -> anyhow::Result<Vec<Arc<crate::config::Model>>> {
    let models = crate::config::models_by_name(config, names)
        .map_err(|problem| exit::BadInput(format!("{problem} (--models NAMES)")))?;
    if models.is_empty() {
        return Err(exit::BadInput("the configuration has no model; add [models.<name>]".to_owned()).into());
    }
    Ok(models.into_iter().map(|index| Arc::clone(&config.models[index])).collect())
}

/// Reads a configuration; its problems are printed by the caller's error path.
fn load(path: &std::path::Path) -> anyhow::Result<crate::config::Loaded> {
    Ok(crate::config::load(path)?)
}
