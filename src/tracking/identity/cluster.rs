//! Who belongs together: agglomerative clustering with average linkage, and pairs that may not be joined.

/// Marks a pair that is not one subject for certain.
pub(super) const NEVER: f32 = f32::NEG_INFINITY;

/// Log odds of all pairs of some nodes.
#[derive(Clone, Debug)]
pub(super) struct Pairs {
    count: usize,
    odds: Vec<f32>,
}

impl Pairs {
    pub(super) fn new(count: usize) -> Self {
        Self { count, odds: vec![NEVER; count * count] }
    }

    pub(super) fn set(&mut self, a: usize, b: usize, odds: f32) {
        self.odds[a * self.count + b] = odds;
        self.odds[b * self.count + a] = odds;
    }

    pub(super) fn get(&self, a: usize, b: usize) -> f32 {
        self.odds[a * self.count + b]
    }

    /// Parts that no pair above `stop` connects: nothing is joined across them.
    fn parts(&self, stop: f32) -> Vec<Vec<usize>> {
        let mut part = vec![usize::MAX; self.count];
        let mut parts = Vec::new();
        for first in 0..self.count {
            if part[first] != usize::MAX {
                continue;
            }
            let mut members = vec![first];
            part[first] = parts.len();
            let mut at = 0;
            while let Some(&node) = members.get(at) {
                for (other, part) in part.iter_mut().enumerate() {
                    if *part == usize::MAX && self.get(node, other) > stop {
                        *part = parts.len();
                        members.push(other);
                    }
                }
                at += 1;
            }
            members.sort_unstable();
            parts.push(members);
        }
        parts
    }
}

/// Joins nodes while the mean log odds between two groups are above `stop`, the best first. `weight` is of each node,
/// and `may` has a last say on two groups. Each group is in order, and so are the groups by their first node.
pub(super) fn cluster(
    pairs: &Pairs,
    weight: &[f32],
    stop: f32,
    mut may: impl FnMut(&[usize], &[usize]) -> bool,
) -> Vec<Vec<usize>> {
    let mut groups = Vec::new();
    for part in pairs.parts(stop) {
        let count = part.len();
        let mut members: Vec<Vec<usize>> = part.iter().map(|node| vec![*node]).collect();
        let mut weights: Vec<f32> = part.iter().map(|node| weight.get(*node).copied().unwrap_or(1.0)).collect();
        // Sums over pairs of members, each weighing the product of the two.
        let mut sums = vec![NEVER; count * count];
        for (i, a) in part.iter().enumerate() {
            for (j, b) in part.iter().enumerate().filter(|(j, _)| *j != i) {
                sums[i * count + j] = pairs.get(*a, *b) * weights[i] * weights[j];
            }
        }
        let mut alive: Vec<usize> = (0..count).collect();
        let best_of = |i: usize, alive: &[usize], sums: &[f32], weights: &[f32]| {
            let mean = |j: usize| sums[i * count + j] / (weights[i] * weights[j]);
            let others = alive.iter().filter(|j| **j != i).map(|j| (mean(*j), *j));
            others.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))).unwrap_or((NEVER, i))
        };
        let mut best: Vec<(f32, usize)> = (0..count).map(|i| best_of(i, &alive, &sums, &weights)).collect();
        loop {
            let first = alive.iter().map(|i| (best[*i].0, *i)).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
            let Some((mean, i)) = first.filter(|(mean, _)| *mean > stop) else { break };
            let j = best[i].1;
            if mean.is_finite() && may(&members[i], &members[j]) {
                let moved = std::mem::take(&mut members[j]);
                members[i].extend(moved);
                alive.retain(|at| *at != j);
                for k in alive.iter().copied().filter(|k| *k != i) {
                    let sum = sums[i * count + k] + sums[j * count + k];
                    sums[i * count + k] = sum;
                    sums[k * count + i] = sum;
                }
                weights[i] += weights[j];
            } else {
                sums[i * count + j] = NEVER;
                sums[j * count + i] = NEVER;
            }
            for k in alive.clone() {
                if k == i || best[k].1 == i || best[k].1 == j {
                    best[k] = best_of(k, &alive, &sums, &weights);
                } else {
                    let mean = sums[k * count + i] / (weights[k] * weights[i]);
                    if mean > best[k].0 || (mean == best[k].0 && i < best[k].1) {
                        best[k] = (mean, i);
                    }
                }
            }
        }
        groups.extend(members.into_iter().filter(|members| !members.is_empty()));
    }
    for members in &mut groups {
        members.sort_unstable();
    }
    groups.sort_unstable();
    groups
}
