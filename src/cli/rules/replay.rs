//! The rules of a configuration, told what rules were told then.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::progress::Progress;
use crate::config::Camera;
use crate::rules::heat::Heat;
use crate::rules::{Firing, Rules};
use crate::track_log::{ReadError, Reader, Record, Start};
use crate::types::observation::Input;
use crate::types::time::Timestamp;

/// Which part of the past.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    /// Rules are told of this much before it, so that they know what is going on.
    pub(super) warm_up: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) start: Start,
    /// In the span.
    pub(super) frames: u64,
    /// Arrival of the first frame in the span.
    pub(super) first: Option<Timestamp>,
    /// And of the last one.
    pub(super) last: Option<Timestamp>,
    /// Time with frames, seconds.
    pub(super) seconds: f64,
    /// When rules began anew in the span, whole or not.
    pub(super) beginnings: Vec<(Timestamp, bool)>,
    /// What is missing, in the span or in the warm-up.
    pub(super) holes: Vec<(Timestamp, Timestamp)>,
    /// Size of the last frame, pixels.
    pub(super) size: (u32, u32),
    /// In the span, in order.
    pub(super) fired: Vec<Firing>,
    /// Where subjects were in the span, and for how long.
    pub(super) heat: Heat,
    /// By rule: firings in the span that `max_per_hour` held back.
    pub(super) held_back: BTreeMap<String, u64>,
}

impl Replayed {
    /// Is it what live would have told with these rules, exactly?
    pub(super) fn is_exact(&self) -> bool {
        self.start.whole && self.holes.is_empty() && self.beginnings.iter().all(|(_, whole)| *whole)
    }
}

/// Frames farther apart are not one stretch of time: the camera was away.
const AWAY_S: f64 = 5.0;

/// Runs the camera's rules over its log.
pub(super) fn replay(state_dir: &Path, camera: &Camera, span: Span) -> Result<Replayed, ReadError> {
    let mut reader = Reader::open(state_dir, &camera.id, span.from, span.until, span.warm_up)?;
    let progress = Progress::new(&camera.id, reader.start().first, span.until);
    let mut rules = Rules::new(camera);
    let mut held = Held::default();
    let mut out = Replayed {
        start: reader.start(),
        frames: 0,
        first: None,
        last: None,
        seconds: 0.0,
        beginnings: Vec::new(),
        holes: Vec::new(),
        size: (0, 0),
        fired: Vec::new(),
        heat: Heat::default(),
        held_back: BTreeMap::new(),
    };
    let (mut told, mut begun, mut ended) = (0, false, true);
    let mut counts = false;
    while let Some(record) = reader.next_record()? {
        let input = match record {
            Record::Begin { at, whole } => {
                if std::mem::replace(&mut begun, true) {
                    out.beginnings.push((at, whole));
                    // An orderly end is told to rules, a crash is not, and costs the log its last seconds.
                    if let Some(last) = out.last.filter(|_| !ended) {
                        out.holes.push((last, at));
                    }
                }
                (rules, held) = (anew(camera, &mut rules), Held::default());
                continue;
            }
            Record::Hole { from, until } => {
                out.holes.push((from, until));
                (rules, held) = (anew(camera, &mut rules), Held::default());
                continue;
            }
            Record::Told(input) => input,
        };
        match input {
            Input::Frame(frame) => {
                (told, ended) = (told + 1, false);
                let before = std::mem::replace(&mut counts, frame.arrival >= span.from);
                if counts && !before {
                    rules.heat_mut().clear();
                }
                progress.step(told, frame.arrival);
                if counts {
                    let gap = out.last.map_or(0.0, |last| frame.arrival.seconds_since(last));
                    out.seconds += if (0.0..AWAY_S).contains(&gap) { gap } else { 0.0 };
                    out.frames += 1;
                    out.first = out.first.or(Some(frame.arrival));
                    (out.last, out.size) = (Some(frame.arrival), frame.size);
                }
            }
            // It is about the frame before it.
            Input::Reset { .. } => ended = true,
            Input::Model(_) => {}
        }
        rules.take(input, |firing| {
            if counts {
                out.fired.push(firing);
            }
        });
        held.note(&rules, counts.then_some(&mut out.held_back));
    }
    out.heat = std::mem::take(rules.heat_mut());
    Ok(out)
}

/// Rules that remember nothing but where subjects were.
fn anew(camera: &Camera, before: &mut Rules) -> Rules {
    let mut rules = Rules::new(camera);
    *rules.heat_mut() = std::mem::take(before.heat_mut());
    rules
}

/// What was held back so far, by rule.
#[derive(Default)]
struct Held {
    all: u64,
    by_rule: BTreeMap<String, u64>,
}

impl Held {
    /// Adds what is new to `out`.
    fn note(&mut self, rules: &Rules, out: Option<&mut BTreeMap<String, u64>>) {
        let all = rules.held_back().map(|(_, count)| count).sum();
        if all == std::mem::replace(&mut self.all, all) {
            return;
        }
        let mut more = out;
        for (rule, count) in rules.held_back() {
            let before = self.by_rule.insert(rule.to_owned(), count).unwrap_or(0);
            if let Some(out) = more.as_mut().filter(|_| count > before) {
                *out.entry(rule.to_owned()).or_default() += count - before;
            }
        }
    }
}
