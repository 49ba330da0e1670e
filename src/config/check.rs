//! Holds what was written against the schema: unknown and missing keys, types, words, ranges.
//!
//! What is refused is left out of the result, so that everything else can be checked further in the same pass.

use config::{Map as Table, Value, ValueKind};
use serde_json::{Map, Value as Json};

use super::document::join;
use super::report::Report;
use super::{schema, words};

/// What remains of `value`.
pub(super) fn check(value: &Value, schema: &Json, report: &mut Report) -> Json {
    let kept = Check { report }.value(&value.kind, schema, "");
    kept.unwrap_or_else(|| Json::Object(Map::new()))
}

struct Check<'a> {
    report: &'a mut Report,
}

impl Check<'_> {
    /// `None`: refused, and reported.
    fn value(&mut self, value: &ValueKind, node: &Json, key: &str) -> Option<Json> {
        let kept = match (node["type"].as_str(), value) {
            (Some("object"), ValueKind::Table(table)) => return Some(self.table(table, node, key)),
            (Some("array"), ValueKind::Array(items)) => return self.array(items, node, key),
            (Some("boolean"), ValueKind::Boolean(value)) => Ok(Json::Bool(*value)),
            (Some("integer"), ValueKind::I64(n)) => range(*n as f64, node).map(|()| Json::from(*n)),
            (Some("integer"), ValueKind::Float(n)) if n.abs() == f64::MAX => {
                range(*n, node).map(|()| Json::Null).and(Err("too large".to_owned()))
            }
            (Some("number"), ValueKind::I64(n)) => range(*n as f64, node).map(|()| Json::from(*n)),
            (Some("number"), ValueKind::Float(n)) => range(*n, node).map(|()| Json::from(*n)),
            (_, ValueKind::String(text)) => match schema::words(node) {
                Some(known) => word(text, &known),
                None if node["type"] == "string" => string(text, node),
                None => wrong_type(value, node, key),
            },
            _ => wrong_type(value, node, key),
        };
        kept.map_err(|message| self.report.problem(key, message)).ok()
    }

    fn table(&mut self, table: &Table<String, Value>, node: &Json, key: &str) -> Json {
        let mut kept = Map::new();
        for (name, value) in table {
            let key = join(key, name);
            match self.property(name, node) {
                Ok(node) => {
                    if let Some(value) = self.value(&value.kind, node, &key) {
                        kept.insert(name.clone(), value);
                    }
                }
                Err(message) => self.report.problem(key, message),
            }
        }
        for name in node["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !table.contains_key(name) {
                let property = &node["properties"][name];
                let meaning = first_sentence(property["description"].as_str().unwrap_or_default());
                let choice = schema::words(property).map(|known| format!(", one of {}", words::list(known)));
                let message = format!("missing; add it: {meaning}{}", choice.unwrap_or_default());
                self.report.problem(join(key, name), message);
            }
        }
        Json::Object(kept)
    }

    fn property<'n>(&self, name: &str, node: &'n Json) -> Result<&'n Json, String> {
        let properties = node["properties"].as_object();
        if let Some(node) = properties.and_then(|p| p.get(name)) {
            return Ok(node);
        }
        let others = &node["additionalProperties"];
        if others.is_object() {
            return pattern(name, &node["propertyNames"]).map(|()| others).map_err(|rule| format!("a name {rule}"));
        }
        if name == "password" && !node["properties"]["password_file"].is_null() {
            return Err(
                "passwords do not stand in this file; use password_file, password_env or password_credential".into()
            );
        }
        Err(format!("unknown key{}", words::suggestion(name, schema::keys(node))))
    }

    fn array(&mut self, items: &[Value], node: &Json, key: &str) -> Option<Json> {
        let (least, most) = (node["minItems"].as_u64().unwrap_or(0), node["maxItems"].as_u64().unwrap_or(u64::MAX));
        let n = items.len() as u64;
        if n < least || n > most {
            let message = match (least, most) {
                (1, u64::MAX) => "an empty list; leave the key out to have the default".to_owned(),
                (least, most) if least == most => format!("must have {least} values, not {n}"),
                _ => format!("must have {least} to {most} values, not {n}"),
            };
            self.report.problem(key, message);
            return None;
        }
        let sections = node["items"]["type"] == "object";
        let kept: Vec<Option<Json>> = items
            .iter()
            .enumerate()
            .map(|(i, item)| self.value(&item.kind, &node["items"], &format!("{key}[{i}]")))
            // A section that is none keeps its place, or the keys of those behind it would be miscounted.
            .map(|item| item.or_else(|| sections.then(|| Json::Object(Map::new()))))
            .collect();
        kept.into_iter().collect::<Option<Vec<_>>>().map(Json::Array)
    }
}

