//! Plain data that every stage speaks: frames, boxes, detections, tracks, events, time.
//!
//! Nothing here does I/O, and nothing here knows GStreamer, ONNX Runtime or the config file.

pub mod detection;
pub mod event;
pub mod frame;
pub mod geometry;
pub mod log;
pub mod secret;
pub mod tensor;
pub mod time;
pub mod track;
