//! What is known of a track at a zone.

use super::view::Moment;
use crate::config;
use crate::types::observation::Seen;

/// What is known of a track at a zone, from when it came near to when its dwell is forgotten.
#[derive(Clone, Copy)]
pub(super) struct Visit {
    pub(super) number: u64,
    pub(super) stage: Stage,
    /// The first frame inside.
    pub(super) since: Moment,
    /// When its dwell began; before `since` where it was outside for less than the grace.
    pub(super) dwells_since: Moment,
    pub(super) dwell_told: bool,
    pub(super) enter: Enter,
    /// When it went out last.
    left: Option<Moment>,
    /// As it was when it was last seen, of the class that counted last.
    pub(super) track: Seen,
    /// When that was.
    pub(super) seen: Moment,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// It is inside, and perhaps not for long.
    Coming,
    Inside,
    /// It is outside, and perhaps not for long.
    Going {
        since: Moment,
        /// Clearly outside since then.
        clear: Option<Moment>,
    },
    Outside,
}

/// What became of `zone.enter`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Enter {
    /// It was not time.
    Untold,
    Told,
    /// There were too many in this hour.
    HeldBack,
}

/// Where a track was seen.
#[derive(Clone, Copy)]
pub(super) struct Sight<'a> {
    pub(super) now: Moment,
    pub(super) track: &'a Seen,
    /// Who counts is asked at the entrance only.
    pub(super) counts: bool,
    pub(super) within: bool,
    /// Outside by more than boxes tremble.
    pub(super) clear: bool,
}

/// What a sight means.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// Nothing new.
    Stays,
    /// It is no longer inside.
    Leaves,
    /// It never was.
    Forget,
}

impl Visit {
    pub(super) fn new(track: &Seen, now: Moment) -> Self {
        Self {
            number: track.number,
            stage: Stage::Coming,
            since: now,
            dwells_since: now,
            dwell_told: false,
            enter: Enter::Untold,
            left: None,
            track: *track,
            seen: now,
        }
    }

    /// It goes on as another track.
    pub(super) fn becomes(self, number: u64) -> Self {
        Self { number, ..self }
    }

    pub(super) fn is_inside(&self) -> bool {
        matches!(self.stage, Stage::Inside | Stage::Going { .. })
    }

    /// It is outside, and has been for too long for its dwell to go on.
    pub(super) fn is_forgotten(&self, now: Moment, config: &config::Zone) -> bool {
        self.stage == Stage::Outside && self.left.is_none_or(|left| now.since(left) >= config.grace)
    }

    /// When it was last known to be inside.
    pub(super) fn until(&self) -> Moment {
        match self.stage {
            Stage::Going { since, .. } => since,
            Stage::Outside => self.left.unwrap_or(self.seen),
            _ => self.seen,
        }
    }

    pub(super) fn step(&mut self, sight: &Sight<'_>, config: &config::Zone) -> Step {
        let Sight { now, within, .. } = *sight;
        let class = if sight.counts { sight.track.class } else { self.track.class };
        self.track = Seen { class, ..*sight.track };
        self.seen = now;
        match self.stage {
            Stage::Outside if within && sight.counts => {
                (self.stage, self.since, self.enter) = (Stage::Coming, now, Enter::Untold);
                self.come(sight, config)
            }
            Stage::Outside => Step::Stays,
            Stage::Coming => self.come(sight, config),
            Stage::Inside | Stage::Going { .. } if within => {
                self.stage = Stage::Inside;
                Step::Stays
            }
            Stage::Inside => self.go(sight, now, None, config),
            Stage::Going { since, clear } => self.go(sight, since, clear, config),
        }
    }

    fn come(&mut self, sight: &Sight<'_>, config: &config::Zone) -> Step {
        match self.left {
            _ if sight.within => {
                if sight.counts && sight.now.since(self.since) >= config.inertia {
                    self.stage = Stage::Inside;
                }
                Step::Stays
            }
            // It has been inside before, and that is not forgotten yet.
            Some(_) => {
                self.stage = Stage::Outside;
                Step::Stays
            }
            None => Step::Forget,
        }
    }

    fn go(&mut self, sight: &Sight<'_>, since: Moment, clear: Option<Moment>, config: &config::Zone) -> Step {
        let clear = sight.clear.then(|| clear.unwrap_or(sight.now));
        if clear.is_some_and(|clear| sight.now.since(clear) >= config.inertia) {
            (self.stage, self.left) = (Stage::Outside, Some(since));
            return Step::Leaves;
        }
        self.stage = Stage::Going { since, clear };
        Step::Stays
    }
}
