//! `watchkeeper events stats`

use std::io::Write;

use serde::Serialize;

use super::{Exit, Place, unreadable};
use crate::config::Sink;
use crate::outbox::{Filter, Reader};
use crate::types::time::Timestamp;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What is kept, and how far sinks are.
#[derive(Debug, Serialize)]
struct Report {
    /// The last number given.
    last_seq: u64,
    /// Events kept.
    events: u64,
    /// Bytes of the data base that are in use.
    file_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<End>,
    by_type: Vec<Count>,
    sinks: Vec<Behind>,
}

#[derive(Debug, Serialize)]
struct End {
    seq: u64,
    time: Timestamp,
}

#[derive(Debug, Serialize)]
struct Count {
    #[serde(rename = "type")]
    event_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    camera: String,
    events: u64,
}

#[derive(Debug, Serialize)]
struct Behind {
    sink: String,
    /// All up to this number is delivered, or not for it.
    seq: u64,
    /// Events kept that it is still to get. Those that its types and cameras leave out are counted only where the
    /// configuration is not known.
    waiting: u64,
    /// When it was last at work.
    seen: Timestamp,
    /// It is in the configuration; not there where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    configured: Option<bool>,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let (state_dir, sinks) = args.place.resolve()?;
    let report = report(&Reader::open(&state_dir)?, sinks.as_deref())?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print(&report, &mut out)?;
    }
    Ok(Exit::Done)
}

fn report(reader: &Reader, sinks: Option<&[Sink]>) -> anyhow::Result<Report> {
    let stats = reader.stats().map_err(unreadable)?;
    let tallies = reader.tallies().map_err(unreadable)?.into_iter();
    let [first, last] = match stats.ends {
        Some(ends) => ends.map(|(seq, time)| Some(End { seq, time })),
        None => [None, None],
    };
    let mut behind = Vec::new();
    for cursor in reader.cursors().map_err(unreadable)? {
        let sink = sinks.and_then(|sinks| sinks.iter().find(|sink| sink.id == cursor.sink));
        let filter = sink.map(Filter::of).unwrap_or_default();
        let waiting = reader.waiting(cursor.seq, &filter).map_err(unreadable)?;
        let configured = sinks.map(|_| sink.is_some());
        behind.push(Behind { sink: cursor.sink, seq: cursor.seq, waiting, seen: cursor.seen, configured });
    }
    let count = |tally: crate::outbox::reader::Tally| Count {
        event_type: tally.event_type,
        camera: tally.camera,
        events: tally.events,
    };
    Ok(Report {
        last_seq: stats.last_seq,
        events: stats.events,
        file_bytes: stats.file_bytes,
        first,
        last,
        by_type: tallies.map(count).collect(),
        sinks: behind,
    })
}

fn print(report: &Report, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "events     {} kept, {:.1} MB; last number {}",
        report.events,
        report.file_bytes as f64 / 1e6,
        report.last_seq
    )?;
    for (name, end) in [("oldest", &report.first), ("newest", &report.last)] {
        if let Some(End { seq, time }) = end {
            writeln!(out, "{name:<10} {seq}  {time}")?;
        }
    }
    if !report.by_type.is_empty() {
        writeln!(out, "\n{:>10}  {:<24}  camera", "events", "type")?;
    }
    for Count { event_type, camera, events } in &report.by_type {
        let camera = if camera.is_empty() { "-" } else { camera };
        writeln!(out, "{events:>10}  {event_type:<24}  {camera}")?;
    }
    if !report.sinks.is_empty() {
        writeln!(out, "\n{:>10}  {:<24}  {:>10}  last at work", "waiting", "sink", "cursor")?;
    }
    for Behind { sink, seq, waiting, seen, configured } in &report.sinks {
        let gone = if *configured == Some(false) { "  (not in the configuration)" } else { "" };
        writeln!(out, "{waiting:>10}  {sink:<24}  {seq:>10}  {seen}{gone}")?;
    }
    Ok(())
}
