//! What is known of engines and device without asking either.

use crate::config::{Backend, Config, Model};
use crate::inference::artefact::{Manifest, Memory};
use crate::inference::budget::{self, ModelNeed};
use crate::pipeline;

/// What is known of a model.
pub(super) struct Facts {
    pub(super) need: Need,
    pub(super) manifest: Option<Manifest>,
}

/// What it takes of the device.
pub(super) enum Need {
    /// As its manifest says.
    Known(Box<ModelNeed>),
    /// Nothing: it runs on the CPU.
    Nothing,
    /// Nobody knows, and why.
    Unknown(String),
}

impl Facts {
    pub(super) fn of(model: &Model, config: &Config) -> Self {
        let none = |need| Self { need, manifest: None };
        match model.backend {
            Backend::Tensorrt => {}
            Backend::OnnxruntimeCpu => return none(Need::Nothing),
            Backend::OnnxruntimeCuda | Backend::OnnxruntimeTensorrt => {
                let words = "not known: ONNX Runtime tells nothing beforehand; watchkeeper bench measures it";
                return none(Need::Unknown(words.to_owned()));
            }
        }
        let command = format!("watchkeeper engine build {} --config {}", model.name, config.path.display());
        let manifest = match Manifest::read(&model.plan) {
            Ok(manifest) => manifest,
            Err(error) => {
                return none(Need::Unknown(format!("not known: its manifest: {error}; build it with: {command}")));
            }
        };
        let other = manifest
            .as_ref()
            .is_some_and(|manifest| std::fs::metadata(&model.plan).is_ok_and(|plan| plan.len() != manifest.plan.bytes));
        if other {
            return none(Need::Unknown(format!(
                "not known: its manifest is of another plan; build it with: {command}"
            )));
        }
        let memory: Option<&Memory> = manifest.as_ref().and_then(|manifest| manifest.memory.as_ref());
        let need = match memory {
            Some(memory) => {
                // One that does not fit its head has no more to tell than its memory.
                let filter = pipeline::fits_head(model, &budget::io(memory)).ok().flatten();
                Need::Known(Box::new(ModelNeed::new(model, memory, filter)))
            }
            None => Need::Unknown(format!("not known: build it with: {command}")),
        };
        Self { need, manifest }
    }

    pub(super) fn known(&self) -> Option<&ModelNeed> {
        match &self.need {
            Need::Known(need) => Some(need),
            Need::Nothing | Need::Unknown(_) => None,
        }
    }
}

/// The device that is planned for.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub(super) struct Device {
    /// `None` where none is known.
    pub(super) name: Option<String>,
    /// `None` where nobody says.
    pub(super) memory_bytes: Option<u64>,
    /// Host and device share their memory.
    pub(super) integrated: bool,
    /// Who says.
    pub(super) from: &'static str,
}

impl Device {
    /// The one that the engines were built on, or else the one here, with `memory` bytes where that is said.
    pub(super) fn of(memory: Option<u64>, facts: &[Facts]) -> Self {
        let built_on = facts.iter().find_map(|facts| Some(&facts.manifest.as_ref()?.platform.gpu));
        let mut device = match built_on {
            Some(gpu) => Self {
                name: Some(gpu.name.clone()),
                memory_bytes: Some(gpu.memory_bytes),
                integrated: gpu.integrated,
                from: "manifest",
            },
            None => Self::here(),
        };
        if memory.is_some() {
            (device.memory_bytes, device.from) = (memory, "--device-memory-mb");
        }
        device
    }

    /// Asked for without taking it into use.
    fn here() -> Self {
        let devices = gpu::Driver::load().and_then(|driver| driver.devices()).unwrap_or_default();
        match devices.into_iter().next() {
            Some(info) => Self {
                memory_bytes: Some(info.total_memory as u64),
                name: Some(info.name),
                integrated: info.integrated,
                from: "device",
            },
            None => Self { from: "nobody", ..Self::default() },
        }
    }
}
