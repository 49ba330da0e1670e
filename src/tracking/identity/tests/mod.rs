//! Small made-up scenes.

mod keeping;
mod opinions;
mod properties;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;

/// Numbers in an embedding.
const DIM: usize = 16;

fn key(camera: &str, number: u64) -> TrackKey {
    TrackKey { camera: camera.to_owned(), run: 1, number }
}

fn seconds(time: f64) -> Duration {
    Duration::from_secs_f64(time)
}

fn model() -> Model {
    Model { digest: "sha256:0a1b".to_owned(), dim: DIM }
}

/// What somebody looks like; `like` 0..1 makes him look like the next one.
fn looks(person: usize, like: f32) -> Vec<f32> {
    let mut looks = vec![0.0; DIM];
    looks[person % DIM] = (1.0 - like * like).sqrt();
    looks[(person + 1) % DIM] = like;
    looks
}

/// A gallery, and somebody who only applies its facts.
struct Scene {
    gallery: Gallery,
    told: BTreeMap<TrackKey, u64>,
    /// Numbers that came up as new.
    begun: BTreeSet<u64>,
    facts: Vec<Fact>,
    since: BTreeMap<TrackKey, f64>,
}

impl Scene {
    fn new(settings: Settings) -> Self {
        Self::of(Gallery::new(settings, model()))
    }

    fn of(gallery: Gallery) -> Self {
        let (told, begun, facts, since) = Default::default();
        Self { gallery, told, begun, facts, since }
    }

    fn see_at(&mut self, time: f64, track: &TrackKey, looks: &[f32], place: Option<Place>) {
        let since = *self.since.entry(track.clone()).or_insert(time);
        self.gallery.see(&Sighting {
            track,
            time: seconds(time),
            since: seconds(since),
            label: "person",
            embedding: Some(looks),
            quality: 1.0,
            place,
        });
    }

    fn see(&mut self, time: f64, track: &TrackKey, looks: &[f32]) {
        self.see_at(time, track, looks, None);
    }

    /// Sees tracks twice a second from `from` until `to`.
    fn watch(&mut self, from: f64, to: f64, tracks: &[(TrackKey, Vec<f32>)]) {
        let mut time = from;
        while time <= to {
            for (track, looks) in tracks {
                self.see(time, track, looks);
            }
            self.advance(time);
            time += 0.5;
        }
    }

    /// Applies the facts, and finds that they say what the gallery says.
    fn advance(&mut self, time: f64) {
        self.gallery.advance(seconds(time));
        self.apply();
    }

    fn apply(&mut self) {
        let facts: Vec<Fact> = self.gallery.facts().collect();
        for fact in &facts {
            match fact {
                Fact::New { identity, track, .. } => {
                    assert!(self.begun.insert(*identity), "{identity} was used before");
                    self.told.insert(track.clone(), *identity);
                }
                Fact::ProbablySame { identity, track, score, .. } => {
                    assert!((0.0..=1.0).contains(score), "{fact:?}");
                    assert!(self.told.insert(track.clone(), *identity).is_none(), "{fact:?}");
                }
                Fact::Merged { kept, gone, tracks, .. } => {
                    assert!(tracks.iter().all(|track| self.told.get(track) == Some(gone)), "{fact:?}");
                    self.told.values_mut().filter(|told| *told == gone).for_each(|told| *told = *kept);
                }
                Fact::Split { from, new, tracks, .. } => {
                    assert!(self.begun.insert(*new), "{new} was used before");
                    for track in tracks {
                        assert_eq!(self.told.insert(track.clone(), *new), Some(*from), "{fact:?}");
                    }
                }
                Fact::Forgotten { identity, .. } => self.told.retain(|_, told| told != identity),
            }
        }
        self.facts.extend(facts);
        for (track, told) in &self.told {
            // Of an identity that goes on, old tracks may be dropped without a word.
            if let Some(opinion) = self.gallery.identity(track) {
                assert_eq!(opinion.identity, *told, "{track:?}");
            }
        }
    }

    fn identity(&self, track: &TrackKey) -> Option<u64> {
        self.gallery.identity(track).map(|opinion| opinion.identity)
    }
}
