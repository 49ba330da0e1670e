//! The environment layer: `WATCHKEEPER__RUNTIME__POLICY=any`.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};
use serde_json::Value as Json;

use super::document::join;
use super::layers::Layer;
use super::problem::Location;
use super::report::Report;
use super::{schema, words};

/// Variables that begin so are keys, and must be known.
pub(super) const PREFIX: &str = "WATCHKEEPER__";

/// Variables of a process, by name.
pub(super) type Variables = BTreeMap<String, String>;

/// Reads the variables; the schema says which type each value has.
pub(super) fn read(variables: &Variables, root: &Json, report: &mut Report) -> Layer {
    let mut layer = Layer::default();
    for (variable, text) in variables {
        let Some(path) = variable.strip_prefix(PREFIX) else { continue };
        let path = path.to_lowercase();
        let location = Location::Environment { variable: variable.escape_debug().to_string() };
        match find(root, &path) {
            Ok((key, node)) => {
                for (end, _) in key.match_indices('.') {
                    report.place_section(&key[..end], location.clone());
                }
                report.place(&key, location);
                insert(&mut layer.0, &key, value(text, node));
            }
            Err(message) => report.problem_at(Some(location), message),
        }
    }
    layer
}

/// The schema of a leaf.
fn find<'a>(root: &'a Json, path: &str) -> Result<(String, &'a Json), String> {
    let mut key = String::new();
    let mut node = root;
    for name in path.split("__") {
        if node["items"]["type"] == "object" {
            break;
        }
        let known = node["properties"].as_object();
        node = match known.and_then(|known| known.get(name)) {
            Some(node) => node,
            None if node["additionalProperties"].is_object() && words::is_name(name) => &node["additionalProperties"],
            None => {
                let key = words::quoted(&join(&key, name));
                return Err(format!("no key {key}{}", words::suggestion(name, schema::keys(node))));
            }
        };
        key = join(&key, name);
    }
    match node["type"].as_str() {
        Some("object") => Err(format!("{key} is a section; name a key in it, as {PREFIX}SECTION__KEY")),
        Some("array") if node["items"]["type"] == "object" => {
            Err(format!("[[{key}]] cannot be set by the environment; put a file into conf.d"))
        }
        _ => Ok((key, node)),
    }
}

fn value(text: &str, node: &Json) -> ValueKind {
    match node["type"].as_str() {
        Some("boolean") => text.parse().map(ValueKind::Boolean).ok(),
        Some("integer") => text.parse().map(ValueKind::I64).ok(),
        Some("number") => text.parse().map(ValueKind::Float).ok(),
        Some("array") => {
            let items = text.split(',').map(|item| Value::new(None, value(item.trim(), &node["items"])));
            Some(ValueKind::Array(items.collect()))
        }
        _ => None,
    }
    .unwrap_or_else(|| ValueKind::String(text.to_owned()))
}

fn insert(map: &mut Map<String, Value>, key: &str, value: ValueKind) {
    match key.split_once('.') {
        None => {
            map.insert(key.to_owned(), Value::new(None, value));
        }
        Some((section, rest)) => {
            let entry = map.entry(section.to_owned()).or_insert_with(|| Value::new(None, ValueKind::Table(Map::new())));
            if let ValueKind::Table(map) = &mut entry.kind {
                insert(map, rest, value);
            }
        }
    }
}
