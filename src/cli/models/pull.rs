//! `watchkeeper models pull`

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::CatalogueArg;
use super::catalogue::{Catalogue, Entry};
use super::failed::Failed;
use super::part::{Part, sha256};
use super::place::{Place, Put};
use super::progress::{Progress, megabytes};
use super::{fetch, written};
use crate::cli::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Model to pull, by its name in the catalogue
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    catalogue: CatalogueArg,
    /// Folder that the model gets its own folder in
    #[arg(long, value_name = "DIR", default_value = "engines")]
    folder: PathBuf,
    /// Replaces files that differ
    #[arg(long)]
    force: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// How long the server may be silent, seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds, hide = true)]
    stall_s: Duration,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let catalogue = Catalogue::read(&args.catalogue)?;
    let entry = catalogue.find(&args.name)?;
    let place = Place::open(&args.folder, &entry.name)?;
    let came = match pull(&place, entry, args) {
        Ok(came) => came,
        Err(failed) => {
            place.leave();
            return Err(failed.into());
        }
    };
    for (file, text) in [("model.toml", written::manifest(entry)), ("LICENCE", written::licence(entry))] {
        if place.put(file, &text, args.force)? == Put::Kept {
            eprintln!(
                "{}: differs from what would be written now, and is kept (--force replaces it)",
                at(&place, file)
            );
        }
    }
    tell(&place, entry, came, args.json)?;
    Ok(Exit::Done)
}

/// Brings `model.onnx`; false: it is there already.
fn pull(place: &Place, entry: &Entry, args: &Args) -> Result<bool, Failed> {
    let onnx = place.path("model.onnx");
    if place.holds("model.onnx") {
        let there =
            File::open(&onnx).and_then(|mut file| sha256(&mut file)).map_err(|error| Failed::at(&onnx, &error))?;
        if there == entry.sha256 {
            return Ok(false);
        }
        if !args.force {
            return Err(Failed::data(format!(
                "{}: is another file: its sha256 is {there}, and the catalogue says {}; it is kept (--force replaces it, \
                 --folder DIR puts the model elsewhere)",
                onnx.display(),
                entry.sha256
            )));
        }
    } else if place.holds("model.toml") && !args.force {
        let same =
            std::fs::read(place.path("model.toml")).is_ok_and(|text| text == written::manifest(entry).as_bytes());
        if !same {
            return Err(Failed::data(format!(
                "{}: is another model's; it is kept (--force replaces it, --folder DIR puts the model elsewhere)",
                at(place, "model.toml")
            )));
        }
    }
    let mut part = Part::open(place, entry)?;
    let mut progress = Progress::new(&entry.name, entry.bytes);
    progress.say(&format!("{}: {}, {}, {}", entry.name, megabytes(entry.bytes), entry.licence, entry.licence_url));
    let filled = fetch::fill(&mut part, entry, args.stall_s, &mut progress);
    if filled.is_err() && part.len() == 0 {
        part.discard()?;
    }
    filled?;
    part.finish(place, entry)?;
    Ok(true)
}

fn tell(place: &Place, entry: &Entry, came: bool, json: bool) -> anyhow::Result<()> {
    let onnx = place.path("model.onnx");
    let onnx = onnx.canonicalize().unwrap_or(onnx);
    let section = written::section(entry, &onnx);
    let mut out = std::io::stdout().lock();
    if json {
        let answer = json!({
            "model": entry.name, "downloaded": came, "onnx": onnx, "manifest": onnx.with_file_name("model.toml"),
            "sha256": entry.sha256, "bytes": entry.bytes, "licence": entry.licence, "section": section,
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&answer)?)?;
        return Ok(());
    }
    let how = if came { "downloaded" } else { "already there" };
    writeln!(out, "# {}: {how}, sha256 as in the catalogue. For the configuration:\n", entry.name)?;
    write!(out, "{section}")?;
    Ok(())
}

fn at(place: &Place, file: &str) -> String {
    let path: &Path = &place.path(file);
    path.display().to_string()
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=3600.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "a number of seconds from 0.1 to 3600".to_owned())
}
