//! `watchkeeper probe`: connects once, watches for a while, says stage by stage what works.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use serde_json::json;

use super::Exit;
use super::exit::BadInput;
use crate::config::{Camera, Config, Policy, camera_from_url};
use crate::source::slot::{FrameSlot, Take};
use crate::source::{self, Delivery, Fault, Notice, Setup, Source, Step};
use crate::telemetry::metrics::CameraMetrics;
use crate::telemetry::progress::Progress;
use crate::telemetry::{log, redact};
use crate::types::secret::Secret;
use crate::types::time::Clock;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A camera's id in the configuration, or a URL (without password)
    camera: String,
    /// Configuration file
    #[arg(long, short, value_name = "FILE", default_value = "/etc/watchkeeper/watchkeeper.toml")]
    config: PathBuf,
    /// User, for a URL
    #[arg(long)]
    username: Option<String>,
    /// File that holds the password, for a URL
    #[arg(long, value_name = "FILE", requires = "username")]
    password_file: Option<PathBuf>,
    /// How RTP travels, for a URL
    #[arg(long, value_enum)]
    transport: Option<Transport>,
    /// How long to watch once frames come, seconds
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    watch: f64,
    /// Refuses software decoders, as policy = "gpu-only" does
    #[arg(long)]
    gpu_only: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Transport {
    Tcp,
    Udp,
    Auto,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (0.1..=3600.0).contains(&n) => Ok(n),
        _ => Err("a number of seconds from 0.1 to 3600".to_owned()),
    }
}

/// What was seen.
#[derive(Default)]
struct Seen {
    frames: u64,
    intervals: Vec<f64>,
    clock: Option<Clock>,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    let (mut camera, policy) = camera(args)?;
    // The camera's own rate is what is asked for.
    camera.detect_fps = None;
    if let Some(credentials) = &camera.credentials {
        redact::register(&credentials.username, &credentials.password);
    }
    let filter = std::env::var("WATCHKEEPER__LOG__FILTER").unwrap_or_else(|_| "error".to_owned());
    let _log = log::init(&crate::types::log::Log { filter, format: crate::types::log::LogFormat::Text })?;
    source::init()?;
    let metrics = Arc::new(CameraMetrics::new(&camera.id));
    let slot = Arc::new(FrameSlot::new(Delivery::Newest));
    let (notices, news) = bounded(16);
    let limit = camera.connect_timeout * 3 + camera.first_frame_timeout * 2 + Duration::from_secs(10);
    let source = Source::start(Setup {
        camera: Arc::new(camera),
        policy,
        delivery: Delivery::Newest,
        slot: Arc::clone(&slot),
        metrics: Arc::clone(&metrics),
        ring: None,
        stage: Progress::default().stage("source"),
        notify: Arc::new(move |notice| {
            let _ = notices.try_send(notice);
        }),
    })?;
    let mut seen = Seen::default();
    let mut fault: Option<Fault> = None;
    let mut online: Option<Instant> = None;
    let mut last: Option<Duration> = None;
    let began = Instant::now();
    let watch = Duration::from_secs_f64(args.watch);
    while began.elapsed() < limit + watch && online.is_none_or(|at| at.elapsed() < watch) {
        if let Take::Frame(frame) = slot.take(Duration::from_millis(50)) {
            seen.frames += 1;
            seen.clock = Some(frame.meta.capture.clock);
            if let Some(last) = last.replace(frame.meta.media_time) {
                seen.intervals.push(frame.meta.media_time.saturating_sub(last).as_secs_f64());
            }
        }
        match news.try_recv() {
            Ok(Notice::Online { .. }) => online = Some(Instant::now()),
            Ok(Notice::Offline { fault: found, .. }) => {
                fault = Some(found);
                break;
            }
            Ok(Notice::Ended) => break,
            _ => {}
        }
    }
    source.stop();
    let facts = Arc::clone(source.facts());
    let step = facts.step();
    source.join();
    let report = Report { args, step, fault, seen, facts: &facts, metrics: &metrics };
    report.print()
}

fn camera(args: &Args) -> anyhow::Result<(Camera, Policy)> {
    // Ids hold nothing but these; anything else is an address or a file.
    let is_url = !args.camera.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c));
    if !is_url {
        let Config { cameras, runtime, .. } = super::load(&args.config)?.config;
        let ids = cameras.iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>().join(", ");
        let camera = cameras
            .iter()
            .find(|camera| camera.id == args.camera)
            .ok_or_else(|| BadInput(format!("no camera {:?} in the configuration; it has {ids}", args.camera)))?;
        return Ok((Camera::clone(camera), runtime.policy));
    }
    let password = match &args.password_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| BadInput(format!("--password-file {}: {error}", path.display())))?;
            Some(Secret::new(text.strip_suffix('\n').unwrap_or(&text)))
        }
        None => None,
    };
    let mut camera = camera_from_url(&args.camera, args.username.as_deref(), password)?;
    if let Some(transport) = args.transport {
        camera.transport = match transport {
            Transport::Tcp => crate::config::Transport::Tcp,
            Transport::Udp => crate::config::Transport::Udp,
            Transport::Auto => crate::config::Transport::Auto,
        };
    }
    Ok((camera, if args.gpu_only { Policy::GpuOnly } else { Policy::Any }))
}

