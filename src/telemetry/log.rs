//! Log lines: stderr as text or JSON, or journald; redacted at the edge.

use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::linux::fs::MetadataExt;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context as _;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::redact::redact;
use crate::types::log::{Log, LogFormat};

/// Lines that may wait for a slow reader of stderr; more are dropped and counted.
const QUEUE: usize = 8192;

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// Writes what waits when it is dropped; keep it until the end.
#[must_use]
pub struct LogGuard {
    _writer: WorkerGuard,
}

/// Lines dropped because nobody read stderr fast enough.
#[must_use]
pub fn dropped_lines() -> usize {
    DROPPED.get().map_or(0, ErrorCounter::dropped_lines)
}

/// Sends `tracing` to the place the config names, once per process. A reader that stands still never
/// holds up whoever writes a line.
///
/// # Errors
/// A filter that cannot be read.
pub fn init(log: &Log) -> anyhow::Result<LogGuard> {
    start(log, io::stderr(), io::IsTerminal::is_terminal(&io::stderr()))
}

/// As [`init`], into a file that is begun anew: for a command that needs the terminal for itself.
///
/// # Errors
/// As [`init`], or a file that cannot be written.
pub fn init_file(log: &Log, path: &Path) -> anyhow::Result<LogGuard> {
    let file = std::fs::File::create(path).with_context(|| format!("{}: cannot be written", path.display()))?;
    start(log, file, false)
}

fn start(log: &Log, out: impl Write + Send + 'static, ansi: bool) -> anyhow::Result<LogGuard> {
    // ONNX Runtime's binding tells at "info" what only its own developers need, NATS's client what its sink tells, and at
    // "trace" the HTTP client shows requests byte by byte, tokens included.
    let quiet = "ort=error,async_nats=off,ureq=warn,ureq_proto=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{}", log.filter)).map_err(|error| {
        anyhow::anyhow!("log.filter {:?}: {error}; try \"info\" or \"watchkeeper=debug\"", log.filter)
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let format = match log.format {
        LogFormat::Auto if stderr_is_journal() => LogFormat::Journald,
        LogFormat::Auto => LogFormat::Text,
        other => other,
    };
    let (queue, writer) =
        NonBlockingBuilder::default().buffered_lines_limit(QUEUE).lossy(true).thread_name("log").finish(out);
    let _ = DROPPED.set(queue.error_counter());
    let edge = Edge { queue, journal: format == LogFormat::Journald };
    let done = match format {
        LogFormat::Json => registry.with(tracing_subscriber::fmt::layer().json().with_writer(edge)).try_init(),
        // With the level as `<N>`, which journald strips and keeps as the line's priority: its native
        // protocol would carry fields past the redaction.
        LogFormat::Journald => {
            registry.with(tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(edge)).try_init()
        }
        LogFormat::Text | LogFormat::Auto => registry
            .with(tracing_subscriber::fmt::layer().with_ansi(ansi).with_target(false).with_writer(edge))
            .try_init(),
    };
    // A second call in one process (tests) keeps the first.
    let _ = done;
    Ok(LogGuard { _writer: writer })
}

/// Systemd names the stream's device and inode in `JOURNAL_STREAM` (systemd.exec(5)).
#[must_use]
pub fn stderr_is_journal() -> bool {
    let Ok(want) = std::env::var("JOURNAL_STREAM") else { return false };
    let fd = io::stderr().as_raw_fd();
    std::fs::metadata(format!("/proc/self/fd/{fd}"))
        .is_ok_and(|meta| want == format!("{}:{}", meta.st_dev(), meta.st_ino()))
}

/// The log's edge: redacts whole lines, so that a secret is never split between two writes.
struct Edge {
    queue: NonBlocking,
    journal: bool,
}

impl<'a> MakeWriter<'a> for Edge {
    type Writer = LineWriter;

    fn make_writer(&'a self) -> LineWriter {
        LineWriter { queue: self.queue.clone(), priority: if self.journal { "<6>" } else { "" } }
    }

    fn make_writer_for(&'a self, meta: &tracing::Metadata<'_>) -> LineWriter {
        let priority = match *meta.level() {
            _ if !self.journal => "",
            tracing::Level::ERROR => "<3>",
            tracing::Level::WARN => "<4>",
            tracing::Level::INFO => "<6>",
            _ => "<7>",
        };
        LineWriter { queue: self.queue.clone(), priority }
    }
}

struct LineWriter {
    queue: NonBlocking,
    priority: &'static str,
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = format!("{}{}", self.priority, redact(&text));
        // A closed stderr must not take the video path down.
        let _ = self.queue.write_all(text.as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
