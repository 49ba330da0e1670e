//! The configuration: [`load`] reads the file as written ([`file`]) and returns it as meant ([`Config`]).
//!
//! Layers, later ones first: environment variables (`WATCHKEEPER__RUNTIME__POLICY=any`), `conf.d/*.toml` beside the
//! file, the file, the defaults. Everything that is wrong is found in one pass and named with its place.

mod check;
mod coco;
mod diff;
mod document;
mod environment;
mod file;
mod layers;
mod load;
mod manifest;
mod meaning;
mod problem;
mod report;
mod resolve;
mod schema;
mod words;

pub use diff::Diff;
pub use load::{Loaded, load, load_for_engines, load_with_env};
pub use meaning::*;
pub use problem::{Location, Problem, Problems};
pub use resolve::{camera_from_url, models_by_name};
pub use schema::schema;
