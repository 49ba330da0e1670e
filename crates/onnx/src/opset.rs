//! From an older opset to the first one that can say what a conversion needs. Between them some operators took their
//! axes as inputs and softmax changed its meaning; all others only took more types, or more attributes that have the old
//! meaning as their default (onnx, "docs/Changelog.md").

use std::collections::HashMap;

use crate::names::Names;
use crate::proto::{Attribute, GraphProto, NodeProto, TensorProto};
use crate::{Error, Model};

/// The first opset with a scale per channel.
pub(crate) const PER_CHANNEL: i64 = 13;
/// The first opset with scales of `f16`.
pub(crate) const HALF_SCALES: i64 = 19;
/// The oldest that is raised.
const OLDEST: i64 = 11;

/// Makes it a model of opset `to` (one of the two above) where it is older.
pub(crate) fn raise(model: &mut Model, to: i64) -> Result<(), Error> {
    let from = model.opset();
    if from >= to {
        return Ok(());
    }
    let step = Step { from, to };
    let refuse =
        |why: &str| Err(Error::refused(format!("opset {to} is needed, this is {from}, and {why}; {}", step.next())));
    if from < OLDEST {
        return refuse("it is too old to be converted");
    }
    if !model.proto.functions.is_empty() {
        return refuse("a model with functions of its own is not converted");
    }
    let mut names = Names::of(model.graph());
    step.graph(model.graph_mut(), &mut names, &HashMap::new())?;
    model.set_opset(to);
    // The versions of the file format that go with them.
    let least = if to > PER_CHANNEL { 9 } else { 7 };
    model.proto.ir_version = Some(model.proto.ir_version.unwrap_or(0).max(least));
    Ok(())
}

struct Step {
    from: i64,
    to: i64,
}

impl Step {
    /// Whether the step goes over this version.
    fn over(&self, version: i64) -> bool {
        self.from < version && version <= self.to
    }

    fn next(&self) -> String {
        format!("export the model with opset {} or newer", self.to)
    }

    /// `ranks`: how many dimensions the tensors around an inner graph have.
    fn graph(&self, graph: &mut GraphProto, names: &mut Names, ranks: &HashMap<String, usize>) -> Result<(), Error> {
        let mut ranks = ranks.clone();
        for value in graph.input.iter().chain(&graph.value_info).chain(&graph.output) {
            let tensor = value.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
            if let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_ref()) {
                ranks.insert(value.name().to_owned(), shape.dim.len());
            }
        }
        let mut constants = Vec::new();
        for node in &mut graph.node {
            if node.is_standard() {
                self.node(node, names, &ranks, &mut constants)?;
            }
            for inner in node.attribute.iter_mut().flat_map(Attribute::graphs_in_mut) {
                self.graph(inner, names, &ranks)?;
            }
        }
        graph.initializer.append(&mut constants);
        Ok(())
    }

    fn node(
        &self,
        node: &mut NodeProto,
        names: &mut Names,
        ranks: &HashMap<String, usize>,
        constants: &mut Vec<TensorProto>,
    ) -> Result<(), Error> {
        let moved = match node.op() {
            "Squeeze" | "Unsqueeze" | "ReduceSum" if self.over(13) => Some("axes"),
            "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceProd" | "ReduceL1" | "ReduceL2" | "ReduceLogSum"
            | "ReduceLogSumExp" | "ReduceSumSquare"
                if self.over(18) =>
            {
                Some("axes")
            }
            "Split" if self.over(13) => Some("split"),
            "Softmax" | "LogSoftmax" | "Hardmax" if self.over(13) => return self.softmax(node, ranks),
            "Dropout" if self.over(12) => {
                // An input since 12, and of no effect outside of training.
                node.attribute.retain(|attribute| attribute.name.as_deref() != Some("ratio"));
                None
            }
            "RoiAlign" if self.over(16) && node.attribute("coordinate_transformation_mode").is_none() => {
                let mut mode = Attribute::int("coordinate_transformation_mode", 0);
                // "STRING".
                (mode.i, mode.s, mode.kind) = (None, Some(b"output_half_pixel".to_vec()), Some(3));
                node.attribute.push(mode);
                None
            }
            "Resize" if self.over(13) && mode(node) == b"tf_half_pixel_for_nn" => {
                return Err(self.refused(node, "its mode \"tf_half_pixel_for_nn\" ended with opset 13"));
            }
            _ => None,
        };
        if let Some(moved) = moved {
            to_input(node, moved, names, constants);
        }
        if node.op() == "Split" && self.over(18) && node.input.len() < 2 && node.attribute("num_outputs").is_none() {
            node.attribute.push(Attribute::int("num_outputs", node.output.len() as i64));
        }
        Ok(())
    }

    /// Up to opset 12 it went over all axes from the given one on, since then over that one. Over the last they agree.
    fn softmax(&self, node: &mut NodeProto, ranks: &HashMap<String, usize>) -> Result<(), Error> {
        let axis = node.int("axis", 1);
        let rank = node.input.first().and_then(|input| ranks.get(input)).copied();
        if axis != -1 && rank.is_none_or(|rank| rank as i64 - 1 != axis) {
            return Err(self.refused(node, "it may go over several axes, which it does no more since opset 13"));
        }
        node.attribute.retain(|attribute| attribute.name.as_deref() != Some("axis"));
        node.attribute.push(Attribute::int("axis", -1));
        Ok(())
    }

    fn refused(&self, node: &NodeProto, why: &str) -> Error {
        Error::refused(format!("node {:?} ({}): {why}; {}", node.label(), node.op(), self.next()))
    }
}

/// An attribute of whole numbers becomes the second input.
fn to_input(node: &mut NodeProto, moved: &str, names: &mut Names, constants: &mut Vec<TensorProto>) {
    let Some(index) = node.attribute.iter().position(|attribute| attribute.name.as_deref() == Some(moved)) else {
        return;
    };
    let values = node.attribute.remove(index).ints;
    let name = names.fresh(&format!("{}/{moved}", node.label()));
    constants.push(TensorProto::of_longs(&name, vec![values.len() as i64], &values));
    node.input.truncate(1);
    node.input.push(name);
}

fn mode(node: &NodeProto) -> &[u8] {
    let attribute = node.attribute("coordinate_transformation_mode");
    attribute.and_then(|attribute| attribute.s.as_deref()).unwrap_or_default()
}
