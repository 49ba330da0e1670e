//! Masks from prototypes: a box's mask is the sum of all prototypes, weighted with its coefficients, where
//! that is above 0 (the sigmoid of which is above one half), within its box: at the pixels whose centres are.
//! Source: `ultralytics/utils/ops.py`, `process_mask_native`; but that cuts the letterbox's padding off at whole
//! prototypes, which shifts masks by up to half of one, where here the frame lies where [`Mapping`] has it.

use super::check::Output;
use super::{HeadError, PictureInput};
use crate::types::geometry::BBox;
use crate::types::mask::Masks;
use crate::types::tensor::TensorRef;
use crate::vision::mapping::Mapping;

/// Most pixels of all masks of a frame together, in frames. Bounds time and memory where a model sees large
/// boxes everywhere; the boxes of a crowd cover its frame twice or thrice.
const MOST_FRAMES: usize = 8;

/// Prototypes weighted in one step: their rows and the sum's are read once for all of them.
const STEP: usize = 4;

/// Computes masks; keeps its memory.
#[derive(Clone, Debug)]
pub(super) struct Assembler {
    output: Output,
    arch: pulp::Arch,
    coefficients: Vec<f32>,
    /// Weighted sums around a box, rows of `width + 1`: the last one has a right neighbour, too.
    sums: Vec<f32>,
    /// Per column of the box: the left of its two sums, and the share of the right one.
    taps: Vec<(u32, f32)>,
    /// Rows of sums, stretched to the box's columns.
    upper: Vec<f32>,
    lower: Vec<f32>,
}

/// A run's prototypes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prototypes<'t> {
    data: &'t [f32],
    width: usize,
    height: usize,
}

/// Pixels of the frame and their places among the prototypes, along one axis.
#[derive(Clone, Copy, Debug)]
struct Axis {
    scale: f64,
    offset: f64,
    last: f64,
}

impl Axis {
    fn new(mapping: &Mapping, axis: usize, input: usize, prototypes: usize) -> Self {
        let (scale, offset) = mapping.frame_to_input(axis);
        let ratio = prototypes as f64 / input as f64;
        Self { scale: scale * ratio, offset: offset * ratio, last: (prototypes - 1) as f64 }
    }

    /// Place of a pixel's centre: the sample to its left, and the share of the one to its right.
    #[inline(always)]
    fn at(&self, pixel: usize) -> (usize, f32) {
        let place = ((pixel as f64 + 0.5) * self.scale + self.offset - 0.5).clamp(0.0, self.last);
        (place as usize, place.fract() as f32)
    }

    /// First sample of the pixels `from..to`, and how many there are.
    fn span(&self, from: usize, to: usize) -> (usize, usize) {
        let (first, (last, share)) = (self.at(from).0, self.at(to - 1));
        (first, last + 1 + usize::from(share > 0.0) - first)
    }
}

impl Assembler {
    pub fn new(output: Output) -> Self {
        let (arch, taps) = (pulp::Arch::new(), Vec::new());
        let [coefficients, sums, upper, lower] = [const { Vec::new() }; 4];
        Self { output, arch, coefficients, sums, taps, upper, lower }
    }

    /// The prototypes of a run whose boxes have `count` coefficients each. Makes room for all masks of the frame.
    pub fn prototypes<'t>(
        &mut self,
        outputs: &[TensorRef<'t>],
        count: usize,
        mapping: &Mapping,
        masks: &mut Masks,
        most: usize,
    ) -> Result<Prototypes<'t>, HeadError> {
        let (shape, data) = self.output.floats(outputs)?;
        let &[_, m, height, width] = shape else { return Err(self.output.given("another shape".into())) };
        if m != count {
            return Err(self.output.given(format!("{m} prototypes for {count} mask coefficients")));
        }
        let (frame_width, frame_height) = mapping.frame_pixels();
        masks.reserve(most, MOST_FRAMES * frame_width * frame_height);
        // Cleared, or room would be made for the last frame's contents too.
        self.coefficients.clear();
        self.coefficients.reserve(m);
        self.sums.clear();
        self.sums.reserve(height * (width + 1));
        self.taps.clear();
        self.taps.reserve(frame_width);
        self.upper.clear();
        self.upper.reserve(frame_width);
        self.lower.clear();
        self.lower.reserve(frame_width);
        Ok(Prototypes { data, width, height })
    }

    /// Appends the mask of a box that is clipped to the frame. It is empty where the box has no pixel's centre
    /// or the frame's masks have too many pixels already. False, and nothing is appended, where a sum is no number.
    pub fn push(
        &mut self,
        coefficients: impl Iterator<Item = f32>,
        prototypes: &Prototypes<'_>,
        bbox: BBox,
        (mapping, input): (&Mapping, PictureInput),
        masks: &mut Masks,
    ) -> bool {
        let (frame_width, frame_height) = mapping.frame_pixels();
        let pixel = |edge: f32, side: usize| ((edge - 0.5).ceil().max(0.0) as usize).min(side);
        let (left, right) = (pixel(bbox.x1, frame_width), pixel(bbox.x2, frame_width));
        let (top, bottom) = (pixel(bbox.y1, frame_height), pixel(bbox.y2, frame_height));
        let area = right.saturating_sub(left) * bottom.saturating_sub(top);
        if area == 0 || masks.pixels() + area > MOST_FRAMES * frame_width * frame_height {
            masks.push(0, 0, 0, 0);
            return true;
        }
        self.coefficients.clear();
        self.coefficients.extend(coefficients);
        let x = Axis::new(mapping, 0, input.width, prototypes.width);
        let y = Axis::new(mapping, 1, input.height, prototypes.height);
        let (columns, rows) = (x.span(left, right), y.span(top, bottom));
        let arch = self.arch;
        if !arch.dispatch(Sum { assembler: self, prototypes, columns, rows }) {
            return false;
        }
        self.taps.clear();
        self.taps.extend((left..right).map(|pixel| {
            let (sample, share) = x.at(pixel);
            ((sample - columns.0) as u32, share)
        }));
        self.upper.resize(right - left, 0.0);
        self.lower.resize(right - left, 0.0);
        let pixels = masks.push(left as u32, top as u32, (right - left) as u32, (bottom - top) as u32);
        arch.dispatch(Stretch { assembler: self, y, top, columns, rows, pixels });
        true
    }
}

