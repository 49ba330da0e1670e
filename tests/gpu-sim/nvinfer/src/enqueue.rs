//! What an enqueue checks before its work goes to the stream.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sim_nvinfer_abi::ErrorCode;

use crate::context::{Context, State, Strategy};
use crate::engine::Engine;
use crate::execution::{self, Execution, Flight, Operand};
use crate::faults::{Count, fault, next};
use crate::library::misuse;
use crate::model::Shapes;

/// Gives the stream one execution; `None`, and a reason in the log, where something is missing or a fault was asked for.
pub(crate) fn enqueue(context: &Context, state: &mut State, call: &str, stream: usize) -> Option<Arc<Flight>> {
    let call = format!("IExecutionContext::{call}");
    // The default stream has two names.
    let stream = if stream == 1 { 0 } else { stream };
    let engine = &context.engine;
    let usage = |kind: &str, words: &str| {
        misuse(kind, words);
        context.sink.usage(&call, words);
    };
    let Some(shapes) = state.all_shapes() else {
        let missing: Vec<_> = engine.inputs().iter().zip(&state.shapes).filter(|(_, shape)| shape.is_none()).collect();
        let names: Vec<_> = missing.iter().map(|(io, _)| io.tensor.name.as_str()).collect();
        let words = format!(
            "Parameter check failed, condition: inputDimensionSpecified && inputShapesSpecified. Not all shapes are \
             specified. Following input tensors' dimensions are not specified: {}.",
            names.join(", ")
        );
        usage("shape-not-set", &words);
        return None;
    };
    for (io, address) in engine.tensors.iter().zip(&state.addresses) {
        if *address == 0 {
            let (kind, advice) = if io.input {
                ("input", "Address is not set for")
            } else {
                ("output", "Neither address or allocator is set for")
            };
            let name = &io.tensor.name;
            let words = format!("{advice} {kind} tensor {name}. Call setTensorAddress before enqueue/execute.");
            usage("address-not-set", &words);
            return None;
        }
    }
    let needed = context.scratch_needed(state, &shapes);
    if needed > 0 && (state.user.0 == 0 || state.user.1 < needed) {
        let words = format!(
            "the context is user-managed and needs {needed} bytes of device memory, {} were given at {:#x}. Call \
             setDeviceMemoryV2 before enqueue.",
            state.user.1, state.user.0
        );
        usage(if state.user.0 == 0 { "scratch-not-set" } else { "scratch-too-small" }, &words);
        return None;
    }
    state.prune();
    if let Some(other) = state.flights.iter().find(|flight| flight.stream != stream) {
        let words = format!(
            "a context of {:?} was enqueued on stream {stream:#x} while its execution on stream {:#x} has not finished",
            engine.name(),
            other.stream
        );
        usage("context-in-flight", &words);
        return None;
    }
    let outputs = match engine.model.output_shapes(&shapes) {
        Ok(outputs) => outputs,
        Err(reason) => {
            context.sink.error(&call, ErrorCode::Unspecified, &reason);
            return None;
        }
    };
    let flight = Arc::new(Flight::new(engine, stream, scratch_range(context, state)));
    let overlap = execution::register(&flight);
    let Ok(silent) = faults(context, &call, overlap) else {
        execution::forget(&flight);
        return None;
    };
    let execution = Execution {
        engine: Arc::clone(engine),
        flight: Arc::clone(&flight),
        operands: operands(engine, state, &shapes, &outputs),
        shapes,
        sink: context.sink.child(),
        call: call.clone(),
        silent,
    };
    let mut addresses = state.addresses.clone();
    addresses.extend(Some(flight.scratch.0).filter(|address| *address != 0));
    let work = Box::new(move |run| execution.perform(run));
    if let Err(code) = engine.device.enqueue(stream, &addresses, work) {
        execution::forget(&flight);
        context.sink.error(&call, ErrorCode::Unspecified, &format!("Cuda Runtime (In catchCudaError: {code})"));
        return None;
    }
    state.flights.push(Arc::clone(&flight));
    Some(flight)
}

fn scratch_range(context: &Context, state: &State) -> (usize, usize) {
    match (&state.scratch, context.strategy) {
        (_, Strategy::UserManaged) => state.user,
        (Some(block), _) => (block.address, block.size),
        (None, _) => (0, 0),
    }
}

fn operands(engine: &Engine, state: &State, inputs: &Shapes, outputs: &Shapes) -> Vec<Operand> {
    let shapes = inputs.iter().chain(outputs);
    let tensors = engine.tensors.iter().zip(&state.addresses).zip(shapes);
    tensors
        .map(|((io, address), shape)| Operand {
            address: *address,
            size: shape.iter().product::<i64>().unsigned_abs() as usize * io.element,
            name: io.tensor.name.clone(),
        })
        .collect()
}

/// Faults that were asked for; `Ok(true)`: the execution is to fail on the stream's thread.
fn faults(context: &Context, call: &str, overlap: bool) -> Result<bool, ()> {
    let engine = &context.engine;
    let concerned = fault(|faults| faults.concern(engine.name()));
    let runs = engine.runs.fetch_add(1, Ordering::AcqRel) + 1;
    if concerned {
        let number = next(Count::Enqueue);
        let (nth, onwards) = fault(|faults| (faults.fail_enqueue, faults.fail_enqueue_onwards));
        if nth != 0 && (number == nth || onwards && number > nth) {
            context.sink.error(call, ErrorCode::Unspecified, "Cask (a failure that was asked for)");
            return Err(());
        }
    }
    let overlap = overlap && fault(|faults| faults.myelin_overlap);
    let every = fault(|faults| faults.myelin_every);
    let due = concerned && every != 0 && runs.is_multiple_of(every);
    if overlap || due || engine.poisoned.load(Ordering::Acquire) {
        let (heals, asynchronous) = fault(|faults| (faults.myelin_heals, faults.myelin_asynchronous));
        engine.poisoned.store(!heals, Ordering::Release);
        if asynchronous {
            return Ok(true);
        }
        context.sink.error(call, ErrorCode::Unspecified, execution::MYELIN);
        return Err(());
    }
    Ok(false)
}
