//! What rules said beside what happened.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use watchkeeper::rules::{Input, Rules};
use watchkeeper::types::event::EventType;
use watchkeeper::types::observation::Observation;
use watchkeeper::types::time::{CaptureTime, Timestamp};

use super::{FRAMES, Happened, INERTIA, LENGTH, Watched};
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
            all.push(Happened::new(what, &draft.rule, (time.0 - places::NOON) as f64 / 1e6));
        });
    }
    let CaptureTime { time, .. } = frames.last().unwrap().capture;
    rules.take(Input::Reset { capture: frames.last().unwrap().capture, arrival: time }, |_| {});
    all
}

/// What was said of what happened. `PLAZA=1` in the environment lists what was wrong.
#[derive(Default)]
pub struct Score {
    counts: BTreeMap<&'static str, Count>,
    /// By what: seconds that it was said to have happened off when it did, in order.
    errors: BTreeMap<&'static str, Vec<f64>>,
}

#[derive(Clone, Copy, Default)]
struct Count {
    /// By the plain judge.
    plain: usize,
    /// Happened without doubt.
    happened: usize,
    /// Of these, told and not told.
    told: usize,
    missed: usize,
    /// Told, and a matter of opinion.
    doubtful: usize,
    /// Told, and did not happen.
    invented: usize,
}

impl Count {
    /// All that was told.
    fn all(&self) -> usize {
        self.told + self.doubtful + self.invented
    }
}

/// Seconds within which two tellings can be of the same thing.
const SAME: f64 = 1.5;

impl Score {
    /// What happened at a camera, and what was said.
    pub fn add(&mut self, camera: &Watched, told: &[Happened]) {
        // At the end not everything can be known yet.
        let in_time = |happened: &&Happened| happened.time < LENGTH - 10.0;
        let told: Vec<&Happened> = told.iter().filter(in_time).collect();
        let mut open: Vec<Option<&Happened>> = told.into_iter().map(Some).collect();
        let [plain, strict, lenient] = camera.happened();
        let strict: Vec<Happened> = strict.iter().filter(in_time).cloned().collect();
        for (happened, off) in strict.iter().zip(pair(&strict, &mut open)) {
            let count = self.counts.entry(happened.what).or_default();
            count.happened += 1;
            if let Some(off) = off {
                count.told += 1;
                self.errors.entry(happened.what).or_default().push(off);
            } else {
                count.missed += 1;
                shout("missed", happened);
            }
        }
        for happened in plain.iter().filter(in_time) {
            self.counts.entry(happened.what).or_default().plain += 1;
        }
        for (happened, off) in lenient.iter().zip(pair(lenient, &mut open)) {
            self.counts.entry(happened.what).or_default().doubtful += usize::from(off.is_some());
        }
        for said in open.into_iter().flatten() {
            self.counts.entry(said.what).or_default().invented += 1;
            shout("invented", said);
        }
        self.errors.values_mut().for_each(|errors| errors.sort_by(f64::total_cmp));
    }

    fn error(&self, what: &str, share: f64) -> f64 {
        let errors = &self.errors[what];
        errors[((errors.len() - 1) as f64 * share).round() as usize]
    }

    /// Counts are right to a share, and no more than another share is missed, or invented.
    #[track_caller]
    pub fn assert_counts(&self, share: f64, wrong: f64) {
        for (what, count) in &self.counts {
            let Count { plain, happened, missed, invented, .. } = *count;
            assert!(happened >= 100, "{what}: too few happened to tell: {happened}");
            assert!(count.all().abs_diff(plain) as f64 <= plain as f64 * share, "{what}: counts differ\n{self}");
            let most = happened as f64 * wrong;
            assert!(missed as f64 <= most && invented as f64 <= most, "{what}: missed or invented\n{self}");
        }
    }

    /// All but one in a hundred are told to have happened when they did.
    #[track_caller]
    pub fn assert_in_time(&self, what: &[&str], most: Duration) {
        for what in what {
            assert!(self.error(what, 0.99) <= most.as_secs_f64(), "{what}: not in time\n{self}");
        }
    }
}

/// Takes out of what was said that which is of what happened, the likeliest pairs first; by what happened: how many
/// seconds it was off.
fn pair(happened: &[Happened], said: &mut [Option<&Happened>]) -> Vec<Option<f64>> {
    let mut pairs = Vec::new();
    for (i, happened) in happened.iter().enumerate() {
        for (j, said) in said.iter().enumerate() {
            if let Some(said) = said.filter(|said| said.what == happened.what && said.place == happened.place) {
                let off = happened.off(said.time);
                if off <= SAME {
                    pairs.push((off + 0.1 * (said.time - happened.time).abs(), off, i, j));
                }
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut found = vec![None; happened.len()];
    for (_, off, i, j) in pairs {
        if found[i].is_none() && said[j].is_some() {
            (found[i], said[j]) = (Some(off), None);
        }
    }
    found
}

fn shout(how: &str, happened: &Happened) {
    if std::env::var_os("PLAZA").is_some() {
        println!("{how} {happened:?}");
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in &self.counts {
            let Count { plain, happened, missed, doubtful, invented, .. } = count;
            let all = count.all();
            let (median, most) = (self.error(what, 0.5), self.error(what, 0.99));
            writeln!(
                f,
                "{what:>6}: {plain} happened, {all} told; of {happened} beyond doubt {missed} missed, {invented} invented ({doubtful} doubtful ones told); \
                 off by {median:.3} s (median), {most:.3} s (99 %)"
            )?;
        }
        Ok(())
    }
}
