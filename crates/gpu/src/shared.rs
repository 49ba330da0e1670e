//! Tensors that several models of one stream read.

use std::sync::Arc;

use crate::kernels::TensorMut;
use crate::{DeviceBuffer, DeviceTensor, ElementType, Error, Owner, Stream, TensorView, TensorViewMut};

/// A tensor on the device that several models of one stream have in common: one kernel writes it, each model's
/// context reads it as its input. A clone is the same memory.
///
/// It is written through `&self`, and that is sound: all work on it is put into the one stream that it belongs to for
/// life, which does one after the other, and the host never reaches its content but by copies in that stream.
#[derive(Clone, Debug)]
pub struct SharedTensor(Arc<Memory>);

#[derive(Debug)]
enum Memory {
    F32(DeviceBuffer<f32>),
    F16(DeviceBuffer<u16>),
}

impl SharedTensor {
    /// As [`DeviceBuffer::new`], of the types that the kernels write.
    ///
    /// # Errors
    ///
    /// As there, and [`Error::Argument`] where `element` is neither [`ElementType::F32`] nor [`ElementType::F16`].
    pub fn new(element: ElementType, stream: &Stream, owner: &Owner, len: usize) -> Result<Self, Error> {
        Ok(Self(Arc::new(match element {
            ElementType::F32 => Memory::F32(DeviceBuffer::new(stream, owner, len)?),
            ElementType::F16 => Memory::F16(DeviceBuffer::new(stream, owner, len)?),
            other => {
                let why = format!("{other}; kernels write {} and {}", ElementType::F32, ElementType::F16);
                return Err(Error::argument("shared tensor", why));
            }
        })))
    }

    /// The type of its elements.
    #[must_use]
    pub fn element(&self) -> ElementType {
        match &*self.0 {
            Memory::F32(_) => ElementType::F32,
            Memory::F16(_) => ElementType::F16,
        }
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match &*self.0 {
            Memory::F32(buffer) => buffer.len(),
            Memory::F16(buffer) => buffer.len(),
        }
    }

    /// False: there is no empty tensor.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The stream it belongs to.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        match &*self.0 {
            Memory::F32(buffer) => buffer.stream(),
            Memory::F16(buffer) => buffer.stream(),
        }
    }

    /// Clones of it, this one included.
    #[must_use]
    pub fn users(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Address on the device, for other libraries; work on it belongs into [`Self::stream`].
    #[must_use]
    pub fn device_ptr(&self) -> u64 {
        match &*self.0 {
            Memory::F32(buffer) => buffer.device_ptr(),
            Memory::F16(buffer) => buffer.device_ptr(),
        }
    }

    /// Bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match &*self.0 {
            Memory::F32(buffer) => buffer.len() * size_of::<f32>(),
            Memory::F16(buffer) => buffer.len() * size_of::<u16>(),
        }
    }

    /// All elements, for [`Letterbox`](crate::kernels::Letterbox) or [`Crop`](crate::kernels::Crop) to write.
    #[must_use]
    pub fn tensor_mut(&self) -> TensorMut<'_> {
        match &*self.0 {
            Memory::F32(buffer) => TensorMut::F32(buffer.shared_mut()),
            Memory::F16(buffer) => TensorMut::F16(buffer.shared_mut()),
        }
    }

    /// All elements, to read.
    #[must_use]
    pub fn view(&self) -> TensorView<'_> {
        match &*self.0 {
            Memory::F32(buffer) => TensorView::F32(buffer.view()),
            Memory::F16(buffer) => TensorView::F16(buffer.view()),
        }
    }
}

impl<'a> From<&'a SharedTensor> for TensorView<'a> {
    fn from(tensor: &'a SharedTensor) -> Self {
        tensor.view()
    }
}

impl<'a> From<&'a SharedTensor> for TensorViewMut<'a> {
    fn from(tensor: &'a SharedTensor) -> Self {
        match tensor.tensor_mut() {
            TensorMut::F32(view) => Self::F32(view),
            TensorMut::F16(view) => Self::F16(view),
        }
    }
}

/// A tensor of a model on the device: its own, or one that it has in common with others.
#[derive(Debug)]
pub enum BoundTensor {
    /// Nobody else's.
    Own(DeviceTensor),
    /// Also other models'.
    Shared(SharedTensor),
}

impl BoundTensor {
    /// The type of its elements.
    #[must_use]
    pub fn element(&self) -> ElementType {
        match self {
            Self::Own(tensor) => tensor.element(),
            Self::Shared(tensor) => tensor.element(),
        }
    }

    /// Bytes.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Own(tensor) => tensor.byte_len(),
            Self::Shared(tensor) => tensor.byte_len(),
        }
    }

    /// The stream it belongs to.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        match self {
            Self::Own(tensor) => tensor.stream(),
            Self::Shared(tensor) => tensor.stream(),
        }
    }

    /// Address on the device, for other libraries; work on it belongs into [`Self::stream`].
    #[must_use]
    pub fn device_ptr(&self) -> u64 {
        match self {
            Self::Own(tensor) => tensor.device_ptr(),
            Self::Shared(tensor) => tensor.device_ptr(),
        }
    }

    /// All elements, to read.
    #[must_use]
    pub fn view(&self) -> TensorView<'_> {
        match self {
            Self::Own(tensor) => tensor.view(),
            Self::Shared(tensor) => tensor.view(),
        }
    }

    /// All elements, to write.
    #[must_use]
    pub fn view_mut(&mut self) -> TensorViewMut<'_> {
        match self {
            Self::Own(tensor) => tensor.view_mut(),
            Self::Shared(tensor) => (&*tensor).into(),
        }
    }
}

impl From<DeviceTensor> for BoundTensor {
    fn from(tensor: DeviceTensor) -> Self {
        Self::Own(tensor)
    }
}

impl From<SharedTensor> for BoundTensor {
    fn from(tensor: SharedTensor) -> Self {
        Self::Shared(tensor)
    }
}

impl<'a> From<&'a BoundTensor> for TensorView<'a> {
    fn from(tensor: &'a BoundTensor) -> Self {
        tensor.view()
    }
}

impl<'a> From<&'a mut BoundTensor> for TensorViewMut<'a> {
    fn from(tensor: &'a mut BoundTensor) -> Self {
        tensor.view_mut()
    }
}
