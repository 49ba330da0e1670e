//! `golden.json`: the right answer of a model, as the CPU gave it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::{Answer, layout, picture};
use crate::config::Model;

const SCHEMA: &str = "golden/1";
const MAX_BYTES: u64 = 4 << 20;

/// The recorded answer of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    schema: String,
    /// The model file's name.
    file: String,
    /// Its digest.
    sha256: String,
    /// Version of the picture.
    picture: u32,
    /// What was done to the picture: `[models.<name>.input]`.
    input: String,
    /// What gave the answer.
    provider: String,
    /// Largest difference allowed, instead of the one for the model's precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tolerance: Option<f64>,
    pub(super) outputs: Vec<RecordedOutput>,
}

/// One output of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedOutput {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// Number of values.
    pub(super) count: usize,
    /// Their L2 norm; none where values may trade places with others that it does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) l2: Option<f64>,
    /// Empty where the output's order means nothing.
    pub(super) parts: Vec<RecordedPart>,
}

/// Some values of one kind, and where they stand in the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedPart {
    pub(super) name: String,
    pub(super) places: Vec<u32>,
    pub(super) values: Vec<f32>,
}

impl Recording {
    /// Of an answer that `provider` gave.
    pub(super) fn new(model: &Model, sha256: &str, provider: &str, answers: &[Answer]) -> Self {
        let outputs = answers.iter().map(|answer| {
            let parts = layout::parts(model, &answer.name, &answer.shape);
            let record = |part: &layout::Part| {
                let places = layout::kept(part, parts.len(), &answer.values);
                let values = places.iter().map(|place| answer.values[*place as usize]).collect();
                RecordedPart { name: part.name.to_owned(), places, values }
            };
            RecordedOutput {
                name: answer.name.clone(),
                shape: answer.shape.clone(),
                count: answer.values.len(),
                l2: (!layout::is_ranked(model)).then(|| answer.l2()),
                parts: parts.iter().map(record).collect(),
            }
        });
        Self {
            schema: SCHEMA.to_owned(),
            file: file_name(&model.onnx),
            sha256: sha256.to_owned(),
            picture: picture::VERSION,
            input: input(model),
            provider: provider.to_owned(),
            tolerance: None,
            outputs: outputs.collect(),
        }
    }

    /// Where the recording of a model file lies: `golden.json` beside `model.onnx`, `x.golden.json` beside `x.onnx`.
    #[must_use]
    pub fn path(onnx: &Path) -> PathBuf {
        match onnx.file_stem().and_then(|stem| stem.to_str()) {
            Some("model") | None => onnx.with_file_name("golden.json"),
            Some(stem) => onnx.with_file_name(format!("{stem}.golden.json")),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// Where it is not there, or none.
    pub fn read(path: &Path) -> io::Result<Self> {
        let size = fs::metadata(path)?.len();
        if size > MAX_BYTES {
            return Err(io::Error::other(format!("{size} bytes; no recording is so large")));
        }
        let recording: Self = serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)?;
        if !recording.is_whole() {
            return Err(io::Error::other(format!("it is no whole {SCHEMA}")));
        }
        Ok(recording)
    }

    /// Writes it, by renaming; a tolerance that somebody wrote into the file stays.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let tolerance = Self::read(path).ok().and_then(|before| before.tolerance);
        let text = serde_json::to_string(&Self { tolerance, ..self.clone() }).map_err(io::Error::other)?;
        let new = path.with_extension("json.new");
        // A line for each part is enough for people who compare two of them.
        fs::write(&new, text.replace("{\"name\"", "\n{\"name\"") + "\n")?;
        fs::rename(&new, path)
    }

    /// Can it be compared with at all?
    pub(super) fn is_whole(&self) -> bool {
        let mut parts =
            self.outputs.iter().flat_map(|output| output.parts.iter().map(move |part| (output.count, part)));
        self.schema == SCHEMA
            && parts.all(|(count, part)| {
                part.places.len() == part.values.len() && part.places.iter().all(|place| (*place as usize) < count)
            })
    }

    /// How many values it keeps.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.outputs.iter().flat_map(|output| &output.parts).map(|part| part.values.len()).sum()
    }

    /// Is it about this model, used so? If not, why.
    pub(super) fn is_of(&self, model: &Model, sha256: &str) -> Result<(), String> {
        if !self.is_whole() {
            return Err(format!("it is no whole {SCHEMA}"));
        }
        if self.sha256 != sha256 {
            return Err(format!("it is of another {} (sha256 {}...)", self.file, self.sha256.get(..12).unwrap_or("?")));
        }
        if self.picture != picture::VERSION {
            return Err(format!("it is of picture {}, and this version draws {}", self.picture, picture::VERSION));
        }
        let input = input(model);
        if self.input != input {
            return Err(format!("it was made with input {}, and the configuration says {input}", self.input));
        }
        Ok(())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What is done to a picture, so that two of it can be compared.
fn input(model: &Model) -> String {
    let crate::config::Input { fit, bgr, pad, mean, scale } = model.input;
    format!("{fit:?}, {}, pad {pad}, mean {mean:?}, scale {scale:?}", if bgr { "bgr" } else { "rgb" })
}
