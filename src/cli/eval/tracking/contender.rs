//! A tracker with its settings, by names as users write them.

use std::path::Path;

use serde_json::Value;

use crate::cli::exit::BadInput;
use crate::config::{self, TrackerKind, Tracking};
use crate::tracking::{self, Parameters, Tracker};

/// What takes part in a comparison.
#[derive(Clone, Debug)]
pub(super) struct Contender {
    /// As in the configuration.
    pub(super) name: String,
    settings: Tracking,
    /// Parameters that are set otherwise.
    pub(super) overrides: Vec<(String, f32)>,
}

/// All that were asked for; at least one.
pub(super) fn all(trackers: &[String], config: Option<&Path>, set: &[String]) -> anyhow::Result<Vec<Contender>> {
    let settings = match config {
        // Models, plans and passwords do not matter here, and may be elsewhere.
        Some(path) => config::load_for_engines(path)?.config.tracking,
        None => Tracking::default(),
    };
    let kinds = match trackers {
        [] => vec![settings.tracker],
        names => names.iter().map(|name| kind(name)).collect::<Result<_, _>>()?,
    };
    let overrides = set.iter().map(|text| assignment(text)).collect::<Result<Vec<_>, _>>()?;
    let contenders = kinds.into_iter().map(|tracker| {
        let (name, settings) = (name(tracker), Tracking { tracker, ..settings });
        Contender { name, settings, overrides: Vec::new() }.and(&overrides, "--set")
    });
    Ok(contenders.collect::<Result<_, _>>()?)
}

impl Contender {
    /// With further parameters set; `option` is for messages.
    pub(super) fn and(&self, overrides: &[(String, f32)], option: &str) -> Result<Self, BadInput> {
        let known = Parameters::defaults(self.settings.tracker);
        for one in overrides {
            if let Err(error) = tracking::with(&self.settings, std::slice::from_ref(one)) {
                let (name, value) = one;
                let message = if known.iter().any(|(known, _)| known == name) {
                    format!("{option} {name}={value}: {error}")
                } else {
                    let names = known.iter().map(|(name, _)| *name);
                    let tracker = &self.name;
                    format!("{option} {name}: {tracker} has no such parameter; {}", nearest(name, names))
                };
                return Err(BadInput(message));
            }
        }
        let overrides = self.overrides.iter().chain(overrides).cloned().collect();
        Ok(Self { overrides, ..self.clone() })
    }

    /// At the beginning of a sequence.
    pub(super) fn tracker(&self) -> Result<Box<dyn Tracker>, BadInput> {
        tracking::with(&self.settings, &self.overrides).map_err(|error| BadInput(format!("{}: {error}", self.name)))
    }
}

/// `name=value`.
fn assignment(text: &str) -> Result<(String, f32), BadInput> {
    let value = |text: &str| text.trim().parse().ok().filter(|value: &f32| value.is_finite());
    let pair = text.split_once('=').and_then(|(name, text)| Some((name.trim().to_owned(), value(text)?)));
    pair.ok_or_else(|| BadInput(format!("--set {text}: NAME=VALUE with a number is wanted, such as high_score=0.5")))
}

fn kind(name: &str) -> Result<TrackerKind, BadInput> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(|error| {
        // "unknown variant `a`, expected `b` or `c`"
        let message = error.to_string();
        let known: Vec<&str> = message.split('`').skip(1).step_by(2).filter(|word| *word != name).collect();
        BadInput(format!("--tracker {name:?}: no such tracker; {}", nearest(name, known.into_iter())))
    })
}

fn name(kind: TrackerKind) -> String {
    serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let likeness = |word: &str| strsim::jaro_winkler(&written.to_lowercase(), word);
    let best = known.iter().filter(|word| likeness(word) >= 0.75).max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    best.map_or_else(|| format!("known: {}", known.join(", ")), |word| format!("did you mean {word:?}?"))
}
