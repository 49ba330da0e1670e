//! Pictures into models' inputs, on the device where the backend does it, else here.

use std::sync::Arc;

use crate::config::{Model, Task};
use crate::inference::{Context, FrameRef, InferenceError, Placement, golden};
use crate::types::frame::Picture;
use crate::types::geometry::BBox;
use crate::types::tensor::ModelIo;
use crate::vision::heads::{Decoder, Embedder, HeadError, PictureInput, SizeInput};
use crate::vision::letterbox::Letterbox;
use crate::vision::mapping::Mapping;
use crate::vision::{Crop, PictureError};

/// The inputs of a model that looks at whole frames.
pub struct FrameInput {
    model: Arc<Model>,
    input: PictureInput,
    sizes: Option<SizeInput>,
    letterbox: Option<Letterbox>,
}

impl FrameInput {
    /// Of a model that `decoder` reads.
    #[must_use]
    pub fn new(model: &Arc<Model>, decoder: &Decoder) -> Self {
        Self { model: Arc::clone(model), input: decoder.input(), sizes: decoder.size_input(), letterbox: None }
    }

    /// Fills them; answers where the frame lies.
    ///
    /// # Errors
    /// Where the frame cannot be read, or the device fails.
    pub fn fill(&mut self, context: &mut dyn Context, frame: &FrameRef<'_>) -> Result<Mapping, InferenceError> {
        let (input, picture) = (self.input, &frame.picture);
        let fit = self.model.input.fit;
        let mapping = Mapping::new(picture.width, picture.height, input.width, input.height, fit);
        if !context.letterbox(input.index, frame, placement(&mapping, input))? {
            let filled = self.letterbox(context.input_f32(input.index)?, picture);
            filled.map_err(|error| failed(&self.model, &error))?;
        }
        if let Some(input) = self.sizes {
            for (element, value) in context.input_i64(input.index)?.iter_mut().zip(input.size) {
                *element = value;
            }
        }
        Ok(mapping)
    }

    /// On the CPU.
    fn letterbox(&mut self, tensor: &mut [f32], picture: &Picture<'_>) -> Result<(), PictureError> {
        let PictureInput { width, height, .. } = self.input;
        let letterbox = match self.letterbox.take().filter(|letterbox| letterbox.fits(picture)) {
            Some(letterbox) => letterbox,
            // The first frame, or the camera changed its picture size.
            None => Letterbox::new(picture, width, height, &self.model.input)?,
        };
        self.letterbox.insert(letterbox).run(picture, tensor)
    }
}

/// Where a frame goes in a model's input, for whoever puts it there.
fn placement(mapping: &Mapping, input: PictureInput) -> Placement {
    let ((left, top), (columns, rows)) = (mapping.offset(), mapping.inner_size());
    Placement { left, top, columns, rows, width: input.width, height: input.height }
}

/// The input of a model that looks at crops.
pub struct CropInput {
    model: Arc<Model>,
    input: PictureInput,
    crop: Crop,
}

impl CropInput {
    /// Of a model that `embedder` reads.
    ///
    /// # Errors
    /// Where the input has an impossible size.
    pub fn new(model: &Arc<Model>, embedder: &Embedder) -> Result<Self, InferenceError> {
        let input = embedder.input();
        let crop = Crop::new(input.width, input.height, &model.input)
            .map_err(|error| InferenceError::Head { model: model.name.clone(), reason: error.to_string() })?;
        Ok(Self { model: Arc::clone(model), input, crop })
    }

    /// Sets the context's batch, a power of two, to the number of boxes and fills it with them.
    ///
    /// # Errors
    /// Where there are too many, a box has no part in the picture, the frame cannot be read, or the device fails.
    pub fn fill(
        &mut self,
        context: &mut dyn Context,
        frame: &FrameRef<'_>,
        boxes: &[BBox],
    ) -> Result<(), InferenceError> {
        context.set_batch(boxes.len())?;
        if context.crops(self.input.index, frame, boxes)? {
            return Ok(());
        }
        let elements = 3 * self.input.width * self.input.height;
        let tensors = context.input_f32(self.input.index)?.chunks_exact_mut(elements);
        for (&bbox, tensor) in boxes.iter().zip(tensors) {
            self.crop.run(&frame.picture, bbox, tensor).map_err(|error| failed(&self.model, &error))?;
        }
        Ok(())
    }
}

/// One frame into a model, for [`golden::Prepare`].
pub(super) fn prepare(
    model: &Arc<Model>,
    io: &ModelIo,
    context: &mut dyn Context,
    frame: &FrameRef<'_>,
) -> Result<(), InferenceError> {
    let misfit = |error: HeadError| InferenceError::Head { model: model.name.clone(), reason: error.to_string() };
    if model.task == Task::Reid {
        let embedder = Embedder::new(model, io).map_err(misfit)?;
        return CropInput::new(model, &embedder)?.fill(context, frame, &[golden::CROP]);
    }
    let decoder = Decoder::new(model, io).map_err(misfit)?;
    FrameInput::new(model, &decoder).fill(context, frame).map(|_| ())
}

fn failed(model: &Model, error: &PictureError) -> InferenceError {
    InferenceError::Run { model: model.name.clone(), reason: error.to_string() }
}
