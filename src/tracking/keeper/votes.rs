//! What class a track is.

use std::time::Duration;

use super::settings::Settings;

/// Classes that one subject may be taken for.
const CLASSES: usize = 4;

/// Scores by class, of which old ones count less and less.
#[derive(Clone, Copy, Debug)]
pub struct Votes([(u16, f32); CLASSES]);

impl Votes {
    pub fn new(class: u16, level: f32) -> Self {
        let mut votes = [(class, 0.0); CLASSES];
        votes[0].1 = level;
        Self(votes)
    }

    /// One more detection, `elapsed` after the latest.
    pub fn add(&mut self, class: u16, level: f32, elapsed: Duration, s: &Settings) {
        let keep = (-s.seconds(elapsed) / s.class_s).exp();
        for vote in &mut self.0 {
            vote.1 *= keep;
        }
        let known = self.0.iter().position(|vote| vote.0 == class && vote.1 > 0.0);
        // A newcomer takes the place of the weakest.
        let weakest = || (1..CLASSES).fold(0, |weakest, i| if self.0[i].1 < self.0[weakest].1 { i } else { weakest });
        let place = known.unwrap_or_else(weakest);
        let before = if known.is_some() { self.0[place].1 } else { 0.0 };
        self.0[place] = (class, before + level);
    }

    /// `current`, or another class that is `class_ratio` times as likely.
    pub fn winner(&self, current: u16, s: &Settings) -> u16 {
        let of = |class: u16| self.0.iter().filter(|vote| vote.0 == class).map(|vote| vote.1).sum::<f32>();
        let best = self.0.iter().fold(self.0[0], |best, vote| if vote.1 > best.1 { *vote } else { best });
        if best.1 > s.class_ratio * of(current) { best.0 } else { current }
    }
}
