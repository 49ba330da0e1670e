//! The camera thread's end of the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::block::Head;
use super::frame::FrameCoder;
use super::record;
use super::writer::{CameraLog, Full, Message, Stats};
use crate::types::observation::{Input, Model};
use crate::types::time::Timestamp;

/// A block is full with so many bytes, packed afterwards.
const BLOCK_BYTES: usize = 64 << 10;
/// Room for the record that makes it full.
const RECORD_BYTES: usize = 16 << 10;
/// A block is full after so long, microseconds.
const BLOCK_TIME: i64 = 10_000_000;
/// Buffers of a camera: one being filled, the others full and on their way, or back.
const BUFFERS: usize = 4;
/// The model is said again with every so many blocks: where the block is damaged that told it, no more are lost.
const MODEL_EVERY: u32 = 30;
const HOUR: i64 = 3_600_000_000;

/// Keeps what the rules of one camera are told. What it holds is handed over when it is dropped.
pub struct Encoder {
    camera: Arc<CameraLog>,
    out: Sender<Message>,
    spare: Receiver<Vec<u8>>,
    home: Sender<Vec<u8>>,
    stats: Arc<Stats>,
    coder: FrameCoder,
    begun: Timestamp,
    /// Told last.
    model: Option<Arc<Model>>,
    /// Told since the beginning.
    models: u32,
    /// The block that is being filled.
    bytes: Vec<u8>,
    head: Head,
    /// It is the first of a file.
    heads_file: bool,
    /// The hour that the file is of.
    hour: i64,
    /// The model is said again with the next block: one before it was lost.
    say_again: bool,
}

impl Encoder {
    pub(super) fn new(camera: Arc<CameraLog>, out: Sender<Message>, stats: Arc<Stats>, now: Timestamp) -> Self {
        let (home, spare) = bounded(BUFFERS);
        let buffer = || Vec::with_capacity(BLOCK_BYTES + RECORD_BYTES);
        (1..BUFFERS).for_each(|_| drop(home.try_send(buffer())));
        Self {
            camera,
            out,
            spare,
            home,
            stats,
            coder: FrameCoder::default(),
            begun: now,
            model: None,
            models: 0,
            bytes: buffer(),
            head: Head::default(),
            heads_file: true,
            hour: now.0.div_euclid(HOUR),
            say_again: false,
        }
    }

    /// From now on the rules are new ones, which remember nothing: the daemon started, or the config changed.
    pub fn begin(&mut self, now: Timestamp) {
        self.flush();
        // Two beginnings are never taken for one, whatever the clock does.
        self.begun = Timestamp(now.0.max(self.begun.0 + 1));
        (self.model, self.models, self.say_again) = (None, 0, false);
        (self.head.number, self.heads_file, self.hour) = (0, true, now.0.div_euclid(HOUR));
    }

    /// Keeps what the rules are told now.
    pub fn push(&mut self, input: &Input<'_>) {
        let now = match input {
            Input::Frame(frame) => Some(frame.arrival.0),
            // It comes with the time of the frame before it, or of none.
            Input::Reset { .. } | Input::Model(_) => None,
        };
        if let Some(now) = now {
            // A clock that was set goes back, or far ahead.
            if self.head.frames > 0 && now.saturating_sub(self.head.first).saturating_abs() >= BLOCK_TIME {
                self.flush();
            }
        }
        if self.bytes.is_empty() {
            self.start_block(now);
        }
        if let Some(now) = now {
            if self.head.frames == 0 {
                self.head.first = now;
                self.head.last = now;
            }
            self.head.frames += 1;
            self.head.first = self.head.first.min(now);
            self.head.last = self.head.last.max(now);
        }
        record::put_input(input, &mut self.coder, &mut self.bytes);
        if let Input::Model(model) = input {
            self.model = Some(Arc::clone(model));
            self.models += 1;
        }
        if self.bytes.len() >= BLOCK_BYTES {
            self.flush();
        }
    }

    fn start_block(&mut self, now: Option<i64>) {
        self.coder.restart();
        // Until a frame comes: when the last one did.
        let now = now.unwrap_or(if self.head.number == 0 { self.begun.0 } else { self.head.last });
        let hour = now.div_euclid(HOUR);
        if hour != self.hour {
            (self.hour, self.heads_file) = (hour, true);
        }
        self.say_again |= self.camera.lost.swap(false, Ordering::Relaxed);
        self.head = Head { number: self.head.number, models: self.models, frames: 0, first: now, last: now };
        let due = self.heads_file || self.say_again || self.head.number.is_multiple_of(MODEL_EVERY);
        if let Some(model) = self.model.as_ref().filter(|_| due) {
            record::put_model_again(model, &mut self.bytes);
        }
    }

    /// Hands over what there is, so that it is on disk soon.
    pub fn flush(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let number = self.head.number;
        let sent = self.spare.try_recv().is_ok_and(|empty| {
            let full = std::mem::replace(&mut self.bytes, empty);
            let (camera, home) = (Arc::clone(&self.camera), self.home.clone());
            let (begun, head, heads_file) = (self.begun, self.head, self.heads_file);
            self.stats.waiting_blocks.inc();
            match self.out.try_send(Message::Block(Full { camera, home, begun, head, heads_file, bytes: full })) {
                Ok(()) => true,
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => {
                    self.stats.waiting_blocks.dec();
                    if let Message::Block(Full { bytes, .. }) = back {
                        let _ = self.home.try_send(std::mem::replace(&mut self.bytes, bytes));
                    }
                    false
                }
            }
        });
        if sent {
            (self.heads_file, self.say_again) = (false, false);
        } else {
            self.stats.dropped_blocks.inc();
            self.say_again = true;
        }
        self.bytes.clear();
        self.head.number = number.wrapping_add(1);
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.flush();
    }
}
