//! A small grey picture with room around it, and the same picture at half, quarter ... size.

/// Samples around the picture, copies of its edge, so that a window may reach out of it.
pub(super) const PAD: usize = 8;
/// Sizes of a [`Pyramid`] that points are followed in.
pub(super) const LEVELS: usize = 3;
/// All its sizes: the smallest is for the [search](super::search) alone.
const ALL: usize = LEVELS + 1;
/// No side of a picture whose motion is looked for is smaller: at the top of its pyramid are 4 pixels.
pub(super) const LEAST: usize = 4 << LEVELS;

/// Grey samples, row after row.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    pub width: usize,
    pub height: usize,
    stride: usize,
    samples: Vec<f32>,
}

/// Part of an [`Image`] about any position: values between samples are bilinear.
pub(super) struct Window<'a> {
    image: &'a Image,
    at: usize,
    right: f32,
    down: f32,
}

impl Image {
    pub fn new(width: usize, height: usize) -> Self {
        let stride = width + 2 * PAD;
        Self { width, height, stride, samples: vec![0.0; stride * (height + 2 * PAD)] }
    }

    /// A row without what is around it.
    #[inline(always)]
    pub fn row(&self, y: usize) -> &[f32] {
        &self.samples[(y + PAD) * self.stride + PAD..][..self.width]
    }

    #[inline(always)]
    pub fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.samples[(y + PAD) * self.stride + PAD..][..self.width]
    }

    /// A row with one sample more on either side; `y` from -1 to the height.
    #[inline(always)]
    pub fn wide_row(&self, y: isize) -> &[f32] {
        &self.samples[PAD.wrapping_add_signed(y) * self.stride + PAD - 1..][..self.width + 2]
    }

    /// Half the size in each direction, as the mean of four.
    #[inline(always)]
    fn halve(&self, out: &mut Self) {
        for y in 0..out.height {
            let (upper, lower) = (self.row(2 * y), self.row(2 * y + 1));
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            for (out, (upper, lower)) in out.row_mut(y).iter_mut().zip(pairs) {
                *out = 0.25 * ((upper[0] + upper[1]) + (lower[0] + lower[1]));
            }
        }
        out.extend_edges();
    }

    /// The same, a little blurred (1 2 1 in each direction): values between samples are then truer. What is around the
    /// picture must be written; `line` is room for a row.
    #[inline(always)]
    fn smooth(&self, line: &mut Vec<f32>, out: &mut Self) {
        line.resize(self.width + 2, 0.0);
        for y in 0..self.height as isize {
            let (above, row, below) = (self.wide_row(y - 1), self.wide_row(y), self.wide_row(y + 1));
            for (line, (row, (above, below))) in line.iter_mut().zip(row.iter().zip(above.iter().zip(below))) {
                *line = 0.5 * row + 0.25 * (above + below);
            }
            let (left, right) = (&line[..self.width], &line[2..]);
            let out = out.row_mut(y.unsigned_abs());
            for (out, (middle, (left, right))) in out.iter_mut().zip(line[1..].iter().zip(left.iter().zip(right))) {
                *out = 0.5 * middle + 0.25 * (left + right);
            }
        }
        out.extend_edges();
    }

    /// Writes what is around the picture.
    #[inline(always)]
    fn extend_edges(&mut self) {
        let Self { width, height, stride, ref mut samples } = *self;
        for row in samples[PAD * stride..(PAD + height) * stride].chunks_exact_mut(stride) {
            let (first, last) = (row[PAD], row[PAD + width - 1]);
            row[..PAD].fill(first);
            row[PAD + width..].fill(last);
        }
        for y in 0..PAD {
            samples.copy_within(PAD * stride..(PAD + 1) * stride, y * stride);
            samples.copy_within((PAD + height - 1) * stride..(PAD + height) * stride, (PAD + height + y) * stride);
        }
    }

    /// The window of `columns` x `rows` samples whose first one is at `(x, y)`, where the middle of the picture's
    /// first sample is (0, 0); `None` where it reaches out of the samples around the picture.
    #[inline(always)]
    pub fn window(&self, (x, y): (f32, f32), columns: usize, rows: usize) -> Option<Window<'_>> {
        let (x, y) = (x + PAD as f32, y + PAD as f32);
        if !(x >= 0.0 && y >= 0.0) {
            return None;
        }
        let (left, top) = (x as usize, y as usize);
        if left >= self.stride - columns || top >= self.height + 2 * PAD - rows {
            return None;
        }
        Some(Window { image: self, at: top * self.stride + left, right: x - left as f32, down: y - top as f32 })
    }
}

impl Window<'_> {
    /// Row `y` of a window `N - 1` columns wide, between columns but not between rows yet.
    #[inline(always)]
    fn across<const N: usize, const M: usize>(&self, y: usize) -> [f32; M] {
        let start = self.at + y * self.image.stride;
        let row: &[f32; N] = self.image.samples[start..].first_chunk().unwrap_or(&[0.0; N]);
        std::array::from_fn(|i| row[i] + self.right * (row[i + 1] - row[i]))
    }

    /// All rows of a window `M` columns wide; `N` is `M + 1`.
    #[inline(always)]
    pub fn read<const N: usize, const M: usize, const ROWS: usize>(&self) -> [[f32; M]; ROWS] {
        let mut upper = self.across::<N, M>(0);
        std::array::from_fn(|y| {
            let lower = self.across::<N, M>(y + 1);
            let row = std::array::from_fn(|i| upper[i] + self.down * (lower[i] - upper[i]));
            upper = lower;
            row
        })
    }
}

/// A picture at several sizes, the largest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Pyramid {
    images: [Image; ALL],
}

impl Pyramid {
    pub fn new(width: usize, height: usize) -> Self {
        Self { images: std::array::from_fn(|level| Image::new(width >> level, height >> level)) }
    }

    pub fn image(&self, level: usize) -> &Image {
        &self.images[level]
    }

    /// The smallest image.
    pub fn top(&self) -> &Image {
        &self.images[ALL - 1]
    }

    /// Makes all sizes from a picture of the first one's; `line` is room for a row.
    #[inline(always)]
    pub fn fill(&mut self, picture: &mut Image, line: &mut Vec<f32>) {
        picture.extend_edges();
        picture.smooth(line, &mut self.images[0]);
        for level in 1..ALL {
            let (larger, smaller) = self.images.split_at_mut(level);
            larger[level - 1].halve(&mut smaller[0]);
        }
    }
}

/// How much smaller the top of a pyramid is.
pub(super) const TOP_SCALE: f32 = (1 << LEVELS) as f32;
