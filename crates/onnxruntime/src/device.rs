use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;

use tensorrt_rs::{DeviceBuffer, Stream};

use crate::binding::no_such;
use crate::run::MOST;
use crate::value::Tensor;
use crate::{Error, Session, Shapes, TensorInfo};

/// Input and output buffers of one user of a session, in device memory.
///
/// It owns buffers and stream. A run waits for what the user queued on the stream, and has finished when it returns;
/// so what is queued before is what the model sees, and what is queued after sees what the model gave.
///
/// Where a stream itself fails, nothing is known about what the device still does: dropping then leaks the
/// buffers and the stream.
pub struct DeviceBinding<B: DeviceBuffer, S: Stream> {
    parts: ManuallyDrop<Parts<B, S>>,
    failed: bool,
}

// In the order of dropping: tensors go before the memory they stand for.
struct Parts<B, S> {
    views: Vec<View>,
    chosen: usize,
    inputs: Vec<Bound<B>>,
    outputs: Vec<Bound<B>>,
    stream: S,
    session: Arc<Session>,
}

/// The buffers, as tensors of one set of shapes.
struct View {
    shapes: Shapes,
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
}

struct Bound<B> {
    buffer: B,
    /// Address and length of the buffer that the views were made for.
    seen: (*mut c_void, usize),
}

// SAFETY: `seen` is an address to compare with, never followed; the buffer may be sent.
unsafe impl<B: Send> Send for Bound<B> {}

impl<B: DeviceBuffer, S: Stream> DeviceBinding<B, S> {
    pub(crate) fn new(
        session: &Arc<Session>,
        stream: S,
        shapes: Vec<Shapes>,
        inputs: Vec<B>,
        outputs: Vec<B>,
    ) -> Result<Self, Error> {
        if shapes.is_empty() {
            return Err(Error::tensor("", "no shapes are given"));
        }
        let bound = |buffers: Vec<B>, infos: &[TensorInfo], kind: &str| {
            if buffers.len() == infos.len() {
                let seen = |buffer: &B| (buffer.device_ptr(), buffer.byte_len());
                return Ok(buffers.into_iter().map(|buffer| Bound { seen: seen(&buffer), buffer }).collect());
            }
            Err(Error::tensor("", format!("{} buffers for {} {kind}s", buffers.len(), infos.len())))
        };
        let inputs = bound(inputs, session.inputs(), "input")?;
        let outputs = bound(outputs, session.outputs(), "output")?;
        let mut parts = Parts { views: Vec::new(), chosen: 0, inputs, outputs, stream, session: Arc::clone(session) };
        parts.views = shapes.into_iter().map(|shapes| parts.view(shapes)).collect::<Result<_, _>>()?;
        Ok(Self { parts: ManuallyDrop::new(parts), failed: false })
    }

    /// Chooses which of the shapes the next runs have, by their place in the list given; at first 0.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there are not as many.
    pub fn choose(&mut self, index: usize) -> Result<(), Error> {
        if index >= self.parts.views.len() {
            return Err(Error::tensor("", format!("shapes {index} of {}", self.parts.views.len())));
        }
        self.parts.chosen = index;
        Ok(())
    }

    /// The shapes that the next run has.
    #[must_use]
    pub fn shapes(&self) -> &Shapes {
        &self.parts.views[self.parts.chosen].shapes
    }

    /// The stream on which the user works on the buffers.
    #[must_use]
    pub fn stream(&self) -> &S {
        &self.parts.stream
    }

    /// An input's buffer.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such input.
    pub fn input(&self, index: usize) -> Result<&B, Error> {
        self.parts.inputs.get(index).map(|bound| &bound.buffer).ok_or_else(|| no_such(index, "input"))
    }

    /// An input's buffer, to write to it.
    ///
    /// # Errors
    /// As for [`DeviceBinding::input`].
    pub fn input_mut(&mut self, index: usize) -> Result<&mut B, Error> {
        self.parts.inputs.get_mut(index).map(|bound| &mut bound.buffer).ok_or_else(|| no_such(index, "input"))
    }

    /// An output's buffer.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such output.
    pub fn output(&self, index: usize) -> Result<&B, Error> {
        self.parts.outputs.get(index).map(|bound| &bound.buffer).ok_or_else(|| no_such(index, "output"))
    }

