//! From as written to as meant: defaults that depend on other keys, names, paths, and rules between keys.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::environment::Variables;
use super::file::{self, File};
use super::meaning::{Config, Http, Log, Runtime, Tracking};
use super::report::Report;
use super::words;

mod address;
mod cameras;
mod identity;
mod keeping;
mod labels;
mod models;
mod policy;
mod rules;
mod secrets;
mod sinks;

pub use cameras::{camera_from_url, models_by_name};

/// Resolves the whole file. What it returns counts only if `report` holds no problem at the end.
pub(super) fn resolve(file: &File, variables: &Variables, report: &mut Report) -> Config {
    let models = models::resolve(&file.models, report);
    policy::check(file, report);
    let runtime = runtime(&file.runtime, report);
    let cameras = cameras::resolve(file, &models, variables, &runtime.time_zone, report);
    Config {
        path: report.files.first().cloned().unwrap_or_default(),
        log: log(&file.log, report),
        http: file.http.as_ref().map(|http| listener(http, report)),
        tracking: tracking(&file.tracking, report),
        identity: file.identity.as_ref().map(|identity| identity::resolve(identity, &cameras, &models, report)),
        outbox: keeping::outbox(&file.outbox),
        track_log: keeping::track_log(&file.track_log),
        media: file.media.as_ref().map(|media| keeping::media(media, &runtime.state_dir, report)),
        sinks: sinks::resolve(&file.sinks, &cameras, &runtime.device, variables, report),
        runtime,
        cameras,
        models,
    }
}

fn runtime(written: &file::Runtime, report: &mut Report) -> Runtime {
    let mut library = |path: &Option<String>, key| path.as_deref().map(|path| existing_file(path, key, report));
    let onnxruntime_library = library(&written.onnxruntime_library, "runtime.onnxruntime_library");
    let tensorrt_library = library(&written.tensorrt_library, "runtime.tensorrt_library");
    Runtime {
        policy: written.policy,
        concurrency: written.concurrency,
        state_dir: beside(&written.state_dir, "runtime.state_dir", report),
        device: device(written.device.as_deref(), report),
        time_zone: time_zone(written.time_zone.as_deref(), report),
        drain: Duration::from_secs_f64(written.drain_s),
        inference_workers: written
            .inference_workers
            .map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), |n| n as usize),
        threads_per_inference: written.threads_per_inference as usize,
        onnxruntime_library,
        tensorrt_library,
        require_verified: written.require_verified,
    }
}

fn time_zone(written: Option<&str>, report: &mut Report) -> TimeZone {
    let Some(name) = written else { return TimeZone::system() };
    TimeZone::get(name).unwrap_or_else(|_| {
        let message = "is not a time zone; write it as \"Europe/Berlin\" or \"UTC\"";
        report.problem("runtime.time_zone", format!("{} {message}", words::quoted(name)));
        TimeZone::UTC
    })
}

fn device(written: Option<&str>, report: &mut Report) -> String {
    let key = "runtime.device";
    let written = written.map(str::to_owned);
    let Some(name) = written.or_else(host_name) else {
        report.problem(key, "the host name cannot be read; name the device here");
        return String::new();
    };
    if !words::is_label(&name) {
        let message = "must be letters, digits, spaces or any of \"_-.,()&\", because it stands in topics";
        report.problem(key, format!("{} {message}", words::quoted(&name)));
    }
    name
}

fn host_name() -> Option<String> {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
}

fn log(written: &file::Log, report: &mut Report) -> Log {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    for directive in written.filter.split(',') {
        let level = directive.rsplit_once('=').map(|(_, level)| level.trim());
        if let Some(level) = level.filter(|l| !LEVELS.contains(&l.to_lowercase().as_str()) && !l.ends_with([']', '}']))
        {
            let near = words::suggestion(level, LEVELS);
            report.problem("log.filter", format!("{} is not a level{near}", words::quoted(level)));
        }
    }
    Log { filter: written.filter.clone(), format: written.format }
}

fn listener(written: &file::Http, report: &mut Report) -> Http {
    let key = "http.listen";
    let loopback = SocketAddr::from(([127, 0, 0, 1], 8780));
    let listen = written.listen.parse().unwrap_or_else(|_| {
        let message = "is not an address and a port; write it as \"127.0.0.1:8780\"";
        report.problem(key, format!("{} {message}", words::quoted(&written.listen)));
        loopback
    });
    if !listen.ip().is_loopback() {
        let message = "is not a loopback address, and this version serves no other; use \"127.0.0.1:8780\" or \
                       \"[::1]:8780\", behind a proxy where others must reach it";
        report.problem(key, format!("{} {message}", words::quoted(&written.listen)));
    }
    Http { listen }
}

fn tracking(written: &file::Tracking, report: &mut Report) -> Tracking {
    for (lower, upper, low, high) in [
        ("low_score", "high_score", written.low_score, written.high_score),
        ("low_score", "start_score", written.low_score, written.start_score),
    ] {
        if low > high && !report.has(&format!("tracking.{upper}")) {
            let key = format!("tracking.{lower}");
            report.problem(key, format!("{low} is above {upper} = {high}; lower it, or raise {upper}"));
        }
    }
    Tracking {
        tracker: written.tracker,
        high_score: written.high_score as f32,
        low_score: written.low_score as f32,
        start_score: written.start_score as f32,
        match_iou: written.match_iou as f32,
        confirm: Duration::from_secs_f64(written.confirm_s),
        max_gap: Duration::from_secs_f64(written.max_gap_s),
        camera_motion: written.camera_motion,
        appearance: written.appearance,
    }
}

/// A relative path starts in the folder of the file that names it.
fn beside(path: &str, key: &str, report: &Report) -> PathBuf {
    report.folder(key).join(Path::new(path))
}

/// The path of a file that must be there and readable.
fn existing_file(path: &str, key: &str, report: &mut Report) -> PathBuf {
    let path = beside(path, key, report);
    if let Err(problem) = super::layers::open(&path) {
        report.problem(key, format!("{}: {problem}", path.display()));
    }
    path
}
