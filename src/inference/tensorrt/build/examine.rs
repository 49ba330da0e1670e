//! What a new plan answers, takes and costs, before anybody may use it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::inference::artefact::{Memory, Placement, Speed};
use crate::inference::device::Gpu;
use crate::inference::golden::{self, Prepare, Recording};
use crate::inference::manager::{LoadedModel, lane, max_batch};
use crate::inference::prove::first_run;
use crate::inference::{Check, Context, InferenceError};

const WARM_UP: usize = 5;
const RUNS: usize = 50;
/// Measuring a batch ends after this long, whatever was measured.
const LONGEST: Duration = Duration::from_secs(2);

/// What is known of an engine that ran.
#[derive(Clone, Debug)]
pub struct Examined {
    /// Its answer about the golden picture.
    pub golden: Recording,
    /// That answer against the one recorded beside the model file.
    pub check: Check,
    /// What its layers run on, where it is for an accelerator and tells.
    pub placement: Option<Placement>,
    /// Device memory; `None` where the model is not on the device.
    pub memory: Option<Memory>,
    /// Time of a run, by batch.
    pub speed: Vec<Speed>,
}

/// Runs an engine that was just loaded.
///
/// # Errors
/// Where it gives no answer, or none that can be one.
pub(in crate::inference) fn examine(
    loaded: &LoadedModel,
    gpu: Option<&Arc<Gpu>>,
    prepare: Prepare<'_>,
) -> Result<Examined, InferenceError> {
    let answers = first_run(loaded, gpu, Some(prepare))?;
    let recording = golden::record(&loaded.model, &loaded.onnx_sha256, loaded.provider(), &answers)?;
    let capability = gpu.map_or((0, 0), |gpu| gpu.device.info().compute_capability);
    let check = golden::check(&loaded.model, &loaded.onnx_sha256, capability, None, &[answers]);
    let lane = lane("measured", gpu)?;
    let mut context = loaded.engine.create_context(&lane, max_batch(&loaded.model))?;
    let mut speed = Vec::new();
    let most = context.max_batch();
    for batch in [1, most].iter().take(if most > 1 { 2 } else { 1 }) {
        let measured;
        (context, measured) = measure(context, *batch)?;
        speed.push(measured);
    }
    let accelerated = loaded.manifest.as_ref().is_some_and(|manifest| manifest.options.dla_core.is_some());
    let placement = if accelerated { loaded.engine.placement() } else { None };
    Ok(Examined { golden: recording, check, placement, memory: loaded.memory(), speed })
}

fn measure(mut context: Box<dyn Context>, batch: usize) -> Result<(Box<dyn Context>, Speed), InferenceError> {
    context.set_batch(batch)?;
    let mut times = Vec::with_capacity(RUNS);
    let began = Instant::now();
    for run in 0..WARM_UP + RUNS {
        if began.elapsed() > LONGEST && times.len() > 1 {
            break;
        }
        let at = Instant::now();
        let result;
        (context, result) = context.submit().wait()?;
        result?;
        if run >= WARM_UP || began.elapsed() > LONGEST {
            times.push(at.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times.get(((times.len() - 1) as f64 * part).ceil() as usize).copied().unwrap_or_default();
    let speed = Speed { batch: batch as u32, median_ms: at(0.5), p99_ms: at(0.99), runs: times.len() as u32 };
    Ok((context, speed))
}
