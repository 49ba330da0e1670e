//! `IParser`: reads a model, and hands it to the network as it is.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex};

use gpu_sim::onnx;
use gpu_sim::report::lock;
use sim_nvinfer_abi::{Interface, Logger, Object, Severity, Version, method, methods, text, version};

use crate::error::ParserError;

/// `ErrorCode` of the parser: internal error, model that cannot be deserialised, unsupported node.
const INTERNAL: i32 = 1;
const NOT_A_MODEL: i32 = 3;
const UNSUPPORTED_NODE: i32 = 8;

struct Parser {
    version: Version,
    network: usize,
    logger: Logger,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    errors: Vec<usize>,
    flags: u32,
}

/// `getNvOnnxParserVersion`.
#[must_use]
pub fn api_version(major: i32) -> i32 {
    // 0.1.0 up to 11.1, 0.2.0 in 11.4.
    if version(major) >= (Version { major: 11, minor: 4, patch: 0 }) { 200 } else { 100 }
}

/// `createNvOnnxParser_INTERNAL`; null where network or logger is.
///
/// # Safety
/// `network` is null or an `INetworkDefinition*` of the simulated TensorRT of this major version, `logger` null or its
/// logger; both outlive the parser.
pub unsafe fn create_parser(major: i32, network: *mut c_void, logger: *mut c_void) -> *mut c_void {
    // SAFETY: the caller vouches for it.
    let Some(logger) = (unsafe { Logger::new(logger, major) }).filter(|_| !network.is_null()) else {
        return std::ptr::null_mut();
    };
    let version = version(major);
    let parser = Parser { version, network: network as usize, logger, state: Mutex::default() };
    Object::bare(Object::create(version, Arc::new(parser)))
}

impl Parser {
    fn parse(&self, model: &[u8]) -> bool {
        let graph = match onnx::read(model) {
            Ok(graph) => graph,
            Err(reason) => return self.fail(NOT_A_MODEL, &format!("Failed to parse the ONNX model: {reason}"), None),
        };
        // Operators of other domains than ONNX's own have no meaning without a plugin, and there are no plugins.
        let known = |operator: &str| operator.chars().next().is_some_and(char::is_uppercase);
        if let Some((index, (operator, name))) = graph.nodes.iter().enumerate().find(|(_, node)| !known(&node.0)) {
            let words = format!("Plugin not found, are the plugin name, version, and namespace correct? ({operator})");
            return self.fail(UNSUPPORTED_NODE, &words, Some((index, name, operator)));
        }
        self.hand_over(model) || self.fail(INTERNAL, "libnvinfer is not the simulated one", None)
    }

    /// Gives the network the model through the simulated libnvinfer that made it.
    fn hand_over(&self, model: &[u8]) -> bool {
        type Hand = unsafe extern "C" fn(*mut c_void, *const u8, usize) -> i32;
        let library = if self.version.major == 10 { c"libnvinfer.so.10" } else { c"libnvinfer.so.11" };
        // SAFETY: the library made the network, so it is loaded and found again; the function, where it is there, is
        // the simulator's and has this type.
        unsafe {
            let library = libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            if library.is_null() {
                return false;
            }
            let found = libc::dlsym(library, c"watchkeeper_sim_network".as_ptr());
            if found.is_null() {
                return false;
            }
            let hand: Hand = std::mem::transmute(found);
            hand(self.network as *mut c_void, model.as_ptr(), model.len()) == 0
        }
    }

    fn fail(&self, code: i32, words: &str, node: Option<(usize, &str, &str)>) -> bool {
        self.logger.log(Severity::Error, &format!("ModelImporter: {words}"));
        let error = Object::create(self.version, Arc::new(ParserError::new(code, words, node)));
        lock(&self.state).errors.push(error as usize);
        false
    }

    fn clear(&self) {
        for error in std::mem::take(&mut lock(&self.state).errors) {
            Object::destroy::<ParserError>(error as *mut Object);
        }
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Interface for Parser {
    const CLASS: &'static str = "IParser";
    const INTERFACE: &'static str = "IParser";

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "parse" => parse,
            "parseFromFile" => parse_file,
            "supportsOperator" => supports_operator,
            "getNbErrors" => count_errors,
            "getError" => get_error,
            "clearErrors" => clear_errors,
            "setFlags" => set_flags,
            "getFlags" => get_flags,
            "clearFlag" => clear_flag,
            "setFlag" => set_flag,
            "getFlag" => get_flag,
            "supportsModelV2" => supports_model,
            "getNbSubgraphs" => no_subgraphs,
            "setBuilderConfig" => accept,
        }
    }
}

/// # Safety
/// As TensorRT asks: `size` readable bytes.
unsafe fn bytes<'a>(model: *const u8, size: usize) -> &'a [u8] {
    if model.is_null() || size == 0 {
        return &[];
    }
    // SAFETY: the caller vouches for it.
    unsafe { std::slice::from_raw_parts(model, size) }
}

extern "C" fn parse(this: *const c_void, model: *const u8, size: usize, _path: *const c_char) -> bool {
    // SAFETY: TensorRT asks its callers for `size` readable bytes.
    method::<Parser>(this).parse(unsafe { bytes(model, size) })
}

extern "C" fn parse_file(this: *const c_void, path: *const c_char, _verbosity: i32) -> bool {
    // SAFETY: TensorRT asks its callers for a NUL-terminated path.
    let path = unsafe { text(path) };
    let parser = method::<Parser>(this);
    match std::fs::read(&path) {
        Ok(model) => parser.parse(&model),
        Err(error) => parser.fail(NOT_A_MODEL, &format!("Could not open file {path}: {error}"), None),
    }
}

extern "C" fn supports_operator(_: *const c_void, operator: *const c_char) -> bool {
    // SAFETY: TensorRT asks its callers for a NUL-terminated name.
    unsafe { text(operator) }.chars().next().is_some_and(char::is_uppercase)
}

extern "C" fn supports_model(_: *const c_void, model: *const u8, size: usize, _path: *const c_char) -> bool {
    // SAFETY: TensorRT asks its callers for `size` readable bytes.
    onnx::read(unsafe { bytes(model, size) }).is_ok()
}

extern "C" fn count_errors(this: *const c_void) -> i32 {
    lock(&method::<Parser>(this).state).errors.len() as i32
}

extern "C" fn get_error(this: *const c_void, index: i32) -> *const c_void {
    let parser = method::<Parser>(this);
    let state = lock(&parser.state);
    let error = usize::try_from(index).ok().and_then(|index| state.errors.get(index));
    error.map_or(std::ptr::null(), |error| Object::bare(*error as *mut Object).cast_const())
}

extern "C" fn clear_errors(this: *const c_void) {
    method::<Parser>(this).clear();
}

extern "C" fn set_flags(this: *const c_void, flags: u32) {
    lock(&method::<Parser>(this).state).flags = flags;
}

extern "C" fn get_flags(this: *const c_void) -> u32 {
    lock(&method::<Parser>(this).state).flags
}

extern "C" fn clear_flag(this: *const c_void, flag: u32) {
    lock(&method::<Parser>(this).state).flags &= !(1 << (flag & 31));
}

extern "C" fn set_flag(this: *const c_void, flag: u32) {
    lock(&method::<Parser>(this).state).flags |= 1 << (flag & 31);
}

extern "C" fn get_flag(this: *const c_void, flag: u32) -> bool {
    get_flags(this) & 1 << (flag & 31) != 0
}

extern "C" fn no_subgraphs(_: *const c_void) -> i64 {
    0
}

extern "C" fn accept(_: *const c_void, _: *const c_void) -> bool {
    true
}
