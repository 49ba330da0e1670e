//! How good the answers are: metrics as the field computes them, and readers of ground truth.
//!
//! ```text
//! truth      ground truth and predictions from files
//! sequence   detections of a tracking benchmark with what belongs to them
//!    | Dataset, Frames
//! coco       AP and AR of boxes, masks and keypoints      (pycocotools)
//! tracking   HOTA, CLEAR MOT and identity scores          (TrackEval)
//! cross_camera   IDF1 of identities over all cameras of a site
//! reid       rank-k and mAP of embeddings                 (Market-1501)
//! divergence how far two engines' answers are from each other, without any truth
//!    | numbers
//! report     one table, one JSON document
//! ```
//!
//! Everything here is a function of its input: no clock, no thread, `f64` throughout, and equal input gives equal
//! output to the last bit. Boxes are `[x, y, w, h]` in pixels. A number that cannot be computed is absent, never -1.

pub mod assignment;
pub mod boxes;
pub mod coco;
pub mod cross_camera;
pub mod divergence;
pub mod polygon;
pub mod reid;
pub mod report;
pub mod sequence;
pub mod tracking;
pub mod truth;
