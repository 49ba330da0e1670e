//! Which operators take `f16`, and where.

use std::collections::HashSet;

use crate::element::FLOAT;
use crate::opset::HALF_SCALES;
use crate::proto::{Attribute, GraphProto, NodeProto, TensorProto};
use crate::types::{Types, infer};
use crate::weighted::constants;

/// Least scale that is `f16`: there its steps (2^-24) are 1/64 of it, so it is off by 0.8 % at most, which is twice
/// what INT8 itself is off at the end of its range.
const LEAST_SCALE: f32 = 1.0 / 262_144.0;

/// Operators that give indices, whatever they take.
const INDICES: [&str; 3] = ["NonZero", "ArgMax", "ArgMin"];

/// The same, of which no numbers are taken in as `f16`.
const PLACES: &str = "NonMaxSuppression";

/// Operators that give the numbers of their first input in another arrangement.
const REARRANGING: [&str; 13] = [
    "Expand",
    "Gather",
    "GatherElements",
    "GatherND",
    "Pad",
    "Reshape",
    "Resize",
    "Slice",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// What a node's floats are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `f16` in and out.
    Half,
    /// `f32` in and out.
    Full,
    /// In: whatever comes. Out: `f16`, where it is a float at all.
    Any,
}

/// Names known at a place in a graph.
#[derive(Clone, Default)]
pub(super) struct Scope {
    pub(super) types: Types,
    /// Tensors with numbers from shapes and indices alone.
    pub(super) exact: HashSet<String>,
    /// Constant tensors.
    pub(super) constants: HashSet<String>,
    /// Constants of `f32` that are scales of quantised tensors and too small for `f16`.
    pub(super) small: HashSet<String>,
}

impl Scope {
    /// What can be known of a graph inside this scope, before any node is changed.
    pub(super) fn of(&self, graph: &GraphProto) -> Self {
        let mut scope = self.clone();
        scope.types = infer(graph, &self.types);
        let known = constants(graph);
        scope.constants.extend(graph.initializer.iter().map(|tensor| tensor.name().to_owned()));
        for node in &graph.node {
            if matches!(node.op(), "Constant" | "ConstantOfShape") {
                scope.constants.extend(node.output.iter().cloned());
            } else if scope.is_exact(node) {
                scope.exact.extend(node.output.iter().cloned());
            } else if node.is_standard() && node.op() == "TopK" {
                // Its first output is its input's numbers, the second says where they were.
                scope.exact.extend(node.output.get(1).cloned());
            }
            let scale = node.input.get(1).filter(|_| matches!(node.op(), "QuantizeLinear" | "DequantizeLinear"));
            if let Some((name, tensor)) = scale.and_then(|name| Some((name, known.get(name.as_str())?)))
                && is_small(tensor)
            {
                scope.small.insert(name.clone());
            }
        }
        scope
    }

    pub(super) fn is_float(&self, name: &str) -> bool {
        self.types.get(name) == Some(&FLOAT)
    }

    pub(super) fn mode(&self, node: &NodeProto, opset: i64) -> Mode {
        if !node.is_standard() {
            return Mode::Full;
        }
        let small = || node.input.get(1).is_some_and(|scale| self.small.contains(scale));
        match node.op() {
            "Shape" | "Size" => Mode::Any,
            op if INDICES.contains(&op) => Mode::Half,
            "TopK" if !node.output.first().is_some_and(|values| self.exact.contains(values)) => Mode::Half,
            _ if node.output.iter().any(|output| self.exact.contains(output)) => Mode::Full,
            "Cast" => Mode::Any,
            "QuantizeLinear" | "DequantizeLinear" if opset < HALF_SCALES || small() => Mode::Full,
            "CumSum" if opset < 14 => Mode::Full,
            "IsInf" if opset < 20 => Mode::Full,
            "Range"
            | "NonMaxSuppression"
            | "DynamicQuantizeLinear"
            | "QLinearConv"
            | "QLinearMatMul"
            | "ConvInteger"
            | "MatMulInteger"
            | "HannWindow"
            | "HammingWindow"
            | "BlackmanWindow"
            | "MelWeightMatrix"
            | "TfIdfVectorizer"
            | "ImageDecoder" => Mode::Full,
            _ => Mode::Half,
        }
    }

    /// Numbers that come from shapes and indices, and from nothing but those and constants.
    fn is_exact(&self, node: &NodeProto) -> bool {
        if !node.is_standard() || node.attribute.iter().any(|attribute| attribute.graphs_in().next().is_some()) {
            return false;
        }
        if matches!(node.op(), "Shape" | "Size" | PLACES) || INDICES.contains(&node.op()) {
            return true;
        }
        // Of these, the other inputs say where and how much, not what.
        let what = if REARRANGING.contains(&node.op()) { 1 } else { usize::MAX };
        let inputs = || node.input.iter().take(what);
        let computed = || inputs().filter(|name| !name.is_empty() && !self.constants.contains(*name));
        computed().next().is_some() && computed().all(|name| self.exact.contains(name))
    }
}

fn is_small(tensor: &TensorProto) -> bool {
    tensor.floats().is_ok_and(|scales| scales.iter().any(|scale| scale.abs() < LEAST_SCALE))
}

/// Whether an input of a node in mode `Half` has to be `f32` all the same.
pub(super) fn wants_full(node: &NodeProto, input: usize) -> bool {
    matches!((node.op(), input), ("Resize", 1 | 2) | ("Upsample", 1))
}

/// Whether an output of a node in mode `Half` is `f32` all the same: statistics of the normalisation.
pub(super) fn gives_full(node: &NodeProto, output: usize) -> bool {
    matches!((node.op(), output), ("LayerNormalization", 1 | 2))
}

/// Constants that some node wants as `f32`.
pub(super) fn wanted_full(graph: &GraphProto, outer: &Scope, opset: i64, wanted: &mut HashSet<String>) {
    let scope = outer.of(graph);
    for node in &graph.node {
        let mode = scope.mode(node, opset);
        for (index, input) in node.input.iter().enumerate() {
            if mode == Mode::Full || (mode == Mode::Half && wants_full(node, index)) {
                wanted.insert(input.clone());
            }
        }
        for inner in node.attribute.iter().flat_map(Attribute::graphs_in) {
            wanted_full(inner, &scope, opset, wanted);
        }
    }
}
