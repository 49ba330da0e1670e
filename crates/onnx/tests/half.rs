//! FP16 by the model's own types, as ONNX Runtime runs it on the CPU: it refuses a node whose types do not agree.

use onnx::{Model, to_half};

mod common;

use common::build::{constant, floats, graph_attribute, int, longs, model, node, text, value, values};
use common::{SHIPPED, all_files, compare, dims, pictures, relative_l2, run, session, shipped};

#[test]
fn the_shipped_models_answer_close_to_themselves() {
    for (task, _, _) in SHIPPED {
        let (model, dims) = (shipped(task), dims(task));
        let (half, report) = to_half(&model).expect("it is made FP16");
        let facts = (model.facts(), half.facts());
        assert_eq!((&facts.0.inputs, &facts.0.outputs), (&facts.1.inputs, &facts.1.outputs), "{task}");
        let left = facts.1.weights.get("f32").map_or(0, |weights| weights.parameters);
        assert!(left <= 8, "{task}: {left} parameters are f32 still, and only scales of Resize may be");
        assert_eq!(report.clipped, 0);
        let inputs = pictures(task, 1..6);
        let [plain, halved] = [&model, &half].map(|model| run(model, &dims, &inputs));
        for (part, error) in compare(task, &plain, &halved) {
            println!("{task} {part}: {error:.6}");
            // Measured: 0.0003 (boxes) to 0.0016 (prototypes).
            assert!(error < 0.003, "{task} {part}: {error}");
            assert!(error > 1e-5, "{task} {part}: {error} is too good to be FP16");
        }
    }
}

#[test]
fn a_model_has_one_cast_at_each_end_where_nothing_wants_f32() {
    let (_, report) = to_half(&shipped("detection")).expect("it is made FP16");
    assert_eq!((report.casts, report.kept), (2, 2), "{report:?}");
    assert!(report.full.is_empty(), "{report:?}");
}

fn scaled(weight: f32) -> Model {
    model(
        17,
        &[
            node("Mul", &["x", "w"], &["m"], &[]),
            node("Clip", &["m", "", "most"], &["y"], &[]),
            floats("w", &[1], &[weight]),
            floats("most", &[], &[f32::MAX]),
            value(11, "x", &[4]),
            value(12, "y", &[4]),
        ],
    )
}

#[test]
fn weights_beyond_f16_are_refused_by_name_and_no_bound_stays_no_bound() {
    for weight in [65_520.0, -1e9] {
        let error = to_half(&scaled(weight)).expect_err("must be refused").to_string();
        assert!(error.contains("\"w\"") && error.contains("65504"), "{error}");
    }
    let (half, report) = to_half(&scaled(65_504.0)).expect("it is made FP16");
    assert_eq!((report.clipped, report.tiny), (1, 0));
    assert_eq!(run(&half, &[4], &[vec![0.5, -0.25, 1.0, 0.0]]), [[[32_752.0, -16_376.0, 65_504.0, 0.0]]]);
    assert_eq!(to_half(&scaled(1e-6)).expect("it is made FP16").1.tiny, 1);
}

/// Reshaped and resized to sizes computed in float, as exporters write it: 2051 is no number of `f16`.
fn sized() -> Model {
    model(
        17,
        &[
            node("Shape", &["x"], &["shape"], &[]),
            node("Gather", &["shape", "last"], &["count"], &[]),
            node("Cast", &["count"], &["float"], &[int("to", 1)]),
            node("Mul", &["float", "two"], &["doubled"], &[]),
            node("Cast", &["doubled"], &["size"], &[int("to", 7)]),
            node("Concat", &["ones", "size"], &["target"], &[int("axis", 0)]),
            node("Resize", &["x", "", "", "target"], &["wide"], &[text("mode", "nearest")]),
            node("Resize", &["wide", "", "scales"], &["slim"], &[text("mode", "nearest")]),
            // The same number, as data.
            node("Div", &["slim", "float"], &["y"], &[]),
            longs("last", &[3]),
            longs("ones", &[1, 1, 1]),
            floats("two", &[1], &[2.0]),
            floats("scales", &[4], &[1.0, 1.0, 1.0, 0.5]),
            value(11, "x", &[1, 1, 1, 2051]),
            value(12, "y", &[1, 1, 1, 2051]),
        ],
    )
}

