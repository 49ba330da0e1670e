//! The place where a camera's decoder and its camera thread meet.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Delivery, Frame};

/// Where every frame is wanted, the decoder works ahead this far ...
const AHEAD: usize = 2;
/// ... and goes on when so few are left: waking it for each frame would cost more than handing one over.
const GO_ON: usize = 1;

/// Room for one frame, or for a few where every frame is wanted.
#[derive(Debug)]
pub struct FrameSlot {
    delivery: Delivery,
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug)]
struct State {
    frames: VecDeque<Frame>,
    closed: bool,
}

/// What `put` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// The frame lies in the slot.
    Stored,
    /// The frame lies in the slot; an older one was lost.
    Replaced,
    /// The slot is closed; the frame was dropped.
    Closed,
}

/// What `take` found.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation per frame")]
pub enum Take {
    /// A frame.
    Frame(Frame),
    /// None came in time.
    Timeout,
    /// The slot is closed and empty: none will come.
    Closed,
}

impl FrameSlot {
    /// An empty slot. With [`Delivery::Newest`] it has room for one and `put` never waits, with
    /// [`Delivery::Every`] `put` waits for room.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        let state = State { frames: VecDeque::with_capacity(AHEAD), closed: false };
        Self { delivery, state: Mutex::new(state), filled: Condvar::new(), emptied: Condvar::new() }
    }

    /// Lays a frame into the slot.
    pub fn put(&self, frame: Frame) -> Put {
        let mut state = self.state.lock();
        if self.delivery == Delivery::Every && state.frames.len() >= AHEAD {
            while state.frames.len() > GO_ON && !state.closed {
                self.emptied.wait(&mut state);
            }
        }
        if state.closed {
            return Put::Closed;
        }
        let old = if self.delivery == Delivery::Newest { state.frames.pop_front() } else { None };
        state.frames.push_back(frame);
        drop(state);
        self.filled.notify_one();
        // The old frame's buffer goes back to its pool here, outside the lock.
        if old.is_some() { Put::Replaced } else { Put::Stored }
    }

    /// Takes the oldest frame out, waiting for one up to `timeout`.
    pub fn take(&self, timeout: Duration) -> Take {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock();
        loop {
            if let Some(frame) = state.frames.pop_front() {
                let go_on = state.frames.len() == GO_ON;
                drop(state);
                if go_on {
                    self.emptied.notify_one();
                }
                return Take::Frame(frame);
            }
            if state.closed {
                return Take::Closed;
            }
            if self.filled.wait_until(&mut state, deadline).timed_out() && state.frames.is_empty() {
                return if state.closed { Take::Closed } else { Take::Timeout };
            }
        }
    }

    /// True once closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// No more frames: `put` refuses, `take` hands out what is left and then says so.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }
}
