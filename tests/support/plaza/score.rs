//! What rules said beside what happened.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use watchkeeper::rules::{Input, Rules};
use watchkeeper::types::event::EventType;
use watchkeeper::types::observation::Observation;
use watchkeeper::types::time::{CaptureTime, Timestamp};

use super::{FRAMES, Happened, INERTIA, Watched};
use crate::places;

/// What the rules say of these frames: the time is the one that events give for what happened.
pub fn engine(camera: &Watched, frames: &[Observation]) -> Vec<Happened> {
    let point = |[x, y]: [f64; 2]| [x as f32, y as f32];
    let zones = camera.info.zones.iter().map(|zone| {
        let polygon: Vec<[f32; 2]> = zone.polygon.iter().map(|corner| point(*corner)).collect();
        let inertia = Duration::from_secs_f64(INERTIA);
        watchkeeper::config::Zone { inertia, ..places::zone(&zone.id, &polygon) }
    });
    let lines = camera.info.lines.iter().map(|line| {
        let line = places::line(&line.id, point(line.from), point(line.to));
        watchkeeper::config::Line { frames: FRAMES, ..line }
    });
    let mut rules = Rules::new(&places::camera(zones.collect(), lines.collect(), Vec::new()));
    let mut all = Vec::new();
    rules.take(Input::Model(&places::model()), |_| {});
    for frame in frames {
        rules.take(Input::Frame(frame), |firing| {
            let draft = firing.draft;
            let (what, key) = match draft.event_type {
                EventType::ZoneEnter => ("enter", "since"),
                EventType::ZoneExit => ("exit", "until"),
                EventType::LineCrossed if draft.data["direction"] == "in" => ("in", "crossed_at"),
                EventType::LineCrossed => ("out", "crossed_at"),
                other => panic!("nobody asked for {}", other.name()),
            };
            let told = draft.data.get(key).map(|time| serde_json::from_value(time.clone()).unwrap());
            let time: Timestamp = told.unwrap_or(draft.capture);
            all.push(Happened { what, place: draft.rule, time: (time.0 - places::NOON) as f64 / 1e6 });
        });
    }
    let CaptureTime { time, .. } = frames.last().unwrap().capture;
    rules.take(Input::Reset { capture: frames.last().unwrap().capture, arrival: time }, |_| {});
    all
}

/// What was said of what happened.
#[derive(Default)]
pub struct Score {
    /// By what: how often it happened, was said, was not said, was said and did not happen.
    counts: BTreeMap<&'static str, [usize; 4]>,
    /// By what: seconds that it was said to have happened off when it did, in order.
    errors: BTreeMap<&'static str, Vec<f64>>,
}

/// Seconds within which two tellings can be of the same thing.
const SAME: f64 = 1.5;

impl Score {
    /// What happened at a camera, and what was said.
    pub fn add(&mut self, truth: &[Happened], told: &[Happened]) {
        let mut used = vec![false; told.len()];
        for happened in truth {
            let off = |said: &Happened| (said.time - happened.time).abs();
            let like = |(i, said): &(usize, &Happened)| {
                !used[*i] && said.what == happened.what && said.place == happened.place && off(said) <= SAME
            };
            let best = told.iter().enumerate().filter(like).min_by(|a, b| off(a.1).total_cmp(&off(b.1)));
            let counts = self.counts.entry(happened.what).or_default();
            counts[0] += 1;
            match best {
                Some((i, said)) => {
                    used[i] = true;
                    self.errors.entry(happened.what).or_default().push(off(said));
                }
                None => counts[2] += 1,
            }
            if best.is_none() && std::env::var_os("PLAZA").is_some() {
                println!("missed {happened:?}");
            }
        }
        for (said, used) in told.iter().zip(used) {
            let counts = self.counts.entry(said.what).or_default();
            counts[1] += 1;
            counts[3] += usize::from(!used);
            if !used && std::env::var_os("PLAZA").is_some() {
                println!("invented {said:?}");
            }
        }
        self.errors.values_mut().for_each(|errors| errors.sort_by(f64::total_cmp));
    }

    fn error(&self, what: &str, share: f64) -> f64 {
        let errors = &self.errors[what];
        errors[((errors.len() - 1) as f64 * share).round() as usize]
    }

    /// Counts are right to a share, and times to a duration (all but one in a hundred).
    #[track_caller]
    pub fn assert_within(&self, share: f64, time: Duration) {
        for (what, [truth, told, missed, invented]) in &self.counts {
            let most = (*truth as f64 * share).max(1.0);
            assert!(*truth >= 100, "{what}: too few happened to tell: {truth}");
            assert!(truth.abs_diff(*told) as f64 <= most, "{what}: {told} of {truth}\n{self}");
            assert!(*missed as f64 <= 2.0 * most && *invented as f64 <= 2.0 * most, "{what}: {missed} missed, {invented} invented\n{self}");
            assert!(self.error(what, 0.99) <= time.as_secs_f64() + 1e-6, "{what}: not in time\n{self}");
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, [truth, told, missed, invented]) in &self.counts {
            let (median, most) = (self.error(what, 0.5), self.error(what, 0.99));
            writeln!(
                f,
                "{what:>6}: {truth} happened, {told} told, {missed} missed, {invented} invented; \
                 off by {median:.3} s (median), {most:.3} s (99 %)"
            )?;
        }
        Ok(())
    }
}
