use std::path::Path;

use ort::session::builder::GraphOptimizationLevel;
use ort::value::{Outlet, TensorElementType, ValueType};

use crate::session::plain;
use crate::{Error, Runtime};

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

/// What a model takes and gives, in its own order.
#[derive(Clone, Debug)]
pub struct ModelInfo {
    /// Inputs.
    pub inputs: Vec<TensorInfo>,
    /// Outputs.
    pub outputs: Vec<TensorInfo>,
}

/// Dimensions of all inputs and outputs of a run, without -1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    /// Of the inputs, in the model's order.
    pub inputs: Vec<Vec<i64>>,
    /// Of the outputs, in the model's order.
    pub outputs: Vec<Vec<i64>>,
}

impl ModelInfo {
    /// Reads a model without preparing it to run. What [`ShapeRange`](crate::ShapeRange)s are made from.
    ///
    /// # Errors
    /// [`Error::Runtime`] with ONNX Runtime's words where it cannot read the model.
    pub fn read(runtime: &Runtime, model: &Path) -> Result<Self, Error> {
        let session = ort::session::Session::builder(runtime.environment())?
            .with_intra_threads(1)
            .map_err(plain)?
            .with_optimization_level(GraphOptimizationLevel::Disable)
            .map_err(plain)?
            .with_prepacking(false)
            .map_err(plain)?
            .commit_from_file(model)?;
        Ok(Self::of(&session))
    }

    pub(crate) fn of(session: &ort::session::Session) -> Self {
        let list = |outlets: &[Outlet]| outlets.iter().map(info).collect();
        Self { inputs: list(session.inputs()), outputs: list(session.outputs()) }
    }

    /// Shapes of the inputs with 1 for what is open.
    pub(crate) fn smallest(&self) -> Vec<Vec<i64>> {
        self.inputs.iter().map(|info| info.shape.iter().map(|dim| (*dim).max(1)).collect()).collect()
    }
}

impl TensorInfo {
    pub(crate) fn element(&self) -> Result<TensorElementType, Error> {
        self.element.ok_or_else(|| Error::tensor(&self.name, "is not a tensor"))
    }
}

fn info(outlet: &Outlet) -> TensorInfo {
    let (element, shape) = match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => (Some(*ty), shape.to_vec()),
        _ => (None, Vec::new()),
    };
    TensorInfo { name: outlet.name().to_owned(), element, shape }
}
