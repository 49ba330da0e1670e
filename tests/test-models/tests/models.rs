//! The models say what they are meant to say, read back by an independent reader of the wire format.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use test_models::{INPUT, Layout, OUTPUT, Object, blob_detector, lookup_detector, shipped, wrong};

/// What TensorRT 10 and ONNX Runtime both know, and the models here use.
const OPERATORS: [&str; 17] = [
    "Add",
    "AveragePool",
    "Cast",
    "Clip",
    "Concat",
    "Conv",
    "Div",
    "Flatten",
    "MaxPool",
    "Mul",
    "Relu",
    "Reshape",
    "Slice",
    "Split",
    "Sqrt",
    "Sub",
    "NoSuchOperator",
];

/// Fields of a protobuf message; numbers are given as the bytes of a u64. None if it is not one.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Vec<u8>)>> {
    fn varint(bytes: &mut &[u8]) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&first, rest) = bytes.split_first()?;
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first < 0x80 {
                return Some(value);
            }
        }
        None
    }
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes)?;
        let content = match key & 7 {
            0 => varint(&mut bytes)?.to_le_bytes().to_vec(),
            kind @ (2 | 5) => {
                let len = if kind == 5 { 4 } else { usize::try_from(varint(&mut bytes)?).ok()? };
                let (content, rest) = bytes.split_at_checked(len)?;
                bytes = rest;
                content.to_vec()
            }
            _ => return None,
        };
        list.push((key >> 3, content));
    }
    Some(list)
}

#[derive(Debug, Default)]
struct Node {
    operator: String,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

/// Name, element type and sides; a side without a fixed length is -1.
type Value = (String, i64, Vec<i64>);

#[derive(Debug, Default)]
struct Model {
    opset: i64,
    nodes: Vec<Node>,
    /// Name, element type, sides, content.
    constants: Vec<(String, i64, Vec<i64>, Vec<u8>)>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("UTF-8")
}

fn int(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().expect("a number"))
}

fn all(message: &[(u64, Vec<u8>)], field: u64) -> impl Iterator<Item = Vec<u8>> {
    message.iter().filter(move |(number, _)| *number == field).map(|(_, content)| content.clone())
}

fn one(message: &[(u64, Vec<u8>)], field: u64) -> Vec<u8> {
    all(message, field).next().unwrap_or_default()
}

fn value(bytes: Vec<u8>) -> Value {
    let info = fields(&bytes).expect("a value");
    let tensor = fields(&one(&fields(&one(&info, 2)).expect("a type"), 1)).expect("a tensor type");
    let shape = fields(&one(&tensor, 2)).expect("a shape");
    let side = |dim: Vec<u8>| all(&fields(&dim).expect("a side"), 1).next().map_or(-1, |length| int(&length));
    (text(one(&info, 1)), int(&one(&tensor, 1)), all(&shape, 1).map(side).collect())
}

fn read(bytes: &[u8]) -> Option<Model> {
    let file = fields(bytes)?;
    let graph = fields(&one(&file, 7))?;
    let mut model = Model { opset: int(&one(&fields(&one(&file, 8))?, 2)), ..Model::default() };
    for bytes in all(&graph, 1) {
        let node = fields(&bytes)?;
        model.nodes.push(Node {
            operator: text(one(&node, 4)),
            inputs: all(&node, 1).map(text).collect(),
            outputs: all(&node, 2).map(text).collect(),
        });
    }
    for bytes in all(&graph, 5) {
        let tensor = fields(&bytes)?;
        let sides = all(&tensor, 1).map(|side| int(&side)).collect();
        model.constants.push((text(one(&tensor, 8)), int(&one(&tensor, 2)), sides, one(&tensor, 9)));
    }
    model.inputs = all(&graph, 11).map(value).collect();
    model.outputs = all(&graph, 12).map(value).collect();
    Some(model)
}

fn good(bytes: &[u8]) -> Model {
    let model = read(bytes).expect("a model");
    assert_eq!(model.opset, 13);
    let mut known: HashSet<String> = model.inputs.iter().map(|input| input.0.clone()).collect();
    for (name, element, sides, content) in &model.constants {
        let size = if *element == 7 { 8 } else { 4 };
        assert_eq!(content.len() as i64, sides.iter().product::<i64>() * size, "{name}");
        assert!(known.insert(name.clone()), "{name} twice");
    }
    for node in &model.nodes {
        assert!(OPERATORS.contains(&node.operator.as_str()), "{node:?}");
        assert!(node.inputs.iter().all(|input| known.contains(input)), "{node:?}");
        for output in &node.outputs {
            assert!(known.insert(output.clone()), "{output} twice");
        }
    }
    assert!(model.outputs.iter().all(|output| known.contains(&output.0)));
    model
}

