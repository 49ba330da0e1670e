#![allow(clippy::unwrap_used)]

use super::*;
use crate::types::embedding::Embeddings;
use ElementType::{F16, F32};

fn reid(labels: usize) -> Model {
    Model { task: Task::Reid, ..model(Head::Embedding, labels) }
}

fn crops(batch: i64, output: &[i64]) -> ModelIo {
    ModelIo { inputs: vec![spec("images", F32, &[batch, 3, 256, 128])], outputs: vec![spec("output", F32, output)] }
}

#[test]
fn embeddings_have_unit_length_and_bad_ones_are_counted() {
    let rows = [3.0, 4.0, 0.0, 0.0, 0.0, f32::NAN, -8.0, 6.0];
    let data = TensorData::F32(&rows);
    let mut out = Embeddings::default();
    for (batch, declared, shape) in
        [(-1, &[-1, 2][..], &[4, 2][..]), (4, &[4, 2, 1, 1], &[4, 2, 1, 1]), (4, &[-1, 2], &[4, 2])]
    {
        let mut embedder = Embedder::new(&reid(0), &crops(batch, declared)).unwrap();
        assert_eq!(embedder.input(), PictureInput { index: 0, width: 128, height: 256 });
        assert_eq!((embedder.dim(), embedder.batch()), (2, usize::try_from(batch).ok()));
        embedder.read(&[TensorRef { shape, data }], 4, &mut out).unwrap();
        assert_eq!((out.len(), out.dim()), (4, 2));
        assert_eq!([out.get(0), out.get(3)], [Some(&[0.6, 0.8][..]), Some(&[-0.8, 0.6][..])]);
        assert_eq!((out.get(1), out.get(2), embedder.rejected()), (None, None, 2));
        embedder.read(&[TensorRef { shape, data }], 1, &mut out).unwrap();
        assert_eq!((out.len(), embedder.rejected()), (1, 2), "the rest of a fixed batch is nobody's");
    }
}

#[test]
fn a_run_that_gives_something_else_is_an_error() {
    let mut embedder = Embedder::new(&reid(0), &crops(-1, &[-1, 2])).unwrap();
    let mut out = Embeddings::default();
    let data = TensorData::F32(&[0.5; 6]);
    let table: [(&[usize], &str); 3] = [
        (&[2, 3], "f32[2,3] of 6 elements"),
        (&[4, 2], "f32[4,2] of 6 elements"),
        (&[3, 2], "3 embeddings of 4 crops"),
    ];
    for (shape, found) in table {
        out.push(&[1.0, 2.0, 3.0]);
        assert_eq!(
            embedder.read(&[TensorRef { shape, data }], 4, &mut out).unwrap_err().to_string(),
            format!("output \"output\" came as {found}; head \"embedding\" expects f32[n,2] (n crops, d numbers each)")
        );
        assert!(out.is_empty());
    }
}

#[test]
fn a_model_that_does_not_fit_says_why() {
    let message = |model: &Model, io: &ModelIo| Embedder::new(model, io).unwrap_err().to_string();
    let expects = "head \"embedding\" expects";
    let mut table = vec![
        (
            crops(-1, &[-1, -1]),
            format!(
                "output \"output\" is f32[?,?]; {expects} f32[n,d] (n crops, d numbers each); no head takes this \
                 layout with these labels"
            ),
        ),
        (
            crops(8, &[4, 512]),
            format!(
                "output \"output\" is f32[4,512]; {expects} f32[8,512] (n crops, d numbers each); no head takes this \
                 layout with these labels"
            ),
        ),
        (
            io(&[1, 84, 2100]),
            format!(
                "output \"output0\" is f32[1,84,2100]; {expects} f32[1,84] (n crops, d numbers each); looks like a \
                 detection model: 84 = 4 + 80; set task = \"detection\" and head = \"yolo\"; it has 80 classes, labels \
                 in the config: 0"
            ),
        ),
    ];
    let mut half = crops(-1, &[-1, 512]);
    half.inputs[0].element = F16;
    table.push((
        half,
        format!(
            "input \"images\" is f16[?,3,256,128]; {expects} f32[n,3,height,width]: export the model with 32-bit \
             float inputs and outputs"
        ),
    ));
    for (io, want) in table {
        assert_eq!(message(&reid(0), &io), want);
    }
    assert_eq!(
        message(&Model { head: Head::Yolo, ..reid(1) }, &crops(-1, &[-1, 512])),
        "task \"reid\" is not for head \"yolo\"; heads for it: \"embedding\", which finds no boxes"
    );
}
