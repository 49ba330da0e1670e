//! Which events go into the next request.

use super::super::Stored;
use super::super::dialects::{Dialects, Message};

/// What goes into one request.
#[derive(Debug)]
pub(super) struct Batch {
    /// Events before it that the dialect has no words for.
    pub skipped: usize,
    /// Events of it, those that the dialect has no words for counted.
    pub events: usize,
    /// Events in the body.
    pub told: usize,
    /// JSON.
    pub body: Vec<u8>,
    /// Of the first and the last event in the body.
    pub ids: [String; 2],
    /// The same.
    pub seqs: [u64; 2],
}

/// Cuts batches.
#[derive(Debug)]
pub(super) struct Batches {
    most: usize,
    /// The far end said that twice of this is too much.
    max_bytes: usize,
    /// The batch of the last attempt: numbers of its first and last event. It is made again with the same id.
    attempted: Option<[u64; 2]>,
    /// One of so many events is refused, and is looked for.
    suspects: Option<usize>,
    /// Attempts without an answer, one after the other.
    unanswered: u32,
    /// Fewer events than usual, after so many deliveries of them.
    careful: Option<(usize, u32)>,
}

/// Attempts without an answer before a smaller batch is tried.
const UNANSWERED: u32 = 3;
/// Deliveries before a larger batch is tried again.
const CAREFUL: u32 = 32;

impl Batches {
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), max_bytes: usize::MAX, attempted: None, suspects: None, unanswered: 0, careful: None }
    }

    /// The next batch of `events`, of which there is at least one.
    pub fn next(&mut self, events: &[Stored], dialects: &mut Dialects) -> Batch {
        let most = self.careful.map_or(self.most, |(size, _)| size);
        let most = self.suspects.map_or(most, |suspects| most.min(suspects.div_ceil(2))).max(1);
        let mut batch = Batch {
            skipped: 0,
            events: 0,
            told: 0,
            body: Vec::new(),
            ids: [String::new(), String::new()],
            seqs: [0; 2],
        };
        let (mut out, mut again) = (Vec::new(), None);
        for event in events {
            out.clear();
            dialects.render(event, &mut out);
            if out.is_empty() {
                *if batch.told == 0 { &mut batch.skipped } else { &mut batch.events } += 1;
                continue;
            }
            if batch.told == 0 {
                again = self.attempted.filter(|[first, _]| *first == event.seq).map(|[_, last]| last);
                (batch.ids[0], batch.seqs[0]) = (event.id.clone(), event.seq);
            } else {
                let bytes: usize = out.iter().map(|message| message.body.len() + 1).sum();
                let full = batch.told >= most || batch.body.len().saturating_add(bytes) > self.max_bytes;
                if full || again.is_some_and(|last| event.seq > last) {
                    break;
                }
            }
            (batch.ids[1], batch.seqs[1]) = (event.id.clone(), event.seq);
            append(&mut batch.body, &out);
            batch.told += 1;
            batch.events += 1;
        }
        if self.most > 1 && batch.told > 0 {
            batch.body.insert(0, b'[');
            batch.body.push(b']');
        }
        self.attempted = (batch.told > 0).then_some(batch.seqs);
        batch
    }

    /// The far end has it.
    pub fn delivered(&mut self, batch: &Batch) {
        self.attempted = None;
        self.unanswered = 0;
        self.careful = match self.careful {
            Some((size, delivered)) if delivered < CAREFUL => Some((size, delivered + 1)),
            Some((size, _)) => Some((size * 2, 0)).filter(|(size, _)| *size < self.most),
            None => None,
        };
        self.suspects = self.suspects.and_then(|suspects| suspects.checked_sub(batch.told)).filter(|left| *left > 0);
    }

    /// It is too large as a whole.
    pub fn too_large(&mut self, batch: &Batch) {
        self.max_bytes = (self.max_bytes.min(batch.body.len()) / 2).max(1);
        self.attempted = None;
    }

    /// It may be too large, or the far end is not well.
    pub fn unanswered(&mut self, batch: &Batch) {
        self.unanswered += 1;
        if self.unanswered >= UNANSWERED && batch.told > 1 {
            (self.unanswered, self.careful, self.attempted) = (0, Some((batch.told / 2, 0)), None);
        }
    }

    /// Another one may go where this one does not.
    pub fn smaller(&mut self, batch: &Batch) {
        if batch.told > 1 {
            (self.careful, self.attempted) = (Some((batch.told / 2, 0)), None);
        }
    }

    /// Only one event, in the same form, without regard to what was attempted before.
    pub fn one(&self, events: &[Stored], dialects: &mut Dialects) -> Batch {
        let alone = Self { careful: Some((1, 0)), ..Self::new(self.most) };
        { alone }.next(events, dialects)
    }

    /// One of its events, at least, is refused.
    pub fn bad(&mut self, batch: &Batch) {
        self.suspects = Some(batch.told);
        self.attempted = None;
    }

    /// The event was found that is refused.
    pub fn left_out(&mut self) {
        (self.suspects, self.attempted, self.unanswered) = (None, None, 0);
    }
}

fn append(body: &mut Vec<u8>, messages: &[Message]) {
    for message in messages {
        if !body.is_empty() {
            body.push(b',');
        }
        body.extend_from_slice(&message.body);
    }
}
