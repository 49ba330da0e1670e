//! The same picture again and again.
//!
//! A sensor has noise, so a live picture is never quite the one before; but an encoder may drop that noise, and then a
//! scene in which nothing happens cannot be told from a camera that hangs, except by how long it lasts. So what a
//! camera does by itself counts: where its pictures are often still for long, only longer than that is frozen.
//!
//! A camera that repeats a picture sends the same one to the bit, and that is told. Where a camera hangs before its own
//! encoder, that goes on refining the same picture, and begins anew with each key frame: this is told only where it
//! differs by far less than the noise did, which takes a high bit rate or rare key frames.

use std::time::Duration;

use super::hold::Change;

/// Pictures that differ by less, in mean, are the same: a digit of a clock in the picture is more.
const STILL: f32 = 0.002;
/// The same, as a part of the least difference that is usual. H.264 of 640 x 360 pixels at 1.5 Mbit/s: live 1.7 and
/// more, frozen before the encoder up to 0.03.
const STILL_PART: f32 = 0.05;
/// What is usual is known after so long.
const KNOWN_AFTER: Duration = Duration::from_secs(60);
/// Frozen is three times as long as still is by itself.
const LONGER: u32 = 3;
/// So long without the same picture, and it is no longer frozen.
const ALIVE_AFTER: Duration = Duration::from_secs(1);
/// What a camera does by itself is forgotten by half in so long.
const HALF: f32 = 3600.0;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stillness {
    /// For how long it has been still.
    level: Duration,
    /// Longest that it is still by itself.
    own: Duration,
    /// The least difference that is usual, and for how long it has been looked for.
    least: f32,
    known: Duration,
    counted: bool,
    open: bool,
    /// Since it froze.
    lasted: Duration,
    /// For how long it has not been still again.
    alive: Duration,
}

impl Stillness {
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// How long it must be still to be frozen, where `after` is asked for.
    pub fn needed(&self, after: Duration) -> Duration {
        after.max(self.own * LONGER)
    }

    /// What it does by itself stays known.
    pub fn close(&mut self) {
        *self = Self { own: self.own, least: self.least, known: self.known, ..Self::default() };
    }

    fn is_still(&mut self, difference: f32, passed: Duration) -> bool {
        let most = if self.known >= KNOWN_AFTER { STILL.max(STILL_PART * self.least) } else { STILL };
        let still = difference < most;
        if !still {
            let rises = 2.0_f32.powf(passed.as_secs_f32() / HALF);
            self.least = if self.known.is_zero() { difference } else { difference.min(self.least * rises) };
            self.known = self.known.saturating_add(passed);
        }
        still
    }

    /// A picture that differs so much from the one `passed` before it.
    pub fn look(&mut self, difference: f32, passed: Duration, after: Duration) -> Option<Change> {
        let still = self.is_still(difference, passed);
        let needed = self.needed(after);
        self.own = self.own.mul_f32(0.5_f32.powf(passed.as_secs_f32() / HALF));
        if self.open {
            self.lasted = self.lasted.saturating_add(passed);
            self.alive = if still { Duration::ZERO } else { self.alive + passed };
            if self.alive < ALIVE_AFTER {
                return None;
            }
            // So short: it was rather a scene in which nothing happened.
            let own = if self.lasted < needed * (LONGER - 1) { needed + self.lasted } else { Duration::ZERO };
            self.own = self.own.max(own);
            self.close();
            return Some(Change::Ended);
        }
        if still {
            self.level += if self.counted { passed } else { Duration::ZERO };
        } else {
            self.own = self.own.max(std::mem::take(&mut self.level));
        }
        self.counted = still;
        if self.level < needed || !still {
            return None;
        }
        self.close();
        self.open = true;
        Some(Change::Began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which second it froze and was no longer frozen, where there is one picture in each.
    fn told(stillness: &mut Stillness, differences: impl IntoIterator<Item = f32>) -> Vec<(u32, Change)> {
        let second = Duration::from_secs(1);
        let look = |(at, difference)| stillness.look(difference, second, 10 * second).map(|change| (at, change));
        (0..).zip(differences).filter_map(look).collect()
    }

    fn seconds(difference: f32, n: usize) -> impl Iterator<Item = f32> {
        std::iter::repeat_n(difference, n)
    }

    #[test]
    fn the_same_picture_for_its_time_is_frozen_until_it_changes() {
        let differences = seconds(1.7, 100).chain(seconds(0.0, 60)).chain(seconds(1.7, 9));
        assert_eq!(told(&mut Stillness::default(), differences), [(110, Change::Began), (160, Change::Ended)]);
    }

    #[test]
    fn key_frames_of_a_picture_that_stays_do_not_hide_that_it_does() {
        let flickers = (0..60).map(|n| if n % 2 == 0 { 0.03 } else { 0.0 });
        let told = told(&mut Stillness::default(), seconds(1.7, 100).chain(flickers));
        assert_eq!(told, [(110, Change::Began)]);
    }

    #[test]
    fn little_noise_is_life() {
        assert_eq!(told(&mut Stillness::default(), seconds(0.004, 5000)), []);
        let quieter = (0..5000).map(|n| if n < 100 { 1.7 } else { 0.1 });
        assert_eq!(told(&mut Stillness::default(), quieter), []);
    }

    /// Told once, and then it is known; what lasts far longer is told again.
    #[test]
    fn a_scene_that_is_still_by_itself_is_not_frozen_each_time() {
        let mut stillness = Stillness::default();
        let by_itself = || (0..16 * 50).map(|n| if n % 16 < 12 { 0.0 } else { 0.5 });
        assert_eq!(told(&mut stillness, by_itself()).len(), 2);
        assert_eq!(told(&mut stillness, by_itself()), []);
        assert_eq!(told(&mut stillness, seconds(0.0, 120)).len(), 1);
    }
}