struct Report<'a> {
    args: &'a Args,
    step: Step,
    fault: Option<Fault>,
    seen: Seen,
    facts: &'a source::StreamFacts,
    metrics: &'a CameraMetrics,
}

impl Report<'_> {
    const STAGES: [(Step, &'static str); 5] = [
        (Step::Reached, "reach"),
        (Step::Playing, "play"),
        (Step::Packets, "packets"),
        (Step::Pictures, "pictures"),
        (Step::Frames, "frames"),
    ];

    fn print(&self) -> anyhow::Result<Exit> {
        let mut out = std::io::stdout().lock();
        let status = self.metrics.status();
        let (decoder, hardware) = self.facts.decoder.lock().clone();
        let codec = self.facts.codec.lock().clone();
        let fps = self.measured_fps();
        let key_interval = self.facts.key_interval.load(Ordering::Relaxed);
        let skew = *self.facts.clock_skew_ms.lock();
        let promised = *self.facts.promised_fps.lock();
        let ok = self.fault.is_none() && self.step == Step::Frames;
        if self.args.json {
            let stages: serde_json::Map<_, _> =
                Self::STAGES.iter().map(|(step, name)| ((*name).to_owned(), json!(self.step >= *step))).collect();
            let report = json!({
                "ok": ok,
                "stages": stages,
                "fault": self.fault.as_ref().map(|fault| json!({
                    "class": fault.class.name(), "detail": fault.detail, "advice": fault.class.advice() })),
                "codec": some(&codec),
                "decoder": some(&decoder),
                "hardware_decoder": hardware,
                "width": (status.width > 0).then_some(status.width),
                "height": (status.height > 0).then_some(status.height),
                "fps": fps,
                "promised_fps": promised,
                "key_frame_interval": (key_interval > 0).then_some(key_interval),
                "clock": self.seen.clock,
                "clock_skew_ms": skew,
                "frames": self.seen.frames,
                "corrupted": self.metrics.corrupted.get(),
            });
            writeln!(out, "{report}")?;
        } else {
            for (step, name) in Self::STAGES {
                let mark = if self.step >= step { "ok" } else { "--" };
                let detail = match step {
                    Step::Packets => codec.clone(),
                    Step::Pictures if key_interval == 1 => "every picture is a key frame".to_owned(),
                    Step::Pictures if key_interval > 0 => format!("a key frame every {key_interval} pictures"),
                    Step::Pictures if self.step >= step && codec.starts_with("H.26") => {
                        format!("no second key frame within {} s; look longer with --watch", self.args.watch)
                    }
                    Step::Frames if self.step == Step::Frames => format!(
                        "{}x{}, {} frames/s, {}",
                        status.width,
                        status.height,
                        fps.map_or("?".to_owned(), |fps| format!("{fps:.1}")),
                        Self::decoder_words(&decoder, hardware)
                    ),
                    _ => String::new(),
                };
                writeln!(out, "{name:<9} {mark}  {detail}")?;
            }
            if self.step == Step::Frames {
                writeln!(out, "clock     {}", self.clock_words(skew))?;
                if self.metrics.corrupted.get() > 0 {
                    writeln!(out, "damaged   {} frames were dropped", self.metrics.corrupted.get())?;
                }
            }
            if let Some(fault) = &self.fault {
                writeln!(out, "failed    {}: {}", fault.class, fault.detail)?;
                writeln!(out, "do        {}", fault.class.advice())?;
            }
        }
        Ok(if ok { Exit::Done } else { Exit::Data })
    }

    /// From the median distance of frames, so that one hiccup does not count.
    fn measured_fps(&self) -> Option<f64> {
        let mut intervals = self.seen.intervals.clone();
        intervals.sort_by(f64::total_cmp);
        let median = *intervals.get(intervals.len() / 2)?;
        (median > 0.0).then(|| (10.0 / median).round() / 10.0)
    }

    fn decoder_words(decoder: &str, hardware: bool) -> String {
        match (decoder, hardware) {
            ("none", _) => "no decoder".to_owned(),
            (name, true) => format!("decoder {name} (hardware)"),
            (name, false) => format!("decoder {name} (software)"),
        }
    }

    fn clock_words(&self, skew: Option<i64>) -> String {
        match (self.seen.clock, skew) {
            (Some(Clock::Ntp), Some(ms)) => format!("ntp: the camera's clock is {ms} ms from ours"),
            (Some(Clock::Arrival), Some(ms)) => {
                format!("arrival: the camera's clock is {:.0} s off and not used; set its NTP server", ms as f64 / 1e3)
            }
            (Some(Clock::Arrival), None) => {
                "arrival: ours; the source tells no time (no RTCP sender reports)".to_owned()
            }
            _ => "free: a recording".to_owned(),
        }
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
