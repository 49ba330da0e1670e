/// `nvonnxparser::IParser`: its methods lie in its own vtable, the destructor pair among them.
pub mod parser {
    use std::ffi::c_void;

    use super::super::{Text, at, interface};
    use crate::sys::Object;
    use crate::sys::method::{Interface, Method, Row};

    interface! {
        /// Fills a network from an ONNX model.
        Parser = "IParser" in "IParser", forwards: false, serialised: false,
        destroy: Some(Row { interface: "IParser", name: "~IParser", signature: "()", ten: at(9), eleven: at(7) });
        PARSE "parse" [at(0), at(0)] (*const c_void, usize, Text) -> u8;
        PARSE_FROM_FILE "parseFromFile" [at(1), at(1)] (Text, i32) -> u8;
        GET_NB_ERRORS "getNbErrors" [at(5), at(3)] () -> i32;
        GET_ERROR "getError" [at(6), at(4)] (i32) -> *mut Object;
        CLEAR_ERRORS "clearErrors" [at(7), at(5)] ();
        SET_FLAG "setFlag" [at(14), at(12)] (i32);
        GET_FLAG "getFlag" [at(15), at(13)] (i32) -> u8;
    }
}

/// `nvonnxparser::IParserError`.
pub mod parser_error {
    use super::super::{Text, at, interface};
    use crate::sys::Object;
    use crate::sys::method::{Interface, Method, Row};

    interface! {
        /// One thing the parser refused; owned by the parser.
        ParserError = "IParserError" in "IParserError", forwards: false, serialised: false, destroy: None;
        CODE "code" [at(0), at(0)] () -> i32;
        DESC "desc" [at(1), at(1)] () -> Text;
        FILE "file" [at(2), at(2)] () -> Text;
        LINE "line" [at(3), at(3)] () -> i32;
        FUNC "func" [at(4), at(4)] () -> Text;
        NODE "node" [at(5), at(5)] () -> i32;
        NODE_NAME "nodeName" [at(6), at(6)] () -> Text;
        NODE_OPERATOR "nodeOperator" [at(7), at(7)] () -> Text;
    }
}
