use std::ptr;
use std::sync::Arc;

use ort::AsPointer;
use ort::memory::Allocator;
use ort::value::DynTensor;
use ort::value::PrimitiveTensorElementType;

use crate::run::MOST;
use crate::{Error, Session};

/// Input and output buffers of one user of a session, in host memory, allocated once.
///
/// `run` takes `&mut self` and returns when the outputs are written, so no buffer is ever read while
/// ONNX Runtime writes it. On a session of a device, each run copies inputs up and outputs down.
pub struct Binding {
    inputs: Vec<DynTensor>,
    outputs: Vec<DynTensor>,
    session: Arc<Session>,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding").field("inputs", &self.session.inputs()).finish_non_exhaustive()
    }
}

impl Binding {
    pub(crate) fn new(session: &Arc<Session>, input_shapes: &[Vec<i64>]) -> Result<Self, Error> {
        let inputs = session.host_inputs(input_shapes)?;
        let allocator = Allocator::default();
        let mut outputs = Vec::new();
        for (info, shape) in session.outputs().iter().zip(session.output_shapes(&inputs)?) {
            outputs.push(DynTensor::new(&allocator, info.element()?, shape)?);
        }
        Ok(Self { inputs, outputs, session: Arc::clone(session) })
    }

    /// Runs the model on the inputs as they stand; the outputs hold the answer afterwards.
    ///
    /// # Errors
    /// [`Error::Runtime`] in ONNX Runtime's words.
    pub fn run(&mut self) -> Result<(), Error> {
        let mut inputs = [ptr::null(); MOST];
        let mut outputs = [ptr::null_mut(); MOST];
        for (slot, tensor) in inputs.iter_mut().zip(&self.inputs) {
            *slot = tensor.ptr();
        }
        for (slot, tensor) in outputs.iter_mut().zip(&self.outputs) {
            *slot = tensor.ptr().cast_mut();
        }
        // SAFETY: both arrays hold as many live values as there are tensors, the outputs are this binding's own and
        // borrowed exclusively through `&mut self`.
        unsafe { self.session.run(&inputs[..self.inputs.len()], &mut outputs[..self.outputs.len()]) }
    }

    /// An input's elements.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such input or its element type is not `T`.
    pub fn input_mut<T: PrimitiveTensorElementType>(&mut self, index: usize) -> Result<&mut [T], Error> {
        let info = self.session.inputs().get(index).ok_or_else(|| no_such(index, "input"))?;
        match self.inputs[index].try_extract_tensor_mut::<T>() {
            Ok((_, data)) => Ok(data),
            Err(error) => Err(Error::tensor(&info.name, error.to_string())),
        }
    }

    /// An output's shape and elements, as of the last [`Binding::run`].
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such output or its element type is not `T`.
    pub fn output<T: PrimitiveTensorElementType>(&self, index: usize) -> Result<(&[i64], &[T]), Error> {
        let info = self.session.outputs().get(index).ok_or_else(|| no_such(index, "output"))?;
        match self.outputs[index].try_extract_tensor::<T>() {
            Ok((shape, data)) => Ok((shape, data)),
            Err(error) => Err(Error::tensor(&info.name, error.to_string())),
        }
    }

    /// Bytes of all inputs and outputs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inputs.iter().chain(&self.outputs).map(byte_size).sum()
    }
}

fn byte_size(tensor: &DynTensor) -> usize {
    tensor.data_type().byte_size(tensor.shape().num_elements()).unwrap_or(0)
}

pub(crate) fn no_such(index: usize, kind: &str) -> Error {
    Error::tensor(&format!("{kind} {index}"), format!("the model has no such {kind}"))
}
