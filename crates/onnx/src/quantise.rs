use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::names::{Names, drop_unused};
use crate::proto::{Attribute, GraphProto, NodeProto, TensorProto};
use crate::weighted::{Layer, layers};
use crate::{Error, Model, Ranges, opset};

/// Largest number on both sides of zero that `i8` has.
const MOST: f32 = 127.0;

/// What became of a model's layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantReport {
    /// Layers that are INT8 now, by name.
    pub layers: Vec<String>,
    /// Layers that stayed in float because the caller said so.
    pub skipped: Vec<String>,
    /// Activations that are rounded.
    pub activations: usize,
    /// Weights that are `i8` now: their tensors.
    pub weights: usize,
    /// Output channels over all of them, each with a scale of its own.
    pub channels: usize,
    /// Channels whose weights are all zero.
    pub empty_channels: usize,
}

/// The model with its layers in INT8, said explicitly ("QuantizeLinear" and "DequantizeLinear"): "Conv", "Gemm" and
/// "MatMul" with constant weights, but for those named in `skip` (a node's name, or its first output where it has none).
///
/// Everything is symmetric: zero points are 0, values run from -127 to 127. Activations have one scale a tensor, the
/// range by 127, and pass through "QuantizeLinear" and "DequantizeLinear". Weights have one scale an output channel, lie
/// in the file as `i8`, and pass through "DequantizeLinear" alone: TensorRT 10 and 11 take weights of either kind
/// ("explicit quantization" in its guide), ONNX Runtime's CPU provider too, and this way the numbers that each of them
/// uses are those of the file, whoever rounds how, and stay so where the rest becomes FP16. Biases stay float, and so do
/// "ConvTranspose" and all layers of branches, loops and functions.
///
/// A model of opset 11 or 12 becomes one of opset 13.
///
/// # Errors
/// Where the range of a tensor is missing, zero or no number, with its name; where `skip` names what is no layer; where
/// the model is quantised already, has no layer to quantise, or cannot be one of opset 13.
pub fn quantise(model: &Model, ranges: &Ranges, skip: &[&str]) -> Result<(Model, QuantReport), Error> {
    if model.facts().quantised {
        return Err(Error::refused("the model is quantised already; quantise the one in float that it was made from"));
    }
    let mut model = model.clone();
    opset::raise(&mut model, opset::PER_CHANNEL)?;
    let mut work = Work::new(&model, skip)?;
    for layer in layers(model.graph()) {
        work.quantise_layer(model.graph(), &layer, ranges)?;
    }
    if work.report.layers.is_empty() && !skip.is_empty() {
        return Err(Error::refused(
            "skip names every layer, and nothing would be INT8; name fewer, or build it with FP16",
        ));
    }
    if work.report.layers.is_empty() {
        let next = "build it with another precision";
        return Err(Error::refused(format!(
            "there is no Conv, Gemm or MatMul with constant weights to quantise; {next}"
        )));
    }
    let report = work.apply(model.graph_mut());
    Ok((model, report))
}

struct Work {
    skip: HashSet<String>,
    names: Names,
    /// Per node: what comes before it, and its two new inputs.
    changes: HashMap<usize, (Vec<NodeProto>, [String; 2])>,
    constants: Vec<TensorProto>,
    /// Dequantised activations by tensor, and dequantised weights by tensor and axis.
    activations: HashMap<String, String>,
    weights: HashMap<(String, usize), String>,
    /// Weights that may be unused now.
    replaced: HashSet<String>,
    report: QuantReport,
}

impl Work {
    fn new(model: &Model, skip: &[&str]) -> Result<Self, Error> {
        let graph = model.graph();
        let known: HashSet<_> = layers(graph).iter().map(|layer| graph.node[layer.node].label()).collect();
        if let Some(unknown) = skip.iter().find(|name| !known.contains(*name)) {
            let words = format!("skip: {unknown:?} is no layer that would be quantised");
            let near = known.iter().filter(|name| name.contains(unknown) || unknown.contains(*name)).min();
            let next = near.map_or(String::new(), |name| format!("; did you mean {name:?}?"));
            return Err(Error::refused(words + &next));
        }
        Ok(Self {
            skip: skip.iter().map(|name| (*name).to_owned()).collect(),
            names: Names::of(graph),
            changes: HashMap::new(),
            constants: Vec::new(),
            activations: HashMap::new(),
            weights: HashMap::new(),
            replaced: HashSet::new(),
            report: QuantReport::default(),
        })
    }

    fn quantise_layer(&mut self, graph: &GraphProto, layer: &Layer<'_>, ranges: &Ranges) -> Result<(), Error> {
        let node = &graph.node[layer.node];
        let label = node.label().to_owned();
        if self.skip.contains(&label) {
            self.report.skipped.push(label);
            return Ok(());
        }
        let mut before = Vec::new();
        let activation = self.activation(layer.activation(graph), &label, ranges, &mut before)?;
        let weights = self.weights(layer, &mut before)?;
        self.replaced.extend(node.input.get(1).cloned());
        self.replaced.insert(layer.weights.name().to_owned());
        self.changes.insert(layer.node, (before, [activation, weights]));
        self.report.layers.push(label);
        Ok(())
    }

