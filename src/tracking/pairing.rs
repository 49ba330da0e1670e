//! Subjects and detections, paired for the greatest gain.

use super::assignment::Assignment;

/// The associations of one frame, one after the other.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// Indices of the subjects that take part in an association and found no detection yet.
    pub waiting: Vec<usize>,
    /// What the latest association found: subject and detection.
    pub pairs: Vec<(usize, usize)>,
    assignment: Assignment,
}

impl Pairing {
    /// Lets those subjects of `0..count` take part that are `which`.
    pub fn wait(&mut self, count: usize, which: impl Fn(usize) -> bool) {
        self.waiting.clear();
        self.waiting.extend((0..count).filter(|&i| which(i)));
    }

    /// Pairs the waiting subjects with `free` detections, and takes those that found each other off both lists.
    ///
    /// `gain(subject, detection)` says how good a pair is; one that is not above 0 is not made.
    pub fn pair(&mut self, free: &mut Vec<usize>, gain: impl Fn(usize, usize) -> f32) {
        let Self { waiting, pairs, assignment } = self;
        pairs.clear();
        if waiting.is_empty() || free.is_empty() {
            return;
        }
        assignment.begin(free.len());
        for &subject in &*waiting {
            for (column, &detection) in free.iter().enumerate() {
                assignment.pair(column, gain(subject, detection));
            }
            assignment.end_row();
        }
        assignment.solve();
        let mut row = 0;
        waiting.retain(|&subject| {
            let column = assignment.column_of(row);
            row += 1;
            pairs.extend(column.map(|column| (subject, free[column])));
            column.is_none()
        });
        let mut column = 0;
        free.retain(|_| {
            column += 1;
            !assignment.is_taken(column - 1)
        });
    }
}
