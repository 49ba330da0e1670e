//! Faults on demand: one JSON document, a section per library.
//!
//! `WATCHKEEPER_SIM` holds the document when a library loads; `watchkeeper_sim_control` takes another one later. Keys
//! that a later document leaves out keep their value; `"reset": true` in a section brings the defaults back first.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The environment variable with the first document.
pub const VARIABLE: &str = "WATCHKEEPER_SIM";

/// The sections a document may have.
const SECTIONS: [&str; 4] = ["cuda", "decoder", "onnxruntime", "tensorrt"];

/// One library's section, as the sum of the documents so far.
#[derive(Debug)]
pub struct Section<T> {
    name: &'static str,
    keys: Map<String, Value>,
    /// What the keys mean.
    pub faults: T,
}

impl<T: DeserializeOwned + Default> Section<T> {
    /// The section `name` as the environment asks for it; a document that cannot be read is reported on stderr and
    /// counts as empty.
    #[must_use]
    pub fn from_env(name: &'static str) -> Self {
        let mut section = Self { name, keys: Map::new(), faults: T::default() };
        if let Ok(document) = std::env::var(VARIABLE)
            && let Err(reason) = section.apply(&document)
        {
            eprintln!("[simulated] {VARIABLE}: {reason}; correct it, it is ignored");
        }
        section
    }

    /// Lays `document` over the section; says whether it asked for a reset.
    ///
    /// # Errors
    /// Where the document is not JSON, names an unknown section or key, or a value does not fit. Nothing changes then.
    pub fn apply(&mut self, document: &str) -> Result<bool, String> {
        let document: Map<String, Value> = serde_json::from_str(document).map_err(|error| error.to_string())?;
        if let Some(unknown) = document.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
            return Err(format!("unknown section {unknown:?}, there are {SECTIONS:?}"));
        }
        let Some(section) = document.get(self.name) else {
            return Ok(false);
        };
        let mut changes =
            section.as_object().cloned().ok_or_else(|| format!("section {:?} is not an object", self.name))?;
        let reset = changes.remove("reset").is_some_and(|value| value == Value::Bool(true));
        let mut keys = if reset { Map::new() } else { self.keys.clone() };
        keys.extend(changes);
        self.faults = serde_json::from_value(Value::Object(keys.clone()))
            .map_err(|error| format!("section {:?}: {error}", self.name))?;
        self.keys = keys;
        Ok(reset)
    }
}

#[cfg(test)]
mod tests {
    use super::Section;

    #[derive(Debug, Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Faults {
        devices: u32,
        slow_ms: u32,
    }

    #[test]
    fn documents_add_up_until_a_reset() {
        let mut section = Section { name: "cuda", keys: serde_json::Map::new(), faults: Faults::default() };
        assert_eq!(section.apply(r#"{"cuda":{"devices":2}}"#), Ok(false));
        assert_eq!(section.apply(r#"{"cuda":{"slow_ms":5},"tensorrt":{}}"#), Ok(false));
        assert_eq!((section.faults.devices, section.faults.slow_ms), (2, 5));
        assert_eq!(section.apply(r#"{"cuda":{"reset":true}}"#), Ok(true));
        assert_eq!(section.faults.devices, 0);
    }

    #[test]
    fn what_is_not_understood_changes_nothing() {
        let mut section = Section { name: "cuda", keys: serde_json::Map::new(), faults: Faults::default() };
        for document in ["{", r#"{"gpu":{}}"#, r#"{"cuda":{"device":1}}"#, r#"{"cuda":{"devices":"two"}}"#] {
            assert!(section.apply(document).is_err(), "{document}");
        }
        assert_eq!(section.faults.devices, 0);
    }
}