#[test]
fn numbers_that_are_sizes_stay_exact() {
    let (half, report) = to_half(&sized()).expect("it is made FP16");
    assert_eq!(report.kept, 2, "the factor of the size, and the scales: {report:?}");
    let input = [values(2051)];
    let [plain, halved] = [&sized(), &half].map(|model| run(model, &[1, 1, 1, 2051], &input));
    assert_eq!(halved[0][0].len(), 2051);
    assert!(relative_l2(&plain[0][0], &halved[0][0]) < 2e-3);
}

#[test]
fn places_stay_exact_where_they_are_numbers_later() {
    // 2051 is no number of `f16`.
    let ranked = model(
        17,
        &[
            node("TopK", &["x", "one"], &["best", "place"], &[]),
            node("Cast", &["place"], &["float"], &[int("to", 1)]),
            node("Add", &["float", "half"], &["y"], &[]),
            longs("one", &[1]),
            floats("half", &[], &[0.5]),
            value(11, "x", &[1, 3000]),
            value(12, "y", &[1, 1]),
            value(12, "best", &[1, 1]),
        ],
    );
    let (half, _) = to_half(&ranked).expect("it is made FP16");
    let mut input = vec![0.25; 3000];
    input[2051] = 1.5;
    let answer = run(&half, &[1, 3000], &[input]);
    assert_eq!(answer[0], [vec![2051.5], vec![1.5]]);
}

#[test]
fn scales_too_small_for_f16_stay_f32_in_nodes_as_in_weights() {
    let in_a_node = constant("scale", 1e-6);
    let in_weights = floats("scale", &[], &[1e-6]);
    for (scale, kept) in [(in_a_node, 1), (in_weights, 1)] {
        let quantised = model(
            21,
            &[
                scale,
                node("QuantizeLinear", &["x", "scale"], &["q"], &[]),
                node("DequantizeLinear", &["q", "scale"], &["y"], &[]),
                value(11, "x", &[3]),
                value(12, "y", &[3]),
            ],
        );
        let (half, report) = to_half(&quantised).expect("it is made FP16");
        assert_eq!((report.full.len(), report.kept), (2, kept), "{report:?}");
        let input = [vec![3e-6, 1.01e-4, 2.5e-4]];
        let [plain, halved] = [&quantised, &half].map(|model| run(model, &[3], &input));
        assert_eq!(plain, halved);
    }
}

/// A branch that reads tensors and weights from around it, one that gives such a tensor, and an output used inside.
fn branched() -> Model {
    let output = |name: &str| value(12, name, &[2, 4]);
    let then_branch = [node("Mul", &["y", "w"], &["scaled"], &[]), output("scaled")];
    let inner = floats("inner", &[4], &[0.5, 0.25, 0.125, 2.0]);
    let else_branch = [node("Add", &["y", "inner"], &["moved"], &[]), inner, output("moved")];
    let branches = [graph_attribute("then_branch", &then_branch), graph_attribute("else_branch", &else_branch)];
    model(
        17,
        &[
            node("Mul", &["x", "w"], &["y"], &[]),
            node("ReduceMax", &["y"], &["most"], &[int("keepdims", 0)]),
            node("Greater", &["most", "w0"], &["condition"], &[]),
            node("If", &["condition"], &["z"], &branches),
            floats("w", &[4], &[1.5, -2.0, 0.75, 3.0]),
            floats("w0", &[], &[1.0]),
            value(11, "x", &[2, 4]),
            value(12, "y", &[2, 4]),
            value(12, "z", &[2, 4]),
        ],
    )
}

