//! The JSON Schema of the configuration, made from the types in [`super::file`]; the check walks the same schema.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

use super::file;

/// The JSON Schema (draft 2020-12) of a configuration file, for editors and for review.
#[must_use]
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true).with_transform(Tidy);
    let mut schema = settings.into_generator().into_root_schema_for::<file::File>();
    schema.insert("title".to_owned(), "Watchkeeper configuration".into());
    schema.to_value()
}

/// TOML has no null, and what is known of a section's keys need not be said again for the section.
#[derive(Clone)]
struct Tidy;

impl Transform for Tidy {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        if let Some(Value::Array(types)) = object.get_mut("type") {
            types.retain(|t| t != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                object.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
            choices.retain(|c| c != &json!({"type": "null"}));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                object.remove("anyOf");
                for (key, value) in only {
                    object.entry(key).or_insert(value);
                }
            }
        }
        if let Some(Value::String(manual)) = object.get_mut("description") {
            *manual = manual.replace('\n', " ");
        }
        if object.get("default").is_some_and(|d| d.is_null() || d.is_object() || *d == json!([])) {
            object.remove("default");
        }
        if object.get("format").is_some_and(|f| matches!(f.as_str(), Some("double" | "uint8" | "uint32" | "uint64"))) {
            object.remove("format");
        }
    }
}

/// The words of an enumeration.
pub(super) fn words(node: &Value) -> Option<Vec<&str>> {
    if let Some(words) = node["enum"].as_array() {
        return words.iter().map(Value::as_str).collect();
    }
    node["oneOf"].as_array()?.iter().map(|choice| choice["const"].as_str()).collect()
}

/// The names of a section's keys, sorted.
pub(super) fn keys(node: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = node["properties"].as_object().into_iter().flatten().map(|(n, _)| n.as_str()).collect();
    names.sort_unstable();
    names
}
