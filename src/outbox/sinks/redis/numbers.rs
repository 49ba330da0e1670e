//! Is an event whose number the stream has passed there already, or has another one its number?
//!
//! An entry's id is its event's number, so Redis itself refuses what comes again. It also refuses what merely has a
//! number that was given out before: by a device of the same name, or by this one before it lost its state. That must
//! not pass for delivered. So each such event is looked up: the entry under its number must have its id. Where the
//! entry is gone (trimmed, or deleted by a consumer), the last event that was taken, which is kept under a key of its
//! own, tells: an event with a smaller number cannot be younger than all up to it.

use redis::Value;

use super::super::Stored;

/// The last event taken, as far as it was noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Last {
    pub(super) seq: u64,
    pub(super) id: String,
    /// The latest time in an id of all events up to this one: ids are made before numbers are given, so the last
    /// number need not have it.
    pub(super) newest: String,
}

impl Last {
    /// What `event` makes of the one before it.
    pub(super) fn of(event: &Stored, before: Option<&Self>) -> Self {
        let newest = before.map_or("", |before| before.newest.as_str()).max(time(&event.id)).to_owned();
        Self { seq: event.seq, id: event.id.clone(), newest }
    }

    /// As it lies in its key.
    pub(super) fn written(&self) -> String {
        format!("{} {} {}", self.seq, self.id, self.newest)
    }

    pub(super) fn read(value: &Value) -> Option<Self> {
        let mut words = text(value)?.split(' ');
        let mut word = || words.next().map(str::to_owned);
        Some(Self { seq: word()?.parse().ok()?, id: word()?, newest: word()? })
    }
}

/// An entry of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The first half of its id: the number.
    pub(super) seq: u64,
    /// Its field `event_id`; `None`: it is not of ours.
    pub(super) id: Option<String>,
}

impl Entry {
    /// The first of what `XRANGE` or `XREVRANGE` answered.
    pub(super) fn first(answer: &Value) -> Option<Self> {
        let Value::Array(entries) = answer else { return None };
        let Value::Array(entry) = entries.first()? else { return None };
        let [id, Value::Array(fields)] = entry.as_slice() else { return None };
        let seq = text(id)?.split_once('-')?.0.parse().ok()?;
        let id = fields.chunks_exact(2).find(|pair| text(&pair[0]) == Some("event_id")).and_then(|pair| text(&pair[1]));
        Some(Self { seq, id: id.map(str::to_owned) })
    }
}

/// The number that a stream goes up to, entries that are gone among them, by what `XINFO STREAM` answered.
pub(super) fn end(answer: &Value) -> Option<u64> {
    let Value::Array(facts) = answer else { return None };
    let last = facts.chunks_exact(2).find(|pair| text(&pair[0]) == Some("last-generated-id"))?;
    text(&last[1])?.split_once('-')?.0.parse().ok()
}

/// What became of an event that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is there, or was.
    There,
    /// Its number was given to another.
    Taken,
}

/// What is known of the numbers in a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The last event of ours that was noted.
    pub(super) last: Option<Last>,
    /// An event of this run is in the stream: the numbers in it are ours.
    pub(super) ours: bool,
}

impl Known {
    /// With the stream's last entry, which may be younger than what was noted.
    pub(super) fn with(mut self, entry: Option<Entry>) -> Self {
        if let Some(Entry { seq, id: Some(id) }) = entry
            && self.last.as_ref().is_none_or(|last| last.seq <= seq)
        {
            let newest = self.last.as_ref().map_or("", |last| last.newest.as_str()).max(time(&id)).to_owned();
            self.last = Some(Last { seq, id, newest });
        }
        self
    }

    /// The verdict on `event`, with what lies under its number.
    pub(super) fn judge(&self, event: &Stored, found: Option<&Entry>) -> Verdict {
        match found {
            Some(entry) if entry.id.as_deref() == Some(event.id.as_str()) => Verdict::There,
            Some(_) => Verdict::Taken,
            None if self.ours => Verdict::There,
            None => match &self.last {
                // Sent just before an end that left no time to note it, and consumed since.
                Some(last) if event.seq > last.seq => Verdict::There,
                Some(last) if event.seq == last.seq => same(event.id == last.id),
                Some(last) => same(time(&event.id) <= last.newest.as_str()),
                None => Verdict::Taken,
            },
        }
    }
}

fn same(is: bool) -> Verdict {
    if is { Verdict::There } else { Verdict::Taken }
}

/// The part of a ULID that is its time; it sorts as text.
fn time(ulid: &str) -> &str {
    ulid.get(..10).unwrap_or(ulid)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "01JC0000000000000000000000";
    const NEW: &str = "01JD0000000000000000000000";

    fn event(seq: u64, id: &str) -> Stored {
        Stored { seq, id: id.to_owned(), event_type: String::new(), camera: String::new(), body: "".into() }
    }

    fn last(seq: u64, id: &str) -> Last {
        Last::of(&event(seq, id), None)
    }

    fn known(seq: u64, id: &str) -> Known {
        Known { last: Some(last(seq, id)), ours: false }
    }

    #[test]
    fn an_entry_says_by_its_id_whether_it_is_the_event() {
        let entry = |id: Option<&str>| Entry { seq: 5, id: id.map(str::to_owned) };
        let known = Known { ours: true, ..Known::default() };
        assert_eq!(known.judge(&event(5, OLD), Some(&entry(Some(OLD)))), Verdict::There);
        assert_eq!(known.judge(&event(5, OLD), Some(&entry(Some(NEW)))), Verdict::Taken);
        assert_eq!(known.judge(&event(5, OLD), Some(&entry(None))), Verdict::Taken);
    }

    #[test]
    fn where_the_entry_is_gone_an_older_number_cannot_be_of_a_younger_event() {
        assert_eq!(known(9, NEW).judge(&event(5, OLD), None), Verdict::There);
        assert_eq!(known(9, OLD).judge(&event(5, NEW), None), Verdict::Taken);
        assert_eq!(known(5, OLD).judge(&event(5, OLD), None), Verdict::There);
        assert_eq!(known(5, OLD).judge(&event(5, NEW), None), Verdict::Taken);
        assert_eq!(known(4, OLD).judge(&event(5, NEW), None), Verdict::There);
        assert_eq!(Known::default().judge(&event(5, OLD), None), Verdict::Taken);
    }

    #[test]
    fn an_event_whose_id_was_made_early_does_not_make_those_before_it_look_younger() {
        // The snapshot of a track, say: the id is as old as the track.
        let last = Last::of(&event(9, OLD), Some(&last(8, NEW)));
        let known = Known { last: Some(last), ours: false };
        assert_eq!(known.judge(&event(7, NEW), None), Verdict::There);
        assert_eq!(known.judge(&event(7, "01JE0000000000000000000000"), None), Verdict::Taken);
    }

    #[test]
    fn the_younger_of_note_and_entry_counts() {
        let entry = |seq, id: Option<&str>| Some(Entry { seq, id: id.map(str::to_owned) });
        assert_eq!(known(4, OLD).with(entry(9, Some(NEW))).last, known(9, NEW).last);
        assert_eq!(known(9, NEW).with(entry(4, Some(OLD))).last, known(9, NEW).last);
        assert_eq!(known(4, OLD).with(entry(9, None)).last, known(4, OLD).last);
    }

    #[test]
    fn a_note_reads_as_it_was_written() {
        let last = Last::of(&event(7, OLD), Some(&last(6, NEW)));
        assert_eq!(Last::read(&Value::BulkString(last.written().into_bytes())), Some(last));
        assert_eq!(Last::read(&Value::Nil), None);
    }
}
