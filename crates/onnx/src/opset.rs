//! From opset 11 or 12 to 13, the first that has a scale per channel in "DequantizeLinear". Between them four operators
//! took their axes as inputs, and softmax changed its meaning; all others only took more types.

use std::collections::HashMap;

use crate::names::Names;
use crate::proto::{Attribute, GraphProto, NodeProto, TensorProto};
use crate::{Error, Model};

/// The first opset with a scale per channel.
pub(crate) const PER_CHANNEL: i64 = 13;
/// The first version of the file format that goes with it.
const IR_VERSION: i64 = 7;
const OLDEST: i64 = 11;

/// Makes it a model of opset 13 where it is older.
pub(crate) fn raise(model: &mut Model) -> Result<(), Error> {
    let opset = model.opset();
    if opset >= PER_CHANNEL {
        return Ok(());
    }
    let refuse = |why: &str| {
        let next = format!("export the model with opset {PER_CHANNEL} or newer");
        Err(Error::refused(format!("opset {opset} has no scales per channel, and {why}; {next}")))
    };
    if opset < OLDEST {
        return refuse("it is too old to be converted");
    }
    if !model.proto.functions.is_empty() {
        return refuse("a model with functions of its own is not converted");
    }
    let mut names = Names::of(model.graph());
    let outer = HashMap::new();
    raise_graph(model.graph_mut(), &mut names, &outer)?;
    model.set_opset(PER_CHANNEL);
    let version = model.proto.ir_version.unwrap_or(0).max(IR_VERSION);
    model.proto.ir_version = Some(version);
    Ok(())
}

/// `ranks`: how many dimensions the tensors around an inner graph have.
fn raise_graph(graph: &mut GraphProto, names: &mut Names, ranks: &HashMap<String, usize>) -> Result<(), Error> {
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
            raise_node(node, names, &ranks, &mut constants)?;
        }
        for inner in node.attribute.iter_mut().flat_map(Attribute::graphs_in_mut) {
            raise_graph(inner, names, &ranks)?;
        }
    }
    graph.initializer.append(&mut constants);
    Ok(())
}

fn raise_node(
    node: &mut NodeProto,
    names: &mut Names,
    ranks: &HashMap<String, usize>,
    constants: &mut Vec<TensorProto>,
) -> Result<(), Error> {
    let moved = match node.op() {
        "Squeeze" | "Unsqueeze" | "ReduceSum" => "axes",
        "Split" => "split",
        "Softmax" | "LogSoftmax" | "Hardmax" => return raise_softmax(node, ranks),
        "Dropout" => {
            // An input since 12, and of no effect outside of training.
            node.attribute.retain(|attribute| attribute.name.as_deref() != Some("ratio"));
            return Ok(());
        }
        "Resize" if mode(node) == b"tf_half_pixel_for_nn" => {
            return Err(refused(node, "its mode \"tf_half_pixel_for_nn\" ended with opset 13"));
        }
        _ => return Ok(()),
    };
    let Some(index) = node.attribute.iter().position(|attribute| attribute.name.as_deref() == Some(moved)) else {
        return Ok(());
    };
    let values = node.attribute.remove(index).ints;
    let name = names.fresh(&format!("{}/{moved}", node.label()));
    constants.push(TensorProto::of_longs(&name, vec![values.len() as i64], &values));
    node.input.truncate(1);
    node.input.push(name);
    Ok(())
}

fn mode(node: &NodeProto) -> &[u8] {
    let attribute = node.attribute("coordinate_transformation_mode");
    attribute.and_then(|attribute| attribute.s.as_deref()).unwrap_or_default()
}

/// Up to opset 12 it went over all axes from the given one on, since then over that one. Over the last they agree.
fn raise_softmax(node: &mut NodeProto, ranks: &HashMap<String, usize>) -> Result<(), Error> {
    let axis = node.int("axis", 1);
    let rank = node.input.first().and_then(|input| ranks.get(input)).copied();
    let last = axis == -1 || rank.is_some_and(|rank| rank as i64 == axis + 1);
    if !last {
        return Err(refused(node, "it may go over several axes, which it does no more since opset 13"));
    }
    node.attribute.retain(|attribute| attribute.name.as_deref() != Some("axis"));
    node.attribute.push(Attribute::int("axis", -1));
    Ok(())
}

fn refused(node: &NodeProto, why: &str) -> Error {
    let next = format!("export the model with opset {PER_CHANNEL} or newer");
    Error::refused(format!("node {:?} ({}): {why}; {next}", node.label(), node.op()))
}
