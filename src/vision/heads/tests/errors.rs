#![allow(clippy::unwrap_used)]

use super::*;
use ElementType::{F16, F32, I32, I64};

fn message(head: Head, labels: usize, io: &ModelIo) -> String {
    Decoder::new(&model(head, labels), io).unwrap_err().to_string()
}

fn with_input(shape: &[i64], element: ElementType) -> ModelIo {
    ModelIo { inputs: vec![spec("images", element, shape)], ..io(&[1, 84, 2100]) }
}

#[test]
fn a_wrong_output_names_the_heads_that_would_do() {
    let at = |side, shape: &[i64]| ModelIo { inputs: vec![spec("images", F32, &[1, 3, side, side])], ..io(shape) };
    let table = [
        (
            Head::Yolox,
            80,
            at(416, &[1, 84, 2100]),
            "output \"output0\" is f32[1,84,2100]; head \"yolox\" expects f32[1,3549,85] for a 416x416 input (boxes at \
             strides 8, 16, 32; 5 + 80 labels); heads that take this layout: \"yolo\"",
        ),
        (
            Head::Yolo,
            80,
            at(416, &[1, 3549, 85]),
            "output \"output0\" is f32[1,3549,85]; head \"yolo\" expects f32[1,84,n] (4 + 80 labels); heads that take \
             this layout: \"yolov5\", \"yolox\"",
        ),
        (
            Head::Yolov5,
            80,
            at(640, &[1, 300, 6]),
            "output \"output0\" is f32[1,300,6]; head \"yolov5\" expects f32[1,n,85] (5 + 80 labels); heads that take \
             this layout: \"yolo-end2end\"",
        ),
        (
            Head::YoloEnd2End,
            80,
            at(640, &[1, 84, 8400]),
            "output \"output0\" is f32[1,84,8400]; head \"yolo-end2end\" expects f32[1,n,6] (x1 y1 x2 y2, score, class); \
             heads that take this layout: \"yolo\"",
        ),
        (
            Head::Yolo,
            80,
            at(320, &[4, 84, 2100]),
            "output \"output0\" is f32[4,84,2100]; head \"yolo\" expects f32[1,84,n] (4 + 80 labels); no head takes this \
             layout with these labels",
        ),
        (
            Head::Detr,
            80,
            detr_with(&["dets", "logits"]),
            "the model gives \"dets\" f32[1,3], \"logits\" f32[1,3]; head \"detr\" expects \"labels\" i64[1,n], \"boxes\" \
             f32[1,n,4], \"scores\" f32[1,n]; no head takes this layout with these labels",
        ),
    ];
    for (head, labels, io, want) in table {
        assert_eq!(message(head, labels, &io), want);
    }
}

fn detr_with(outputs: &[&str]) -> ModelIo {
    ModelIo { outputs: outputs.iter().map(|name| spec(name, F32, &[1, 3])).collect(), ..detr_io() }
}

#[test]
fn a_wrong_number_of_labels_is_named_as_such() {
    assert_eq!(
        message(Head::Yolo, 2, &io(&[1, 84, 2100])),
        "output \"output0\" is f32[1,84,2100]: 80 classes for head \"yolo\", labels in the config: 2; `labels` must \
         name all classes in the model's order, `classes` chooses among them"
    );
    assert_eq!(
        message(Head::Yolox, 81, &io(&[1, 42, 85])),
        "output \"output0\" is f32[1,42,85]: 80 classes for head \"yolox\", labels in the config: 81; `labels` must \
         name all classes in the model's order, `classes` chooses among them"
    );
    assert_eq!(
        message(Head::Yolov5, 1, &io(&[1, -1, 85])),
        "output \"output0\" is f32[1,?,85]: 80 classes for head \"yolov5\", labels in the config: 1; `labels` must \
         name all classes in the model's order, `classes` chooses among them"
    );
}

