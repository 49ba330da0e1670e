//! Does a model fit a head? Answered from what the model declares, before it runs.

use std::fmt;

use super::{Advice, HeadError, PictureInput, SizeInput};
use crate::config::{Head, Task};
use crate::types::tensor::{ElementType, ModelIo, TensorData, TensorRef, TensorSpec};

/// The input that tells a DETR type model in what unit boxes are wanted.
const SIZES: &str = "orig_target_sizes";

/// One dimension that a head expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dim {
    /// The batch: we run one picture.
    One,
    /// This many.
    Is(usize),
    /// Number of boxes, whatever it is.
    Boxes,
    /// Any size, and the letter for it.
    Any(&'static str),
    /// Any size that is declared, and the letter for it.
    Fixed(&'static str),
    /// `base` and up to `most` times `each`, at least once; with the letter for how often.
    More { base: usize, each: usize, most: usize, word: &'static str },
}

impl Dim {
    fn takes(self, dim: usize) -> bool {
        match self {
            Self::One => dim == 1,
            Self::Is(want) => dim == want,
            Self::Boxes | Self::Any(_) | Self::Fixed(_) => dim > 0,
            Self::More { base, each, most, .. } => {
                dim > base && dim <= base + most * each && (dim - base).is_multiple_of(each)
            }
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::One => f.write_str("1"),
            Self::Is(n) => write!(f, "{n}"),
            Self::Boxes => f.write_str("n"),
            Self::Any(word) | Self::Fixed(word) => f.write_str(word),
            Self::More { base, each: 1, word, .. } => write!(f, "{base}+{word}"),
            Self::More { base, each, word, .. } => write!(f, "{base}+{each}{word}"),
        }
    }
}

/// An output that a head reads.
#[derive(Clone, Debug)]
pub(super) struct Output {
    head: &'static str,
    index: usize,
    name: String,
    elements: &'static [ElementType],
    dims: Vec<Dim>,
    note: String,
}

impl Output {
    /// `note` follows the shape in messages.
    pub fn new(
        head: Head,
        (index, spec): (usize, &TensorSpec),
        elements: &'static [ElementType],
        dims: Vec<Dim>,
        note: String,
    ) -> Result<Self, HeadError> {
        let output = Self { head: head.name(), index, name: spec.name.clone(), elements, dims, note };
        let fits = output.elements.contains(&spec.element)
            && output.dims.len() == spec.shape.len()
            && output
                .dims
                .iter()
                .zip(&spec.shape)
                .all(|(want, &dim)| usize::try_from(dim).map_or(!matches!(want, Dim::Fixed(_)), |d| want.takes(d)));
        if fits {
            return Ok(output);
        }
        Err(HeadError::Output {
            head: output.head,
            found: spec.to_string(),
            expected: output.expected(),
            name: output.name,
            advice: Advice::default(),
        })
    }

    /// Which of the model's outputs.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The output of a run: its shape and elements, checked against each other and this head.
    pub fn of<'a>(&self, outputs: &[TensorRef<'a>]) -> Result<TensorRef<'a>, HeadError> {
        let Some(tensor) = outputs.get(self.index) else { return Err(self.given("nothing".into())) };
        let fits = self.elements.contains(&tensor.data.element())
            && self.dims.len() == tensor.shape.len()
            && self
                .dims
                .iter()
                .zip(tensor.shape)
                .all(|(want, &dim)| want.takes(dim) || (*want == Dim::Boxes && dim == 0));
        let count = tensor.shape.iter().try_fold(1_usize, |n, &dim| n.checked_mul(dim));
        if fits && count == Some(tensor.data.len()) {
            return Ok(*tensor);
        }
        let shape = tensor.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        Err(self.given(format!("{}[{shape}] of {} elements", tensor.data.element(), tensor.data.len())))
    }

    /// [`Self::of`] for floats.
    pub fn floats<'a>(&self, outputs: &[TensorRef<'a>]) -> Result<(&'a [usize], &'a [f32]), HeadError> {
        let tensor = self.of(outputs)?;
        match tensor.data {
            TensorData::F32(data) => Ok((tensor.shape, data)),
            other => Err(self.given(other.element().to_string())),
        }
    }

    pub fn given(&self, found: String) -> HeadError {
        HeadError::Given { head: self.head, name: self.name.clone(), found, expected: self.expected() }
    }

    fn expected(&self) -> String {
        let elements = self.elements.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let dims = self.dims.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!("{elements}[{dims}]{}", self.note)
    }
}

/// An output and its index.
pub(super) type Indexed<'a> = (usize, &'a TensorSpec);

/// The output with the boxes: the only one, or the one of three dimensions where prototypes stand beside it.
pub(super) fn boxes_output<'a>(
    head: Head,
    task: Task,
    io: &'a ModelIo,
    expected: &str,
) -> Result<Indexed<'a>, HeadError> {
    if task == Task::Segmentation {
        return Ok(boxes_and_prototypes(head, io, expected)?.0);
    }
    only_output(head, io, expected)
}

