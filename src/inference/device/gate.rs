//! Who may execute on the device at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use gpu::Event;
use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::config::Concurrency;

/// In parallel, everybody enters; serially, one enters and stays until its stream has finished.
///
/// The change from one to the other happens while executions are under way, and their threads may themselves wait to
/// enter with the next model. So whoever enters first afterwards does not wait for those threads, but for the events
/// that mark the end of their work on the device.
pub(in crate::inference) struct Gate {
    configured: Concurrency,
    serial: AtomicBool,
    /// Shared while work is queued in parallel; held alone from the first call to the end in serial mode. Fair: after
    /// an execution it goes to whoever waits, or a busy camera would keep it and others would hardly see a frame.
    flow: RwLock<()>,
    /// The end of the latest work of each context.
    ends: Mutex<Vec<Weak<Event>>>,
    /// Nothing that was queued in parallel is under way any more.
    drained: AtomicBool,
}

/// Leave to execute.
pub(in crate::inference) enum Pass<'a> {
    /// Beside others: queue the work, mark its end, drop this.
    Shared(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'a, ()>),
    /// Nobody else: drop this when the work has finished.
    Alone(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'a, ()>),
}

impl Gate {
    pub(in crate::inference) fn new(configured: Concurrency) -> Self {
        Self {
            configured,
            serial: AtomicBool::new(configured == Concurrency::Serial),
            flow: RwLock::new(()),
            ends: Mutex::default(),
            drained: AtomicBool::new(false),
        }
    }

    pub(in crate::inference) fn configured(&self) -> Concurrency {
        self.configured
    }

    pub(in crate::inference) fn is_serial(&self) -> bool {
        self.serial.load(Ordering::SeqCst)
    }

    /// A context's end of work, which it records behind each execution; known until the context drops it.
    pub(in crate::inference) fn register(&self, end: &Arc<Event>) {
        let mut ends = self.ends.lock();
        ends.retain(|end| end.strong_count() > 0);
        ends.push(Arc::downgrade(end));
    }

    /// Waits for leave to execute.
    pub(in crate::inference) fn enter(&self) -> Pass<'_> {
        loop {
            if !self.is_serial() {
                let pass = self.flow.read();
                if !self.is_serial() {
                    return Pass::Shared(pass);
                }
                continue;
            }
            let pass = self.flow.write();
            if !self.is_serial() {
                continue;
            }
            if !self.drained.load(Ordering::SeqCst) {
                self.drain();
                self.drained.store(true, Ordering::SeqCst);
            }
            return Pass::Alone(pass);
        }
    }

    /// Nobody queues meanwhile: the caller is alone.
    fn drain(&self) {
        let ends: Vec<_> = {
            let ends = self.ends.lock();
            ends.iter().filter_map(Weak::upgrade).collect()
        };
        for end in ends {
            // An execution that failed is over, too; its own context tells of it.
            let _ = end.synchronize();
        }
    }

    /// One at a time from now on. True where that is news.
    pub(in crate::inference) fn trip(&self) -> bool {
        !self.serial.swap(true, Ordering::SeqCst)
    }

    /// Parallel again, where the configuration allows it. True where that is news.
    pub(in crate::inference) fn reset(&self) -> bool {
        if self.configured == Concurrency::Serial {
            return false;
        }
        let _alone = self.flow.write();
        self.drained.store(false, Ordering::SeqCst);
        self.serial.swap(false, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn serially_nobody_is_passed_over() {
        const TURNS: usize = 20;
        let (gate, greedy, done) = (Gate::new(Concurrency::Serial), AtomicUsize::new(0), AtomicBool::new(false));
        let execute = || {
            let _alone = gate.enter();
            thread::sleep(Duration::from_millis(3));
        };
        let between = thread::scope(|scope| {
            scope.spawn(|| {
                // Comes back at once, as a camera with several models does.
                while !done.load(Ordering::SeqCst) {
                    execute();
                    greedy.fetch_add(1, Ordering::SeqCst);
                }
            });
            execute();
            let before = greedy.load(Ordering::SeqCst);
            (0..TURNS).for_each(|_| execute());
            let between = greedy.load(Ordering::SeqCst) - before;
            done.store(true, Ordering::SeqCst);
            between
        });
        assert!(between <= 2 * TURNS, "{between} turns of another while one had {TURNS}");
    }
}
