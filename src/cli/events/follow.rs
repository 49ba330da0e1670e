//! `watchkeeper events follow`

use std::io::Write as _;
use std::time::Duration;

use super::filter::Which;
use super::list::{latest, print};
use super::{Exit, Place, unreadable};
use crate::outbox::Reader;
use crate::outbox::reader::Query;

const EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    which: Which,
    /// So many of those that are there already come first; with --since-seq: all that come after that number
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    last: u32,
    /// Prints each as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let (state_dir, _) = args.place.resolve()?;
    let reader = Reader::open(&state_dir)?;
    let mut query = args.which.query();
    let mut out = std::io::stdout().lock();
    if !args.which.begins_at_a_number() {
        let end = reader.stats().map_err(unreadable)?.last_seq;
        let before = query.before.unwrap_or(u64::MAX).min(end.saturating_add(1));
        for event in latest(&reader, Query { before: Some(before), ..query.clone() }, args.last as usize)? {
            print(&mut out, &event, args.json)?;
        }
        query.after = end;
    }
    out.flush()?;
    drop(reader);
    loop {
        // Opened anew each time: the daemon may have ended, begun again, or begun a new data base meanwhile.
        if let Ok(reader) = Reader::open(&state_dir) {
            while let Ok(page) = reader.page(&query) {
                for event in &page.events {
                    print(&mut out, event, args.json)?;
                }
                out.flush()?;
                query.after = query.after.max(page.reached);
                if !page.more {
                    break;
                }
            }
        }
        std::thread::sleep(EVERY);
    }
}
