//! Inner tensors as outputs.

use onnx::with_outputs;

mod common;

use common::{pictures, relative_l2, run, shipped};

/// The input of a shipped model's layer.
fn conv_input(task: &str, index: usize) -> String {
    onnx::conv_inputs(&shipped(task))[index].tensor.clone()
}

#[test]
fn an_inner_tensor_is_what_the_rest_of_the_model_works_on() {
    // The last layer of the ReID model takes the tensor that its flattened pooling gives: its answer is known from it.
    let model = shipped("reid");
    let points = onnx::conv_inputs(&model);
    let last = points.last().expect("there are layers");
    let more = with_outputs(&model, &[last.tensor.as_str()]).expect("it is computed");
    let inputs = pictures("reid", 1..2);
    let answers = run(&more, &[1, 3, 128, 64], &inputs[..1]);
    let plain = run(&model, &[1, 3, 128, 64], &inputs[..1]);
    assert_eq!((plain[0].len(), answers[0].len()), (1, 2));
    assert!(relative_l2(&plain[0][0], &answers[0][0]) < 1e-6, "the model's own output stays");
    let (weights, bias) = common::reid_head();
    let inner = &answers[0][1];
    let product = |row: &[f32]| row.iter().zip(inner).map(|(a, b)| a * b).sum::<f32>();
    let ours: Vec<f32> = weights.chunks_exact(inner.len()).zip(bias).map(|(row, bias)| product(row) + bias).collect();
    let error = relative_l2(&answers[0][0], &ours);
    assert!(error < 1e-4, "{error}");
}

#[test]
fn several_come_in_order_after_the_models_own_and_none_twice() {
    let model = shipped("segmentation");
    let own = model.facts().outputs;
    let (a, b) = (conv_input("segmentation", 3), conv_input("segmentation", 1));
    let more = with_outputs(&model, &[&a, &b, &own[0].name, &a]).expect("they are computed");
    let names: Vec<_> = more.facts().outputs.into_iter().map(|output| output.name).collect();
    assert_eq!(names, [own[0].name.clone(), own[1].name.clone(), a, b]);
    let session = common::session(&more).expect("ONNX Runtime takes it");
    assert_eq!(session.outputs().len(), 4);
}

#[test]
fn what_no_node_computes_is_refused_by_name() {
    let model = shipped("detection");
    for name in ["images", "no/such/tensor", ""] {
        let error = with_outputs(&model, &[name]).expect_err("must be refused").to_string();
        assert!(error.contains(&format!("{name:?}")), "{error}");
    }
}
