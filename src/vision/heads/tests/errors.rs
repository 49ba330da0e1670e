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
         f32[1,84,n] (4 + 80 labels); looks like a segmentation model: 116 = 4 + 80 + 32; set task = \"segmentation\""
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
    let old = vec![detection(0.0, 0.0, 1.0, 1.0, 0.5, 0)];
    let mut out = Found { detections: old, ..Found::default() };
    for (outputs, found) in table {
        assert_eq!(
            decoder.decode(outputs, &mapping(), &mut out).unwrap_err().to_string(),
            format!("output \"output0\" came as {found}; head \"yolo\" expects f32[1,6,n] (4 + 2 labels)")
        );
        assert_eq!(out, Found::default());
    }
    let none = TensorRef { shape: &[1, 6, 0], data: TensorData::F32(&[]) };
    decoder.decode(&[none], &mapping(), &mut out).unwrap();
}

fn message_of(task: Task, head: Head, labels: usize, io: &ModelIo) -> String {
    Decoder::new(&Model { task, ..model(head, labels) }, io).unwrap_err().to_string()
}

fn with_prototypes(boxes: &[i64], m: i64) -> ModelIo {
    let mut io = io(boxes);
    io.outputs.push(spec("output1", F32, &[1, m, 80, 80]));
    io
}

#[test]
fn a_model_of_another_task_is_named_as_such() {
    use Task::{Detection, Pose, Segmentation};
    let table = [
        (
            Detection,
            Head::Yolo,
            1,
            io(&[1, 56, 8400]),
            "head \"yolo\" expects f32[1,5,n] (4 + 1 labels); looks like a pose model: 56 = 4 + 1 + 17*3; set task = \
             \"pose\"",
        ),
        (
            Detection,
            Head::Yolo,
            80,
            io(&[1, 56, 8400]),
            "head \"yolo\" expects f32[1,84,n] (4 + 80 labels); looks like a pose model: 56 = 4 + 1 + 17*3; set task = \
             \"pose\"; it has 1 classes, labels in the config: 80",
        ),
        (
            Detection,
            Head::Yolo,
            2,
            io(&[1, 57, 8400]),
            "head \"yolo\" expects f32[1,6,n] (4 + 2 labels); looks like a pose model: 57 = 4 + 2 + 17*3; set task = \
             \"pose\"",
        ),
        (
            Detection,
            Head::YoloEnd2End,
            1,
            io(&[1, 300, 57]),
            "head \"yolo-end2end\" expects f32[1,n,6] (x1 y1 x2 y2, score, class); looks like a pose model: 57 = 6 + \
             17*3; set task = \"pose\"",
        ),
        (
            Detection,
            Head::YoloEnd2End,
            80,
            with_prototypes(&[1, 300, 38], 32),
            "head \"yolo-end2end\" expects one output, f32[1,n,6] (x1 y1 x2 y2, score, class); looks like a \
             segmentation model: 38 = 6 + 32; set task = \"segmentation\"",
        ),
        (
            Detection,
            Head::Yolo,
            2,
            with_prototypes(&[1, 116, 2100], 32),
            "head \"yolo\" expects one output, f32[1,6,n] (4 + 2 labels); looks like a segmentation model: 116 = 4 + 80 \
             + 32; set task = \"segmentation\"; it has 80 classes, labels in the config: 2",
        ),
        (
            Detection,
            Head::Yolo,
            80,
            io(&[-1, 512]),
            "head \"yolo\" expects f32[1,84,n] (4 + 80 labels); looks like a reid model: 512 numbers a crop; set task = \
             \"reid\" and head = \"embedding\"",
        ),
        (
            Pose,
            Head::Yolo,
            80,
            io(&[1, 84, 2100]),
            "head \"yolo\" expects f32[1,84+3k,n] (4 + 80 labels + 3 for each of k keypoints); looks like a detection \
             model: 84 = 4 + 80; set task = \"detection\"",
        ),
        (
            Segmentation,
            Head::Yolo,
            80,
            io(&[1, 84, 2100]),
            "head \"yolo\" expects two outputs, boxes f32[1,84+m,n] (4 + 80 labels + m mask coefficients) and \
             prototypes f32[1,m,height,width]; looks like a detection model: 84 = 4 + 80; set task = \"detection\"",
        ),
        (
            Segmentation,
            Head::YoloEnd2End,
            1,
            io(&[1, 56, 2100]),
            "head \"yolo-end2end\" expects two outputs, boxes f32[1,n,6+m] (x1 y1 x2 y2, score, class + m mask \
             coefficients) and prototypes f32[1,m,height,width]; looks like a pose model: 56 = 4 + 1 + 17*3; set task = \
             \"pose\" and head = \"yolo\"",
        ),
        (
            Pose,
            Head::Yolo,
            1,
            io(&[1, 300, 57]),
            "head \"yolo\" expects f32[1,5+3k,n] (4 + 1 labels + 3 for each of k keypoints); heads that take this \
             layout: \"yolo-end2end\"",
        ),
        (
            Segmentation,
            Head::YoloEnd2End,
            80,
            with_prototypes(&[1, 116, 2100], 32),
            "head \"yolo-end2end\" expects f32[1,n,38] (x1 y1 x2 y2, score, class + 32 mask coefficients); heads that \
             take this layout: \"yolo\"",
        ),
    ];
    for (task, head, labels, io, want) in table {
        let message = message_of(task, head, labels, &io);
        assert_eq!(message.split_once("; ").unwrap().1, want);
    }
}

