//! An RTSP camera that misbehaves on request.
//!
//! [`FaultCamera`] serves recorded [`Clip`]s over RTSP 1.0 on the loopback interface, in real time and in a loop, over
//! TCP (interleaved) and UDP. The query of the URL picks what goes wrong on that connection: `clip?stall=3` stops
//! sending after three seconds, `clip?auth=digest` asks for a password, `clip` alone is a healthy camera. The list is
//! in [`faults`]. It uses no GStreamer, so it is an independent witness for a client that does.
//!
//! ```no_run
//! use fault_camera::{FaultCamera, clips};
//!
//! let camera = FaultCamera::start([clips::h264_320x240()]);
//! let url = camera.url("h264_320x240?close=2");
//! // ... point the program under test at `url` ...
//! camera.stop();
//! ```
//!
//! The parts: [`clip`] holds the media and [`clips`] makes it; `message` reads requests, `connection` answers them
//! with the help of `auth` and `sdp`; `stream` plays a clip through `track` (the RTP and RTCP of one medium), which
//! uses `payload` and `jpeg`; `session` is the socket they share and `camera` owns them all.

mod auth;
mod camera;
pub mod clip;
pub mod clips;
mod connection;
pub mod faults;
mod jpeg;
mod message;
mod payload;
mod random;
mod sdp;
mod session;
mod stream;
mod track;

pub use auth::{PASSWORD, USER};
pub use camera::FaultCamera;
pub use clip::{AccessUnit, Clip, Codec};