#[test]
fn branches_become_f16_too() {
    let (half, _) = to_half(&branched()).expect("it is made FP16");
    assert!(!half.facts().weights.contains_key("f32"), "{:?}", half.facts().weights);
    for input in [vec![1.0; 8], vec![-0.25, 0.5, 0.125, 0.25, 0.0, 0.5, 0.25, 0.125]] {
        let [plain, halved] = [&branched(), &half].map(|model| run(model, &[2, 4], std::slice::from_ref(&input)));
        // All numbers here are exact in f16.
        assert_eq!(plain, halved);
    }
}

#[test]
fn operators_without_f16_stay_and_others_domains_are_kept_away() {
    let ranged = model(
        17,
        &[
            node("ReduceMax", &["x"], &["most"], &[int("keepdims", 0)]),
            node("Range", &["zero", "two", "step"], &["r"], &[]),
            node("Mul", &["r", "most"], &["y"], &[]),
            floats("zero", &[], &[0.0]),
            floats("two", &[], &[2.0]),
            floats("step", &[], &[0.5]),
            value(11, "x", &[4]),
            value(12, "y", &[4]),
        ],
    );
    let (half, report) = to_half(&ranged).expect("it is made FP16");
    assert_eq!(report.full, ["r"]);
    assert_eq!(run(&half, &[4], &[vec![1.0, 2.0, 0.5, 0.0]]), [[[0.0, 1.0, 2.0, 3.0]]]);
    let domain = common::build::block(7, b"com.example");
    let plugin = |known: Vec<u8>| {
        let custom = node("Sharpen", &["m"], &["s"], std::slice::from_ref(&domain));
        let after = node("Mul", &["s", "w"], &["y"], &[]);
        let ends = [value(11, "x", &[4]), value(12, "y", &[4]), floats("w", &[1], &[2.0])];
        model(17, &[vec![node("Mul", &["x", "w"], &["m"], &[]), custom, after, known], ends.to_vec()].concat())
    };
    let error = to_half(&plugin(Vec::new())).expect_err("its type is not known").to_string();
    assert!(error.contains("\"s\" (Sharpen)") && error.contains("shape inference"), "{error}");
    let (_, report) = to_half(&plugin(value(13, "s", &[4]))).expect("it is made FP16");
    assert_eq!((report.full.as_slice(), report.casts), (&["s".to_owned()][..], 4));
}

#[test]
fn real_models_run_in_f16() {
    for file in all_files() {
        let model = Model::read(&file).expect("it is read");
        let (half, report) = to_half(&model).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        session(&half).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let facts = model.facts();
        if facts.inputs.len() > 1 {
            continue;
        }
        let dims = facts.inputs[0].dims.clone().expect("dimensions are known");
        let dims: Vec<i64> = dims.iter().map(|dim| if let onnx::Dim::Fixed(size) = dim { *size } else { 1 }).collect();
        let mut inputs = [smooth(dims[2] as usize, dims[3] as usize)];
        if file.to_string_lossy().contains("yolox") {
            // It takes 0 to 255.
            inputs[0].iter_mut().for_each(|value| *value *= 255.0);
        }
        let [plain, halved] = [&model, &half].map(|model| run(model, &dims, &inputs));
        for (index, (a, b)) in plain[0].iter().zip(&halved[0]).enumerate() {
            let error = relative_l2(a, b);
            println!("{} output {index}: {error:.5}, {} tiny, {} casts", file.display(), report.tiny, report.casts);
            assert!(error < 0.02, "{} output {index}: {error}", file.display());
        }
    }
}

/// A picture of waves, from 0 to 1.
fn smooth(height: usize, width: usize) -> Vec<f32> {
    let value = |index: usize| {
        let (channel, y, x) = (index / (height * width), index / width % height, index % width);
        ((x as f32 * 0.05).sin() * (y as f32 * 0.07 + channel as f32).cos() + 1.0) / 2.0
    };
    (0..3 * height * width).map(value).collect()
}
