//! What to change in the config where a model and a head do not go together: another head, another task, or
//! the number of labels.

use super::{Advice, HeadError, check, fit};
use crate::config::{Head, Task};
use crate::types::pose::COCO_KEYPOINTS;
use crate::types::tensor::ModelIo;

/// Heads that find objects.
const HEADS: [Head; 5] = [Head::Yolo, Head::Yolov5, Head::Yolox, Head::YoloEnd2End, Head::Detr];

/// Values of COCO's keypoints: without metadata only their number tells keypoints from classes.
const POSE: i64 = 3 * COCO_KEYPOINTS.len() as i64;

/// Adds advice to an error about outputs, or says that only the number of labels is wrong.
pub(super) fn explain(mut error: HeadError, head: Head, task: Task, io: &ModelIo, labels: usize) -> HeadError {
    let (HeadError::Outputs { advice, .. } | HeadError::Output { advice, .. }) = &mut error else { return error };
    let closed = closed(io);
    let heads: Vec<_> = HEADS.into_iter().filter(|&other| fit(other, task, &closed, labels).is_ok()).collect();
    if !heads.is_empty() {
        *advice = Advice::Heads(heads);
        return error;
    }
    if let Some(text) = another_task(head, task, &closed, labels) {
        *advice = Advice::Task(text);
        return error;
    }
    // The number of labels that the layout would need: right if the head then takes the model.
    let extra = match task {
        Task::Pose => POSE,
        Task::Segmentation => check::prototypes_of(&closed).map_or(0, |m| m as i64),
        Task::Detection | Task::Reid => 0,
    };
    let mut outputs = io.outputs.iter().zip(&closed.outputs);
    let Some((output, shape)) = outputs.find(|(output, _)| output.shape.len() == 3) else { return error };
    let classes = match (head, shape.shape.as_slice()) {
        (Head::Yolo, &[_, rows, boxes]) if rows < boxes => rows - 4 - extra,
        (Head::Yolov5, &[_, boxes, columns]) if columns < boxes => columns - 5,
        (Head::Yolox, &[_, _, columns]) => columns - 5,
        _ => return error,
    };
    match usize::try_from(classes) {
        Ok(needed @ 1..) if fit(head, task, io, needed).is_ok() => HeadError::Labels {
            head: head.name(),
            name: output.name.clone(),
            found: output.to_string(),
            classes,
            labels,
        },
        _ => error,
    }
}

/// An open dimension would be right for any head; advice counts it as a number of boxes only. Nor is any larger
/// than memory, so that sums cannot overflow.
fn closed(io: &ModelIo) -> ModelIo {
    let mut closed = io.clone();
    for dim in closed.outputs.iter_mut().flat_map(|output| output.shape.iter_mut().skip(1)) {
        let largest = i64::from(u32::MAX);
        *dim = if *dim < 0 { largest } else { largest.min(*dim) };
    }
    closed
}

/// What a model's outputs look like.
struct Look {
    task: Task,
    head: Head,
    /// Why, as the sum of a side.
    sum: String,
    /// Classes in it, where they can be told.
    classes: Option<i64>,
}

/// That the model looks like one of another task, and what to set.
fn another_task(head: Head, task: Task, io: &ModelIo, labels: usize) -> Option<String> {
    let look = look(head, io, labels as i64).filter(|look| look.task != task)?;
    let name = look.task.name();
    let mut text = format!("looks like a {name} model: {}; set task = \"{name}\"", look.sum);
    if look.head != head {
        text += &format!(" and head = \"{}\"", look.head.name());
    }
    if let Some(classes) = look.classes.filter(|&classes| classes != labels as i64) {
        text += &format!("; it has {classes} classes, labels in the config: {labels}");
    }
    Some(text)
}

fn look(head: Head, io: &ModelIo, labels: i64) -> Option<Look> {
    let shapes: Vec<&[i64]> = io.outputs.iter().map(|output| output.shape.as_slice()).collect();
    match *shapes.as_slice() {
        [&[_, d] | &[_, d, 1, 1]] => {
            Some(Look { task: Task::Reid, head: Head::Embedding, sum: format!("{d} numbers a crop"), classes: None })
        }
        [&[_, m, _, _], &[_, a, b]] | [&[_, a, b], &[_, m, _, _]] => {
            let task = Task::Segmentation;
            match a < b {
                true if a - 4 - m > 0 => {
                    let classes = a - 4 - m;
                    Some(Look {
                        task,
                        head: Head::Yolo,
                        sum: format!("{a} = 4 + {classes} + {m}"),
                        classes: Some(classes),
                    })
                }
                false if b == 6 + m => {
                    Some(Look { task, head: Head::YoloEnd2End, sum: format!("{b} = 6 + {m}"), classes: None })
                }
                _ => None,
            }
        }
        [&[_, a, b]] => {
            let pose = |head, side, others: &str, classes| {
                let sum = format!("{side} = {others} + {}*3", COCO_KEYPOINTS.len());
                Some(Look { task: Task::Pose, head, sum, classes })
            };
            match [labels, 1].into_iter().find(|&classes| classes > 0 && a < b && a == 4 + classes + POSE) {
                Some(classes) => pose(Head::Yolo, a, &format!("4 + {classes}"), Some(classes)),
                None if b == 6 + POSE => pose(Head::YoloEnd2End, b, "6", None),
                None => detection(head, io, labels, a, b),
            }
        }
        _ => None,
    }
}

fn detection(head: Head, io: &ModelIo, labels: i64, a: i64, b: i64) -> Option<Look> {
    // Models of crops need no labels: take the commonest layout then.
    let labels = if labels == 0 && a < b { a - 4 } else { labels };
    let count = usize::try_from(labels).ok().filter(|&count| count > 0)?;
    let mut heads = std::iter::once(head).chain(HEADS);
    let head = heads.find(|&head| fit(head, Task::Detection, io, count).is_ok())?;
    let sum = match head {
        Head::Yolo => format!("{a} = 4 + {labels}"),
        Head::Yolov5 | Head::Yolox => format!("{b} = 5 + {labels}"),
        _ => format!("{b} columns"),
    };
    let classes = matches!(head, Head::Yolo | Head::Yolov5 | Head::Yolox).then_some(labels);
    Some(Look { task: Task::Detection, head, sum, classes })
}
