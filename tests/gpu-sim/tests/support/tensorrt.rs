//! TensorRT's virtual methods, called by slot numbers written down here: a second witness of the simulator's table.

use std::ffi::{CString, c_char, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

use libloading::Library;

use super::library;

/// `Dims`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Dims(pub i32, pub [i64; 8]);

impl Dims {
    pub fn new(shape: &[i64]) -> Self {
        let mut dims = Self(shape.len() as i32, [0; 8]);
        dims.1[..shape.len()].copy_from_slice(shape);
        dims
    }

    pub fn shape(&self) -> Vec<i64> {
        self.1[..usize::try_from(self.0).unwrap_or(0)].to_vec()
    }
}

/// An object of the library, by the pointer that C++ callers hold.
pub type Object = *mut c_void;

/// Calls slot `$slot` of an object with an implementation.
macro_rules! call {
    ($object:expr, $slot:expr $(, $type:ty: $arg:expr)* => $answer:ty) => {{
        // SAFETY: tests pass live objects, and the slots and types of TensorRT's binary interface.
        #[allow(clippy::undocumented_unsafe_blocks)]
        unsafe {
            let implementation = *$object.cast::<*mut ::std::ffi::c_void>().add(1);
            let table = *implementation.cast::<*const *const ::std::ffi::c_void>();
            let function: unsafe extern "C" fn(*mut ::std::ffi::c_void $(, $type)*) -> $answer =
                ::std::mem::transmute(table.add($slot).read());
            function(implementation $(, $arg)*)
        }
    }};
}

/// Calls slot `$slot` of an object without one.
macro_rules! call_bare {
    ($object:expr, $slot:expr $(, $type:ty: $arg:expr)* => $answer:ty) => {{
        // SAFETY: tests pass live objects, and the slots and types of TensorRT's binary interface.
        #[allow(clippy::undocumented_unsafe_blocks)]
        unsafe {
            let table = *$object.cast::<*const *const ::std::ffi::c_void>();
            let function: unsafe extern "C" fn(*mut ::std::ffi::c_void $(, $type)*) -> $answer =
                ::std::mem::transmute(table.add($slot).read());
            function($object $(, $arg)*)
        }
    }};
}

#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use {call, call_bare};

/// `delete` on an object with an implementation.
pub fn destroy(object: Object) {
    call_bare!(object, 1 => ());
}

static LOG: Mutex<Vec<(i32, String)>> = Mutex::new(Vec::new());

extern "C" fn log(_: *mut c_void, severity: i32, text: *const c_char) {
    // SAFETY: TensorRT passes NUL-terminated text.
    let text = unsafe { std::ffi::CStr::from_ptr(text) }.to_string_lossy().into_owned();
    LOG.lock().unwrap_or_else(PoisonError::into_inner).push((severity, text));
}

extern "C" fn unexpected() {
    std::process::abort();
}

/// The lines that arrived since the last call.
pub fn lines() -> Vec<(i32, String)> {
    std::mem::take(&mut LOG.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Whether one of the errors since the last call has these words.
#[track_caller]
pub fn assert_logged(words: &str) {
    let lines = lines();
    assert!(lines.iter().any(|(severity, line)| *severity <= 1 && line.contains(words)), "{words:?} in {lines:#?}");
    assert!(lines.iter().all(|(_, line)| line.starts_with("[simulated] ")));
}

/// One major version's library and the slots that differ.
#[derive(Clone, Copy)]
pub struct TensorRt {
    pub major: i32,
    pub library: &'static Library,
}

pub fn both() -> [TensorRt; 2] {
    [(10, "libnvinfer.so.10"), (11, "libnvinfer.so.11")].map(|(major, name)| TensorRt { major, library: library(name) })
}

impl TensorRt {
    /// The slot in 10.x or in 11.x.
    pub fn slot(self, ten: usize, eleven: usize) -> usize {
        if self.major == 10 { ten } else { eleven }
    }

    /// One per major version, which outlives everything.
    fn logger(self) -> *mut c_void {
        static LOGGERS: [OnceLock<Box<[usize; 8]>>; 2] = [const { OnceLock::new() }; 2];
        let logger = LOGGERS[self.slot(0, 1)].get_or_init(|| {
            let log = log as *const c_void as usize;
            let other = unexpected as *const c_void as usize;
            let table = if self.major == 10 {
                [0, 0, log, other, other, 0, 0]
            } else {
                [0, 0, other, other, other, other, log]
            };
            // The pointer to the methods, then what it points into.
            let mut logger = Box::new([0; 8]);
            logger[1..].copy_from_slice(&table);
            logger[0] = logger[3..].as_ptr() as usize;
            logger
        });
        (&raw const **logger).cast_mut().cast()
    }

    fn create(self, symbol: &str) -> Object {
        // SAFETY: both entries have this type.
        unsafe {
            let create: libloading::Symbol<unsafe extern "C" fn(*mut c_void, i32) -> Object> =
                self.library.get(symbol.as_bytes()).expect("an entry");
            create(self.logger(), self.major * 10_000)
        }
    }

    pub fn runtime(self) -> Object {
        self.create("createInferRuntime_INTERNAL\0")
    }

    pub fn builder(self) -> Object {
        self.create("createInferBuilder_INTERNAL\0")
    }

    pub fn version(self) -> i32 {
        // SAFETY: the entry has this type.
        unsafe {
            let version: libloading::Symbol<unsafe extern "C" fn() -> i32> =
                self.library.get(b"getInferLibVersion\0").expect("an entry");
            version()
        }
    }

    pub fn deserialize(self, runtime: Object, plan: &[u8]) -> Object {
        call!(runtime, 3, *const u8: plan.as_ptr(), usize: plan.len() => Object)
    }

    /// 0 static, 1 on profile change, 2 user-managed.
    pub fn context(self, engine: Object, strategy: i32) -> Object {
        call!(engine, 5, i32: strategy => Object)
    }

    pub fn scratch(self, engine: Object) -> i64 {
        call!(engine, self.slot(52, 44) => i64)
    }

    pub fn set_shape(self, context: Object, name: &str, shape: &[i64]) -> bool {
        let name = CString::new(name).expect("no NUL");
        let dims = Dims::new(shape);
        call!(context, self.slot(21, 20), *const c_char: name.as_ptr(), *const Dims: &dims => bool)
    }

    pub fn shape(self, context: Object, name: &str) -> Vec<i64> {
        let name = CString::new(name).expect("no NUL");
        call!(context, self.slot(22, 21), *const c_char: name.as_ptr() => Dims).shape()
    }

    pub fn set_address(self, context: Object, name: &str, address: usize) -> bool {
        let name = CString::new(name).expect("no NUL");
        call!(context, self.slot(24, 23), *const c_char: name.as_ptr(), usize: address => bool)
    }

    pub fn set_memory(self, context: Object, address: usize, size: i64) {
        call!(context, self.slot(49, 48), usize: address, i64: size => ());
    }

    pub fn enqueue(self, context: Object, stream: usize) -> bool {
        call!(context, self.slot(37, 36), usize: stream => bool)
    }
}
