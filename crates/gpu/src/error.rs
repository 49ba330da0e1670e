//! What goes wrong, and whose trouble it is.

use std::ffi::{CStr, c_char, c_uint};

use crate::ledger::Kind;
use crate::sys::{self, Functions};

/// Whose trouble an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The process's: every later call fails too, so it must end and be started again. Source: the entries of
    /// `CUresult` in NVIDIA's "CUDA Driver API" that say "the process must be terminated and relaunched" or that
    /// the device is gone.
    Sticky,
    /// Memory is short; what was there before is as it was.
    OutOfMemory,
    /// The call was wrong: a mistake of the caller, who can go on.
    Invalid,
    /// Not finished yet; no failure.
    NotReady,
    /// Anything else.
    Other,
}

impl Class {
    /// The class of an error code of the driver (the runtime's codes from 100 on are the same).
    #[must_use]
    pub fn of(code: u32) -> Self {
        match code {
            // 46 and 214 come from a device that fell off the bus or whose memory is damaged, 220 from a broken link.
            46 | 214 | 220 | 226 => Self::Sticky,
            700 | 702 | 709 | 710 | 714..=719 | 721 => Self::Sticky,
            2 => Self::OutOfMemory,
            sys::NOT_READY => Self::NotReady,
            1 | 101 | 200 | 201 | 209 | 218 | 222 | 300 | 400 | 401 | 500 | 701 | 713 | 720 => Self::Invalid,
            _ => Self::Other,
        }
    }
}

/// A call of the driver that failed. Errors of asynchronous work come from a later call than the one that began it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {name} ({code}): {text}")]
pub struct CudaError {
    /// Function of the driver.
    pub call: &'static str,
    /// Its result.
    pub code: u32,
    /// CUDA's name for it.
    pub name: Box<str>,
    /// CUDA's words for it.
    pub text: Box<str>,
}

impl CudaError {
    /// Whose trouble it is.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::of(self.code)
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A call failed.
    #[error(transparent)]
    Cuda(#[from] CudaError),
    /// Memory that is not to be had.
    #[error("{owner}: no {bytes} bytes of {kind} memory ({free} of {total} bytes free): {source}")]
    Allocate {
        /// Who asked.
        owner: String,
        /// What kind of memory.
        kind: Kind,
        /// How much.
        bytes: usize,
        /// What the device has left, 0 where it does not say.
        free: usize,
        /// What it has in all.
        total: usize,
        /// The driver's answer.
        source: CudaError,
    },
    /// An argument does not fit; nothing was done.
    #[error("{what}: {why}")]
    Argument {
        /// Which.
        what: &'static str,
        /// Why not.
        why: String,
    },
    /// Memory of one stream was given to another one; nothing was done.
    #[error("{what} belongs to another stream; hand it over first (`hand_over`)")]
    Stream {
        /// Which memory.
        what: &'static str,
    },
}

impl Error {
    pub(crate) fn argument(what: &'static str, why: impl Into<String>) -> Self {
        Self::Argument { what, why: why.into() }
    }

    /// Whose trouble it is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Cuda(source) | Self::Allocate { source, .. } => source.class(),
            Self::Argument { .. } | Self::Stream { .. } => Class::Invalid,
        }
    }

    /// The driver's error, where it was the driver that refused.
    #[must_use]
    pub fn cuda(&self) -> Option<&CudaError> {
        match self {
            Self::Cuda(source) | Self::Allocate { source, .. } => Some(source),
            Self::Argument { .. } | Self::Stream { .. } => None,
        }
    }
}

/// An error of what is not success.
pub(crate) fn check(functions: &Functions, call: &'static str, code: c_uint) -> Result<(), CudaError> {
    if code == sys::SUCCESS {
        return Ok(());
    }
    let words = |get: unsafe extern "C" fn(c_uint, *mut *const c_char) -> c_uint| -> Box<str> {
        let mut text = std::ptr::null();
        // SAFETY: `text` is written on success only; strings of the driver are static and end with a NUL.
        match unsafe { get(code, &mut text) } {
            // SAFETY: as above; null is looked for.
            sys::SUCCESS if !text.is_null() => unsafe { CStr::from_ptr(text) }.to_string_lossy().into(),
            _ => Box::from("an error that this driver has no name for"),
        }
    };
    Err(CudaError { call, code, name: words(functions.cuGetErrorName), text: words(functions.cuGetErrorString) })
}
