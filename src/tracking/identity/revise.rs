//! Opinions revised: which of the tracks seen lately belong together, and to whom of earlier.

use std::collections::{BTreeMap, BTreeSet};

use super::Reasons;
use super::cluster::{NEVER, Pairs, cluster};
use super::evidence;
use super::gallery::{Gallery, Older, Track};

/// Most tracks compared with each other at a time; those seen last.
const MOST: usize = 1024;
/// Most nodes of a revision, whose memory grows with their square; whom tracks belong to comes on top where it must.
const MOST_NODES: usize = 1536;
/// Sums over one identity's tracks, of all tracks searched for at a time.
const SUMS: usize = 1 << 21;
/// Most tracks searched for at a time: each row is read from memory once for all of them.
const AT_ONCE: usize = 16;
/// Identities of earlier that a track is compared with.
const OLDER: usize = 8;
/// What tracks of earlier weigh at most, in tracks.
const OLDER_WEIGHT: f32 = 3.0;
/// Log odds by looks alone above which two tracks teach where the ground is.
const TEACHES: f32 = 0.5;

/// What a revision goes over: tracks seen lately, then identities with older tracks.
pub(super) struct Nodes {
    /// Places in the gallery.
    pub(super) tracks: Vec<usize>,
    pub(super) older: Vec<u64>,
}

/// A group of nodes, and what its tracks' opinions rest on.
pub(super) struct Group {
    pub(super) tracks: Vec<usize>,
    pub(super) older: Option<u64>,
}

impl Gallery {
    pub(super) fn revise(&mut self) {
        self.revised = Some(self.clock);
        let open = self.open();
        self.learn_others(&open);
        self.search(&open);
        let tracks = open.iter().map(|at| &self.tracks[*at]);
        let meant: BTreeSet<u64> = tracks
            .flat_map(|track| track.identity.into_iter().chain(track.older.iter().map(|older| older.identity)))
            .collect();
        let mut fixed = self.fixed(&meant, &open);
        self.leave_out(&open, &mut fixed);
        let nodes = Nodes { tracks: open, older: fixed.keys().copied().collect() };
        let (plain, kept) = self.pairs(&nodes, &fixed);
        let mut weight = vec![1.0; nodes.tracks.len()];
        weight.extend(nodes.older.iter().map(|identity| (fixed[identity].len() as f32).min(OLDER_WEIGHT)));
        let stop = evidence::log_odds(self.settings.min_score);
        let found = cluster(&kept, &weight, stop, |a, b| self.in_turn(&nodes, &fixed, a, b));
        self.learn_ground(&nodes, &found, &plain);
        let groups: Vec<Group> = found.iter().map(|group| group_of(&nodes, group)).collect();
        self.judge(&nodes, &found, &plain, &fixed);
        self.name(&groups);
        self.close();
    }

    /// Tracks seen lately and often enough, in order of their beginning.
    fn open(&mut self) -> Vec<usize> {
        let mut open: Vec<usize> = (0..self.tracks.len())
            .filter(|at| self.is_open(&self.tracks[*at]) && self.tracks[*at].looks >= self.settings.looks.max(1))
            .collect();
        if open.len() > MOST {
            open.sort_by_key(|at| std::cmp::Reverse(self.tracks[*at].last));
            self.counters.postponed += (open.len() - MOST) as u64;
            open.truncate(MOST);
        }
        open.sort_by(|a, b| {
            let (a, b) = (&self.tracks[*a], &self.tracks[*b]);
            a.since.cmp(&b.since).then_with(|| a.key.cmp(&b.key))
        });
        open
    }

