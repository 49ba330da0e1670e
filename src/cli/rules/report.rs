//! What a replay says, by rule and by hour.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::live::Against;
use super::replay::Replayed;
use crate::config::Camera;
use crate::rules::Firing;
use crate::types::event::{EventTrack, EventType, Phase};
use crate::types::time::Timestamp;

const HOUR: i64 = 3_600_000_000;

#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) cameras: Vec<CameraReport>,
}

#[derive(Debug, Serialize)]
pub(super) struct CameraReport {
    pub(super) camera: String,
    /// What was replayed.
    pub(super) replayed: Stretch,
    pub(super) rules: Vec<RuleReport>,
    /// What was told live, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) against_live: Option<Against>,
    pub(super) fired: Vec<Fired>,
}

#[derive(Debug, Serialize)]
pub(super) struct Stretch {
    /// Arrival of the first frame; not there: there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Timestamp>,
    pub(super) hours: f64,
    pub(super) frames: u64,
    /// Rules were told of everything from here on, so that they knew what was going on.
    pub(super) warm_since: Timestamp,
    /// It is what live would have told with these rules, exactly.
    pub(super) exact: bool,
    /// The log from the beginning of the rules that were at work then is there.
    pub(super) from_beginning: bool,
    /// When rules began anew.
    pub(super) beginnings: Vec<Timestamp>,
    pub(super) holes: Vec<Hole>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Hole {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct RuleReport {
    pub(super) rule: String,
    /// Told, or not: a shadow rule tells nobody.
    pub(super) fired: u64,
    pub(super) shadow: bool,
    /// Not fired, because of `max_per_hour`.
    pub(super) held_back: u64,
    pub(super) hours: Vec<HourCount>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct HourCount {
    pub(super) hour: Timestamp,
    pub(super) fired: u64,
}

/// A firing: what stands in its event.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fired {
    pub(super) capture: Timestamp,
    #[serde(rename = "type")]
    pub(super) event_type: EventType,
    pub(super) phase: Phase,
    pub(super) rule: String,
    /// Nobody is told.
    pub(super) shadow: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) track: Option<EventTrack>,
    pub(super) data: Map<String, Value>,
}

impl From<Firing> for Fired {
    fn from(Firing { draft, shadow, .. }: Firing) -> Self {
        let (capture, event_type, phase, rule) = (draft.capture, draft.event_type, draft.phase, draft.rule);
        Self { capture, event_type, phase, rule, shadow, track: draft.track, data: draft.data }
    }
}

/// Every rule of a camera by its id, and is it a shadow rule?
pub(super) fn rules_of(camera: &Camera) -> Vec<(&str, bool)> {
    let zones = camera.zones.iter().map(|zone| &zone.common);
    let lines = camera.lines.iter().map(|line| &line.common);
    let all = zones.chain(lines).chain(camera.rules.iter().map(|rule| &rule.common));
    all.map(|common| (common.id.as_str(), common.shadow)).collect()
}

impl CameraReport {
    /// Of all rules, or of one.
    pub(super) fn new(camera: &Camera, mut replayed: Replayed, only: Option<&str>) -> Self {
        let wanted = |rule: &str| only.is_none_or(|only| only == rule);
        let stretch = Stretch {
            first: replayed.first,
            last: replayed.last,
            hours: (replayed.seconds / 3600.0 * 1e4).round() / 1e4,
            frames: replayed.frames,
            warm_since: replayed.start.first,
            exact: replayed.is_exact(),
            from_beginning: replayed.start.whole,
            beginnings: replayed.beginnings.iter().map(|(at, _)| *at).collect(),
            holes: replayed.holes.iter().map(|(from, until)| Hole { from: *from, until: *until }).collect(),
        };
        replayed.fired.retain(|firing| wanted(&firing.draft.rule));
        let fired: Vec<Fired> = replayed.fired.into_iter().map(Fired::from).collect();
        let mut rules: Vec<RuleReport> = rules_of(camera)
            .into_iter()
            .filter(|(rule, _)| wanted(rule))
            .map(|(rule, shadow)| RuleReport { rule: rule.to_owned(), shadow, ..RuleReport::default() })
            .collect();
        let mut hours: BTreeMap<(usize, i64), u64> = BTreeMap::new();
        for fired in &fired {
            let at = place(&mut rules, &fired.rule, fired.shadow);
            rules[at].fired += 1;
            *hours.entry((at, fired.capture.0.div_euclid(HOUR) * HOUR)).or_default() += 1;
        }
        for ((at, hour), fired) in hours {
            rules[at].hours.push(HourCount { hour: Timestamp(hour), fired });
        }
        for (rule, count) in replayed.held_back.iter().filter(|(rule, _)| wanted(rule)) {
            let at = place(&mut rules, rule, false);
            rules[at].held_back += count;
        }
        Self { camera: camera.id.clone(), replayed: stretch, rules, against_live: None, fired }
    }
}

/// Where a rule is; one that the config does not list, such as the scene's, comes behind.
fn place(rules: &mut Vec<RuleReport>, rule: &str, shadow: bool) -> usize {
    rules.iter().position(|there| there.rule == rule).unwrap_or_else(|| {
        rules.push(RuleReport { rule: rule.to_owned(), shadow, ..RuleReport::default() });
        rules.len() - 1
    })
}
