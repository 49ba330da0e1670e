//! The detections of a frame, put in order, and what scores are usual in a scene.

use std::time::Duration;

use super::settings::Settings;
use super::similarity::covered;
use crate::tracking::sieve::{is_usable, order};
use crate::tracking::{Input, MAX_DETECTIONS};
use crate::types::detection::Detection;

/// Usual score while nothing was seen.
const USUAL: f32 = 0.6;

/// A detection of this frame.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its score is at most 1.
    pub detection: Detection,
    /// Its place in the input.
    pub index: usize,
    /// Score as a share of what is usual in this scene, at most 1.
    pub level: f32,
    /// Share of it that another strong box hides: one that reaches further down, and so stands before it.
    pub hidden: f32,
    /// Root of its area, pixels.
    pub size: f32,
    /// A track has it.
    pub taken: bool,
}

/// The usual score of a scene's detections: their mean, weighed by themselves, over time.
///
/// Detectors differ: .9 is usual for one, .4 for another, and the next one's lamp posts have what the first one's
/// people have. Thresholds are shares of what is usual, so one setting serves them all. False alarms are many but weak,
/// so weighing scores by themselves leaves them little say.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
    score: f32,
    /// Since the first detections; `None` before.
    age: Option<Duration>,
}

impl Default for Usual {
    fn default() -> Self {
        Self { score: USUAL, age: None }
    }
}

impl Usual {
    /// What is usual now.
    pub fn score(&self) -> f32 {
        self.score
    }

    /// `elapsed` since the frame before.
    fn follow(&mut self, found: &[Found], elapsed: Duration, s: &Settings) {
        let (mut sum, mut squares) = (0.0, 0.0);
        for Found { detection, .. } in found {
            sum += detection.score;
            squares += detection.score * detection.score;
        }
        if sum <= 0.0 {
            return;
        }
        let age = self.age.map_or(Duration::ZERO, |age| age + elapsed);
        let t = s.seconds(elapsed);
        // A plain mean while young.
        let share = if age.is_zero() { 1.0 } else { (1.0 - (-t / s.scene_s).exp()).max(t / (s.seconds(age) + t)) };
        self.score += share * (squares / sum - self.score);
        self.age = Some(age);
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
        f.level = (f.detection.score / usual.score).min(1.0);
    }
    // Best first, so the strong ones are the first ones.
    let strong = found.partition_point(|f| f.level >= s.high);
    for i in 0..found.len() {
        let b = found[i].detection.bbox;
        let before = found[..strong]
            .iter()
            .map(|o| &o.detection.bbox)
            .filter(|o| o.x1 < b.x2 && o.x2 > b.x1 && o.y2 > b.y2 && o.y1 < b.y2);
        found[i].hidden = before.map(|o| covered(&b, o)).fold(0.0, f32::max);
    }
}
