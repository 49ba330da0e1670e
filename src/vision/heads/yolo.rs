//! YOLOv8, v9, v11 as ultralytics exports them: `[1, 4 + classes, n]`, a row per value and a column per
//! box; centre and size in input pixels, then scores after the sigmoid, then what the task adds.
//! Source: `ultralytics/nn/modules/head.py`, `Detect`, `Pose`, `Segment`.

use super::check::{Dim, Output, boxes_output};
use super::extras::{self, Extras};
use super::sieve::Sieve;
use super::{HeadError, Table};
use crate::config::{Head, Task};
use crate::types::geometry::BBox;
use crate::types::tensor::{ElementType, ModelIo, Survivors, TensorData, TensorRef};

/// Columns worked on at a time: what is kept for them stays in the first-level cache.
const BLOCK: usize = 1024;

#[derive(Clone, Debug)]
pub(super) struct Yolo {
    output: Output,
    task: Task,
    classes: usize,
    arch: pulp::Arch,
    best: Best,
}

/// Per box.
#[derive(Clone, Debug, Default)]
struct Best {
    score: Vec<f32>,
    class: Vec<u32>,
    /// Sum of all scores: NaN where one of them is.
    sum: Vec<f32>,
}

impl Yolo {
    pub fn new(io: &ModelIo, task: Task, classes: usize) -> Result<Self, HeadError> {
        let (rows, words) = extras::dim(task, 4 + classes, io);
        let note = format!(" (4 + {classes} labels{words})");
        let output = boxes_output(Head::Yolo, task, io, &format!("f32[1,{rows},n]{note}"))?;
        let dims = vec![Dim::One, rows, Dim::Boxes];
        let output = Output::new(Head::Yolo, output, &[ElementType::F32], dims, note)?;
        Ok(Self { output, task, classes, arch: pulp::Arch::new(), best: Best::default() })
    }

    pub fn read<'t>(&mut self, outputs: &[TensorRef<'t>], sieve: &mut Sieve<'_, 't>) -> Result<(), HeadError> {
        let tensor = self.output.of(outputs)?;
        if let TensorData::Survivors(survivors) = tensor.data {
            self.take(&survivors, tensor.shape[2], sieve);
            return Ok(());
        }
        let (shape, data) = self.output.floats(outputs)?;
        let n = shape[2];
        if n == 0 || self.classes == 0 {
            return Ok(());
        }
        self.best.score.resize(n, 0.0);
        self.best.class.resize(n, 0);
        self.best.sum.resize(n, 0.0);
        sieve.candidates.reserve(n);
        let (boxes, scores) = data.split_at(4 * n);
        let (scores, extras) = scores.split_at(self.classes * n);
        sieve.extras = Extras::columns(self.task, extras, n);
        self.arch.dispatch(Scan { scores, n, best: &mut self.best });
        for (i, (&score, &sum)) in self.best.score.iter().zip(&self.best.sum).enumerate() {
            if score < sieve.min_score && !sum.is_nan() {
                continue;
            }
            let score = if sum.is_nan() { f32::NAN } else { score };
            let bbox = BBox::from_centre(boxes[i], boxes[n + i], boxes[2 * n + i], boxes[3 * n + i]);
            sieve.push(i, bbox, score, self.best.class[i] as usize);
        }
        Ok(())
    }
}

impl Yolo {
    /// The table that a device may look through on its own.
    pub fn table(&self) -> Table {
        Table { output: self.output.index(), classes: self.classes }
    }

    /// A device has looked through the table; `n` boxes were in it.
    fn take<'t>(&self, survivors: &Survivors<'t>, n: usize, sieve: &mut Sieve<'_, 't>) {
        sieve.candidates.reserve(n);
        sieve.extras = Extras::rows(self.task, survivors.rows, survivors.width, Survivors::HEAD);
        for (row, survivor) in survivors.boxes().enumerate() {
            let [x, y, width, height] = survivor.centre_size;
            // The row stands for the place in the table: both grow alike, so equal scores are told apart alike.
            sieve.push(row, BBox::from_centre(x, y, width, height), survivor.score, survivor.class as usize);
        }
    }
}

/// Finds each column's best class. The table is read once, row by row; a column after the other would
/// touch a new cache line at each step.
struct Scan<'a> {
    scores: &'a [f32],
    n: usize,
    best: &'a mut Best,
}

impl pulp::NullaryFnOnce for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Best { score, class, sum } = self.best;
        let blocks = score.chunks_mut(BLOCK).zip(class.chunks_mut(BLOCK)).zip(sum.chunks_mut(BLOCK));
        for (block, ((score, class), sum)) in blocks.enumerate() {
            score.fill(f32::NEG_INFINITY);
            class.fill(0);
            sum.fill(0.0);
            for (number, row) in self.scores.chunks_exact(self.n).enumerate() {
                take_row(&row[block * BLOCK..][..score.len()], number as u32, score, class, sum);
            }
        }
    }
}

#[inline(always)]
fn take_row(row: &[f32], number: u32, score: &mut [f32], class: &mut [u32], sum: &mut [f32]) {
    for (((&value, score), class), sum) in row.iter().zip(score).zip(class).zip(sum) {
        let better = value > *score;
        *score = if better { value } else { *score };
        *class = if better { number } else { *class };
        *sum += value;
    }
}
