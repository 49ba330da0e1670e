//! Layers with constant weights: what INT8 pays for.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::proto::{GraphProto, NodeProto, TensorProto};
use crate::{Model, element};

/// A tensor whose range is needed to quantise a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivationPoint {
    /// Name of the tensor.
    pub tensor: String,
    /// Whether it is an input of the model: its values are the caller's, and [`with_outputs`](crate::with_outputs) has
    /// nothing to add.
    pub input: bool,
    /// The layers that take it, as `skip` of [`quantise`](crate::quantise) names them.
    pub layers: Vec<String>,
}

/// The tensors whose ranges are needed to quantise a model, each once, in the order of use: inputs of "Conv", "Gemm" and
/// "MatMul" with constant `f32` weights in the main graph.
#[must_use]
pub fn conv_inputs(model: &Model) -> Vec<ActivationPoint> {
    let graph = model.graph();
    let inputs: HashSet<_> = graph.input.iter().map(|input| input.name()).collect();
    let mut points: Vec<ActivationPoint> = Vec::new();
    let mut at = HashMap::new();
    for layer in layers(graph) {
        let (node, tensor) = (&graph.node[layer.node], layer.activation(graph));
        let index = *at.entry(tensor).or_insert_with(|| {
            let input = inputs.contains(tensor);
            points.push(ActivationPoint { tensor: tensor.to_owned(), input, layers: Vec::new() });
            points.len() - 1
        });
        points[index].layers.push(node.label().to_owned());
    }
    points
}

/// A node that multiplies an activation (its first input) by constant weights (its second).
pub(crate) struct Layer<'a> {
    /// Index in the graph.
    pub(crate) node: usize,
    pub(crate) weights: &'a TensorProto,
    /// Axis of the weights along which output channels lie.
    pub(crate) axis: usize,
}

impl Layer<'_> {
    pub(crate) fn activation<'g>(&self, graph: &'g GraphProto) -> &'g str {
        graph.node[self.node].input.first().map(String::as_str).unwrap_or_default()
    }
}

pub(crate) fn layers(graph: &GraphProto) -> Vec<Layer<'_>> {
    let constants = constants(graph);
    let layer = |(index, node): (usize, &NodeProto)| {
        let weights = *constants.get(node.input.get(1)?.as_str())?;
        let axis = channel_axis(node, weights.dims.len())?;
        let activation =
            node.input.first().is_some_and(|name| !name.is_empty() && !constants.contains_key(name.as_str()));
        let taken = activation && node.is_standard() && weights.element() == element::FLOAT;
        taken.then_some(Layer { node: index, weights, axis })
    };
    graph.node.iter().enumerate().filter_map(layer).collect()
}

fn channel_axis(node: &NodeProto, rank: usize) -> Option<usize> {
    match node.op() {
        "Conv" if rank >= 3 => Some(0),
        "Gemm" if rank == 2 => Some(usize::from(node.int("transB", 0) == 0)),
        "MatMul" if rank >= 2 => Some(rank - 1),
        _ => None,
    }
}

/// Constant tensors by the names they go by: initialisers, "Constant" nodes, and "Identity" of either, which exporters
/// write for weights that are shared.
pub(crate) fn constants(graph: &GraphProto) -> HashMap<&str, &TensorProto> {
    let mut constants: HashMap<_, _> = graph.initializer.iter().map(|tensor| (tensor.name(), tensor)).collect();
    for node in graph.node.iter().filter(|node| node.is_standard()) {
        let tensor = match node.op() {
            "Constant" => node.attribute("value").and_then(|attribute| attribute.t.as_deref()),
            "Identity" => node.input.first().and_then(|name| constants.get(name.as_str())).copied(),
            _ => None,
        };
        if let (Some(output), Some(tensor)) = (node.output.first(), tensor) {
            constants.insert(output, tensor);
        }
    }
    constants
}