#[test]
fn a_wrong_number_of_labels_is_named_as_such_for_each_task() {
    let tail = "`labels` must name all classes in the model's order, `classes` chooses among them";
    assert_eq!(
        message_of(Task::Pose, Head::Yolo, 2, &io(&[1, 56, 8400])),
        format!("output \"output0\" is f32[1,56,8400]: 1 classes for head \"yolo\", labels in the config: 2; {tail}")
    );
    assert_eq!(
        message_of(Task::Segmentation, Head::Yolo, 2, &with_prototypes(&[1, 116, 2100], 32)),
        format!("output \"output0\" is f32[1,116,2100]: 80 classes for head \"yolo\", labels in the config: 2; {tail}")
    );
}

#[test]
fn a_head_that_is_not_for_the_task_names_those_that_are() {
    assert_eq!(
        message_of(Task::Pose, Head::Detr, 1, &io(&[1, 56, 8400])),
        "task \"pose\" is not for head \"detr\"; heads for it: \"yolo\", \"yolo-end2end\""
    );
    assert_eq!(
        message_of(Task::Detection, Head::Embedding, 1, &io(&[1, 84, 8400])),
        "task \"detection\" is not for head \"embedding\"; heads for it: \"yolo\", \"yolov5\", \"yolox\", \
         \"yolo-end2end\", \"detr\""
    );
}

/// Whatever sizes a model declares: an error or a head, never a panic.
#[test]
fn hostile_sizes_are_harmless() {
    let sizes = [i64::MIN, -1, 0, 1, 5, 6, 56, i64::MAX];
    for task in Task::ALL {
        for head in [Head::Yolo, Head::Yolov5, Head::Yolox, Head::YoloEnd2End, Head::Embedding] {
            for a in sizes {
                for b in sizes {
                    let mut io = with_prototypes(&[1, a, b], b);
                    let model = Model { task, ..model(head, 1) };
                    let _ = (Decoder::new(&model, &io), Embedder::new(&model, &io));
                    io.outputs.pop();
                    let _ = (Decoder::new(&model, &io), Embedder::new(&model, &io));
                    io.outputs[0].shape = vec![a, b];
                    let _ = (Decoder::new(&model, &io), Embedder::new(&model, &io));
                }
            }
        }
    }
}
