//! What others were told of something that happens, or that lasts.

use serde_json::{Map, Value};

use super::gate::{Answer, Gate};
use super::out::{Out, seconds};
use super::view::Moment;
use crate::types::event::{EventType, Phase};
use crate::types::observation::Seen;

/// Something that is told once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Once {
    /// Where the schedule or the cool-down says no, it may be tried again.
    #[default]
    Untold,
    /// It was told, or it was one too many in its hour.
    Done,
}

impl Once {
    /// Fires, the first time that the gate lets it. `data` is made only then.
    pub(super) fn fire(
        &mut self,
        (gate, out): (&mut Gate, &mut Out),
        event_type: EventType,
        track: &Seen,
        data: impl FnOnce() -> Map<String, Value>,
    ) {
        if *self == Self::Done {
            return;
        }
        let answer = out.asks(gate, Some(track.number));
        if answer == Answer::Open {
            out.tell(gate, event_type, Phase::Instant, Some(track), data());
        }
        if answer != Answer::Closed {
            *self = Self::Done;
        }
    }
}

/// Something that lasts: who was told that it began is told that it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Spell {
    /// It is not so, or nobody knows. Where the schedule or the cool-down says no, it is tried again as long as it lasts.
    #[default]
    Untold,
    /// They know; the track's number then (0: none), and since when it was so.
    Told(u64, Moment),
    /// It was one too many in its hour: they are not told of it at all.
    HeldBack,
}

impl Spell {
    /// Was it told?
    pub(super) fn is_told(self) -> bool {
        matches!(self, Self::Told(..))
    }

    /// The number under which it was told; `None`: it was not.
    pub(super) fn number(self) -> Option<u64> {
        match self {
            Self::Told(number, _) => Some(number),
            _ => None,
        }
    }

    /// It is so, and has been since then: fires, the first time that the gate lets it. `data` is made only then.
    pub(super) fn begin(
        &mut self,
        (gate, out): (&mut Gate, &mut Out),
        event_type: EventType,
        (track, since): (Option<&Seen>, Moment),
        data: impl FnOnce() -> Map<String, Value>,
    ) {
        if *self != Self::Untold {
            return;
        }
        let number = track.map_or(0, |track| track.number);
        match out.asks(gate, Some(number)) {
            Answer::Open => {
                let mut data = data();
                data.insert("since".to_owned(), since.capture.to_string().into());
                out.tell(gate, event_type, Phase::Start, track, data);
                *self = Self::Told(number, since);
            }
            Answer::Closed => {}
            Answer::HeldBack => *self = Self::HeldBack,
        }
    }

    /// It has not been so since `until`: says so where it was told that it began, whatever the gate says by now, and under
    /// the number that the track had then.
    pub(super) fn end(
        &mut self,
        (gate, out): (&Gate, &mut Out),
        event_type: EventType,
        (track, until, reason): (Option<&Seen>, Moment, &str),
        data: impl FnOnce() -> Map<String, Value>,
    ) {
        let Self::Told(number, since) = std::mem::take(self) else { return };
        let mut data = data();
        data.insert("since".to_owned(), since.capture.to_string().into());
        data.insert("until".to_owned(), until.capture.to_string().into());
        data.insert("duration_s".to_owned(), seconds(until.since(since)).into());
        data.insert("reason".to_owned(), reason.into());
        let track = track.map(|track| Seen { number, ..*track });
        out.tell(gate, event_type, Phase::End, track.as_ref(), data);
    }
}
