//! Which buffers a context has. Whoever allocates them and whoever foretells them ask here.

use gpu::{ElementType, Usage};

use crate::config::Input;
use crate::inference::artefact::Element;
use crate::inference::device::InputKey;

/// Memory of a context for one tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::inference) struct Buffer {
    pub(in crate::inference) element: ElementType,
    /// Elements.
    pub(in crate::inference) len: usize,
    /// On the device it is that of all of a camera's models which want their frames so; `None`: it is its own.
    pub(in crate::inference) shared: Option<InputKey>,
    /// The host has one, too.
    pub(in crate::inference) host: bool,
}

impl Buffer {
    /// Of a tensor that an engine declares with `shape` and that has at most `len` elements. `frames`: how frames are
    /// prepared, where the context takes whole ones, one in a run.
    pub(in crate::inference) fn new(
        input: bool,
        element: ElementType,
        shape: &[i64],
        len: usize,
        frames: Option<&Input>,
    ) -> Self {
        let shared = frames.filter(|_| input).and_then(|frames| InputKey::of(shape, element, frames));
        // The device prepares pictures itself.
        let host = !(input && is_picture(shape, element));
        Self { element, len, shared, host }
    }

    /// Memory of the context alone.
    pub(super) fn memory(&self) -> Usage {
        let bytes = self.len * self.element.bytes();
        let of = |wanted: bool| if wanted { bytes } else { 0 };
        Usage { device: of(self.shared.is_none()), pinned: of(self.host), mapped: 0 }
    }
}

/// True for `[n, 3, height, width]` of floats.
fn is_picture(shape: &[i64], element: ElementType) -> bool {
    let floats = matches!(element, ElementType::F32 | ElementType::F16);
    floats && matches!(shape, &[_, 3, height, width] if height > 0 && width > 0)
}

/// Most pictures in a run, a power of two: no more than `asked`, nor than any of the inputs with an open batch allows.
pub(in crate::inference) fn pictures(allowed: impl Iterator<Item = usize>, asked: usize) -> usize {
    let most = allowed.min().map_or(1, |allowed| allowed.min(asked)).max(1);
    1 << most.ilog2()
}

/// Of `left` pictures those that go into the next run, a power of two: 7 are 4, 2 and 1.
#[must_use]
pub fn next_batch(left: usize, most: usize) -> usize {
    most.max(1).min(1 << left.max(1).ilog2())
}

impl From<ElementType> for Element {
    fn from(element: ElementType) -> Self {
        match element {
            ElementType::F32 => Self::F32,
            ElementType::F16 => Self::F16,
            ElementType::I64 => Self::I64,
            ElementType::I32 => Self::I32,
            ElementType::U8 => Self::U8,
            ElementType::Bool => Self::Bool,
        }
    }
}

impl From<Element> for ElementType {
    fn from(element: Element) -> Self {
        match element {
            Element::F32 => Self::F32,
            Element::F16 => Self::F16,
            Element::I64 => Self::I64,
            Element::I32 => Self::I32,
            Element::U8 => Self::U8,
            Element::Bool => Self::Bool,
        }
    }
}
