use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::loader::{open, symbol};
use super::log::{LogCollector, LogLine, Mark, VendorLog};
use crate::Error;
use crate::sys::callback::{Callback, Rtti, logger};
use crate::sys::{Object, Version};

/// `createInferRuntime_INTERNAL` and `createInferBuilder_INTERNAL`.
type Create = unsafe extern "C" fn(*mut c_void, i32) -> *mut Object;

/// A loaded TensorRT library (`libnvinfer`, `libnvinfer_lean` or `libnvinfer_dispatch`) and our logger.
///
/// It stays loaded until the process ends: TensorRT keeps threads and thread-local data that do not
/// survive an unload. Loading the same file again answers with the same library, for TensorRT keeps one
/// logger per library.
#[derive(Clone)]
pub struct Library {
    inner: Arc<Inner>,
}

struct Inner {
    /// Never unloaded: every library loaded stays in `LOADED`.
    raw: libloading::Library,
    path: PathBuf,
    version: Version,
    rtti: Rtti,
    logger: Callback<Arc<VendorLog>>,
    log: Arc<VendorLog>,
    create_runtime: Create,
    create_builder: Option<Create>,
    global_logger: unsafe extern "C" fn() -> *mut c_void,
    /// Address of `getInferLibVersion`, which tells libraries apart.
    identity: usize,
}

static LOADED: Mutex<Vec<Library>> = Mutex::new(Vec::new());

impl Library {
    /// File names of the full library, newest first; the loader finds them on its path.
    pub const NAMES: [&str; 2] = ["libnvinfer.so.11", "libnvinfer.so.10"];

    /// Loads the library at `path`; a name without a slash is looked up by the loader.
    ///
    /// # Errors
    /// [`Error::Open`] in the loader's words, [`Error::Symbol`] where it is another library,
    /// [`Error::Version`] where its major version is neither 10 nor 11; then no object was touched.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let raw = open(path)?;
        let version: unsafe extern "C" fn() -> i32 =
            // SAFETY: the type is that of the function in all versions.
            unsafe { symbol(&raw, path, "getInferLibVersion", "it is not TensorRT 10 or newer")? };
        let identity = version as *const () as usize;
        if let Some(known) = loaded.iter().find(|library| library.inner.identity == identity) {
            return Ok(known.clone());
        }
        // SAFETY: it takes nothing and answers a number.
        let number = unsafe { version() };
        let unknown = |found: String| Error::Version { path: path.to_owned(), found };
        let version = Version::from_number(number).ok_or_else(|| unknown(format!("number {number}")))?;
        let abi = version.abi().ok_or_else(|| unknown(version.to_string()))?;
        let next = "it is not TensorRT, or a broken install";
        // SAFETY: the types are those of the functions in 10.x and 11.x.
        let (create_runtime, global_logger) = unsafe {
            (symbol(&raw, path, "createInferRuntime_INTERNAL", next)?, symbol(&raw, path, "getLogger", next)?)
        };
        // SAFETY: as above; the lean and dispatch libraries have no builder.
        let create_builder = unsafe { symbol(&raw, path, "createInferBuilder_INTERNAL", next) }.ok();
        let log = Arc::new(VendorLog::default());
        let rtti = Rtti::of(&raw);
        let inner = Inner {
            logger: logger(abi, rtti, Arc::clone(&log)),
            raw,
            path: path.to_owned(),
            version,
            rtti,
            log,
            create_runtime,
            create_builder,
            global_logger,
            identity,
        };
        let library = Self { inner: Arc::new(inner) };
        loaded.push(library.clone());
        tracing::debug!(path = %path.display(), %version, builder = create_builder.is_some(), "TensorRT loaded");
        Ok(library)
    }

    /// Where it was loaded from, as asked for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.inner.version
    }

    /// Its build number, the fourth part of a version (11 in 10.16.1.11); plans depend on it too.
    #[must_use]
    pub fn build(&self) -> Option<i32> {
        // SAFETY: the type is that of the function in all versions; it takes nothing.
        unsafe {
            let build: unsafe extern "C" fn() -> i32 =
                symbol(&self.inner.raw, self.path(), "getInferLibBuildVersion", "").ok()?;
            Some(build())
        }
    }

    /// True where it can build plans: the lean and dispatch libraries only run them.
    #[must_use]
    pub fn has_builder(&self) -> bool {
        self.inner.create_builder.is_some()
    }

    /// The last warnings and errors of TensorRT's log, oldest first.
    #[must_use]
    pub fn recent_lines(&self) -> Vec<LogLine> {
        self.inner.log.recent()
    }

    /// Keeps TensorRT's lines from now on.
    #[must_use]
    pub fn collect_log(&self) -> LogCollector {
        self.inner.log.collect()
    }

    pub(crate) fn log(&self) -> &Arc<VendorLog> {
        &self.inner.log
    }

    pub(crate) fn rtti(&self) -> Rtti {
        self.inner.rtti
    }

    pub(crate) fn logger(&self) -> *mut c_void {
        self.inner.logger.as_ptr()
    }

    pub(crate) fn identity(&self) -> usize {
        self.inner.identity
    }

    pub(crate) fn mark(&self) -> Mark {
        self.inner.log.mark()
    }

    /// Runs a call; its failure gets the words TensorRT said meanwhile.
    pub(crate) fn quoting<T>(&self, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let mark = self.mark();
        call().map_err(|mut error| {
            if let Error::Call { vendor, .. } | Error::Onnx { vendor, .. } = &mut error
                && vendor.is_empty()
            {
                *vendor = self.inner.log.since(mark);
            }
            error
        })
    }

    /// A new runtime; below 4096 is a failure, though not always null.
    pub(crate) fn create_runtime(&self) -> *mut Object {
        // SAFETY: the logger lives as long as the process, and the announced version is one whose callbacks it
        // has.
        unsafe { (self.inner.create_runtime)(self.logger(), self.version().announced().number()) }
    }

    /// A new builder; below 4096 is a failure.
    pub(crate) fn create_builder(&self) -> Result<*mut Object, Error> {
        let next = "the lean and dispatch libraries only run plans; building needs the full libnvinfer";
        let create = self.inner.create_builder.ok_or_else(|| Error::Symbol {
            path: self.path().to_owned(),
            symbol: "createInferBuilder_INTERNAL",
            next,
        })?;
        // SAFETY: as for `create_runtime`.
        Ok(unsafe { create(self.logger(), self.version().announced().number()) })
    }

    /// Proves the slot table by a question whose answer is known: a fresh object's logger is ours, or the
    /// one that another user of the library gave it before.
    pub(crate) fn check_logger(&self, class: &str, answer: *mut c_void) -> Result<(), Error> {
        if answer == self.logger() {
            return Ok(());
        }
        // SAFETY: it takes nothing; the answer is only compared.
        let global = unsafe { (self.inner.global_logger)() };
        if !global.is_null() && answer == global {
            tracing::warn!("TensorRT logs elsewhere: another part of this process loaded it first");
            return Ok(());
        }
        Err(Error::Table {
            path: self.path().to_owned(),
            version: self.version(),
            what: format!("its {class} does not answer with the logger it was given"),
        })
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library({} {})", self.path().display(), self.version())
    }
}
