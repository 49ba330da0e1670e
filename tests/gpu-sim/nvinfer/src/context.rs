//! `IExecutionContext`: shapes, addresses and memory of one user of an engine.

mod methods;
mod shapes;

use std::ffi::CString;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use sim_nvinfer_abi::{ErrorCode, Sink};

use crate::device::{Block, Owner};
use crate::engine::{Engine, PERSISTENT};
use crate::execution::Flight;
use crate::faults::{Count, fault, next};
use crate::library::misuse;
use crate::model::Shapes;

/// `ExecutionContextAllocationStrategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    Static = 0,
    OnProfileChange = 1,
    UserManaged = 2,
}

impl Strategy {
    pub(crate) fn from_number(number: i32) -> Self {
        match number {
            1 => Self::OnProfileChange,
            2 => Self::UserManaged,
            _ => Self::Static,
        }
    }
}

/// What changes.
pub(crate) struct State {
    pub(crate) profile: i32,
    /// Of each input; `None`: not set yet.
    pub(crate) shapes: Vec<Option<Vec<i64>>>,
    /// Of each tensor; 0: not set yet.
    pub(crate) addresses: Vec<usize>,
    /// The caller's scratch memory: address and bytes.
    pub(crate) user: (usize, usize),
    /// Its own.
    pub(crate) scratch: Option<Block>,
    /// Executions that may not have finished.
    pub(crate) flights: Vec<Arc<Flight>>,
    pub(crate) name: CString,
}

/// A context.
pub(crate) struct Context {
    pub(crate) engine: Arc<Engine>,
    pub(crate) strategy: Strategy,
    pub(crate) sink: Sink,
    state: Mutex<State>,
    _persistent: Block,
}

impl Context {
    /// `None`, and a reason in the log, where memory is short.
    pub(crate) fn new(engine: Arc<Engine>, strategy: Strategy) -> Option<Self> {
        const CALL: &str = "ICudaEngine::createExecutionContext";
        let number = next(Count::Context);
        let (first, times) = fault(|faults| (faults.fail_context, faults.fail_context_times.max(1)));
        let refused = first != 0 && (first..first + times).contains(&number);
        let take = |size, owner| {
            let block = Block::take(engine.device, engine.allocator.clone(), size, owner).filter(|_| !refused);
            if block.is_none() {
                let words = format!("OutOfMemory (Requested size was {size} bytes.)");
                engine.sink.error(CALL, ErrorCode::FailedAllocation, &words);
            }
            block
        };
        let persistent = take(PERSISTENT, Owner::Persistent)?;
        let scratch = match strategy {
            Strategy::Static => Some(take(engine.scratch_of_all(), Owner::Scratch)?),
            Strategy::OnProfileChange => Some(take(engine.scratch_of_profile(0)?, Owner::Scratch)?),
            Strategy::UserManaged => None,
        };
        let fixed = |shape: &Vec<i64>| shape.iter().all(|extent| *extent > 0).then(|| shape.clone());
        let state = State {
            profile: 0,
            shapes: engine.inputs().iter().map(|io| fixed(&io.tensor.shape)).collect(),
            addresses: vec![0; engine.tensors.len()],
            user: (0, 0),
            scratch,
            flights: Vec::new(),
            name: CString::default(),
        };
        engine.contexts.fetch_add(1, Ordering::AcqRel);
        let sink = engine.sink.child();
        Some(Self { engine, strategy, sink, state: Mutex::new(state), _persistent: persistent })
    }

    /// The state for one call; two calls at once are undefined in TensorRT, so they are reported.
    pub(crate) fn enter(&self, call: &str) -> MutexGuard<'_, State> {
        match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(state)) => state.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let words = format!("{call} on a context of {:?} that another thread is using", self.engine.name());
                misuse("context-two-threads", &words);
                self.sink.usage(&format!("IExecutionContext::{call}"), &words);
                self.state.lock().unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    /// Scratch memory that an enqueue with these shapes needs.
    pub(crate) fn scratch_needed(&self, state: &State, shapes: &Shapes) -> usize {
        match self.strategy {
            Strategy::UserManaged => {
                let profile = self.engine.scratch_of_profile(state.profile).unwrap_or(0);
                // What `updateDeviceMemorySizeForShapes` answers is enough for those shapes.
                self.engine.scratch(shapes).min(profile)
            }
            _ => 0,
        }
    }
}

impl State {
    /// Shapes of all inputs, once all are set.
    pub(crate) fn all_shapes(&self) -> Option<Shapes> {
        self.shapes.iter().cloned().collect()
    }

    /// Forgets executions that have finished.
    pub(crate) fn prune(&mut self) {
        self.flights.retain(|flight| !flight.finished());
    }
}
