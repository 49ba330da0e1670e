//! The caller's logger and error recorder, called through their own vtables.

use std::ffi::{CString, c_char, c_void};
use std::sync::Mutex;

use gpu_sim::report::lock;

/// `ILogger::Severity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Severity {
    /// Not recoverable.
    InternalError = 0,
    /// An error of the application.
    Error = 1,
    /// Something was put right.
    Warning = 2,
    /// News.
    Info = 3,
    /// Details.
    Verbose = 4,
}

/// `ErrorCode`, as far as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ErrorCode {
    /// Of no kind in particular.
    Unspecified = 1,
    /// Inside the library.
    Internal = 2,
    /// An argument is wrong.
    InvalidArgument = 3,
    /// The builder's configuration is wrong.
    InvalidConfig = 4,
    /// Memory is short.
    FailedAllocation = 5,
    /// The library or device cannot be used.
    FailedInitialization = 6,
    /// The device failed.
    FailedExecution = 7,
    /// Not in this state.
    InvalidState = 9,
}

/// A caller's `ILogger`.
#[derive(Clone, Copy, Debug)]
pub struct Logger {
    object: usize,
    major: i32,
}

impl Logger {
    /// # Safety
    /// `object` is null or a logger with the vtable of this major, thread-safe and alive as long as anything made with
    /// it, as TensorRT asks of its callers.
    #[must_use]
    pub unsafe fn new(object: *mut c_void, major: i32) -> Option<Self> {
        (!object.is_null()).then_some(Self { object: object as usize, major })
    }

    /// The caller's pointer.
    #[must_use]
    pub fn object(self) -> *mut c_void {
        self.object as *mut c_void
    }

    /// Says something, marked as simulated.
    pub fn log(self, severity: Severity, text: &str) {
        let text = CString::new(format!("[simulated] {}", text.replace('\0', " "))).unwrap_or_default();
        // The first method in 10.x; behind what all versioned interfaces have in 11.x.
        let slot = if self.major == 10 { 0 } else { 4 };
        type Log = unsafe extern "C" fn(*mut c_void, i32, *const c_char);
        // SAFETY: `new`'s caller vouches for the object and its vtable.
        unsafe {
            let log: Log = std::mem::transmute(entry(self.object, slot));
            log(self.object(), severity as i32, text.as_ptr());
        }
    }
}

/// A caller's `IErrorRecorder`, counted in and out as TensorRT does.
#[derive(Debug)]
pub struct Recorder {
    object: usize,
}

impl Recorder {
    /// # Safety
    /// `object` is null or a live error recorder.
    #[must_use]
    pub unsafe fn new(object: *mut c_void) -> Option<Self> {
        if object.is_null() {
            return None;
        }
        let recorder = Self { object: object as usize };
        recorder.count(10);
        Some(recorder)
    }

    fn count(&self, slot: usize) {
        type Count = unsafe extern "C" fn(*mut c_void) -> i32;
        // SAFETY: `new`'s caller vouches for the object; slots 10 and 11 count references in every version.
        unsafe {
            let count: Count = std::mem::transmute(entry(self.object, slot));
            count(self.object as *mut c_void);
        }
    }

    fn report(&self, code: ErrorCode, text: &str) {
        let text = CString::new(format!("[simulated] {}", text.replace('\0', " "))).unwrap_or_default();
        type Report = unsafe extern "C" fn(*mut c_void, i32, *const c_char) -> u8;
        // SAFETY: as above; slot 9 reports an error in every version.
        unsafe {
            let report: Report = std::mem::transmute(entry(self.object, 9));
            report(self.object as *mut c_void, code as i32, text.as_ptr());
        }
    }
}

impl Clone for Recorder {
    fn clone(&self) -> Self {
        self.count(10);
        Self { object: self.object }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.count(11);
    }
}

/// # Safety
/// `object` points to an object whose vtable has this slot.
unsafe fn entry(object: usize, slot: usize) -> *const c_void {
    // SAFETY: the caller vouches for both reads.
    unsafe { (*(object as *const *const *const c_void)).add(slot).read() }
}

/// Where an object's errors go: to its recorder where it has one, to the logger otherwise.
#[derive(Debug)]
pub struct Sink {
    /// The logger of the runtime or builder.
    pub logger: Logger,
    recorder: Mutex<Option<Recorder>>,
}

impl Sink {
    /// For a new runtime or builder.
    #[must_use]
    pub fn new(logger: Logger) -> Self {
        Self { logger, recorder: Mutex::new(None) }
    }

    /// For what the owner of this sink makes: the recorder is handed down.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { logger: self.logger, recorder: Mutex::new(lock(&self.recorder).clone()) }
    }

    /// The recorder's pointer; null: none.
    #[must_use]
    pub fn recorder(&self) -> *mut c_void {
        lock(&self.recorder).as_ref().map_or(std::ptr::null_mut(), |recorder| recorder.object as *mut c_void)
    }

    /// Replaces the recorder.
    ///
    /// # Safety
    /// As for [`Recorder::new`].
    pub unsafe fn set_recorder(&self, object: *mut c_void) {
        // SAFETY: the caller vouches for it.
        let recorder = unsafe { Recorder::new(object) };
        let before = std::mem::replace(&mut *lock(&self.recorder), recorder);
        drop(before);
    }

    /// An error of `call`, such as `IRuntime::deserializeCudaEngine`, in TensorRT's form.
    pub fn error(&self, call: &str, code: ErrorCode, what: &str) {
        let text = format!("{call}: Error Code {}: {what}", code as i32);
        let recorder = lock(&self.recorder).clone();
        match recorder {
            Some(recorder) => recorder.report(code, &text),
            None => {
                let severity = if code == ErrorCode::Internal { Severity::InternalError } else { Severity::Error };
                self.logger.log(severity, &text);
            }
        }
    }

    /// The caller used `call` wrongly.
    pub fn usage(&self, call: &str, what: &str) {
        self.error(call, ErrorCode::InvalidArgument, &format!("API Usage Error ({what})"));
    }
}
