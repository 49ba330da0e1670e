//! Inputs, outputs and operators of an ONNX model, read from its protobuf bytes (onnx.proto, "ModelProto").

use serde::{Deserialize, Serialize};

/// An input or output of a graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// TensorRT's number of its element type (0 float, 1 half, 2 int8, 3 int32, 4 bool, 5 uint8, 7 bf16, 8 int64).
    pub dtype: i32,
    /// Dimensions; -1 where the caller decides.
    pub shape: Vec<i64>,
}

/// What the simulator needs to know of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Inputs without initialisers, in the model's order.
    pub inputs: Vec<Tensor>,
    /// Outputs in the model's order.
    pub outputs: Vec<Tensor>,
    /// Operator type and name of each node, in the model's order.
    pub nodes: Vec<(String, String)>,
}

/// Reads a model.
///
/// # Errors
/// A sentence where the bytes are no ONNX model, or one with weights in other files or with element types that TensorRT
/// does not have.
pub fn read(model: &[u8]) -> Result<Graph, String> {
    let mut graph = None;
    for field in fields(model) {
        if let (7, Field::Bytes(bytes)) = field? {
            graph = Some(read_graph(bytes)?);
        }
    }
    let graph = graph.ok_or("not an ONNX model: it has no graph")?;
    if graph.outputs.is_empty() {
        return Err("the ONNX graph has no outputs".to_owned());
    }
    Ok(graph)
}

/// Bytes of one element of TensorRT's type `dtype`; `None` where it is unknown or less than a byte.
#[must_use]
pub fn element_bytes(dtype: i32) -> Option<usize> {
    match dtype {
        0 | 3 => Some(4),
        1 | 7 => Some(2),
        2 | 4 | 5 => Some(1),
        8 => Some(8),
        _ => None,
    }
}

fn read_graph(bytes: &[u8]) -> Result<Graph, String> {
    let mut graph = Graph::default();
    let mut initialisers = Vec::new();
    for field in fields(bytes) {
        match field? {
            (1, Field::Bytes(node)) => graph.nodes.push((text(node, 4)?, text(node, 3)?)),
            (5, Field::Bytes(tensor)) => initialisers.push(read_initialiser(tensor)?),
            (11, Field::Bytes(value)) => graph.inputs.push(read_value(value)?),
            (12, Field::Bytes(value)) => graph.outputs.push(read_value(value)?),
            _ => {}
        }
    }
    graph.inputs.retain(|input| !initialisers.contains(&input.name));
    Ok(graph)
}

fn read_initialiser(bytes: &[u8]) -> Result<String, String> {
    let name = text(bytes, 8)?;
    for field in fields(bytes) {
        if let (14, Field::Number(1)) = field? {
            return Err(format!("weights {name:?} are in another file; save the model in one file"));
        }
    }
    Ok(name)
}

fn read_value(bytes: &[u8]) -> Result<Tensor, String> {
    let name = text(bytes, 1)?;
    let not_tensor = || format!("{name:?} is not a tensor");
    let tensor = bytes_of(bytes, 2)?.ok_or_else(not_tensor)?;
    let tensor = bytes_of(tensor, 1)?.ok_or_else(not_tensor)?;
    let mut dtype = None;
    let mut shape = Vec::new();
    for field in fields(tensor) {
        match field? {
            (1, Field::Number(number)) => dtype = element(number),
            (2, Field::Bytes(dims)) => {
                for dim in fields(dims) {
                    if let (1, Field::Bytes(dim)) = dim? {
                        shape.push(dimension(dim)?);
                    }
                }
            }
            _ => {}
        }
    }
    let dtype = dtype.ok_or_else(|| format!("{name:?} has an element type that TensorRT does not have"))?;
    Ok(Tensor { name, dtype, shape })
}

/// onnx.proto's number of an element type in TensorRT's numbers.
fn element(onnx: u64) -> Option<i32> {
    Some(match onnx {
        1 => 0,
        2 => 5,
        3 => 2,
        6 => 3,
        7 => 8,
        9 => 4,
        10 => 1,
        16 => 7,
        _ => return None,
    })
}

fn dimension(bytes: &[u8]) -> Result<i64, String> {
    for field in fields(bytes) {
        if let (1, Field::Number(extent)) = field? {
            let extent = i64::try_from(extent).unwrap_or(-1);
            return Ok(if extent > 0 { extent } else { -1 });
        }
    }
    Ok(-1)
}

fn bytes_of(bytes: &[u8], wanted: u64) -> Result<Option<&[u8]>, String> {
    for field in fields(bytes) {
        if let (number, Field::Bytes(value)) = field?
            && number == wanted
        {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn text(bytes: &[u8], wanted: u64) -> Result<String, String> {
    let value = bytes_of(bytes, wanted)?.unwrap_or_default();
    String::from_utf8(value.to_vec()).map_err(|_| "a name is not UTF-8".to_owned())
}

enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Other,
}

/// The fields of a message, in order; after an error there are no more.
fn fields(bytes: &[u8]) -> impl Iterator<Item = Result<(u64, Field<'_>), String>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = next_field(&mut rest).ok_or_else(|| "not an ONNX model: broken protobuf".to_owned());
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let key = varint(rest)?;
    let field = match key & 7 {
        0 => Field::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Field::Other)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Field::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Field::Other)?,
        _ => return None,
    };
    Some((key >> 3, field))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn rubbish_is_refused_in_words() {
        for bytes in [&b""[..], b"not an onnx model at all", &[0x3a, 0xff, 0xff, 0xff], &[0x3a, 0x00]] {
            let error = read(bytes).expect_err("no model");
            assert!(error.contains("ONNX"), "{error}");
        }
    }
}
