//! All identities seen so far.

use std::collections::BTreeMap;
use std::time::Duration;

use super::evidence::Others;
use super::ground::Relation;
use super::place::Path;
use super::{Counters, Fact, ForgottenBecause, Model, Opinion, Reasons, Rows, Settings, Sighting, TrackKey};

/// All identities seen so far.
#[derive(Clone, Debug)]
pub struct Gallery {
    pub(super) settings: Settings,
    pub(super) model: Model,
    /// Row by row the same as `rows`.
    pub(super) tracks: Vec<Track>,
    pub(super) rows: Rows,
    /// Those of this process.
    pub(super) index: BTreeMap<TrackKey, usize>,
    /// Tracks of each identity.
    pub(super) held: BTreeMap<u64, u32>,
    pub(super) labels: Vec<String>,
    pub(super) others: Others,
    /// By two cameras, in order.
    pub(super) relations: BTreeMap<(String, String), Relation>,
    pub(super) facts: Vec<Fact>,
    pub(super) counters: Counters,
    pub(super) clock: Duration,
    /// When opinions were last revised, and what is old was last looked for.
    pub(super) revised: Option<Duration>,
    pub(super) cleaned: Option<Duration>,
    /// When the youngest track of each camera began.
    pub(super) youngest: BTreeMap<String, Duration>,
}

/// What is known of one track. Its row is the direction of the sum of its embeddings, each weighed by its quality.
#[derive(Clone, Debug)]
pub(super) struct Track {
    pub(super) key: TrackKey,
    pub(super) label: u32,
    pub(super) since: Duration,
    pub(super) last: Duration,
    pub(super) looks: u32,
    /// Length of the sum.
    pub(super) length: f32,
    pub(super) identity: Option<u64>,
    pub(super) score: Option<f32>,
    pub(super) reasons: Option<Box<Reasons>>,
    pub(super) ended: bool,
    /// Of an earlier process, whose names of tracks may come again: it is not revised and found by no name.
    pub(super) before: bool,
    pub(super) path: Path,
    /// Identities of older tracks that look like it, and when that was looked up, with how many looks.
    pub(super) older: Vec<Older>,
    pub(super) searched: Option<(Duration, u32)>,
    /// Its looks when it last told how like different subjects are.
    pub(super) told: u32,
}

/// An identity's tracks that are not revised any more, compared with a track.
#[derive(Clone, Debug)]
pub(super) struct Older {
    pub(super) identity: u64,
    /// Mean of the cosines.
    pub(super) likeness: f32,
    /// The likest.
    pub(super) with: TrackKey,
}

impl Track {
    /// Seen at the same time.
    pub(super) fn meets(&self, other: &Self) -> bool {
        self.since <= other.last && other.since <= self.last
    }

    /// Which of two makes room first.
    fn goes_before(&self, other: &Self) -> std::cmp::Ordering {
        let ended = other.ended.cmp(&self.ended);
        ended.then(self.last.cmp(&other.last)).then_with(|| self.key.cmp(&other.key))
    }
}

/// Least weight of an embedding: a bad one is better than none.
const LEAST_QUALITY: f32 = 0.01;

impl Gallery {
    /// Empty.
    #[must_use]
    pub fn new(settings: Settings, model: Model) -> Self {
        let rows = Rows::new(model.dim);
        Self {
            settings,
            model,
            tracks: Vec::new(),
            rows,
            index: BTreeMap::new(),
            held: BTreeMap::new(),
            labels: Vec::new(),
            others: Others::default(),
            relations: BTreeMap::new(),
            facts: Vec::new(),
            counters: Counters::default(),
            clock: Duration::ZERO,
            revised: None,
            cleaned: None,
            youngest: BTreeMap::new(),
        }
    }

    /// A track was seen. It is held from its first embedding on.
    pub fn see(&mut self, sighting: &Sighting<'_>) {
        self.clock = self.clock.max(sighting.time);
        self.counters.sightings += 1;
        if sighting.time + self.settings.revisable < self.clock {
            self.counters.late += 1;
            return;
        }
        let embedding = sighting.embedding.filter(|embedding| self.is_sound(embedding));
        self.counters.refused += u64::from(sighting.embedding.is_some() && embedding.is_none());
        let at = match (self.index.get(sighting.track), embedding) {
            (Some(at), _) => *at,
            (None, Some(_)) => self.add(sighting),
            (None, None) => return,
        };
        self.found_again(at, sighting.time);
        let track = &mut self.tracks[at];
        track.since = track.since.min(sighting.since);
        track.last = track.last.max(sighting.time);
        track.ended = false;
        if let Some(place) = sighting.place.filter(|place| place.x.is_finite() && place.y.is_finite()) {
            track.path.add(sighting.time, place);
        }
        let Some(embedding) = embedding else { return };
        let quality =
            if sighting.quality.is_finite() { sighting.quality.clamp(LEAST_QUALITY, 1.0) } else { LEAST_QUALITY };
        let row = self.rows.get_mut(at);
        let mut square = 0.0;
        for (value, new) in row.iter_mut().zip(embedding) {
            *value = *value * track.length + quality * new;
            square += *value * *value;
        }
        track.length = square.sqrt().max(1e-6);
        row.iter_mut().for_each(|value| *value /= track.length);
        track.looks = track.looks.saturating_add(1);
    }

