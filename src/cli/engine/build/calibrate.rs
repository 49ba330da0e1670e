//! Ranges of a model's activations, measured with ONNX Runtime on the CPU on pictures prepared as frames are.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use onnx::{Histogram, Ranges};
use serde::{Deserialize, Serialize};

use super::interrupt::Interrupt;
use super::meter::Meter;
use crate::cli::engine::stores;
use crate::cli::engine::verify::Data;
use crate::cli::exit::BadInput;
use crate::config::{Backend, Config, Model, Policy, Precision, Task};
use crate::inference::artefact::{Calibration, Lock, Store, sha256_of_bytes, sha256_of_file};
use crate::inference::{ContractReport, FrameRef, InferenceError, LoadedModel, ModelManager, Proofs};
use crate::pipeline::{CropInput, FrameInput};
use crate::telemetry::metrics::Metrics;
use crate::types::frame::Picture;
use crate::types::geometry::BBox;
use crate::types::tensor::{ModelIo, TensorData};
use crate::vision::{Decoder, Embedder};

const SCHEMA: &str = "calibration/1";
/// Grows when the same pictures would give other ranges.
const VERSION: &str = "1";
/// Outputs that ONNX Runtime's binding takes.
const MOST_OUTPUTS: usize = 16;
/// With little memory: so many tensors at a time.
const FEW: usize = 4;
/// Upright boxes of a frame, where a model of crops is shown a recording.
const CROPS: usize = 4;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct CalibrationArgs {
    /// For 8-bit integers: a folder of pictures, or a recording, like what the cameras see
    #[arg(long, value_name = "FOLDER|RECORDING")]
    calibration: Option<PathBuf>,
    /// Pictures taken of it, evenly spread
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    calibration_pictures: u32,
    /// How a range is chosen: entropy cuts off what is rare where that loses least, percentile one value in 10,000, max
    /// nothing
    #[arg(long, value_enum, default_value_t = Method::Entropy)]
    calibration_method: Method,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    Max,
    Percentile,
    Entropy,
}

impl Method {
    const fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Percentile => "percentile",
            Self::Entropy => "entropy",
        }
    }

    const fn of(self) -> onnx::Calibration {
        match self {
            Self::Max => onnx::Calibration::Max,
            Self::Percentile => onnx::Calibration::Percentile(99.99),
            Self::Entropy => onnx::Calibration::Entropy,
        }
    }
}

/// `<id>.ranges.json` in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cached {
    schema: String,
    /// See [`VERSION`].
    version: String,
    onnx_sha256: String,
    /// How pictures became the model's input.
    input: String,
    calibration: Calibration,
    ranges: Ranges,
}

/// What ranges are wanted for.
pub(super) struct Subject<'a> {
    pub(super) config: &'a Config,
    pub(super) model: &'a Arc<Model>,
    pub(super) onnx: &'a onnx::Model,
    pub(super) onnx_sha256: &'a str,
    pub(super) store: &'a Store,
    pub(super) lock: &'a Lock,
    pub(super) low_memory: bool,
}

impl CalibrationArgs {
    /// The ranges that a precision needs; `None`: none. The best precision takes them where they are to be had, and a
    /// model that is quantised already has its own.
    ///
    /// # Errors
    /// As for [`CalibrationArgs::ranges`].
    pub(super) fn ranges_for(
        &self,
        precision: Precision,
        subject: &Subject<'_>,
        meter: &Meter,
        interrupt: &Interrupt,
    ) -> anyhow::Result<Option<(Ranges, Calibration)>> {
        match precision {
            Precision::Fp32 | Precision::Fp16 => Ok(None),
            _ if subject.onnx.facts().quantised => Ok(None),
            Precision::Best if self.calibration.is_none() => {
                Ok(latest(subject).map(|cached| (cached.ranges, cached.calibration)))
            }
            Precision::Int8 | Precision::Best => self.ranges(subject, meter, interrupt).map(Some),
        }
    }

