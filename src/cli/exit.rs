//! Exit codes, after sysexits.h.

use std::io::ErrorKind;
use std::process::ExitCode;

use super::engine::Interrupted;
use crate::config::{Problem, Problems};
use crate::inference::InferenceError;
use crate::inference::budget::Refused;
use crate::outbox::OutboxError;
use crate::telemetry::log;
use crate::telemetry::redact::redact;
use crate::web::ListenError;

/// How a command ended, for whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The command line is wrong.
    Usage = 64,
    /// A model, a recording or a camera is not what it should be.
    Data = 65,
    /// No GPU that computes, or no engine for it.
    Gpu = 69,
    /// Our own fault.
    Internal = 70,
    /// The device failed for good: start me again.
    DeviceLost = 71,
    /// Try again later.
    TryAgain = 75,
    /// The configuration, or something it names, is wrong.
    Config = 78,
    /// Somebody ended it with SIGINT or SIGTERM before it was done; as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code of an error.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if cause.is::<Problems>() || cause.is::<Problem>() || cause.is::<ListenError>() {
                return Self::Config;
            }
            if let Some(error) = cause.downcast_ref::<OutboxError>() {
                return if error.passes() { Self::TryAgain } else { Self::Config };
            }
            if let Some(error) = cause.downcast_ref::<InferenceError>() {
                return match error {
                    InferenceError::Library { .. } | InferenceError::File { .. } => Self::Config,
                    InferenceError::Gpu { .. }
                    | InferenceError::Plan { .. }
                    | InferenceError::Manifest { .. }
                    | InferenceError::Contract(_) => Self::Gpu,
                    InferenceError::DeviceLost { .. } => Self::DeviceLost,
                    InferenceError::Load { .. } | InferenceError::Head { .. } => Self::Data,
                    InferenceError::Run { .. } | InferenceError::Reloading { .. } => Self::Internal,
                };
            }
            if cause.is::<Interrupted>() {
                return Self::Interrupted;
            }
            if cause.is::<NotBuilt>() || cause.is::<Box<Refused>>() || cause.is::<Refused>() {
                return Self::Gpu;
            }
            if cause.is::<Busy>() {
                return Self::TryAgain;
            }
            if cause.is::<BadInput>() {
                return Self::Data;
            }
            if cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
                return Self::Done;
            }
        }
        Self::Internal
    }
}

/// A recording or camera that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadInput(pub(super) String);

/// There is no new engine, or none that may be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotBuilt(pub(super) String);

/// Somebody else is at it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Busy(pub(super) String);

/// The whole chain, once, on stderr.
pub(super) fn print(error: &anyhow::Error) {
    // Journald reads the number as the line's priority.
    let priority = if log::stderr_is_journal() { "<3>" } else { "" };
    eprintln!("{priority}{}", redact(&format!("{error:#}")));
}
