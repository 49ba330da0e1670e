//! A seeded little world: a plaza with people, bicycles and cars, seen by four calibrated cameras, rendered to frames
//! with exact ground truth. The same seed gives the same bytes.
//!
//! ```
//! use streetscene::{Options, View, World};
//!
//! let mut world = World::new(&Options { seed: 7, ..Options::default() });
//! let mut view = View::new(&world, 0);
//! world.advance_to(1.0);
//! let frame = view.render(&world, 1);
//! assert_eq!(frame.rgba.len(), 640 * 360 * 4);
//! assert_eq!(view.truth().frame, 1);
//! ```
//!
//! The parts: [`world`] moves people ([`walker`]) and cars ([`traffic`]) over a plan ([`site`]) and notes who crosses
//! which zone or line ([`regions`]); [`view`] draws them ([`person`] from [`pose`] and [`look`], [`car`], [`bicycle`],
//! with [`raster`] and [`patch`]) over a fixed picture ([`backdrop`], [`furniture`]) under a [`light`]; [`truth`] is what is known of
//! a frame, and [`output`] writes it. With the feature `gstreamer`, `video` writes MP4 files and `serve` plays the
//! cameras live over RTSP.

pub mod backdrop;
pub mod bicycle;
pub mod car;
pub mod color;
pub mod furniture;
pub mod geometry;
pub mod light;
pub mod look;
pub mod output;
pub mod patch;
pub mod person;
pub mod pose;
pub mod raster;
pub mod regions;
pub mod rng;
#[cfg(feature = "gstreamer")]
pub mod serve;
mod shade;
mod shadow;
pub mod site;
pub mod traffic;
pub mod truth;
#[cfg(feature = "gstreamer")]
pub mod video;
pub mod view;
pub mod walker;
pub mod world;

pub use light::Light;
pub use truth::{CameraInfo, Crossing, FrameTruth};
pub use view::{Frame, View};
pub use world::{Options, World};
