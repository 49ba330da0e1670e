use std::ffi::c_void;
use std::ptr::{self, NonNull};

use ort::AsPointer;
use ort::memory::MemoryInfo;
use ort::sys::OrtValue;
use ort::value::TensorElementType;

use crate::Error;

/// A tensor over memory that somebody else owns.
pub(crate) struct Tensor(NonNull<OrtValue>);

// SAFETY: an OrtValue has no ties to a thread; it is made, read by `Run` and released under `&mut` of its owner.
unsafe impl Send for Tensor {}

impl Tensor {
    /// # Safety
    /// As long as the tensor is used in a run, `bytes` bytes from `data` are memory as `memory` describes it, and are
    /// written only in accordance with that run.
    pub(crate) unsafe fn over(
        memory: &MemoryInfo<'_>,
        data: *mut c_void,
        bytes: usize,
        element: TensorElementType,
        shape: &[i64],
    ) -> Result<Self, Error> {
        let mut value = ptr::null_mut();
        // SAFETY: the arguments live through the call, which keeps of them the address `data` only; it is not followed
        // here but in runs, where the caller's promise holds.
        let status = unsafe {
            (ort::api().CreateTensorWithDataAsOrtValue)(
                memory.ptr(),
                data,
                bytes,
                shape.as_ptr(),
                shape.len(),
                element.into(),
                &mut value,
            )
        };
        // SAFETY: `status` is what ONNX Runtime just returned, and it is released by this call only.
        unsafe { ort::Error::result_from_status(status) }?;
        NonNull::new(value).map(Self).ok_or_else(|| Error::tensor("", "ONNX Runtime made no tensor of it"))
    }

    pub(crate) fn ptr(&self) -> *mut OrtValue {
        self.0.as_ptr()
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        // SAFETY: made by ONNX Runtime, released once; no run is under way, for those finish before they return.
        unsafe { (ort::api().ReleaseValue)(self.0.as_ptr()) };
    }
}
