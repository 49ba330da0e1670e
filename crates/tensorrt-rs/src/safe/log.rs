use std::collections::VecDeque;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::ThreadId;

use crate::sys::callback::LogSink;
use crate::sys::enums::Severity;

/// Lines kept, warnings and worse.
const KEPT: usize = 64;
/// Lines that an error quotes at most: the last ones.
const QUOTED: usize = 8;
/// Bytes of a line that are kept.
const LINE_BYTES: usize = 2048;

/// A line of TensorRT's log, a warning or worse.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// How bad.
    pub severity: Severity,
    /// TensorRT's words.
    pub text: String,
    thread: ThreadId,
    number: u64,
}

/// Bytes of lines that a [`LogCollector`] keeps.
const COLLECTED_BYTES: usize = 16 << 20;

/// TensorRT's lines while it lives, information and worse, of all threads: the log of a build.
#[derive(Debug)]
pub struct LogCollector(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    lines: Vec<(Severity, String)>,
    bytes: usize,
    left_out: usize,
}

impl LogCollector {
    /// The lines so far, oldest first. A log beyond all measure ends with a line that says how much is left out.
    #[must_use]
    pub fn lines(&self) -> Vec<(Severity, String)> {
        let collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = collected.lines.clone();
        if collected.left_out > 0 {
            lines.push((Severity::Warning, format!("{} further lines are left out", collected.left_out)));
        }
        lines
    }
}

impl Collected {
    fn take(&mut self, severity: Severity, text: &str) {
        if self.bytes > COLLECTED_BYTES {
            self.left_out += 1;
            return;
        }
        self.bytes += text.len();
        self.lines.push((severity, text.to_owned()));
    }
}

/// TensorRT's log: every line goes to `tracing`, target `tensorrt`; the last warnings and errors are kept,
/// so that an error can quote them.
#[derive(Debug, Default)]
pub(crate) struct VendorLog {
    kept: Mutex<VecDeque<LogLine>>,
    next: AtomicU64,
    collectors: Mutex<Vec<Weak<Mutex<Collected>>>>,
}

/// A moment in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

impl VendorLog {
    pub fn mark(&self) -> Mark {
        Mark(self.next.load(Ordering::Acquire))
    }

    /// What was said since: by this thread, and where it wrote no error, the errors of all threads (TensorRT
    /// has worker threads, and so may other users of the library).
    pub fn since(&self, mark: Mark) -> Vec<String> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let thread = std::thread::current().id();
        let own = |line: &&LogLine| line.thread == thread;
        let new = || kept.iter().rev().take_while(|line| line.number >= mark.0);
        let told = new().filter(own).any(|line| is_error(line.severity));
        let mut lines: Vec<_> = new()
            .filter(|line| own(line) || (!told && is_error(line.severity)))
            .take(QUOTED)
            .map(|line| line.text.clone())
            .collect();
        lines.reverse();
        lines
    }

    pub fn recent(&self) -> Vec<LogLine> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Takes a line of TensorRT's, from its logger or its error recorder.
    pub fn note(&self, severity: Severity, line: &CStr) {
        let text = line.to_string_lossy();
        let text = text.trim_end();
        if is_error(severity) || severity == Severity::Warning {
            self.keep(severity, text);
        }
        if severity != Severity::Verbose {
            for collector in self.collectors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                if let Some(collected) = collector.upgrade() {
                    collected.lock().unwrap_or_else(PoisonError::into_inner).take(severity, text);
                }
            }
        }
        match severity {
            Severity::InternalError | Severity::Error => tracing::error!(target: "tensorrt", "{text}"),
            Severity::Warning => tracing::warn!(target: "tensorrt", "{text}"),
            Severity::Info => tracing::debug!(target: "tensorrt", "{text}"),
            _ => tracing::trace!(target: "tensorrt", "{text}"),
        }
    }

    pub fn collect(&self) -> LogCollector {
        let collected = Arc::default();
        let mut collectors = self.collectors.lock().unwrap_or_else(PoisonError::into_inner);
        collectors.retain(|collector| collector.strong_count() > 0);
        collectors.push(Arc::downgrade(&collected));
        LogCollector(collected)
    }

    fn keep(&self, severity: Severity, text: &str) {
        let text = text.get(..text.floor_char_boundary(LINE_BYTES)).unwrap_or(text).to_owned();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        // Counted under the lock, so that numbers ascend in the ring.
        let number = self.next.fetch_add(1, Ordering::AcqRel);
        kept.push_back(LogLine { severity, text, thread: std::thread::current().id(), number });
    }
}

fn is_error(severity: Severity) -> bool {
    matches!(severity, Severity::InternalError | Severity::Error)
}

impl LogSink for Arc<VendorLog> {
    fn log(&self, severity: Severity, line: &CStr) {
        self.note(severity, line);
    }
}
