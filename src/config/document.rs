//! One TOML file: its values, and where each of them stands.

use std::collections::BTreeSet;
use std::path::Path;

use config::{Map, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Location;
use super::report::Report;

/// Lists to which a later file adds; every other value it replaces.
const APPENDED: [&str; 2] = ["cameras", "sinks"];

/// Most syntax errors reported per file: the parser goes on after the first, and may be led astray by it.
const MAX_SYNTAX_ERRORS: usize = 5;

/// Adds a file's values to `values`.
pub(super) fn add(text: &str, path: &Path, values: &mut Map<String, Value>, report: &mut Report) {
    let lines = Lines::new(text, path);
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        Document { lines, report }.merge(values, table.get_ref(), "");
        return;
    }
    report.incomplete = true;
    let mut errors: Vec<_> = errors.iter().map(|e| (e.span().unwrap_or_default(), e.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let mut seen = BTreeSet::new();
    for (span, message) in errors {
        let location = lines.locate(span.start);
        if let Location::File { line, .. } = location
            && seen.len() < MAX_SYNTAX_ERRORS
            && seen.insert(line)
        {
            report.problem_at(Some(location), format!("not TOML: {message}"));
        }
    }
}

/// Byte offsets to lines and columns.
struct Lines<'a> {
    text: &'a str,
    path: &'a Path,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, path: &'a Path) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, path, starts }
    }

    fn locate(&self, offset: usize) -> Location {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).unwrap_or("").chars().count() + 1;
        Location::File { path: self.path.to_path_buf(), line, column }
    }
}

struct Document<'a> {
    lines: Lines<'a>,
    report: &'a mut Report,
}

impl Document<'_> {
    fn merge(&mut self, into: &mut Map<String, Value>, from: &DeTable<'_>, parent: &str) {
        for (name, value) in from {
            let (name, offset) = (bare_or_quoted(name.get_ref()), name.span().start);
            let key = join(parent, &name);
            let old = into.remove(&name).map(|v| v.kind);
            let new = match (value.get_ref(), old) {
                (DeValue::Table(table), old) => {
                    let mut map = if let Some(ValueKind::Table(map)) = old {
                        self.report.place_section(&key, self.lines.locate(offset));
                        map
                    } else {
                        self.report.place(&key, self.lines.locate(offset));
                        Map::new()
                    };
                    self.merge(&mut map, table, &key);
                    ValueKind::Table(map)
                }
                (DeValue::Array(items), Some(ValueKind::Array(old))) if APPENDED.contains(&key.as_str()) => {
                    self.array(old, items, &key)
                }
                (value, _) => {
                    self.report.place(&key, self.lines.locate(offset));
                    self.value(value, &key)
                }
            };
            into.insert(name, Value::new(None, new));
        }
    }

    fn array(&mut self, mut values: Vec<Value>, items: &[Spanned<DeValue<'_>>], key: &str) -> ValueKind {
        for item in items {
            let key = format!("{key}[{}]", values.len());
            self.report.place(&key, self.lines.locate(item.span().start));
            values.push(Value::new(None, self.value(item.get_ref(), &key)));
        }
        ValueKind::Array(values)
    }

    fn value(&mut self, value: &DeValue<'_>, key: &str) -> ValueKind {
        match value {
            DeValue::String(text) => ValueKind::String(text.to_string()),
            DeValue::Boolean(value) => ValueKind::Boolean(*value),
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => ValueKind::I64(n),
                Err(_) => ValueKind::Float(if n.as_str().starts_with('-') { f64::MIN } else { f64::MAX }),
            },
            DeValue::Float(n) => ValueKind::Float(n.as_str().parse().unwrap_or(f64::NAN)),
            // No key takes a date: the check calls it by this name.
            DeValue::Datetime(_) => ValueKind::Nil,
            DeValue::Array(items) => self.array(Vec::new(), items, key),
            DeValue::Table(table) => {
                let mut map = Map::new();
                self.merge(&mut map, table, key);
                ValueKind::Table(map)
            }
        }
    }
}

/// `parent.name`.
pub(super) fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

/// A key as it stands in TOML, so that no odd character splits a key path or a line of the log.
fn bare_or_quoted(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare && name.len() <= 64 { name.to_owned() } else { super::words::quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let lines = Lines::new("a\n  äö = 1\n", Path::new("x"));
        let at = |offset| lines.locate(offset).to_string();
        assert_eq!((at(0), at(2), at(9)), ("x:1:1".into(), "x:2:1".into(), "x:2:6".into()));
    }
}
