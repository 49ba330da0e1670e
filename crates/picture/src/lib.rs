//! Decoded pictures as plain data, for whoever turns them into a model's input, on the processor or on a GPU.
//!
//! A [`Picture`] borrows planes of 8-bit YCbCr samples, [`Colour`] says how to read them, and [`Channels`] is the
//! arithmetic that makes a model's values of them: one place, so that all paths give the same numbers. For the eye there is
//! [`Picture::to_rgb`].
#![forbid(unsafe_code)]

mod colour;
mod part;
mod planes;
mod rgb;
mod sizes;

pub use colour::{Channel, Channels, Colour, Matrix, Normalisation, Range};
pub use planes::{Picture, Plane, Planes, Subsampling};
pub use sizes::{MAX_SIDE, PictureError, SizedPlane};
