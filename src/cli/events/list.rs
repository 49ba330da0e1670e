//! `watchkeeper events list`

use super::filter::Which;
use super::{Exit, Place, line, unreadable};
use crate::outbox::reader::{Order, Query, Reader};
use crate::outbox::sinks::Stored;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
    /// So many at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Prints each as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let reader = args.place.open()?;
    let events = latest(&reader, args.which.query(), args.limit as usize)?;
    let mut out = std::io::stdout().lock();
    for event in &events {
        print(&mut out, event, args.json)?;
    }
    Ok(Exit::Done)
}

/// The latest of what is asked for, the newest last.
pub(super) fn latest(reader: &Reader, query: Query, limit: usize) -> anyhow::Result<Vec<Stored>> {
    let mut query = Query { order: Order::NewestFirst, ..query };
    let mut events = Vec::new();
    while events.len() < limit {
        query.limit = limit - events.len();
        let page = reader.page(&query).map_err(unreadable)?;
        events.extend(page.events);
        query.before = Some(page.reached);
        if !page.more {
            break;
        }
    }
    events.reverse();
    Ok(events)
}

pub(super) fn print(out: &mut impl std::io::Write, event: &Stored, json: bool) -> std::io::Result<()> {
    if json { writeln!(out, "{}", event.body) } else { writeln!(out, "{}", line::of(event)) }
}
