//! An engine without a runtime, for tests of whoever runs engines: it finds nothing, or does what a test asks for.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::{Context, Engine, Finished, InferenceError, Lane, LoadedModel, Pending};
use crate::config::{self, Config, Model};
use crate::types::tensor::{ElementType, ModelIo, TensorData, TensorRef, TensorSpec};

/// Width and height of its input.
const SIZE: usize = 64;
/// Boxes of strides 8, 16 and 32.
const BOXES: usize = 64 + 16 + 4;

/// A configuration with one model and one camera.
pub(crate) fn configuration() -> Config {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("labels.txt"), "ball\n").unwrap();
    std::fs::write(path("model.onnx"), "none").unwrap();
    let text = "[runtime]\npolicy = \"any\"\nstate_dir = \"state\"\n[models.detection]\nonnx = \"model.onnx\"\n\
                backend = \"onnxruntime\"\nhead = \"yolo\"\nlabels = \"labels.txt\"\n\
                [[cameras]]\nid = \"gate\"\nurl = \"test://ball\"\n";
    std::fs::write(path("watchkeeper.toml"), text).unwrap();
    config::load_with_env(&path("watchkeeper.toml"), std::iter::empty()).unwrap().config
}

/// What its runs and contexts do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Answers,
    Fails,
    Panics,
    /// Runs do not end until it has another mood.
    Hangs,
    /// No context can be made, and memory has nothing to do with it.
    Refuses,
}

/// Contexts that there is room for, all engines together.
pub(crate) struct Room {
    most: AtomicUsize,
    used: AtomicUsize,
}

impl Room {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: AtomicUsize::new(most), used: AtomicUsize::new(0) })
    }

    pub(crate) fn shrink(&self, most: usize) {
        self.most.store(most, Ordering::SeqCst);
    }
}

/// Changes an engine's mood.
pub(crate) type Moods = Arc<Mutex<Mood>>;

struct Fake {
    io: ModelIo,
    mood: Moods,
    room: Arc<Room>,
}

/// `model`, a detector with the head `yolo`, as such an engine.
pub(crate) fn loaded(model: &Arc<Model>, sha256: &str, room: &Arc<Room>) -> (Arc<LoadedModel>, Moods) {
    let spec = |name: &str, shape: &[usize]| TensorSpec {
        name: name.to_owned(),
        shape: shape.iter().map(|dim| i64::try_from(*dim).unwrap_or(0)).collect(),
        element: ElementType::F32,
    };
    let mood = Moods::default();
    let fake = Fake {
        io: ModelIo {
            inputs: vec![spec("images", &[1, 3, SIZE, SIZE])],
            outputs: vec![spec("output", &[1, 4 + model.labels.len(), BOXES])],
        },
        mood: Arc::clone(&mood),
        room: Arc::clone(room),
    };
    let loaded = LoadedModel {
        model: Arc::clone(model),
        sha256: sha256.to_owned(),
        onnx_sha256: sha256.to_owned(),
        manifest: None,
        remarks: Vec::new(),
        filter: None,
        engine: Box::new(fake),
    };
    (Arc::new(loaded), mood)
}

fn failure(reason: &str) -> InferenceError {
    InferenceError::Run { model: "fake".to_owned(), reason: reason.to_owned() }
}

impl Engine for Fake {
    fn io(&self) -> &ModelIo {
        &self.io
    }

    fn provider(&self) -> &'static str {
        "fake"
    }

    fn create_context(&self, _: &Lane, _: usize) -> Result<Box<dyn Context>, InferenceError> {
        if *self.mood.lock() == Mood::Refuses {
            return Err(failure("a refusal that was asked for"));
        }
        let used = self.room.used.fetch_add(1, Ordering::SeqCst);
        let context = FakeContext {
            input: vec![0.0; 3 * SIZE * SIZE],
            shape: self.io.outputs[0].shape.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).collect(),
            output: vec![0.0; self.io.outputs[0].shape.iter().product::<i64>().unsigned_abs() as usize],
            mood: Arc::clone(&self.mood),
            room: Arc::clone(&self.room),
        };
        if used >= self.room.most.load(Ordering::SeqCst) {
            Err(failure("OutOfMemory, as was asked for"))
        } else {
            Ok(Box::new(context))
        }
    }
}

struct FakeContext {
    input: Vec<f32>,
    shape: Vec<usize>,
    output: Vec<f32>,
    mood: Moods,
    room: Arc<Room>,
}

impl Drop for FakeContext {
    fn drop(&mut self) {
        self.room.used.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Context for FakeContext {
    fn max_batch(&self) -> usize {
        1
    }

    fn set_batch(&mut self, _: usize) -> Result<(), InferenceError> {
        Ok(())
    }

    fn input_f32(&mut self, _: usize) -> Result<&mut [f32], InferenceError> {
        Ok(&mut self.input)
    }

    fn input_i64(&mut self, _: usize) -> Result<&mut [i64], InferenceError> {
        Err(failure("it has no such input"))
    }

    fn output(&self, _: usize) -> Result<TensorRef<'_>, InferenceError> {
        Ok(TensorRef { shape: &self.shape, data: TensorData::F32(&self.output) })
    }

    fn submit(self: Box<Self>) -> Box<dyn Pending> {
        self
    }
}

impl Pending for FakeContext {
    fn wait(self: Box<Self>) -> Result<Finished, InferenceError> {
        loop {
            let mood = *self.mood.lock();
            match mood {
                Mood::Hangs => std::thread::sleep(Duration::from_millis(5)),
                Mood::Panics => panic!("a panic that was asked for"),
                Mood::Fails => return Ok((self, Err(failure("a failure that was asked for")))),
                Mood::Answers | Mood::Refuses => return Ok((self, Ok(()))),
            }
        }
    }
}
