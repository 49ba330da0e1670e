//! An output on its way to the host.

use gpu::kernels::{Candidates, CandidatesLayout};
use gpu::{CudaError, HostTensor, Owner, Stream, TensorView, Usage};
use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use crate::types::tensor::{Survivors, TensorData};

/// Boxes that may come to the host at once. Where more score well enough, which takes a crowd or a score near 0, the
/// whole table comes.
const MOST_SURVIVORS: usize = 1024;

/// An output on the host, or what of it is wanted there.
pub(in crate::inference) struct HostOutput {
    host: HostTensor,
    form: Form,
}

enum Form {
    AsItIs,
    /// Half precision, and what it is in single.
    Half(Vec<f32>),
    /// Only what scores well enough.
    Filtered(Box<Filter>),
}

struct Filter {
    candidates: Candidates,
    min_score: f32,
    /// Elements of the table.
    of: usize,
    /// More than there is room for scored well enough: this time, all of it is in `host`.
    overflown: bool,
}

/// The layout of an output of 32-bit floats, where it is a table of boxes.
fn table(shape: &[usize], classes: usize) -> Option<CandidatesLayout> {
    let &[1, rows, boxes] = shape else { return None };
    Some(CandidatesLayout { boxes, classes, extras: rows.checked_sub(4 + classes)? })
}

/// Memory that [`HostOutput::filter`] takes.
pub(in crate::inference) fn filter_memory(shape: &[usize], classes: usize) -> Usage {
    table(shape, classes).map(|layout| Candidates::memory(layout, MOST_SURVIVORS)).unwrap_or_default()
}

impl HostOutput {
    pub(in crate::inference) fn new(host: HostTensor, len: usize) -> Self {
        let form = if matches!(host, HostTensor::F16(_)) { Form::Half(vec![0.0; len]) } else { Form::AsItIs };
        Self { host, form }
    }

    /// From now on, only boxes that score at least `min_score`. False where the output is no such table.
    pub(in crate::inference) fn filter(
        &mut self,
        stream: &Stream,
        owner: &Owner,
        shape: &[usize],
        classes: usize,
        min_score: f32,
    ) -> Result<bool, gpu::Error> {
        let layout = matches!(self.host, HostTensor::F32(_)).then(|| table(shape, classes)).flatten();
        let Some(layout) = layout else { return Ok(false) };
        let candidates = Candidates::new(stream, owner, layout, MOST_SURVIVORS)?;
        let filter = Filter { candidates, min_score, of: shape.iter().product(), overflown: false };
        self.form = Form::Filtered(Box::new(filter));
        Ok(true)
    }

    /// Queues its way behind the execution.
    pub(in crate::inference) fn queue(
        &mut self,
        stream: &Stream,
        tensor: TensorView<'_>,
        len: usize,
    ) -> Result<(), gpu::Error> {
        match &mut self.form {
            Form::Filtered(filter) => filter.candidates.launch(stream, tensor, filter.min_score),
            Form::AsItIs | Form::Half(_) => stream.download_tensor(tensor, &mut self.host, len),
        }
    }

    /// When the stream is done. `tensor` is what the way began with.
    pub(in crate::inference) fn finish(&mut self, stream: &Stream, tensor: TensorView<'_>) -> Result<(), gpu::Error> {
        match (&mut self.form, &mut self.host) {
            (Form::Half(floats), HostTensor::F16(host)) => {
                let halves: &[f16] = host.read()?.reinterpret_cast();
                let len = halves.len().min(floats.len());
                halves[..len].convert_to_f32_slice(&mut floats[..len]);
            }
            (Form::Filtered(filter), host) => {
                filter.overflown = filter.candidates.survivors()?.overflow() > 0;
                if filter.overflown {
                    stream.download_tensor(tensor, host, filter.of)?;
                    stream.synchronize()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The first `len` elements, or those that survived.
    pub(in crate::inference) fn read(&self, len: usize) -> Result<TensorData<'_>, CudaError> {
        Ok(match (&self.form, &self.host) {
            (Form::Half(floats), _) => TensorData::F32(&floats[..len]),
            (Form::Filtered(filter), _) if !filter.overflown => {
                let (rows, width) = filter.candidates.survivors()?.rows();
                TensorData::Survivors(Survivors { rows, width, of: filter.of })
            }
            (_, HostTensor::F32(host)) => TensorData::F32(&host.read()?[..len]),
            (_, HostTensor::I64(host)) => TensorData::I64(&host.read()?[..len]),
            (_, HostTensor::I32(host)) => TensorData::I32(&host.read()?[..len]),
            (_, HostTensor::U8(host) | HostTensor::Bool(host)) => TensorData::U8(&host.read()?[..len]),
            (_, HostTensor::F16(_)) => TensorData::F32(&[]),
        })
    }
}
