//! One event on one line, for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::outbox::sinks::Stored;

/// Number, time, type, camera, rule, track and facts.
pub(super) fn of(event: &Stored) -> String {
    let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut line = format!(
        "{:>8}  {}  {:<16}  {:<12}",
        event.seq,
        word(&body["time"]["emit"]),
        event.event_type,
        if event.camera.is_empty() { "-" } else { &event.camera },
    );
    let rule = word(&body["rule"]);
    if !rule.is_empty() {
        let _ = write!(line, "  {rule}");
    }
    if let Some(id) = body["track"]["id"].as_str() {
        let score = body["track"]["top_score"].as_f64().unwrap_or_default();
        let _ = write!(line, "  {} {id} {score:.2}", word(&body["track"]["label"]));
    }
    for (name, value) in body["data"].as_object().into_iter().flatten() {
        match value {
            Value::String(text) => _ = write!(line, "  {name}={text}"),
            Value::Number(_) | Value::Bool(_) => _ = write!(line, "  {name}={value}"),
            // What has parts is in the event itself.
            _ => {}
        }
    }
    // A camera's words may hold anything; a terminal takes orders from some of it.
    line.trim_end().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_matters_and_nothing_that_a_terminal_obeys() {
        let body = r#"{"time":{"emit":"2026-11-20T17:08:37.214Z"},"rule":"door","track":{"id":"gate:3:88","label":"person","top_score":0.91},"data":{"direction":"in","count":{"in":1},"text":"a\u001b[2Jb"}}"#;
        let event = Stored {
            seq: 42,
            id: String::new(),
            event_type: "line.crossed".to_owned(),
            camera: "gate".to_owned(),
            body: body.into(),
        };
        assert_eq!(
            of(&event),
            "      42  2026-11-20T17:08:37.214Z  line.crossed      gate          door  person gate:3:88 0.91  \
             direction=in  text=a\u{fffd}[2Jb"
        );
    }
}
