//! The latest scores of a subject.

/// How many are kept.
const LATEST: usize = 15;

/// The latest scores, and their median: one lucky or unlucky frame does not move it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scores {
    /// In order of time, the next one to be forgotten at `oldest`.
    latest: [f32; LATEST],
    oldest: usize,
    /// The same by size; `..len` are there.
    sorted: [f32; LATEST],
    len: usize,
}

impl Scores {
    /// Of a subject seen once.
    pub fn new(score: f32) -> Self {
        let mut scores = Self { latest: [0.0; LATEST], oldest: 0, sorted: [0.0; LATEST], len: 0 };
        scores.push(score);
        scores
    }

    /// Takes in a number.
    pub fn push(&mut self, score: f32) {
        if self.len == LATEST {
            let forgotten = self.latest[self.oldest];
            let at = self.sorted.iter().position(|s| s.total_cmp(&forgotten).is_eq()).unwrap_or(LATEST - 1);
            self.sorted.copy_within(at + 1.., at);
            self.len -= 1;
        }
        let at = self.sorted[..self.len].partition_point(|s| s.total_cmp(&score).is_lt());
        self.sorted.copy_within(at..self.len, at + 1);
        self.sorted[at] = score;
        self.len += 1;
        self.latest[self.oldest] = score;
        self.oldest = (self.oldest + 1) % LATEST;
    }

    /// The middle one; of an even number, the lower of the two.
    pub fn median(&self) -> f32 {
        self.sorted[(self.len - 1) / 2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_the_latest_scores() {
        let mut scores = Scores::new(0.5);
        let mut all = vec![0.5];
        for i in 0..100_u32 {
            let score = (i * 37 % 23) as f32 / 23.0;
            all.push(score);
            scores.push(score);
            let mut latest = all[all.len().saturating_sub(LATEST)..].to_vec();
            latest.sort_by(f32::total_cmp);
            assert_eq!(scores.median(), latest[(latest.len() - 1) / 2], "{latest:?}");
        }
    }
}
