//! A busy street as rules are told of it: not what a model sees, but as noisy.

use std::time::Duration;

use watchkeeper::types::observation::{Observation, SceneStats, Seen};
use watchkeeper::types::time::{CaptureTime, Clock, Timestamp};
use watchkeeper::types::track::EndReason;

pub const SECOND: i64 = 1_000_000;
/// 2026-11-20T17:00:00Z.
pub const START: i64 = 1_795_194_000 * SECOND;

/// Numbers that look thrown, always the same.
pub struct Dice(u64);

impl Dice {
    /// The next throw.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// About normal.
    fn normal(&mut self, deviation: f32) -> f32 {
        let sum: f32 = (0..6).map(|_| (self.throw() % 10_000) as f32 / 10_000.0).sum();
        (sum - 3.0) / 0.707 * deviation
    }
}

/// A busy street: boxes tremble by a pixel of 1920x1080 and scores by two hundredths, a walk through the picture takes
/// some 30 seconds, every fifth stands, a frame in ten has no detection of a track.
pub struct Busy {
    dice: Dice,
    walkers: Vec<(Seen, [f32; 4], [f32; 2])>,
    next: u64,
}

impl Busy {
    /// So many at any time.
    pub fn new(tracks: usize) -> Self {
        let mut busy = Self { dice: Dice(1), walkers: Vec::new(), next: 1 };
        for _ in 0..tracks {
            let walker = busy.walker(0);
            busy.walkers.push(walker);
        }
        busy
    }

    fn walker(&mut self, at: i64) -> (Seen, [f32; 4], [f32; 2]) {
        let number = self.next;
        self.next += 1;
        let stationary = number.is_multiple_of(5);
        let (x, y) = (self.dice.throw() % 14_000, 4000 + self.dice.throw() % 6000);
        let (x, y) = (x as f32, y as f32);
        let speed = if stationary { [0.0; 2] } else { [self.dice.normal(55.0), self.dice.normal(10.0)] };
        let seen = Seen {
            number,
            class: (number % 3) as u16,
            bbox: [0; 4],
            score: 8500,
            top_score: 8500,
            median_score: 8500,
            first_seen: Duration::from_micros(at as u64),
            coasted: false,
            stationary,
            posture: None,
        };
        (seen, [x, y, x + 700.0, y + 3000.0], speed)
    }

    /// The frame `at` microseconds after [`START`].
    pub fn frame(&mut self, at: i64, frame: &mut Observation) {
        frame.ended.clear();
        for n in 0..self.walkers.len() {
            let ([x, ..], number) = (self.walkers[n].1, self.walkers[n].0.number);
            if !(-500.0..16_500.0).contains(&x) || self.dice.throw().is_multiple_of(300) {
                frame.ended.push((number, EndReason::Left));
                self.walkers[n] = self.walker(at);
            }
        }
        frame.run = 1;
        frame.track_run = 1;
        frame.size = (1920, 1080);
        frame.seq += 1;
        frame.media_time = Duration::from_micros(at as u64);
        frame.capture = CaptureTime { time: Timestamp(START + at), clock: Clock::Ntp };
        frame.arrival = Timestamp(START + at + 35_000 + (self.dice.throw() % 9000) as i64);
        let scene =
            SceneStats { mean: self.dice.normal(9.0), likeness: self.dice.normal(0.1), ..SceneStats::default() };
        frame.scene = (frame.seq.is_multiple_of(10)).then_some(scene);
        frame.tracks.clear();
        for (seen, place, speed) in &mut self.walkers {
            for (edge, by) in place.iter_mut().zip([speed[0], speed[1], speed[0], speed[1]]) {
                *edge += by;
            }
            seen.coasted = self.dice.throw().is_multiple_of(10);
            if !seen.coasted {
                seen.score = (8500.0 + self.dice.normal(200.0)) as u16;
                seen.top_score = seen.top_score.max(seen.score);
                seen.median_score = (8500.0 + self.dice.normal(20.0)) as u16;
            }
            for (at, edge) in seen.bbox.iter_mut().enumerate() {
                let tremble = if seen.coasted { 0.0 } else { self.dice.normal([8.5, 15.0][at % 2]) };
                *edge = (place[at] + tremble) as i16;
            }
            frame.tracks.push(*seen);
        }
    }
}
