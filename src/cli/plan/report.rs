//! Fits or not, and why.

use std::path::PathBuf;

use serde::Serialize;

use super::facts::{Device, Facts, Need};
use super::figures::{Memory, Planned, Time};
use crate::config::{Backend, Concurrency, Config};
use crate::inference::budget::megabytes;
use crate::inference::{objection, this_machine};

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: &'static str,
    pub(super) config: PathBuf,
    /// `None`: not known.
    pub(super) fits: Option<bool>,
    /// In words, each with what to do where there is something to do.
    pub(super) why: Vec<String>,
    pub(super) concurrency: Concurrency,
    pub(super) device: Device,
    pub(super) cameras: Vec<CameraFacts>,
    pub(super) people_per_camera: f64,
    pub(super) memory: Memory,
    pub(super) time: Time,
    /// Models of which nobody knows what they take: the sums are lower bounds.
    pub(super) unknown: Vec<Unknown>,
}

#[derive(Debug, Serialize)]
pub(super) struct CameraFacts {
    pub(super) id: String,
    pub(super) models: Vec<String>,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Nobody said what size its pictures are.
    pub(super) size_assumed: bool,
    pub(super) fps: f64,
    /// Nobody said how many frames are analysed.
    pub(super) fps_assumed: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Unknown {
    pub(super) model: String,
    pub(super) why: String,
}

/// Engines that a start on this machine would refuse; the plan may be for another one.
fn objections(config: &Config) -> Vec<String> {
    let Some(here) = this_machine(config.runtime.tensorrt_library.as_deref()) else { return Vec::new() };
    let on_tensorrt = config.models.iter().filter(|model| model.backend == Backend::Tensorrt && model.plan.exists());
    on_tensorrt
        .filter_map(|model| {
            let reason = objection(model, &model.plan, config, Some(&here)).ok()??;
            Some(format!("engine {}: a start on this machine would refuse it: {reason}", model.name))
        })
        .collect()
}

impl Report {
    pub(super) fn new(config: &Config, device: &Device, facts: &[Facts], cameras: &[Planned], people: f64) -> Self {
        let memory = Memory::new(config, device, facts, cameras);
        let time = Time::new(config, facts, cameras, people);
        let used = |index: usize| cameras.iter().any(|planned| planned.camera.models.contains(&index));
        let unknown: Vec<Unknown> = (config.models.iter().zip(facts).enumerate())
            .filter(|(index, _)| used(*index))
            .filter_map(|(_, (model, facts))| match &facts.need {
                Need::Unknown(why) => Some(Unknown { model: model.name.clone(), why: why.clone() }),
                Need::Known(_) | Need::Nothing => None,
            })
            .collect();
        let names = |planned: &Planned| {
            planned.camera.models.iter().filter_map(|index| Some(config.models.get(*index)?.name.clone())).collect()
        };
        let cameras: Vec<CameraFacts> = cameras
            .iter()
            .map(|planned| CameraFacts {
                id: planned.camera.id.clone(),
                models: names(planned),
                width: planned.frames.size.0,
                height: planned.frames.size.1,
                size_assumed: planned.frames.size_guessed,
                fps: planned.frames.fps,
                fps_assumed: planned.frames.fps_guessed,
            })
            .collect();
        let mut report = Self {
            schema: "plan/1",
            config: config.path.clone(),
            fits: None,
            why: Vec::new(),
            concurrency: config.runtime.concurrency,
            device: device.clone(),
            cameras,
            people_per_camera: people,
            memory,
            time,
            unknown,
        };
        report.judge();
        report.why.extend(objections(config));
        report
    }

    fn judge(&mut self) {
        let on_gpu = !(self.memory.lines.is_empty() && self.unknown.is_empty());
        if !on_gpu {
            self.why.push("no model runs on a GPU: there is nothing to fit".to_owned());
            self.fits = Some(true);
            return;
        }
        let count = self.cameras.len();
        let cameras = if count == 1 { "1 camera needs".to_owned() } else { format!("{count} cameras need") };
        let need = megabytes(self.memory.cameras.values().sum());
        let Memory { free_after_engines_bytes: free, fitting_cameras, refused, .. } = &self.memory;
        match (free, refused) {
            (None, _) => self.why.push(format!(
                "memory: {cameras} {need}; nobody says how much the device has: name it with --device-memory-mb"
            )),
            (Some(free), refused) => {
                let usable = megabytes(free.saturating_sub(self.memory.reserve_bytes));
                let fit = match (refused, fitting_cameras) {
                    (None, _) if !self.unknown.is_empty() => "what is known of it fits".to_owned(),
                    (None, _) => "it fits".to_owned(),
                    (Some(refused), Some(some)) => {
                        let some = if *some == 1 { "1 fits".to_owned() } else { format!("{some} fit") };
                        format!("{some}; {}", refused.next())
                    }
                    (Some(refused), None) => refused.next(),
                };
                self.why.push(format!(
                    "memory: {cameras} {need}, {usable} are free after engines and {} kept back; {fit}",
                    megabytes(self.memory.reserve_bytes)
                ));
            }
        }
        let (busiest, whole) = (self.time.busiest_seconds, self.time.is_whole());
        if busiest > 1.0 {
            self.why.push(format!("time: {busiest:.2} s of GPU work per second; {}", self.less_work(busiest)));
        } else if whole {
            self.why.push(format!("time: {busiest:.2} s of GPU work per second; it fits"));
        } else {
            self.why.push(format!("time: {busiest:.2} s of GPU work per second at least: not all runs were measured"));
        }
        for Unknown { model, why } in &self.unknown {
            self.why.push(format!("model {model:?}: {why}"));
        }
        let refused = self.memory.refused.is_some() || busiest > 1.0;
        let known = self.unknown.is_empty() && whole && self.memory.free_after_engines_bytes.is_some();
        self.fits = if refused { Some(false) } else { known.then_some(true) };
    }

    fn less_work(&self, busiest: f64) -> String {
        let fps = self.cameras.iter().map(|camera| camera.fps).fold(0.0, f64::max);
        let (slower, fewer) = ((fps / busiest).floor(), (self.cameras.len() as f64 / busiest).floor());
        let slower = if slower >= 1.0 { format!("lower detect_fps to {slower}, ") } else { String::new() };
        let fewer = if fewer >= 1.0 { format!("use {fewer} of the cameras, ") } else { String::new() };
        format!("{slower}{fewer}or let models run on fewer frames (every_n_frames, run_on)")
    }
}
