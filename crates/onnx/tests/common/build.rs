//! Small models written by hand, byte by byte.

use onnx::Model;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

pub fn block(number: u32, content: &[u8]) -> Vec<u8> {
    [varint(u64::from(number << 3 | 2)), varint(content.len() as u64), content.to_vec()].concat()
}

pub fn number(number: u32, value: i64) -> Vec<u8> {
    [varint(u64::from(number << 3)), varint(value.cast_unsigned())].concat()
}

fn attribute(name: &str, kind: i64, content: &[u8]) -> Vec<u8> {
    block(5, &[block(1, name.as_bytes()), content.to_vec(), number(20, kind)].concat())
}

pub fn int(name: &str, value: i64) -> Vec<u8> {
    attribute(name, 2, &number(3, value))
}

pub fn ints(name: &str, values: &[i64]) -> Vec<u8> {
    attribute(name, 7, &values.iter().flat_map(|value| number(8, *value)).collect::<Vec<_>>())
}

pub fn text(name: &str, value: &str) -> Vec<u8> {
    attribute(name, 3, &block(4, value.as_bytes()))
}

pub fn graph_attribute(name: &str, graph: &[Vec<u8>]) -> Vec<u8> {
    attribute(name, 5, &block(6, &[block(2, b"inner"), graph.concat()].concat()))
}

/// A node without a name: messages call it by its first output.
pub fn node(op: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| block(1, name.as_bytes()));
    let outputs = outputs.iter().flat_map(|name| block(2, name.as_bytes()));
    let mut bytes: Vec<u8> = inputs.chain(outputs).collect();
    bytes.extend(block(4, op.as_bytes()));
    bytes.extend(attributes.concat());
    block(1, &bytes)
}

fn tensor(name: &str, element: i64, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|dim| number(1, *dim)).collect();
    [dims, number(2, element), block(8, name.as_bytes()), block(9, raw)].concat()
}

fn initialiser(name: &str, element: i64, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    block(5, &tensor(name, element, dims, raw))
}

/// A node "Constant" with one float.
pub fn constant(output: &str, value: f32) -> Vec<u8> {
    let tensor = block(5, &tensor("", 1, &[], &value.to_le_bytes()));
    node("Constant", &[], &[output], &[attribute("value", 4, &tensor)])
}

pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Vec<u8> {
    initialiser(name, 1, dims, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
}

pub fn longs(name: &str, values: &[i64]) -> Vec<u8> {
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    initialiser(name, 7, &[values.len() as i64], &raw)
}

/// An input (11), output (12) or value (13) of `f32`.
pub fn value(kind: u32, name: &str, dims: &[i64]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|dim| block(1, &number(1, *dim))).collect();
    let tensor = [number(1, 1), block(2, &dims)].concat();
    block(kind, &[block(1, name.as_bytes()), block(2, &block(1, &tensor))].concat())
}

pub fn model(opset: i64, graph: &[Vec<u8>]) -> Model {
    let graph = block(7, &[block(2, b"graph"), graph.concat()].concat());
    let bytes = [number(1, 7), graph, block(8, &number(2, opset))].concat();
    Model::from_bytes(&bytes).expect("a model written by hand is read")
}

/// Deterministic values in -1..1.
pub fn values(count: usize) -> Vec<f32> {
    (0..count).map(|index| ((index * 7919 + 13) % 2003) as f32 / 1001.0 - 1.0).collect()
}
