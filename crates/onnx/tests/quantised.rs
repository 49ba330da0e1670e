//! INT8 with explicit Q/DQ, as ONNX Runtime runs it on the CPU.

use onnx::{Calibration, Model, Ranges, conv_inputs, quantise, to_half, with_outputs};

mod common;

use common::build::{block, floats, graph_attribute, int, ints, model, node, value, values};
use common::{SHIPPED, calibrate, compare, dims, pictures, reid_head, relative_l2, run, session, shipped};

const SOME: Calibration = Calibration::Percentile(99.999);

/// The same range for all tensors.
fn ranges(model: &Model, amax: f32) -> Ranges {
    Ranges(conv_inputs(model).into_iter().map(|point| (point.tensor, amax)).collect())
}

/// Bounds of relative L2, one and a half times what was measured with ten pictures for calibration and five others to
/// compare.
#[test]
fn the_shipped_models_answer_close_to_themselves() {
    let bounds = |part: &str| match part {
        "boxes" => 0.015,
        "keypoints" => 0.01,
        "prototypes" => 0.11,
        "scores" | "coefficients" => 0.10,
        "embedding" => 0.07,
        part => panic!("{part}"),
    };
    for (task, _, _) in SHIPPED {
        let (model, dims) = (shipped(task), dims(task));
        let ranges = calibrate(&model, &dims, &pictures(task, 100..110), SOME);
        let (int8, report) = quantise(&model, &ranges, &[]).expect("it is quantised");
        let facts = (model.facts(), int8.facts());
        let layers = ["Conv", "Gemm"].map(|op| facts.0.operators.get(op).copied().unwrap_or(0)).iter().sum::<usize>();
        assert_eq!((report.layers.len(), report.weights), (layers, layers), "{task}");
        assert!(facts.1.quantised && !facts.0.quantised);
        assert!(facts.1.weights["i8"].parameters > facts.0.parameters * 9 / 10, "{task}: {:?}", facts.1.weights);
        assert_eq!((facts.0.inputs, facts.0.outputs), (facts.1.inputs, facts.1.outputs), "{task}");
        let inputs = pictures(task, 1..6);
        let [plain, rounded] = [&model, &int8].map(|model| run(model, &dims, &inputs));
        for (part, error) in compare(task, &plain, &rounded) {
            println!("{task} {part}: {error:.4}");
            assert!(error < bounds(part), "{task} {part}: {error}");
            assert!(error > 1e-4, "{task} {part}: {error} is too good to be INT8");
        }
        let (half, _) = to_half(&int8).expect("it is made FP16");
        let halved = run(&half, &dims, &inputs);
        for (part, error) in compare(task, &plain, &halved) {
            println!("{task} {part}, the rest in FP16: {error:.4}");
            assert!(error < 1.5 * bounds(part), "{task} {part}: {error}");
        }
    }
}

#[test]
fn weights_have_a_scale_for_each_output_channel() {
    let model = shipped("reid");
    let (int8, _) = quantise(&model, &ranges(&model, 4.0), &[]).expect("it is quantised");
    // ONNX Runtime folds what is constant: this is what its Gemm multiplies by.
    let more = with_outputs(&int8, &["fc.weight/dequantised"]).expect("it is computed");
    let answer = run(&more, &dims("reid"), &pictures("reid", 1..2)[..1]);
    let (weights, _) = reid_head();
    assert_eq!(answer[0][1].len(), weights.len());
    let mut amaxes = Vec::new();
    for (row, theirs) in weights.chunks_exact(576).zip(answer[0][1].chunks_exact(576)) {
        let amax = row.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = amax / 127.0;
        for (ours, theirs) in row.iter().zip(theirs) {
            assert!((ours - theirs).abs() <= scale * 0.5001, "{ours} became {theirs}, at a scale of {scale}");
            assert!((theirs / scale - (theirs / scale).round()).abs() < 1e-3, "{theirs} is no multiple of {scale}");
        }
        amaxes.push(amax);
    }
    amaxes.sort_by(f32::total_cmp);
    assert!(amaxes[127] > 1.2 * amaxes[0], "rows alike would show nothing: {amaxes:?}");
}

