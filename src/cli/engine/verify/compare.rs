//! A plan and its model file on the same pictures.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::data::{Data, Subject, Truth};
use super::engine::Engine;
use super::labelled::Labelled;
use super::progress::Progress;
use crate::cli::exit::BadInput;
use crate::config::{Backend, Config, Head, Model, Policy, Task};
use crate::eval::coco::Prediction;
use crate::eval::divergence::{Boxes, Embeddings, RelativeL2};
use crate::inference::{FrameRef, ModelManager};
use crate::pipeline;
use crate::telemetry::metrics::Metrics;
use crate::types::embedding;
use crate::types::found::Found;
use crate::types::frame::Picture;
use crate::types::geometry::BBox;

/// Boxes below are nobody's certainty, whatever a model's `min_score`.
const COUNTED: f64 = 0.25;
/// For average precision, as `watchkeeper eval` has it.
const LABELLED_FROM: f32 = 0.001;
/// Crops of one picture.
const MOST_CROPS: usize = 16;

/// What both answered.
pub(super) struct Comparison {
    pub(super) pictures: u32,
    /// Pictures in which the reference finds something that counts, or of which crops were shown.
    pub(super) counted_in: u32,
    pub(super) boxes: Boxes,
    pub(super) embeddings: Embeddings,
    /// By name of the output.
    pub(super) outputs: BTreeMap<String, RelativeL2>,
    pub(super) labelled: Option<Labelled>,
}

/// Where crops come from.
enum Crops {
    /// Those that the truth knows, of these categories.
    Truth(Vec<u32>),
    /// Those that a detector finds, of these classes.
    Detector(Box<Engine>, Vec<u16>),
    /// Places in the picture, whatever is there.
    Anywhere,
}

/// Runs both over all pictures. `plan` may lie in the store without being installed. `go_on` is asked before each picture;
/// its error ends the comparison.
pub(super) fn compare(
    config: &Config,
    model: &Arc<Model>,
    plan: &Path,
    data: &Data,
    go_on: &dyn Fn() -> anyhow::Result<()>,
) -> anyhow::Result<Comparison> {
    let counted = f64::from(model.min_score).max(COUNTED);
    // Partners of boxes near the threshold are below it. Suppression goes from the best down, so that boxes above are the same
    // however low it begins.
    let low = model.min_score.min(counted as f32 / 2.0);
    let from = if data.truth.is_some() { low.min(LABELLED_FROM) } else { low };
    let base = Model { min_score: from, engine_copies: 1, ..Model::clone(model) };
    let detector = (model.task == Task::Reid && data.truth.is_none()).then(|| detector(config, model)).flatten();

    let metrics = Metrics::default();
    let on_device = Model { backend: Backend::Tensorrt, plan: plan.to_owned(), ..base.clone() };
    // The device first: what half-initialises CUDA behind its back breaks it.
    let plans = load(config, vec![on_device], &metrics)?;
    let on_cpu = |model: Model| Model { backend: Backend::OnnxruntimeCpu, plan: PathBuf::new(), ..model };
    let references = std::iter::once(base).chain(detector.as_ref().map(|(model, _)| Model::clone(model)));
    let references = load(config, references.map(on_cpu).collect(), &metrics)?;
    let (there, here) = (plans.lane("verify")?, references.lane("reference")?);
    let crops = match detector {
        _ if model.task != Task::Reid => Crops::Anywhere,
        Some((_, classes)) => Crops::Detector(Box::new(Engine::new(&references, 1, &here)?), classes),
        None => match &data.truth {
            Some(truth) => Crops::Truth(categories(truth, model)?),
            None => Crops::Anywhere,
        },
    };
    let labelled = data.truth.as_ref().map(|truth| Labelled::new(truth, model)).transpose()?;
    let mut both = Both {
        plan: Engine::new(&plans, 0, &there)?,
        reference: Engine::new(&references, 0, &here)?,
        low: f64::from(low),
        counted,
        found: [Found::default(), Found::default()],
        embedded: [embedding::Embeddings::default(), embedding::Embeddings::default()],
        // Whoever ranks boxes itself orders them anew where two scores differ by a hair.
        raw: !matches!(model.head, Head::YoloEnd2End | Head::Detr),
        crops,
        comparison: Comparison {
            pictures: 0,
            counted_in: 0,
            boxes: Boxes::new(counted),
            embeddings: Embeddings::default(),
            outputs: BTreeMap::new(),
            labelled,
        },
    };
    let mut progress = Progress::new(&model.name, data.len());
    data.each(|number, picture| {
        go_on()?;
        both.look(number, picture, data.truth.as_ref())?;
        progress.step();
        Ok(())
    })?;
    Ok(both.comparison)
}

