//! A plan without a model: what TensorRT tells of it, and what it takes.

use std::sync::Arc;

use tensorrt_rs::enums::{AllocationStrategy, EngineStat, ProfilingVerbosity, TensorIOMode};
use tensorrt_rs::{Engine, TensorInfo};

use super::bind::{self, Broken};
use super::{TensorRt, engine, io};
use crate::inference::artefact::{Memory, Placement, Range};
use crate::inference::file::PlanFile;
use crate::inference::inspection::{Inspection, Layers, Placement as Device, TensorFacts};

/// Loads `file`, makes a context of it, and asks both.
///
/// # Errors
/// Where the plan is none, or none for here, or memory is short.
pub(in crate::inference) fn inspect(trt: &Arc<TensorRt>, name: &str, file: &PlanFile) -> Result<Inspection, String> {
    asked(trt, name, file).map_err(|error| error.to_string())
}

fn asked(trt: &Arc<TensorRt>, name: &str, file: &PlanFile) -> Result<Inspection, Broken> {
    let loaded = engine::deserialise(trt, name, file)?;
    let engine = &loaded.engine;
    let (context, tensors) = measure(trt, engine)?;
    let by_profile = (0..engine.profile_count()).map(|profile| engine.device_memory_size_for_profile(profile));
    let memory = Memory {
        engine: loaded.weights.bytes() as u64,
        activations: engine::activations(engine)?,
        context,
        process: trt.process_bytes,
        tensors,
    };
    Ok(Inspection {
        sha256: file.sha256().to_owned(),
        bytes: file.bytes().len() as u64,
        platform: trt.platform.clone(),
        name: engine.name().to_owned(),
        tensors: engine.inputs().chain(engine.outputs()).map(facts).collect(),
        activations_by_profile: by_profile.collect::<Result<_, _>>().unwrap_or_default(),
        memory,
        weights_bytes: engine.stat(EngineStat::TotalWeightsSize).ok(),
        aux_streams: engine.aux_stream_count().unwrap_or(0),
        refittable: engine.is_refittable().unwrap_or(false),
        hardware_compatibility: engine.hardware_compatibility().map_or("UNKNOWN", |level| level.name()),
        layers: layers(engine),
    })
}

fn layers(engine: &Arc<Engine>) -> Layers {
    let verbosity = engine.profiling_verbosity().unwrap_or(ProfilingVerbosity::None);
    let json = engine.create_inspector().and_then(|mut inspector| inspector.engine_json()).unwrap_or_default();
    let count = usize::try_from(engine.layer_count().unwrap_or(0)).unwrap_or(0);
    Layers::parse(&json, count, verbosity.name())
}

/// What the layers of an engine run on; `None`: it does not tell.
pub(super) fn placement(engine: &Arc<Engine>) -> Option<Placement> {
    let layers = layers(engine);
    let on = |device| layers.at_work_on(device).and_then(|count| u32::try_from(count).ok());
    Some(Placement { gpu: on(Device::Gpu)?, dla: on(Device::Dla)? })
}

/// Bytes of a context besides its activations, and what it needs buffers for.
fn measure(trt: &TensorRt, engine: &Arc<Engine>) -> Result<(u64, Vec<crate::inference::artefact::Tensor>), Broken> {
    let free = || trt.gpu.device.free_memory().map(|(free, _)| free as u64).map_err(gpu::Error::from);
    let before = free()?;
    let mut context = engine.create_context_with(AllocationStrategy::Static)?;
    let took = before.saturating_sub(free()?);
    let most = io::most_pictures(engine.inputs(), usize::MAX);
    let largest = bind::set_shapes(&mut context, most)?;
    Ok((took.saturating_sub(engine::activations(engine)?), io::tensors(engine, &largest)))
}

fn facts(tensor: &TensorInfo) -> TensorFacts {
    let shape = |dims: &tensorrt_rs::Dims| dims.as_slice().to_vec();
    TensorFacts {
        name: tensor.name.clone(),
        input: tensor.mode == TensorIOMode::Input,
        element: tensor.data_type.name(),
        shape: shape(&tensor.shape),
        location: tensor.location.name(),
        format: tensor.layouts.first().map(|layout| layout.description.clone()).unwrap_or_default(),
        profiles: (tensor.ranges.iter())
            .map(|range| Range { min: shape(&range.min), opt: shape(&range.opt), max: shape(&range.max) })
            .collect(),
    }
}