#[test]
fn a_range_that_is_zero_missing_or_no_number_is_refused_by_the_tensors_name() {
    let model = shipped("reid");
    let tensor = conv_inputs(&model)[2].tensor.clone();
    for (amax, says) in
        [(Some(0.0), "range is 0"), (Some(f32::NAN), "NaN"), (Some(f32::INFINITY), "inf"), (None, "missing")]
    {
        let mut ranges = ranges(&model, 1.0);
        match amax {
            Some(amax) => ranges.0.insert(tensor.clone(), amax),
            None => ranges.0.remove(&tensor),
        };
        let error = quantise(&model, &ranges, &[]).expect_err("must be refused").to_string();
        assert!(error.contains(&format!("{tensor:?}")) && error.contains(says), "{error}");
    }
}

#[test]
fn skipped_layers_stay_in_float_and_need_no_range() {
    let model = shipped("detection");
    let points = conv_inputs(&model);
    let first = &points[0];
    let mut ranges = ranges(&model, 6.0);
    ranges.0.remove(&first.tensor);
    let skip: Vec<_> = first.layers.iter().map(String::as_str).collect();
    let (int8, report) = quantise(&model, &ranges, &skip).expect("it is quantised");
    assert_eq!((report.skipped.len(), report.layers.len()), (1, 29));
    assert_eq!(
        conv_inputs(&int8).iter().map(|point| point.tensor.as_str()).collect::<Vec<_>>(),
        [first.tensor.as_str()]
    );
    let error = quantise(&model, &ranges, &["/trunk/stem/stem.0"]).expect_err("no such layer").to_string();
    assert!(error.contains("did you mean \"/trunk/stem/stem.0/Conv\"?"), "{error}");
    let all: Vec<_> = points.iter().flat_map(|point| &point.layers).map(String::as_str).collect();
    let error = quantise(&model, &ranges, &all).expect_err("nothing is left").to_string();
    assert!(error.contains("skip names every layer"), "{error}");
}

#[test]
fn a_quantised_model_is_not_quantised_again() {
    let model = shipped("reid");
    let (int8, _) = quantise(&model, &ranges(&model, 4.0), &[]).expect("it is quantised");
    let error = quantise(&int8, &ranges(&model, 4.0), &[]).expect_err("must be refused").to_string();
    assert!(error.contains("quantised already"), "{error}");
}

#[test]
fn a_model_with_nothing_to_quantise_is_refused() {
    let plain = model(13, &[node("Relu", &["x"], &["y"], &[]), value(11, "x", &[1, 4]), value(12, "y", &[1, 4])]);
    let error = quantise(&plain, &Ranges::default(), &[]).expect_err("must be refused").to_string();
    assert!(error.contains("no Conv, Gemm or MatMul"), "{error}");
}

/// Convolution, and operators whose axes moved or whose meaning changed between the opsets.
fn old_model(opset: i64, softmax_axis: i64) -> Model {
    let branch = |op: &str| {
        graph_attribute(
            op,
            &[node("Squeeze", &["wide"], &["slim"], &[ints("axes", &[0])]), block(12, &block(1, b"slim"))],
        )
    };
    model(
        opset,
        &[
            node("Conv", &["x", "w", "b"], &["c"], &[ints("pads", &[1, 1, 1, 1])]),
            node("Dropout", &["c"], &["d"], &[]),
            node("ReduceMean", &["d"], &["m"], &[ints("axes", &[3]), int("keepdims", 0)]),
            node("Unsqueeze", &["m"], &["wide"], &[ints("axes", &[0])]),
            node("Squeeze", &["wide"], &["slim_too"], &[ints("axes", &[0])]),
            node("ReduceSum", &["slim_too"], &["sum"], &[ints("axes", &[1, 2]), int("keepdims", 0)]),
            node("Greater", &["sum", "zero"], &["positive"], &[]),
            node("Squeeze", &["positive"], &["condition"], &[]),
            node("If", &["condition"], &["chosen"], &[branch("then_branch"), branch("else_branch")]),
            node("Softmax", &["chosen"], &["s"], &[int("axis", softmax_axis)]),
            node("Split", &["s"], &["p", "q"], &[int("axis", 1), ints("split", &[2, 4])]),
            node("Concat", &["q", "p"], &["y"], &[int("axis", 1)]),
            floats("w", &[6, 3, 3, 3], &values(162)),
            floats("b", &[6], &values(6)),
            floats("zero", &[], &[0.0]),
            value(11, "x", &[1, 3, 8, 8]),
            value(12, "y", &[1, 6, 8]),
            value(13, "chosen", &[1, 6, 8]),
        ],
    )
}

