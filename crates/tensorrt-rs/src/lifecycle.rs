//! One lock per process around everything that brings TensorRT objects to life or ends them.
//!
//! NVIDIA lists `deserializeCudaEngine` and `createExecutionContext` as safe to call from several threads
//! ("How TensorRT Works", Threading); `createInferRuntime` and destructors are not on that list, and
//! programs in the field have crashed there. Loading engines and making contexts is rare and slow, so this
//! crate takes the lock for all of it: runtimes, engines, execution contexts, builders.
//!
//! A callback of TensorRT's that runs on the calling thread, an allocator or a plan reader, runs inside the
//! lock.
//!
//! [`abandon`] ends all of it: after a sticky CUDA error nothing of TensorRT's may be ended any more.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

static LOCK: Mutex<()> = Mutex::new(());
static ABANDONED: AtomicBool = AtomicBool::new(false);

/// Gives up all of TensorRT in this process for good: from now on nothing of this crate that drops calls TensorRT or
/// waits for a stream. Objects, and the buffers, streams and callbacks that they may still use, are leaked.
///
/// After a sticky CUDA error (700, 719 and kin) TensorRT's destructors can hang, or throw and end the process in the
/// middle of what it still has to write. Leave with `_exit` soon after. A drop that another thread is in the middle
/// of is not stopped, and an execution that waits for shared activation memory waits for ever.
pub fn abandon() {
    ABANDONED.store(true, Ordering::SeqCst);
}

/// True after [`abandon`].
#[must_use]
pub fn is_abandoned() -> bool {
    ABANDONED.load(Ordering::SeqCst)
}

/// What this thread has of the lock: how many guards, and the one lock behind them.
#[derive(Default)]
struct Held {
    guards: u32,
    lock: Option<MutexGuard<'static, ()>>,
}

thread_local! {
    static HELD: RefCell<Held> = RefCell::default();
}

/// Holds the life-cycle lock; stays on its thread.
#[must_use = "the lock is given back when the guard drops"]
#[derive(Debug)]
pub struct Guard {
    /// Only where the thread is ending and has no record any more.
    own: Option<MutexGuard<'static, ()>>,
    _thread: PhantomData<*const ()>,
}

/// Takes the life-cycle lock, waiting for it. A thread that has it gets it again.
///
/// Take it to keep TensorRT's objects from being made or ended while something else happens, such as a
/// capture of CUDA work.
pub fn lock() -> Guard {
    let acquire = || LOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let recorded = HELD.try_with(|held| {
        let first = held.borrow().guards == 0;
        let lock = first.then(acquire);
        let mut held = held.borrow_mut();
        held.guards += 1;
        if lock.is_some() {
            held.lock = lock;
        }
    });
    Guard { own: recorded.is_err().then(acquire), _thread: PhantomData }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.own.is_some() {
            return;
        }
        let _ = HELD.try_with(|held| {
            let mut held = held.borrow_mut();
            held.guards -= 1;
            if held.guards == 0 {
                held.lock = None;
            }
        });
    }
}