/// Weighted sums of the prototypes in `columns` and `rows` (first and number). True where all are numbers.
struct Sum<'a> {
    assembler: &'a mut Assembler,
    prototypes: &'a Prototypes<'a>,
    columns: (usize, usize),
    rows: (usize, usize),
}

impl pulp::NullaryFnOnce for Sum<'_> {
    type Output = bool;

    #[inline(always)]
    fn call(self) -> bool {
        let Assembler { coefficients, sums, .. } = self.assembler;
        let Prototypes { data, width, height } = *self.prototypes;
        let ((column, columns), (first, rows)) = (self.columns, self.rows);
        sums.clear();
        sums.resize(rows * (columns + 1), 0.0);
        let mut sound = true;
        for (row, sums) in (first..).zip(sums.chunks_exact_mut(columns + 1)) {
            let sums = &mut sums[..columns];
            let part = |i: usize| &data[(i * height + row) * width + column..][..columns];
            let mut steps = coefficients.chunks_exact(STEP);
            for (i, step) in steps.by_ref().enumerate().map(|(i, step)| (i * STEP, step)) {
                let (a, b, c, d) = (part(i), part(i + 1), part(i + 2), part(i + 3));
                for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *sum += (step[0] * a + step[1] * b) + (step[2] * c + step[3] * d);
                }
            }
            let rest = steps.remainder();
            for (i, weight) in (coefficients.len() - rest.len()..).zip(rest) {
                sums.iter_mut().zip(part(i)).for_each(|(sum, value)| *sum += weight * value);
            }
            sound &= sums.iter().fold(true, |sound, sum| sound & sum.is_finite());
        }
        sound
    }
}

/// Sums to pixels: each row of sums is stretched once, then blended for the rows of pixels below it.
struct Stretch<'a> {
    assembler: &'a mut Assembler,
    y: Axis,
    top: usize,
    columns: (usize, usize),
    rows: (usize, usize),
    pixels: &'a mut [u8],
}

impl pulp::NullaryFnOnce for Stretch<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Assembler { sums, taps, upper, lower, .. } = self.assembler;
        let (stride, (first, rows)) = (self.columns.1 + 1, self.rows);
        let stretch = |row: usize, out: &mut [f32]| {
            let row = &sums[row * stride..][..stride];
            for (o, &(i, share)) in out.iter_mut().zip(taps.iter()) {
                let pair = &row[i as usize..][..2];
                *o = pair[0] + (pair[1] - pair[0]) * share;
            }
        };
        let mut held = usize::MAX;
        for (i, pixels) in self.pixels.chunks_exact_mut(taps.len()).enumerate() {
            let (row, share) = self.y.at(self.top + i);
            let row = row - first;
            if row != held {
                let below = (row + 1).min(rows - 1);
                if held != usize::MAX && row == held + 1 {
                    std::mem::swap(upper, lower);
                } else {
                    stretch(row, upper);
                }
                stretch(below, lower);
                held = row;
            }
            for ((pixel, &a), &b) in pixels.iter_mut().zip(upper.iter()).zip(lower.iter()) {
                *pixel = u8::from(a + (b - a) * share > 0.0);
            }
        }
    }
}