#[test]
fn wrong_numbers_of_inputs_and_outputs() {
    let mut two = io(&[1, 116, 2100]);
    two.outputs.push(spec("output1", F32, &[1, 32, 80, 80]));
    assert_eq!(
        message(Head::Yolo, 80, &two),
        "the model gives \"output0\" f32[1,116,2100], \"output1\" f32[1,32,80,80]; head \"yolo\" expects one output, \
         f32[1,84,n] (4 + 80 labels); no head takes this layout with these labels"
    );
    assert_eq!(
        message(Head::Yolo, 80, &ModelIo { outputs: vec![], ..io(&[]) }),
        "the model gives nothing; head \"yolo\" expects one output, f32[1,84,n] (4 + 80 labels); no head takes this \
         layout with these labels"
    );
    assert_eq!(
        message(Head::Yolo, 80, &detr_io()),
        "the model takes \"images\" f32[?,3,32,64], \"orig_target_sizes\" i64[?,2]; head \"yolo\" expects one input, the \
         picture f32[1,3,height,width]"
    );
    assert_eq!(
        message(Head::Detr, 80, &io(&[1, 84, 2100])),
        "the model takes \"images\" f32[1,3,32,64]; head \"detr\" expects two inputs, the picture f32[1,3,height,width] \
         and \"orig_target_sizes\" i64[1,2]"
    );
}

#[test]
fn a_wrong_input_says_what_to_do() {
    let expects = "head \"yolo\" expects f32[1,3,height,width]: ";
    let table = [
        (with_input(&[1, 3, 32, 64], F16), "f16[1,3,32,64]", "export the model with 32-bit float inputs and outputs"),
        (with_input(&[1, 3, -1, -1], F32), "f32[1,3,?,?]", "export the model with a fixed height and width"),
        (with_input(&[1, 3, 0, 64], F32), "f32[1,3,0,64]", "export the model with a fixed height and width"),
        (with_input(&[8, 3, 32, 64], F32), "f32[8,3,32,64]", "export the model with a batch of 1 or of any size"),
        (with_input(&[1, 32, 64, 3], F32), "f32[1,32,64,3]", "export the model with channels first"),
        (with_input(&[1, 1, 32, 64], F32), "f32[1,1,32,64]", "this is no picture in three channels"),
        (with_input(&[3, 32, 64], F32), "f32[3,32,64]", "this is no picture in three channels"),
    ];
    for (io, found, remedy) in table {
        assert_eq!(message(Head::Yolo, 80, &io), format!("input \"images\" is {found}; {expects}{remedy}"));
    }
    for (shape, element) in [([1, 2], I32), ([1, 3], I64), ([4, 2], I64)] {
        let mut io = detr_io();
        io.inputs[1] = spec("orig_target_sizes", element, &shape);
        assert_eq!(
            message(Head::Detr, 80, &io),
            format!(
                "input \"orig_target_sizes\" is {}; head \"detr\" expects i64[1,2]: export the model with its \
                 post-processor as published",
                io.inputs[1]
            )
        );
    }
}

#[test]
fn a_run_that_gives_something_else_is_an_error() {
    let mut decoder = Decoder::new(&model(Head::Yolo, 2), &io(&[-1, -1, -1])).unwrap();
    let data = [0.5; 60];
    let floats = TensorData::F32(&data);
    let table: [(&[TensorRef<'_>], &str); 5] = [
        (&[], "nothing"),
        (&[TensorRef { shape: &[2, 6, 5], data: floats }], "f32[2,6,5] of 60 elements"),
        (&[TensorRef { shape: &[1, 10, 6], data: floats }], "f32[1,10,6] of 60 elements"),
        (&[TensorRef { shape: &[1, 6, 11], data: floats }], "f32[1,6,11] of 60 elements"),
        (&[TensorRef { shape: &[1, 6, 10], data: TensorData::I64(&[0; 60]) }], "i64[1,6,10] of 60 elements"),
    ];
    let mut out = vec![detection(0.0, 0.0, 1.0, 1.0, 0.5, 0)];
    for (outputs, found) in table {
        assert_eq!(
            decoder.decode(outputs, &mapping(), &mut out).unwrap_err().to_string(),
            format!("output \"output0\" came as {found}; head \"yolo\" expects f32[1,6,n] (4 + 2 labels)")
        );
        assert!(out.is_empty());
    }
    let none = TensorRef { shape: &[1, 6, 0], data: TensorData::F32(&[]) };
    decoder.decode(&[none], &mapping(), &mut out).unwrap();
}
