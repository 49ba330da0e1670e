//! `watchkeeper doctor`: what works on this machine and what does not, each with what to do.
//!
//! ```text
//! machine (files) + ask (libraries, each in a process of its own) -> facts
//! facts -> versions, known, contract -> report
//! ```

mod access;
mod answers;
mod ask;
mod check;
mod contract;
mod elf;
mod facts;
mod jetson;
mod kernel_module;
mod known;
mod libraries;
mod machine;
mod report;
mod system;
mod version;
mod versions;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::Exit;
use crate::config::Config;
use crate::telemetry::redact::redact;
use check::{Check, Then as _};
use facts::{Facts, Wanted};
use machine::Machine;
use report::Report;

/// Where the configuration of a service is.
const CONFIG: &str = "/etc/watchkeeper/watchkeeper.toml";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file, whose policy and libraries are checked too [default: the service's, where there is one]
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Root folder of another system, such as a mounted image; nothing of it is loaded
    #[arg(long, value_name = "FOLDER", default_value = "/", hide_default_value = true)]
    root: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Answers one question and ends; how this command asks libraries that may crash
    #[arg(long, hide = true)]
    ask: Option<answers::Question>,
    /// The library or configuration that the question is about
    #[arg(long, hide = true, requires = "ask")]
    about: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    if let Some(question) = args.ask {
        return answers::answer(question, args.about.as_deref());
    }
    let machine = Machine::new(&args.root, std::env::vars_os());
    let Configuration { line, path, config } = configuration(args, &machine);
    let runtime = config.as_ref().map(|config| &config.runtime);
    let wanted = runtime.map_or_else(Wanted::default, |runtime| Wanted {
        tensorrt: runtime.tensorrt_library.clone(),
        onnxruntime: runtime.onnxruntime_library.clone(),
    });
    let policy = runtime.map(|runtime| runtime.policy);
    let contract = path.filter(|_| config.is_some() && machine.is_this_one()).map(|path| {
        if std::io::stderr().is_terminal() {
            eprintln!("making the GPU contract: loading every model of {} ...", path.display());
        }
        contract::made(&path)
    });
    let proof = contract.as_ref().and_then(|contract| contract::proof(contract.as_ref().ok()?));
    let facts = Facts::gather(&machine, &wanted, proof);
    let report = Report { config: line, policy, contract, versions: versions::checks(&facts, policy), facts };
    let mut out = std::io::stdout().lock();
    if args.json {
        report.json(&mut out)?;
    } else {
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        report.text(&mut out, colour)?;
    }
    out.flush()?;
    Ok(report.exit())
}

/// The configuration, its file, and its line in the report.
struct Configuration {
    line: Check,
    path: Option<PathBuf>,
    config: Option<Config>,
}

fn configuration(args: &Args, machine: &Machine) -> Configuration {
    let name = "configuration";
    let usual = machine.is_this_one() && Path::new(CONFIG).exists();
    let Some(path) = args.config.clone().or_else(|| usual.then(|| PathBuf::from(CONFIG))) else {
        let line = check::skipped(name, format!("none: {CONFIG} is not there"));
        let line = line.then("with --config FILE its policy, libraries and models are checked too");
        return Configuration { line, path: None, config: None };
    };
    match crate::config::load(&path) {
        Ok(loaded) => {
            let policy = serde_json::to_value(loaded.config.runtime.policy).unwrap_or_default();
            let found = format!("{}, policy = \"{}\"", path.display(), policy.as_str().unwrap_or_default());
            Configuration { line: check::ok(name, found), path: Some(path), config: Some(loaded.config) }
        }
        Err(problems) => {
            let first = problems.0.first().map(|problem| redact(&problem.to_string()).into_owned()).unwrap_or_default();
            let line = check::failed(name, format!("{} problems; the first: {first}", problems.0.len()));
            let line = line.then(format!("watchkeeper check --config {} names them all", path.display()));
            Configuration { line, path: None, config: None }
        }
    }
}
