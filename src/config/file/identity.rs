//! `[identity]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::meaning;
use crate::config::words::NAME;

/// Who is probably the same on several cameras, by what people look like. Without this section nobody is compared, and
/// what was stored before is deleted at the start.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Identity {
    /// Somebody who was not seen for longer is forgotten, seconds.
    #[schemars(range(min = 1, max = 31_536_000))]
    pub ttl_s: f64,
    /// Two tracks are told to be probably the same from this score up, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub min_score: f64,
    /// Embeddings kept at most; the oldest identity makes room.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub capacity: u64,
    /// Which camera can follow which. Without any, each can follow each at once.
    pub paths: Vec<Path>,
}

impl Default for Identity {
    fn default() -> Self {
        let meant = meaning::Identity::default();
        Self {
            ttl_s: meant.ttl.as_secs_f64(),
            min_score: super::short(meant.min_score),
            capacity: meant.capacity as u64,
            paths: Vec::new(),
        }
    }
}

/// A way from one camera to another.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["from", "to"]))]
pub(in crate::config) struct Path {
    /// The camera that somebody leaves.
    #[schemars(regex(pattern = NAME))]
    pub from: Option<String>,
    /// The camera that he comes to next. The way back is another path.
    #[schemars(regex(pattern = NAME))]
    pub to: Option<String>,
    /// Least time between the last sight on one and the first on the other, seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub min_s: f64,
    /// Most time between them, seconds.
    #[schemars(range(min = 0, max = 86_400))]
    pub max_s: f64,
    /// The two see the same place: somebody can be on both at once. Good for both directions.
    pub overlap: bool,
}

impl Default for Path {
    fn default() -> Self {
        Self { from: None, to: None, min_s: 0.0, max_s: 600.0, overlap: false }
    }
}
