//! Points of a picture that can be found again: corners, spread over all of it.
//!
//! Shi and Tomasi, "Good features to track" (CVPR 1994): the smaller eigenvalue of the gradients' second moments about
//! a point. The picture at half its size is asked, which what is only there at full size does not survive.

use super::image::Image;
use crate::types::geometry::BBox;

/// About so many cells; each gives one corner at most.
const CELLS: usize = 150;
/// Least side of a cell.
const LEAST_CELL: usize = 8;
/// A corner's gradients are looked at so far to each side.
const REACH: usize = 2;
/// Nearer to the edge there are no corners: the window about one must lie in the picture.
const MARGIN: usize = 4;
/// A corner is at least so strong, as a part of the strongest ...
const QUALITY: f32 = 0.003;
/// ... and in itself, (grey values per pixel) squared.
const LEAST_STRENGTH: f32 = 0.5;
/// A point so near to a subject moves with it, perhaps.
const AROUND_SUBJECTS: f32 = 3.0;

/// Finds corners in pictures of one size.
#[derive(Clone, Debug, Default)]
pub(super) struct Corners {
    cell: usize,
    /// 1 where a subject is.
    taken: Vec<u8>,
    /// Products of the gradients in x and y: xx, xy, yy; then their sums over `2 * REACH + 1` rows.
    products: [Vec<f32>; 3],
    columns: [Vec<f32>; 3],
    strength: Vec<f32>,
}

impl Corners {
    /// For images of the size of `image`.
    pub fn new(image: &Image) -> Self {
        let (width, height) = (image.width, image.height);
        let plane = || vec![0.0; width * height];
        Self {
            cell: (((width * height / CELLS) as f32).sqrt() as usize).max(LEAST_CELL),
            taken: vec![0; width * height],
            products: std::array::from_fn(|_| plane()),
            columns: std::array::from_fn(|_| vec![0.0; width]),
            strength: plane(),
        }
    }

    /// The most corners there can be.
    pub fn limit(&self, image: &Image) -> usize {
        image.width.div_ceil(self.cell) * image.height.div_ceil(self.cell)
    }

    /// Notes where subjects are, in pixels of the image.
    pub fn take(&mut self, image: &Image, subjects: impl Iterator<Item = BBox>) {
        let (width, height) = (image.width, image.height);
        self.taken.fill(0);
        for bbox in subjects.filter(BBox::is_valid) {
            let low = |v: f32| (v - AROUND_SUBJECTS).max(0.0) as usize;
            let high = |v: f32, limit: usize| ((v + AROUND_SUBJECTS).max(0.0).ceil() as usize).min(limit);
            let (x1, x2) = (low(bbox.x1), high(bbox.x2, width));
            if x1 < x2 {
                let rows = low(bbox.y1)..high(bbox.y2, height);
                rows.for_each(|y| self.taken[y * width..][x1..x2].fill(1));
            }
        }
    }

    /// True where a subject was noted at a point of the image.
    pub fn is_taken(&self, image: &Image, (x, y): (f32, f32)) -> bool {
        let (x, y) = (x as usize, y as usize);
        x < image.width && self.taken.get(y * image.width + x).is_some_and(|taken| *taken != 0)
    }

    /// The best corner of each cell beside subjects, row after row: the middle of its pixel.
    #[inline(always)]
    pub fn find(&mut self, image: &Image, found: &mut Vec<(f32, f32)>) {
        found.clear();
        let (width, height) = (image.width, image.height);
        if width <= 2 * MARGIN || height <= 2 * MARGIN {
            return;
        }
        self.measure(image);
        let strongest = self.strength.iter().fold(0.0, |a: f32, b| a.max(*b));
        let least = (QUALITY * strongest).max(LEAST_STRENGTH);
        let inside = |from: usize, side: usize| from.max(MARGIN)..(from + self.cell).min(side - MARGIN);
        for top in (0..height).step_by(self.cell) {
            for left in (0..width).step_by(self.cell) {
                let mut best = (least, None);
                for y in inside(top, height) {
                    for x in inside(left, width) {
                        let strength = self.strength[y * width + x];
                        if strength > best.0 && self.taken[y * width + x] == 0 {
                            best = (strength, Some((x as f32 + 0.5, y as f32 + 0.5)));
                        }
                    }
                }
                found.extend(best.1);
            }
        }
    }

    /// The strength of each pixel that is not at the edge.
    #[inline(always)]
    fn measure(&mut self, image: &Image) {
        let (width, height) = (image.width, image.height);
        let [xx, xy, yy] = &mut self.products;
        for y in 0..height {
            let at = y * width..(y + 1) * width;
            let (above, row, below) = (
                &image.wide_row(y as isize - 1)[1..=width],
                image.wide_row(y as isize),
                &image.wide_row(y as isize + 1)[1..=width],
            );
            let (left, right) = (&row[..width], &row[2..width + 2]);
            let (xx, xy, yy) = (&mut xx[at.clone()], &mut xy[at.clone()], &mut yy[at]);
            for x in 0..width {
                let (gx, gy) = (0.5 * (right[x] - left[x]), 0.5 * (below[x] - above[x]));
                (xx[x], xy[x], yy[x]) = (gx * gx, gx * gy, gy * gy);
            }
        }
        const AREA: f32 = ((2 * REACH + 1) * (2 * REACH + 1)) as f32;
        for y in REACH..height - REACH {
            for (columns, products) in self.columns.iter_mut().zip(&self.products) {
                columns.copy_from_slice(&products[(y - REACH) * width..][..width]);
                for y in y - REACH + 1..=y + REACH {
                    columns.iter_mut().zip(&products[y * width..][..width]).for_each(|(sum, v)| *sum += *v);
                }
            }
            let [xx, xy, yy] = &self.columns;
            let out = &mut self.strength[y * width + REACH..][..width - 2 * REACH];
            let windows = xx.windows(5).zip(xy.windows(5)).zip(yy.windows(5));
            for (out, ((xx, xy), yy)) in out.iter_mut().zip(windows) {
                let sum = |v: &[f32]| ((v[0] + v[1]) + (v[2] + v[3])) + v[4];
                let (xx, xy, yy) = (sum(xx), sum(xy), sum(yy));
                let half = 0.5 * (xx - yy);
                *out = (0.5 * (xx + yy) - (half * half + xy * xy).sqrt()) * (1.0 / AREA);
            }
        }
    }
}
