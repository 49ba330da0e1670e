//! Reading and writing: nothing is lost, and no bytes break it.

use onnx::{Error, MOST_BYTES, Model};

mod common;

use common::build::block;
use common::{all_files, build, engines};

/// A message's fields, taken apart by nothing but the wire format: number, wire type, content.
fn fields(mut bytes: &[u8]) -> Vec<(u64, u64, Vec<u8>)> {
    let mut fields = Vec::new();
    let number = |bytes: &mut &[u8]| {
        let mut value = 0_u64;
        for shift in 0.. {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << (7 * shift);
            if byte < 0x80 {
                break;
            }
        }
        value
    };
    while !bytes.is_empty() {
        let key = number(&mut bytes);
        let before = bytes;
        let length = match key & 7 {
            0 => {
                number(&mut bytes);
                before.len() - bytes.len()
            }
            1 => 8,
            2 => {
                let length = number(&mut bytes) as usize;
                let content = bytes[..length].to_vec();
                bytes = &bytes[length..];
                fields.push((key >> 3, 2, content));
                continue;
            }
            5 => 4,
            wire => panic!("wire type {wire}"),
        };
        fields.push((key >> 3, key & 7, before[..length].to_vec()));
        bytes = &before[length..];
    }
    fields
}

#[test]
fn every_model_comes_out_as_it_went_in() {
    for file in all_files() {
        let bytes = std::fs::read(&file).expect("the file is read");
        let model = Model::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let again = model.to_bytes();
        assert_eq!(Model::from_bytes(&again).expect("it is read again"), model, "{}", file.display());
        // Fields may come in another order, those of a message each for themselves, but each comes, byte for byte.
        let same = sorted(&bytes, &["model"]) == sorted(&again, &["model"]);
        assert!(same, "{} lost something", file.display());
        println!("{}: {} bytes, {}", file.display(), bytes.len(), if bytes == again { "equal" } else { "reordered" });
    }
}

/// The fields by number, down to nodes and weights; of equal numbers the order stays.
fn sorted(bytes: &[u8], path: &[&str]) -> Vec<(u64, u64, Vec<u8>)> {
    let mut fields = fields(bytes);
    fields.sort_by_key(|field| field.0);
    for (number, wire, content) in &mut fields {
        let inner = match (path.last().copied().unwrap_or_default(), *number) {
            ("model", 7) => "graph",
            ("graph", 1) => "node",
            ("graph", 5) => "tensor",
            ("node", 5) => "attribute",
            ("attribute", 5) => "tensor",
            ("attribute", 6) => "graph",
            _ => continue,
        };
        assert_eq!(*wire, 2);
        let parts = sorted(content, &[path, &[inner]].concat());
        *content = format!("{parts:?}").into_bytes();
    }
    fields
}

/// A model with fields that no version of ONNX has, of each wire type, in the model, the graph and a node.
fn from_the_future() -> Vec<u8> {
    let odd = [&[0xf8, 0x3f, 0x2a][..], &[0xfd, 0x3f, 1, 2, 3, 4], &[0xf9, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8]].concat();
    let group = [0xfb, 0x3f, 0x08, 0x01, 0xfc, 0x3f];
    let node = [block(1, b"x"), block(2, b"y"), block(4, b"Relu"), odd.clone()].concat();
    let output = block(1, b"y");
    let graph = [block(1, &node), block(12, &output), odd.clone()].concat();
    [vec![0x08, 0x08], block(7, &graph), odd, group.to_vec()].concat()
}

#[test]
fn fields_that_are_not_known_are_kept() {
    let bytes = from_the_future();
    assert_eq!(Model::from_bytes(&bytes).expect("it is read").to_bytes(), bytes);
}

#[test]
fn a_number_of_more_than_its_bits_is_read_by_its_low_half() {
    // A data type of -1 is written in ten bytes, as protobuf does with negative numbers.
    let tensor = [vec![0x10], vec![0xff; 9], vec![0x01]].concat();
    let graph = [block(5, &tensor), block(12, &block(1, b"y"))].concat();
    let bytes = block(7, &graph);
    assert_eq!(Model::from_bytes(&bytes).expect("it is read").to_bytes(), bytes);
}

