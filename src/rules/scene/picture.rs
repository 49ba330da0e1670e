//! What the numbers of a picture say of it, beside what is usual.

use std::time::Duration;

use super::hold::Sign;
use crate::types::observation::SceneStats;

/// Time constant of what is usual.
const FOLLOWS: f32 = 300.0;
/// What is usual is known after so long.
const KNOWN_AFTER: Duration = Duration::from_secs(20);
/// A darker picture, with no more deviation than this, is black.
const BLACK: (f32, f32) = (12.0, 6.0);
/// A lighter one is not.
const NOT_BLACK: (f32, f32) = (16.0, 9.0);
/// A dark picture of more deviation is black where this part of its texture is gone: a clock may be written over it.
const ALL_GONE: f32 = 0.8;
/// Covered with more, not covered with less.
const COVERED: (f32, f32) = (0.6, 0.4);
/// Elsewhere with less likeness, and with less of what is usual; there with more. Below what makes the meter take a
/// view for another, since a view that it learns from soon looks usual.
const MOVED: (f32, f32) = (0.3, 0.45);
const MOVED_USUAL: (f32, f32) = (0.45, 0.6);
/// Blurred with less than this part of what is usual, not blurred with more.
const BLURRED: (f32, f32) = (0.12, 0.25);
/// Where mean or deviation is off what is usual by more than this part, the light is another one, and nobody knows how
/// sharp the scene is in it: another focus changes neither by much.
const OTHER_LIGHT: f32 = 0.4;

/// One sign for each; no more than one of them is [`Sign::On`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs {
    pub black: Sign,
    pub covered: Sign,
    pub moved: Sign,
    pub blurred: Sign,
    /// Nothing is wrong with the picture that keeps one from seeing whether it is frozen.
    pub clear: bool,
}

/// What a camera's pictures usually are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usual {
    /// Means of the numbers.
    pub stats: SceneStats,
    /// Mean of [`relative`] sharpness.
    relative: f32,
    known: Duration,
}

/// Sharpness for the contrast that the picture has: half the light is no blur.
fn relative(stats: &SceneStats) -> f32 {
    stats.sharpness / (stats.deviation * stats.deviation + 4.0)
}

impl Usual {
    pub fn is_known(&self) -> bool {
        self.known >= KNOWN_AFTER
    }

    /// Judges a picture, `passed` after the one before; one with which nothing is wrong makes what is usual.
    pub fn judge(&mut self, stats: &SceneStats, passed: Duration) -> Signs {
        let signs = self.signs(stats);
        let right = [signs.black, signs.covered, signs.moved, signs.blurred];
        if right.iter().all(|sign| matches!(sign, Sign::Off | Sign::Unknown)) && signs.clear {
            self.learn(stats, passed);
        }
        signs
    }

    fn signs(&self, stats: &SceneStats) -> Signs {
        let gone = stats.covered >= ALL_GONE;
        let black = match (stats.mean, stats.deviation) {
            (mean, deviation) if mean < BLACK.0 && (deviation < BLACK.1 || gone) => Sign::On,
            (mean, deviation) if mean > NOT_BLACK.0 || (deviation > NOT_BLACK.1 && !gone) => Sign::Off,
            _ => Sign::Between,
        };
        let covered = match black {
            Sign::Off => Sign::below(-stats.covered, -COVERED.0, -COVERED.1),
            _ => Sign::Unknown,
        };
        let moved = match covered {
            Sign::Off | Sign::Between if !stats.likeness.is_nan() => {
                let usual = if self.is_known() { self.stats.likeness } else { 1.0 };
                let (on, off) = (MOVED.0.min(MOVED.1 * usual), MOVED_USUAL.0.min(MOVED_USUAL.1 * usual));
                match Sign::below(stats.likeness, on, off) {
                    // Half of the picture is gone: that may be all.
                    Sign::On if covered == Sign::Between => Sign::Unknown,
                    sign => sign,
                }
            }
            _ => Sign::Unknown,
        };
        let blurred = match (covered, moved) {
            (Sign::Off, Sign::Off) if self.is_known() && !self.other_light(stats) => {
                Sign::below(relative(stats), BLURRED.0 * self.relative, BLURRED.1 * self.relative)
            }
            _ => Sign::Unknown,
        };
        let clear = black == Sign::Off && covered != Sign::On;
        Signs { black, covered, moved, blurred, clear }
    }

    fn other_light(&self, stats: &SceneStats) -> bool {
        let is_off = |now: f32, usual: f32| (now - usual).abs() > OTHER_LIGHT * usual + 4.0;
        is_off(stats.mean, self.stats.mean) || is_off(stats.deviation, self.stats.deviation)
    }

    fn learn(&mut self, stats: &SceneStats, passed: Duration) {
        if stats.likeness.is_nan() {
            return;
        }
        self.known = self.known.saturating_add(passed);
        let passed = passed.as_secs_f32();
        let share = (passed / self.known.as_secs_f32().clamp(f32::MIN_POSITIVE, FOLLOWS)).clamp(0.0, 1.0);
        let to = |usual: &mut f32, now: f32| *usual += share * (now - *usual);
        to(&mut self.stats.mean, stats.mean);
        to(&mut self.stats.deviation, stats.deviation);
        to(&mut self.stats.difference, stats.difference);
        to(&mut self.stats.sharpness, stats.sharpness);
        to(&mut self.stats.likeness, stats.likeness);
        to(&mut self.stats.covered, stats.covered);
        to(&mut self.relative, relative(stats));
    }
}
