//! The detections of a frame, put in order, and what scores are usual in a scene.

use std::time::Duration;

use super::settings::Settings;
use super::similarity::covered;
use crate::tracking::sieve::{is_usable, order};
use crate::tracking::{Input, MAX_DETECTIONS};
use crate::types::detection::Detection;

/// Usual score while nothing was seen.
const USUAL: f32 = 0.6;
/// Classes whose usual scores are remembered.
const CLASSES: usize = 16;

/// A detection of this frame.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its score is at most 1.
    pub detection: Detection,
    /// Its place in the input.
    pub index: usize,
    /// Score as a share of what is usual for its class in this scene, at most 1.
    pub level: f32,
    /// Share of it that another strong box hides: one that reaches further down, and so stands before it.
    pub hidden: f32,
    /// Root of its area, pixels.
    pub size: f32,
    /// A track has it.
    pub taken: bool,
}

/// The usual score of a scene's detections of each class: their mean, weighed by themselves, over time.
///
/// Detectors differ: .9 is usual for one, .4 for another, and the next one's lamp posts have what the first one's
/// people have; and what is usual for a car is not for a pedestrian. Thresholds are shares of what is usual, so one
/// setting serves them all. False alarms are many but weak, so weighing scores by themselves leaves them little say;
/// where there is nothing else, `start_floor` keeps them from beginning tracks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usual([Option<Class>; CLASSES]);

/// What is usual for a class.
#[derive(Clone, Copy, Debug)]
struct Class {
    class: u16,
    score: f32,
    /// Since it was first seen, seconds.
    age: f32,
    /// Since it was last seen, seconds.
    unseen: f32,
}

impl Usual {
    /// What is usual for a class now.
    pub fn score(&self, class: u16, s: &Settings) -> f32 {
        let known = self.0.iter().flatten().find(|known| known.class == class);
        known.map_or(USUAL, |known| known.score).max(s.start_floor / s.start)
    }

    /// `elapsed` since the frame before.
    fn follow(&mut self, found: &[Found], elapsed: Duration, s: &Settings) {
        let t = s.seconds(elapsed);
        for known in self.0.iter_mut().flatten() {
            (known.age, known.unseen) = (known.age + t, known.unseen + t);
        }
        for (i, Found { detection: Detection { class, .. }, .. }) in found.iter().enumerate() {
            if found[..i].iter().all(|before| before.detection.class != *class) {
                let place = self.place(*class);
                let known = self.0[place].get_or_insert(Class { class: *class, score: USUAL, age: 0.0, unseen: 0.0 });
                known.follow(found, t, s);
            }
        }
    }

    /// Where a class is kept: a new one takes a free place, or that of the one that was unseen for longest.
    fn place(&mut self, class: u16) -> usize {
        let is_it = |known: &Option<Class>| known.is_some_and(|known| known.class == class);
        if let Some(place) = self.0.iter().position(is_it).or_else(|| self.0.iter().position(Option::is_none)) {
            return place;
        }
        let unseen = |i: usize| self.0[i].map_or(0.0, |known| known.unseen);
        let place = (1..CLASSES).fold(0, |oldest, i| if unseen(i) > unseen(oldest) { i } else { oldest });
        self.0[place] = None;
        place
    }
}

impl Class {
    fn follow(&mut self, found: &[Found], t: f32, s: &Settings) {
        let scores = || found.iter().map(|f| f.detection).filter(|d| d.class == self.class).map(|d| d.score);
        let (sum, squares) = scores().fold((0.0, 0.0), |(sum, squares), score| (sum + score, squares + score * score));
        if sum <= 0.0 {
            return;
        }
        // One frame says no more than `prior_s` does, however long it took to come.
        let t = t.min(s.prior_s);
        // A plain mean while young, with what was usual before anything was seen as its first sample.
        let share = (1.0 - (-t / s.scene_s).exp()).max(t / (s.prior_s + self.age));
        self.score += share.min(0.5) * (squares / sum - self.score);
        self.unseen = 0.0;
    }
}

/// Takes in the usable detections, best first.
pub fn sort_out(
    found: &mut Vec<Found>,
    input: &Input<'_>,
    low_score: f32,
    usual: &mut Usual,
    elapsed: Duration,
    s: &Settings,
) {
    found.clear();
    for (index, detection) in input.detections.iter().enumerate() {
        if is_usable(detection, low_score) {
            let size = detection.bbox.area().sqrt();
            let detection = Detection { score: detection.score.min(1.0), ..*detection };
            found.push(Found { detection, index, level: 0.0, hidden: 0.0, size, taken: false });
        }
    }
    found.sort_unstable_by(|a, b| order(input, a.index, b.index));
    found.truncate(MAX_DETECTIONS);
    usual.follow(found, elapsed, s);
    for f in found.iter_mut() {
        f.level = (f.detection.score / usual.score(f.detection.class, s)).min(1.0);
    }
    for i in 0..found.len() {
        let b = found[i].detection.bbox;
        let before = found
            .iter()
            .filter(|o| o.level >= s.high)
            .map(|o| &o.detection.bbox)
            .filter(|o| o.x1 < b.x2 && o.x2 > b.x1 && o.y2 > b.y2 && o.y1 < b.y2);
        found[i].hidden = before.map(|o| covered(&b, o)).fold(0.0, f32::max);
    }
}