#[test]
fn an_older_opset_is_raised_without_changing_what_the_model_computes() {
    let input = [values(192)];
    for opset in [11, 12] {
        let old = old_model(opset, 2);
        let (int8, _) = quantise(&old, &ranges(&old, 1.0), &[]).expect("it is quantised");
        assert_eq!(int8.facts().opsets["ai.onnx"], 13);
        let (half, _) = to_half(&int8).expect("it is made FP16");
        assert_eq!(half.facts().opsets["ai.onnx"], 19);
        let [plain, rounded, halved] = [&old, &int8, &half].map(|model| run(model, &[1, 3, 8, 8], &input));
        for other in [rounded, halved] {
            let error = relative_l2(&plain[0][0], &other[0][0]);
            assert!(error > 1e-6 && error < 0.02, "{error}");
        }
    }
}

#[test]
fn an_opset_that_cannot_be_raised_is_refused_with_what_to_do() {
    let old = old_model(9, 2);
    let error = quantise(&old, &ranges(&old, 1.0), &[]).expect_err("too old").to_string();
    assert!(error.contains("export the model with opset 13"), "{error}");
    let old = old_model(11, 1);
    let error = quantise(&old, &ranges(&old, 1.0), &[]).expect_err("a softmax over several axes").to_string();
    assert!(error.contains("\"s\" (Softmax)") && error.contains("opset 13"), "{error}");
}

#[test]
fn shared_weights_and_shared_activations_are_rounded_once() {
    let twice = model(
        17,
        &[
            node("Identity", &["w"], &["same"], &[]),
            node("Conv", &["x", "w"], &["a"], &[]),
            node("Conv", &["x", "same"], &["b"], &[]),
            node("MatMul", &["a", "right"], &["c"], &[]),
            node("MatMul", &["left", "b"], &["d"], &[]),
            node("Add", &["c", "d"], &["y"], &[]),
            floats("w", &[4, 3, 1, 1], &values(12)),
            floats("right", &[8, 8], &values(64)),
            floats("left", &[8, 8], &values(64)),
            value(11, "x", &[1, 3, 8, 8]),
            value(12, "y", &[1, 4, 8, 8]),
        ],
    );
    let points = conv_inputs(&twice);
    assert_eq!(
        points.iter().map(|point| (point.tensor.as_str(), point.input)).collect::<Vec<_>>(),
        [("x", true), ("a", false)]
    );
    assert_eq!(points[0].layers, ["a", "b"]);
    let (int8, report) =
        quantise(&twice, &Ranges([("x".into(), 1.0), ("a".into(), 2.5)].into()), &[]).expect("it is quantised");
    assert_eq!((report.activations, report.weights, report.channels), (2, 2, 12));
    assert_eq!(int8.facts().operators["QuantizeLinear"], 2);
    let input = [values(192)];
    let [plain, rounded] = [&twice, &int8].map(|model| run(model, &[1, 3, 8, 8], &input));
    let error = relative_l2(&plain[0][0], &rounded[0][0]);
    assert!(error > 1e-5 && error < 0.02, "{error}");
}

#[test]
fn channels_of_zeros_and_weights_that_are_no_numbers() {
    let mut weights = values(12);
    weights[3..6].fill(0.0);
    let of = |weights: &[f32]| {
        model(
            13,
            &[
                node("Conv", &["x", "w"], &["y"], &[]),
                floats("w", &[4, 3, 1, 1], weights),
                value(11, "x", &[1, 3, 2, 2]),
                value(12, "y", &[1, 4, 2, 2]),
            ],
        )
    };
    let (int8, report) = quantise(&of(&weights), &ranges(&of(&weights), 1.0), &[]).expect("it is quantised");
    assert_eq!((report.channels, report.empty_channels), (4, 1));
    let answer = run(&int8, &[1, 3, 2, 2], &[values(12)]);
    assert_eq!(answer[0][0][4..8], [0.0; 4]);
    weights[7] = f32::NAN;
    let error = quantise(&of(&weights), &ranges(&of(&weights), 1.0), &[]).expect_err("must be refused").to_string();
    assert!(error.contains("\"w\"") && error.contains("NaN"), "{error}");
}

#[test]
fn real_models_are_taken_by_onnx_runtime_after_quantising() {
    for file in common::all_files() {
        let model = Model::read(&file).expect("it is read");
        if model.facts().quantised {
            continue;
        }
        let (int8, report) = quantise(&model, &ranges(&model, 6.0), &[]).expect("it is quantised");
        assert!(report.weights > 0);
        session(&int8).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (half, _) = to_half(&int8).expect("it is made FP16");
        session(&half).unwrap_or_else(|error| panic!("{} in FP16: {error}", file.display()));
    }
}
