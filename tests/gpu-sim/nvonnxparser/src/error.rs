//! `IParserError`; it belongs to its parser.

use std::ffi::{CString, c_char, c_void};

use sim_nvinfer_abi::{Interface, method, methods};

/// What could not be parsed.
pub(crate) struct ParserError {
    code: i32,
    node: i32,
    words: CString,
    name: CString,
    operator: CString,
}

impl ParserError {
    /// `node` is the node's number and its name and operator, where the trouble is a node.
    pub(crate) fn new(code: i32, words: &str, node: Option<(usize, &str, &str)>) -> Self {
        let text = |text: &str| CString::new(text.replace('\0', " ")).unwrap_or_default();
        let (index, name, operator) =
            node.map_or((-1, "", ""), |(index, name, operator)| (index as i32, name, operator));
        Self {
            code,
            node: index,
            words: text(&format!("[simulated] {words}")),
            name: text(name),
            operator: text(operator),
        }
    }
}

impl Interface for ParserError {
    const CLASS: &'static str = "IParserError";
    const INTERFACE: &'static str = "IParserError";
    const OWNED: bool = true;

    fn methods() -> Vec<(&'static str, *const c_void)> {
        methods! {
            "code" => code,
            "desc" => words,
            "file" => place,
            "line" => zero,
            "func" => place,
            "node" => node,
            "nodeName" => node_name,
            "nodeOperator" => node_operator,
            "localFunctionStack" => null,
            "localFunctionStackSize" => zero,
        }
    }
}

extern "C" fn code(this: *const c_void) -> i32 {
    method::<ParserError>(this).code
}

extern "C" fn words(this: *const c_void) -> *const c_char {
    method::<ParserError>(this).words.as_ptr()
}

extern "C" fn place(_: *const c_void) -> *const c_char {
    c"simulator".as_ptr()
}

extern "C" fn zero(_: *const c_void) -> i32 {
    0
}

extern "C" fn node(this: *const c_void) -> i32 {
    method::<ParserError>(this).node
}

extern "C" fn node_name(this: *const c_void) -> *const c_char {
    method::<ParserError>(this).name.as_ptr()
}

extern "C" fn node_operator(this: *const c_void) -> *const c_char {
    method::<ParserError>(this).operator.as_ptr()
}

extern "C" fn null(_: *const c_void) -> *const c_void {
    std::ptr::null()
}