fn word(text: &str, known: &[&str]) -> Result<Json, String> {
    if known.contains(&text) {
        return Ok(Json::from(text));
    }
    let near = words::suggestion(text, known.iter().copied());
    Err(format!("unknown word {}{near}", words::quoted(text)))
}

fn string(text: &str, node: &Json) -> Result<Json, String> {
    let length = text.chars().count() as u64;
    if length == 0 && node["minLength"].as_u64().unwrap_or(0) > 0 {
        return Err("empty; write a value".to_owned());
    }
    if let Some(most) = node["maxLength"].as_u64().filter(|most| length > *most) {
        return Err(format!("must have at most {most} characters, not {length}"));
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character (a line break, perhaps); take it out".to_owned());
    }
    pattern(text, node).map(|()| Json::from(text)).map_err(|rule| format!("{} {rule}", words::quoted(text)))
}

fn pattern(text: &str, node: &Json) -> Result<(), String> {
    if node["pattern"].is_null() || words::is_name(text) {
        return Ok(());
    }
    Err("must be 1 to 64 lower-case letters, digits, \"_\" or \"-\"".to_owned())
}

fn range(n: f64, node: &Json) -> Result<(), String> {
    if !n.is_finite() {
        return Err("must be a finite number".to_owned());
    }
    let n_text = if n.abs() == f64::MAX { "a number beyond 64 bits".to_owned() } else { n.to_string() };
    let bound = |value: &Json| value.as_f64().map(|bound| (bound, value.to_string()));
    match (bound(&node["minimum"]), bound(&node["maximum"])) {
        (Some((least, a)), Some((most, b))) if n < least || n > most => {
            Err(format!("must be {a} to {b}, not {n_text}"))
        }
        (Some((least, a)), None) if n < least => Err(format!("must be at least {a}, not {n_text}")),
        (None, Some((most, b))) if n > most => Err(format!("must be at most {b}, not {n_text}")),
        _ => Ok(()),
    }
}

fn wrong_type(value: &ValueKind, node: &Json, key: &str) -> Result<Json, String> {
    let wanted = match (node["type"].as_str(), schema::words(node)) {
        (_, Some(known)) => format!("one of {}", words::list(known)),
        (Some("object"), _) => "a section".to_owned(),
        (Some("array"), _) if node["items"]["type"] == "object" => format!("sections in double brackets, [[{key}]]"),
        (Some("array"), _) => "a list, [...]".to_owned(),
        (Some("boolean"), _) => "true or false".to_owned(),
        (Some("integer"), _) => "a whole number".to_owned(),
        (Some("number"), _) => "a number".to_owned(),
        _ => "a string in quotes".to_owned(),
    };
    let found = match value {
        ValueKind::Nil => "a date or time",
        ValueKind::Boolean(_) => "true or false",
        ValueKind::Float(_) if node["type"] == "integer" => "a number with a fraction",
        ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) | ValueKind::Float(_) => {
            "a number"
        }
        ValueKind::String(_) => "a string",
        ValueKind::Table(_) => "a section",
        ValueKind::Array(_) => "a list",
    };
    Err(format!("must be {wanted}, not {found}"))
}

/// The first sentence of a manual.
fn first_sentence(manual: &str) -> String {
    manual.split_inclusive(['.', ':', ';']).next().unwrap_or_default().trim_end_matches(['.', ':', ';']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A keyword that the check does not know would be a rule that nobody enforces.
    #[test]
    fn the_schema_uses_only_what_the_check_knows() {
        const KNOWN: [&str; 19] = [
            "type",
            "properties",
            "additionalProperties",
            "propertyNames",
            "required",
            "items",
            "minItems",
            "maxItems",
            "minLength",
            "maxLength",
            "pattern",
            "minimum",
            "maximum",
            "oneOf",
            "const",
            "enum",
            "description",
            "default",
            "title",
        ];
        fn walk(node: &Json, path: &str) {
            for (keyword, value) in node.as_object().into_iter().flatten() {
                assert!(KNOWN.contains(&keyword.as_str()) || keyword == "$schema", "{path}: {keyword}");
                match keyword.as_str() {
                    "properties" => value.as_object().into_iter().flatten().for_each(|(k, n)| walk(n, &join(path, k))),
                    "items" | "additionalProperties" => walk(value, path),
                    "oneOf" => assert!(schema::words(node).is_some(), "{path}"),
                    "pattern" => assert_eq!(value, words::NAME, "{path}"),
                    "propertyNames" => assert_eq!(value["pattern"], words::NAME, "{path}"),
                    _ => {}
                }
            }
        }
        walk(&schema::schema(), "");
    }
}
