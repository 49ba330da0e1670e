//! `[[sinks]]` as meant.

use std::path::PathBuf;

use crate::config::file::{self, ROTATE_MB, ROTATED_KEPT, SinkKind};
use crate::config::meaning::{self, Dialect, Sink};
use crate::config::report::Report;

use super::beside;

/// All sinks in order of the files.
pub(super) fn resolve(written: &[file::Sink], report: &mut Report) -> Vec<Sink> {
    let mut paths: Vec<(Option<PathBuf>, String)> = Vec::new();
    let mut sinks = Vec::new();
    for (i, sink) in written.iter().enumerate() {
        let (Some(SinkKind::Jsonl), Some(path)) = (sink.kind, &sink.path) else { continue };
        let (section, key) = (format!("sinks[{i}]"), format!("sinks[{i}].path"));
        let path = (path != "-").then(|| beside(path, &key, report));
        if path.is_none() {
            for (name, set) in [("rotate_mb", sink.rotate_mb.is_some()), ("keep", sink.keep.is_some())] {
                if set {
                    report.problem(format!("{section}.{name}"), "is for files, not for standard output; take it out");
                }
            }
        }
        if let Some((_, first)) = paths.iter().find(|(other, _)| *other == path) {
            report.problem(&key, format!("written by {first} already; take one of them out"));
        }
        // A warning: it may lie on a volume, or be made by whoever starts the service.
        if let Some(folder) = path.as_deref().and_then(std::path::Path::parent)
            && !folder.as_os_str().is_empty()
            && !folder.is_dir()
        {
            report.warn(&key, "its folder is not there now; create it, or the daemon does not start");
        }
        paths.push((path.clone(), section));
        sinks.push(Sink {
            id: format!("jsonl-{i}"),
            dialect: Dialect::Native,
            types: Vec::new(),
            cameras: Vec::new(),
            kind: meaning::SinkKind::Jsonl {
                path,
                rotate_bytes: sink.rotate_mb.unwrap_or(ROTATE_MB) * 1_000_000,
                keep: sink.keep.unwrap_or(ROTATED_KEPT),
            },
        });
    }
    sinks
}
