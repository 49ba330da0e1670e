//! A detector for bright blobs on a dark ground, such as the ball of `videotestsrc pattern=ball`.

use crate::onnx::Attribute::{Int, Ints};
use crate::onnx::{Dim, Element, Graph};
use crate::{INPUT, OUTPUT};

/// Samples per cell and direction: the picture is shrunk to these before anything is looked for.
const SAMPLES: i64 = 4;
/// Side of the window round each cell, in cells.
const WINDOW: i64 = 4;
/// Anything darker does not exist. It is above the grey of letterbox borders, 114 of 255.
const DARK: f32 = 0.5;
/// So much light in the middle of a window, in fully bright cells, is certainly a blob.
const CERTAIN: f32 = 0.6;

/// A detector with the output layout of YOLOv8 and one class: `f32[1, 5, n]` holds centre x, centre y, width, height (in
/// pixels of the input) and score of one candidate per cell of `cell` times `cell` pixels.
///
/// Around each cell it measures the bright pixels' mass, centre and spread, in one convolution over a window of four
/// cells; centre and spread give the box, exact for a disc. Only cells whose middle is brighter than their neighbours'
/// score above zero. It finds blobs up to three cells wide that are three cells apart.
///
/// # Panics
/// If `cell` is not a multiple of 8, or the picture not a whole number of cells.
#[must_use]
pub fn blob_detector(width: u32, height: u32, cell: u32) -> Vec<u8> {
    assert!(cell > 0 && cell.is_multiple_of(8), "cells of {cell} pixels");
    assert!(width.is_multiple_of(cell) && height.is_multiple_of(cell), "{width}x{height} in cells of {cell}");
    let (columns, rows) = (i64::from(width / cell), i64::from(height / cell));
    let sample = i64::from(cell) / SAMPLES;

    let mut graph = Graph::new();
    let shape = [1, 3, i64::from(height), i64::from(width)].map(Dim::Fixed);
    let images = graph.input(INPUT, Element::F32, &shape);

    // Brightness above DARK, scaled to 0..1, in samples.
    let to_grey = graph.floats("to_grey", &[1, 3, 1, 1], &[1.0 / 3.0 / (1.0 - DARK); 3]);
    let minus_dark = graph.floats("minus_dark", &[1], &[-DARK / (1.0 - DARK)]);
    let grey = graph.node("grey", "Conv", &[&images, &to_grey, &minus_dark], &[]);
    let bright = graph.node("bright", "Relu", &[&grey], &[]);
    let sampling = [("kernel_shape", Ints(&[sample; 2])), ("strides", Ints(&[sample; 2]))];
    let samples = graph.node("samples", "AveragePool", &[&bright], &sampling);

    // Per cell: mass, first and second moments in x and y, and how bright its middle is.
    let side = WINDOW * SAMPLES;
    let weights = graph.floats("weights", &[6, 1, side, side], &window_weights());
    let around = [("strides", Ints(&[SAMPLES; 2])), ("pads", Ints(&[(side - SAMPLES) / 2; 4]))];
    let measures = graph.node("measures", "Conv", &[&samples, &weights], &around);
    let names = ["mass", "sum_x", "sum_y", "sum_xx", "sum_yy", "middle"];
    graph.nodes("Split", &[&measures], &names, &[("axis", Int(1))]);

    let tiny = graph.scalar("tiny", 1e-4);
    let mass = graph.node("some_mass", "Add", &["mass", &tiny], &[]);
    // The spread of the light within a sample, which the sample hides, in cells squared.
    let within = graph.scalar("within", 1.0 / 12.0 / (SAMPLES * SAMPLES) as f32);
    // A disc is four standard deviations wide.
    let diameter = graph.scalar("diameter", 4.0 * cell as f32);
    let cell_size = graph.scalar("cell_size", cell as f32);
    let mut axis = |axis: &str, position: &dyn Fn(i64, i64) -> i64| {
        let name = |part: &str| format!("{part}_{axis}");
        // In cells, from the middle of the cell.
        let mean = graph.node(&name("mean"), "Div", &[&name("sum"), &mass], &[]);
        let square = graph.node(&name("square"), "Mul", &[&mean, &mean], &[]);
        let mean_square = graph.node(&name("mean_square"), "Div", &[&format!("sum_{axis}{axis}"), &mass], &[]);
        let between = graph.node(&name("between"), "Sub", &[&mean_square, &square], &[]);
        let positive = graph.node(&name("positive"), "Relu", &[&between], &[]);
        let spread = graph.node(&name("spread"), "Add", &[&positive, &within], &[]);
        let deviation = graph.node(&name("deviation"), "Sqrt", &[&spread], &[]);
        let size = graph.node(&name("size"), "Mul", &[&deviation, &diameter], &[]);
        let offset = graph.node(&name("offset"), "Mul", &[&mean, &cell_size], &[]);
        let grid: Vec<f32> = (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (column, row)))
            .map(|(column, row)| (position(column, row) as f32 + 0.5) * cell as f32)
            .collect();
        let grid = graph.floats(&name("grid"), &[1, 1, rows, columns], &grid);
        [graph.node(&name("centre"), "Add", &[&offset, &grid], &[]), size]
    };
    let [centre_x, size_x] = axis("x", &|column, _| column);
    let [centre_y, size_y] = axis("y", &|_, row| row);

    // Zero where a neighbour's middle is brighter. Equals both stay; their boxes are the same.
    let neighbours = [("kernel_shape", Ints(&[3, 3])), ("pads", Ints(&[1; 4])), ("strides", Ints(&[1, 1]))];
    let best = graph.node("best", "MaxPool", &["middle"], &neighbours);
    let behind = graph.node("behind", "Sub", &[&best, "middle"], &[]);
    let steep = graph.scalar("steep", 1e4);
    let penalty = graph.node("penalty", "Mul", &[&behind, &steep], &[]);
    let lead = graph.node("lead", "Sub", &["middle", &penalty], &[]);
    let certain = graph.scalar("per_certain", 1.0 / CERTAIN);
    let scaled = graph.node("scaled", "Mul", &[&lead, &certain], &[]);
    let (zero, one) = (graph.scalar("zero", 0.0), graph.scalar("one", 1.0));
    let score = graph.node("score", "Clip", &[&scaled, &zero, &one], &[]);

    let planes = [&centre_x, &centre_y, &size_x, &size_y, &score].map(String::as_str);
    let planes = graph.node("planes", "Concat", &planes, &[("axis", Int(1))]);
    let flat = graph.integers("flat", &[1, 5, rows * columns]);
    graph.node(OUTPUT, "Reshape", &[&planes, &flat], &[]);
    graph.output(OUTPUT, Element::F32, &[1, 5, rows * columns].map(Dim::Fixed));
    graph.into_model("blob", "Finds bright blobs on a dark ground. Written by hand, not trained.")
}

/// The weights of the six measures. Positions are in cells, from the middle of the window.
fn window_weights() -> Vec<f32> {
    let side = WINDOW * SAMPLES;
    let position = |i: i64| (i as f32 + 0.5) / SAMPLES as f32 - WINDOW as f32 / 2.0;
    let area = 1.0 / (SAMPLES * SAMPLES) as f32;
    let measures: [fn(f32, f32) -> f32; 6] = [
        |_, _| 1.0,
        |x, _| x,
        |_, y| y,
        |x, _| x * x,
        |_, y| y * y,
        |x, y| (1.0 - x.abs() / 2.0).max(0.0) * (1.0 - y.abs() / 2.0).max(0.0),
    ];
    measures
        .iter()
        .flat_map(|measure| (0..side).flat_map(move |y| (0..side).map(move |x| (x, y, measure))))
        .map(|(x, y, measure)| area * measure(position(x), position(y)))
        .collect()
}
