//! `watchkeeper rules test`: what rules would have told of the past, by the code that tells it live.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::replay::{Span, replay};
use super::report::{CameraReport, Report, rules_of};
use super::{live, picture, print, when};
use crate::cli::exit::BadInput;
use crate::cli::{ConfigArg, Exit};
use crate::config::{Camera, Config};
use crate::track_log::{self, ReadError};
use crate::types::time::Timestamp;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigArg,
    /// Cameras, by their ids, separated by commas; default: all that tracks were kept of
    #[arg(long, visible_alias = "cameras", value_name = "IDS", value_delimiter = ',')]
    camera: Vec<String>,
    /// So much of the latest past: 15m, 1h, 2d
    #[arg(long, value_name = "TIME", value_parser = when::length, default_value = "1h", conflicts_with = "from")]
    since: Duration,
    /// From this date and time on, by this machine's clock: 2026-11-20T17:08, or 2026-11-20T16:08:37Z for UTC
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    from: Option<Timestamp>,
    /// Up to this date and time; default: now
    #[arg(long, value_name = "WHEN", value_parser = when::moment)]
    until: Option<Timestamp>,
    /// Says only what this zone, line or rule would have told
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Rules are told of so much before it, or of all since the daemon's start if that is less, so that they know who is
    /// where
    #[arg(long, value_name = "TIME", value_parser = when::length, default_value = "1d")]
    warm_up: Duration,
    /// Draws zones, lines and where it fired on the camera's latest picture; several cameras: a file each, with their ids
    #[arg(long, value_name = "FILE.jpg")]
    snapshot: Option<PathBuf>,
    /// Draws where subjects were, and for how long, on the camera's latest picture; several cameras: a file each
    #[arg(long, value_name = "FILE.jpg")]
    heat: Option<PathBuf>,
    /// Of these alone, with --heat: a label such as person
    #[arg(long, value_name = "LABEL", requires = "heat")]
    class: Option<String>,
    /// Compares with what was told live in that time, by the outbox
    #[arg(long)]
    against_live: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    // Neither plans nor passwords are needed for it.
    let config = crate::config::load_for_engines(&args.config.config)?.config;
    let until = args.until.unwrap_or_else(Timestamp::now);
    let since = i64::try_from(args.since.as_micros()).unwrap_or(i64::MAX);
    let from = args.from.unwrap_or(Timestamp(until.0.saturating_sub(since)));
    if from >= until {
        return Err(BadInput(format!("--from {from} is not before --until {until}")).into());
    }
    let cameras = cameras(args, &config)?;
    if let Some(rule) = &args.rule {
        check_rule(rule, &cameras)?;
    }
    let span = Span { from, until, warm_up: args.warm_up };
    let mut report = Report { from, until, cameras: Vec::new() };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for camera in &cameras {
        let replayed = replay(&config.runtime.state_dir, camera, span).map_err(|error| no_log(error, &config))?;
        let size = replayed.size;
        if let Some(path) = &args.heat {
            let path = if cameras.len() == 1 { path.clone() } else { named(path, &camera.id) };
            let class = args.class.as_deref();
            picture::write_heat(&path, &config.runtime.state_dir, camera, size, &replayed.heat, class)?;
        }
        let mut found = CameraReport::new(camera, replayed, args.rule.as_deref());
        if let Some(path) = &args.snapshot {
            let path = if cameras.len() == 1 { path.clone() } else { named(path, &camera.id) };
            picture::write(&path, &config.runtime.state_dir, camera, size, &found.fired)?;
        }
        if args.against_live {
            let (state_dir, rule) = (&config.runtime.state_dir, args.rule.as_deref());
            found.against_live = Some(live::compare(state_dir, &camera.id, span, rule, &found.fired)?);
        }
        if !args.json {
            print::camera(&found, &mut out)?;
        }
        report.cameras.push(found);
    }
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    }
    out.flush()?;
    if report.cameras.iter().all(|camera| camera.replayed.frames == 0) {
        let message = format!("no frames were kept from {from} to {until}; --since, --from and --until say which");
        return Err(BadInput(message).into());
    }
    Ok(Exit::Done)
}

/// The cameras that are asked about: each of the configuration.
fn cameras(args: &Args, config: &Config) -> anyhow::Result<Vec<Arc<Camera>>> {
    let all = || config.cameras.iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>().join(", ");
    if args.camera.is_empty() {
        let kept = track_log::cameras(&config.runtime.state_dir);
        let cameras: Vec<_> = config.cameras.iter().filter(|camera| kept.contains(&camera.id)).cloned().collect();
        let folder = config.runtime.state_dir.join("tracks");
        if cameras.is_empty() {
            let message = format!("{}: no tracks were kept of {}", folder.display(), all());
            return Err(BadInput(format!("{message}; {}", advice(config))).into());
        }
        return Ok(cameras);
    }
    let find = |id: &String| {
        let camera = config.cameras.iter().find(|camera| camera.id == *id).cloned();
        camera.ok_or_else(|| BadInput(format!("no camera {id:?} in the configuration; it has {}", all())).into())
    };
    args.camera.iter().map(find).collect()
}

fn check_rule(rule: &str, cameras: &[Arc<Camera>]) -> Result<(), BadInput> {
    let all = || cameras.iter().flat_map(|camera| rules_of(camera)).map(|(id, _)| id);
    if rule == "scene" || all().any(|id| id == rule) {
        return Ok(());
    }
    let there = all().collect::<Vec<_>>().join(", ");
    let there = if there.is_empty() { "there are none".to_owned() } else { format!("there are {there}") };
    Err(BadInput(format!("no zone, line or rule {rule:?} at these cameras; {there}")))
}

fn no_log(error: ReadError, config: &Config) -> anyhow::Error {
    match error {
        ReadError::NoLog { .. } => BadInput(format!("{error}; {}", advice(config))).into(),
        ReadError::Io { .. } => BadInput(error.to_string()).into(),
    }
}

fn advice(config: &Config) -> &'static str {
    if config.track_log.is_some() {
        "let the daemon run for a while with this state_dir, as a user who may write there"
    } else {
        "set enabled = true in [track_log], and let the daemon run for a while"
    }
}

/// `out.jpg` of the camera `gate` is `out-gate.jpg`.
fn named(path: &std::path::Path, camera: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or_else(|| "jpg".into(), |extension| extension.to_string_lossy());
    path.with_file_name(format!("{stem}-{camera}.{extension}"))
}
