//! Writes ONNX models. Field numbers are those of `onnx.proto`.

use crate::protobuf::Message;

const IR_VERSION: i64 = 8;
const OPSET: i64 = 13;

/// What a tensor is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32-bit float.
    F32 = 1,
    /// 64-bit integer.
    I64 = 7,
    /// 64-bit float.
    F64 = 11,
}

/// A side of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Of this length.
    Fixed(i64),
    /// Of a length that is known when the model runs, under this name.
    Dynamic(&'static str),
}

/// A setting of a node.
#[derive(Clone, Copy, Debug)]
pub enum Attribute<'a> {
    /// A number.
    Int(i64),
    /// Several numbers.
    Ints(&'a [i64]),
    /// A real number.
    Float(f32),
}

/// A model under construction. Its methods return the names of the tensors they add.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Message>,
    initializers: Vec<Message>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
}

impl Graph {
    /// An empty model.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input.
    pub fn input(&mut self, name: &str, element: Element, shape: &[Dim]) -> String {
        self.inputs.push(value(name, element, shape));
        name.to_owned()
    }

    /// Declares a tensor an output.
    pub fn output(&mut self, name: &str, element: Element, shape: &[Dim]) {
        self.outputs.push(value(name, element, shape));
    }

    /// Adds a constant tensor of floats.
    pub fn floats(&mut self, name: &str, shape: &[i64], values: &[f32]) -> String {
        assert_eq!(shape.iter().product::<i64>(), values.len() as i64, "{name}");
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, Element::F32, shape, &bytes)
    }

    /// Adds a constant number, of no dimensions.
    pub fn scalar(&mut self, name: &str, value: f32) -> String {
        self.floats(name, &[], &[value])
    }

    /// Adds a constant list of integers.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, Element::I64, &[values.len() as i64], &bytes)
    }

    fn constant(&mut self, name: &str, element: Element, shape: &[i64], bytes: &[u8]) -> String {
        let tensor = Message::default().ints(1, shape).int(2, element as i64).text(8, name).bytes(9, bytes);
        self.initializers.push(tensor);
        name.to_owned()
    }

    /// Adds a node with one output, which gets the node's name.
    pub fn node(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) -> String {
        self.nodes(operator, inputs, &[name], attributes);
        name.to_owned()
    }

    /// Adds a node with any outputs, and names it after the first.
    pub fn nodes(&mut self, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, Attribute<'_>)]) {
        let mut node = Message::default();
        for input in inputs {
            node = node.text(1, input);
        }
        for output in outputs {
            node = node.text(2, output);
        }
        node = node.text(3, outputs.first().copied().unwrap_or_default()).text(4, operator);
        for (name, attribute) in attributes {
            let message = Message::default().text(1, name);
            node = node.message(
                5,
                &match *attribute {
                    Attribute::Float(value) => message.float(2, value).int(20, 1),
                    Attribute::Int(value) => message.int(3, value).int(20, 2),
                    Attribute::Ints(values) => message.ints(8, values).int(20, 7),
                },
            );
        }
        self.nodes.push(node);
    }

    /// The finished model, as the content of an ONNX file.
    #[must_use]
    pub fn into_model(self, name: &str, description: &str) -> Vec<u8> {
        let graph = Message::default()
            .messages(1, &self.nodes)
            .text(2, name)
            .messages(5, &self.initializers)
            .messages(11, &self.inputs)
            .messages(12, &self.outputs);
        Message::default()
            .int(1, IR_VERSION)
            .text(2, "watchkeeper test-models")
            .text(6, description)
            .message(7, &graph)
            .message(8, &Message::default().text(1, "").int(2, OPSET))
            .into_bytes()
    }
}

fn value(name: &str, element: Element, shape: &[Dim]) -> Message {
    let dims: Vec<Message> = shape
        .iter()
        .map(|dim| match dim {
            Dim::Fixed(length) => Message::default().int(1, *length),
            Dim::Dynamic(name) => Message::default().text(2, name),
        })
        .collect();
    let shape = Message::default().messages(1, &dims);
    let tensor = Message::default().int(1, element as i64).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}
