//! Streams: each has a thread that does what it was given, in order.

mod api;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use gpu_sim::report::{lock, misuse};

use crate::driver::{self, LIBRARY};
use crate::memory;
use crate::result::Code;

/// A stream handle of the driver.
pub(crate) type Handle = usize;

/// Handles of streams count up from here.
const FIRST: Handle = 0x57_0000_0000;
/// `CU_STREAM_LEGACY` and `CU_STREAM_PER_THREAD`.
const LEGACY: Handle = 1;
const PER_THREAD: Handle = 2;

/// What a piece of work is told when its turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Do it.
    Run,
    /// A sticky error came first: do nothing but let go of what you hold.
    Cancelled,
}

/// Work of a stream, up to and including a ticket.
pub(crate) type Dependency = (Arc<Stream>, u64);

struct Item {
    after: Vec<Dependency>,
    run: Box<dyn FnOnce(Turn) + Send>,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    submitted: u64,
    finished: u64,
    closed: bool,
}

/// A stream, its queue and the tickets of its work.
pub(crate) struct Stream {
    handle: Handle,
    /// Keeps the order of the legacy default stream.
    blocking: bool,
    priority: i32,
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Streams {
    next: Handle,
    live: BTreeMap<Handle, Arc<Stream>>,
}

static STREAMS: Mutex<Streams> = Mutex::new(Streams { next: FIRST, live: BTreeMap::new() });
static CREATED: AtomicUsize = AtomicUsize::new(0);

/// Streams that the program made and did not destroy.
pub(crate) fn alive() -> usize {
    lock(&STREAMS).live.keys().filter(|handle| **handle >= FIRST).count()
}

/// The stream of a handle; the default streams come to life when they are first used.
pub(crate) fn find(handle: Handle) -> Result<Arc<Stream>, Code> {
    let handle = if handle == 0 { LEGACY } else { handle };
    let mut streams = lock(&STREAMS);
    if let Some(stream) = streams.live.get(&handle) {
        return Ok(Arc::clone(stream));
    }
    if handle == LEGACY || handle == PER_THREAD {
        let stream = Stream::start(handle, true, 0)?;
        streams.live.insert(handle, Arc::clone(&stream));
        return Ok(stream);
    }
    drop(streams);
    misuse(LIBRARY, "unknown-stream", &format!("{handle:#x} is no stream, or was destroyed"));
    Err(Code::INVALID_HANDLE)
}

/// Waits for all work of all streams.
pub(crate) fn synchronise_all() -> Result<(), Code> {
    let live: Vec<_> = lock(&STREAMS).live.values().cloned().collect();
    for stream in live {
        stream.wait_for(stream.submitted());
    }
    driver::sticky()
}

impl Stream {
    fn start(handle: Handle, blocking: bool, priority: i32) -> Result<Arc<Self>, Code> {
        let stream =
            Arc::new(Self { handle, blocking, priority, queue: Mutex::new(Queue::default()), changed: Condvar::new() });
        let worker = Arc::clone(&stream);
        let name = format!("sim-stream-{}", CREATED.fetch_add(1, Ordering::Relaxed));
        thread::Builder::new().name(name).spawn(move || worker.work()).map_err(|_| Code::OUT_OF_MEMORY)?;
        Ok(stream)
    }

    /// What reports call it.
    pub(crate) fn label(&self) -> String {
        match self.handle {
            LEGACY => "the default stream".to_owned(),
            PER_THREAD => "the per-thread default stream".to_owned(),
            handle => format!("stream {handle:#x}"),
        }
    }

    /// Gives the stream work that uses the allocations at `bases`, to be done after what it has and after `after`.
    pub(crate) fn submit(
        self: &Arc<Self>,
        bases: &[usize],
        mut after: Vec<Dependency>,
        run: impl FnOnce(Turn) + Send + 'static,
    ) -> u64 {
        driver::count_enqueue();
        after.extend(self.order_of_default_stream());
        let ticket = {
            let mut queue = lock(&self.queue);
            queue.submitted += 1;
            queue.items.push_back(Item { after, run: Box::new(run) });
            queue.submitted
        };
        memory::note_use(bases, self, ticket);
        self.changed.notify_all();
        ticket
    }

    /// The legacy default stream waits for every blocking stream, and every blocking stream waits for it ("CUDA
    /// Driver API", stream synchronization behavior).
    fn order_of_default_stream(&self) -> Vec<Dependency> {
        if !self.blocking {
            return Vec::new();
        }
        let streams = lock(&STREAMS);
        let others = streams.live.values().filter(|other| {
            other.handle != self.handle && other.blocking && (self.handle == LEGACY || other.handle == LEGACY)
        });
        others.map(|other| (Arc::clone(other), other.submitted())).filter(|(other, at)| !other.finished(*at)).collect()
    }

    /// The ticket of the last work given.
    pub(crate) fn submitted(&self) -> u64 {
        lock(&self.queue).submitted
    }

    /// Whether work up to `ticket` is done.
    pub(crate) fn finished(&self, ticket: u64) -> bool {
        lock(&self.queue).finished >= ticket
    }

    /// Waits until work up to `ticket` is done.
    pub(crate) fn wait_for(&self, ticket: u64) {
        let mut queue = lock(&self.queue);
        while queue.finished < ticket {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the thread end once the queue is empty; says how much is still in it.
    fn close(&self) -> u64 {
        let mut queue = lock(&self.queue);
        queue.closed = true;
        self.changed.notify_all();
        queue.submitted - queue.finished
    }

    fn work(&self) {
        while let Some(item) = self.next() {
            for (stream, ticket) in item.after {
                stream.wait_for(ticket);
            }
            crate::fault_hang();
            let turn = if driver::sticky().is_ok() { Turn::Run } else { Turn::Cancelled };
            let run = item.run;
            if catch_unwind(AssertUnwindSafe(|| run(turn))).is_err() {
                driver::raise(Code::LAUNCH_FAILED, "work of a stream panicked; this is a fault of the simulator");
            }
            lock(&self.queue).finished += 1;
            self.changed.notify_all();
        }
    }

    fn next(&self) -> Option<Item> {
        let mut queue = lock(&self.queue);
        loop {
            if let Some(item) = queue.items.pop_front() {
                return Some(item);
            }
            if queue.closed {
                return None;
            }
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
