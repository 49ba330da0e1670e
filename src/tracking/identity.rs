//! The same subject on several cameras: tracks with like embeddings share an identity.
//!
//! Greedy and online: a track is given an identity once, after a few looks, the likest that no other
//! track holds in the same camera at that time. There is no memory limit by time and no knowledge of
//! which camera can follow which.

use crate::types::embedding::cosine;

/// Names a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackKey {
    /// Camera id.
    pub camera: String,
    /// Run in which it began.
    pub run: u32,
    /// Its number.
    pub number: u64,
}

/// What decides whether two tracks are one subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likeness {
    /// Least cosine of two mean embeddings of one subject, -1..1; depends on the ReID model.
    pub min_cosine: f32,
    /// Embeddings of a track before it is given an identity.
    pub looks: u32,
}

impl Default for Likeness {
    fn default() -> Self {
        Self { min_cosine: 0.6, looks: 3 }
    }
}

/// Most identities kept; the one not seen for longest makes room.
const MOST: usize = 10_000;

/// All identities seen so far.
#[derive(Debug, Default)]
pub struct Gallery {
    likeness: Likeness,
    identities: Vec<Identity>,
    tracks: Vec<Looks>,
    given: u64,
    clock: u64,
}

#[derive(Debug)]
struct Identity {
    number: u64,
    sum: Vec<f32>,
    last_seen: u64,
}

#[derive(Debug)]
struct Looks {
    key: TrackKey,
    sum: Vec<f32>,
    looks: u32,
    identity: Option<u64>,
}

impl Gallery {
    /// Empty.
    #[must_use]
    pub fn new(likeness: Likeness) -> Self {
        Self { likeness, ..Self::default() }
    }

    /// A track was looked at; its identity, from 1, once it has one. `embedding` has length 1.
    pub fn look(&mut self, key: &TrackKey, embedding: &[f32]) -> Option<u64> {
        self.clock += 1;
        let at = self.tracks.iter().position(|track| track.key == *key).unwrap_or_else(|| {
            self.tracks.push(Looks { key: key.clone(), sum: vec![0.0; embedding.len()], looks: 0, identity: None });
            self.tracks.len() - 1
        });
        let track = &mut self.tracks[at];
        if track.sum.len() != embedding.len() {
            return track.identity;
        }
        add(&mut track.sum, embedding);
        track.looks += 1;
        if track.looks < self.likeness.looks {
            return None;
        }
        let number = match track.identity {
            Some(number) => {
                self.note(number, embedding);
                number
            }
            None => {
                let sum = track.sum.clone();
                let number = self.likest(key, &sum).unwrap_or_else(|| self.new_identity(sum.len()));
                self.note(number, &sum);
                number
            }
        };
        self.tracks[at].identity = Some(number);
        Some(number)
    }

    /// The identity of a track; `None` where it has none yet or has ended.
    #[must_use]
    pub fn identity(&self, key: &TrackKey) -> Option<u64> {
        self.tracks.iter().find(|track| track.key == *key)?.identity
    }

    /// A track ended: another one in its camera may be the same subject from now on.
    pub fn end(&mut self, key: &TrackKey) {
        self.tracks.retain(|track| track.key != *key);
    }

    fn likest(&self, key: &TrackKey, sum: &[f32]) -> Option<u64> {
        let held = |number: u64| {
            self.tracks.iter().any(|other| other.identity == Some(number) && other.key.camera == key.camera)
        };
        self.identities
            .iter()
            .filter(|identity| !held(identity.number))
            .filter_map(|identity| cosine(&identity.sum, sum).map(|cosine| (cosine, identity.number)))
            .filter(|(cosine, _)| *cosine >= self.likeness.min_cosine)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
            .map(|(_, number)| number)
    }

    fn new_identity(&mut self, dim: usize) -> u64 {
        if self.identities.len() >= MOST
            && let Some(oldest) = (0..self.identities.len()).min_by_key(|at| self.identities[*at].last_seen)
        {
            self.identities.swap_remove(oldest);
        }
        self.given += 1;
        self.identities.push(Identity { number: self.given, sum: vec![0.0; dim], last_seen: self.clock });
        self.given
    }

    fn note(&mut self, number: u64, embedding: &[f32]) {
        let clock = self.clock;
        if let Some(identity) = self.identities.iter_mut().find(|identity| identity.number == number) {
            add(&mut identity.sum, embedding);
            identity.last_seen = clock;
        }
    }
}

fn add(sum: &mut [f32], embedding: &[f32]) {
    sum.iter_mut().zip(embedding).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(camera: &str, number: u64) -> TrackKey {
        TrackKey { camera: camera.to_owned(), run: 1, number }
    }

    const RED: [f32; 3] = [1.0, 0.0, 0.0];
    const REDDISH: [f32; 3] = [0.8, 0.6, 0.0];
    const BLUE: [f32; 3] = [0.0, 0.0, 1.0];

    #[test]
    fn like_tracks_of_two_cameras_share_an_identity() {
        let mut gallery = Gallery::new(Likeness { min_cosine: 0.7, looks: 1 });
        assert_eq!(gallery.look(&key("left", 1), &RED), Some(1));
        assert_eq!(gallery.look(&key("left", 2), &BLUE), Some(2));
        assert_eq!(gallery.look(&key("right", 1), &REDDISH), Some(1));
        assert_eq!(gallery.identity(&key("right", 1)), Some(1));
    }

    #[test]
    fn two_tracks_in_one_picture_are_two_subjects_until_one_ends() {
        let mut gallery = Gallery::new(Likeness { min_cosine: 0.7, looks: 1 });
        assert_eq!(gallery.look(&key("left", 1), &RED), Some(1));
        assert_eq!(gallery.look(&key("left", 2), &RED), Some(2), "however alike they are");
        gallery.end(&key("left", 1));
        assert_eq!(gallery.look(&key("left", 3), &RED), Some(1), "who left may come back");
    }

    #[test]
    fn an_identity_is_given_after_several_looks_and_kept() {
        let mut gallery = Gallery::new(Likeness { min_cosine: 0.7, looks: 3 });
        let track = key("left", 1);
        assert_eq!([RED, RED, RED, BLUE].map(|look| gallery.look(&track, &look)), [None, None, Some(1), Some(1)]);
        assert_eq!(gallery.look(&track, &[1.0]), Some(1), "an embedding of another length changes nothing");
    }
}