    /// The ranges by these pictures, or by those of the last time: measured once, and kept in the store.
    ///
    /// # Errors
    /// Where there are neither, no picture can be used, or the model gives no numbers.
    fn ranges(
        &self,
        subject: &Subject<'_>,
        meter: &Meter,
        interrupt: &Interrupt,
    ) -> anyhow::Result<(Ranges, Calibration)> {
        let Some(source) = &self.calibration else {
            return latest(subject)
                .map(|cached| (cached.ranges, cached.calibration))
                .ok_or_else(|| without(subject).into());
        };
        let most = self.calibration_pictures as usize;
        let pictures = Data::some_of("--calibration", source, most)?;
        meter.stage("reading the calibration pictures");
        let id = self.id(subject, &pictures)?;
        let path = subject.store.folder().join(format!("{id}.ranges.json"));
        if let Some(cached) = read(&path, subject) {
            return Ok((cached.ranges, cached.calibration));
        }
        let (ranges, seen) = self.measure(subject, &pictures, meter, interrupt)?;
        let calibration = Calibration {
            id,
            source: source.display().to_string(),
            pictures: seen,
            method: self.calibration_method.name().to_owned(),
        };
        let cached = Cached {
            schema: SCHEMA.to_owned(),
            version: VERSION.to_owned(),
            input: input_of(subject),
            onnx_sha256: subject.onnx_sha256.to_owned(),
            calibration: calibration.clone(),
            ranges: ranges.clone(),
        };
        let bytes = serde_json::to_vec_pretty(&cached)?;
        let written = subject.store.write(subject.lock, &path, &bytes);
        written.map_err(|error| stores::unusable(subject.store, &error))?;
        Ok((ranges, calibration))
    }

    /// A name for these ranges, of all that decides them.
    fn id(&self, subject: &Subject<'_>, pictures: &Data) -> anyhow::Result<String> {
        let (input, most) = (input_of(subject), self.calibration_pictures.to_string());
        let mut text = [SCHEMA, VERSION, subject.onnx_sha256, self.calibration_method.name(), &input, &most].join("\n");
        for path in pictures.files() {
            let digest = sha256_of_file(path).map_err(|error| BadInput(format!("{}: {error}", path.display())))?;
            text += &format!("\n{digest}");
        }
        Ok(sha256_of_bytes(text.as_bytes()))
    }

    fn measure(
        &self,
        subject: &Subject<'_>,
        pictures: &Data,
        meter: &Meter,
        interrupt: &Interrupt,
    ) -> anyhow::Result<(Ranges, u32)> {
        let points = onnx::conv_inputs(subject.onnx);
        let own = subject.onnx.facts().outputs.len();
        let at_once = if subject.low_memory { FEW } else { MOST_OUTPUTS }.min(MOST_OUTPUTS.saturating_sub(own)).max(1);
        let (mut ranges, mut seen) = (Ranges::default(), 0);
        let parts = points.len().div_ceil(at_once);
        for (part, points) in points.chunks(at_once).enumerate() {
            let probe = Probe::new(subject, points)?;
            let mut run = probe.run()?;
            seen = 0;
            pictures.each(|_, picture| {
                interrupt.check()?;
                seen += 1;
                let of_parts = if parts > 1 { format!(", part {} of {parts}", part + 1) } else { String::new() };
                meter.stage(&format!("calibrating: picture {seen} of {}{of_parts}", pictures.len()));
                run.see(picture)
            })?;
            for (point, histogram) in points.iter().zip(&run.histograms) {
                if histogram.not_finite() > 0 {
                    let words = format!(
                        "model {:?}: tensor {:?} has values that are no numbers on these pictures; the model is damaged, \
                         or models.{}.input is not what it was trained with",
                        subject.model.name, point.tensor, subject.model.name
                    );
                    return Err(BadInput(words).into());
                }
                ranges.0.insert(point.tensor.clone(), histogram.amax(self.calibration_method.of()));
            }
        }
        Ok((ranges, seen))
    }
}

