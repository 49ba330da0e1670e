//! Subjects: `<prefix>.events.<device>.<camera>.<type>`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::Stored;

/// What a token may hold besides letters and digits; all else is written `%XX`, so that two names never become one.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The subjects of one device.
pub(super) struct Subjects {
    base: String,
}

impl Subjects {
    /// # Errors
    /// The prefix cannot begin a subject.
    pub(super) fn new(prefix: &str, device: &str) -> Result<Self, String> {
        let bad = |token: &str| token.is_empty() || token.chars().any(|c| c.is_whitespace() || "*>".contains(c));
        if prefix.split('.').any(bad) || prefix.starts_with('$') {
            return Err(format!(
                "prefix {prefix:?} cannot begin a NATS subject; use letters, digits, \"-\", \"_\" and single dots"
            ));
        }
        Ok(Self { base: format!("{prefix}.events.{}", utf8_percent_encode(device, ENCODED)) })
    }

    /// The subject of an event. The dot of its type parts two tokens; the camera of one about the device is `_`.
    pub(super) fn of(&self, event: &Stored) -> String {
        let camera = if event.camera.is_empty() { "_" } else { &event.camera };
        format!("{}.{camera}.{}", self.base, event.event_type)
    }

    /// All of them.
    pub(super) fn all(&self) -> String {
        format!("{}.>", self.base)
    }
}

/// What a stream must take for any device's events.
pub(super) fn of_all_devices(prefix: &str) -> String {
    format!("{prefix}.events.>")
}

/// Does every subject that `ours` matches match `filter` too?
pub(super) fn covers(filter: &str, ours: &str) -> bool {
    let (mut filter, mut ours) = (filter.split('.'), ours.split('.'));
    loop {
        match (filter.next(), ours.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(theirs), Some(token)) if theirs == token => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn event(camera: &str, event_type: &str) -> Stored {
        Stored {
            seq: 1,
            id: String::new(),
            event_type: event_type.to_owned(),
            camera: camera.to_owned(),
            body: "{}".into(),
        }
    }

    #[test]
    fn names_stay_one_token_each_and_never_meet() {
        let of = |device: &str| Subjects::new("site.wk", device).unwrap().of(&event("gate", "line.crossed"));
        assert_eq!(of("jetson-07"), "site.wk.events.jetson-07.gate.line.crossed");
        assert_eq!(of("yard 1.lan"), "site.wk.events.yard%201%2Elan.gate.line.crossed");
        assert_ne!(of("a b"), of("a_b"));
        assert_eq!(of("Tür"), "site.wk.events.T%C3%BCr.gate.line.crossed");
    }

    #[test]
    fn an_event_about_the_device_has_an_underline_for_a_camera() {
        let subjects = Subjects::new("wk", "a").unwrap();
        assert_eq!(subjects.of(&event("", "system.events_lost")), "wk.events.a._.system.events_lost");
    }

    #[test]
    fn a_prefix_that_is_no_subject_is_refused() {
        for prefix in ["", "a b", "a..b", "wk.", "*", "a.>", "$SYS"] {
            assert!(Subjects::new(prefix, "a").is_err(), "{prefix:?}");
        }
    }

    #[test]
    fn a_filter_covers_what_all_our_subjects_match() {
        let ours = "wk.events.a.>";
        for filter in [">", "wk.>", "wk.events.>", "wk.events.a.>", "wk.events.*.>", "*.events.a.>"] {
            assert!(covers(filter, ours), "{filter}");
        }
        for filter in
            ["wk", "wk.*", "wk.events.b.>", "wk.events.*", "wk.events.*.*", "wk.events.*.*.*.*", "wk.events.a.b.>"]
        {
            assert!(!covers(filter, ours), "{filter}");
        }
    }
}
