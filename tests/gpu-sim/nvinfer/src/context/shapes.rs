//! Shapes and sizes of a context's tensors.

use std::ffi::{c_char, c_void};

use sim_nvinfer_abi::{Dims, ErrorCode, method};

use super::methods::lookup;
use super::{Context, State};
use crate::library::misuse;

pub(super) extern "C" fn set_shape(this: *const c_void, name: *const c_char, dims: *const Dims) -> bool {
    let context = method::<Context>(this);
    let mut state = context.enter("setInputShape");
    let refuse = |kind: &str, words: &str| {
        misuse(kind, words);
        context.sink.usage("IExecutionContext::setInputShape", words);
        false
    };
    let Some(input) = lookup(&context, "setInputShape", name).filter(|index| context.engine.tensors[*index].input)
    else {
        return false;
    };
    // SAFETY: TensorRT takes a reference.
    let shape = unsafe { &*dims }.shape().to_vec();
    let io = &context.engine.tensors[input];
    let Some(range) = context.engine.range(state.profile, input) else {
        return false;
    };
    let label = &io.tensor.name;
    let same_rank = shape.len() == io.tensor.shape.len();
    if !same_rank || shape.iter().zip(&io.tensor.shape).any(|(extent, fixed)| *fixed != -1 && extent != fixed) {
        let words = format!(
            "Parameter check failed, condition: engineDims.d[i] == dims.d[i]. Static dimension mismatch while setting \
             input shape for {label}. Set dimensions are {shape:?}. Expected dimensions are {:?}.",
            io.tensor.shape
        );
        return refuse("shape-outside-profile", &words);
    }
    let inside =
        shape.iter().zip(range.min.iter().zip(&range.max)).all(|(extent, (min, max))| (min..=max).contains(&extent));
    if !inside {
        let words = format!(
            "Parameter check failed, condition: satisfyProfile. Set dimension {shape:?} for tensor {label} does not \
             satisfy any optimization profiles. Valid range for profile {}: {:?}..{:?}.",
            state.profile, range.min, range.max
        );
        return refuse("shape-outside-profile", &words);
    }
    state.shapes[input] = Some(shape);
    true
}

/// Shape of a tensor as far as it is known; `None`: an error, which was logged.
fn shape_of(context: &Context, state: &State, tensor: usize) -> Option<Vec<i64>> {
    let io = &context.engine.tensors[tensor];
    if io.input {
        return Some(state.shapes[tensor].clone().unwrap_or_else(|| io.tensor.shape.clone()));
    }
    let output = tensor - context.engine.inputs().len();
    let Some(shapes) = state.all_shapes() else {
        return Some(io.tensor.shape.clone());
    };
    match context.engine.model.output_shapes(&shapes) {
        Ok(outputs) => outputs.get(output).cloned(),
        Err(reason) => {
            context.sink.error("IExecutionContext::getTensorShape", ErrorCode::Unspecified, &reason);
            None
        }
    }
}

pub(super) extern "C" fn get_shape(this: *const c_void, name: *const c_char) -> Dims {
    let context = method::<Context>(this);
    let state = context.enter("getTensorShape");
    let tensor = lookup(&context, "getTensorShape", name);
    tensor.and_then(|tensor| shape_of(&context, &state, tensor)).map_or(Dims::NONE, |shape| Dims::new(&shape))
}

pub(super) extern "C" fn get_strides(this: *const c_void, name: *const c_char) -> Dims {
    let context = method::<Context>(this);
    let state = context.enter("getTensorStrides");
    let tensor = lookup(&context, "getTensorStrides", name);
    let Some(shape) = tensor.and_then(|tensor| shape_of(&context, &state, tensor)) else {
        return Dims::NONE;
    };
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    Dims::new(&strides)
}

/// The number of inputs whose shape is missing, and their names; -1: an error.
pub(super) extern "C" fn infer_shapes(this: *const c_void, room: i32, names: *mut *const c_char) -> i32 {
    let context = method::<Context>(this);
    let state = context.enter("inferShapes");
    let missing: Vec<_> = context
        .engine
        .inputs()
        .iter()
        .zip(&state.shapes)
        .filter(|(_, shape)| shape.is_none())
        .map(|(io, _)| io)
        .collect();
    for (index, io) in missing.iter().enumerate().take(usize::try_from(room).unwrap_or(0)) {
        // SAFETY: TensorRT asks its callers for room for as many pointers; the names live as long as the engine.
        unsafe { names.add(index).write(io.name.as_ptr()) };
    }
    if let Some(shapes) = state.all_shapes()
        && let Err(reason) = context.engine.model.output_shapes(&shapes)
    {
        context.sink.error("IExecutionContext::inferShapes", ErrorCode::Unspecified, &reason);
        return -1;
    }
    missing.len() as i32
}

pub(super) extern "C" fn most_output(this: *const c_void, name: *const c_char) -> i64 {
    let context = method::<Context>(this);
    let state = context.enter("getMaxOutputSize");
    let Some(tensor) = lookup(&context, "getMaxOutputSize", name) else {
        return -1;
    };
    let largest = (0..context.engine.inputs().len())
        .map(|input| context.engine.range(state.profile, input).map(|range| range.max.clone()))
        .collect::<Option<_>>();
    let io = &context.engine.tensors[tensor];
    let output = tensor.checked_sub(context.engine.inputs().len());
    let shape = largest
        .zip(output)
        .and_then(|(shapes, output)| context.engine.model.output_shapes(&shapes).ok()?.get(output).cloned());
    shape.map_or(-1, |shape| (shape.iter().product::<i64>() * io.element as i64 + 255) / 256 * 256)
}

pub(super) extern "C" fn scratch_for_shapes(this: *const c_void) -> usize {
    let context = method::<Context>(this);
    let state = context.enter("updateDeviceMemorySizeForShapes");
    match state.all_shapes() {
        Some(shapes) => context.engine.scratch(&shapes),
        None => {
            let words = "not all input shapes are specified";
            context.sink.usage("IExecutionContext::updateDeviceMemorySizeForShapes", words);
            0
        }
    }
}
