//! Memory, line by line.

use gpu::{FrameUpload, Usage};
use serde::Serialize;

use super::ModelNeed;

/// What decides how much contexts take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// All contexts share one block for their activations.
    pub serial: bool,
    /// Host and device share their memory.
    pub integrated: bool,
}

/// What memory is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The engine itself.
    Weights,
    /// What an execution writes in between.
    Activations,
    /// What a context has besides.
    Context,
    /// Inputs and outputs.
    Tensors,
    /// The search through an output.
    Candidates,
    /// A prepared picture.
    Pictures,
    /// A frame on its way to the device.
    Frames,
    /// Decoded pictures in the decoder.
    Surfaces,
    /// The CUDA context and libraries.
    Process,
}

/// How a figure is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// On the device where the engine was built.
    Measured,
    /// As those compute it who allocate it.
    Computed,
    /// A rule of thumb.
    Estimate,
}

/// One line of the account, bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// As in the metric `device_memory_bytes`; for what that does not count: `decoder <camera>`, `process`.
    pub owner: String,
    /// What it is for.
    pub part: Part,
    /// The model; `None`: it is for several, or none.
    pub model: Option<String>,
    /// On the device.
    pub device: u64,
    /// On the host, page-locked.
    pub pinned: u64,
    /// On the host, where the device reads it.
    pub mapped: u64,
    /// How it is known.
    pub basis: Basis,
}

impl Line {
    /// A line of `device` bytes.
    #[must_use]
    pub fn on_device(owner: &str, part: Part, model: Option<&str>, device: u64, basis: Basis) -> Self {
        Self { owner: owner.to_owned(), part, model: model.map(str::to_owned), device, pinned: 0, mapped: 0, basis }
    }

    fn computed(owner: &str, part: Part, model: Option<&str>, usage: Usage) -> Self {
        let Usage { device, pinned, mapped } = usage;
        let mut line = Self::on_device(owner, part, model, device as u64, Basis::Computed);
        (line.pinned, line.mapped) = (pinned as u64, mapped as u64);
        line
    }

    /// Bytes on both sides, as `device_memory_bytes` counts them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.device + self.pinned + self.mapped
    }

    /// Bytes of the device's memory: where that is the host's, too, all of them.
    #[must_use]
    pub fn taken(&self, integrated: bool) -> u64 {
        if integrated { self.total() } else { self.device }
    }
}

/// What a model's engine takes, all copies of it.
#[must_use]
pub fn engine(need: &ModelNeed) -> Line {
    let owner = format!("engine {}", need.name);
    Line::on_device(&owner, Part::Weights, Some(&need.name), need.weights, Basis::Measured)
}

/// The block that contexts share, where they do.
#[must_use]
pub fn scratch<'a>(needs: impl Iterator<Item = &'a ModelNeed>, machine: Machine) -> Option<Line> {
    let largest = needs.max_by_key(|need| need.activations).filter(|_| machine.serial)?;
    let bytes = largest.activations.max(1);
    Some(Line::on_device("activations", Part::Activations, Some(&largest.name), bytes, Basis::Measured))
}

/// What a camera takes that gives frames of that size, in pixels, to these models.
#[must_use]
pub fn camera(id: &str, models: &[&ModelNeed], frame: (u32, u32), machine: Machine) -> Vec<Line> {
    let owner = format!("camera {id}");
    let mut lines = Vec::new();
    let mut pictures = Vec::new();
    for need in models {
        let name = Some(need.name.as_str());
        if !machine.serial {
            lines.push(Line::on_device(&owner, Part::Activations, name, need.activations, Basis::Measured));
        }
        lines.push(Line::on_device(&owner, Part::Context, name, need.context, Basis::Measured));
        lines.push(Line::computed(&owner, Part::Tensors, name, need.tensors));
        lines.push(Line::computed(&owner, Part::Candidates, name, need.candidates));
        for key in &need.pictures {
            if !pictures.contains(key) {
                pictures.push(*key);
            }
        }
    }
    let bytes = pictures.iter().map(|key| key.bytes()).sum();
    lines.push(Line::computed(&owner, Part::Pictures, None, Usage { device: bytes, ..Usage::default() }));
    if models.iter().any(|need| need.frames) {
        let [width, height] = [frame.0, frame.1].map(|side| usize::try_from(side).unwrap_or(usize::MAX));
        lines.push(Line::computed(&owner, Part::Frames, None, FrameUpload::memory(width, height, machine.integrated)));
    }
    lines.retain(|line| line.total() > 0);
    lines
}

/// What `runtime.concurrency = "serial"` would save of activations, where each of `contexts` has its own.
#[must_use]
pub fn serial_saves<'a>(contexts: impl Iterator<Item = &'a ModelNeed>) -> u64 {
    let (sum, largest) =
        contexts.fold((0, 0), |(sum, largest), need| (sum + need.activations, need.activations.max(largest)));
    sum - largest
}
