//! A loaded engine proves itself: it runs, and its answer is the recorded one.

use std::sync::Arc;
use std::time::Instant;

use super::device::Gpu;
use super::golden::{self, Prepare};
use super::manager::{LoadedModel, lane, max_batch};
use super::{Check, Context, ContractReport, InferenceError, Outcome, contract};
use crate::config::{Backend, Model, Precision};
use crate::types::tensor::{ModelIo, TensorSpec};

/// Has an engine run, each copy of it, and its answer compared.
pub(super) fn prove(
    loaded: &LoadedModel,
    gpu: Option<&Arc<Gpu>>,
    prepare: Option<Prepare<'_>>,
    report: &mut ContractReport,
) -> Result<(), InferenceError> {
    let model = &loaded.model;
    let prepare = prepare.filter(|_| golden::is_asked(report.policy, model));
    let began = Instant::now();
    // Contexts take turns with the copies, so each gets its own.
    let runs = (0..model.engine_copies.max(1)).map(|_| first_run(loaded, gpu, prepare));
    let answers = runs.collect::<Result<Vec<_>, _>>()?;
    tracing::info!(model = %model.name, took_ms = began.elapsed().as_millis(), "engine warm");
    let name = contract::engine(&model.name);
    if loaded.remarks.is_empty() {
        report.passed(&name, &describe(loaded.io()));
    } else {
        let remarks = loaded.remarks.join("; ");
        report.set(Check::new(&name, Outcome::Warning, &format!("{}: {remarks}", describe(loaded.io())), None));
    }
    let check = match (prepare, gpu) {
        (Some(_), Some(gpu)) => {
            let built = loaded.manifest.as_ref().and_then(|manifest| manifest.golden.as_ref());
            let model = as_built(loaded);
            golden::check(&model, &loaded.onnx_sha256, gpu.device.info().compute_capability, built, &answers)
        }
        _ => {
            let why = "recordings are made with this provider";
            let why = if model.backend == Backend::OnnxruntimeCpu { why } else { "not asked" };
            Check::new(&contract::golden(&model.name), Outcome::Skipped, why, None)
        }
    };
    if check.outcome == Outcome::Failed {
        return Err(InferenceError::Contract(Box::new(check)));
    }
    report.set(check);
    Ok(())
}

/// The model with the precision that its plan really has, whatever the configuration asks for.
fn as_built(loaded: &LoadedModel) -> Model {
    let said = loaded.manifest.as_ref().map(|manifest| manifest.options.precision.as_str());
    let known = said.and_then(|said| Precision::ALL.into_iter().find(|precision| precision.name() == said));
    Model { precision: known.or(loaded.model.precision), ..Model::clone(&loaded.model) }
}

/// Runs a model once, and once with its largest batch: what it allocates lazily it allocates now, and what it cannot do
/// shows now. The answer is about the golden picture; without `prepare` there is none.
pub(super) fn first_run(
    loaded: &LoadedModel,
    gpu: Option<&Arc<Gpu>>,
    prepare: Option<Prepare<'_>>,
) -> Result<Vec<golden::Answer>, InferenceError> {
    let model = &loaded.model;
    // What a plan or a provider cannot do on this device is not the daemon's fault.
    let misfit = |error| match (model.backend, error) {
        (Backend::Tensorrt, InferenceError::Run { model: name, reason }) => {
            InferenceError::Plan { model: name, path: model.plan.clone(), reason }
        }
        (Backend::OnnxruntimeCuda | Backend::OnnxruntimeTensorrt, InferenceError::Run { model: name, reason }) => {
            InferenceError::Gpu { reason: format!("model {name:?}: {reason}") }
        }
        (_, error) => error,
    };
    let lane = lane("warm-up", gpu)?;
    let mut context = loaded.engine.create_context(&lane, max_batch(model)).map_err(misfit)?;
    let run = |context: Box<dyn Context>| {
        let (context, result) = context.submit().wait()?;
        result.map(|()| context)
    };
    let most = context.max_batch();
    if most > 1 {
        context.set_batch(most).map_err(misfit)?;
        context = run(context).map_err(misfit)?;
        context.set_batch(1).map_err(misfit)?;
    }
    match prepare {
        Some(prepare) => golden::answer(model, loaded.io(), context, prepare).map_err(misfit),
        None => run(context).map_err(misfit).map(|_| Vec::new()),
    }
}

/// What it takes and gives, in words.
pub(super) fn describe(io: &ModelIo) -> String {
    let list =
        |specs: &[TensorSpec]| specs.iter().map(|spec| format!("{} {spec}", spec.name)).collect::<Vec<_>>().join(", ");
    format!("{} -> {}", list(&io.inputs), list(&io.outputs))
}
