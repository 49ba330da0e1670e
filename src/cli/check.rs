//! `watchkeeper check`

use std::io::Write as _;

use serde_json::json;

use super::{ConfigArg, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    match crate::config::load(&args.config.config) {
        Ok(loaded) => {
            let config = &loaded.config;
            let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
            if args.json {
                writeln!(
                    out,
                    "{}",
                    json!({ "ok": true, "problems": [], "warnings": warnings, "cameras": config.cameras.len(), "models": config.models.len() })
                )?;
            } else {
                for warning in &warnings {
                    writeln!(out, "warning: {warning}")?;
                }
                let path = args.config.config.display();
                writeln!(out, "{path}: ok ({} cameras, {} models)", config.cameras.len(), config.models.len())?;
            }
            Ok(Exit::Done)
        }
        Err(problems) if args.json => {
            let problems: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
            writeln!(out, "{}", json!({ "ok": false, "problems": problems, "warnings": [] }))?;
            Ok(Exit::Config)
        }
        Err(problems) => Err(problems.into()),
    }
}
