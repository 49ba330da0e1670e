//! `[models.<name>]` as meant.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::file::{self, Backend, Channels, Provider};
use crate::config::manifest::{self, Beside, Manifest};
use crate::config::meaning::{self, Cadence, Fit, Head, Input, Model, Precision, RunOn, Task};
use crate::config::report::Report;

use super::{existing_file, labels};

/// All models in order of name.
pub(super) fn resolve(written: &BTreeMap<String, file::Model>, report: &mut Report) -> Vec<Arc<Model>> {
    written.iter().map(|(name, written)| Arc::new(model(name, written, report))).collect()
}

fn model(name: &str, written: &file::Model, report: &mut Report) -> Model {
    let key = format!("models.{name}");
    let backend = backend(written, &key, report);
    let onnx = written.onnx.as_deref().map_or_else(PathBuf::new, |p| existing_file(p, &format!("{key}.onnx"), report));
    let manifest = beside(&onnx, &key, report);
    let said = manifest.as_deref();
    let named = Task::ALL.into_iter().find(|task| task.name() == name);
    let task = written.task.or(said.map(|m| m.task)).or(named).unwrap_or(Task::Detection);
    let head = head(written.head.or(said.map(|m| m.head)), task, &key, report);
    let (labels, classes) = labels::resolve(written, said, task, &key, report);
    let default = Input::default_of(head);
    let below = said.map(|m| m.input.clone()).unwrap_or_default();
    Model {
        name: name.to_owned(),
        backend,
        plan: plan(name, written, backend, &onnx, report),
        precision: precision(written, backend, &key, report),
        task,
        head,
        input: input(&written.input, &input(&below, &default)),
        labels,
        classes,
        min_score: written.min_score.or(said.and_then(|m| m.min_score)).unwrap_or(0.1) as f32,
        nms_iou: written.nms_iou.or(said.and_then(|m| m.nms_iou)).unwrap_or(0.6) as f32,
        nms_across_classes: written.nms_across_classes,
        max_detections: written.max_detections as usize,
        cadence: cadence(written, task, &key, report),
        max_batch: written.max_batch as usize,
        engine_copies: engine_copies(written, backend, &key, report),
        manifest: said.map(|m| meaning::Manifest {
            path: onnx.with_file_name("model.toml"),
            sha256: m.sha256.as_ref().map(|hex| hex.to_ascii_lowercase()),
            input_size: m.input_size_px.map(|size| size.map(|side| side as usize)),
        }),
        onnx,
    }
}

fn beside(onnx: &Path, key: &str, report: &mut Report) -> Option<Box<Manifest>> {
    let key = format!("{key}.onnx");
    if onnx.as_os_str().is_empty() || report.has(&key) {
        return None;
    }
    match manifest::read(onnx) {
        Ok(Beside::Its(manifest)) => return Some(manifest),
        Ok(Beside::OfAnother(words)) => report.warn(key, words),
        Ok(Beside::Nothing) => {}
        Err(problem) => report.problem(key, problem),
    }
    None
}

/// A head that cannot be is reported; any will do to look at the rest.
fn head(said: Option<Head>, task: Task, base: &str, report: &mut Report) -> Head {
    let (key, onnx) = (format!("{base}.head"), format!("{base}.onnx"));
    let Some(head) = said else {
        if task == Task::Reid {
            return Head::Embedding;
        }
        // A word that was refused has been reported, and where the file named is none there is no telling.
        let untold = !report.has(&onnx) || !report.written(&onnx);
        if untold && !report.has(&key) {
            let message = "missing; add it: Output layout, one of \"yolo\", \"yolov5\", \"yolox\", \"yolo-end2end\", \
                           \"detr\"; or put a model.toml beside the model file";
            report.problem(key, message);
        }
        return Head::Yolo;
    };
    let fits = match task {
        Task::Detection => head != Head::Embedding,
        Task::Pose | Task::Segmentation => matches!(head, Head::Yolo | Head::YoloEnd2End),
        Task::Reid => head == Head::Embedding,
    };
    if !fits {
        let known = match task {
            Task::Detection => "\"yolo\", \"yolov5\", \"yolox\", \"yolo-end2end\" or \"detr\"",
            Task::Pose | Task::Segmentation => "\"yolo\" or \"yolo-end2end\"",
            Task::Reid => "\"embedding\"",
        };
        report.problem(key, format!("\"{}\" does no {}; that takes {known}", head.name(), task.name()));
    }
    head
}

fn cadence(written: &file::Model, task: Task, key: &str, report: &mut Report) -> Cadence {
    let run_on = written.run_on.unwrap_or(if task == Task::Reid { RunOn::Stale } else { RunOn::Frames });
    if task == Task::Reid && run_on == RunOn::Frames {
        report.problem(format!("{key}.run_on"), "\"frames\" is not for task reid, which needs tracks; use \"tracks\"");
    }
    if task == Task::Detection {
        let set = [("every_n_frames", written.every_n_frames != 1), ("run_on", written.run_on.is_some())];
        for (name, _) in set.into_iter().filter(|(_, set)| *set) {
            let message = "a detector feeds the tracker with every analysed frame; take it out (for fewer frames: \
                           detect_fps of the camera)";
            report.problem(format!("{key}.{name}"), message);
        }
    }
    Cadence {
        every_n_frames: u64::from(written.every_n_frames),
        run_on,
        stale: Duration::from_secs_f64(written.stale_s),
    }
}

