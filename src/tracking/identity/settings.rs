//! What a gallery goes by.

use std::time::Duration;

use super::evidence::Weights;
use super::topology::Topology;

/// Settings of a [`Gallery`](super::Gallery), in seconds and ratios: they hold for any rate of looking.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long an identity is remembered after it was last seen.
    pub ttl: Duration,
    /// Which camera can follow which, and how fast.
    pub topology: Topology,
    /// Least score of "probable same", 0..1.
    pub min_score: f32,
    /// Embeddings of a track before it is compared with others.
    pub looks: u32,
    /// Most embeddings kept, one a track; the tracks not seen for longest make room.
    pub capacity: usize,
    /// Most tracks kept of one identity, one embedding each; the oldest make room.
    pub per_identity: usize,
    /// How often opinions are revised.
    pub revise: Duration,
    /// How long after its end a track may still be moved to another identity.
    pub revisable: Duration,
    /// What evidence counts.
    pub weights: Weights,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3600),
            topology: Topology::default(),
            min_score: 0.5,
            looks: 2,
            capacity: 100_000,
            per_identity: 32,
            revise: Duration::from_millis(500),
            revisable: Duration::from_secs(60),
            weights: Weights::default(),
        }
    }
}
