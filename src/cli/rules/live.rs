//! What was told live in the same time, beside what a replay says.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::replay::Span;
use super::report::Fired;
use crate::cli::exit::BadInput;
use crate::outbox::reader::Query;
use crate::outbox::{Filter, Reader};
use crate::types::time::Timestamp;

/// From a frame's arrival to its event's number, in microseconds: what was told later is not looked for.
const LATE: i64 = 60_000_000;

/// What is in both, and what is in one of them only.
#[derive(Debug, Default, Serialize)]
pub(super) struct Against {
    pub(super) both: u64,
    pub(super) only_live: Vec<Told>,
    pub(super) only_replayed: Vec<Told>,
}

/// By what two events are one: the number and the id are the outbox's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Told {
    pub(super) capture: String,
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) phase: String,
    pub(super) rule: String,
    /// Empty: it is about no track.
    pub(super) track: String,
}

/// What is read of an event.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    event_type: String,
    phase: String,
    /// Not there: it is no rule's.
    rule: Option<String>,
    time: Time,
    track: Option<Track>,
}

#[derive(Deserialize)]
struct Time {
    capture: String,
    arrival: Timestamp,
}

#[derive(Deserialize)]
struct Track {
    id: String,
}

/// Compares what fired, but for shadow rules, with what the outbox has of a camera; of one rule, where one is named.
pub(super) fn compare(
    state_dir: &Path,
    camera: &str,
    span: Span,
    rule: Option<&str>,
    fired: &[Fired],
) -> anyhow::Result<Against> {
    // By how much oftener live.
    let mut counts: BTreeMap<Told, (u64, u64)> = BTreeMap::new();
    for told in live(state_dir, camera, span, rule)? {
        counts.entry(told).or_default().0 += 1;
    }
    for fired in fired.iter().filter(|fired| !fired.shadow) {
        counts.entry(told(fired)?).or_default().1 += 1;
    }
    let mut against = Against::default();
    for (told, (live, replayed)) in counts {
        let again = |more: u64| std::iter::repeat_n(told.clone(), usize::try_from(more).unwrap_or(0));
        against.both += live.min(replayed);
        against.only_live.extend(again(live.saturating_sub(replayed)));
        against.only_replayed.extend(again(replayed.saturating_sub(live)));
    }
    Ok(against)
}

fn told(fired: &Fired) -> anyhow::Result<Told> {
    let phase = serde_json::to_value(fired.phase)?;
    Ok(Told {
        capture: fired.capture.to_string(),
        event_type: fired.event_type.name().to_owned(),
        phase: phase.as_str().unwrap_or_default().to_owned(),
        rule: fired.rule.clone(),
        track: fired.track.as_ref().map(|track| track.id.clone()).unwrap_or_default(),
    })
}

fn live(state_dir: &Path, camera: &str, span: Span, rule: Option<&str>) -> anyhow::Result<Vec<Told>> {
    let unreadable = |error: String| BadInput(format!("--against-live: {error}"));
    let reader = Reader::open(state_dir).map_err(|error| unreadable(error.to_string()))?;
    let filter = Filter {
        cameras: vec![camera.to_owned()],
        rules: rule.map(str::to_owned).into_iter().collect(),
        ..Filter::default()
    };
    // Events tell milliseconds, cut.
    let from = Timestamp(span.from.0.div_euclid(1000) * 1000);
    let mut query = Query {
        since: Some(from),
        until: Some(Timestamp(span.until.0.saturating_add(LATE))),
        filter,
        budget: Duration::from_secs(60),
        ..Query::default()
    };
    let mut told = Vec::new();
    loop {
        let page = reader.page(&query).map_err(|error| unreadable(error.to_string()))?;
        for stored in &page.events {
            let event: Event = serde_json::from_str(&stored.body)
                .map_err(|error| unreadable(format!("event {} is none of ours: {error}", stored.seq)))?;
            let Some(rule) = event.rule else { continue };
            if (from..=span.until).contains(&event.time.arrival) {
                told.push(Told {
                    capture: event.time.capture,
                    event_type: event.event_type,
                    phase: event.phase,
                    rule,
                    track: event.track.map(|track| track.id).unwrap_or_default(),
                });
            }
        }
        if !page.more {
            return Ok(told);
        }
        query.after = page.reached;
    }
}
