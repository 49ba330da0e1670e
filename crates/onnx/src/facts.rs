use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::proto::{GraphProto, NodeProto, TensorProto, ValueInfo};
use crate::{Model, element};

/// What is known of a model without running it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Version of the file format.
    pub ir_version: i64,
    /// Version of the operators, by their domain; ONNX's own are "ai.onnx".
    pub opsets: BTreeMap<String, i64>,
    /// Who made the file, with the version, such as "pytorch 2.8.0"; empty where it does not say.
    pub producer: String,
    /// Name of the graph.
    pub graph: String,
    /// What it takes, in the model's order; weights are no inputs.
    pub inputs: Vec<TensorFacts>,
    /// What it gives, in the model's order.
    pub outputs: Vec<TensorFacts>,
    /// Nodes, those in branches, loops and functions included.
    pub nodes: usize,
    /// Nodes by operator, with the domain before those that are not ONNX's own ("com.microsoft.Attention").
    pub operators: BTreeMap<String, usize>,
    /// Elements of all weights: initialisers, and tensors of "Constant" nodes.
    pub parameters: u64,
    /// The same by element type.
    pub weights: BTreeMap<String, Weights>,
    /// Whether it has quantised parts: "QuantizeLinear", "DequantizeLinear" or operators that work on whole numbers.
    pub quantised: bool,
    /// What its maker wrote beside it.
    pub metadata: BTreeMap<String, String>,
}

/// Weights of one element type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Elements.
    pub parameters: u64,
    /// Bytes of them in memory.
    pub bytes: u64,
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorFacts {
    /// Its name.
    pub name: String,
    /// Its element type: "f32", "f16", "i64", ...; "not a tensor" for sequences, maps and the like.
    pub element: String,
    /// Its dimensions; `None` where the model says nothing about them.
    pub dims: Option<Vec<Dim>>,
}

/// A dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dim {
    /// Fixed in the model.
    Fixed(i64),
    /// Decided by the caller; equal names are equal sizes, and "" is one without a name.
    Named(String),
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) if name.is_empty() => f.write_str("?"),
            Self::Named(name) => f.write_str(name),
        }
    }
}

impl Model {
    /// What the model says of itself.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let (proto, graph) = (&self.proto, self.graph());
        let mut facts = Facts {
            ir_version: proto.ir_version.unwrap_or(0),
            graph: graph.name.clone().unwrap_or_default(),
            ..Facts::default()
        };
        for set in &proto.opset_import {
            facts.opsets.insert(domain(set.domain.as_deref()).to_owned(), set.version.unwrap_or(0));
        }
        let producer = [&proto.producer_name, &proto.producer_version];
        let words: Vec<_> = producer.into_iter().flatten().map(|word| word.trim()).filter(|w| !w.is_empty()).collect();
        facts.producer = words.join(" ");
        let constants: Vec<_> = graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
        let inputs = graph.input.iter().filter(|input| !constants.contains(&input.name()));
        facts.inputs = inputs.map(tensor_facts).collect();
        facts.outputs = graph.output.iter().map(tensor_facts).collect();
        for entry in &proto.metadata_props {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            facts.metadata.insert(text(&entry.key), text(&entry.value));
        }
        facts.count_graph(graph);
        proto.functions.iter().for_each(|function| facts.count_nodes(&function.node));
        facts
    }
}

impl Facts {
    /// Whether it says itself what is rounded to fewer bits, by "QuantizeLinear" and "DequantizeLinear".
    #[must_use]
    pub fn has_quantised_tensors(&self) -> bool {
        ["QuantizeLinear", "DequantizeLinear"].iter().any(|operator| self.operators.contains_key(*operator))
    }

    fn count_graph(&mut self, graph: &GraphProto) {
        graph.initializer.iter().for_each(|tensor| self.count_tensor(tensor));
        graph
            .sparse_initializer
            .iter()
            .filter_map(|sparse| sparse.values.as_deref())
            .for_each(|t| self.count_tensor(t));
        self.count_nodes(&graph.node);
    }

    fn count_nodes(&mut self, nodes: &[NodeProto]) {
        for node in nodes {
            self.nodes += 1;
            let name = match domain(node.domain.as_deref()) {
                "ai.onnx" => node.op().to_owned(),
                domain => format!("{domain}.{}", node.op()),
            };
            self.quantised |= is_quantised(node.op());
            *self.operators.entry(name).or_default() += 1;
            for attribute in &node.attribute {
                attribute.graphs_in().for_each(|graph| self.count_graph(graph));
                if node.op() == "Constant" {
                    attribute.t.iter().for_each(|tensor| self.count_tensor(tensor));
                }
            }
        }
    }

    fn count_tensor(&mut self, tensor: &TensorProto) {
        let Some(parameters) = tensor.elements() else { return };
        let element = tensor.data_type.unwrap_or(0);
        let bytes = match element::bits(element) {
            0 => tensor.string_data.iter().map(|text| text.len() as u64).sum(),
            bits => parameters.saturating_mul(bits).div_ceil(8),
        };
        let entry = self.weights.entry(element::word(element)).or_default();
        entry.parameters = entry.parameters.saturating_add(parameters);
        entry.bytes = entry.bytes.saturating_add(bytes);
        self.parameters = self.parameters.saturating_add(parameters);
    }
}

fn domain(domain: Option<&str>) -> &str {
    domain.filter(|domain| !domain.is_empty()).unwrap_or("ai.onnx")
}

fn is_quantised(op: &str) -> bool {
    op.starts_with("QLinear")
        || matches!(
            op,
            "QuantizeLinear" | "DequantizeLinear" | "DynamicQuantizeLinear" | "ConvInteger" | "MatMulInteger"
        )
}

fn tensor_facts(value: &ValueInfo) -> TensorFacts {
    let tensor = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let element =
        tensor.map_or_else(|| "not a tensor".to_owned(), |tensor| element::word(tensor.elem_type.unwrap_or(0)));
    let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map(|shape| {
        let dim = |dim: &crate::proto::Dimension| match dim.dim_value {
            Some(size) if size >= 0 => Dim::Fixed(size),
            _ => Dim::Named(dim.dim_param.clone().unwrap_or_default()),
        };
        shape.dim.iter().map(dim).collect()
    });
    TensorFacts { name: value.name().to_owned(), element, dims }
}
