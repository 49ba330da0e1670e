//! Which camera can follow which, and how fast.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    /// From `from` to `to` one takes this long. The way back needs a rule of its own. Two cameras with a way between
    /// them do not see the same place, unless [`Self::overlap`] says so.
    pub fn way(&mut self, from: &str, to: &str, rule: Rule) {
        self.ways.insert((from.to_owned(), to.to_owned()), rule);
    }

    /// Two cameras see the same place at the same time.
    pub fn overlap(&mut self, one: &str, other: &str) {
        self.overlaps.insert(pair(one, other));
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (a, b) = if one <= other { (one, other) } else { (other, one) };
    (a.to_owned(), b.to_owned())
}
