//! Watchkeeper: cameras in, events out.
//!
//! ```text
//! source      GStreamer: one pipeline per camera, rebuilt whole on failure
//!    | frame                            slot of one: the newest wins, replaced frames are counted
//! pipeline    camera thread: preprocess -> detection -> [reid] -> track -> [pose] [segmentation] [reid]
//!    | objects, events                  bounded channel: waits
//! outbox      numbers events -> sinks
//! ```
//!
//! The rooms, in the order a frame passes them:
//!
//! - [`config`]: the TOML file as written and as meant; everything wrong is found in one pass.
//! - [`source`]: cameras and recordings; deadlines, error classes, back-off.
//! - [`vision`]: frame to tensor; tensor to boxes, keypoints, masks, embeddings.
//! - [`inference`]: models, each loaded once; contexts, one set per camera.
//! - [`tracking`]: detections to tracks, and who is the same on several cameras.
//! - [`rules`]: tracks to what they do in zones, at lines and by themselves.
//! - [`pipeline`]: the threads that carry frames through these.
//! - [`track_log`]: what rules were told, kept on disk, so that new ones can be tried on the past.
//! - [`outbox`]: events, numbered, to their sinks.
//! - [`media`]: pictures of events, kept as long as asked.
//! - [`annotate`]: what was seen, drawn on the picture.
//! - [`eval`]: how good the answers are, as the field measures it.
//! - [`web`]: health, readiness and metrics over HTTP.
//! - [`telemetry`]: log lines, counters, progress.
//! - [`daemon`]: builds all of it from a config, runs it, drains it.
//! - [`cli`]: what the user types.
//! - [`types`]: the plain data they all speak.
//!
//! Dependencies point one way: `cli -> daemon -> pipeline -> {source inference vision tracking rules
//! track_log outbox media web annotate eval} -> {config telemetry} -> types`; `tests/layering.rs` holds that true.

#![forbid(unsafe_code)]

pub mod annotate;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod eval;
pub mod inference;
pub mod media;
pub mod outbox;
pub mod pipeline;
pub mod rules;
pub mod source;
pub mod telemetry;
pub mod track_log;
pub mod tracking;
pub mod types;
pub mod vision;
pub mod web;
