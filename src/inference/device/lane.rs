//! What a camera's contexts have in common: a stream, and the frame on the device.
//!
//! All work of a camera is in one stream. So a frame is copied to the device once, prepared once for all models that
//! want it alike, and overwritten by the next without anybody waiting: the stream keeps the order.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gpu::kernels::{Crop, Letterbox, PixelRect, Placement, TensorMut};
use gpu::{ElementType, FrameUpload, Owner, SharedTensor, Stream};

use super::Gpu;
use crate::config::Input;
use crate::inference::{FrameRef, FrameTag};
use crate::types::frame::Picture;

/// What a camera's contexts have in common.
pub struct Lane {
    camera: Arc<str>,
    device: Option<Arc<DeviceLane>>,
}

impl Lane {
    /// `gpu` where a model runs there.
    pub(in crate::inference) fn new(camera: &str, gpu: Option<&Arc<Gpu>>) -> Result<Self, gpu::Error> {
        let device = gpu.map(|gpu| DeviceLane::new(camera, gpu)).transpose()?.map(Arc::new);
        Ok(Self { camera: camera.into(), device })
    }

    /// Camera id.
    #[must_use]
    pub fn camera(&self) -> &Arc<str> {
        &self.camera
    }

    pub(in crate::inference) fn device(&self) -> Option<&Arc<DeviceLane>> {
        self.device.as_ref()
    }

    /// Gives up pictures prepared as no context wants them any more.
    pub fn tidy(&self) {
        if let Some(device) = &self.device {
            device.frame().inputs.retain(|prepared| prepared.tensor.users() > 1);
        }
    }
}

/// Its part on the device.
pub(in crate::inference) struct DeviceLane {
    // In this order dropped: memory before the stream it belongs to.
    frame: Mutex<Frame>,
    owner: Owner,
    stream: Stream,
}

struct Frame {
    upload: FrameUpload,
    /// The frame whose planes are on the device.
    holds: Option<FrameTag>,
    inputs: Vec<Prepared>,
}

/// A whole frame as some models want it.
struct Prepared {
    key: InputKey,
    tensor: SharedTensor,
    holds: Option<FrameTag>,
}

/// Models with equal keys take the same tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::inference) struct InputKey {
    width: usize,
    height: usize,
    element: ElementType,
    input: Input,
}

impl InputKey {
    /// Of an input that takes one picture, `[1, 3, height, width]` of floats; `None` where it is another.
    pub(in crate::inference) fn of(shape: &[i64], element: ElementType, input: &Input) -> Option<Self> {
        let floats = matches!(element, ElementType::F32 | ElementType::F16);
        match shape {
            &[1 | -1, 3, height, width] if floats => {
                let (width, height) = (usize::try_from(width).ok()?, usize::try_from(height).ok()?);
                Some(Self { width, height, element, input: *input })
            }
            _ => None,
        }
    }

    /// Elements of the tensor.
    pub(in crate::inference) fn len(&self) -> usize {
        3 * self.width * self.height
    }

    /// Bytes of the tensor.
    pub(in crate::inference) fn bytes(&self) -> usize {
        self.len() * self.element.bytes()
    }
}

impl DeviceLane {
    fn new(camera: &str, gpu: &Gpu) -> Result<Self, gpu::Error> {
        let stream = Stream::new(&gpu.device)?;
        let owner = gpu.device.owner(&format!("camera {camera}"));
        let upload = FrameUpload::new(&stream, &owner);
        let frame = Mutex::new(Frame { upload, holds: None, inputs: Vec::new() });
        Ok(Self { frame, owner, stream })
    }

    pub(in crate::inference) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(in crate::inference) fn owner(&self) -> &Owner {
        &self.owner
    }

    fn frame(&self) -> MutexGuard<'_, Frame> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tensor of all models that want their frames so.
    pub(in crate::inference) fn input(&self, key: InputKey) -> Result<SharedTensor, gpu::Error> {
        let mut frame = self.frame();
        if let Some(prepared) = frame.inputs.iter().find(|prepared| prepared.key == key) {
            return Ok(prepared.tensor.clone());
        }
        let tensor = SharedTensor::new(key.element, &self.stream, &self.owner, key.len())?;
        frame.inputs.push(Prepared { key, tensor: tensor.clone(), holds: None });
        Ok(tensor)
    }

    /// Puts a frame into a tensor of [`DeviceLane::input`], unless it is there already.
    pub(in crate::inference) fn letterbox(
        &self,
        tensor: &SharedTensor,
        frame: &FrameRef<'_>,
        placement: Placement,
    ) -> Result<(), gpu::Error> {
        let mut lane = self.frame();
        let Frame { upload, holds, inputs } = &mut *lane;
        let same = |prepared: &&mut Prepared| prepared.tensor.device_ptr() == tensor.device_ptr();
        let Some(prepared) = inputs.iter_mut().find(same) else {
            return Err(gpu::Error::Argument { what: "input", why: "it is another camera's".to_owned() });
        };
        if prepared.holds == Some(frame.tag) {
            return Ok(());
        }
        prepared.holds = None;
        let picture = on_device(upload, holds, frame)?;
        let letterbox = Letterbox::new(placement, channels(&frame.picture, &prepared.key.input))?;
        letterbox.launch(&self.stream, &picture, tensor.tensor_mut())?;
        prepared.holds = Some(frame.tag);
        Ok(())
    }

    /// Puts a frame into a tensor of one context alone.
    pub(in crate::inference) fn letterbox_into(
        &self,
        tensor: TensorMut<'_>,
        input: &Input,
        frame: &FrameRef<'_>,
        placement: Placement,
    ) -> Result<(), gpu::Error> {
        let mut lane = self.frame();
        let Frame { upload, holds, .. } = &mut *lane;
        let picture = on_device(upload, holds, frame)?;
        Letterbox::new(placement, channels(&frame.picture, input))?.launch(&self.stream, &picture, tensor)
    }

    /// Puts boxes of a frame into a tensor of `boxes` times `[3, height, width]`.
    pub(in crate::inference) fn crops(
        &self,
        tensor: TensorMut<'_>,
        (width, height): (usize, usize),
        input: &Input,
        frame: &FrameRef<'_>,
        boxes: &[PixelRect],
    ) -> Result<(), gpu::Error> {
        let mut lane = self.frame();
        let Frame { upload, holds, .. } = &mut *lane;
        let picture = on_device(upload, holds, frame)?;
        Crop::new(width, height, channels(&frame.picture, input))?.launch(&self.stream, &picture, boxes, tensor)
    }
}

/// The frame's planes on the device, copied there unless they are.
fn on_device<'a>(
    upload: &'a mut FrameUpload,
    holds: &mut Option<FrameTag>,
    frame: &FrameRef<'_>,
) -> Result<gpu::kernels::Picture<'a>, gpu::Error> {
    if *holds != Some(frame.tag) {
        *holds = None;
        upload.load(&frame.picture)?;
        *holds = Some(frame.tag);
    }
    upload.picture().ok_or_else(|| gpu::Error::Argument { what: "frame", why: "it is not on the device".to_owned() })
}

fn channels(picture: &Picture<'_>, input: &Input) -> picture::Channels {
    let Input { bgr, pad, mean, scale, .. } = *input;
    picture::Channels::new(picture.colour, &picture::Normalisation { bgr, pad, mean, scale })
}
