//! Plain data that every stage speaks: frames, boxes, detections, tracks, events, time.
//!
//! Nothing here does I/O, and nothing here knows GStreamer, ONNX Runtime or the config file.

pub mod camera_motion;
pub mod detection;
pub mod embedding;
pub mod event;
pub mod found;
pub mod frame;
pub mod geometry;
pub mod ground;
pub mod log;
pub mod mask;
pub mod objects;
pub mod observation;
pub mod pose;
pub mod schedule;
pub mod secret;
pub mod tensor;
pub mod time;
pub mod track;
