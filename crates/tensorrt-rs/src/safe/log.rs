use std::collections::VecDeque;
use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
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

/// TensorRT's log: every line goes to `tracing`, target `tensorrt`; the last warnings and errors are kept,
/// so that an error can quote them.
#[derive(Debug, Default)]
pub(crate) struct VendorLog {
    kept: Mutex<VecDeque<LogLine>>,
    next: AtomicU64,
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
        match severity {
            Severity::InternalError | Severity::Error => tracing::error!(target: "tensorrt", "{text}"),
            Severity::Warning => tracing::warn!(target: "tensorrt", "{text}"),
            Severity::Info => tracing::debug!(target: "tensorrt", "{text}"),
            _ => tracing::trace!(target: "tensorrt", "{text}"),
        }
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

impl LogSink for std::sync::Arc<VendorLog> {
    fn log(&self, severity: Severity, line: &CStr) {
        self.note(severity, line);
    }
}
