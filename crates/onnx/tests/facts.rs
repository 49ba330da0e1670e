//! What a model says of itself.

use onnx::{Dim, Model, TensorFacts, Weights};

mod common;

use common::{SHIPPED, engines, session, shipped};

#[test]
fn a_shipped_model_is_told_in_full() {
    let facts = shipped("detection").facts();
    assert_eq!((facts.ir_version, facts.opsets["ai.onnx"], facts.producer.as_str()), (8, 17, "pytorch 2.15.0"));
    assert_eq!(facts.metadata["task"], "detection");
    assert_eq!((facts.nodes, facts.operators["Conv"], facts.operators["Resize"]), (124, 30, 2));
    assert!(!facts.quantised);
    let input = &facts.inputs[0];
    assert_eq!((facts.inputs.len(), input.name.as_str(), input.element.as_str()), (1, "images", "f32"));
    let f32 = facts.weights["f32"];
    assert_eq!(f32.bytes, 4 * f32.parameters);
    assert_eq!(facts.parameters, facts.weights.values().map(|weights| weights.parameters).sum::<u64>());
    let file = std::fs::metadata(engines("detection/model.onnx")).expect("the file is there").len();
    assert!(f32.bytes < file && f32.bytes > file * 9 / 10, "{} of {file}", f32.bytes);
}

#[test]
fn inputs_and_outputs_are_what_onnx_runtime_says() {
    for (task, _, _) in SHIPPED {
        let model = shipped(task);
        let (facts, session) = (model.facts(), session(&model).expect("it loads"));
        let shape = |tensor: &TensorFacts| -> Vec<i64> {
            let dims = tensor.dims.as_ref().expect("dimensions are known");
            dims.iter().map(|dim| if let Dim::Fixed(size) = dim { *size } else { -1 }).collect()
        };
        for (ours, theirs) in [(&facts.inputs, session.inputs()), (&facts.outputs, session.outputs())] {
            let ours: Vec<_> = ours.iter().map(|tensor| (tensor.name.clone(), shape(tensor))).collect();
            let theirs: Vec<_> = theirs.iter().map(|tensor| (tensor.name.clone(), tensor.shape.clone())).collect();
            assert_eq!(ours, theirs, "{task}");
        }
    }
}

#[test]
fn open_dimensions_keep_their_names_and_go_through_json() {
    let facts = shipped("reid").facts();
    let dims = facts.inputs[0].dims.clone().expect("dimensions are known");
    assert!(matches!(&dims[0], Dim::Named(name) if !name.is_empty()), "{dims:?}");
    assert_eq!(dims[1..], [Dim::Fixed(3), Dim::Fixed(128), Dim::Fixed(64)]);
    let json = serde_json::to_string(&facts).expect("JSON");
    assert_eq!(serde_json::from_str::<onnx::Facts>(&json).expect("it is read again"), facts);
}

#[test]
fn weights_are_counted_by_element_type() {
    let facts = Model::read(&engines("blob.onnx")).expect("it is read").facts();
    assert_eq!(facts.weights.keys().collect::<Vec<_>>(), ["f32", "i64"]);
    let Weights { parameters, bytes } = facts.weights["i64"];
    assert_eq!(bytes, 8 * parameters);
}
