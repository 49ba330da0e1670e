//! `nvonnxparser::IParser`. For all functions see the safety section of [`crate::result`].
#![allow(clippy::missing_safety_doc, reason = "told once, for the whole floor")]

use std::ffi::CStr;
use std::fmt;

use super::{call, made, string};
use crate::Error;
use crate::sys::enums::Severity;
use crate::sys::flags::OnnxParserFlag;
use crate::sys::slots::parser::{self as slot, Parser};
use crate::sys::slots::parser_error::{self, ParserError};
use crate::sys::{Handle, Version};

/// One entry of the parser's error list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnnxError {
    /// TensorRT's number (8: a node it does not support).
    pub code: i32,
    /// Its words.
    pub description: String,
    /// Index of the node in the model; `None`: not about one node.
    pub node: Option<u32>,
    /// The node's name.
    pub node_name: String,
    /// The node's operator.
    pub operator: String,
    /// Function of the parser that refused.
    pub function: String,
    /// File and line of the parser.
    pub place: String,
}

impl fmt::Display for OnnxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = self.node {
            write!(f, "node {node}")?;
            if !self.node_name.is_empty() || !self.operator.is_empty() {
                write!(f, " ({:?}, {})", self.node_name, self.operator)?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{} (code {}, {})", self.description, self.code, self.function)
    }
}

/// `parse`: a model in memory; false where it is refused. `path` is where external weights are looked up.
pub unsafe fn parse(
    version: Version,
    parser: Handle<Parser>,
    model: &[u8],
    path: Option<&CStr>,
) -> Result<bool, Error> {
    let path = path.map_or(std::ptr::null(), CStr::as_ptr);
    Ok(call!(version, parser, slot::PARSE, model.as_ptr().cast(), model.len(), path) != 0)
}

/// `parseFromFile`; false where the model is refused.
pub unsafe fn parse_file(
    version: Version,
    parser: Handle<Parser>,
    path: &CStr,
    verbosity: Severity,
) -> Result<bool, Error> {
    Ok(call!(version, parser, slot::PARSE_FROM_FILE, path.as_ptr(), verbosity.raw()) != 0)
}

/// `setFlag`, translated for the major.
pub unsafe fn set_flag(version: Version, parser: Handle<Parser>, flag: OnnxParserFlag) -> Result<(), Error> {
    call!(version, parser, slot::SET_FLAG, flag.number(version)?);
    Ok(())
}

/// `getFlag`.
pub unsafe fn flag(version: Version, parser: Handle<Parser>, flag: OnnxParserFlag) -> Result<bool, Error> {
    Ok(call!(version, parser, slot::GET_FLAG, flag.number(version)?) != 0)
}

/// `getNbErrors` and `getError`: the error list since the last parse or clear.
pub unsafe fn errors(version: Version, parser: Handle<Parser>) -> Result<Vec<OnnxError>, Error> {
    let count = call!(version, parser, slot::GET_NB_ERRORS,);
    let mut errors = Vec::new();
    for index in 0..count {
        let entry = call!(version, parser, slot::GET_ERROR, index);
        // SAFETY: the method returns an `IParserError*` that the parser owns until the list changes.
        let entry = unsafe { made(&slot::GET_ERROR, entry, || format!("knows no error {index}"))? };
        // SAFETY: as just said.
        errors.push(unsafe { error(version, entry)? });
    }
    Ok(errors)
}

unsafe fn error(version: Version, entry: Handle<ParserError>) -> Result<OnnxError, Error> {
    // SAFETY: the parser answers null or NUL-terminated strings that live as long as the entry.
    let copied = |words| unsafe { string(words) }.unwrap_or_default();
    let file = copied(call!(version, entry, parser_error::FILE,));
    let line = call!(version, entry, parser_error::LINE,);
    Ok(OnnxError {
        code: call!(version, entry, parser_error::CODE,),
        description: copied(call!(version, entry, parser_error::DESC,)),
        node: u32::try_from(call!(version, entry, parser_error::NODE,)).ok(),
        node_name: copied(call!(version, entry, parser_error::NODE_NAME,)),
        operator: copied(call!(version, entry, parser_error::NODE_OPERATOR,)),
        function: copied(call!(version, entry, parser_error::FUNC,)),
        place: format!("{file}:{line}"),
    })
}

/// `clearErrors`.
pub unsafe fn clear_errors(version: Version, parser: Handle<Parser>) -> Result<(), Error> {
    call!(version, parser, slot::CLEAR_ERRORS,);
    Ok(())
}
