//! `watchkeeper engine list`: the engines of the stores.

use std::io::Write as _;

use serde_json::{Value, json};

use super::stores;
use crate::cli::{ConfigArg, Exit};
use crate::inference::artefact::{Entry, Manifest, Store};
use crate::inference::budget::megabytes;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Models, by their names in the configuration; default: all that TensorRT runs
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    #[command(flatten)]
    config: ConfigArg,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let config = stores::load(&args.config.config)?;
    let models = stores::models(&config, &args.models)?;
    let mut out = std::io::stdout().lock();
    let mut lists = Vec::new();
    for (store, models) in stores::stores(models) {
        let entries = store.list().map_err(|error| stores::unusable(&store, &error))?;
        let current = |sha256: &str| {
            let leads = |plan: &std::path::Path| Store::of(plan).current().as_deref() == Some(sha256);
            models.iter().filter(|model| leads(&model.plan)).map(|model| model.name.clone()).collect::<Vec<_>>()
        };
        if args.json {
            let engines: Vec<Value> = entries.iter().map(|entry| as_json(entry, &current(&entry.sha256))).collect();
            lists.push(json!({ "store": store.folder(), "engines": engines }));
            continue;
        }
        writeln!(out, "{}", store.folder().display())?;
        for entry in &entries {
            writeln!(out, "  {}", line(entry, &current(&entry.sha256)))?;
        }
        for model in models.iter().filter(|model| Store::of(&model.plan).current().is_none()) {
            let what = if model.plan.exists() { "a plan from elsewhere, without a manifest" } else { "not built yet" };
            writeln!(out, "  {}: {}: {what}", model.name, model.plan.display())?;
        }
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&lists)?)?;
    }
    Ok(Exit::Done)
}

fn line(entry: &Entry, used_by: &[String]) -> String {
    let used = if used_by.is_empty() { "-".to_owned() } else { format!("* {}", used_by.join(", ")) };
    let size = megabytes(entry.bytes);
    match &entry.manifest {
        Ok(manifest) => format!(
            "{}  {used:<16} {:<12} {:<5} TensorRT {:<12} {:<24} {:>9}  built {}{}{}",
            &entry.sha256[..12],
            manifest.model,
            manifest.options.precision,
            manifest.platform.tensorrt,
            manifest.platform.gpu.name,
            size,
            manifest.built_at,
            speed(manifest),
            agreement(manifest),
        ),
        Err(reason) => format!("{}  {used:<16} {size:>9}  {reason}", &entry.sha256[..12]),
    }
}

fn speed(manifest: &Manifest) -> String {
    let one = manifest.speed.iter().min_by_key(|speed| speed.batch);
    one.map(|speed| format!("  {:.2} ms", speed.median_ms)).unwrap_or_default()
}

fn agreement(manifest: &Manifest) -> String {
    match &manifest.verified {
        Some(verified) => format!("  agreement {:.3}", verified.agreement),
        None => "  not verified".to_owned(),
    }
}

fn as_json(entry: &Entry, used_by: &[String]) -> Value {
    json!({
        "sha256": entry.sha256,
        "file": entry.plan,
        "bytes": entry.bytes,
        "models": used_by,
        "links": entry.used_by,
        "manifest": entry.manifest.as_ref().ok(),
        "problem": entry.manifest.as_ref().err(),
    })
}
