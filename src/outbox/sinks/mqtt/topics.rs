//! Topics. Prefix, cameras, zones and lines come from the config and are safe; labels are made so.

/// Whether we are there: `online` or `offline`.
pub(super) fn available(prefix: &str) -> String {
    format!("{prefix}/available")
}

/// Events.
pub(super) fn events(prefix: &str) -> String {
    own(prefix, "events")
}

/// One right below the prefix.
pub(super) fn own(prefix: &str, end: &str) -> String {
    format!("{prefix}/{end}")
}

/// Figures of the daemon, now and then.
pub(super) fn stats(prefix: &str) -> String {
    format!("{prefix}/stats")
}

/// What we retain at the broker, so that a later run can take back what is no longer there.
pub(super) fn inventory(prefix: &str) -> String {
    format!("{prefix}/discovery")
}

/// What a camera does.
pub(super) fn status(prefix: &str, camera: &str) -> String {
    format!("{prefix}/{camera}/status")
}

/// How many of a class a camera sees.
pub(super) fn seen(prefix: &str, camera: &str, label: &str) -> String {
    // That name is taken one level below a camera.
    let label = part(label);
    let label = if label == "status" { "status_" } else { &label };
    format!("{prefix}/{camera}/{label}")
}

/// How many of a class are in a zone.
pub(super) fn inside(prefix: &str, camera: &str, zone: &str, label: &str) -> String {
    format!("{prefix}/{camera}/{zone}/{}", part(label))
}

/// Crossings of a line so far.
pub(super) fn crossed(prefix: &str, camera: &str, line: &str, direction: &str) -> String {
    format!("{prefix}/{camera}/lines/{line}/{direction}")
}

/// A label as one level of a topic.
pub(super) fn part(label: &str) -> String {
    let safe = |c: char| if c.is_whitespace() || c.is_control() || "/+#".contains(c) { '_' } else { c };
    let part: String = label.trim().chars().map(safe).collect();
    if part.is_empty() { "_".to_owned() } else { part }
}

/// A name as Home Assistant takes it in topics and ids: `[a-z0-9_-]`. Names that this changes beyond spaces are told
/// apart by a number made from them.
pub(super) fn id(name: &str) -> String {
    let plain: String = name.trim().to_lowercase().replace([' ', '/'], "_");
    if !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return plain;
    }
    let kept: String = plain.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    // FNV-1a: the same on every machine and in every version.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("{kept}_{hash:08x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_level_and_no_wildcard() {
        assert_eq!(seen("w", "gate", "traffic light"), "w/gate/traffic_light");
        assert_eq!(inside("w", "gate", "yard", "a/b+c#d\n"), "w/gate/yard/a_b_c_d");
        assert_eq!(seen("w", "gate", "status"), "w/gate/status_");
        assert_eq!(seen("w", "gate", " "), "w/gate/_");
    }

    #[test]
    fn ids_are_ascii_and_stay_apart() {
        assert_eq!(id("Traffic Light"), "traffic_light");
        assert_eq!(id("site/watchkeeper"), "site_watchkeeper");
        let (man, woman) = (id("человек"), id("машина"));
        assert!(man != woman && man.is_ascii(), "{man} {woman}");
    }
}
