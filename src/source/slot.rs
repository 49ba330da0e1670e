//! The place where a camera's decoder and its camera thread meet: room for one frame.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::{Delivery, Frame};

/// Room for one frame.
#[derive(Debug)]
pub struct FrameSlot {
    delivery: Delivery,
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    frame: Option<Frame>,
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
    /// An empty slot. With [`Delivery::Newest`] `put` never waits, with [`Delivery::Every`] it waits
    /// until the slot is empty.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        Self { delivery, state: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new() }
    }

    /// Lays a frame into the slot.
    pub fn put(&self, frame: Frame) -> Put {
        let mut state = self.state.lock();
        while self.delivery == Delivery::Every && state.frame.is_some() && !state.closed {
            self.emptied.wait(&mut state);
        }
        if state.closed {
            return Put::Closed;
        }
        let old = state.frame.replace(frame);
        drop(state);
        self.filled.notify_one();
        // The old frame's buffer goes back to its pool here, outside the lock.
        if old.is_some() { Put::Replaced } else { Put::Stored }
    }

    /// Takes the frame out, waiting for one up to `timeout`.
    pub fn take(&self, timeout: Duration) -> Take {
        let deadline = Instant::now() + timeout;
        let mut state = self.state.lock();
        loop {
            if let Some(frame) = state.frame.take() {
                drop(state);
                self.emptied.notify_one();
                return Take::Frame(frame);
            }
            if state.closed {
                return Take::Closed;
            }
            if self.filled.wait_until(&mut state, deadline).timed_out() && state.frame.is_none() {
                return if state.closed { Take::Closed } else { Take::Timeout };
            }
        }
    }

    /// No more frames: `put` refuses, `take` hands out what is left and then says so.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }
}
