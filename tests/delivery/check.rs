//! What must hold in the end, whatever befell the program and its far ends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::wait_for;
use crate::world::{SOON, World, parse, seq};

/// How it stands.
pub struct Report {
    /// Events in the data base.
    pub events: usize,
    /// Numbers of events that were told to be lost.
    pub lost: u64,
    /// By far end: events that came more than once.
    pub repeated: Vec<(&'static str, usize)>,
}

/// All that the data base has is with every far end, as it is kept, in order, and nothing else; numbers have no gap but
/// what is told as lost. The daemon has ended.
pub fn all_is_there(world: &World) -> Report {
    let stored = world.stored();
    let texts: BTreeMap<u64, &str> = stored.iter().map(|(seq, text)| (*seq, text.as_str())).collect();
    let events: BTreeMap<u64, Value> = stored.iter().map(|(seq, text)| (*seq, parse(text))).collect();
    let last = *events.keys().next_back().expect("no events");
    let lost = told_as_lost(&events);
    let missing: Vec<u64> = (1..=last).filter(|seq| !events.contains_key(seq) && !lost.contains(seq)).collect();
    assert!(missing.is_empty(), "of {last} numbers these are missing: {missing:?}");
    let both: Vec<u64> = lost.iter().copied().filter(|seq| events.contains_key(seq)).collect();
    assert!(both.is_empty(), "told as lost, but there: {both:?}");
    let ids: BTreeSet<String> = events.values().map(|event| event["event_id"].to_string()).collect();
    assert_eq!(ids.len(), events.len(), "an id was given twice");

    // What the broker has it passes on in its own time.
    wait_for(SOON, || world.heard().len() >= events.len());
    let mut repeated = Vec::new();
    for (name, received) in world.received() {
        let mut seen = BTreeSet::new();
        let mut first_times = Vec::new();
        for text in &received {
            let event = parse(text);
            let seq = seq(&event);
            assert_eq!(events.get(&seq), Some(&event), "{name}: event {seq} is not as it is kept, or not there");
            // A webhook's body is an array: as text it is another one.
            if name != "webhook" {
                assert_eq!(texts[&seq], text, "{name}: the text of {seq} differs");
            }
            if seen.insert(seq) {
                first_times.push(seq);
            }
        }
        let gaps: Vec<u64> = events.keys().copied().filter(|seq| !seen.contains(seq)).collect();
        assert!(gaps.is_empty(), "{name}: of {} events these did not come: {gaps:?}", events.len());
        assert!(first_times.is_sorted(), "{name}: not in order");
        repeated.push((name, received.len() - seen.len()));
    }
    Report { events: events.len(), lost: lost.len() as u64, repeated }
}

/// Numbers that no event has, as consumers are told.
fn told_as_lost(events: &BTreeMap<u64, Value>) -> BTreeSet<u64> {
    let told = events.values().filter(|event| event["type"] == "system.events_lost");
    told.flat_map(|event| {
        let (first, last) = (event["data"]["first_seq"].as_u64(), event["data"]["last_seq"].as_u64());
        let (first, last) = first.zip(last).unwrap_or_else(|| panic!("which ones? {event}"));
        assert_eq!(event["data"]["count"].as_u64(), Some(last - first + 1), "{event}");
        first..=last
    })
    .collect()
}

/// Events of the latest start of the daemon.
pub fn of_the_last_start(world: &World, event_type: &str) -> usize {
    let events: Vec<Value> = world.stored().values().map(|text| parse(text)).collect();
    let boot = &events.last().expect("no events")["boot"];
    events.iter().filter(|event| event["boot"] == *boot && event["type"] == event_type).count()
}
