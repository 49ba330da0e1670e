//! Golden inference: an engine's answer about a fixed picture, compared with the one that the CPU gave.
//!
//! An engine that loads and runs may still compute wrongly: built from another model, quantised badly, or by a TensorRT
//! with a bug. The picture goes the way that frames go, so what prepares it is proven, too.

mod compare;
mod layout;
mod picture;
mod recording;

use std::io::ErrorKind;
use std::sync::Arc;

pub use picture::CROP;
pub use recording::Recording;

use super::{Check, Context, FrameRef, InferenceError, Outcome, contract};
use crate::config::{Backend, Model, Policy};
use crate::types::tensor::{ModelIo, TensorData};

/// Puts a frame into a model's inputs as the pipeline does, the box [`CROP`] of it where the model looks at crops.
pub type Prepare<'a> = &'a dyn Fn(&Arc<Model>, &ModelIo, &mut dyn Context, &FrameRef<'_>) -> Result<(), InferenceError>;

/// One output.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

impl Answer {
    fn l2(&self) -> f64 {
        self.values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
    }
}

/// Is a golden inference asked of the model? The CPU provider is what recordings are made with.
pub(super) fn is_asked(policy: Policy, model: &Model) -> bool {
    policy == Policy::GpuOnly || model.backend != Backend::OnnxruntimeCpu
}

/// Runs the model on the picture and reads what heads could read.
pub(super) fn answer(
    model: &Arc<Model>,
    io: &ModelIo,
    mut context: Box<dyn Context>,
    prepare: Prepare<'_>,
) -> Result<Vec<Answer>, InferenceError> {
    let street = picture::Street::new();
    prepare(model, io, context.as_mut(), &FrameRef { tag: (0, 0), picture: street.picture() })?;
    let (context, result) = context.submit().wait()?;
    result?;
    let mut answers = Vec::with_capacity(io.outputs.len());
    for (index, spec) in io.outputs.iter().enumerate() {
        let Ok(output) = context.output(index) else { continue };
        let values = match output.data {
            TensorData::F32(values) => values.to_vec(),
            TensorData::I64(values) => values.iter().map(|value| *value as f32).collect(),
            TensorData::I32(values) => values.iter().map(|value| *value as f32).collect(),
            TensorData::U8(values) => values.iter().map(|value| f32::from(*value)).collect(),
            // Only where a context was asked to leave values out.
            TensorData::Survivors(_) => continue,
        };
        answers.push(Answer { name: spec.name.clone(), shape: output.shape.to_vec(), values });
    }
    Ok(answers)
}

/// The recording of these answers, from a provider that is trusted.
///
/// # Errors
/// Where they are no answers.
pub(super) fn record(
    model: &Model,
    sha256: &str,
    provider: &str,
    answers: &[Answer],
) -> Result<Recording, InferenceError> {
    compare::are_sound(answers)
        .map_err(|reason| InferenceError::Run { model: model.name.clone(), reason: format!("the model {reason}") })?;
    Ok(Recording::new(model, sha256, provider, answers))
}

/// The check `golden <model>`: the answers of each copy of an engine against what the plan answered when it was built, and
/// against the recording beside the model file. `capability` is the device's.
pub(super) fn check(
    model: &Model,
    sha256: &str,
    capability: (u32, u32),
    built: Option<&Recording>,
    copies: &[Vec<Answer>],
) -> Check {
    let name = contract::golden(&model.name);
    let failed = |found: &str, next: &str| Check::new(&name, Outcome::Failed, found, Some(next));
    let wrong = |reason: &str, next: &str| failed(&format!("engine {:?} computes wrongly: {reason}", model.name), next);
    let onnx = model.onnx.display();
    if let Some(reason) = copies.iter().find_map(|answers| compare::are_sound(answers).err()) {
        return wrong(&format!("it {reason}"), &format!("build it anew from {onnx}, in a higher precision"));
    }
    let since = match built.map(|built| since_built(built, model, sha256, copies)) {
        Some(Since::Changed(reason)) => {
            let found = format!("engine {:?} does not answer as when it was built: {reason}", model.name);
            let next = format!(
                "look for a new driver, an overheated or failing memory (watchkeeper doctor), or another version of \
                 Watchkeeper, which may prepare pictures otherwise; if it is one of these, build it anew: watchkeeper engine \
                 build {}",
                model.name
            );
            return failed(&found, &next);
        }
        other => other,
    };
    let path = Recording::path(&model.onnx);
    // The file is of the CPU; where there is none, the plan's own first answer is better than nothing.
    let unproven = |reason: &str| {
        if let Some(Since::Same(off)) = since {
            let words =
                format!("the answer is as when it was built ({off:.1e} off), and was not compared with the CPU's");
            return Check::new(&name, Outcome::Passed, &format!("{words}: {}: {reason}", path.display()), None);
        }
        let found = format!("the answer is finite and varies, but was not compared: {}: {reason}", path.display());
        let next = "record it with `watchkeeper engine golden` on a machine with ONNX Runtime";
        Check::new(&name, Outcome::Warning, &found, Some(next))
    };
    let recording = match Recording::read(&path) {
        Ok(recording) => recording,
        Err(error) if error.kind() == ErrorKind::NotFound => return unproven("no such file"),
        Err(error) => return unproven(&error.to_string()),
    };
    if let Err(reason) = recording.is_of(model, sha256) {
        return unproven(&reason);
    }
    let allowed = compare::allowed(&recording, model.precision, capability);
    match farthest(&recording, copies, &allowed) {
        Ok(off) => {
            let since = match since {
                Some(Since::Same(off)) => format!("; {off:.1e} off what it was when it was built"),
                Some(Since::Unknown(reason)) => format!("; not compared with when it was built: {reason}"),
                Some(Since::Changed(_)) | None => String::new(),
            };
            let found = format!("the answer is {off:.1e} off the recording, {allowed}{since}");
            Check::new(&name, Outcome::Passed, &found, None)
        }
        Err(reason) => {
            let next = format!(
                "build it anew from {onnx}, on this device; if it is of another precision, set models.{}.precision",
                model.name
            );
            wrong(&reason, &next)
        }
    }
}

/// A plan's answer, and the one it gave when it was built.
enum Since {
    /// So far off, which is little.
    Same(f64),
    /// Too far off.
    Changed(String),
    /// They cannot be compared.
    Unknown(String),
}

fn since_built(built: &Recording, model: &Model, sha256: &str, copies: &[Vec<Answer>]) -> Since {
    if let Err(reason) = built.is_of(model, sha256) {
        return Since::Unknown(reason);
    }
    match farthest(built, copies, &compare::allowed_for_the_same_plan()) {
        Ok(off) => Since::Same(off),
        Err(reason) => Since::Changed(reason),
    }
}

/// The largest difference of any copy, or what is wrong with one.
fn farthest(recording: &Recording, copies: &[Vec<Answer>], allowed: &compare::Allowed) -> Result<f64, String> {
    let mut off = copies.iter().map(|answers| compare::difference(recording, answers, allowed));
    off.try_fold(0.0_f64, |most, off| Ok(most.max(off?)))
}

#[cfg(test)]
mod tests;
