//! `model.toml`: what a model file needs to be used, written once by whoever made it, beside it.

use std::path::Path;

use serde::Deserialize;

use super::file::Input;
use super::layers;
use super::meaning::{Head, Task};

/// The file's name, in the folder of the model file.
const NAME: &str = "model.toml";
const MAX_BYTES: u64 = 1 << 20;

/// A manifest as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Version of this layout.
    schema: Schema,
    /// The model file's name, without a folder.
    file: String,
    /// Digest of the model file.
    pub sha256: Option<String>,
    pub task: Task,
    pub head: Head,
    /// Class names by index; for task `reid` the labels of tracks it is for.
    pub labels: Option<Vec<String>>,
    pub min_score: Option<f64>,
    pub nms_iou: Option<f64>,
    /// `[width, height]` of the model's input.
    pub input_size_px: Option<[u32; 2]>,
    #[serde(default)]
    pub input: Input,
    /// How it was trained: for people.
    #[serde(default, rename = "training")]
    _training: toml::Table,
    /// What it was measured to do: for people.
    #[serde(default, rename = "card")]
    _card: toml::Table,
}

#[derive(Debug, Deserialize)]
enum Schema {
    #[serde(rename = "model/1")]
    Model1,
}

/// What lies beside a model file.
pub(super) enum Beside {
    /// No manifest.
    Nothing,
    /// Another file's manifest; the words say so.
    OfAnother(String),
    /// Its manifest.
    Its(Box<Manifest>),
}

/// Reads the manifest of a model file, where there is one beside it.
///
/// # Errors
/// What is wrong with it, beginning with its path.
pub(super) fn read(onnx: &Path) -> Result<Beside, String> {
    let path = onnx.with_file_name(NAME);
    if !path.exists() {
        return Ok(Beside::Nothing);
    }
    let at = |problem: String| format!("{}: {problem}", path.display());
    let bytes = layers::read_bytes(&path, MAX_BYTES).map_err(at)?;
    let text = String::from_utf8(bytes).map_err(|_| at("not UTF-8; save the file as UTF-8".to_owned()))?;
    let manifest: Manifest = toml::from_str(&text).map_err(|error| at(one_line(&error, &text)))?;
    let Schema::Model1 = manifest.schema;
    if manifest.sha256.as_ref().is_some_and(|hex| hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(at("sha256 is not 64 hexadecimal digits".to_owned()));
    }
    let is_score = |value: Option<f64>| value.is_none_or(|value| (0.0..=1.0).contains(&value));
    if !is_score(manifest.min_score) || !is_score(manifest.nms_iou) {
        return Err(at("min_score and nms_iou are 0 to 1".to_owned()));
    }
    if manifest.input.mean.is_some_and(|mean| mean.iter().any(|v| !(-1000.0..=1000.0).contains(v))) {
        return Err(at("input.mean is -1000 to 1000".to_owned()));
    }
    if manifest.labels.as_ref().is_some_and(Vec::is_empty) {
        return Err(at("labels is empty; name the classes in the model's order".to_owned()));
    }
    if manifest.input.std.is_some_and(|std| std.iter().any(|v| !(0.001..=1000.0).contains(v))) {
        return Err(at("input.std is 0.001 to 1000".to_owned()));
    }
    if onnx.file_name().is_none_or(|name| name != manifest.file.as_str()) {
        return Ok(Beside::OfAnother(at(format!("is about {:?}, so it is not used here", manifest.file))));
    }
    Ok(Beside::Its(Box::new(manifest)))
}

fn one_line(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    format!("{line}{}", error.message().replace('\n', " "))
}
