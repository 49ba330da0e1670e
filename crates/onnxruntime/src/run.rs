//! The one call that computes.

use std::ffi::c_char;
use std::ptr;
use std::sync::PoisonError;

use ort::AsPointer;
use ort::memory::Allocator;
use ort::sys::OrtValue;
use ort::value::{DynTensor, DynValue};

use crate::{Error, Session};

/// Most inputs, and most outputs, of a model.
pub(crate) const MOST: usize = 16;

impl Session {
    /// Runs the model and returns when it has finished. On a device, runs take turns.
    ///
    /// # Safety
    /// `inputs` and `outputs` have one entry per input and output of the session. Inputs are live
    /// values; outputs are null or live values that nobody else reads or writes during the call.
    pub(crate) unsafe fn run(&self, inputs: &[*const OrtValue], outputs: &mut [*mut OrtValue]) -> Result<(), Error> {
        let Some(device) = &self.device else {
            // SAFETY: the caller's promise, passed on.
            return unsafe { self.call(inputs, outputs) };
        };
        let _turn = device.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as above.
        let ran = unsafe { self.call(inputs, outputs) };
        // After a success the work is done already. After a failure some of it may still be under way.
        let waited = device.stream.wait();
        ran.and(waited)
    }

    /// # Safety
    /// As for [`Session::run`].
    unsafe fn call(&self, inputs: &[*const OrtValue], outputs: &mut [*mut OrtValue]) -> Result<(), Error> {
        let mut input_names: [*const c_char; MOST] = [ptr::null(); MOST];
        let mut output_names: [*const c_char; MOST] = [ptr::null(); MOST];
        for (slot, name) in input_names.iter_mut().zip(&self.input_names) {
            *slot = name.as_ptr();
        }
        for (slot, name) in output_names.iter_mut().zip(&self.output_names) {
            *slot = name.as_ptr();
        }
        let session = self.inner.ptr().cast_mut();
        // SAFETY: the session lives as long as `self`, and `Run` may be called on one session from
        // several threads at once ("Multiple threads can invoke the Run() method on the same session
        // object", onnxruntime.ai, C API, threading). Names and values live through the call, the counts
        // are those of the arrays, and null run options mean the defaults, with which `Run` waits for every
        // provider's stream before it returns.
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

    /// Inputs of these shapes in host memory, all zeros.
    pub(crate) fn host_inputs(&self, shapes: &[Vec<i64>]) -> Result<Vec<DynTensor>, Error> {
        let infos = self.inputs();
        if shapes.len() != infos.len() {
            return Err(Error::tensor("", format!("{} input shapes for {} inputs", shapes.len(), infos.len())));
        }
        let allocator = Allocator::default();
        let tensor = |(info, shape): (&crate::TensorInfo, &Vec<i64>)| {
            Ok(DynTensor::new(&allocator, info.element()?, shape.clone())?)
        };
        infos.iter().zip(shapes).map(tensor).collect()
    }

    /// Runs with outputs that ONNX Runtime allocates, to learn their shapes.
    pub(crate) fn output_shapes(&self, inputs: &[DynTensor]) -> Result<Vec<Vec<i64>>, Error> {
        let inputs: Vec<_> = inputs.iter().map(AsPointer::ptr).collect();
        let mut outputs = vec![ptr::null_mut(); self.outputs().len()];
        // SAFETY: `host_inputs` made one live input each; a null output asks ONNX Runtime to allocate it.
        unsafe { self.run(&inputs, &mut outputs)? };
        let mut shapes = Vec::with_capacity(outputs.len());
        for (value, info) in outputs.into_iter().zip(self.outputs()) {
            let value = ptr::NonNull::new(value).ok_or_else(|| Error::tensor(&info.name, "the run left it out"))?;
            // SAFETY: `Run` succeeded, so each value is a live OrtValue that is ours to release; `DynValue`
            // does so when it drops.
            let value = unsafe { DynValue::from_ptr(value, Some(self.inner.allocator())) };
            shapes.push(value.shape().to_vec());
        }
        Ok(shapes)
    }
}