    /// The rounded form of an activation.
    fn activation(
        &mut self,
        tensor: &str,
        layer: &str,
        ranges: &Ranges,
        before: &mut Vec<NodeProto>,
    ) -> Result<String, Error> {
        if let Some(made) = self.activations.get(tensor) {
            return Ok(made.clone());
        }
        let refuse = |what: String| {
            let next = "calibrate with pictures like those the camera sees, or leave the layer in float (skip)";
            Err(Error::refused(format!("tensor {tensor:?}, input of {layer:?}: {what}; {next}")))
        };
        let scale = match ranges.0.get(tensor) {
            None => return refuse("its range is missing".to_owned()),
            Some(amax) if !amax.is_finite() || amax / MOST < f32::MIN_POSITIVE => {
                return refuse(format!("its range is {amax}"));
            }
            Some(amax) => amax / MOST,
        };
        let [scale_name, zero, rounded, output] = ["scale", "zero_point", "quantised", "dequantised"]
            .map(|part| self.names.fresh(&format!("{tensor}/{part}")));
        self.constants.push(TensorProto::of_floats(&scale_name, Vec::new(), &[scale]));
        self.constants.push(TensorProto::of_bytes(&zero, Vec::new(), &[0]));
        let input = vec![tensor.to_owned(), scale_name.clone(), zero.clone()];
        let name = self.names.fresh(&format!("{tensor}/QuantizeLinear"));
        before.push(NodeProto::new("QuantizeLinear", name, input, vec![rounded.clone()]));
        let name = self.names.fresh(&format!("{tensor}/DequantizeLinear"));
        let input = vec![rounded, scale_name, zero];
        before.push(NodeProto::new("DequantizeLinear", name, input, vec![output.clone()]));
        self.activations.insert(tensor.to_owned(), output.clone());
        self.report.activations += 1;
        Ok(output)
    }

    /// The weights as `i8` behind a "DequantizeLinear".
    fn weights(&mut self, layer: &Layer<'_>, before: &mut Vec<NodeProto>) -> Result<String, Error> {
        let tensor = layer.weights;
        let key = (tensor.name().to_owned(), layer.axis);
        // Tensors of "Constant" nodes often have no name.
        let shared = self.weights.get(&key).filter(|_| !key.0.is_empty());
        if let Some(made) = shared {
            return Ok(made.clone());
        }
        let per_channel = round(tensor, layer.axis)?;
        let base = if key.0.is_empty() { "weights" } else { key.0.as_str() };
        let [values, scales, zeros, output] =
            ["quantised", "scale", "zero_point", "dequantised"].map(|part| self.names.fresh(&format!("{base}/{part}")));
        let channels = per_channel.scales.len();
        self.constants.push(TensorProto::of_bytes(&values, tensor.dims.clone(), &per_channel.values));
        self.constants.push(TensorProto::of_floats(&scales, vec![channels as i64], &per_channel.scales));
        self.constants.push(TensorProto::of_bytes(&zeros, vec![channels as i64], &vec![0; channels]));
        let name = self.names.fresh(&format!("{base}/DequantizeLinear"));
        let mut node = NodeProto::new("DequantizeLinear", name, vec![values, scales, zeros], vec![output.clone()]);
        node.attribute.push(Attribute::int("axis", layer.axis as i64));
        before.push(node);
        self.weights.insert(key, output.clone());
        self.report.weights += 1;
        self.report.channels += channels;
        self.report.empty_channels += per_channel.empty;
        Ok(output)
    }

    fn apply(mut self, graph: &mut GraphProto) -> QuantReport {
        let nodes = std::mem::take(&mut graph.node);
        for (index, mut node) in nodes.into_iter().enumerate() {
            if let Some((mut before, inputs)) = self.changes.remove(&index) {
                graph.node.append(&mut before);
                node.input.splice(0..2, inputs);
            }
            graph.node.push(node);
        }
        graph.initializer.append(&mut self.constants);
        drop_unused(graph, &self.replaced);
        self.report
    }
}

/// Weights in `i8`.
struct PerChannel {
    values: Vec<i8>,
    scales: Vec<f32>,
    empty: usize,
}

/// Rounds weights, to even as ONNX does, with one scale for each index of `axis`.
fn round(tensor: &TensorProto, axis: usize) -> Result<PerChannel, Error> {
    let floats = tensor.floats()?;
    let size = |dims: &[i64]| dims.iter().map(|dim| usize::try_from(*dim).unwrap_or(0)).product::<usize>();
    let (channels, inner) = (size(&tensor.dims[axis..=axis]), size(&tensor.dims[axis + 1..]));
    let channel = |index: usize| index / inner.max(1) % channels.max(1);
    let mut largest = vec![0.0_f32; channels];
    for (index, value) in floats.iter().enumerate() {
        if !value.is_finite() {
            return Err(Error::refused(format!("weights {:?} have a value that is {value}", tensor.name())));
        }
        let most = &mut largest[channel(index)];
        *most = most.max(value.abs());
    }
    let empty = largest.iter().filter(|amax| **amax == 0.0).count();
    // A scale of zero is refused by TensorRT; where all is zero, any other will do.
    let scale = |amax: &f32| if *amax == 0.0 { 1.0 } else { (amax / MOST).max(f32::MIN_POSITIVE) };
    let scales: Vec<f32> = largest.iter().map(scale).collect();
    let rounded =
        |(index, value): (usize, &f32)| (value / scales[channel(index)]).round_ties_even().clamp(-MOST, MOST) as i8;
    Ok(PerChannel { values: floats.iter().enumerate().map(rounded).collect(), scales, empty })
}