    /// Tracks of some identities that are not revised now, by identity: those of earlier, and those postponed.
    fn fixed(&self, identities: &BTreeSet<u64>, open: &[usize]) -> BTreeMap<u64, Vec<usize>> {
        let mut revised = vec![false; self.tracks.len()];
        open.iter().for_each(|at| revised[*at] = true);
        let mut fixed: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, track) in self.tracks.iter().enumerate().filter(|(at, _)| !revised[*at]) {
            if let Some(identity) = track.identity.filter(|identity| identities.contains(identity)) {
                fixed.entry(identity).or_default().push(at);
            }
        }
        fixed
    }

    /// Where there are too many nodes, the less like identities go first; whom a track belongs to stays.
    pub(super) fn leave_out(&mut self, open: &[usize], fixed: &mut BTreeMap<u64, Vec<usize>>) {
        if open.len() + fixed.len() <= MOST_NODES {
            return;
        }
        let own = open.iter().filter_map(|at| self.tracks[*at].identity);
        let mut stay: BTreeSet<u64> = own.filter(|identity| fixed.contains_key(identity)).collect();
        let found = open.iter().flat_map(|at| self.tracks[*at].older.iter().enumerate());
        let mut found: Vec<(usize, f32, u64)> =
            found.map(|(rank, older)| (rank, older.likeness, older.identity)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
        for (_, _, identity) in found {
            if open.len() + stay.len() >= MOST_NODES {
                break;
            }
            stay.insert(identity);
        }
        let before = fixed.len();
        fixed.retain(|identity, _| stay.contains(identity));
        self.counters.left_out += (before - fixed.len()) as u64;
    }

    /// How like those are who are different for certain: seen by one camera at one time. A pair counts each time that
    /// one of the two was looked at twice as often as when it last counted: it does not outweigh the others by staying.
    fn learn_others(&mut self, open: &[usize]) {
        let mut others = self.others;
        let due: Vec<bool> = open.iter().map(|at| self.tracks[*at].looks >= 2 * self.tracks[*at].told).collect();
        for (n, a) in open.iter().enumerate() {
            for (m, b) in open.iter().enumerate().skip(n + 1) {
                let (one, other) = (&self.tracks[*a], &self.tracks[*b]);
                let at_once = one.key.camera == other.key.camera && one.label == other.label && one.meets(other);
                if at_once && (due[n] || due[m]) {
                    others.add(self.likeness(*a, *b));
                }
            }
        }
        self.others = others;
        for (at, _) in open.iter().zip(due).filter(|(_, due)| *due) {
            self.tracks[*at].told = self.tracks[*at].looks;
        }
    }

    fn likeness(&self, a: usize, b: usize) -> f32 {
        crate::types::embedding::cosine(self.rows.get(a), self.rows.get(b)).unwrap_or(0.0)
    }

    /// Compares tracks with all that are not revised any more, where that is due.
    fn search(&mut self, open: &[usize]) {
        let due = |track: &Track| {
            track.searched.is_none_or(|(time, looks)| {
                track.looks >= 2 * looks || time + self.settings.revisable / 4 <= self.clock
            })
        };
        let asking: Vec<usize> = open.iter().copied().filter(|at| due(&self.tracks[*at])).collect();
        if asking.is_empty() {
            return;
        }
        let identity_of = |track: &Track| track.identity.filter(|_| !self.is_open(track));
        let mut identities: Vec<u64> = self.tracks.iter().filter_map(identity_of).collect();
        identities.sort_unstable();
        identities.dedup();
        let slot_of = |identity| identities.binary_search(&identity).ok();
        let slots: Vec<Option<usize>> = self.tracks.iter().map(|track| identity_of(track).and_then(slot_of)).collect();
        let at_once = (SUMS / identities.len().max(1)).clamp(1, AT_ONCE);
        let mut sums: Vec<Sum> = Vec::new();
        for asking in asking.chunks(at_once) {
            sums.clear();
            sums.resize(asking.len() * identities.len(), Sum::default());
            if !identities.is_empty() {
                let queries: Vec<&[f32]> = asking.iter().map(|at| self.rows.get(*at)).collect();
                self.rows.search(&queries, |query, row, likeness| {
                    let Some(slot) = slots.get(row).copied().flatten() else { return };
                    sums[query * identities.len() + slot].add(row, likeness);
                });
            }
            for (n, at) in asking.iter().enumerate() {
                let sums = &sums[n * identities.len()..][..identities.len()];
                let older = likest(sums).into_iter().map(|slot| Older {
                    identity: identities[slot],
                    likeness: sums[slot].mean(),
                    with: self.tracks[sums[slot].with].key.clone(),
                });
                let older = older.collect();
                let track = &mut self.tracks[*at];
                track.older = older;
                track.searched = Some((self.clock, track.looks));
            }
        }
    }

    /// Log odds of all pairs of nodes: as the evidence is, and with what speaks for staying together.
    fn pairs(&self, nodes: &Nodes, fixed: &BTreeMap<u64, Vec<usize>>) -> (Pairs, Pairs) {
        let count = nodes.tracks.len() + nodes.older.len();
        let (mut plain, mut kept) = (Pairs::new(count), Pairs::new(count));
        let mut set = |a: usize, b: usize, odds: f32, together: bool| {
            plain.set(a, b, odds);
            kept.set(a, b, odds + if together { self.settings.weights.stay } else { 0.0 });
        };
        for (i, a) in nodes.tracks.iter().enumerate() {
            let one = &self.tracks[*a];
            for (j, b) in nodes.tracks.iter().enumerate().skip(i + 1) {
                let other = &self.tracks[*b];
                if self.possible(one, other) {
                    let odds =
                        self.others.log_odds(&self.settings.weights, self.likeness(*a, *b)) + self.way(one, other);
                    set(i, j, odds, one.identity.is_some() && one.identity == other.identity);
                }
            }
            for (j, identity) in (nodes.tracks.len()..).zip(&nodes.older) {
                let held = one.identity == Some(*identity);
                let known = one.older.iter().find(|older| older.identity == *identity);
                let tracks = &fixed[identity];
                if !(held || known.is_some()) || !tracks.iter().all(|at| self.possible(one, &self.tracks[*at])) {
                    continue;
                }
                let likeness = known.map_or_else(
                    || tracks.iter().map(|b| self.likeness(*a, *b)).sum::<f32>() / tracks.len().max(1) as f32,
                    |known| known.likeness,
                );
                set(i, j, self.others.log_odds(&self.settings.weights, likeness), held);
            }
        }
        (plain, kept)
    }

    /// Log odds of getting from one to the other.
    fn way(&self, a: &Track, b: &Track) -> f32 {
        if a.key.camera == b.key.camera {
            let (first, next) = if a.last <= b.since { (a, b) } else { (b, a) };
            let gap = next.since.saturating_sub(first.last).as_secs_f32();
            let apart = first.path.last().zip(next.path.first()).map_or(0.0, |(a, b)| a.heights_apart(b));
            return self.settings.weights.way(apart, gap);
        }
        self.apart(a, b).map_or(0.0, |(apart, moments)| self.settings.weights.ground(apart, moments))
    }

    /// How far apart two tracks of two cameras stood, in heights, and at how many moments.
    fn apart(&self, a: &Track, b: &Track) -> Option<(f32, usize)> {
        let (a, b) = if a.key.camera <= b.key.camera { (a, b) } else { (b, a) };
        let relation = self.relations.get(&(a.key.camera.clone(), b.key.camera.clone()))?;
        relation.apart(&a.path, &b.path)
    }

    /// Could one subject have been in all these places, one after the other?
    fn in_turn(&self, nodes: &Nodes, fixed: &BTreeMap<u64, Vec<usize>>, a: &[usize], b: &[usize]) -> bool {
        if self.settings.topology.is_open() {
            return true;
        }
        let mut stays: Vec<&Track> = Vec::new();
        for node in a.iter().chain(b) {
            match nodes.tracks.get(*node) {
                Some(at) => stays.push(&self.tracks[*at]),
                None => {
                    let identity = nodes.older.get(node - nodes.tracks.len());
                    let tracks = identity.and_then(|identity| fixed.get(identity)).into_iter().flatten();
                    stays.extend(tracks.map(|at| &self.tracks[*at]).max_by_key(|track| track.last));
                }
            }
        }
        stays.sort_by_key(|stay| (stay.since, stay.last));
        stays.iter().enumerate().skip(1).all(|(at, next)| {
            let last = stays[..at].iter().max_by_key(|stay| stay.last);
            last.is_none_or(|last| {
                let gap = next.since.checked_sub(last.last);
                gap.is_none_or(|gap| self.settings.topology.follows(&last.key.camera, &next.key.camera, gap))
            })
        })
    }

    fn learn_ground(&mut self, nodes: &Nodes, found: &[Vec<usize>], plain: &Pairs) {
        let mut pairs: BTreeMap<(String, String), Vec<(usize, usize)>> = BTreeMap::new();
        for (a, b) in found.iter().flat_map(|group| of_two_cameras(self, nodes, group)) {
            let (one, other) = (&self.tracks[nodes.tracks[a]], &self.tracks[nodes.tracks[b]]);
            let looks = self.others.log_odds(&self.settings.weights, self.likeness(nodes.tracks[a], nodes.tracks[b]));
            if looks > TEACHES && plain.get(a, b) > NEVER && one.meets(other) {
                let cameras = (one.key.camera.clone(), other.key.camera.clone());
                pairs.entry(cameras).or_default().push((nodes.tracks[a], nodes.tracks[b]));
            }
        }
        for (cameras, pairs) in pairs {
            let mut relation = self.relations.remove(&cameras).unwrap_or_default();
            relation.learn(pairs.iter().map(|(a, b)| (&self.tracks[*a].path, &self.tracks[*b].path)));
            self.relations.insert(cameras, relation);
        }
    }

    /// Says of each track why it is in its group.
    fn judge(&mut self, nodes: &Nodes, found: &[Vec<usize>], plain: &Pairs, fixed: &BTreeMap<u64, Vec<usize>>) {
        let mut opinions = Vec::new();
        for (number, group) in found.iter().enumerate() {
            for node in group {
                let Some(at) = nodes.tracks.get(*node).copied() else { continue };
                let own = mean(plain, *node, group);
                let Some(own) = own.filter(|_| group.len() > 1) else {
                    opinions.push((at, None));
                    continue;
                };
                let others = found.iter().enumerate().filter(|(other, _)| *other != number);
                let next = others.filter_map(|(_, other)| mean(plain, *node, other)).max_by(f32::total_cmp);
                let score = evidence::probability(own);
                let best = group.iter().copied().filter(|other| other != node);
                let best = best.max_by(|a, b| plain.get(*node, *a).total_cmp(&plain.get(*node, *b)).then(b.cmp(a)));
                let margin = next.map(|next| score - evidence::probability(next));
                let reasons = best.and_then(|best| self.reasons(nodes, fixed, at, best, margin));
                opinions.push((at, Some((score, reasons))));
            }
        }
        for (at, opinion) in opinions {
            let track = &mut self.tracks[at];
            (track.score, track.reasons) = match opinion {
                Some((score, reasons)) => (Some(score), reasons.map(Box::new)),
                None => (None, None),
            };
        }
    }

    fn reasons(
        &self,
        nodes: &Nodes,
        fixed: &BTreeMap<u64, Vec<usize>>,
        at: usize,
        with: usize,
        margin: Option<f32>,
    ) -> Option<Reasons> {
        let track = &self.tracks[at];
        let with = match nodes.tracks.get(with) {
            Some(with) => *with,
            None => {
                let identity = nodes.older.get(with - nodes.tracks.len())?;
                let known = track.older.iter().find(|older| older.identity == *identity);
                let tracks = fixed.get(identity)?;
                let named = |at: &&usize| known.is_some_and(|known| known.with == self.tracks[**at].key);
                tracks.iter().find(named).or_else(|| tracks.last()).copied()?
            }
        };
        let other = &self.tracks[with];
        let (first, next) = if track.since <= other.since { (track, other) } else { (other, track) };
        let gap_s = next.since.as_secs_f64() - first.last.as_secs_f64();
        Some(Reasons {
            with: other.key.clone(),
            earlier: other.before,
            likeness: self.likeness(at, with),
            gap_s: gap_s as f32,
            path: self.settings.topology.path(&first.key.camera, &next.key.camera, gap_s <= 0.0),
            looks: track.looks.min(other.looks),
            margin,
            ground: self.apart(track, other).map(|(apart, _)| apart),
        })
    }

    /// Lets go of what only tracks seen lately need.
    fn close(&mut self) {
        let closing: Vec<usize> = (0..self.tracks.len())
            .filter(|at| !self.is_open(&self.tracks[*at]) && self.tracks[*at].path.first().is_some())
            .collect();
        for at in &closing {
            let track = &self.tracks[*at];
            let Some(identity) = track.identity else { continue };
            let same = self.tracks.iter().filter(|other| {
                other.identity == Some(identity) && other.key.camera != track.key.camera && track.meets(other)
            });
            for other in same {
                let (a, b) = if track.key.camera <= other.key.camera { (track, other) } else { (other, track) };
                let cameras = (a.key.camera.clone(), b.key.camera.clone());
                if let Some(relation) = self.relations.get_mut(&cameras) {
                    relation.keep(&a.path, &b.path);
                }
            }
        }
        for at in closing {
            let track = &mut self.tracks[at];
            track.path.clear();
            track.older = Vec::new();
            track.searched = None;
        }
    }
}

