//! Frames and crops into model inputs, model outputs into detections, keypoints, masks and embeddings.
//!
//! [`Letterbox`] turns the planes of a decoded frame into a model's input in one pass; [`Mapping`]
//! tells where the frame lies in it; [`Decoder`] turns what the model gives into
//! what was [`Found`](crate::types::found::Found), in pixels of the frame. [`Crop`] and [`Embedder`] do the
//! same for models that look at one object.
//! [`CameraMotionEstimator`](camera_motion::CameraMotionEstimator) tells how the camera itself moved. Nothing here does
//! I/O or runs a model, and after the first frames nothing here allocates.

pub mod camera_motion;
pub mod crop;
pub mod heads;
pub mod letterbox;
pub mod mapping;
pub mod nms;
pub mod scene;

mod colour;

pub use crop::Crop;
pub use heads::{Decoder, Embedder, HeadError, PictureInput, SizeInput};
pub use letterbox::{Letterbox, PictureError};
pub use mapping::Mapping;
