//! `[[sinks]]` as meant.

mod servers;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::environment::Variables;
use crate::config::file::{self, ROTATE_MB, ROTATED_KEPT, SinkType};
use crate::config::meaning::{Camera, Sink, SinkKind};
use crate::config::report::Report;
use crate::config::words;
use crate::types::event::EventType;

use super::beside;
use servers::Reading;

/// All sinks in order of the files.
pub(super) fn resolve(
    written: &[file::Sink],
    cameras: &[Arc<Camera>],
    device: &str,
    variables: &Variables,
    report: &mut Report,
) -> Vec<Sink> {
    let mut paths: Vec<(Option<PathBuf>, String)> = Vec::new();
    let mut sinks: Vec<(Sink, String)> = Vec::new();
    for (i, sink) in written.iter().enumerate() {
        let key = format!("sinks[{i}]");
        let Some(kind) = sink.kind else { continue };
        misplaced(sink, kind, &key, report);
        let kind = match kind {
            SinkType::Jsonl => file(sink, &key, &mut paths, report),
            _ => Reading { sink, key: &key, device, variables, report: &mut *report }.server(kind),
        };
        types(sink.types.as_deref().unwrap_or_default(), &key, report);
        for (at, id) in sink.cameras.iter().flatten().enumerate() {
            if cameras.iter().all(|camera| camera.id != *id) {
                let near = words::suggestion(id, cameras.iter().map(|camera| camera.id.as_str()));
                report.problem(format!("{key}.cameras[{at}]"), format!("no camera {}{near}", words::quoted(id)));
            }
        }
        let Some(kind) = kind else { continue };
        let id = sink.id.clone().unwrap_or_else(|| id(&kind));
        if let Some((_, first)) = sinks.iter().find(|(other, _)| other.id == id)
            && !report.has(&format!("{key}.path"))
        {
            let message = format!("{} is the id of {first} too; give each its own with `id`", words::quoted(&id));
            report.problem(format!("{key}.id"), message);
        }
        let sink = Sink {
            id,
            dialect: sink.dialect.unwrap_or_default(),
            types: sink.types.clone().unwrap_or_default(),
            cameras: sink.cameras.clone().unwrap_or_default(),
            kind,
        };
        sinks.push((sink, key));
    }
    sinks.into_iter().map(|(sink, _)| sink).collect()
}

/// Where none is written: the type, and the name of the file.
fn id(kind: &SinkKind) -> String {
    let SinkKind::Jsonl { path, .. } = kind else { return kind.name().to_owned() };
    let Some(path) = path else { return "jsonl-stdout".to_owned() };
    let name = path.file_stem().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let fit = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' { c } else { '-' };
    format!("jsonl-{}", name.chars().map(fit).take(50).collect::<String>())
}

fn file(
    sink: &file::Sink,
    section: &str,
    paths: &mut Vec<(Option<PathBuf>, String)>,
    report: &mut Report,
) -> Option<SinkKind> {
    let key = format!("{section}.path");
    let Some(path) = &sink.path else {
        if !report.has(&key) {
            report.problem(key, "missing; add it: the file that lines are added to");
        }
        return None;
    };
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
    if let Some(folder) = path.as_deref().and_then(Path::parent)
        && !folder.as_os_str().is_empty()
        && !folder.is_dir()
    {
        report.warn(&key, "its folder is not there now; create it, or the daemon does not start");
    }
    paths.push((path.clone(), section.to_owned()));
    Some(SinkKind::Jsonl {
        path,
        rotate_bytes: sink.rotate_mb.unwrap_or(ROTATE_MB) * 1_000_000,
        keep: sink.keep.unwrap_or(ROTATED_KEPT),
    })
}

/// A type that there is, or the first word of some and `.*`.
fn types(written: &[String], key: &str, report: &mut Report) {
    let known = || EventType::ALL.iter().map(|event_type| event_type.name());
    for (at, pattern) in written.iter().enumerate() {
        let fits = match pattern.strip_suffix('*') {
            Some(start) => (start.is_empty() || start.ends_with('.')) && known().any(|name| name.starts_with(start)),
            None => known().any(|name| name == pattern),
        };
        if !fits {
            let near = words::suggestion(pattern, known());
            let message = format!("no type of event {}{near}", words::quoted(pattern));
            report.problem(format!("{key}.types[{at}]"), message);
        }
    }
}

/// Keys that are set and do nothing for this type of sink.
fn misplaced(sink: &file::Sink, kind: SinkType, section: &str, report: &mut Report) {
    use SinkType::{Jsonl, Mqtt, Nats, Redis, Webhook};
    let servers: &[SinkType] = &[Mqtt, Webhook, Nats, Redis];
    let keys: [(&str, bool, &[SinkType]); 29] = [
        ("path", sink.path.is_some(), &[Jsonl]),
        ("rotate_mb", sink.rotate_mb.is_some(), &[Jsonl]),
        ("keep", sink.keep.is_some(), &[Jsonl]),
        ("url", sink.url.is_some(), servers),
        ("username", sink.username.is_some(), servers),
        ("password_file", sink.password_file.is_some(), servers),
        ("password_env", sink.password_env.is_some(), servers),
        ("password_credential", sink.password_credential.is_some(), servers),
        ("ca_file", sink.ca_file.is_some(), servers),
        ("certificate_file", sink.certificate_file.is_some(), servers),
        ("key_file", sink.key_file.is_some(), servers),
        ("timeout_s", sink.timeout_s.is_some(), servers),
        ("prefix", sink.prefix.is_some(), &[Mqtt, Nats, Redis]),
        ("mqtt_version", sink.mqtt_version.is_some(), &[Mqtt]),
        ("client_id", sink.client_id.is_some(), &[Mqtt]),
        ("keep_alive_s", sink.keep_alive_s.is_some(), &[Mqtt]),
        ("discovery_prefix", sink.discovery_prefix.is_some(), &[Mqtt]),
        ("public_url", sink.public_url.is_some(), &[Mqtt]),
        ("secret_file", sink.secret_file.is_some(), &[Webhook]),
        ("secret_env", sink.secret_env.is_some(), &[Webhook]),
        ("secret_credential", sink.secret_credential.is_some(), &[Webhook]),
        ("bearer_file", sink.bearer_file.is_some(), &[Webhook]),
        ("bearer_env", sink.bearer_env.is_some(), &[Webhook]),
        ("bearer_credential", sink.bearer_credential.is_some(), &[Webhook]),
        ("batch", sink.batch.is_some(), &[Webhook]),
        ("stream", sink.stream.is_some(), &[Nats]),
        ("credentials_file", sink.credentials_file.is_some(), &[Nats]),
        ("database", sink.database.is_some(), &[Redis]),
        ("max_len", sink.max_len.is_some(), &[Redis]),
    ];
    for (name, set, kinds) in keys {
        if set && !kinds.contains(&kind) {
            let message = format!("does nothing for a sink of type \"{}\"; take it out", kind.name());
            report.problem(format!("{section}.{name}"), message);
        }
    }
}
