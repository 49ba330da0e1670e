use std::ffi::{CStr, CString, c_char};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::log::VendorLog;
use crate::sys::callback::Recorder;
use crate::sys::enums::Severity;

/// Errors kept; more set the overflow flag.
const KEPT: usize = 64;

/// An error with TensorRT's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedError {
    /// TensorRT's `ErrorCode` (1 unspecified, 2 internal, 3 argument, 4 configuration, 5 allocation,
    /// 6 initialisation, 7 execution, 8 computation, 9 state, 10 unsupported state).
    pub code: i32,
    /// Its words.
    pub description: String,
}

/// Keeps errors with their numbers. With a recorder attached TensorRT reports errors here and not to the
/// logger, so they are passed on to the log, where calls that fail find their words.
#[derive(Debug)]
pub(crate) struct ErrorLog {
    /// Strings never move or change until `clear`: TensorRT is given pointers to them.
    errors: Mutex<Vec<(i32, CString)>>,
    overflowed: AtomicBool,
    references: AtomicI32,
    log: Arc<VendorLog>,
}

impl ErrorLog {
    pub fn new(log: &Arc<VendorLog>) -> Self {
        Self {
            errors: Mutex::default(),
            overflowed: AtomicBool::new(false),
            references: AtomicI32::new(0),
            log: Arc::clone(log),
        }
    }

    pub fn errors(&self) -> Vec<RecordedError> {
        let copied = |(code, text): &(i32, CString)| RecordedError {
            code: *code,
            description: text.to_string_lossy().into_owned(),
        };
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).iter().map(copied).collect()
    }

    /// References that TensorRT's objects hold.
    pub fn references(&self) -> i32 {
        self.references.load(Ordering::Acquire)
    }

    fn entry<R>(&self, index: i32, read: impl FnOnce(&(i32, CString)) -> R) -> Option<R> {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        usize::try_from(index).ok().and_then(|index| errors.get(index)).map(read)
    }
}

impl Recorder for ErrorLog {
    fn count(&self) -> i32 {
        i32::try_from(self.errors.lock().unwrap_or_else(PoisonError::into_inner).len()).unwrap_or(i32::MAX)
    }

    fn code(&self, index: i32) -> i32 {
        self.entry(index, |(code, _)| *code).unwrap_or(0)
    }

    fn description(&self, index: i32) -> *const c_char {
        self.entry(index, |(_, text)| text.as_ptr()).unwrap_or(std::ptr::null())
    }

    fn overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }

    fn clear(&self) {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.overflowed.store(false, Ordering::Release);
    }

    fn report(&self, code: i32, description: &CStr) -> bool {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() < KEPT {
            errors.push((code, description.to_owned()));
        } else {
            self.overflowed.store(true, Ordering::Release);
        }
        drop(errors);
        self.log.note(Severity::Error, description);
        true
    }

    fn reference(&self, change: i32) -> i32 {
        self.references.fetch_add(change, Ordering::AcqRel) + change
    }
}
