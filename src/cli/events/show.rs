//! `watchkeeper events show`

use std::io::Write as _;

use super::{BadInput, Exit, Place, unreadable};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id or its number
    #[arg(value_name = "ID|SEQ")]
    event: String,
    #[command(flatten)]
    place: Place,
    /// Prints it as one line, exactly as sinks get it
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let reader = args.place.open()?;
    let found = match args.event.parse::<u64>() {
        Ok(seq) => reader.by_seq(seq),
        Err(_) => reader.by_id(&args.event),
    };
    let Some(event) = found.map_err(unreadable)? else {
        let kept = match reader.ends().map_err(unreadable)? {
            Some((first, last)) => format!("events {first} to {last} are kept"),
            None => "none is kept".to_owned(),
        };
        return Err(BadInput(format!("there is no event {:?}: {kept}", args.event)).into());
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", event.body)?;
    } else {
        let body: serde_json::Value = serde_json::from_str(&event.body)?;
        writeln!(out, "{body:#}")?;
    }
    Ok(Exit::Done)
}