fn without(subject: &Subject<'_>) -> BadInput {
    let name = &subject.model.name;
    let place = if subject.config.path.as_os_str().is_empty() {
        String::new()
    } else {
        format!(" --config {}", subject.config.path.display())
    };
    BadInput(format!(
        "model {name:?}: 8-bit integers need ranges, which are measured on pictures, and none are known for this model file; \
         show it some like what your cameras see: watchkeeper engine build {name} --precision int8 --calibration FOLDER{place}"
    ))
}

/// How pictures become the model's input.
fn input_of(subject: &Subject<'_>) -> String {
    format!("{:?}", subject.model.input)
}

/// The ranges of this model file, with this input, that were measured last.
fn latest(subject: &Subject<'_>) -> Option<Cached> {
    let entries = fs::read_dir(subject.store.folder()).ok()?;
    let of = |entry: fs::DirEntry| {
        let path = entry.path();
        path.file_name()?.to_str()?.strip_suffix(".ranges.json")?;
        let cached = read(&path, subject)?;
        Some((entry.metadata().ok()?.modified().ok()?, cached))
    };
    entries.flatten().filter_map(of).max_by_key(|(at, _)| *at).map(|(_, cached)| cached)
}

/// Ranges of a file, where they are of this model with this input; anything else is as good as none.
fn read(path: &Path, subject: &Subject<'_>) -> Option<Cached> {
    let cached: Cached = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let sound = cached.ranges.0.values().all(|amax| amax.is_finite() && *amax >= 0.0);
    let same = cached.onnx_sha256 == subject.onnx_sha256 && cached.input == input_of(subject);
    (cached.schema == SCHEMA && cached.version == VERSION && same && sound).then_some(cached)
}

/// The model with some of its inner tensors as outputs, loaded.
struct Probe<'a> {
    models: ModelManager,
    points: &'a [onnx::ActivationPoint],
    /// Outputs that the model has itself.
    own: usize,
    /// Gone when the probe is.
    _file: Unfinished,
}

struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl<'a> Probe<'a> {
    fn new(subject: &Subject<'_>, points: &'a [onnx::ActivationPoint]) -> anyhow::Result<Self> {
        let wrong = |error: onnx::Error| {
            BadInput(format!("model {:?}: {}: {error}", subject.model.name, subject.model.onnx.display()))
        };
        let inner: Vec<&str> = points.iter().filter(|point| !point.input).map(|point| point.tensor.as_str()).collect();
        let probe = onnx::with_outputs(subject.onnx, &inner).map_err(wrong)?;
        let file = Unfinished(subject.store.unfinished("calibration.onnx"));
        let written = || -> io::Result<()> { fs::File::create(&file.0)?.write_all(&probe.to_bytes()) };
        written().map_err(|error| stores::unusable(subject.store, &error))?;
        let mut config = subject.config.clone();
        config.cameras.clear();
        config.runtime.policy = Policy::Any;
        config.runtime.inference_workers = 1;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        config.runtime.threads_per_inference = if subject.low_memory { 1 } else { threads };
        config.models = vec![Arc::new(Model {
            onnx: file.0.clone(),
            backend: Backend::OnnxruntimeCpu,
            plan: PathBuf::new(),
            manifest: None,
            engine_copies: 1,
            max_batch: 1,
            ..Model::clone(subject.model)
        })];
        // Its outputs are no head's.
        let proofs = Proofs { fits: &|_, _| Ok(None), decoder: None, prepare: None, surfaces: None };
        let mut report = ContractReport::new(&config);
        let models = ModelManager::load_with(&config, &Metrics::default(), &proofs, &mut report)?;
        Ok(Self { models, points, own: subject.onnx.facts().outputs.len(), _file: file })
    }

    fn run(&self) -> anyhow::Result<Run<'_>> {
        let gone = || anyhow::anyhow!("the model for the calibration was not loaded");
        let loaded = self.models.model(0).ok_or_else(gone)?;
        let misfit = |reason: String| InferenceError::Head { model: loaded.model.name.clone(), reason };
        let mut io: ModelIo = loaded.io().clone();
        io.outputs.truncate(self.own);
        let input = if loaded.model.task == Task::Reid {
            let head = Embedder::new(&loaded.model, &io).map_err(|error| misfit(error.to_string()))?;
            Input::Crops(Box::new(CropInput::new(&loaded.model, &head)?))
        } else {
            let head = Decoder::new(&loaded.model, &io).map_err(|error| misfit(error.to_string()))?;
            Input::Frames(Box::new(FrameInput::new(&loaded.model, &head)))
        };
        let context = self.models.create_pipeline_contexts(&self.models.lane("calibration")?, &loaded, 1)?;
        let context = Some(context.free.into_iter().next().ok_or_else(gone)?);
        let histograms = self.points.iter().map(|_| Histogram::new()).collect();
        Ok(Run { probe: self, loaded, input, context, histograms, shown: 0 })
    }
}

