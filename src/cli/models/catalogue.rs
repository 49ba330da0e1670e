//! The catalogue: which models there are, from where, with what sum, and how they are used.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::CatalogueArg;
use super::address::Address;
use super::failed::Failed;
use crate::config::{Fit, Head, Task};

const BUILT_IN: &str = include_str!("../../../engines/catalogue.toml");
const MAX_BYTES: u64 = 1 << 20;

/// Names that are alike enough to be meant.
const ALIKE: f64 = 0.75;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Catalogue {
    /// Version of this layout.
    #[serde(rename = "schema")]
    _schema: Schema,
    pub models: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
enum Schema {
    #[serde(rename = "catalogue/1")]
    Catalogue1,
}

/// A model that can be pulled.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// `[a-z0-9_-]+`: also the folder's.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    pub task: Task,
    pub head: Head,
    pub labels: Option<Vec<String>>,
    /// Width and height of its input.
    pub input_size_px: [u32; 2],
    #[serde(default)]
    pub input: Input,
    pub min_score: Option<f64>,
    pub nms_iou: Option<f64>,
    /// Where the file is.
    pub url: String,
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// Size of the file.
    pub bytes: u64,
    /// Licence of the weights, as SPDX names it.
    pub licence: String,
    pub licence_url: String,
    /// The makers' page.
    pub project: String,
}

/// The keys of `[models.<name>.input]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Input {
    pub fit: Option<Fit>,
    pub channels: Option<Channels>,
    pub pad: Option<u8>,
    pub mean: Option<[f64; 3]>,
    pub std: Option<[f64; 3]>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Channels {
    Rgb,
    Bgr,
}

impl Catalogue {
    /// The one asked for.
    pub fn read(arg: &CatalogueArg) -> Result<Self, Failed> {
        match &arg.catalogue {
            None => Self::parse(BUILT_IN, "the built-in catalogue"),
            Some(path) => Self::parse(&text(path)?, &path.display().to_string()),
        }
    }

    fn parse(text: &str, place: &str) -> Result<Self, Failed> {
        let catalogue: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
            Failed::data(format!("{place}: {line}{}", error.message().replace('\n', " ")))
        })?;
        for (index, entry) in catalogue.models.iter().enumerate() {
            let wrong = entry.problem().or_else(|| {
                let twice = catalogue.models[..index].iter().any(|other| other.name == entry.name);
                twice.then(|| "is there twice".to_owned())
            });
            if let Some(wrong) = wrong {
                return Err(Failed::data(format!("{place}: model {:?}: {wrong}", entry.name)));
            }
        }
        Ok(catalogue)
    }

    /// The entry of this name.
    pub fn find(&self, name: &str) -> Result<&Entry, Failed> {
        self.models.iter().find(|entry| entry.name == name).ok_or_else(|| {
            let alike = self.models.iter().map(|entry| (strsim::jaro_winkler(name, &entry.name), &entry.name));
            let nearest = alike.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score >= ALIKE);
            let hint = match nearest {
                _ if is_ultralytics(name) => format!("; {ULTRALYTICS}"),
                Some((_, meant)) => format!("; did you mean {meant:?}?"),
                None => String::new(),
            };
            Failed::usage(format!("no model {name:?} in the catalogue{hint} (`watchkeeper models list` names all)"))
        })
    }
}

/// Why they are missing.
pub(super) const ULTRALYTICS: &str = "Ultralytics' models (YOLOv5, v8, 11, 26) are not shipped, since their licence is \
                                      AGPL-3.0: how to export your own is in engines/README.md";

fn is_ultralytics(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let version = name.strip_prefix("yolo").map(|rest| rest.trim_start_matches(['v', '-', '_']));
    version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

impl Entry {
    /// The first thing wrong with it.
    fn problem(&self) -> Option<String> {
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.bytes().all(is_name) {
            return Some("the name is not 1 to 64 of a-z, 0-9, - and _".to_owned());
        }
        if self.sha256.len() != 64 || !self.sha256.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
            return Some("sha256 is not 64 hexadecimal digits in lower case".to_owned());
        }
        if self.bytes == 0 {
            return Some("bytes is 0".to_owned());
        }
        let words = [&self.about, &self.licence, &self.licence_url, &self.project, &self.url];
        let labels = self.labels.iter().flatten();
        if words.into_iter().chain(labels).any(|text| text.is_empty() || text.chars().any(char::is_control)) {
            return Some("a text is empty or has control characters".to_owned());
        }
        self.address().err()
    }

    /// Where the file is, if it may be asked there.
    pub fn address(&self) -> Result<Address, String> {
        Address::parse(&self.url).map_err(|why| format!("url: {why}"))
    }
}

fn text(path: &Path) -> Result<String, Failed> {
    let size = fs::metadata(path).map_err(|error| Failed::data(format!("{}: {error}", path.display())))?.len();
    if size > MAX_BYTES {
        return Err(Failed::data(format!("{}: larger than {MAX_BYTES} bytes; no catalogue", path.display())));
    }
    fs::read_to_string(path).map_err(|error| Failed::data(format!("{}: {error}", path.display())))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_in_is_permissive_and_comes_over_https() {
        let catalogue = Catalogue::read(&CatalogueArg { catalogue: None }).unwrap();
        assert!(!catalogue.models.is_empty());
        for entry in &catalogue.models {
            let permissive = ["Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause"];
            assert!(permissive.contains(&entry.licence.as_str()), "{}: {}", entry.name, entry.licence);
            for link in [&entry.url, &entry.licence_url, &entry.project] {
                assert!(link.starts_with("https://") && Address::parse(link).is_ok(), "{}: {link}", entry.name);
            }
        }
    }

    #[test]
    fn names_of_ultralytics_are_known_and_others_are_not_taken_for_them() {
        for name in ["yolov8n", "yolo11n-pose", "YOLO26x", "yolo-v5s"] {
            assert!(is_ultralytics(name), "{name}");
        }
        for name in ["yolox-nano", "yolox", "yolo", "detection", ""] {
            assert!(!is_ultralytics(name), "{name}");
        }
    }
}
