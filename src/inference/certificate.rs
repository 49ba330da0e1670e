//! What a plan's manifest says against using it, asked before TensorRT sees the plan.

use std::path::Path;

use super::InferenceError;
use super::artefact::{Manifest, Platform, Shown, Verified, sha256_of_bytes, sha256_of_file};
use crate::config::{Config, Model};

/// A plan's manifest and what is worth a warning about it.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) manifest: Option<Manifest>,
    pub(super) remarks: Vec<String>,
}

/// Would a start refuse this plan of the model, and why? `None` for `here`: nobody knows what machine this is, and only the
/// files and the agreement are looked at.
///
/// # Errors
/// Where the model file or the plan cannot be read.
pub fn objection(
    model: &Model,
    plan: &Path,
    config: &Config,
    here: Option<&Platform>,
) -> std::io::Result<Option<String>> {
    let (onnx, digest) = (sha256_of_file(&model.onnx)?, sha256_of_file(plan)?);
    let manifest = Manifest::read(plan).ok().flatten();
    let Some(here) = here.or(manifest.as_ref().map(|manifest| &manifest.platform)) else { return Ok(None) };
    Ok(match check(model, plan, config, here, &onnx, &digest) {
        Err(InferenceError::Manifest { reason, .. }) => Some(reason),
        _ => None,
    })
}

/// Digest of what decides a model's answers besides its files: how pictures are prepared and how outputs are read. An
/// engine that agreed under others was not compared under these.
#[must_use]
pub fn settings_sha256(model: &Model) -> String {
    let Model { task, head, input, labels, classes, min_score, nms_iou, nms_across_classes, max_detections, .. } =
        model;
    let thresholds = (min_score, nms_iou, nms_across_classes, max_detections);
    sha256_of_bytes(
        format!("settings/1\n{task:?}\n{head:?}\n{input:?}\n{labels:?}\n{classes:?}\n{thresholds:?}").as_bytes(),
    )
}

/// Reads the manifest beside `plan`, the file behind the configured path, and compares it with this machine and with both files.
///
/// # Errors
/// [`InferenceError::Manifest`] with both values and the command that mends it.
pub(super) fn check(
    model: &Model,
    plan: &Path,
    config: &Config,
    here: &Platform,
    onnx_sha256: &str,
    plan_sha256: &str,
) -> Result<Certificate, InferenceError> {
    let command = |verb: &str| {
        let place = if config.path.as_os_str().is_empty() {
            String::new()
        } else {
            format!(" --config {}", config.path.display())
        };
        format!("watchkeeper engine {verb} {}{place}", model.name)
    };
    let refused =
        |reason: String| Err(InferenceError::Manifest { model: model.name.clone(), path: model.plan.clone(), reason });
    let beside = Manifest::path(plan);
    let manifest = match Manifest::read(plan) {
        Ok(manifest) => manifest,
        Err(error) => {
            return refused(format!("{}: {error}; build the engine anew: {}", beside.display(), command("build")));
        }
    };
    let mut remarks = Vec::new();
    if let Some(manifest) = &manifest {
        let found = manifest.mismatches(here, onnx_sha256, plan_sha256);
        if !found.is_empty() {
            return refused(format!("it is not for here: {}; build it here: {}", Shown(&found), command("build")));
        }
        let found = manifest.remarks(here);
        if !found.is_empty() {
            let words = format!("{}; build it anew to be sure: {}", Shown(&found), command("build"));
            remarks.push(words);
        }
    }
    if let Some(bound) = config.runtime.require_verified {
        match manifest.as_ref().and_then(|manifest| manifest.verified.as_ref()) {
            None => {
                let next = if manifest.is_some() { "verify" } else { "build" };
                return refused(format!(
                    "runtime.require_verified asks for an agreement of {bound}, and nobody verified this engine; do it: {}",
                    command(next)
                ));
            }
            Some(verified) if verified.agreement < bound => {
                let figures: Vec<String> =
                    verified.agreements.iter().map(|(part, value)| format!("{part} {value:.3}")).collect();
                return refused(format!(
                    "its agreement with the model file is {:.3} ({}, {} pictures of {}), and runtime.require_verified asks \
                     for {bound}; build it in a higher precision or with other calibration pictures: {}",
                    verified.agreement,
                    figures.join(", "),
                    verified.pictures,
                    verified.data,
                    command("build")
                ));
            }
            Some(verified) if !verified.is_enough() => {
                return refused(format!(
                    "its agreement with the model file is about {} boxes or crops in {} of {} pictures of {} only, and \
                     runtime.require_verified takes {} in {} pictures or more; verify it with more of them: {}",
                    verified.counted,
                    verified.counted_in,
                    verified.pictures,
                    verified.data,
                    Verified::LEAST,
                    Verified::LEAST_PICTURES,
                    command("verify")
                ));
            }
            Some(verified) if verified.settings_sha256 != settings_sha256(model) => {
                return refused(format!(
                    "runtime.require_verified asks for an agreement of {bound}, and this engine was verified with other \
                     settings (input, head, labels or thresholds of models.{}, or model.toml); do it again: {}",
                    model.name,
                    command("verify")
                ));
            }
            Some(_) => {}
        }
    }
    Ok(Certificate { manifest, remarks })
}
