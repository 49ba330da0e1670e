//! Names of tensors and nodes in a model: which there are, which are in use, and new ones.

use std::collections::HashSet;

use crate::proto::{Attribute, GraphProto, NodeProto};

/// Gives names that no tensor and no node of a model has.
pub(crate) struct Names(HashSet<String>);

impl Names {
    pub(crate) fn of(graph: &GraphProto) -> Self {
        let mut names = HashSet::new();
        collect(graph, &mut names);
        Self(names)
    }

    /// `wish`, or `wish_2` and so on where that is taken.
    pub(crate) fn fresh(&mut self, wish: &str) -> String {
        let mut name = wish.to_owned();
        let mut number = 2_u32;
        while !self.0.insert(name.clone()) {
            name = format!("{wish}_{number}");
            number += 1;
        }
        name
    }
}

fn collect(graph: &GraphProto, names: &mut HashSet<String>) {
    let values = graph.input.iter().chain(&graph.output).chain(&graph.value_info);
    names.extend(values.map(|value| value.name().to_owned()));
    names.extend(graph.initializer.iter().map(|tensor| tensor.name().to_owned()));
    let sparse = graph.sparse_initializer.iter().filter_map(|sparse| sparse.values.as_ref());
    names.extend(sparse.map(|tensor| tensor.name().to_owned()));
    for node in &graph.node {
        names.extend(node.input.iter().chain(&node.output).cloned());
        names.extend(node.name.clone());
        node.attribute.iter().flat_map(Attribute::graphs_in).for_each(|inner| collect(inner, names));
    }
}

/// Tensors that something reads: nodes, those of inner graphs too, and outputs.
pub(crate) fn used(graph: &GraphProto) -> HashSet<String> {
    let mut used = HashSet::new();
    collect_used(graph, &mut used);
    used
}

fn collect_used(graph: &GraphProto, used: &mut HashSet<String>) {
    used.extend(graph.output.iter().map(|output| output.name().to_owned()));
    graph.node.iter().for_each(|node| collect_read(node, used));
}

fn collect_read(node: &NodeProto, used: &mut HashSet<String>) {
    used.extend(node.input.iter().cloned());
    node.attribute.iter().flat_map(Attribute::graphs_in).for_each(|inner| collect_used(inner, used));
}

/// Drops constants that nothing reads (initialisers and "Constant" nodes) among `candidates`.
pub(crate) fn drop_unused(graph: &mut GraphProto, candidates: &HashSet<String>) {
    let used = used(graph);
    let goes = |name: &str| candidates.contains(name) && !used.contains(name);
    graph.initializer.retain(|tensor| !goes(tensor.name()));
    graph.input.retain(|input| !goes(input.name()));
    graph.value_info.retain(|value| !goes(value.name()));
    graph.node.retain(|node| node.op() != "Constant" || !node.output.first().is_some_and(|output| goes(output)));
}
