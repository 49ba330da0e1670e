//! Which events.

use std::time::Duration;

use crate::outbox::Filter;
use crate::outbox::reader::Query;
use crate::types::time::Timestamp;

/// Which events are meant: all of these must hold.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Events with greater numbers only
    #[arg(long, value_name = "SEQ")]
    since_seq: Option<u64>,
    /// Events with this number and smaller ones only
    #[arg(long, value_name = "SEQ")]
    until_seq: Option<u64>,
    /// Not older: a time as in 2026-11-20T17:00:00Z, or so long ago, as in 90s, 15m, 6h, 2d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Older only; as `--since`
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Of these types, separated by commas, such as line.crossed or zone.*
    #[arg(long = "type", value_name = "TYPES", value_delimiter = ',')]
    types: Vec<String>,
    /// From these cameras, separated by commas
    #[arg(long = "camera", value_name = "IDS", value_delimiter = ',')]
    cameras: Vec<String>,
    /// Of these zones, lines and rules, separated by commas
    #[arg(long = "rule", value_name = "IDS", value_delimiter = ',')]
    rules: Vec<String>,
    /// About tracks of these classes, separated by commas
    #[arg(long = "label", value_name = "LABELS", value_delimiter = ',')]
    labels: Vec<String>,
}

impl Which {
    /// Was it said after which number, 0 included?
    pub(super) fn begins_at_a_number(&self) -> bool {
        self.since_seq.is_some()
    }

    /// As the outbox is asked.
    pub(super) fn query(&self) -> Query {
        Query {
            after: self.since_seq.unwrap_or(0),
            before: self.until_seq.map(|seq| seq.saturating_add(1)),
            since: self.since,
            until: self.until,
            filter: Filter {
                types: self.types.clone(),
                cameras: self.cameras.clone(),
                rules: self.rules.clone(),
                labels: self.labels.clone(),
            },
            ..Query::default()
        }
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Timestamp(time.as_microsecond()));
    }
    ago(text)
        .map(|ago| Timestamp(Timestamp::now().0.saturating_sub(i64::try_from(ago.as_micros()).unwrap_or(i64::MAX))))
        .ok_or_else(|| "write a time as in 2026-11-20T17:00:00Z, or so long ago, as in 90s, 15m, 6h, 2d".to_owned())
}

fn ago(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: u64 = text[..text.len() - 1].parse().ok()?;
    number.checked_mul(unit).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_such_or_as_how_long_ago() {
        assert_eq!(time("2026-11-20T17:08:37.214Z"), Ok(Timestamp(1_795_194_517_214_000)));
        let hour = Timestamp::now().0 - 3_600_000_000;
        assert!(time("60m").is_ok_and(|time| (time.0 - hour).abs() < 60_000_000));
        for wrong in ["", "m", "ten", "5w", "-5m", "99999999999999999999d", "é"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
