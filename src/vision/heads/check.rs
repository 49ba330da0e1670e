//! Does a model fit a head? Answered from what the model declares, before it runs.

use super::{HeadError, OtherHeads, PictureInput, SizeInput};
use crate::config::Head;
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
}

impl Dim {
    fn takes(self, dim: usize) -> bool {
        match self {
            Self::One => dim == 1,
            Self::Is(want) => dim == want,
            Self::Boxes => dim > 0,
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
        let output = Self { head: super::name(head), index, name: spec.name.clone(), elements, dims, note };
        let fits = output.elements.contains(&spec.element)
            && output.dims.len() == spec.shape.len()
            && output
                .dims
                .iter()
                .zip(&spec.shape)
                .all(|(want, &dim)| usize::try_from(dim).map_or(true, |d| want.takes(d)));
        if fits {
            return Ok(output);
        }
        Err(HeadError::Output {
            head: output.head,
            found: spec.to_string(),
            expected: output.expected(),
            name: output.name,
            others: OtherHeads::default(),
        })
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
        let dims = self.dims.iter().map(|dim| match dim {
            Dim::One => "1".into(),
            Dim::Is(n) => n.to_string(),
            Dim::Boxes => "n".into(),
        });
        format!("{elements}[{}]{}", dims.collect::<Vec<String>>().join(","), self.note)
    }
}

/// The model's only output.
pub(super) fn only_output<'a>(
    head: Head,
    io: &'a ModelIo,
    expected: &str,
) -> Result<(usize, &'a TensorSpec), HeadError> {
    match io.outputs.as_slice() {
        [output] => Ok((0, output)),
        outputs => Err(HeadError::Outputs {
            head: super::name(head),
            found: list(outputs),
            expected: format!("one output, {expected}"),
            others: OtherHeads::default(),
        }),
    }
}

/// The picture and, for a DETR type, the sizes.
pub(super) fn inputs(head: Head, io: &ModelIo) -> Result<(PictureInput, Option<SizeInput>), HeadError> {
    let fault = |expected: &str| HeadError::Inputs {
        head: super::name(head),
        found: list(&io.inputs),
        expected: expected.into(),
    };
    if head != Head::Detr {
        return match io.inputs.as_slice() {
            [picture] => Ok((picture_input(head, 0, picture)?, None)),
            _ => Err(fault("one input, the picture f32[1,3,height,width]")),
        };
    }
    let sizes = io.inputs.iter().position(|input| input.name == SIZES);
    let (Some(sizes), 2) = (sizes, io.inputs.len()) else {
        return Err(fault("two inputs, the picture f32[1,3,height,width] and \"orig_target_sizes\" i64[1,2]"));
    };
    let picture = picture_input(head, 1 - sizes, &io.inputs[1 - sizes])?;
    let spec = &io.inputs[sizes];
    let shape = spec.shape.as_slice();
    if spec.element != ElementType::I64 || !matches!(shape, [n, 2 | ..=-1] if batch_of_one(*n)) {
        return Err(HeadError::Input {
            head: super::name(head),
            name: spec.name.clone(),
            found: spec.to_string(),
            expected: "i64[1,2]".into(),
            remedy: "export the model with its post-processor as published",
        });
    }
    let size = [picture.width as i64, picture.height as i64];
    Ok((picture, Some(SizeInput { index: sizes, size })))
}

fn picture_input(head: Head, index: usize, spec: &TensorSpec) -> Result<PictureInput, HeadError> {
    let remedy = match *spec.shape.as_slice() {
        _ if spec.element != ElementType::F32 => "export the model with 32-bit float inputs and outputs",
        [n, 3, height, width] if batch_of_one(n) => match (usize::try_from(width), usize::try_from(height)) {
            (Ok(width @ 1..), Ok(height @ 1..)) => return Ok(PictureInput { index, width, height }),
            _ => "export the model with a fixed height and width",
        },
        [_, 3, _, _] => "export the model with a batch of 1 or of any size",
        [_, _, _, 3] => "export the model with channels first",
        _ => "this is no picture in three channels",
    };
    Err(HeadError::Input {
        head: super::name(head),
        name: spec.name.clone(),
        found: spec.to_string(),
        expected: "f32[1,3,height,width]".into(),
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
