//! What is known of a track at a zone.

use std::time::Duration;

use serde_json::{Map, Value};

use super::out::Out;
use super::view::Moment;
use crate::config;
use crate::types::observation::Seen;

/// Who comes and goes at the border for longer, and is not inside yet, begins anew.
const LINGERS: Duration = Duration::from_secs(1);

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
    /// It was first inside then, and now is since then, or is not: perhaps not for long.
    Coming {
        first: Moment,
        since: Option<Moment>,
    },
    Inside,
    /// It was first outside then, and perhaps not for long.
    Going {
        first: Moment,
        /// Outside now, since then.
        since: Option<Moment>,
        /// Clearly so since then.
        clear: Option<Moment>,
        /// Inside again, since then.
        back: Option<Moment>,
    },
    Outside,
}

/// What became of `zone.enter`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Enter {
    /// It was not time.
    Untold,
    /// Of a track with this number.
    Told(u64),
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
            stage: Stage::Coming { first: now, since: None },
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

    /// Says as whom it came in, where that is not its number any more.
    pub(super) fn link(&self, data: &mut Map<String, Value>, out: &Out) {
        if let Enter::Told(number) = self.enter
            && number != self.track.number
        {
            data.insert("entered_as".to_owned(), out.track_id(number).into());
        }
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
            Stage::Going { first, since, .. } => since.unwrap_or(first).settled(first),
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
            Stage::Outside if within && sight.counts => self.come(sight, now, None, config),
            Stage::Outside => Step::Stays,
            Stage::Coming { first, since } => self.come(sight, first, since, config),
            Stage::Inside if within => Step::Stays,
            Stage::Inside => self.go(sight, (now, None, None, None), config),
            Stage::Going { first, since, clear, back } => self.go(sight, (first, since, clear, back), config),
        }
    }

    fn come(&mut self, sight: &Sight<'_>, first: Moment, since: Option<Moment>, config: &config::Zone) -> Step {
        let now = sight.now;
        if sight.within {
            let since = since.unwrap_or(now);
            self.stage = Stage::Coming { first, since: Some(since) };
            if sight.counts && now.since(since) >= config.inertia {
                let at = since.settled(first);
                if self.left.is_none() {
                    self.dwells_since = at;
                }
                (self.stage, self.since, self.enter) = (Stage::Inside, at, Enter::Untold);
            }
        } else if sight.clear || now.since(first) >= LINGERS {
            if self.left.is_none() {
                return Step::Forget;
            }
            // It has been inside before, and that is not forgotten yet.
            self.stage = Stage::Outside;
        } else {
            self.stage = Stage::Coming { first, since: None };
        }
        Step::Stays
    }

    fn go(
        &mut self,
        sight: &Sight<'_>,
        (first, since, clear, back): (Moment, Option<Moment>, Option<Moment>, Option<Moment>),
        config: &config::Zone,
    ) -> Step {
        let now = sight.now;
        if sight.within {
            let back = back.unwrap_or(now);
            let is_back = now.since(back) * 2 >= config.inertia;
            self.stage = if is_back {
                Stage::Inside
            } else {
                Stage::Going { first, since: None, clear: None, back: Some(back) }
            };
            return Step::Stays;
        }
        let since = since.unwrap_or(now);
        let clear = sight.clear.then(|| clear.unwrap_or(now));
        if clear.is_some_and(|clear| now.since(clear) >= config.inertia) {
            (self.stage, self.left) = (Stage::Outside, Some(since.settled(first)));
            return Step::Leaves;
        }
        self.stage = Stage::Going { first, since: Some(since), clear, back: None };
        Step::Stays
    }
}