/// Told apart by their dimensions, three and four.
fn boxes_and_prototypes<'a>(
    head: Head,
    io: &'a ModelIo,
    expected: &str,
) -> Result<(Indexed<'a>, Indexed<'a>), HeadError> {
    match io.outputs.as_slice() {
        [a, b] if (a.shape.len(), b.shape.len()) == (3, 4) => Ok(((0, a), (1, b))),
        [a, b] if (a.shape.len(), b.shape.len()) == (4, 3) => Ok(((1, b), (0, a))),
        outputs => Err(HeadError::Outputs {
            head: head.name(),
            found: list(outputs),
            expected: format!("two outputs, boxes {expected} and prototypes f32[1,m,height,width]"),
            advice: Advice::default(),
        }),
    }
}

/// Number of prototypes that a model declares.
pub(super) fn prototypes_of(io: &ModelIo) -> Option<usize> {
    let shape = io.outputs.iter().map(|output| output.shape.as_slice()).find(|shape| shape.len() == 4)?;
    usize::try_from(shape[1]).ok()
}

/// The output with the prototypes of masks.
pub(super) fn prototypes(head: Head, io: &ModelIo) -> Result<Output, HeadError> {
    let (_, prototypes) = boxes_and_prototypes(head, io, "f32[1,..]")?;
    let dims = vec![Dim::One, Dim::Any("m"), Dim::Any("height"), Dim::Any("width")];
    Output::new(head, prototypes, &[ElementType::F32], dims, " (m prototypes)".into())
}

/// The model's only output.
pub(super) fn only_output<'a>(head: Head, io: &'a ModelIo, expected: &str) -> Result<Indexed<'a>, HeadError> {
    match io.outputs.as_slice() {
        [output] => Ok((0, output)),
        outputs => Err(HeadError::Outputs {
            head: head.name(),
            found: list(outputs),
            expected: format!("one output, {expected}"),
            advice: Advice::default(),
        }),
    }
}

/// The picture and, for a DETR type, the sizes.
pub(super) fn inputs(head: Head, io: &ModelIo) -> Result<(PictureInput, Option<SizeInput>), HeadError> {
    let fault =
        |expected: &str| HeadError::Inputs { head: head.name(), found: list(&io.inputs), expected: expected.into() };
    if head != Head::Detr {
        return match io.inputs.as_slice() {
            [picture] => Ok((picture_input(head, 0, picture, Batch::One)?, None)),
            _ => Err(fault("one input, the picture f32[1,3,height,width]")),
        };
    }
    let sizes = io.inputs.iter().position(|input| input.name == SIZES);
    let (Some(sizes), 2) = (sizes, io.inputs.len()) else {
        return Err(fault("two inputs, the picture f32[1,3,height,width] and \"orig_target_sizes\" i64[1,2]"));
    };
    let picture = picture_input(head, 1 - sizes, &io.inputs[1 - sizes], Batch::One)?;
    let spec = &io.inputs[sizes];
    let shape = spec.shape.as_slice();
    if spec.element != ElementType::I64 || !matches!(shape, [n, 2 | ..=-1] if batch_of_one(*n)) {
        return Err(HeadError::Input {
            head: head.name(),
            name: spec.name.clone(),
            found: spec.to_string(),
            expected: "i64[1,2]".into(),
            remedy: "export the model with its post-processor as published",
        });
    }
    let size = [picture.width as i64, picture.height as i64];
    Ok((picture, Some(SizeInput { index: sizes, size })))
}

/// Pictures that an input takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    One,
    Any,
}

/// The crops, any number of them, and how many where the model fixes that.
pub(super) fn crops_input(head: Head, io: &ModelIo) -> Result<(PictureInput, Option<usize>), HeadError> {
    let [crops] = io.inputs.as_slice() else {
        return Err(HeadError::Inputs {
            head: head.name(),
            found: list(&io.inputs),
            expected: "one input, the crops f32[n,3,height,width]".into(),
        });
    };
    let input = picture_input(head, 0, crops, Batch::Any)?;
    Ok((input, crops.shape.first().and_then(|&n| usize::try_from(n).ok())))
}

fn picture_input(head: Head, index: usize, spec: &TensorSpec, batch: Batch) -> Result<PictureInput, HeadError> {
    let remedy = match *spec.shape.as_slice() {
        _ if spec.element != ElementType::F32 => "export the model with 32-bit float inputs and outputs",
        [n, 3, height, width] if batch_of_one(n) || (batch == Batch::Any && n > 0) => {
            match (usize::try_from(width), usize::try_from(height)) {
                (Ok(width @ 1..), Ok(height @ 1..)) => return Ok(PictureInput { index, width, height }),
                _ => "export the model with a fixed height and width",
            }
        }
        [_, 3, _, _] => "export the model with a batch of 1 or of any size",
        [_, _, _, 3] => "export the model with channels first",
        _ => "this is no picture in three channels",
    };
    Err(HeadError::Input {
        head: head.name(),
        name: spec.name.clone(),
        found: spec.to_string(),
        expected: format!("f32[{},3,height,width]", if batch == Batch::One { "1" } else { "n" }),
        remedy,
    })
}

fn batch_of_one(dim: i64) -> bool {
    dim < 0 || dim == 1
}

/// As `"a" f32[1,2], "b" i64[3]`.
pub(super) fn list(specs: &[TensorSpec]) -> String {
    if specs.is_empty() {
        return "nothing".into();
    }
    specs.iter().map(|spec| format!("\"{}\" {spec}", spec.name)).collect::<Vec<_>>().join(", ")
}