/// How like the tracks of one identity are.
#[derive(Clone, Copy, Default)]
struct Sum {
    sum: f32,
    count: u32,
    best: f32,
    with: usize,
}

impl Sum {
    fn add(&mut self, row: usize, likeness: f32) {
        if self.count == 0 || likeness > self.best {
            (self.best, self.with) = (likeness, row);
        }
        self.sum += likeness;
        self.count += 1;
    }

    fn mean(&self) -> f32 {
        self.sum / self.count.max(1) as f32
    }
}

/// Where the likest are, the first of equals first.
fn likest(sums: &[Sum]) -> Vec<usize> {
    let mut best: Vec<usize> = Vec::with_capacity(OLDER + 1);
    for (slot, sum) in sums.iter().enumerate().filter(|(_, sum)| sum.count > 0) {
        let mean = sum.mean();
        if best.len() == OLDER && best.last().is_some_and(|last| sums[*last].mean() >= mean) {
            continue;
        }
        best.insert(best.partition_point(|other| sums[*other].mean() >= mean), slot);
        best.truncate(OLDER);
    }
    best
}

/// Pairs of tracks in a group whose cameras differ, the camera that comes first in order first.
fn of_two_cameras(gallery: &Gallery, nodes: &Nodes, group: &[usize]) -> Vec<(usize, usize)> {
    let camera = |node: usize| nodes.tracks.get(node).map(|at| gallery.tracks[*at].key.camera.as_str());
    let mut pairs = Vec::new();
    for (n, a) in group.iter().enumerate() {
        for b in &group[n + 1..] {
            match (camera(*a), camera(*b)) {
                (Some(one), Some(other)) if one < other => pairs.push((*a, *b)),
                (Some(one), Some(other)) if one > other => pairs.push((*b, *a)),
                _ => {}
            }
        }
    }
    pairs
}

/// Mean log odds of a node with the others of a group; `None` where it cannot be of it.
fn mean(plain: &Pairs, node: usize, group: &[usize]) -> Option<f32> {
    let others: Vec<f32> = group.iter().filter(|other| **other != node).map(|other| plain.get(node, *other)).collect();
    let mean = others.iter().sum::<f32>() / others.len().max(1) as f32;
    (!others.is_empty() && mean.is_finite()).then_some(mean)
}

fn group_of(nodes: &Nodes, group: &[usize]) -> Group {
    let (tracks, older): (Vec<usize>, Vec<usize>) = group.iter().partition(|node| **node < nodes.tracks.len());
    Group {
        tracks: tracks.into_iter().map(|node| nodes.tracks[node]).collect(),
        older: older.first().map(|node| nodes.older[node - nodes.tracks.len()]),
    }
}
