//! `watchkeeper engine gc`: deletes what no link and no recent history names.

use std::io::Write as _;

use serde_json::json;

use super::stores;
use crate::cli::{ConfigArg, Exit};
use crate::inference::budget::megabytes;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Keeps so many of each model's last engines, the one in use among them
    #[arg(long, value_name = "N", default_value_t = 2)]
    keep: usize,
    /// Says what would be deleted, and deletes nothing
    #[arg(long)]
    dry_run: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let config = stores::load(&args.config.config)?;
    let mut deleted = Vec::new();
    for (store, _) in stores::stores(stores::models(&config, &[])?) {
        if !store.folder().is_dir() {
            continue;
        }
        let lock = stores::lock(&store)?;
        let gone = store.collect_garbage(&lock, args.keep, args.dry_run);
        for (sha256, bytes) in gone.map_err(|error| stores::unusable(&store, &error))? {
            deleted.push((store.folder().to_owned(), sha256, bytes));
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let list = |(folder, sha256, bytes): &_| json!({ "store": folder, "sha256": sha256, "bytes": bytes });
        let list: Vec<_> = deleted.iter().map(list).collect();
        writeln!(out, "{}", json!({ "dry_run": args.dry_run, "deleted": list }))?;
        return Ok(Exit::Done);
    }
    let verb = if args.dry_run { "would delete" } else { "deleted" };
    for (folder, sha256, bytes) in &deleted {
        writeln!(out, "{verb} {} of {}, {}", &sha256[..12], folder.display(), megabytes(*bytes))?;
    }
    let bytes: u64 = deleted.iter().map(|(_, _, bytes)| bytes).sum();
    writeln!(out, "{} engines, {}", deleted.len(), megabytes(bytes))?;
    Ok(Exit::Done)
}
