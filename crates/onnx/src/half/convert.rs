use std::collections::{HashMap, HashSet};

use super::rules::{Mode, Scope, gives_full, wanted_full, wants_full};
use super::{HalfReport, constants};
use crate::Error;
use crate::element::{FLOAT, FLOAT16};
use crate::names::Names;
use crate::proto::{Attribute, GraphProto, NodeProto, ValueInfo};

/// Makes a model's graph FP16.
pub(super) fn convert(graph: &mut GraphProto, opset: i64) -> Result<HalfReport, Error> {
    let mut wanted = HashSet::new();
    wanted_full(graph, &Scope::default(), opset, &mut wanted);
    let mut work = Work { opset, wanted, names: Names::of(graph), report: HalfReport::default() };
    let mut place = Place::default();
    work.graph(graph, &mut place)?;
    work.outputs(graph, &place);
    retype(&mut graph.value_info, &place);
    // Up to version 3 of the format, weights are listed as inputs too.
    let weights: HashSet<_> = graph.initializer.iter().map(|tensor| tensor.name().to_owned()).collect();
    let is_weight = |value: &&mut ValueInfo| weights.contains(value.name());
    graph.input.iter_mut().filter(is_weight).for_each(|value| retype_one(value, &place));
    Ok(work.report)
}

struct Work {
    opset: i64,
    /// Constants that some node wants as `f32`.
    wanted: HashSet<String>,
    names: Names,
    report: HalfReport,
}

/// What is known at a place in a graph, as it becomes.
#[derive(Clone, Default)]
struct Place {
    scope: Scope,
    /// Tensors of `f32` before that are `f16` now.
    half: HashSet<String>,
    /// Casts of a tensor to the other type.
    casts: HashMap<String, String>,
}

impl Work {
    fn graph(&mut self, graph: &mut GraphProto, place: &mut Place) -> Result<(), Error> {
        place.scope = place.scope.of(graph);
        if let Some(sparse) = graph.sparse_initializer.iter().find_map(|sparse| sparse.values.as_ref()) {
            return Err(constants::sparse(sparse.name()));
        }
        for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.element() == FLOAT) {
            let name = tensor.name().to_owned();
            if self.wanted.contains(&name) {
                self.report.kept += 1;
            } else {
                *tensor = constants::tensor(tensor, &name, &mut self.report)?;
                place.half.insert(name);
            }
        }
        for mut node in std::mem::take(&mut graph.node) {
            let mut before = Vec::new();
            self.node(&mut node, place, &mut before)?;
            graph.node.append(&mut before);
            graph.node.push(node);
        }
        Ok(())
    }

    fn node(&mut self, node: &mut NodeProto, place: &mut Place, before: &mut Vec<NodeProto>) -> Result<(), Error> {
        self.check(node, place)?;
        let mode = place.scope.mode(node, self.opset);
        if node.op() == "Constant" {
            return self.constant(node, place);
        }
        if mode != Mode::Any {
            for index in 0..node.input.len() {
                let full = mode == Mode::Full || wants_full(node, index);
                node.input[index] = self.as_wanted(&node.input[index], full, place, before);
            }
        }
        for inner in node.attribute.iter_mut().flat_map(Attribute::graphs_in_mut) {
            self.inner(inner, place)?;
        }
        let floats = node.output.iter().any(|output| place.scope.is_float(output));
        if mode == Mode::Full {
            let computes = floats || node.input.iter().any(|input| place.scope.is_float(input));
            self.report.full.extend(computes.then(|| node.label().to_owned()));
            return Ok(());
        }
        if !floats {
            return Ok(());
        }
        match node.op() {
            "ConstantOfShape" => constants::of_shape(node, &mut self.report)?,
            "Cast" => set_type(node, "to"),
            "RandomNormal" | "RandomUniform" => {
                if node.attribute("dtype").is_none() {
                    node.attribute.push(Attribute::int("dtype", i64::from(FLOAT)));
                }
                set_type(node, "dtype");
            }
            "RandomNormalLike" | "RandomUniformLike" | "EyeLike" | "Bernoulli" => set_type(node, "dtype"),
            "DequantizeLinear" => set_type(node, "output_dtype"),
            _ => {}
        }
        let half = |(index, name): (usize, &String)| {
            (place.scope.is_float(name) && !gives_full(node, index)).then(|| name.clone())
        };
        let half: Vec<_> = node.output.iter().enumerate().filter_map(half).collect();
        place.half.extend(half);
        Ok(())
    }

    /// Refuses what cannot be followed.
    fn check(&self, node: &NodeProto, place: &Place) -> Result<(), Error> {
        let refuse = |what: &str| Err(Error::refused(format!("node {:?} ({}): {what}", node.label(), node.op())));
        let op = node.op();
        if node.is_standard() && (op.contains("Sequence") || op.starts_with("Optional")) {
            return refuse("it works on sequences, which are not made FP16");
        }
        let unknown = |name: &&String| !name.is_empty() && !place.scope.types.contains_key(*name);
        if let Some(output) = node.output.iter().find(unknown).filter(|_| op != "Constant") {
            let next = "run ONNX's shape inference on the model, which writes it down";
            return refuse(&format!("the element type of its output {output:?} is not known; {next}"));
        }
        Ok(())
    }

    fn constant(&mut self, node: &mut NodeProto, place: &mut Place) -> Result<(), Error> {
        let Some(output) = node.output.first().filter(|output| place.scope.is_float(output)) else { return Ok(()) };
        if self.wanted.contains(output) {
            self.report.kept += 1;
            return Ok(());
        }
        place.half.insert(output.clone());
        constants::constant(node, &mut self.report)
    }

    /// The name under which a tensor has the wanted type, with a cast where it has none yet.
    fn as_wanted(&mut self, name: &str, full: bool, place: &mut Place, before: &mut Vec<NodeProto>) -> String {
        if name.is_empty() || !place.scope.is_float(name) || full != place.half.contains(name) {
            return name.to_owned();
        }
        if let Some(cast) = place.casts.get(name) {
            return cast.clone();
        }
        let (to, word) = if full { (FLOAT, "f32") } else { (FLOAT16, "f16") };
        let output = self.names.fresh(&format!("{name}/{word}"));
        before.push(self.cast(name, &output, to));
        place.casts.insert(name.to_owned(), output.clone());
        output
    }

    fn cast(&mut self, from: &str, output: &str, to: i32) -> NodeProto {
        self.report.casts += 1;
        let name = self.names.fresh(&format!("{output}/Cast"));
        let mut node = NodeProto::new("Cast", name, vec![from.to_owned()], vec![output.to_owned()]);
        node.attribute.push(Attribute::int("to", i64::from(to)));
        node
    }

    /// A branch, or a loop's body: its inputs and outputs are `f16`.
    fn inner(&mut self, graph: &mut GraphProto, outer: &Place) -> Result<(), Error> {
        let mut place = outer.clone();
        for input in graph.input.iter().filter(|input| input.element() == Some(FLOAT)) {
            place.half.insert(input.name().to_owned());
        }
        self.graph(graph, &mut place)?;
        retype(&mut graph.input, &place);
        let mut casts = Vec::new();
        for output in &mut graph.output {
            let was = output.name().to_owned();
            let now = self.as_wanted(&was, false, &mut place, &mut casts);
            if place.scope.is_float(&was) {
                output.name = Some(now.clone());
                place.half.insert(now);
            }
        }
        graph.node.append(&mut casts);
        retype(&mut graph.output, &place);
        retype(&mut graph.value_info, &place);
        Ok(())
    }

    /// The model's outputs keep name and type: what is `f16` goes by another name, and a cast gives it.
    fn outputs(&mut self, graph: &mut GraphProto, place: &Place) {
        let names: HashSet<_> = graph.output.iter().map(|output| output.name().to_owned()).collect();
        let mut names: Vec<_> = names.into_iter().filter(|name| place.half.contains(name)).collect();
        names.sort_unstable();
        for name in names {
            let inner = self.names.fresh(&format!("{name}/f16"));
            rename(graph, &name, &inner);
            let cast = self.cast(&inner, &name, FLOAT);
            graph.node.push(cast);
        }
    }
}

