use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::loader::{open, symbol};
use super::owned::Owned;
use super::profile::c_name;
use crate::sys::enums::Severity;
use crate::sys::flags::OnnxParserFlag;
use crate::sys::slots::parser;
use crate::sys::{Handle, Object};
use crate::{Error, Library, Network, OnnxError, Version, result};

/// `createNvOnnxParser_INTERNAL`.
type Create = unsafe extern "C" fn(*mut c_void, *mut c_void, i32) -> *mut Object;

/// The parser's own version number that the newest known headers announce; it is not TensorRT's.
const NEWEST_PARSER: i32 = 200;

/// TensorRT's ONNX parser (`libnvonnxparser`). It stays loaded until the process ends.
#[derive(Clone, Debug)]
pub struct OnnxParserLibrary {
    library: Library,
    path: PathBuf,
    create: Create,
    announced: i32,
}

impl OnnxParserLibrary {
    /// Loads the parser that belongs to `library`.
    ///
    /// # Errors
    /// [`Error::Open`] or [`Error::Symbol`]; [`Error::Table`] where it belongs to another TensorRT.
    pub fn load(path: impl AsRef<Path>, library: &Library) -> Result<Self, Error> {
        let path = path.as_ref();
        let raw = ManuallyDrop::new(open(path)?);
        let next = "it is not TensorRT's ONNX parser";
        // SAFETY: the types are those of the functions in 10.x and 11.x.
        let (create, number) = unsafe {
            let number: unsafe extern "C" fn() -> i32 = symbol(&raw, path, "getNvOnnxParserVersion", next)?;
            (symbol(&raw, path, "createNvOnnxParser_INTERNAL", next)?, number())
        };
        // A parser has no TensorRT version of its own, but the loader finds through it the libnvinfer that it is
        // linked to: slots are looked up by our library's version, so it must be that one.
        // SAFETY: only the function's address is used.
        let linked = unsafe { symbol::<unsafe extern "C" fn() -> i32>(&raw, path, "getInferLibVersion", next) };
        let belongs = match linked {
            Ok(linked) => linked as *const () as usize == library.identity(),
            Err(_) => named_for(path, library.version()),
        };
        if !belongs {
            return Err(Error::Table {
                path: path.to_owned(),
                version: library.version(),
                what: format!("it is linked to another library than {}", library.path().display()),
            });
        }
        Ok(Self { library: library.clone(), path: path.to_owned(), create, announced: number.min(NEWEST_PARSER) })
    }

    /// Where it was loaded from, as asked for.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// `libnvonnxparser.so.10` and `.so.10.3.0` are named for 10.3.
fn named_for(path: &Path, version: Version) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let major = name.split_once(".so.").and_then(|(_, numbers)| numbers.split('.').next().map(str::to_owned));
    major.is_some_and(|major| major == version.major.to_string())
}

/// Fills a network from an ONNX model. The parser itself stays with the network, whose weights it owns.
#[derive(Debug)]
pub struct OnnxParser<'n> {
    network: &'n mut Network,
    handle: Handle<parser::Parser>,
    library: Library,
}

impl<'n> OnnxParser<'n> {
    /// A parser for that network.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words, [`Error::Argument`] where the network is of another library.
    pub fn new(parsers: &OnnxParserLibrary, network: &'n mut Network) -> Result<Self, Error> {
        let library = parsers.library.clone();
        if network.builder().library().identity() != library.identity() {
            return Err(Error::argument("the network is of another TensorRT than the parser"));
        }
        let failed = || Error::Call {
            interface: "nvonnxparser",
            method: "createParser",
            what: "made no parser".to_owned(),
            vendor: Vec::new(),
        };
        let handle = library.quoting(|| {
            // SAFETY: the network is alive, of the library that the parser is linked to, and kept longer than the
            // parser; the logger lives as long as the process.
            let parser = unsafe { (parsers.create)(network.handle().as_ptr(), library.logger(), parsers.announced) };
            // SAFETY: it is null or a live `IParser`.
            unsafe { Handle::<parser::Parser>::new(parser) }.ok_or_else(failed)
        })?;
        // SAFETY: just made with that library, and nobody else's.
        network.parsers.push(unsafe { Owned::new(&library, handle) });
        Ok(Self { network, handle, library })
    }

    /// Calls into the parser, which the network keeps alive, on this thread.
    fn call<T>(&self, call: impl FnOnce(Version, Handle<parser::Parser>) -> Result<T, Error>) -> Result<T, Error> {
        self.library.quoting(|| call(self.library.version(), self.handle))
    }

    /// Sets a flag.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the version has no such flag.
    pub fn set_flag(&mut self, flag: OnnxParserFlag) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, parser| unsafe { result::onnx::set_flag(version, parser, flag) })
    }

    /// Whether a flag is set.
    ///
    /// # Errors
    /// As for [`OnnxParser::set_flag`].
    pub fn flag(&self, flag: OnnxParserFlag) -> Result<bool, Error> {
        // SAFETY: see `call`.
        self.call(|version, parser| unsafe { result::onnx::flag(version, parser, flag) })
    }

    /// Parses a model in memory; external weights are looked up beside `path`.
    ///
    /// # Errors
    /// [`Error::Onnx`] with the parser's error list.
    pub fn parse(&mut self, model: &[u8], path: Option<&Path>) -> Result<(), Error> {
        let path = path.map(|path| c_name(&path.to_string_lossy())).transpose()?;
        self.refusing(|version, parser| {
            // SAFETY: see `call`; the model lives through the call, in which the parser copies what it needs.
            unsafe { result::onnx::parse(version, parser, model, path.as_deref()) }
        })
    }

    /// Parses a model file, external weights included.
    ///
    /// # Errors
    /// [`Error::Onnx`] with the parser's error list.
    pub fn parse_file(&mut self, path: &Path) -> Result<(), Error> {
        let name = std::ffi::CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::argument(format!("model {}: NUL in its name", path.display())))?;
        self.refusing(|version, parser| {
            // SAFETY: see `call`.
            unsafe { result::onnx::parse_file(version, parser, &name, Severity::Warning) }
        })
    }

    /// The error list of the last parse.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn errors(&self) -> Result<Vec<OnnxError>, Error> {
        // SAFETY: see `call`.
        self.call(|version, parser| unsafe { result::onnx::errors(version, parser) })
    }

    /// Forgets the error list.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn clear_errors(&mut self) -> Result<(), Error> {
        // SAFETY: see `call`.
        self.call(|version, parser| unsafe { result::onnx::clear_errors(version, parser) })
    }

    /// The network so far.
    #[must_use]
    pub fn network(&self) -> &Network {
        self.network
    }

    fn refusing(
        &self,
        parse: impl FnOnce(Version, Handle<parser::Parser>) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        self.call(|version, parser| {
            if parse(version, parser)? {
                return Ok(());
            }
            // SAFETY: see `call`.
            let errors = unsafe { result::onnx::errors(version, parser)? };
            Err(Error::Onnx { errors, vendor: Vec::new() })
        })
    }
}
