//! Devices and libraries that run models.

use std::sync::Arc;

use super::contract::{self, ContractReport};
use super::device::Gpu;
use super::health::Health;
use super::onnxruntime::Workers;
use super::tensorrt::TensorRt;
use super::{InferenceError, library};
use crate::config::{Backend, Config};

/// What runs models. A library is loaded where a model needs it, and never otherwise.
pub(super) struct Backends<'a> {
    pub(super) config: &'a Config,
    pub(super) health: Arc<Health>,
    pub(super) report: &'a mut ContractReport,
    pub(super) gpu: Option<Arc<Gpu>>,
    tensorrt: Option<Arc<TensorRt>>,
    onnxruntime: Option<onnxruntime::Runtime>,
    workers: Option<Arc<Workers>>,
}

impl<'a> Backends<'a> {
    /// Nothing is open yet.
    pub(super) fn new(config: &'a Config, health: &Arc<Health>, report: &'a mut ContractReport) -> Self {
        let health = Arc::clone(health);
        Self { config, health, report, gpu: None, tensorrt: None, onnxruntime: None, workers: None }
    }

    /// The device and what computes on it, before any other library may touch CUDA.
    pub(super) fn open(&mut self) -> Result<(), InferenceError> {
        if contract::on_gpu(self.config) {
            self.gpu()?;
        }
        if self.config.models.iter().any(|model| model.backend == Backend::Tensorrt) {
            self.tensorrt()?;
        }
        if contract::onnxruntime_on_gpu(self.config) {
            self.report.begin(contract::ONNXRUNTIME);
            let runtime = self.onnxruntime()?;
            self.report
                .passed(contract::ONNXRUNTIME, &format!("{}: {}", runtime.path().display(), runtime.build_info()));
        }
        Ok(())
    }

    /// What is open, for engines that are loaded later.
    pub(super) fn opened(&self) -> Opened {
        Opened {
            gpu: self.gpu.clone(),
            tensorrt: self.tensorrt.clone(),
            onnxruntime: self.onnxruntime.clone(),
            workers: self.workers.clone(),
        }
    }

    pub(super) fn gpu(&mut self) -> Result<Arc<Gpu>, InferenceError> {
        let gpu = match self.gpu.take() {
            Some(gpu) => gpu,
            None => Gpu::open(self.config.runtime.concurrency, &self.health, self.report)?,
        };
        Ok(Arc::clone(self.gpu.insert(gpu)))
    }

    pub(super) fn tensorrt(&mut self) -> Result<Arc<TensorRt>, InferenceError> {
        let tensorrt = match self.tensorrt.take() {
            Some(tensorrt) => tensorrt,
            None => {
                let gpu = self.gpu()?;
                TensorRt::open(self.config.runtime.tensorrt_library.as_deref(), &gpu, self.report)?
            }
        };
        Ok(Arc::clone(self.tensorrt.insert(tensorrt)))
    }

    pub(super) fn onnxruntime(&mut self) -> Result<onnxruntime::Runtime, InferenceError> {
        if let Some(runtime) = &self.onnxruntime {
            return Ok(runtime.clone());
        }
        let runtime = library::load(self.config.runtime.onnxruntime_library.as_deref())?;
        tracing::info!(path = %runtime.path().display(), build = runtime.build_info(), "ONNX Runtime loaded");
        Ok(self.onnxruntime.insert(runtime).clone())
    }

    /// Threads for inference on the CPU.
    pub(super) fn workers(&mut self) -> Result<Arc<Workers>, InferenceError> {
        let workers = match self.workers.take() {
            Some(workers) => workers,
            None => Workers::start(self.config.runtime.inference_workers)
                .map_err(|error| InferenceError::Library { tried: format!("  no thread for inference: {error}") })?,
        };
        Ok(Arc::clone(self.workers.insert(workers)))
    }
}

/// Devices and libraries that a manager has open.
#[derive(Clone)]
pub(super) struct Opened {
    pub(super) tensorrt: Option<Arc<TensorRt>>,
    onnxruntime: Option<onnxruntime::Runtime>,
    workers: Option<Arc<Workers>>,
    pub(super) gpu: Option<Arc<Gpu>>,
}

impl Opened {
    /// To load further engines with.
    pub(super) fn backends<'a>(
        &self,
        config: &'a Config,
        health: &Arc<Health>,
        report: &'a mut ContractReport,
    ) -> Backends<'a> {
        let Self { gpu, tensorrt, onnxruntime, workers } = self.clone();
        Backends { config, health: Arc::clone(health), report, gpu, tensorrt, onnxruntime, workers }
    }
}