enum Input {
    Frames(Box<FrameInput>),
    Crops(Box<CropInput>),
}

struct Run<'a> {
    probe: &'a Probe<'a>,
    loaded: Arc<LoadedModel>,
    input: Input,
    context: Option<Box<dyn crate::inference::Context>>,
    histograms: Vec<Histogram>,
    shown: u64,
}

impl Run<'_> {
    fn see(&mut self, picture: &Picture<'_>) -> anyhow::Result<()> {
        for bbox in self.boxes(picture) {
            self.shown += 1;
            let frame = FrameRef { tag: (1, self.shown), picture: *picture };
            let mut context =
                self.context.take().ok_or_else(|| anyhow::anyhow!("the context for the calibration is gone"))?;
            match (&mut self.input, bbox) {
                (Input::Crops(input), Some(bbox)) => input.fill(context.as_mut(), &frame, &[bbox])?,
                (Input::Frames(input), _) => input.fill(context.as_mut(), &frame).map(|_| ())?,
                (Input::Crops(_), None) => {}
            }
            self.count_inputs(context.as_mut())?;
            let (context, result) = context.submit().wait()?;
            result?;
            let inner = self.probe.points.iter().zip(&mut self.histograms).filter(|(point, _)| !point.input);
            for (point, histogram) in inner {
                // By its name: one that the model gives itself is not there twice.
                let at = self.loaded.io().outputs.iter().position(|output| output.name == point.tensor);
                let at = at.ok_or_else(|| anyhow::anyhow!("the model does not give tensor {:?}", point.tensor))?;
                match context.output(at)?.data {
                    TensorData::F32(values) => histogram.add(values),
                    _ => anyhow::bail!("tensor {:?} is not of 32-bit floats", point.tensor),
                }
            }
            self.context = Some(context);
        }
        Ok(())
    }

    /// What the model itself is given.
    fn count_inputs(&mut self, context: &mut dyn crate::inference::Context) -> anyhow::Result<()> {
        for (point, histogram) in self.probe.points.iter().zip(&mut self.histograms).filter(|(point, _)| point.input) {
            let index = self.loaded.io().inputs.iter().position(|input| input.name == point.tensor);
            let index = index.ok_or_else(|| anyhow::anyhow!("the model has no input {:?}", point.tensor))?;
            histogram.add(context.input_f32(index)?);
        }
        Ok(())
    }

    /// What of the picture is shown: all of it, which is one crop where it is upright, else some upright boxes.
    fn boxes(&self, picture: &Picture<'_>) -> Vec<Option<BBox>> {
        let (width, height) = (picture.width as f32, picture.height as f32);
        match &self.input {
            Input::Frames(_) => vec![None],
            Input::Crops(_) if height > width => vec![Some(BBox::new(0.0, 0.0, width, height))],
            Input::Crops(_) => {
                let of = |n: usize| {
                    let x = (n as f32 + 0.5) / CROPS as f32 * 0.9 * width;
                    BBox::new(x, 0.25 * height, x + 0.25 * height, 0.85 * height)
                };
                (0..CROPS).map(|n| Some(of(n))).collect()
            }
        }
    }
}