fn plan(name: &str, written: &file::Model, backend: meaning::Backend, onnx: &Path, report: &mut Report) -> PathBuf {
    let (key, plan_key) = (format!("models.{name}"), format!("models.{name}.plan"));
    if backend != meaning::Backend::Tensorrt {
        if written.plan.is_some() {
            report.problem(plan_key, "is for backend = \"tensorrt\"; take it out");
        }
        return PathBuf::new();
    }
    let said = written.plan.as_deref();
    let path = said.map_or_else(|| onnx.with_extension("plan"), |path| super::beside(path, &plan_key, report));
    // Without a model file there is no telling where the plan would be.
    let known = said.is_some() || !(onnx.as_os_str().is_empty() || report.has(&format!("{key}.onnx")));
    if known && !path.exists() {
        if !report.engines_only {
            let config = report.files.first().map(|file| format!(" --config {}", file.display())).unwrap_or_default();
            let message = format!(
                "{} is not there; build it, on the device it is for: watchkeeper engine build {name}{config}",
                path.display()
            );
            report.problem(plan_key, message);
        }
    } else if let Some(said) = said {
        return existing_file(said, &plan_key, report);
    }
    path
}

fn engine_copies(written: &file::Model, backend: meaning::Backend, key: &str, report: &mut Report) -> usize {
    if written.engine_copies != 1 && backend == meaning::Backend::OnnxruntimeCpu {
        report.problem(format!("{key}.engine_copies"), "is for models on the GPU; take it out");
    }
    written.engine_copies as usize
}

fn backend(written: &file::Model, key: &str, report: &mut Report) -> meaning::Backend {
    let (backend_key, provider_key) = (format!("{key}.backend"), format!("{key}.provider"));
    // A word that was refused has been reported; nothing more is asked of it.
    if report.has(&backend_key) {
        return meaning::Backend::OnnxruntimeCpu;
    }
    match (written.backend, written.provider) {
        (Backend::Tensorrt, provider) => {
            if provider.is_some() {
                report.problem(provider_key, "is for backend = \"onnxruntime\"; take it out");
            }
            meaning::Backend::Tensorrt
        }
        (Backend::Onnxruntime, None | Some(Provider::Cpu)) => meaning::Backend::OnnxruntimeCpu,
        (Backend::Onnxruntime, Some(Provider::Cuda)) => meaning::Backend::OnnxruntimeCuda,
        (Backend::Onnxruntime, Some(Provider::Tensorrt)) => meaning::Backend::OnnxruntimeTensorrt,
    }
}

/// What a provider on the GPU cannot be asked for.
fn precision(written: &file::Model, backend: meaning::Backend, key: &str, report: &mut Report) -> Option<Precision> {
    let refused = match (backend, written.precision?) {
        (meaning::Backend::OnnxruntimeCuda, Precision::Fp16 | Precision::Int8 | Precision::Best) => {
            "provider = \"cuda\" computes as the model file has it; take it out, or use provider = \"tensorrt\""
        }
        (meaning::Backend::OnnxruntimeTensorrt, Precision::Int8) => {
            "provider = \"tensorrt\" takes 8-bit integers from a quantised model file only; use \"fp16\", or backend = \
             \"tensorrt\""
        }
        (_, precision) => return Some(precision),
    };
    report.problem(format!("{key}.precision"), refused);
    None
}

impl Input {
    /// What each family's own export and training code uses.
    fn default_of(head: Head) -> Self {
        let (fit, bgr, mean, std) = match head {
            Head::Yolo | Head::Yolov5 | Head::YoloEnd2End => (Fit::Letterbox, false, [0.0; 3], [255.0; 3]),
            Head::Yolox => (Fit::LetterboxTopLeft, true, [0.0; 3], [1.0; 3]),
            Head::Detr => (Fit::Stretch, false, [0.0; 3], [255.0; 3]),
            // ImageNet's, as torchvision and the ReID tool kits have them.
            Head::Embedding => (Fit::Stretch, false, [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        };
        Self { fit, bgr, pad: 114, mean, scale: std.map(|std: f32| 1.0 / std) }
    }
}

fn input(written: &file::Input, default: &Input) -> Input {
    Input {
        fit: written.fit.unwrap_or(default.fit),
        bgr: written.channels.map_or(default.bgr, |channels| channels == Channels::Bgr),
        pad: written.pad.unwrap_or(default.pad),
        mean: written.mean.map_or(default.mean, |mean| mean.map(|mean| mean as f32)),
        scale: written.std.map_or(default.scale, |std| std.map(|std| (1.0 / std) as f32)),
    }
}