struct Both {
    plan: Engine,
    reference: Engine,
    /// The score from which boxes may be partners.
    low: f64,
    /// The score from which boxes count.
    counted: f64,
    /// Of the reference, and of the plan.
    found: [Found; 2],
    embedded: [embedding::Embeddings; 2],
    raw: bool,
    crops: Crops,
    comparison: Comparison,
}

impl Both {
    fn look(&mut self, number: u64, picture: &Picture<'_>, truth: Option<&Truth>) -> anyhow::Result<()> {
        self.comparison.pictures += 1;
        let frame = FrameRef { tag: (1, u64::from(self.comparison.pictures)), picture: *picture };
        let size = (u32::try_from(picture.width)?, u32::try_from(picture.height)?);
        if self.plan.finds_boxes() {
            self.run(&frame, &[])?;
            let [right, got] = &mut self.found;
            self.reference.found(right)?;
            self.plan.found(got)?;
            let predictions = |found: &Found| -> Vec<Prediction> {
                let places = 0..found.detections.len();
                let class = |at: usize| u32::from(found.detections[at].class);
                places.map(|at| Prediction::of(found, at, (number, class(at)), size)).collect()
            };
            let (right, got) = (predictions(right), predictions(got));
            self.comparison.counted_in += u32::from(right.iter().any(|one| one.score >= self.counted));
            let upper = |all: &[Prediction]| all.iter().take_while(|one| one.score >= self.low).count();
            self.comparison.boxes.add(&right[..upper(&right)], &got[..upper(&got)]);
            if let Some(labelled) = &mut self.comparison.labelled {
                labelled.add(right, got);
            }
            return Ok(());
        }
        let subjects = self.subjects(number, &frame, truth)?;
        self.comparison.counted_in += u32::from(!subjects.is_empty());
        let most = self.plan.max_batch().min(self.reference.max_batch());
        let mut left = subjects.as_slice();
        while !left.is_empty() {
            let (now, rest) = left.split_at(most.min(1 << left.len().ilog2()));
            left = rest;
            let boxes: Vec<BBox> = now.iter().map(|subject| subject.bbox).collect();
            self.run(&frame, &boxes)?;
            let [right, got] = &mut self.embedded;
            self.reference.embeddings(right)?;
            self.plan.embeddings(got)?;
            for (row, subject) in now.iter().enumerate() {
                self.comparison.embeddings.add(right.get(row), got.get(row));
                if let (Some(labelled), Some(who)) = (&mut self.comparison.labelled, subject.who) {
                    labelled.add_look(who, right.get(row), got.get(row));
                }
            }
        }
        Ok(())
    }

    /// One run of both, at once.
    fn run(&mut self, frame: &FrameRef<'_>, boxes: &[BBox]) -> anyhow::Result<()> {
        self.plan.begin(frame, boxes)?;
        self.reference.begin(frame, boxes)?;
        self.reference.wait()?;
        self.plan.wait()?;
        if self.raw {
            for name in self.reference.output_names() {
                if let (Some(right), Some(got)) = (self.reference.floats(name), self.plan.floats(name)) {
                    self.comparison.outputs.entry(name.to_owned()).or_default().add(right, got);
                }
            }
        }
        Ok(())
    }