#[test]
fn what_is_no_model_is_refused_in_words() {
    for bytes in [&b""[..], b"not a model", b"<!DOCTYPE html>", &[0x3a, 0xff, 0xff, 0xff, 0x7f], &[0x3a, 0x00]] {
        let error = Model::from_bytes(bytes).expect_err("no model").to_string();
        assert!(error.starts_with("not an ONNX model: "), "{error}");
    }
    let error = Model::read(&engines("absent.onnx")).expect_err("no file").to_string();
    assert!(error.contains("absent.onnx"), "{error}");
}

/// A model with graphs in branches of graphs.
fn nested(levels: usize) -> Vec<u8> {
    let output = build::block(12, &build::block(1, b"y"));
    let mut graph = output.clone();
    for _ in 0..levels {
        let branch = build::graph_attribute("then_branch", &[graph]);
        graph = [build::node("If", &["x"], &["y"], &[branch]), output.clone()].concat();
    }
    build::block(7, &graph)
}

#[test]
fn graphs_inside_graphs_end_at_a_depth_and_not_at_the_stack() {
    let error = Model::from_bytes(&nested(5_000)).expect_err("too deep").to_string();
    assert!(error.contains("nested"), "{error}");
    // A graph is one level, and so are its node and the node's attribute.
    let deepest = Model::from_bytes(&nested(32)).expect("it is read");
    assert!(Model::from_bytes(&nested(34)).is_err());
    assert_eq!(deepest.facts().nodes, 32);
    let _ = onnx::to_half(&deepest);
    let _ = onnx::with_outputs(&deepest, &["y"]);
}

#[test]
fn weights_in_another_file_are_refused_by_name() {
    let entry = [block(1, b"location"), block(2, b"weights.bin")].concat();
    let tensor = [block(8, b"conv.weight"), block(13, &entry), vec![0x70, 0x01]].concat();
    let attribute = block(5, &tensor);
    for graph in [block(5, &tensor), block(1, &block(5, &attribute))] {
        let bytes = block(7, &[graph, block(12, &block(1, b"y"))].concat());
        let error = Model::from_bytes(&bytes).expect_err("weights elsewhere");
        assert!(matches!(&error, Error::OtherFile { tensor, .. } if tensor == "conv.weight"), "{error}");
        assert!(error.to_string().contains("weights.bin"), "{error}");
    }
}

#[test]
fn a_file_larger_than_protobuf_allows_is_refused_before_it_is_read() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    // A hole: it takes no space.
    file.as_file().set_len(MOST_BYTES + 1).expect("its length is set");
    let error = Model::read(file.path()).expect_err("too large");
    assert!(matches!(error, Error::TooLarge { bytes } if bytes == MOST_BYTES + 1), "{error}");
}

#[test]
fn broken_bytes_never_panic() {
    let whole = std::fs::read(engines("blob.onnx")).expect("the model is read");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as usize
    };
    let mut read = 0;
    for round in 0..6_000 {
        let mut bytes = whole.clone();
        for _ in 0..=round % 4 {
            let (at, bit) = (random() % bytes.len(), random() % 8);
            bytes[at] ^= 1 << bit;
        }
        if round % 3 == 0 {
            bytes.truncate(random() % whole.len());
        }
        let Ok(model) = Model::from_bytes(&bytes) else { continue };
        read += 1;
        let again = model.to_bytes();
        assert_eq!(Model::from_bytes(&again).map(|model| model.to_bytes()).expect("it is read again"), again);
        // Whatever they say, they say it.
        let _ = (model.facts(), onnx::to_half(&model));
        let points = onnx::conv_inputs(&model);
        let ranges = onnx::Ranges(points.iter().map(|point| (point.tensor.clone(), 1.0)).collect());
        let _ = onnx::quantise(&model, &ranges, &[]);
        let names: Vec<_> = points.iter().map(|point| point.tensor.as_str()).collect();
        let _ = onnx::with_outputs(&model, &names);
    }
    assert!(read > 1_000, "only {read} were read: the loop shows little");
}
