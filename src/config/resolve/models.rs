//! `[models.<name>]` as meant.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::file::{self, Backend, Channels, Provider};
use crate::config::meaning::{self, Fit, Head, Input, Model};
use crate::config::report::Report;

use super::{existing_file, labels};

/// All models in order of name.
pub(super) fn resolve(written: &BTreeMap<String, file::Model>, report: &mut Report) -> Vec<Arc<Model>> {
    written.iter().map(|(name, written)| Arc::new(model(name, written, report))).collect()
}

fn model(name: &str, written: &file::Model, report: &mut Report) -> Model {
    let key = format!("models.{name}");
    backend(written, &key, report);
    let (labels, classes) = labels::resolve(written, &key, report);
    // A missing head has been reported; any will do to look at the rest.
    let head = written.head.unwrap_or(Head::Yolo);
    Model {
        name: name.to_owned(),
        onnx: written.onnx.as_deref().map_or_else(PathBuf::new, |p| existing_file(p, &format!("{key}.onnx"), report)),
        backend: meaning::Backend::OnnxruntimeCpu,
        precision: written.precision,
        head,
        input: input(&written.input, head),
        labels,
        classes,
        min_score: written.min_score as f32,
        nms_iou: written.nms_iou as f32,
        nms_across_classes: written.nms_across_classes,
        max_detections: written.max_detections as usize,
    }
}

fn backend(written: &file::Model, key: &str, report: &mut Report) {
    const THIS_VERSION: &str = "this version runs backend = \"onnxruntime\" with provider = \"cpu\" only";
    let (backend_key, provider_key) = (format!("{key}.backend"), format!("{key}.provider"));
    if report.has(&backend_key) {
        return;
    }
    match (written.backend, written.provider) {
        (Backend::Tensorrt, provider) => {
            let default = if report.written(&backend_key) { "" } else { " (the default)" };
            report.problem(backend_key, format!("\"tensorrt\"{default} is not there yet; {THIS_VERSION}"));
            if provider.is_some() {
                report.problem(provider_key, "is for backend = \"onnxruntime\"; take it out");
            }
        }
        (Backend::Onnxruntime, None | Some(Provider::Cpu)) => {}
        (Backend::Onnxruntime, Some(provider)) => {
            let word = if provider == Provider::Cuda { "cuda" } else { "tensorrt" };
            report.problem(provider_key, format!("\"{word}\" is not there yet; {THIS_VERSION}"));
        }
    }
}

/// What each family's own export and training code uses.
fn input(written: &file::Input, head: Head) -> Input {
    let (fit, channels, std) = match head {
        Head::Yolo | Head::Yolov5 | Head::YoloEnd2End => (Fit::Letterbox, Channels::Rgb, 255.0),
        Head::Yolox => (Fit::LetterboxTopLeft, Channels::Bgr, 1.0),
        Head::Detr => (Fit::Stretch, Channels::Rgb, 255.0),
    };
    Input {
        fit: written.fit.unwrap_or(fit),
        bgr: written.channels.unwrap_or(channels) == Channels::Bgr,
        pad: written.pad,
        mean: written.mean.unwrap_or_default().map(|mean| mean as f32),
        scale: written.std.unwrap_or([std; 3]).map(|std| (1.0 / std) as f32),
    }
}