fn set_type(node: &mut NodeProto, attribute: &str) {
    let mut attributes = node.attribute.iter_mut().filter(|a| a.name.as_deref() == Some(attribute));
    if let Some(attribute) = attributes.find(|attribute| attribute.i == Some(i64::from(FLOAT))) {
        attribute.i = Some(i64::from(FLOAT16));
    }
}

fn retype(values: &mut [ValueInfo], place: &Place) {
    values.iter_mut().for_each(|value| retype_one(value, place));
}

fn retype_one(value: &mut ValueInfo, place: &Place) {
    let half = place.half.contains(value.name());
    let tensor = value.kind.as_mut().and_then(|kind| kind.tensor.as_mut());
    if let Some(tensor) = tensor.filter(|tensor| half && tensor.elem_type == Some(FLOAT)) {
        tensor.elem_type = Some(FLOAT16);
    }
}

/// Another name for a tensor, but for the model's outputs.
fn rename(graph: &mut GraphProto, from: &str, to: &str) {
    for tensor in graph.initializer.iter_mut().filter(|tensor| tensor.name() == from) {
        tensor.name = Some(to.to_owned());
    }
    graph.value_info.retain(|value| value.name() != from);
    rename_in_nodes(graph, from, to);
}

fn rename_in_nodes(graph: &mut GraphProto, from: &str, to: &str) {
    for node in &mut graph.node {
        let names = node.input.iter_mut().chain(&mut node.output);
        names.filter(|name| *name == from).for_each(|name| to.clone_into(name));
        for inner in node.attribute.iter_mut().flat_map(Attribute::graphs_in_mut) {
            let outputs = inner.output.iter_mut().filter(|output| output.name() == from);
            outputs.for_each(|output| output.name = Some(to.to_owned()));
            rename_in_nodes(inner, from, to);
        }
    }
}
