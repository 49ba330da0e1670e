//! Which camera can follow which, and how fast.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Path;

/// How long the way from one camera to another takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Least time between leaving the one and appearing in the other.
    pub least: Duration,
    /// Most time; `None` without a limit.
    pub most: Option<Duration>,
}

/// The ways between cameras. Without rules anything goes: any camera follows any other at any time, and two cameras
/// may see the same place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    ways: BTreeMap<(String, String), Rule>,
    overlaps: BTreeSet<(String, String)>,
    /// True where only what was said is possible.
    pub closed: bool,
}

impl Topology {
    /// Where only what is said is possible, and so far nothing is but staying in one camera.
    #[must_use]
    pub fn closed() -> Self {
        Self { closed: true, ..Self::default() }
    }

    /// From `from` to `to` one takes this long. The way back needs a rule of its own. Two cameras with a way between
    /// them do not see the same place, unless [`Self::overlap`] says so.
    pub fn way(&mut self, from: &str, to: &str, rule: Rule) {
        self.ways.insert((from.to_owned(), to.to_owned()), rule);
    }

    /// Two cameras see the same place at the same time.
    pub fn overlap(&mut self, one: &str, other: &str) {
        self.overlaps.insert(pair(one, other));
    }

    /// True where nothing is said: anything goes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.ways.is_empty() && self.overlaps.is_empty() && !self.closed
    }

    /// Can one subject be seen by two cameras at the same time? Never by one camera twice.
    #[must_use]
    pub fn at_once(&self, one: &str, other: &str) -> bool {
        let way = |a: &str, b: &str| self.ways.contains_key(&(a.to_owned(), b.to_owned()));
        one != other
            && (self.overlaps.contains(&pair(one, other)) || !(self.closed || way(one, other) || way(other, one)))
    }

    /// Can one subject be last seen by `from`, and next by `to` after `gap`?
    #[must_use]
    pub fn follows(&self, from: &str, to: &str, gap: Duration) -> bool {
        match self.ways.get(&(from.to_owned(), to.to_owned())) {
            Some(rule) => gap >= rule.least && rule.most.is_none_or(|most| gap <= most),
            // Who is seen by two cameras at once is seen by the one before the other, too.
            None => from == to || !self.closed || self.overlaps.contains(&pair(from, to)),
        }
    }

    /// How one gets from `from` to `to`.
    pub(super) fn path(&self, from: &str, to: &str, at_once: bool) -> Path {
        let known = self.ways.contains_key(&(from.to_owned(), to.to_owned()));
        match (from == to, self.overlaps.contains(&pair(from, to)), known) {
            (true, ..) => Path::SameCamera,
            (_, true, _) if at_once || !known => Path::Overlap,
            (.., true) => Path::InTime,
            _ => Path::Open,
        }
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (a, b) = if one <= other { (one, other) } else { (other, one) };
    (a.to_owned(), b.to_owned())
}
