//! Appearance of crops: input `[n, 3, height, width]`, output `[n, d]` or `[n, d, 1, 1]`, a row per crop.
//! Source: `torchreid/models/osnet.py`, `OSNet.forward`.

use super::advice;
use super::check::{self, Dim, Output, only_output};
use super::{HeadError, PictureInput, wrong_task};
use crate::config::{Head, Model, Task};
use crate::types::embedding::Embeddings;
use crate::types::tensor::{ElementType, ModelIo, TensorRef};

/// Reads the embeddings that a ReID model gives.
#[derive(Clone, Debug)]
pub struct Embedder {
    input: PictureInput,
    batch: Option<usize>,
    output: Output,
    dim: usize,
    rejected: u64,
}

impl Embedder {
    /// For a model that declares `io`, used as `model` says.
    ///
    /// # Errors
    ///
    /// Where the model's head or task is another, or the head cannot feed the model's input or read its output.
    pub fn new(model: &Model, io: &ModelIo) -> Result<Self, HeadError> {
        let (head, task) = (model.head, model.task);
        if (head, task) != (Head::Embedding, Task::Reid) {
            return Err(wrong_task(head, task));
        }
        fit(io).map_err(|error| advice::explain(error, head, task, io, model.labels.len()))
    }

    /// Where the crops go, one after the other.
    #[must_use]
    pub fn input(&self) -> PictureInput {
        self.input
    }

    /// Crops that each run takes; `None`: any number.
    #[must_use]
    pub fn batch(&self) -> Option<usize> {
        self.batch
    }

    /// Numbers in an embedding.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Fills `out` with the embeddings of the first `count` crops of a run, scaled to unit length. One that
    /// is none (NaN or infinite, all zeros) is `None` there and [counted](Self::rejected).
    ///
    /// `outputs` are all outputs of the run in the model's order.
    ///
    /// # Errors
    ///
    /// [`HeadError::Given`] where the output is not of the layout or has fewer rows; `out` is then empty.
    pub fn read(&mut self, outputs: &[TensorRef<'_>], count: usize, out: &mut Embeddings) -> Result<(), HeadError> {
        out.clear();
        let (shape, data) = self.output.floats(outputs)?;
        if shape[0] < count {
            return Err(self.output.given(format!("{} embeddings of {count} crops", shape[0])));
        }
        for row in data.chunks_exact(self.dim).take(count) {
            self.rejected += u64::from(!out.push(row));
        }
        Ok(())
    }

    /// Embeddings so far that were none; see [`Self::read`].
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }
}

fn fit(io: &ModelIo) -> Result<Embedder, HeadError> {
    let head = Head::Embedding;
    let (input, batch) = check::crops_input(head, io)?;
    let n = batch.map_or(Dim::Any("n"), Dim::Is);
    let note = " (n crops, d numbers each)";
    let (index, spec) = only_output(head, io, &format!("f32[{n},d]{note}"))?;
    let dim = spec.shape.get(1).and_then(|&dim| usize::try_from(dim).ok()).filter(|&dim| dim > 0);
    let mut dims = vec![n, dim.map_or(Dim::Fixed("d"), Dim::Is)];
    if spec.shape.len() == 4 {
        dims.extend([Dim::Is(1); 2]);
    }
    let output = Output::new(head, (index, spec), &[ElementType::F32], dims, note.into())?;
    Ok(Embedder { input, batch, output, dim: dim.unwrap_or_default(), rejected: 0 })
}
