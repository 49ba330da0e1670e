/// What went wrong, in ONNX Runtime's own words or ours.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// ONNX Runtime refused.
    #[error("{0}")]
    Runtime(#[from] ort::Error),
    /// The provider asked for cannot be used on this machine or with this library.
    #[error("ONNX Runtime's {provider} provider cannot be used: {reason}; {next}")]
    Unavailable {
        /// Provider of the request.
        provider: &'static str,
        /// ONNX Runtime's words.
        reason: String,
        /// What to do.
        next: String,
    },
    /// The provider asked for does not run the model, or not all of it.
    #[error("the model does not run on ONNX Runtime's {provider} provider: {found}; {next}")]
    Placement {
        /// Provider of the request.
        provider: &'static str,
        /// What would run, and where.
        found: String,
        /// What to do.
        next: String,
    },
    /// A tensor is not what the caller takes it for.
    #[error("tensor {name:?}: {what}")]
    Tensor {
        /// Name in the model.
        name: String,
        /// What does not fit.
        what: String,
    },
    /// A CUDA stream failed: of this run, or of work before it.
    #[error("the CUDA stream failed: {0}")]
    Stream(String),
    /// The profile of the first run cannot be written or read.
    #[error("the first run cannot be recorded: {0}")]
    Profile(String),
}

impl Error {
    pub(crate) fn tensor(name: &str, what: impl Into<String>) -> Self {
        Self::Tensor { name: name.to_owned(), what: what.into() }
    }

    pub(crate) fn stream(error: &dyn std::fmt::Display) -> Self {
        Self::Stream(error.to_string())
    }
}
