//! `watchkeeper events export`

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::filter::Which;
use super::{Exit, Place, unreadable};
use crate::outbox::Reader;
use crate::outbox::reader::Query;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
    /// The file to write, which is there only when it is complete; `-`: standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
    /// Prints a summary as JSON; with --out FILE
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let reader = args.place.open()?;
    let query = args.which.query();
    if args.out.as_os_str() == "-" {
        copy(&reader, query, &mut BufWriter::new(std::io::stdout().lock()))?;
        return Ok(Exit::Done);
    }
    let events =
        to_file(&reader, query, &args.out).with_context(|| format!("{} cannot be written", args.out.display()))?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::json!({ "events": events, "file": args.out }))?;
    } else {
        writeln!(out, "{events} events in {}", args.out.display())?;
    }
    Ok(Exit::Done)
}

fn to_file(reader: &Reader, query: Query, path: &Path) -> anyhow::Result<u64> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let written = File::create(&part).map_err(anyhow::Error::from).and_then(|file| {
        let mut out = BufWriter::new(file);
        let events = copy(reader, query, &mut out)?;
        out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&part, path)?;
        Ok(events)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn copy(reader: &Reader, mut query: Query, out: &mut impl Write) -> anyhow::Result<u64> {
    let mut events = 0;
    loop {
        let page = reader.page(&query).map_err(unreadable)?;
        for event in &page.events {
            writeln!(out, "{}", event.body)?;
        }
        events += page.events.len() as u64;
        query.after = page.reached;
        if !page.more {
            break;
        }
    }
    out.flush()?;
    Ok(events)
}
