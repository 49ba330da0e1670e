use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

use ort::AsPointer;
use ort::memory::Allocator;
use ort::value::DynTensor;
use ort::value::PrimitiveTensorElementType;

use crate::session::TensorInfo;
use crate::{Error, Session};

/// Most inputs, and most outputs, of a model.
const MOST: usize = 16;

/// Input and output buffers of one user of a session, allocated once.
///
/// `run` takes `&mut self` and returns when the outputs are written, so no buffer is ever read while
/// ONNX Runtime writes it.
pub struct Binding {
    inputs: Vec<DynTensor>,
    outputs: Vec<DynTensor>,
    input_names: Vec<CString>,
    output_names: Vec<CString>,
    session: Arc<Session>,
}

impl std::fmt::Debug for Binding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binding").field("inputs", &self.session.inputs()).finish_non_exhaustive()
    }
}

impl Binding {
    pub(crate) fn new(session: &Arc<Session>, input_shapes: &[Vec<i64>]) -> Result<Self, Error> {
        if session.inputs().len() > MOST || session.outputs().len() > MOST {
            return Err(Error::Tensor { name: String::new(), what: format!("more than {MOST} inputs or outputs") });
        }
        let allocator = Allocator::default();
        let mut inputs = Vec::new();
        for (info, shape) in session.inputs().iter().zip(input_shapes) {
            let element = info.element.ok_or_else(|| tensor_error(info, "is not a tensor"))?;
            inputs.push(DynTensor::new(&allocator, element, shape.clone())?);
        }
        if inputs.len() != session.inputs().len() {
            return Err(Error::Tensor {
                name: String::new(),
                what: format!("{} input shapes for {} inputs", input_shapes.len(), session.inputs().len()),
            });
        }
        let mut binding = Self {
            inputs,
            outputs: Vec::new(),
            input_names: names(session.inputs())?,
            output_names: names(session.outputs())?,
            session: Arc::clone(session),
        };
        for (info, shape) in session.outputs().iter().zip(binding.output_shapes()?) {
            let element = info.element.ok_or_else(|| tensor_error(info, "is not a tensor"))?;
            binding.outputs.push(DynTensor::new(&allocator, element, shape)?);
        }
        Ok(binding)
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
        // SAFETY: as for `run_raw`: both arrays hold as many live values as there are tensors, the
        // outputs are this binding's own and borrowed exclusively through `&mut self`.
        unsafe { self.run_raw(&inputs[..self.inputs.len()], &mut outputs[..self.outputs.len()]) }
    }

    /// An input's elements.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such input or its element type is not `T`.
    pub fn input_mut<T: PrimitiveTensorElementType>(&mut self, index: usize) -> Result<&mut [T], Error> {
        let info = self.session.inputs().get(index).ok_or_else(|| no_such(index, "input"))?;
        match self.inputs[index].try_extract_tensor_mut::<T>() {
            Ok((_, data)) => Ok(data),
            Err(error) => Err(tensor_error(info, &error.to_string())),
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
            Err(error) => Err(tensor_error(info, &error.to_string())),
        }
    }

    /// Bytes of all inputs and outputs.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.inputs.iter().chain(&self.outputs).map(byte_size).sum()
    }

    /// Runs once with outputs that ONNX Runtime allocates, to learn their shapes.
    fn output_shapes(&self) -> Result<Vec<Vec<i64>>, Error> {
        let inputs: Vec<_> = self.inputs.iter().map(AsPointer::ptr).collect();
        let mut outputs = vec![ptr::null_mut(); self.output_names.len()];
        // SAFETY: as for `run_raw`; a null output asks ONNX Runtime to allocate it.
        unsafe { self.run_raw(&inputs, &mut outputs)? };
        let mut shapes = Vec::with_capacity(outputs.len());
        for value in outputs {
            let value = ptr::NonNull::new(value).ok_or_else(|| no_such(shapes.len(), "output"))?;
            // SAFETY: `Run` succeeded, so each value is a live OrtValue that is ours to release; `DynValue`
            // does so when it drops.
            let value = unsafe { ort::value::DynValue::from_ptr(value, Some(self.session.inner.allocator())) };
            shapes.push(value.shape().to_vec());
        }
        Ok(shapes)
    }

    /// # Safety
    /// `inputs` and `outputs` have one entry per input and output of the session. Inputs are live
    /// values; outputs are null or live values that nobody else reads or writes during the call.
    unsafe fn run_raw(
        &self,
        inputs: &[*const ort::sys::OrtValue],
        outputs: &mut [*mut ort::sys::OrtValue],
    ) -> Result<(), Error> {
        let mut input_names: [*const c_char; MOST] = [ptr::null(); MOST];
        let mut output_names: [*const c_char; MOST] = [ptr::null(); MOST];
        for (slot, name) in input_names.iter_mut().zip(&self.input_names) {
            *slot = name.as_ptr();
        }
        for (slot, name) in output_names.iter_mut().zip(&self.output_names) {
            *slot = name.as_ptr();
        }
        let session = self.session.inner.ptr().cast_mut();
        // SAFETY: the session lives as long as `self.session`, and `Run` may be called on one session from
        // several threads at once ("Multiple threads can invoke the Run() method on the same session
        // object", onnxruntime.ai, C API, threading). Names and values live through the call, the counts
        // are those of the arrays, and null run options mean the defaults.
        let status = unsafe {
            (ort::api().Run)(
                session,
                ptr::null(),
                input_names.as_ptr(),
                inputs.as_ptr(),
                inputs.len().min(MOST),
                output_names.as_ptr(),
                outputs.len().min(MOST),
                outputs.as_mut_ptr(),
            )
        };
        // SAFETY: `status` is what ONNX Runtime just returned, and it is released by this call only.
        unsafe { ort::Error::result_from_status(status) }.map_err(Error::Runtime)
    }
}

fn names(infos: &[TensorInfo]) -> Result<Vec<CString>, Error> {
    infos
        .iter()
        .map(|info| CString::new(info.name.as_str()).map_err(|_| tensor_error(info, "has a NUL in its name")))
        .collect()
}

fn byte_size(tensor: &DynTensor) -> usize {
    tensor.data_type().byte_size(tensor.shape().num_elements()).unwrap_or(0)
}

fn tensor_error(info: &TensorInfo, what: &str) -> Error {
    Error::Tensor { name: info.name.clone(), what: what.to_owned() }
}

fn no_such(index: usize, kind: &str) -> Error {
    Error::Tensor { name: format!("{kind} {index}"), what: format!("the model has no such {kind}") }
}
