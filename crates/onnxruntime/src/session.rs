use std::path::Path;
use std::sync::Arc;

use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorElementType;
use ort::value::{Outlet, ValueType};

use crate::{Binding, Error, Runtime};

/// How a session runs.
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    /// Threads inside one `run`.
    pub threads: usize,
}

/// Name, element type and shape of a model's input or output; -1 is a dimension decided by the caller.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    /// Name in the model.
    pub name: String,
    /// Element type; `None`: not a tensor.
    pub element: Option<TensorElementType>,
    /// Dimensions.
    pub shape: Vec<i64>,
}

/// A model loaded once, shared by any number of [`Binding`]s.
#[derive(Debug)]
pub struct Session {
    pub(crate) inner: ort::session::Session,
    inputs: Vec<TensorInfo>,
    outputs: Vec<TensorInfo>,
}

impl Session {
    /// Loads a model for the CPU provider.
    ///
    /// # Errors
    /// [`Error::Runtime`] with ONNX Runtime's words where it cannot read or prepare the model.
    pub fn open(runtime: &Runtime, model: &Path, options: SessionOptions) -> Result<Arc<Self>, Error> {
        let plain = |error: ort::Error<ort::session::builder::SessionBuilder>| Error::Runtime(error.into());
        let inner = ort::session::Session::builder(runtime.environment())?
            .with_intra_threads(options.threads)
            .map_err(plain)?
            .with_inter_threads(1)
            .map_err(plain)?
            // Spinning workers take the CPU from decoders and from other cameras.
            .with_intra_op_spinning(false)
            .map_err(plain)?
            .with_inter_op_spinning(false)
            .map_err(plain)?
            .with_optimization_level(GraphOptimizationLevel::Level3)
            .map_err(plain)?
            // Noise makes denormals, and denormals cost a third more time.
            .with_flush_to_zero()
            .map_err(plain)?
            .commit_from_file(model)?;
        let inputs = inner.inputs().iter().map(info).collect();
        let outputs = inner.outputs().iter().map(info).collect();
        Ok(Arc::new(Self { inner, inputs, outputs }))
    }

    /// Inputs in the model's order.
    #[must_use]
    pub fn inputs(&self) -> &[TensorInfo] {
        &self.inputs
    }

    /// Outputs in the model's order.
    #[must_use]
    pub fn outputs(&self) -> &[TensorInfo] {
        &self.outputs
    }

    /// Buffers for one user: `input_shapes` in the model's order, without -1.
    ///
    /// Runs the model once, so that ONNX Runtime says what shapes the outputs have.
    ///
    /// # Errors
    /// Where the shapes do not fit the model or memory is short.
    pub fn bind(self: &Arc<Self>, input_shapes: &[Vec<i64>]) -> Result<Binding, Error> {
        Binding::new(self, input_shapes)
    }
}

fn info(outlet: &Outlet) -> TensorInfo {
    let (element, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => (Some(*ty), shape.to_vec()),
        _ => (None, Vec::new()),
    };
    TensorInfo { name: outlet.name().to_owned(), element, shape }
}
