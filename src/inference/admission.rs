//! Room for cameras: none begins that the device has no memory for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::artefact::Manifest;
use super::budget::{
    self, ASSUMED_PEOPLE, ASSUMED_SIZE, Machine, ModelNeed, RESERVE, Refused, Runner, Use, admit_all, busiest, frames,
    megabytes,
};
use super::contract::{self, MEMORY, TIME};
use super::device::Gpu;
use super::{Check, ContractReport, InferenceError, LoadedModel, ModelManager, Outcome};
use crate::config::{Backend, Camera, Concurrency, Config, Model, Policy};

/// Who was given room.
#[derive(Clone)]
pub(super) struct Admissions {
    gpu: Option<Arc<Gpu>>,
    given: Given,
}

type Given = Arc<Mutex<BTreeMap<String, Camera>>>;

/// A camera's room on the device, until it drops.
pub struct Admission {
    camera: String,
    need: u64,
    given: Given,
}

impl Admission {
    /// Bytes that the camera takes with the engines that served when it was admitted.
    #[must_use]
    pub fn need(&self) -> u64 {
        self.need
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.camera);
    }
}

impl ModelManager {
    /// Gives a camera room for all that it will take, its first frame included, before anything of it is allocated.
    ///
    /// Where nobody knows its picture's size yet, [`ASSUMED_SIZE`] is taken; models that ONNX Runtime runs are not counted.
    ///
    /// # Errors
    /// [`Refused`] with the numbers, where there is not enough.
    pub fn admit(&self, camera: &Camera) -> Result<Admission, Box<Refused>> {
        let needs = |camera: &Camera| -> Vec<ModelNeed> {
            camera.models.iter().filter_map(|index| self.model(*index)?.need()).collect()
        };
        self.admissions.admit(camera, &needs)
    }
}

impl Admissions {
    pub(super) fn new(gpu: Option<&Arc<Gpu>>) -> Self {
        Self { gpu: gpu.cloned(), given: Arc::default() }
    }

