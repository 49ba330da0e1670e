use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;

const SCHEMA: &str = "calibration/1";

/// The largest absolute value that a tensor is taken to have ("amax"), by the tensor's name: larger ones are cut off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(pub BTreeMap<String, f32>);

/// Ranges with where they came from: a file in JSON.
///
/// ```json
/// {"schema": "calibration/1", "onnx_sha256": "1f40...", "source": "clips/gate.mp4, 200 frames, entropy",
///  "ranges": {"images": 1.0, "/stem/Relu_output_0": 5.31}}
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangesFile {
    schema: String,
    /// SHA-256 of the model's file, in lower-case hexadecimal digits.
    pub onnx_sha256: String,
    /// What the values were measured on, in words for people.
    pub source: String,
    /// The ranges.
    pub ranges: Ranges,
}

impl RangesFile {
    /// Ranges, the digest of the model that they are for, and what they were measured on.
    #[must_use]
    pub fn new(ranges: Ranges, onnx_sha256: &str, source: &str) -> Self {
        Self { schema: SCHEMA.to_owned(), onnx_sha256: onnx_sha256.to_owned(), source: source.to_owned(), ranges }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, is not of the schema "calibration/1", or has a range that is no finite number from 0.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
        let wrong = |what: String| Error::Ranges { path: path.to_owned(), what };
        let file: Self = serde_json::from_slice(&text).map_err(|error| wrong(format!("no ranges: {error}")))?;
        if file.schema != SCHEMA {
            return Err(wrong(format!("its schema is {:?}, and {SCHEMA:?} is needed; calibrate again", file.schema)));
        }
        let bad = file.ranges.0.iter().find(|(_, amax)| !(amax.is_finite() && **amax >= 0.0));
        if let Some((tensor, amax)) = bad {
            return Err(wrong(format!("the range of {tensor:?} is {amax}, which is none; calibrate again")));
        }
        Ok(file)
    }

    /// Writes a file; there is a whole one at any time, the former or this.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.tmp", std::process::id()));
        let written = serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::other)
            .and_then(|text| std::fs::write(&beside, text))
            .and_then(|()| std::fs::rename(&beside, path));
        written.map_err(|source| {
            let _ = std::fs::remove_file(&beside);
            Error::File { path: path.to_owned(), source }
        })
    }
}
