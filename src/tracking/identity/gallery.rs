//! All identities seen so far.

use std::time::Duration;

use super::{Counters, Fact, Model, Opinion, Path, Reasons, Settings, Sighting, TrackKey};

/// Why what was kept cannot be used. Nothing of it was taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// Not the beginning of such a file.
    #[error("these are no identities: the first bytes are not \"WKID\"")]
    NotIdentities,
    /// Written by another version.
    #[error("identities in format {found}; this version reads format {known}")]
    Version {
        /// That it says.
        found: u32,
        /// That can be read.
        known: u32,
    },
    /// Cut short or changed.
    #[error("identities are damaged: {0}")]
    Damaged(&'static str),
    /// Of another ReID model: its embeddings mean something else.
    #[error(
        "identities of ReID model {found} cannot be compared with those of {wanted}; forget them or go back to that model"
    )]
    OtherModel {
        /// Digest and length of those kept.
        found: String,
        /// Digest and length of those to come.
        wanted: String,
    },
}

/// All identities seen so far.
#[derive(Debug)]
pub struct Gallery {
    settings: Settings,
    model: Model,
    identities: Vec<Identity>,
    tracks: Vec<Looks>,
    facts: Vec<Fact>,
    counters: Counters,
    clock: Duration,
}

#[derive(Debug)]
struct Identity {
    number: u64,
    sum: Vec<f32>,
    last: TrackKey,
    last_seen: Duration,
}

#[derive(Debug)]
struct Looks {
    key: TrackKey,
    sum: Vec<f32>,
    looks: u32,
    opinion: Option<Opinion>,
}

impl Gallery {
    /// Empty.
    #[must_use]
    pub fn new(settings: Settings, model: Model) -> Self {
        Self {
            settings,
            model,
            identities: Vec::new(),
            tracks: Vec::new(),
            facts: Vec::new(),
            counters: Counters::default(),
            clock: Duration::ZERO,
        }
    }

    /// A track was seen.
    pub fn see(&mut self, sighting: &Sighting<'_>) {
        self.clock = self.clock.max(sighting.time);
        self.counters.sightings += 1;
        let Some(embedding) = sighting.embedding else { return };
        if embedding.len() != self.model.dim {
            self.counters.refused += 1;
            return;
        }
        let key = sighting.track;
        let at = self.tracks.iter().position(|track| track.key == *key).unwrap_or_else(|| {
            self.tracks.push(Looks { key: key.clone(), sum: vec![0.0; embedding.len()], looks: 0, opinion: None });
            self.tracks.len() - 1
        });
        let track = &mut self.tracks[at];
        add(&mut track.sum, embedding);
        track.looks += 1;
        if track.looks < self.settings.looks {
            return;
        }
        if let Some(opinion) = &track.opinion {
            let number = opinion.identity;
            self.note(number, embedding, key);
            return;
        }
        let (sum, looks) = (track.sum.clone(), track.looks);
        let opinion = match self.likest(key, &sum) {
            Some((likeness, number, with, last_seen)) => {
                let reasons = Reasons {
                    with,
                    likeness,
                    gap_s: sighting.since.as_secs_f32() - last_seen.as_secs_f32(),
                    path: Path::Open,
                    looks,
                    margin: None,
                    ground: None,
                };
                self.facts.push(Fact::ProbablySame {
                    time: self.clock,
                    identity: number,
                    track: key.clone(),
                    score: likeness.max(0.0),
                    reasons: reasons.clone(),
                });
                Opinion { identity: number, score: Some(likeness.max(0.0)), reasons: Some(reasons) }
            }
            None => {
                self.counters.given += 1;
                let number = self.counters.given;
                let identity = Identity { number, sum: vec![0.0; sum.len()], last: key.clone(), last_seen: self.clock };
                self.identities.push(identity);
                self.facts.push(Fact::New { time: self.clock, identity: number, track: key.clone() });
                Opinion { identity: number, score: None, reasons: None }
            }
        };
        self.note(opinion.identity, &sum, key);
        self.tracks[at].opinion = Some(opinion);
    }

    /// A track is over; it was last seen when [`Self::see`] last said so.
    pub fn end(&mut self, key: &TrackKey) {
        self.tracks.retain(|track| track.key != *key);
    }

    /// Time went on: opinions are revised where that is due, and who was not seen for the time to live is forgotten.
    pub fn advance(&mut self, time: Duration) {
        self.clock = self.clock.max(time);
    }

    /// Revises all opinions now, whether that is due or not; where nothing more will come.
    pub fn settle(&mut self) {}

    /// The facts since this was last called, in order.
    pub fn facts(&mut self) -> std::vec::Drain<'_, Fact> {
        self.facts.drain(..)
    }

    /// Whom a track is taken for; `None` where nothing is known of it yet or any more.
    #[must_use]
    pub fn identity(&self, key: &TrackKey) -> Option<Opinion> {
        self.tracks.iter().find(|track| track.key == *key)?.opinion.clone()
    }

    /// What it holds and did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { identities: self.identities.len() as u64, tracks: self.tracks.len() as u64, ..self.counters }
    }

    /// All that has to outlive the process, as bytes for [`Self::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        [b"WKID".as_slice(), &0_u32.to_le_bytes(), &self.counters.given.to_le_bytes()].concat()
    }

    /// What [`Self::snapshot`] gave. All tracks in it have ended.
    ///
    /// # Errors
    /// Bytes that are damaged, of another version, or of another model.
    pub fn restore(settings: Settings, model: Model, bytes: &[u8]) -> Result<Self, RestoreError> {
        if !bytes.starts_with(b"WKID") {
            return Err(RestoreError::NotIdentities);
        }
        let given = bytes.get(8..16).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let mut gallery = Self::new(settings, model);
        gallery.counters.given = given.ok_or(RestoreError::Damaged("cut short"))?;
        Ok(gallery)
    }

    /// Other embeddings come from now on: forgets everything but which numbers were given.
    pub fn change_model(&mut self, model: Model) {
        self.forget_all();
        self.model = model;
    }

    /// Forgets everything but which numbers were given.
    pub fn forget_all(&mut self) {
        self.identities.clear();
        self.tracks.clear();
        self.facts.clear();
    }

    fn likest(&self, key: &TrackKey, sum: &[f32]) -> Option<(f32, u64, TrackKey, Duration)> {
        let held = |number: u64| {
            self.tracks.iter().any(|other| {
                other.opinion.as_ref().is_some_and(|opinion| opinion.identity == number)
                    && other.key.camera == key.camera
            })
        };
        self.identities
            .iter()
            .filter(|identity| !held(identity.number))
            .map(|identity| {
                let length = (dot(&identity.sum, &identity.sum) * dot(sum, sum)).sqrt();
                let likeness = dot(&identity.sum, sum) / length.max(1e-9);
                (likeness, identity.number, identity.last.clone(), identity.last_seen)
            })
            .filter(|(likeness, ..)| *likeness >= 0.6)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
    }

    fn note(&mut self, number: u64, embedding: &[f32], key: &TrackKey) {
        let clock = self.clock;
        if let Some(identity) = self.identities.iter_mut().find(|identity| identity.number == number) {
            add(&mut identity.sum, embedding);
            identity.last_seen = clock;
            identity.last = key.clone();
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(sum: &mut [f32], embedding: &[f32]) {
    sum.iter_mut().zip(embedding).for_each(|(sum, value)| *sum += value);
}
