//! Element types of all tensors of a graph, from its inputs and weights forward through the operators' rules.

use std::collections::HashMap;

use crate::element::{BOOL, FLOAT, INT32, INT64};
use crate::proto::{Attribute, GraphProto, NodeProto};

/// Element type by name. Sequences, maps and what is not known are absent.
pub(crate) type Types = HashMap<String, i32>;

/// The types in `graph`, and those of `outer`, which it can read too.
pub(crate) fn infer(graph: &GraphProto, outer: &Types) -> Types {
    let mut types = outer.clone();
    let declared = graph.value_info.iter().chain(&graph.output).chain(&graph.input);
    types.extend(declared.filter_map(|value| Some((value.name().to_owned(), value.element()?))));
    types.extend(graph.initializer.iter().map(|tensor| (tensor.name().to_owned(), tensor.element())));
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
    types.extend(sparse.map(|tensor| (tensor.name().to_owned(), tensor.element())));
    for node in &graph.node {
        let found = outputs(node, &types);
        for (output, element) in node.output.iter().zip(found) {
            if let Some(element) = element {
                types.insert(output.clone(), element);
            }
        }
    }
    types
}

/// Types of a node's outputs; `None` where no rule says.
fn outputs(node: &NodeProto, types: &Types) -> Vec<Option<i32>> {
    let input = |index: usize| node.input.get(index).and_then(|name| types.get(name)).copied();
    let number =
        |name: &str| node.attribute(name).and_then(|attribute| attribute.i).and_then(|i| i32::try_from(i).ok());
    let all = |element: Option<i32>| vec![element; node.output.len()];
    if !node.is_standard() {
        return all(None);
    }
    match node.op() {
        "Cast" => all(number("to")),
        "CastLike" | "Where" => all(input(1)),
        "OneHot" => all(input(2)),
        "Constant" => all(node.attribute.first().and_then(constant)),
        "ConstantOfShape" => {
            let value = node.attribute("value").and_then(|attribute| attribute.t.as_ref());
            all(Some(value.map_or(FLOAT, |tensor| tensor.element())))
        }
        "Shape" | "Size" | "NonZero" | "ArgMax" | "ArgMin" | "NonMaxSuppression" => all(Some(INT64)),
        "Equal" | "Greater" | "Less" | "GreaterOrEqual" | "LessOrEqual" | "And" | "Or" | "Xor" | "Not" | "IsNaN"
        | "IsInf" => all(Some(BOOL)),
        "TopK" | "MaxPool" => vec![input(0), Some(INT64)],
        "Unique" => vec![input(0), Some(INT64), Some(INT64), Some(INT64)],
        "Dropout" => vec![input(0), Some(BOOL)],
        "LayerNormalization" => vec![input(0), Some(FLOAT), Some(FLOAT)],
        "QuantizeLinear" => all(input(2).or(number("output_dtype")).or(Some(2))),
        "DequantizeLinear" => all(number("output_dtype").or(input(1))),
        "DynamicQuantizeLinear" => vec![Some(2), Some(FLOAT), Some(2)],
        "QLinearConv" | "QLinearMatMul" => all(input(7)),
        "ConvInteger" | "MatMulInteger" => all(Some(INT32)),
        "RandomNormal" | "RandomUniform" => all(number("dtype").or(Some(FLOAT))),
        "RandomNormalLike" | "RandomUniformLike" | "EyeLike" | "Bernoulli" => all(number("dtype").or(input(0))),
        "Multinomial" => all(number("dtype").or(Some(INT32))),
        "HannWindow" | "HammingWindow" | "BlackmanWindow" | "MelWeightMatrix" => {
            all(number("output_datatype").or(Some(FLOAT)))
        }
        "If" => inner(node, "then_branch", types, 0),
        "Loop" => inner(node, "body", types, 1),
        "Scan" => inner(node, "body", types, 0),
        op if op.starts_with("Sequence") || op.starts_with("Optional") || op.starts_with("String") => all(None),
        _ => all(input(0)),
    }
}

/// Types of the outputs of an inner graph, but for the first `skip`.
fn inner(node: &NodeProto, attribute: &str, types: &Types, skip: usize) -> Vec<Option<i32>> {
    let Some(graph) = node.attribute(attribute).and_then(|attribute| attribute.g.as_deref()) else {
        return vec![None; node.output.len()];
    };
    let types = infer(graph, types);
    graph.output.iter().skip(skip).map(|output| types.get(output.name()).copied()).collect()
}

/// Type of a "Constant" node with this attribute.
fn constant(attribute: &Attribute) -> Option<i32> {
    match attribute.name.as_deref()? {
        "value" => attribute.t.as_ref().map(|tensor| tensor.element()),
        "sparse_value" => attribute.sparse_tensor.as_ref()?.values.as_ref().map(|tensor| tensor.element()),
        "value_float" | "value_floats" => Some(FLOAT),
        "value_int" | "value_ints" => Some(INT64),
        "value_string" | "value_strings" => Some(8),
        _ => None,
    }
}
