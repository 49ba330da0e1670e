//! `watchkeeper models list`

use std::io::Write as _;

use serde_json::json;

use super::CatalogueArg;
use super::catalogue::{Catalogue, ULTRALYTICS};
use super::progress::megabytes;
use crate::cli::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    catalogue: CatalogueArg,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::read(&args.catalogue)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        let models = catalogue.models.iter().map(|entry| {
            json!({
                "name": entry.name, "about": entry.about, "task": entry.task, "head": entry.head,
                "input_size_px": entry.input_size_px, "bytes": entry.bytes, "sha256": entry.sha256,
                "url": entry.url, "licence": entry.licence, "licence_url": entry.licence_url, "project": entry.project,
            })
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&models.collect::<Vec<_>>())?)?;
        return Ok(Exit::Done);
    }
    let width = catalogue.models.iter().map(|entry| entry.name.len()).max().unwrap_or(0).max("MODEL".len());
    writeln!(out, "{:width$}  {:12}  {:9}  {:>9}  LICENCE", "MODEL", "TASK", "INPUT", "SIZE")?;
    for entry in &catalogue.models {
        let [across, down] = entry.input_size_px;
        let (task, input, size) = (entry.task.name(), format!("{across}x{down}"), megabytes(entry.bytes));
        writeln!(out, "{:width$}  {task:12}  {input:9}  {size:>9}  {}", entry.name, entry.licence)?;
        writeln!(out, "{:width$}  {}", "", entry.about)?;
        writeln!(out, "{:width$}  {}", "", entry.project)?;
    }
    writeln!(out, "\n{ULTRALYTICS}.")?;
    Ok(Exit::Done)
}
