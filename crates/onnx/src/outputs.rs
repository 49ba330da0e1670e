use std::collections::HashSet;

use crate::proto::ValueInfo;
use crate::types::{Types, infer};
use crate::{Error, Model};

/// The same model that also gives these inner tensors, after its own outputs and in this order. A tensor that it gives
/// already is not given twice.
///
/// # Errors
/// Where the model's main graph has no tensor of such a name, or does not compute it (an input, weights).
pub fn with_outputs(model: &Model, tensors: &[&str]) -> Result<Model, Error> {
    let mut model = model.clone();
    let graph = model.graph_mut();
    let computed: HashSet<_> = graph.node.iter().flat_map(|node| &node.output).map(String::as_str).collect();
    let mut given: HashSet<_> = graph.output.iter().map(|output| output.name().to_owned()).collect();
    let types = infer(graph, &Types::new());
    let mut added = Vec::new();
    for &name in tensors {
        if name.is_empty() || !computed.contains(name) {
            let input = graph.input.iter().any(|input| input.name() == name);
            let why = if input { "it is an input, whose values the caller has" } else { "no node computes it" };
            return Err(Error::refused(format!("tensor {name:?} cannot be an output: {why}")));
        }
        if !given.insert(name.to_owned()) {
            continue;
        }
        let known = graph.value_info.iter().find(|value| value.name() == name).cloned();
        // Without a type too: ONNX Runtime and TensorRT find out for themselves.
        let typed = || types.get(name).map(|element| ValueInfo::tensor(name, *element));
        let plain = || ValueInfo { name: Some(name.to_owned()), ..ValueInfo::default() };
        added.push(known.or_else(typed).unwrap_or_else(plain));
    }
    graph.value_info.retain(|value| !added.iter().any(|output| output.name() == value.name()));
    graph.output.extend(added);
    Ok(model)
}