    /// What a model of crops is shown of a picture.
    fn subjects(&mut self, number: u64, frame: &FrameRef<'_>, truth: Option<&Truth>) -> anyhow::Result<Vec<Subject>> {
        let (width, height) = (frame.picture.width as f32, frame.picture.height as f32);
        let mut subjects: Vec<Subject> = match &mut self.crops {
            Crops::Truth(categories) => {
                let all = truth.and_then(|truth| truth.subjects.get(&number)).map_or(&[][..], Vec::as_slice);
                all.iter().filter(|subject| categories.contains(&subject.category)).copied().collect()
            }
            Crops::Detector(detector, classes) => {
                detector.begin(frame, &[])?;
                detector.wait()?;
                let found = &mut self.found[0];
                detector.found(found)?;
                let wanted = found.detections.iter().filter(|one| classes.contains(&one.class));
                let sure = wanted.filter(|one| f64::from(one.score) >= COUNTED);
                sure.map(|one| Subject { bbox: one.bbox, category: 0, who: None }).collect()
            }
            Crops::Anywhere => {
                (0..4).map(|n| Subject { bbox: somewhere(n, width, height), category: 0, who: None }).collect()
            }
        };
        subjects.retain(|subject| subject.bbox.clip(width, height).is_valid());
        subjects.truncate(MOST_CROPS);
        Ok(subjects)
    }
}

/// Models of `config` for measuring: whatever it asks of an engine that was verified already.
fn load(config: &Config, models: Vec<Model>, metrics: &Metrics) -> anyhow::Result<ModelManager> {
    let mut config = config.clone();
    config.runtime.require_verified = None;
    config.runtime.policy = Policy::Any;
    config.cameras.clear();
    config.models = models.into_iter().map(Arc::new).collect();
    Ok(ModelManager::load(&config, metrics, &pipeline::fits_head)?)
}

/// Categories of the truth that the model is for.
fn categories(truth: &Truth, model: &Model) -> anyhow::Result<Vec<u32>> {
    let categories: Vec<u32> = model.labels.iter().filter_map(|label| truth.dataset.category(label)).collect();
    if categories.is_empty() {
        return Err(no_label(truth, model).into());
    }
    Ok(categories)
}

/// Truth that is about something else.
pub(super) fn no_label(truth: &Truth, model: &Model) -> BadInput {
    let names = |names: &mut dyn Iterator<Item = &str>| {
        let mut all: Vec<&str> = names.take(9).collect();
        if all.len() > 8 {
            all[8] = "...";
        }
        all.join(", ")
    };
    BadInput(format!(
        "no label of model {:?} ({}) is a category of the ground truth ({}); give a truth about the same things",
        model.name,
        names(&mut model.labels.iter().map(String::as_str)),
        names(&mut truth.dataset.categories.iter().map(|category| category.name.as_str())),
    ))
}

/// A model of the configuration that finds what the model of crops is for, and which of its classes those are.
fn detector(config: &Config, model: &Model) -> Option<(Arc<Model>, Vec<u16>)> {
    config.models.iter().filter(|other| other.task != Task::Reid).find_map(|other| {
        let labels = (0..).zip(other.labels.iter());
        let classes: Vec<u16> =
            labels.filter(|(_, label)| model.labels.contains(label)).map(|(class, _)| class).collect();
        (!classes.is_empty()).then(|| (Arc::clone(other), classes))
    })
}

/// The n-th of four upright boxes.
fn somewhere(n: usize, width: f32, height: f32) -> BBox {
    let x = (0.1 + 0.22 * n as f32) * width;
    let y = (0.15 + 0.1 * (n % 3) as f32) * height;
    BBox::new(x, y, x + 0.12 * width, y + 0.5 * height)
}
