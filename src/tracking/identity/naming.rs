//! Groups get numbers, with as little change as can be, and what changes is told.

use std::collections::{BTreeMap, BTreeSet};

use super::gallery::Gallery;
use super::revise::Group;
use super::{Fact, Reasons, TrackKey};

impl Gallery {
    /// Gives each group a number: that of its older tracks, else the one that most of its tracks have.
    pub(super) fn name(&mut self, groups: &[Group]) {
        let mut numbers: Vec<Option<u64>> = groups.iter().map(|group| group.older).collect();
        // Before: by number and group, the tracks.
        let mut before: BTreeMap<u64, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for (at, group) in groups.iter().enumerate() {
            for track in &group.tracks {
                if let Some(number) = self.tracks[*track].identity {
                    before.entry(number).or_default().entry(at).or_default().push(*track);
                }
            }
        }
        let mut taken: BTreeSet<u64> = numbers.iter().flatten().copied().collect();
        let votes = before.iter().flat_map(|(number, of)| of.iter().map(|(at, tracks)| (tracks.len(), *number, *at)));
        let mut votes: Vec<(usize, u64, usize)> = votes.collect();
        votes.sort_by_key(|(count, number, at)| (std::cmp::Reverse(*count), *number, *at));
        for (_, number, at) in votes {
            if numbers[at].is_none() && taken.insert(number) {
                numbers[at] = Some(number);
            }
        }
        let mut merges: Vec<(usize, u64, Vec<usize>)> = Vec::new();
        for (number, of) in before {
            let stays = numbers.contains(&Some(number));
            // All its tracks went to others: most of them take the number with them.
            let most = of.iter().max_by_key(|(at, tracks)| (tracks.len(), std::cmp::Reverse(**at))).map(|(at, _)| *at);
            for (at, tracks) in of {
                if numbers[at] == Some(number) {
                    continue;
                }
                if !stays && most == Some(at) {
                    merges.push((at, number, tracks));
                    continue;
                }
                let new = self.give();
                self.split(number, new, &tracks);
                match numbers[at] {
                    None => numbers[at] = Some(new),
                    Some(_) => merges.push((at, new, tracks)),
                }
            }
        }
        for (at, gone, tracks) in merges {
            if let Some(kept) = numbers[at] {
                self.merge(kept, gone, &tracks);
            }
        }
        for (at, group) in groups.iter().enumerate() {
            for track in &group.tracks {
                if self.tracks[*track].identity.is_none() {
                    let number = numbers[at];
                    numbers[at] = Some(self.first(*track, number));
                }
            }
        }
    }

    fn split(&mut self, from: u64, new: u64, tracks: &[usize]) {
        let (score, reasons) = self.likest(tracks);
        self.facts.push(Fact::Split { time: self.clock, from, new, tracks: self.keys(tracks), score, reasons });
        self.counters.split += 1;
        tracks.iter().for_each(|at| self.assign(*at, new));
    }

    fn merge(&mut self, kept: u64, gone: u64, tracks: &[usize]) {
        let (score, reasons) = self.likest(tracks);
        tracks.iter().for_each(|at| self.assign(*at, kept));
        let tracks = self.keys(tracks);
        self.facts.push(Fact::Merged { time: self.clock, kept, gone, score: score.unwrap_or(0.0), reasons, tracks });
        self.counters.merged += 1;
    }

    /// A track's first identity.
    fn first(&mut self, at: usize, number: Option<u64>) -> u64 {
        let identity = number.unwrap_or_else(|| self.give());
        self.assign(at, identity);
        let track = &self.tracks[at];
        let (time, key) = (self.clock, track.key.clone());
        self.facts.push(match (number, track.score, track.reasons.as_deref()) {
            (Some(_), Some(score), Some(reasons)) => {
                Fact::ProbablySame { time, identity, track: key, score, reasons: reasons.clone() }
            }
            _ => Fact::New { time, identity, track: key },
        });
        identity
    }

    fn keys(&self, tracks: &[usize]) -> Vec<TrackKey> {
        tracks.iter().map(|at| self.tracks[*at].key.clone()).collect()
    }

    /// Score and reasons of the track that is surest of where it is now.
    fn likest(&self, tracks: &[usize]) -> (Option<f32>, Option<Reasons>) {
        let score = |at: &usize| self.tracks[*at].score.unwrap_or(0.0);
        let best = tracks.iter().max_by(|a, b| score(a).total_cmp(&score(b)).then(b.cmp(a)));
        best.map_or((None, None), |at| (self.tracks[*at].score, self.tracks[*at].reasons.as_deref().cloned()))
    }
}