fn objects() -> Vec<Object> {
    let object = |i: usize| Object { centre_and_size: [10.0 + i as f32, 20.0, 30.0, 40.0], class: i, score: 0.5 };
    (0..3).map(object).collect()
}

#[test]
fn the_shipped_model_is_what_the_code_makes() {
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines");
    let onnx = fs::read(engines.join("blob.onnx")).expect("engines/blob.onnx");
    assert!(onnx == shipped::onnx(), "run `cargo run -p test-models` in the root of the repository");
    assert!(onnx.len() < 100_000);
    assert_eq!(fs::read_to_string(engines.join("blob.txt")).expect("engines/blob.txt"), shipped::LABELS);
}

#[test]
fn shapes_of_the_blob_detector() {
    for (width, height, cell) in [(320, 320, 16), (256, 192, 16), (640, 384, 32), (64, 64, 8)] {
        let model = good(&blob_detector(width, height, cell));
        let n = i64::from(width / cell * (height / cell));
        assert_eq!(model.inputs, [(INPUT.to_owned(), 1, vec![1, 3, i64::from(height), i64::from(width)])]);
        assert_eq!(model.outputs, [(OUTPUT.to_owned(), 1, vec![1, 5, n])]);
    }
}

#[test]
fn lookup_detectors_hold_their_objects() {
    let known = |layout| {
        let model = good(&lookup_detector(layout, 64, 96, 3, &objects()));
        let (_, _, sides, content) =
            model.constants.into_iter().find(|constant| constant.0 == "known").expect("a table");
        assert_eq!(model.outputs[0].2, sides);
        let numbers: Vec<f32> =
            content.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes"))).collect();
        (sides, numbers)
    };
    // 12 * 8 cells of 8 pixels, 6 * 4 of 16 and 3 * 2 of 32.
    let (sides, numbers) = known(Layout::Yolo);
    assert_eq!(sides, [1, 7, 126]);
    let candidate = |at: usize| (0..7).map(|field| numbers[field * 126 + at]).collect::<Vec<_>>();
    assert_eq!(candidate(0), [10.0, 20.0, 30.0, 40.0, 0.5, 0.0, 0.0]);
    assert_eq!(candidate(84), [12.0, 20.0, 30.0, 40.0, 0.0, 0.0, 0.5]);
    assert_eq!(candidate(85), [0.0; 7]);

    let (sides, numbers) = known(Layout::YoloX);
    assert_eq!(sides, [1, 126, 8]);
    // The third object is candidate 84, the fifth cell of 8 pixels in the eleventh row.
    let [x, y, w, h] = [(12.0 / 8.0) - 4.0, (20.0 / 8.0) - 10.0, (30.0f32 / 8.0).ln(), (40.0f32 / 8.0).ln()];
    assert_eq!(numbers[84 * 8..85 * 8], [x, y, w, h, 0.5, 0.0, 0.0, 1.0]);
}

#[test]
fn wrong_models_are_wrong_in_one_way_only() {
    for (name, bytes) in wrong::all() {
        if name == "truncated" {
            assert!(read(&bytes).is_none());
            continue;
        }
        let model = good(&bytes);
        let picture = vec![1, 3, 64, 64];
        let usual = model.inputs.len() == 1
            && model.inputs[0] == (INPUT.to_owned(), 1, picture)
            && model.outputs[0] == (OUTPUT.to_owned(), 1, vec![1, 5, 84]);
        let inside = matches!(name, "unknown_operator" | "answer_is_nan");
        assert_eq!(usual, inside, "{name}: {:?} {:?}", model.inputs, model.outputs);
        let unknown = model.nodes.iter().any(|node| node.operator == "NoSuchOperator");
        assert_eq!(unknown, name == "unknown_operator");
    }
}

#[test]
#[should_panic(expected = "cells of 12 pixels")]
fn cells_that_cannot_be_sampled_are_refused() {
    let _ = blob_detector(240, 240, 12);
}
