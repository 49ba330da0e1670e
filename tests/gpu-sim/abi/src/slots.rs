//! Which method is in which slot, for every version (`slots.tsv`).

use crate::Version;

const TABLE: &str = include_str!("slots.tsv");

/// The methods of a class in the order of their slots.
///
/// The table's rows say from which version on a method has which slot, or `-` where it is gone.
pub(crate) fn methods(class: &str, version: Version) -> Vec<&'static str> {
    let mut methods = Vec::new();
    for row in TABLE.lines().skip(1) {
        let mut cells = row.split('\t');
        if cells.next() != Some(class) {
            continue;
        }
        if let (Some(method), Some(history)) = (cells.next(), cells.next())
            && let Some(slot) = slot(history, version)
        {
            if methods.len() <= slot {
                methods.resize(slot + 1, "");
            }
            methods[slot] = method;
        }
    }
    methods
}

fn slot(history: &str, version: Version) -> Option<usize> {
    let mut changes = history.split(' ').rev().filter_map(|change| change.split_once('='));
    let (_, slot) = changes.find(|(from, _)| Version::parse(from).is_some_and(|from| from <= version))?;
    slot.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{TABLE, methods};
    use crate::Version;

    fn of(class: &str, version: &str) -> Vec<&'static str> {
        methods(class, Version::parse(version).expect("a version"))
    }

    #[test]
    fn known_places() {
        assert_eq!(of("VExecutionContext", "10.16.1")[37], "enqueueV3");
        assert_eq!(of("VExecutionContext", "11.4.0")[36], "enqueueV3");
        assert_eq!(of("VRuntime", "10.3.0").len(), 23);
        assert_eq!(of("VRuntime", "10.7.0")[23], "deserializeCudaEngineV2");
        assert_eq!(of("VNetworkDefinition", "10.8.0")[64], "getBuilder");
        assert_eq!(of("VNetworkDefinition", "10.9.0")[63], "getBuilder");
    }

    #[test]
    fn no_version_has_a_hole_or_a_slot_beyond_the_stubs() {
        let classes: std::collections::BTreeSet<&str> =
            TABLE.lines().skip(1).filter_map(|row| row.split('\t').next()).collect();
        for class in classes {
            for version in ["10.0.0", "10.1", "10.3", "10.7", "10.8", "10.9", "10.13.3", "10.16.1", "11.0", "11.4"] {
                let methods = of(class, version);
                assert!(methods.len() <= crate::missing::MISSING.len(), "{class} {version}");
                assert!(methods.iter().all(|method| !method.is_empty()), "{class} {version}: {methods:?}");
            }
        }
    }
}
