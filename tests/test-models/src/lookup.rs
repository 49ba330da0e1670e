//! Detectors that know their answer beforehand.

use crate::onnx::Attribute::Int;
use crate::onnx::{Dim, Element, Graph};
use crate::{INPUT, OUTPUT};

/// The strides of the three grids of candidates that YOLO models have.
const STRIDES: [u32; 3] = [8, 16, 32];

/// How a detector lays out its output. `n` is the number of candidates of a model of this size: one per 8, 16 and 32
/// pixels each way, 8400 for 640x640.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `[1, n, 5 + classes]` as YOLOX exports it: centre in cells from the candidate's cell, logarithm of the size in
    /// cells, objectness, class scores.
    YoloX,
    /// `[1, 4 + classes, n]` as YOLOv8 and later: centre and size in pixels, class scores.
    Yolo,
}

/// An object that a lookup detector sees, in pixels of its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Object {
    /// Centre and size: x, y, width, height.
    pub centre_and_size: [f32; 4],
    /// Number of its class.
    pub class: usize,
    /// 0..1.
    pub score: f32,
}

/// A detector that sees the same objects in every picture, at no cost. It reads one number of its
/// input and multiplies it by zero, so the input is needed.
///
/// # Panics
/// If there are more objects than candidates, an object has no such class, or the size is not a multiple of 32.
#[must_use]
pub fn lookup_detector(layout: Layout, width: u32, height: u32, classes: usize, objects: &[Object]) -> Vec<u8> {
    assert!(width.is_multiple_of(32) && height.is_multiple_of(32), "{width}x{height}");
    let cells: Vec<[f32; 3]> = STRIDES.iter().flat_map(|&stride| cells(width, height, stride)).collect();
    let n = cells.len();
    assert!(objects.len() <= n && objects.iter().all(|object| object.class < classes), "{objects:?}");

    let length = 4 + usize::from(layout == Layout::YoloX) + classes;
    let mut candidates = vec![vec![0.0; length]; n];
    for (i, object) in objects.iter().enumerate() {
        // Spread over the grids, so that a decoder that mixes up their strides is found out.
        let at = i * n / objects.len();
        let ([x, y, w, h], [column, row, stride]) = (object.centre_and_size, cells[at]);
        match layout {
            Layout::YoloX => {
                let place = [x / stride - column, y / stride - row, (w / stride).ln(), (h / stride).ln(), object.score];
                candidates[at][..5].copy_from_slice(&place);
                candidates[at][5 + object.class] = 1.0;
            }
            Layout::Yolo => {
                candidates[at][..4].copy_from_slice(&object.centre_and_size);
                candidates[at][4 + object.class] = object.score;
            }
        }
    }
    let (shape, values): (_, Vec<f32>) = match layout {
        Layout::YoloX => ([1, n as i64, length as i64], candidates.concat()),
        Layout::Yolo => {
            let column = |field: usize| candidates.iter().map(move |candidate| candidate[field]);
            ([1, length as i64, n as i64], (0..length).flat_map(column).collect())
        }
    };
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F32, &picture(width, height));
    answer(&mut graph, &images, &shape, &values);
    graph.into_model("lookup", "Always sees the same objects. Written by hand, for tests.")
}

/// The shape of an input picture.
pub(crate) fn picture(width: u32, height: u32) -> [Dim; 4] {
    [1, 3, i64::from(height), i64::from(width)].map(Dim::Fixed)
}

/// Makes the output these values, plus nothing times the first element of the input, which has four dimensions.
pub(crate) fn answer(graph: &mut Graph, input: &str, shape: &[i64], values: &[f32]) {
    let starts = graph.integers("starts", &[0; 4]);
    let ends = graph.integers("ends", &[1; 4]);
    let pixel = graph.node("pixel", "Slice", &[input, &starts, &ends], &[]);
    let nothing = graph.scalar("nothing", 0.0);
    let trace = graph.node("trace", "Mul", &[&pixel, &nothing], &[]);
    let flat = graph.node("flat", "Flatten", &[&trace], &[("axis", Int(1))]);
    let known = graph.floats("known", shape, values);
    graph.node(OUTPUT, "Add", &[&known, &flat], &[]);
    let shape: Vec<Dim> = shape.iter().copied().map(Dim::Fixed).collect();
    graph.output(OUTPUT, Element::F32, &shape);
}

/// Column, row and stride of each candidate of one grid.
fn cells(width: u32, height: u32, stride: u32) -> impl Iterator<Item = [f32; 3]> {
    let cell = move |row, column| [column as f32, row as f32, stride as f32];
    (0..height / stride).flat_map(move |row| (0..width / stride).map(move |column| cell(row, column)))
}
