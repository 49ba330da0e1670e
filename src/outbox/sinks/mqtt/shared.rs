//! What the thread that keeps the connection and the sink's own thread share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::packets::Ack;
use super::session::Session;
use super::trouble::Trouble;

/// The connection, and a way to wait for what becomes of it.
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    closing: AtomicBool,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ended {
    /// By us, or on the way.
    #[default]
    Otherwise,
    /// By the far end.
    ByBroker,
    /// By the broker, because of another client with our name.
    TakenOver,
}

/// The connection, or why there is none.
#[derive(Default)]
pub(super) struct State {
    pub(super) session: Option<Session>,
    /// Counts connections.
    pub(super) epoch: u64,
    /// Why there is none, or was none before.
    pub(super) trouble: Option<Trouble>,
    /// How the last connection ended.
    pub(super) ended: Ended,
    /// It did so because of an event that is now left out.
    pub(super) explained: bool,
    /// Acknowledgements of the last connection that nobody has looked at.
    pub(super) acks: Vec<(u16, Ack)>,
}

impl Shared {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), closing: AtomicBool::new(false) })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, but for a wait of `patience` at most: who sends to a broker that takes nothing holds it for long.
    pub(super) fn lock_within(&self, patience: Duration) -> Option<MutexGuard<'_, State>> {
        let until = Instant::now() + patience;
        loop {
            match self.state.try_lock() {
                Ok(state) => return Some(state),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() >= until => return None,
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// The sink is closed, or about to be.
    pub(super) fn closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// The thread is to end.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.tell();
    }

    /// Waits for a change, until `until` at most.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, until: Instant) -> MutexGuard<'a, State> {
        let left = until.saturating_duration_since(Instant::now());
        self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn tell(&self) {
        self.changed.notify_all();
    }
}
