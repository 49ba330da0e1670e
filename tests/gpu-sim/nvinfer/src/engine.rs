//! `ICudaEngine`: a network that was loaded, and what it says of its tensors.

mod methods;

use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use gpu_sim::onnx::{self, Tensor};
use gpu_sim::plan::{Header, Plan, Range};
use sim_nvinfer_abi::{ErrorCode, Sink};

use crate::allocator::Allocator;
use crate::device::{Block, Device, Owner};
use crate::model::{Model, Shapes};

/// Every address given to a context, and every size of scratch memory, is a multiple of it.
pub(crate) const ALIGNMENT: usize = 256;
/// Memory that a context has of its own whatever its strategy.
pub(crate) const PERSISTENT: usize = 64 << 10;

/// An input or output.
pub(crate) struct Io {
    pub(crate) name: CString,
    pub(crate) tensor: Tensor,
    pub(crate) input: bool,
    pub(crate) element: usize,
}

/// An engine; contexts keep it alive, whatever the caller destroys.
pub(crate) struct Engine {
    pub(crate) header: Header,
    /// Inputs, then outputs, each in the model's order.
    pub(crate) tensors: Vec<Io>,
    pub(crate) model: Model,
    pub(crate) sink: Sink,
    pub(crate) device: &'static Device,
    pub(crate) allocator: Option<Arc<Allocator>>,
    /// Contexts that were not destroyed.
    pub(crate) contexts: Arc<AtomicUsize>,
    /// Enqueues so far.
    pub(crate) runs: AtomicU64,
    /// A Myelin failure has broken it for good.
    pub(crate) poisoned: AtomicBool,
    name: CString,
    bytes: Vec<u8>,
    /// What the device holds; given back with the engine.
    _weights: Block,
    siblings: Arc<AtomicUsize>,
}

impl Engine {
    /// Loads a plan that was found to fit.
    pub(crate) fn load(
        plan: Plan,
        bytes: &[u8],
        device: &'static Device,
        allocator: Option<Arc<Allocator>>,
        sink: Sink,
        siblings: Arc<AtomicUsize>,
    ) -> Result<Self, (ErrorCode, String)> {
        let weights = Block::take(device, allocator.clone(), bytes.len(), Owner::Weights).ok_or_else(|| {
            let words = format!("OutOfMemory (Requested size was {} bytes.)", bytes.len());
            (ErrorCode::FailedAllocation, words)
        })?;
        let internal = |what: String| (ErrorCode::Unspecified, format!("Internal Error ({what})"));
        let model = Model::load(&plan.model).map_err(internal)?;
        let Header { inputs, outputs, .. } = &plan.header;
        let of = |tensor: &Tensor, input| {
            let name = CString::new(tensor.name.as_str()).map_err(|_| internal("a name has a NUL".to_owned()))?;
            let element = onnx::element_bytes(tensor.dtype)
                .ok_or_else(|| internal(format!("{:?} has an element type without a size", tensor.name)))?;
            Ok(Io { name, tensor: tensor.clone(), input, element })
        };
        let inputs = inputs.iter().map(|tensor| of(tensor, true));
        let outputs = outputs.iter().map(|tensor| of(tensor, false));
        siblings.fetch_add(1, Ordering::AcqRel);
        Ok(Self {
            tensors: inputs.chain(outputs).collect::<Result<_, _>>()?,
            model,
            sink,
            device,
            allocator,
            contexts: Arc::new(AtomicUsize::new(0)),
            runs: AtomicU64::new(0),
            poisoned: AtomicBool::new(false),
            name: CString::new(plan.header.name.as_str()).unwrap_or_default(),
            bytes: bytes.to_vec(),
            _weights: weights,
            siblings,
            header: plan.header,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.header.name
    }

    pub(crate) fn inputs(&self) -> &[Io] {
        &self.tensors[..self.header.inputs.len()]
    }

    /// A tensor's place in `tensors`.
    pub(crate) fn find(&self, name: &CStr) -> Option<usize> {
        self.tensors.iter().position(|io| io.name.as_c_str() == name)
    }

    pub(crate) fn range(&self, profile: i32, tensor: usize) -> Option<&Range> {
        let profile = self.header.profiles.get(usize::try_from(profile).ok()?)?;
        profile.get(&self.tensors.get(tensor)?.tensor.name)
    }

    /// Scratch memory for these input shapes: about what a network of this size would want.
    pub(crate) fn scratch(&self, shapes: &Shapes) -> usize {
        let elements = |shape: &Vec<i64>| shape.iter().product::<i64>().unsigned_abs() as usize;
        let inputs: usize = self.inputs().iter().zip(shapes).map(|(io, shape)| elements(shape) * io.element).sum();
        (2 * inputs + (64 << 10)).next_multiple_of(ALIGNMENT)
    }

    /// The same for the largest shapes of a profile.
    pub(crate) fn scratch_of_profile(&self, profile: i32) -> Option<usize> {
        let shapes = (0..self.inputs().len()).map(|input| self.range(profile, input).map(|range| range.max.clone()));
        Some(self.scratch(&shapes.collect::<Option<_>>()?))
    }

    /// The same for all profiles.
    pub(crate) fn scratch_of_all(&self) -> usize {
        let profiles = i32::try_from(self.header.profiles.len()).unwrap_or(0);
        (0..profiles).filter_map(|profile| self.scratch_of_profile(profile)).max().unwrap_or(0)
    }
}
