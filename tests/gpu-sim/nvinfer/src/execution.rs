//! One run of a network, on the thread of its stream.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use gpu_sim::report::lock;
use sim_nvinfer_abi::{ErrorCode, Sink};

use crate::engine::Engine;
use crate::faults::fault;
use crate::library::misuse;
use crate::model::{Bytes, Shapes};

/// Myelin's words where a graph is already loaded.
pub(crate) const MYELIN: &str = "Myelin ([executor.cpp:myelinGraphLoad:0] Called with an already loaded binary graph.)";
const ILLEGAL_ADDRESS: u32 = 700;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Queued,
    Running,
    Done { ok: bool },
}

/// An execution from enqueue to its end.
pub(crate) struct Flight {
    pub(crate) stream: usize,
    /// Address and bytes of the scratch memory it uses.
    pub(crate) scratch: (usize, usize),
    engine: String,
    progress: Mutex<Progress>,
    changed: Condvar,
}

/// A range of device memory by the name of its tensor.
pub(crate) struct Operand {
    pub(crate) address: usize,
    pub(crate) size: usize,
    pub(crate) name: String,
}

/// What the stream's thread needs.
pub(crate) struct Execution {
    pub(crate) engine: Arc<Engine>,
    pub(crate) flight: Arc<Flight>,
    pub(crate) operands: Vec<Operand>,
    pub(crate) shapes: Shapes,
    pub(crate) sink: Sink,
    pub(crate) call: String,
    /// It fails with Myelin's error here instead of in the enqueue.
    pub(crate) silent: bool,
}

/// Executions of this process that have not finished.
static FLIGHTS: Mutex<Vec<Arc<Flight>>> = Mutex::new(Vec::new());

/// Notes an execution; says whether another stream has one that has not finished. Of two that come at once, one is told.
pub(crate) fn register(flight: &Arc<Flight>) -> bool {
    let mut flights = lock(&FLIGHTS);
    let others = flights.iter().any(|other| other.stream != flight.stream && !other.finished());
    flights.push(Arc::clone(flight));
    others
}

pub(crate) fn forget(flight: &Arc<Flight>) {
    lock(&FLIGHTS).retain(|other| !Arc::ptr_eq(other, flight));
}

impl Flight {
    pub(crate) fn new(engine: &Engine, stream: usize, scratch: (usize, usize)) -> Self {
        let engine = engine.name().to_owned();
        Self { stream, scratch, engine, progress: Mutex::new(Progress::Queued), changed: Condvar::new() }
    }

    pub(crate) fn finished(&self) -> bool {
        matches!(*lock(&self.progress), Progress::Done { .. })
    }

    /// Waits for the end; says whether it was a good one.
    pub(crate) fn wait(&self) -> bool {
        let mut progress = lock(&self.progress);
        loop {
            if let Progress::Done { ok } = *progress {
                return ok;
            }
            progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn set(&self, progress: Progress) {
        *lock(&self.progress) = progress;
        self.changed.notify_all();
    }

    fn overlaps(&self, other: &Self) -> bool {
        let ((a, a_size), (b, b_size)) = (self.scratch, other.scratch);
        a != 0 && b != 0 && a < b + b_size && b < a + a_size
    }
}

impl Execution {
    /// The stream has come to it; `run` is false where a sticky error came first.
    pub(crate) fn perform(self, run: bool) {
        let ok = run && self.run();
        self.flight.set(Progress::Done { ok });
        forget(&self.flight);
    }

    fn run(&self) -> bool {
        self.check_scratch();
        if self.silent {
            self.sink.error(&self.call, ErrorCode::Unspecified, MYELIN);
            return false;
        }
        let concerned = fault(|faults| faults.concern(self.engine.name()));
        let (slow, wrong) = fault(|faults| (faults.slow_ms, faults.wrong_outputs));
        if concerned && slow > 0 {
            thread::sleep(Duration::from_millis(slow));
        }
        let Some(ranges) = self.operands.iter().map(|operand| self.view(operand)).collect::<Option<Vec<_>>>() else {
            return false;
        };
        let (inputs, outputs) = ranges.split_at(self.engine.inputs().len());
        // SAFETY: the ranges are in live device memory, which stays as long as this work uses it; like a GPU, the
        // simulator leaves it to the program that streams do not write to one place at once.
        let answer = unsafe { self.engine.model.run(&self.shapes, inputs, outputs) };
        if let Err(reason) = &answer {
            self.sink.error(&self.call, ErrorCode::Unspecified, &format!("Internal Error ({reason})"));
        } else if concerned && wrong {
            for output in outputs {
                // SAFETY: as above.
                let bytes = unsafe { std::slice::from_raw_parts_mut(output.view, output.size) };
                bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_add(64));
            }
        }
        answer.is_ok()
    }

    fn view(&self, operand: &Operand) -> Option<Bytes> {
        let view = self.engine.device.view(operand.address, operand.size);
        if view.is_none() {
            let words = format!(
                "{:?}: the {} bytes of {:?} at {:#x} are not in live device memory",
                self.engine.name(),
                operand.size,
                operand.name,
                operand.address
            );
            misuse("illegal-address", &words);
            self.engine.device.raise(ILLEGAL_ADDRESS, &words);
        }
        view.map(|view| Bytes { view, size: operand.size })
    }

    /// Two executions that share scratch memory must not run at the same time.
    fn check_scratch(&self) {
        let flights = lock(&FLIGHTS);
        self.flight.set(Progress::Running);
        let running = |other: &&Arc<Flight>| *lock(&other.progress) == Progress::Running;
        let others = flights.iter().filter(|other| !Arc::ptr_eq(other, &self.flight));
        let clash = others.filter(running).find(|other| other.overlaps(&self.flight));
        let words = clash.map(|other| {
            format!(
                "executions of {:?} and {:?} ran at the same time with the same scratch memory",
                self.flight.engine, other.engine
            )
        });
        drop(flights);
        if let Some(words) = words {
            misuse("scratch-shared", &words);
            self.sink.usage(&self.call, &words);
        }
        if self.flight.scratch.0 != 0 && self.engine.device.view(self.flight.scratch.0, self.flight.scratch.1).is_none()
        {
            misuse("scratch-freed", &format!("the scratch memory of {:?} is not alive", self.flight.engine));
            self.engine.device.raise(ILLEGAL_ADDRESS, "scratch memory that is not alive");
        }
    }
}
