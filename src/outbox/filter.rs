//! Which events somebody wants.

use rusqlite::types::Value;

use crate::config::Sink;

/// Which events somebody wants: each list that is not empty must have what the event has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Types: `line.crossed`, `zone.*` for all that begin so, `*` for all.
    pub types: Vec<String>,
    /// Camera ids. Events about the device have none.
    pub cameras: Vec<String>,
    /// Ids of zones, lines and rules.
    pub rules: Vec<String>,
    /// Labels of the track that the event is about.
    pub labels: Vec<String>,
}

/// What of an event is asked about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub event_type: &'a str,
    pub camera: &'a str,
    pub rule: &'a str,
    pub label: &'a str,
}

impl Filter {
    /// What a sink wants.
    #[must_use]
    pub fn of(sink: &Sink) -> Self {
        Self { types: sink.types.clone(), cameras: sink.cameras.clone(), ..Self::default() }
    }

    pub(super) fn takes(&self, facts: Facts<'_>) -> bool {
        let has = |list: &[String], word: &str| list.is_empty() || list.iter().any(|one| one == word);
        (self.types.is_empty() || self.types.iter().any(|pattern| fits(pattern, facts.event_type)))
            && has(&self.cameras, facts.camera)
            && has(&self.rules, facts.rule)
            && has(&self.labels, facts.label)
    }

    /// The same as conditions of SQL, each with ` AND ` before it.
    pub(super) fn conditions(&self, sql: &mut String, values: &mut Vec<Value>) {
        if !self.types.is_empty() && !self.types.iter().any(|pattern| pattern == "*") {
            let mut one = |pattern: &String| match family(pattern) {
                // What begins with `zone.` lies before `zone/`.
                Some(family) => {
                    values.push(Value::Text(format!("{family}.")));
                    values.push(Value::Text(format!("{family}/")));
                    "(type >= ? AND type < ?)"
                }
                None => {
                    values.push(Value::Text(pattern.clone()));
                    "type = ?"
                }
            };
            let all: Vec<&str> = self.types.iter().map(&mut one).collect();
            sql.push_str(&format!(" AND ({})", all.join(" OR ")));
        }
        for (column, list) in [("camera", &self.cameras), ("rule", &self.rules), ("label", &self.labels)] {
            if !list.is_empty() {
                let places = vec!["?"; list.len()].join(",");
                sql.push_str(&format!(" AND {column} IN ({places})"));
                values.extend(list.iter().cloned().map(Value::Text));
            }
        }
    }
}

fn family(pattern: &str) -> Option<&str> {
    pattern.strip_suffix(".*")
}

fn fits(pattern: &str, event_type: &str) -> bool {
    match family(pattern) {
        Some(family) => event_type.strip_prefix(family).is_some_and(|rest| rest.starts_with('.')),
        None => pattern == "*" || pattern == event_type,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_of_types_is_all_that_begin_so() {
        for (pattern, event_type, wanted) in [
            ("zone.*", "zone.enter", true),
            ("zone.*", "zones.enter", false),
            ("zone.*", "line.crossed", false),
            ("line.crossed", "line.crossed", true),
            ("line", "line.crossed", false),
            ("*", "line.crossed", true),
        ] {
            assert_eq!(fits(pattern, event_type), wanted, "{pattern} {event_type}");
        }
    }
}
