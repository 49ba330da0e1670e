//! ONNX Runtime, found at run time; one session shared by any number of bindings.
//!
//! The `ort` crate does the loading and owns the objects; its `Session::run` wants `&mut self`, so a
//! session could serve one thread only. ONNX Runtime itself documents `Run` as safe to call from
//! several threads on one session, and sharing it is both the fastest and the leanest arrangement.
//! This crate adds that one call: a [`Session`] is shared, a [`Binding`] has the buffers of one user
//! and is used through `&mut`.

mod binding;
mod library;
mod session;

pub use binding::Binding;
pub use library::{LoadError, Runtime};
pub use session::{Session, SessionOptions, TensorInfo};

pub use ort::value::TensorElementType as ElementType;

/// What went wrong, in ONNX Runtime's own words or ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ONNX Runtime refused.
    #[error("{0}")]
    Runtime(#[from] ort::Error),
    /// A session runs on another provider than the one asked for.
    #[error("asked for the {asked} provider, the session would run on {got}")]
    Provider {
        /// Provider of the request.
        asked: &'static str,
        /// Providers of the library.
        got: String,
    },
    /// A tensor is not what the caller takes it for.
    #[error("tensor {name:?}: {what}")]
    Tensor {
        /// Name in the model.
        name: String,
        /// What does not fit.
        what: String,
    },
}
