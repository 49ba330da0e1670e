//! What a gallery goes by.

use std::time::Duration;

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
    /// Most embeddings kept, all tracks together; the tracks not seen for longest make room.
    pub capacity: usize,
    /// Most embeddings kept of one track: good ones that differ.
    pub per_track: usize,
    /// How often opinions are revised.
    pub revise: Duration,
    /// How long after its end a track may still be moved to another identity.
    pub revisable: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3600),
            topology: Topology::default(),
            min_score: 0.5,
            looks: 2,
            capacity: 100_000,
            per_track: 8,
            revise: Duration::from_secs(1),
            revisable: Duration::from_secs(60),
        }
    }
}