    fn admit(&self, camera: &Camera, needs: &dyn Fn(&Camera) -> Vec<ModelNeed>) -> Result<Admission, Box<Refused>> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let own = needs(camera);
        let mut bytes = 0;
        if let Some(gpu) = self.gpu.as_ref().filter(|_| !own.is_empty()) {
            bytes = need(gpu, camera, &own.iter().collect::<Vec<_>>());
            let held: BTreeMap<String, gpu::Usage> = gpu.device.memory().into_iter().collect();
            // What others were promised and do not have yet.
            let promised = |other: &Camera| {
                let held = held.get(&format!("camera {}", other.id)).map_or(0, |usage| taken(gpu, *usage));
                need(gpu, other, &needs(other).iter().collect::<Vec<_>>()).saturating_sub(held)
            };
            let before = given.values().filter(|other| other.id != camera.id).map(promised).sum::<u64>();
            let free = free(gpu).unwrap_or(u64::MAX);
            let left = free.saturating_sub(RESERVE).saturating_sub(before);
            if bytes > left {
                let place = given.len() + 1;
                return Err(Box::new(Refused {
                    camera: camera.id.clone(),
                    place: (place, place),
                    need: bytes,
                    left,
                    free,
                    reserve: RESERVE,
                    before,
                    serial_saves: if machine(gpu).serial { 0 } else { budget::serial_saves(own.iter()) },
                }));
            }
        }
        given.insert(camera.id.clone(), camera.clone());
        Ok(Admission { camera: camera.id.clone(), need: bytes, given: Arc::clone(&self.given) })
    }

    /// Is there room for another engine of a model beside the one that serves, and for one camera's contexts of it? Asked
    /// before it is loaded: where host and device share their memory, the system would end a process instead of
    /// answering an error.
    ///
    /// # Errors
    /// [`InferenceError::Manifest`] with the numbers, where the plan's manifest has them and they are too large.
    pub(super) fn beside(&self, model: &Model) -> Result<(), InferenceError> {
        let manifest = Manifest::read(&model.plan).ok().flatten().filter(|_| model.backend == Backend::Tensorrt);
        let Some(memory) = manifest.and_then(|manifest| manifest.memory) else { return Ok(()) };
        let Some(free) = self.gpu.as_ref().and_then(|gpu| free(gpu)) else { return Ok(()) };
        let copies = model.engine_copies.max(1) as u64;
        let need = memory.engine.saturating_mul(copies).saturating_add(memory.activations + memory.context);
        if need <= free.saturating_sub(RESERVE) {
            return Ok(());
        }
        let reason = format!(
            "it needs {} beside the engine that serves, {} are free and {} of them are kept back; restart to use it, or make \
             room first",
            megabytes(need),
            megabytes(free),
            megabytes(RESERVE)
        );
        Err(InferenceError::Manifest { model: model.name.clone(), path: model.plan.clone(), reason })
    }

    /// The checks `memory` and `time`, of all cameras of a configuration together, before anything of them is allocated.
    ///
    /// # Errors
    /// [`InferenceError::Contract`] where memory is too short. Too little time is a warning: then frames are replaced.
    pub(super) fn check(
        &self,
        config: &Config,
        models: &[Arc<LoadedModel>],
        surfaces: Option<&dyn Fn((u32, u32)) -> u64>,
        report: &mut ContractReport,
    ) -> Result<(), InferenceError> {
        let Some(gpu) = self.gpu.as_ref().filter(|_| contract::on_gpu(config)) else { return Ok(()) };
        let skipped = |name: &str, why: &str| Check::new(name, Outcome::Skipped, why, None);
        let needs: Vec<Option<ModelNeed>> = models.iter().map(|model| model.need()).collect();
        if config.cameras.is_empty() || needs.iter().all(Option::is_none) {
            let why =
                if config.cameras.is_empty() { "there is no camera" } else { "no model's engine tells what it takes" };
            report.set(skipped(MEMORY, why));
            report.set(skipped(TIME, why));
            return Ok(());
        }
        report.begin(MEMORY);
        let check = memory(gpu, config, &needs, surfaces);
        if check.outcome == Outcome::Failed {
            return Err(InferenceError::Contract(Box::new(check)));
        }
        report.set(check);
        report.set(time(config, models, &needs));
        Ok(())
    }
}

fn machine(gpu: &Gpu) -> Machine {
    let serial = gpu.gate.configured() == Concurrency::Serial;
    Machine { serial, integrated: gpu.device.info().integrated }
}

fn taken(gpu: &Gpu, usage: gpu::Usage) -> u64 {
    let bytes = if gpu.device.info().integrated { usage.total() } else { usage.device };
    bytes as u64
}

/// Bytes that can be had. Where host and device share their memory, the driver does not count what the host would give
/// back of its file cache (NVIDIA, "CUDA for Tegra", on `cudaMemGetInfo`), and the kernel does.
/// `None` where the driver does not tell: then something else is wrong, which shows soon enough.
fn free(gpu: &Gpu) -> Option<u64> {
    let free = gpu.device.free_memory().ok()?.0 as u64;
    Some(if gpu.device.info().integrated { free.max(process::available_memory().unwrap_or(0)) } else { free })
}

fn need(gpu: &Gpu, camera: &Camera, models: &[&ModelNeed]) -> u64 {
    let machine = machine(gpu);
    let lines = budget::camera(&camera.id, models, frames(camera).size, machine);
    lines.iter().map(|line| line.taken(machine.integrated)).sum()
}

