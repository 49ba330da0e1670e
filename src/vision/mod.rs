//! Frames into model inputs, model outputs into detections.
//!
//! [`Letterbox`] turns the planes of a decoded frame into a model's input in one pass; [`Mapping`]
//! tells where the frame lies in it; [`Decoder`] turns what the model gives into
//! [`Detection`](crate::types::detection::Detection)s in pixels of the frame. Nothing here does I/O or
//! runs a model, and after the first frames nothing here allocates.

pub mod heads;
pub mod letterbox;
pub mod mapping;
pub mod nms;

mod colour;

pub use heads::{Decoder, HeadError, PictureInput, SizeInput};
pub use letterbox::{Letterbox, PictureError};
pub use mapping::Mapping;
