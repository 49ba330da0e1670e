//! Time of the device, from measured runs.

use super::next_batch;
use crate::config::{Camera, Model, RunOn, Task};
use crate::inference::artefact::Speed;

/// Tracks of a camera at any time where nobody says: they matter to models that look at tracks.
pub const ASSUMED_PEOPLE: f64 = 4.0;

/// A model, and what is known of its runs.
#[derive(Clone, Copy, Debug)]
pub struct Runner<'a> {
    /// As it is used.
    pub model: &'a Model,
    /// Most pictures in a run.
    pub batch: usize,
    /// As measured; empty: not.
    pub speed: &'a [Speed],
    /// It does not run on the GPU, but on this accelerator.
    pub dla_core: Option<u32>,
}

/// One camera's use of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// It feeds the camera's tracker.
    pub first: bool,
    /// Frames analysed in a second.
    pub fps: f64,
}

impl Use {
    /// Of the model at `index` of the configuration by a camera that has `fps` frames a second analysed; `None`: it does not
    /// use it.
    #[must_use]
    pub fn of(camera: &Camera, index: usize, fps: f64) -> Option<Self> {
        let place = camera.models.iter().position(|model| *model == index)?;
        Some(Self { first: place == 0, fps })
    }
}

/// A model's part of the device's time, for all cameras that use it.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Name in the configuration.
    pub model: String,
    /// Runs in a second.
    pub runs: f64,
    /// Seconds of work in a second; `None`: no run was measured.
    pub seconds: Option<f64>,
    /// The accelerator whose time it is; `None`: the GPU's.
    pub dla_core: Option<u32>,
}

impl Runner<'_> {
    /// For cameras with so many tracks each.
    #[must_use]
    pub fn work(&self, uses: &[Use], people: f64) -> Work {
        let runs: Vec<_> = uses.iter().flat_map(|one| self.runs(one, people)).collect();
        let seconds = runs.iter().map(|(batch, each)| Some(median_ms(*batch, self.speed)? * each / 1e3)).sum();
        Work {
            model: self.model.name.clone(),
            runs: runs.iter().map(|(_, each)| each).sum(),
            seconds,
            dla_core: self.dla_core,
        }
    }

    /// Pictures in a run, and such runs a second.
    ///
    /// A model that waits for tracks has some in every frame; one that waits until answers are stale looks at each subject
    /// once in that time, and at no two in the same frame if there are frames enough: the dearest case.
    fn runs(&self, one: &Use, people: f64) -> Vec<(u32, f64)> {
        if one.first {
            return vec![(1, one.fps)];
        }
        let cadence = self.model.cadence;
        let due = one.fps / cadence.every_n_frames.max(1) as f64;
        let each = match cadence.run_on {
            RunOn::Stale => due.min(1.0 / cadence.stale.as_secs_f64().max(1e-3)),
            RunOn::Frames | RunOn::Tracks => due,
        };
        if self.model.task != Task::Reid {
            return vec![(1, if cadence.run_on == RunOn::Stale { due.min(people * each) } else { due })];
        }
        let looks = people * each;
        let frames = due.min(looks);
        let mut left = if frames > 0.0 { (looks / frames).ceil() as usize } else { 0 };
        let mut runs = Vec::new();
        while left > 0 {
            let now = next_batch(left, self.batch);
            left -= now;
            runs.push((u32::try_from(now).unwrap_or(u32::MAX), frames));
        }
        runs
    }
}

/// Seconds of work in a second of whatever has the most: the GPU, or an accelerator.
#[must_use]
pub fn busiest(works: &[Work]) -> f64 {
    let on = |core: Option<u32>| works.iter().filter(move |work| work.dla_core == core);
    works.iter().map(|work| on(work.dla_core).filter_map(|work| work.seconds).sum()).fold(0.0, f64::max)
}

/// Of a run with so many pictures: the next larger that was measured, or as much longer than the largest.
fn median_ms(batch: u32, speed: &[Speed]) -> Option<f64> {
    let larger = speed.iter().filter(|speed| speed.batch >= batch).min_by_key(|speed| speed.batch);
    if let Some(larger) = larger {
        return Some(larger.median_ms);
    }
    let largest = speed.iter().max_by_key(|speed| speed.batch)?;
    Some(largest.median_ms * f64::from(batch) / f64::from(largest.batch.max(1)))
}