    /// Waits for the work queued on the stream, then runs the model on the inputs as they stand. When it returns, the
    /// outputs are written. The session's device must be current on this thread: ONNX Runtime does not see to it in
    /// every run.
    ///
    /// # Errors
    /// [`Error::Runtime`] in ONNX Runtime's words; [`Error::Stream`] where the device failed; [`Error::Tensor`] where
    /// a buffer is not the one that was bound.
    pub fn run(&mut self) -> Result<(), Error> {
        let result = self.parts.run();
        self.failed |= matches!(result, Err(Error::Stream(_)));
        result
    }
}

impl<B: DeviceBuffer, S: Stream> Parts<B, S> {
    /// The buffers, as tensors of these shapes.
    fn view(&self, shapes: Shapes) -> Result<View, Error> {
        let inputs = self.tensors(&self.inputs, self.session.inputs(), &shapes.inputs)?;
        let outputs = self.tensors(&self.outputs, self.session.outputs(), &shapes.outputs)?;
        Ok(View { shapes, inputs, outputs })
    }

    fn tensors(&self, bound: &[Bound<B>], infos: &[TensorInfo], shapes: &[Vec<i64>]) -> Result<Vec<Tensor>, Error> {
        let Some(device) = &self.session.device else {
            return Err(Error::tensor("", "the session runs on the CPU, which reads no device memory"));
        };
        if shapes.len() != infos.len() {
            return Err(Error::tensor("", format!("{} shapes for {} tensors", shapes.len(), infos.len())));
        }
        let tensor = |((bound, info), shape): ((&Bound<B>, &TensorInfo), &Vec<i64>)| {
            let (data, length) = bound.seen;
            let element = info.element()?;
            let bytes = bytes_of(element, shape)
                .ok_or_else(|| Error::tensor(&info.name, format!("{shape:?} of {element} is no size for a buffer")))?;
            if bytes > length {
                let what = format!("{shape:?} of {element} takes {bytes} bytes, its buffer has {length}");
                return Err(Error::tensor(&info.name, what));
            }
            if bound.buffer.stream().is_some_and(|stream| stream != self.stream.raw()) {
                return Err(Error::tensor(&info.name, "its buffer belongs to another stream than the binding's"));
            }
            if bound.buffer.is_shared() {
                let what = "its buffer is shared with other users of its stream; a run is on the session's";
                return Err(Error::tensor(&info.name, what));
            }
            // SAFETY: the buffer is memory of the device for as long as it lives, at an address that does not change,
            // and this binding owns it: `run` looks whether it is still the same one. Whoever works on the buffer does
            // so on its stream, which a run waits for before it begins, and it has finished when it returns.
            unsafe { Tensor::over(&device.memory, data, bytes, element, shape) }
        };
        bound.iter().zip(infos).zip(shapes).map(tensor).collect()
    }

    fn run(&mut self) -> Result<(), Error> {
        let infos = self.session.inputs().iter().chain(self.session.outputs());
        for (bound, info) in self.inputs.iter().chain(&self.outputs).zip(infos) {
            if bound.seen != (bound.buffer.device_ptr(), bound.buffer.byte_len()) {
                return Err(Error::tensor(&info.name, "its buffer was exchanged for another one; bind anew"));
            }
        }
        self.stream.synchronize().map_err(|error| Error::stream(&error))?;
        let view = &self.views[self.chosen];
        let mut inputs = [ptr::null(); MOST];
        let mut outputs = [ptr::null_mut(); MOST];
        for (slot, tensor) in inputs.iter_mut().zip(&view.inputs) {
            *slot = tensor.ptr().cast_const();
        }
        for (slot, tensor) in outputs.iter_mut().zip(&view.outputs) {
            *slot = tensor.ptr();
        }
        // SAFETY: the views have one live tensor per input and output. This binding owns the memory behind the outputs
        // and is borrowed exclusively, and no work is queued on it any more.
        unsafe { self.session.run(&inputs[..view.inputs.len()], &mut outputs[..view.outputs.len()]) }
    }
}

impl<B: DeviceBuffer, S: Stream> Drop for DeviceBinding<B, S> {
    fn drop(&mut self) {
        if !self.failed {
            // SAFETY: dropped here only. No run is under way, for those finish before they return.
            unsafe { ManuallyDrop::drop(&mut self.parts) };
        }
    }
}

fn bytes_of(element: ort::value::TensorElementType, shape: &[i64]) -> Option<usize> {
    let mut elements = 1usize;
    for dim in shape {
        elements = elements.checked_mul(usize::try_from(*dim).ok()?)?;
    }
    element.byte_size(elements).filter(|bytes| *bytes > 0)
}
