mod constants;
mod convert;
mod rules;

use serde::{Deserialize, Serialize};

use crate::{Error, Model, opset};

/// What became of a model's tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfReport {
    /// Constant tensors (weights and the like) that are `f16` now.
    pub converted: usize,
    /// Constant tensors that stayed `f32`: an operator's definition wants them so, or they say sizes or indices.
    pub kept: usize,
    /// Numbers as large as `f32` goes, which mean "no bound" and are as large as `f16` goes now.
    pub clipped: u64,
    /// Numbers too small for the full precision of `f16` (under 0.00006): rounded more coarsely, or to 0.
    pub tiny: u64,
    /// "Cast" nodes added: at inputs and outputs, and around what stayed `f32`.
    pub casts: usize,
    /// Nodes that still compute in `f32`, by name.
    pub full: Vec<String>,
}

/// The model in FP16 by its own types, as a strongly typed network takes it: TensorRT 11 knows no other way.
///
/// Inputs and outputs of the model keep their types, with "Cast" at both ends. All weights and all tensors computed from
/// them are `f16`, and stay `f32` in three cases: where an operator's definition has no `f16` (scales of "Resize",
/// "Range", "NonMaxSuppression", operators of other domains); where numbers are computed from shapes and indices alone,
/// for there they must be exact; and the scale of a quantised tensor where `f16` would not hold it. "Cast" nodes stand
/// where the two meet.
///
/// A quantised model becomes one of opset 19, the first in which "QuantizeLinear" takes `f16`.
///
/// # Errors
/// Where a weight is larger than `f16` goes (65504), with the tensor's name; where the model has functions of its own,
/// sparse weights, or sequences, or an operator of another domain gives a tensor of unknown type.
pub fn to_half(model: &Model) -> Result<(Model, HalfReport), Error> {
    if !model.proto.functions.is_empty() {
        let next = "export it without them, or inline them";
        return Err(Error::refused(format!("a model with functions of its own is not made FP16; {next}")));
    }
    let mut model = model.clone();
    if model.facts().operators.contains_key("QuantizeLinear") {
        opset::raise(&mut model, opset::HALF_SCALES)?;
    }
    let opset = model.opset();
    let report = convert::convert(model.graph_mut(), opset)?;
    Ok((model, report))
}
