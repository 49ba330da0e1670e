//! What stands in a decoder's place: a thread per camera that lays pictures into its slot.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::workbench::{Image, sequence};
use crate::source::slot::{FrameSlot, Put};
use crate::source::{Delivery, Still};
use crate::types::frame::FrameMeta;
use crate::types::time::{CaptureTime, Clock, Timestamp};

/// Pictures in memory, played there and back.
const PICTURES: usize = 16;
/// Frames a second as the tracker is told where they come as fast as they can.
const NOMINAL_FPS: f64 = 25.0;
/// A pause is cut into pieces, so that the end is not slept through.
const NAP: Duration = Duration::from_millis(20);

/// The pictures that all cameras show, each from another one on.
pub(super) struct Feed {
    /// The first picture, for whoever wants a frame without a camera.
    pub(super) image: Image,
    stills: Vec<Still>,
    size: (u32, u32),
    /// Time between frames; `None`: as fast as they are taken.
    period: Option<Duration>,
    nominal: Duration,
}

/// How far a camera's frames are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    /// Frames handed over.
    pub(super) put: u64,
    /// Of these, those that a newer one replaced before they were looked at.
    pub(super) replaced: u64,
}

impl Feed {
    pub(super) fn new((width, height): (u32, u32), fps: Option<f64>) -> anyhow::Result<Self> {
        let nominal = Duration::from_secs_f64(1.0 / fps.unwrap_or(NOMINAL_FPS));
        let images = sequence(usize::try_from(width)?, usize::try_from(height)?, PICTURES, nominal.as_secs_f32());
        let stills = images.iter().map(|image| Still::new(&image.picture())).collect::<anyhow::Result<Vec<_>>>()?;
        let Some(image) = images.into_iter().next() else { anyhow::bail!("no pictures") };
        let size = (u32::try_from(image.picture().width)?, u32::try_from(image.picture().height)?);
        Ok(Self { image, stills, size, period: fps.map(|_| nominal), nominal })
    }

    /// Frames at a pace of their own are replaced where they are not taken in time, as a camera's are.
    pub(super) fn delivery(&self) -> Delivery {
        if self.is_paced() { Delivery::Newest } else { Delivery::Every }
    }

    pub(super) fn is_paced(&self) -> bool {
        self.period.is_some()
    }

    /// Feeds camera number `camera` of `cameras`, from 0, until `stop`.
    pub(super) fn run(
        &self,
        slot: &FrameSlot,
        (camera, cameras): (usize, usize),
        position: &mut Position,
        stop: &AtomicBool,
    ) {
        // Cameras do not deliver at the same moment.
        let phase = self.period.unwrap_or_default().mul_f64(camera as f64 / cameras as f64);
        let mut due = Instant::now() + phase;
        while !stop.load(Ordering::Relaxed) {
            if let Some(period) = self.period {
                let left = due.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    std::thread::sleep(left.min(NAP));
                    continue;
                }
                due += period;
            }
            position.put += 1;
            let frame = self.still(camera * 3 + usize::try_from(position.put).unwrap_or(0));
            let Some(frame) = frame.frame(self.meta(position.put)) else { return };
            match slot.put(frame) {
                Put::Stored => {}
                Put::Replaced => position.replaced += 1,
                Put::Closed => return,
            }
        }
    }

    fn still(&self, n: usize) -> &Still {
        &self.stills[there_and_back(n, self.stills.len())]
    }

    fn meta(&self, seq: u64) -> FrameMeta {
        let (now, (width, height)) = (Timestamp::now(), self.size);
        FrameMeta {
            run: 1,
            seq,
            width,
            height,
            capture: CaptureTime { time: now, clock: Clock::Free },
            clock_skew_s: None,
            arrival: now,
            received: Instant::now(),
            media_time: self.nominal.mul_f64(seq as f64),
        }
    }
}

/// The place of the n-th of `count` pictures, so that nobody jumps: 0 1 2 3 2 1 0.
fn there_and_back(n: usize, count: usize) -> usize {
    let last = count.saturating_sub(1);
    let at = n % (2 * last).max(1);
    if at <= last { at } else { 2 * last - at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_played_there_and_back() {
        let places: Vec<usize> = (0..9).map(|n| there_and_back(n, 4)).collect();
        assert_eq!(places, [0, 1, 2, 3, 2, 1, 0, 1, 2]);
        assert_eq!((0..3).map(|n| there_and_back(n, 1)).collect::<Vec<_>>(), [0, 0, 0]);
    }
}
