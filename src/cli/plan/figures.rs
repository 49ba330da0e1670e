//! From facts to figures.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::{Device, Facts};
use crate::config::{Camera, Concurrency, Config, Policy, SourceKind};
use crate::inference::budget::{
    self, Basis, Frames, Line, Machine, ModelNeed, Part, RESERVE, Refused, Runner, Use, admit_all,
};
use crate::source;

/// What the CUDA context, kernels and TensorRT's libraries take where nobody measured it. No document gives a figure: it
/// depends on GPU and driver, and is some 100 to 600 MB.
const PROCESS: u64 = 300 << 20;
const PROCESS_INTEGRATED: u64 = 150 << 20;

/// A camera that is planned for.
pub(super) struct Planned {
    pub(super) camera: Camera,
    pub(super) frames: Frames,
}

impl Planned {
    pub(super) fn new(camera: &Camera, id: Option<String>) -> Self {
        let camera = Camera { id: id.unwrap_or_else(|| camera.id.clone()), ..camera.clone() };
        Self { frames: budget::frames(&camera), camera }
    }

    /// Surfaces of a hardware decoder; 0 where it is not said that there is one.
    fn surfaces(&self, config: &Config) -> u64 {
        let coded =
            matches!(self.camera.source, SourceKind::Rtsp { .. } | SourceKind::Http { .. } | SourceKind::File { .. });
        if coded && config.runtime.policy == Policy::GpuOnly { source::surfaces(self.frames.size) } else { 0 }
    }
}

/// Memory. All in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub(super) lines: Vec<Line>,
    /// As the metric `device_memory_bytes` has them: device, and host memory that is locked for it.
    pub(super) owners: BTreeMap<String, u64>,
    /// On the device, without estimates.
    pub(super) device_bytes: u64,
    /// The estimates.
    pub(super) estimated_bytes: u64,
    /// Kept back.
    pub(super) reserve_bytes: u64,
    /// Free on the device with all engines loaded; `None`: nobody says how much it has.
    pub(super) free_after_engines_bytes: Option<u64>,
    /// Left with all cameras; `None` where they do not fit, too.
    pub(super) left_bytes: Option<u64>,
    /// Cameras that there is room for, in their order.
    pub(super) fitting_cameras: Option<usize>,
    /// What `runtime.concurrency = "serial"` would save.
    pub(super) serial_saves_bytes: u64,
    /// What each camera needs.
    pub(super) cameras: BTreeMap<String, u64>,
    #[serde(skip)]
    pub(super) refused: Option<Box<Refused>>,
}

impl Memory {
    pub(super) fn new(config: &Config, device: &Device, facts: &[Facts], cameras: &[Planned]) -> Self {
        let machine =
            Machine { serial: config.runtime.concurrency == Concurrency::Serial, integrated: device.integrated };
        let of = |planned: &Planned| -> Vec<&ModelNeed> {
            planned.camera.models.iter().filter_map(|index| facts.get(*index)?.known()).collect()
        };
        let known = || facts.iter().filter_map(Facts::known);
        let mut lines = Vec::from_iter(process(device, facts));
        lines.extend(known().map(budget::engine));
        lines.extend(budget::scratch(known(), machine));
        let taken = |lines: &[Line]| lines.iter().map(|line| line.taken(machine.integrated)).sum::<u64>();
        let engines = taken(&lines);
        let (mut needs, mut decoders) = (Vec::with_capacity(cameras.len()), Vec::new());
        for planned in cameras {
            let id = &planned.camera.id;
            let of_it = budget::camera(id, &of(planned), planned.frames.size, machine);
            let surfaces = planned.surfaces(config);
            if surfaces > 0 {
                let owner = format!("decoder {id}");
                decoders.push(Line::on_device(&owner, Part::Surfaces, None, surfaces, Basis::Estimate));
            }
            needs.push((id.as_str(), taken(&of_it) + surfaces));
            lines.extend(of_it);
        }
        lines.extend(decoders);
        let saves = if machine.serial { 0 } else { budget::serial_saves(cameras.iter().flat_map(of)) };
        let free = device.memory_bytes.map(|total| total.saturating_sub(engines));
        let admitted = free.map(|free| admit_all(&needs, free, RESERVE, saves));
        let mut owners = BTreeMap::new();
        for line in lines.iter().filter(|line| !matches!(line.part, Part::Process | Part::Surfaces)) {
            *owners.entry(line.owner.clone()).or_default() += line.total();
        }
        let (estimates, figures): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.basis == Basis::Estimate);
        Self {
            owners,
            device_bytes: figures.iter().map(|line| line.device).sum(),
            estimated_bytes: estimates.iter().map(|line| line.device).sum(),
            reserve_bytes: RESERVE,
            free_after_engines_bytes: free,
            left_bytes: admitted.as_ref().and_then(|admitted| admitted.as_ref().ok().copied()),
            fitting_cameras: admitted.as_ref().map(|admitted| match admitted {
                Ok(_) => cameras.len(),
                Err(refused) => refused.place.0 - 1,
            }),
            serial_saves_bytes: saves,
            cameras: needs.iter().map(|(id, need)| ((*id).to_owned(), *need)).collect(),
            refused: admitted.and_then(Result::err),
            lines,
        }
    }
}

