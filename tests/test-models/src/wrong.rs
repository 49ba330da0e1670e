//! Models that a detector must refuse, each for one reason.

use crate::lookup::{answer, picture};
use crate::onnx::{Attribute, Dim, Element, Graph};
use crate::{INPUT, OUTPUT};

const WIDTH: u32 = 64;
const HEIGHT: u32 = 64;
/// An answer in the layout of YOLOv8 with one class.
const SHAPE: [i64; 3] = [1, 5, 84];

fn known() -> Vec<f32> {
    vec![0.0; (SHAPE[1] * SHAPE[2]) as usize]
}

fn model(graph: Graph) -> Vec<u8> {
    graph.into_model("wrong", "Wrong in one way. Written by hand, for tests.")
}

fn model_with_input(shape: &[Dim]) -> Vec<u8> {
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F32, shape);
    answer(&mut graph, &images, &SHAPE, &known());
    model(graph)
}

/// Its output is a picture, which is no detector's.
#[must_use]
pub fn output_fits_no_head() -> Vec<u8> {
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F32, &picture(WIDTH, HEIGHT));
    graph.node(OUTPUT, "Relu", &[&images], &[]);
    graph.output(OUTPUT, Element::F32, &picture(WIDTH, HEIGHT));
    model(graph)
}

/// Its output has as many numbers per candidate as a detector's, and a fourth dimension.
#[must_use]
pub fn output_has_four_dimensions() -> Vec<u8> {
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F32, &picture(WIDTH, HEIGHT));
    answer(&mut graph, &images, &[1, 1, SHAPE[1], SHAPE[2]], &known());
    model(graph)
}

/// Its input is of 64-bit floats.
#[must_use]
pub fn input_is_f64() -> Vec<u8> {
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F64, &picture(WIDTH, HEIGHT));
    let single = graph.node("single", "Cast", &[&images], &[("to", Attribute::Int(Element::F32 as i64))]);
    answer(&mut graph, &single, &SHAPE, &known());
    model(graph)
}

/// Its input has one channel.
#[must_use]
pub fn input_is_grey() -> Vec<u8> {
    model_with_input(&[1, 1, i64::from(HEIGHT), i64::from(WIDTH)].map(Dim::Fixed))
}

/// Its input is laid out with the channels last.
#[must_use]
pub fn channels_are_last() -> Vec<u8> {
    model_with_input(&[1, i64::from(HEIGHT), i64::from(WIDTH), 3].map(Dim::Fixed))
}

/// Its input may be of any height and width.
#[must_use]
pub fn size_is_dynamic() -> Vec<u8> {
    model_with_input(&[Dim::Fixed(1), Dim::Fixed(3), Dim::Dynamic("height"), Dim::Dynamic("width")])
}

/// Its input may hold any number of pictures.
#[must_use]
pub fn batch_is_dynamic() -> Vec<u8> {
    let [_, channels, height, width] = picture(WIDTH, HEIGHT);
    model_with_input(&[Dim::Dynamic("batch"), channels, height, width])
}

/// It wants two pictures.
#[must_use]
pub fn two_inputs() -> Vec<u8> {
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F32, &picture(WIDTH, HEIGHT));
    let more = graph.input("more_images", Element::F32, &picture(WIDTH, HEIGHT));
    let both = graph.node("both", "Add", &[&images, &more], &[]);
    answer(&mut graph, &both, &SHAPE, &known());
    model(graph)
}

/// It contains an operator that does not exist.
#[must_use]
pub fn unknown_operator() -> Vec<u8> {
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F32, &picture(WIDTH, HEIGHT));
    graph.node(OUTPUT, "NoSuchOperator", &[&images], &[]);
    graph.output(OUTPUT, Element::F32, &SHAPE.map(Dim::Fixed));
    model(graph)
}

/// Loads and runs, but every number of its answer is none.
#[must_use]
pub fn answer_is_nan() -> Vec<u8> {
    let mut graph = Graph::new();
    let images = graph.input(INPUT, Element::F32, &picture(WIDTH, HEIGHT));
    answer(&mut graph, &images, &SHAPE, &vec![f32::NAN; known().len()]);
    model(graph)
}

/// The first half of a good model.
#[must_use]
pub fn truncated() -> Vec<u8> {
    let mut model = crate::blob_detector(320, 320, 16);
    model.truncate(model.len() / 2);
    model
}

/// All of them, with their names.
#[must_use]
pub fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("output_fits_no_head", output_fits_no_head()),
        ("output_has_four_dimensions", output_has_four_dimensions()),
        ("input_is_f64", input_is_f64()),
        ("input_is_grey", input_is_grey()),
        ("channels_are_last", channels_are_last()),
        ("size_is_dynamic", size_is_dynamic()),
        ("batch_is_dynamic", batch_is_dynamic()),
        ("two_inputs", two_inputs()),
        ("unknown_operator", unknown_operator()),
        ("answer_is_nan", answer_is_nan()),
        ("truncated", truncated()),
    ]
}