fn memory(
    gpu: &Gpu,
    config: &Config,
    needs: &[Option<ModelNeed>],
    surfaces: Option<&dyn Fn((u32, u32)) -> u64>,
) -> Check {
    let of = |camera: &Camera| -> Vec<&ModelNeed> {
        camera.models.iter().filter_map(|index| needs.get(*index)?.as_ref()).collect()
    };
    let each: Vec<(&str, u64)> =
        config.cameras.iter().map(|camera| (camera.id.as_str(), need(gpu, camera, &of(camera)))).collect();
    let saves =
        if machine(gpu).serial { 0 } else { budget::serial_saves(config.cameras.iter().flat_map(|camera| of(camera))) };
    let Some(free) = free(gpu) else {
        return Check::new(MEMORY, Outcome::Skipped, "the driver does not tell how much is free", None);
    };
    let left = match admit_all(&each, free, RESERVE, saves) {
        Ok(left) => left,
        Err(refused) => return Check::new(MEMORY, Outcome::Failed, &refused.found(), Some(&refused.next())),
    };
    let sum: u64 = each.iter().map(|(_, need)| need).sum();
    let mut found = format!(
        "{} need {}, {} are free after the engines, {} are kept back",
        cameras(each.len()),
        megabytes(sum),
        megabytes(free),
        megabytes(RESERVE)
    );
    let guessed = config.cameras.iter().filter(|camera| frames(camera).size_guessed).count();
    if guessed > 0 {
        let (width, height) = ASSUMED_SIZE;
        found += &format!("; {width}x{height} pixels are assumed of {}", cameras(guessed));
    }
    let on_device = |model: &Model| model.backend != Backend::OnnxruntimeCpu;
    let unknown = config.models.iter().zip(needs).filter(|(model, need)| on_device(model) && need.is_none());
    let unknown: Vec<&str> = unknown.map(|(model, _)| model.name.as_str()).collect();
    if !unknown.is_empty() {
        found += &format!("; what {} takes is not known and not in it", unknown.join(", "));
    }
    // Only there is it certain that they are the device's.
    let decoded: u64 = match surfaces.filter(|_| config.runtime.policy == Policy::GpuOnly) {
        Some(surfaces) => config.cameras.iter().map(|camera| surfaces(frames(camera).size)).sum(),
        None => 0,
    };
    if decoded > left {
        found += &format!("; decoders may need another {}, and {} are left", megabytes(decoded), megabytes(left));
        let next = "see `watchkeeper plan`; a camera whose decoder gets no memory stays offline";
        return Check::new(MEMORY, Outcome::Warning, &found, Some(next));
    }
    Check::new(MEMORY, Outcome::Passed, &found, None)
}

fn time(config: &Config, models: &[Arc<LoadedModel>], needs: &[Option<ModelNeed>]) -> Check {
    let mut works = Vec::new();
    for (index, (loaded, need)) in models.iter().zip(needs).enumerate() {
        let (Some(need), manifest) = (need, loaded.manifest.as_ref()) else { continue };
        let speed = manifest.map_or(&[][..], |manifest| &manifest.speed);
        let dla_core = manifest.and_then(|manifest| manifest.accelerator());
        let runner = Runner { model: &loaded.model, batch: need.batch, speed, dla_core };
        let uses = config.cameras.iter().filter_map(|camera| Use::of(camera, index, frames(camera).fps));
        works.push(runner.work(&uses.collect::<Vec<_>>(), ASSUMED_PEOPLE));
    }
    let sum = busiest(&works);
    if sum <= 1.0 && works.iter().any(|work| work.seconds.is_none()) {
        return Check::new(TIME, Outcome::Skipped, "not all engines say how long they take; build them here", None);
    }
    let count = cameras(config.cameras.len());
    let found = format!("{sum:.2} s of GPU work a second, for {count} with {ASSUMED_PEOPLE} people each");
    if sum > 1.0 {
        let next = "frames will be replaced by newer ones; lower detect_fps, or see `watchkeeper plan`";
        return Check::new(TIME, Outcome::Warning, &found, Some(next));
    }
    Check::new(TIME, Outcome::Passed, &found, None)
}

fn cameras(count: usize) -> String {
    if count == 1 { "1 camera".to_owned() } else { format!("{count} cameras") }
}