/// The CUDA context and libraries; `None` where no model runs on a GPU.
fn process(device: &Device, facts: &[Facts]) -> Option<Line> {
    let on_gpu = |facts: &&Facts| !matches!(facts.need, super::facts::Need::Nothing);
    facts.iter().find(on_gpu)?;
    // A build beside a running daemon counts that daemon, too: the least is the truest.
    let measured = facts.iter().filter_map(|facts| facts.manifest.as_ref()?.memory.as_ref()?.process).min();
    let guess = if device.integrated { PROCESS_INTEGRATED } else { PROCESS };
    let basis = if measured.is_some() { Basis::Measured } else { Basis::Estimate };
    Some(Line::on_device("process", Part::Process, None, measured.unwrap_or(guess), basis))
}

/// Time.
#[derive(Debug, Serialize)]
pub(super) struct Time {
    pub(super) models: Vec<ModelTime>,
    /// Of the GPU in a second, of those models whose runs were measured.
    pub(super) seconds: f64,
    /// Of the busiest in a second: the GPU, or an accelerator.
    pub(super) busiest_seconds: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct ModelTime {
    pub(super) model: String,
    pub(super) runs_per_s: f64,
    /// Of a run, on average; `None`: not measured.
    pub(super) ms: Option<f64>,
    /// In a second; `None`: not measured.
    pub(super) seconds: Option<f64>,
    /// The accelerator that it runs on instead of the GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dla_core: Option<u32>,
}

impl Time {
    pub(super) fn new(config: &Config, facts: &[Facts], cameras: &[Planned], people: f64) -> Self {
        let (mut models, mut works) = (Vec::new(), Vec::new());
        for (index, (model, facts)) in config.models.iter().zip(facts).enumerate() {
            if matches!(facts.need, super::facts::Need::Nothing) {
                continue;
            }
            let manifest = facts.manifest.as_ref();
            let runner = Runner {
                model,
                batch: facts.known().map_or(model.max_batch, |need| need.batch),
                speed: manifest.map_or(&[], |manifest| &manifest.speed),
                dla_core: manifest.and_then(|manifest| manifest.accelerator()),
            };
            let uses = cameras.iter().filter_map(|planned| Use::of(&planned.camera, index, planned.frames.fps));
            let work = runner.work(&uses.collect::<Vec<_>>(), people);
            models.push(ModelTime {
                ms: work.seconds.filter(|_| work.runs > 0.0).map(|seconds| seconds * 1e3 / work.runs),
                model: work.model.clone(),
                runs_per_s: work.runs,
                seconds: work.seconds,
                dla_core: work.dla_core,
            });
            works.push(work);
        }
        let of_gpu = models.iter().filter(|time| time.dla_core.is_none());
        // A sum of nothing is -0.
        let seconds = of_gpu.filter_map(|time| time.seconds).sum::<f64>() + 0.0;
        Self { seconds, busiest_seconds: budget::busiest(&works), models }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.models.iter().all(|time| time.seconds.is_some() || time.runs_per_s == 0.0)
    }
}