    /// A track is over; it was last seen when [`Self::see`] last said so.
    pub fn end(&mut self, key: &TrackKey) {
        if let Some(at) = self.index.get(key) {
            self.tracks[*at].ended = true;
        }
    }

    /// Time went on: opinions are revised where that is due, and who was not seen for the time to live is forgotten.
    pub fn advance(&mut self, time: Duration) {
        self.clock = self.clock.max(time);
        let due = |last: Option<Duration>, every: Duration| last.is_none_or(|last| self.clock >= last + every);
        let clean = due(self.cleaned, self.settings.revise.max(self.settings.ttl / 100));
        if due(self.revised, self.settings.revise) {
            self.revise();
        }
        if clean {
            self.clean();
        }
    }

    /// Revises all opinions now, whether that is due or not; where nothing more will come.
    pub fn settle(&mut self) {
        self.revise();
        self.clean();
    }

    /// The facts since this was last called, in order. Those of one call of [`Self::advance`] belong together.
    pub fn facts(&mut self) -> std::vec::Drain<'_, Fact> {
        self.facts.drain(..)
    }

    /// Whom a track is taken for; `None` where nothing is known of it yet or any more.
    #[must_use]
    pub fn identity(&self, key: &TrackKey) -> Option<Opinion> {
        let track = self.tracks.get(*self.index.get(key)?)?;
        Some(Opinion { identity: track.identity?, score: track.score, reasons: track.reasons.as_deref().cloned() })
    }

    /// What it holds and did.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let (tracks, embeddings) = (self.tracks.len() as u64, self.rows.len() as u64);
        Counters { identities: self.held.len() as u64, tracks, embeddings, ..self.counters }
    }

    /// Numbers up to this one were given, too, by someone whose identities are lost.
    pub fn given_before(&mut self, number: u64) {
        self.counters.given = self.counters.given.max(number);
    }

    /// Nothing that is known is of later than `now`: where the clock that times come from went back since.
    pub fn no_later_than(&mut self, now: Duration) {
        self.clock = self.clock.min(now);
        for track in &mut self.tracks {
            track.since = track.since.min(now);
            track.last = track.last.min(now);
        }
        self.youngest.values_mut().for_each(|time| *time = (*time).min(now));
        (self.revised, self.cleaned) = (None, None);
    }

    /// Other embeddings come from now on: forgets everything but which numbers were given.
    pub fn change_model(&mut self, model: Model) {
        self.model = model;
        self.forget_all();
    }

    /// Forgets everything but which numbers were given, and says so of each identity.
    pub fn forget_all(&mut self) {
        let (time, because) = (self.clock, ForgottenBecause::Asked);
        let identities = std::mem::take(&mut self.held).into_keys();
        self.facts.extend(identities.map(|identity| Fact::Forgotten { time, identity, because }));
        self.tracks = Vec::new();
        self.rows = Rows::new(self.model.dim);
        self.index.clear();
        self.others = Others::default();
        self.relations.clear();
        self.youngest.clear();
    }

    /// Where a track is found again after another one of its camera was taken for the same subject, opinions are
    /// revised at the next chance: who is seen at the same time is not the same.
    fn found_again(&mut self, at: usize, time: Duration) {
        let track = &self.tracks[at];
        let before = track.last;
        if self.youngest.get(&track.key.camera).is_none_or(|youngest| *youngest <= before) || time <= before {
            return;
        }
        let contradicts = self.tracks.iter().any(|other| {
            other.identity == track.identity
                && other.key.camera == track.key.camera
                && other.since > before
                && other.since <= time
        });
        if track.identity.is_some() && contradicts {
            self.revised = None;
        }
    }

    /// A number never used before.
    pub(super) fn give(&mut self) -> u64 {
        self.counters.given += 1;
        self.counters.given
    }

    /// Can one camera's track be the same subject as another's, by time, class and topology?
    pub(super) fn possible(&self, a: &Track, b: &Track) -> bool {
        a.label == b.label && (!a.meets(b) || self.settings.topology.at_once(&a.key.camera, &b.key.camera))
    }

    fn is_sound(&self, embedding: &[f32]) -> bool {
        let square: f32 = embedding.iter().map(|v| v * v).sum();
        embedding.len() == self.model.dim && (square - 1.0).abs() < 0.01
    }

    fn add(&mut self, sighting: &Sighting<'_>) -> usize {
        if self.tracks.len() >= self.settings.capacity.max(1) {
            self.make_room();
        }
        let label = self.labels.iter().position(|label| label == sighting.label).unwrap_or_else(|| {
            self.labels.push(sighting.label.to_owned());
            self.labels.len() - 1
        });
        let youngest = self.youngest.entry(sighting.track.camera.clone()).or_default();
        *youngest = (*youngest).max(sighting.since);
        let at = self.tracks.len();
        self.index.insert(sighting.track.clone(), at);
        self.rows.push(&[]);
        self.tracks.push(Track {
            key: sighting.track.clone(),
            label: label as u32,
            since: sighting.since.min(sighting.time),
            last: sighting.time,
            looks: 0,
            length: 0.0,
            identity: None,
            score: None,
            reasons: None,
            ended: false,
            before: false,
            path: Path::default(),
            older: Vec::new(),
            searched: None,
            told: 0,
        });
        at
    }

    /// The track not seen for longest goes.
    pub(super) fn make_room(&mut self) {
        let oldest = |(_, a): &(usize, &Track), (_, b): &(usize, &Track)| a.goes_before(b);
        let Some((at, _)) = self.tracks.iter().enumerate().min_by(oldest) else { return };
        self.evict(at);
    }

    /// As [`Self::make_room`] for all that is more than the capacity, looked for once.
    pub(super) fn drop_surplus(&mut self) {
        let surplus = self.tracks.len().saturating_sub(self.settings.capacity.max(1));
        if surplus == 0 {
            return;
        }
        let mut oldest: Vec<usize> = (0..self.tracks.len()).collect();
        oldest.sort_by(|a, b| self.tracks[*a].goes_before(&self.tracks[*b]));
        oldest.truncate(surplus);
        // From the end: who takes the place of one that goes has been looked at.
        oldest.sort_unstable_by(|a, b| b.cmp(a));
        oldest.into_iter().for_each(|at| self.evict(at));
    }

    fn evict(&mut self, at: usize) {
        let gone = self.remove(at).identity;
        self.counters.evicted += 1;
        let Some(identity) = gone else { return };
        if !self.held.contains_key(&identity) {
            let because = ForgottenBecause::Capacity;
            self.facts.push(Fact::Forgotten { time: self.clock, identity, because });
        }
    }

    /// Takes a track out; the last takes its place.
    pub(super) fn remove(&mut self, at: usize) -> Track {
        self.rows.swap_remove(at);
        let gone = self.tracks.swap_remove(at);
        if !gone.before {
            self.index.remove(&gone.key);
        }
        if let Some(moved) = self.tracks.get(at).filter(|moved| !moved.before) {
            self.index.insert(moved.key.clone(), at);
        }
        self.count(gone.identity, None);
        gone
    }

    /// Moves a track from one identity to another.
    pub(super) fn assign(&mut self, at: usize, identity: u64) {
        let before = self.tracks[at].identity.replace(identity);
        self.count(before, Some(identity));
    }

    pub(super) fn count(&mut self, from: Option<u64>, to: Option<u64>) {
        if let Some(to) = to {
            *self.held.entry(to).or_default() += 1;
        }
        if let Some(from) = from
            && let Some(count) = self.held.get_mut(&from)
        {
            *count -= 1;
            if *count == 0 {
                self.held.remove(&from);
            }
        }
    }

    /// Forgets who was not seen for the time to live, and what identities have enough of.
    fn clean(&mut self) {
        self.cleaned = Some(self.clock);
        let mut of: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
        for (at, track) in self.tracks.iter().enumerate() {
            of.entry(track.identity).or_default().push(at);
        }
        let old = |at: &usize| self.tracks[*at].last + self.settings.ttl < self.clock;
        let mut gone: Vec<usize> = Vec::new();
        let (mut expired, mut thinned) = (Vec::new(), 0);
        for (identity, mut tracks) in of {
            match identity {
                None => gone.extend(tracks.into_iter().filter(old)),
                Some(identity) if tracks.iter().all(old) => {
                    expired.push(identity);
                    gone.extend(tracks);
                }
                Some(_) => {
                    let over = tracks.len().saturating_sub(self.settings.per_identity.max(1));
                    tracks.sort_by_key(|at| self.tracks[*at].last);
                    let over = tracks.into_iter().take(over).filter(|at| !self.is_open(&self.tracks[*at]));
                    let before = gone.len();
                    gone.extend(over);
                    thinned += (gone.len() - before) as u64;
                }
            }
        }
        gone.sort_unstable();
        for at in gone.into_iter().rev() {
            self.remove(at);
        }
        self.counters.thinned += thinned;
        self.counters.expired += expired.len() as u64;
        let (time, because) = (self.clock, ForgottenBecause::TimeToLive);
        self.facts.extend(expired.into_iter().map(|identity| Fact::Forgotten { time, identity, because }));
    }

    /// Seen lately enough to be moved to another identity.
    pub(super) fn is_open(&self, track: &Track) -> bool {
        !track.before && track.last + self.settings.revisable >= self.clock
    }
}
