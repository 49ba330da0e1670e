//! Something holds for a while: then it has begun; it no longer does for a while: then it has ended.

use std::time::Duration;

/// The end is told after no more than this.
const END_AFTER: Duration = Duration::from_secs(5);

/// What one look says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It is so.
    On,
    /// It is clearly not.
    Off,
    /// Nearly: nothing begins by it, and nothing ends.
    Between,
    /// This cannot be told now: all stays as it is.
    Unknown,
}

impl Sign {
    /// Of a value that is on below `on`, and off above `off`.
    pub fn below(value: f32, on: f32, off: f32) -> Self {
        match value {
            _ if value < on => Self::On,
            _ if value > off => Self::Off,
            _ => Self::Between,
        }
    }
}

/// What a look changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began,
    Ended,
}

/// Whether something goes on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hold {
    /// For how long it was so; once it has begun, for how long no longer.
    level: Duration,
    /// The look before counted towards the level.
    counted: bool,
    open: bool,
}

impl Hold {
    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn close(&mut self) {
        *self = Self::default();
    }

    /// A look, `passed` after the one before. A short interruption is forgiven.
    pub fn look(&mut self, sign: Sign, passed: Duration, after: Duration) -> Option<Change> {
        let (counts, after) = match (sign, self.open) {
            (Sign::Unknown, _) => return None,
            (Sign::On, false) => (true, after),
            (Sign::Off, true) => (true, after.min(END_AFTER)),
            _ => (false, after),
        };
        if !counts {
            self.level = self.level.saturating_sub(2 * passed);
        } else if self.counted {
            self.level += passed;
        }
        self.counted = counts;
        if !counts || self.level < after {
            return None;
        }
        *self = Self { open: !self.open, ..Self::default() };
        Some(if self.open { Change::Began } else { Change::Ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens at which second, where there is one look in each.
    fn told(signs: &[(Sign, u32)], after_s: u64) -> Vec<(u32, Change)> {
        let mut hold = Hold::default();
        let signs = signs.iter().flat_map(|(sign, times)| (0..*times).map(|_| *sign));
        let look = |(second, sign)| {
            let change = hold.look(sign, Duration::from_secs(1), Duration::from_secs(after_s));
            change.map(|change| (second, change))
        };
        (0..).zip(signs).filter_map(look).collect()
    }

    #[test]
    fn it_begins_and_ends_after_its_time() {
        let signs = [(Sign::Off, 3), (Sign::On, 20), (Sign::Off, 20)];
        assert_eq!(told(&signs, 10), [(13, Change::Began), (28, Change::Ended)]);
        assert_eq!(told(&signs, 2), [(5, Change::Began), (25, Change::Ended)]);
        assert_eq!(told(&signs, 0), [(3, Change::Began), (23, Change::Ended)]);
    }

    #[test]
    fn less_than_its_time_is_nothing_and_what_cannot_be_told_changes_nothing() {
        assert_eq!(told(&[(Sign::On, 10), (Sign::Off, 30), (Sign::On, 10)], 10), []);
        assert_eq!(told(&[(Sign::On, 6), (Sign::Unknown, 30), (Sign::On, 5)], 10), [(40, Change::Began)]);
        assert_eq!(told(&[(Sign::On, 6), (Sign::Between, 30), (Sign::On, 5)], 10), []);
        let kept = [(Sign::On, 11), (Sign::Unknown, 30), (Sign::Between, 30), (Sign::On, 3), (Sign::Off, 4)];
        assert_eq!(told(&kept, 10), [(10, Change::Began)]);
    }

    #[test]
    fn an_interruption_costs_its_time_twice_and_no_more() {
        let signs = [(Sign::On, 8), (Sign::Off, 1), (Sign::On, 8)];
        assert_eq!(told(&signs, 10), [(14, Change::Began)]);
    }
}
