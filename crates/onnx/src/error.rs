use std::path::PathBuf;

/// Why a model, or a file beside it, is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The bytes are no ONNX model.
    #[error("not an ONNX model: {0}")]
    Broken(String),
    /// More than protobuf can hold in one file.
    #[error("the model has {bytes} bytes, and an ONNX file cannot have more than {}", crate::MOST_BYTES)]
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
    },
    /// Weights are kept beside the model.
    #[error("weights {tensor:?} are in another file ({file:?}); save the model in one file")]
    OtherFile {
        /// Name of the tensor.
        tensor: String,
        /// Where its data are.
        file: String,
    },
    /// The model has something that a conversion cannot take.
    #[error("{0}")]
    Refused(String),
    /// A file with ranges is not what it should be.
    #[error("{path}: {what}")]
    Ranges {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl Error {
    pub(crate) fn broken(what: String) -> Self {
        Self::Broken(what)
    }

    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::Refused(what.into())
    }
}
