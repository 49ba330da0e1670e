//! Masks as sets of pixels: what two share, what several are together.

use super::Rle;

impl Rle {
    /// An empty mask of `[height, width]`.
    #[must_use]
    pub fn empty(size: [u32; 2]) -> Self {
        Self { size, counts: vec![size[0].saturating_mul(size[1])] }
    }

    /// The runs of set pixels, as half-open ranges of `column * height + row`.
    fn runs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut at = 0_u32;
        self.counts.iter().enumerate().filter_map(move |(i, count)| {
            let start = at;
            at = at.saturating_add(*count);
            (i % 2 == 1 && *count > 0).then_some((start, at))
        })
    }

    /// A mask from runs of set pixels that are in order and may touch or overlap.
    fn from_runs(size: [u32; 2], runs: impl Iterator<Item = (u32, u32)>) -> Self {
        let (mut counts, mut at) = (Vec::new(), 0);
        let mut open: Option<(u32, u32)> = None;
        for (start, end) in runs {
            match &mut open {
                Some(run) if start <= run.1 => run.1 = run.1.max(end),
                _ => {
                    if let Some((from, to)) = open.replace((start, end)) {
                        counts.extend([from - at, to - from]);
                        at = to;
                    }
                }
            }
        }
        if let Some((from, to)) = open {
            counts.extend([from - at, to - from]);
            at = to;
        }
        let rest = size[0].saturating_mul(size[1]).saturating_sub(at);
        if rest > 0 || counts.is_empty() {
            counts.push(rest);
        }
        Self { size, counts }
    }

    /// Pixels set in both; 0 where the pictures differ in size.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> u64 {
        if self.size != other.size {
            return 0;
        }
        let (mut left, mut right) = (self.runs(), other.runs());
        let (mut a, mut b) = (left.next(), right.next());
        let mut shared = 0;
        while let (Some(x), Some(y)) = (a, b) {
            shared += u64::from(x.1.min(y.1).saturating_sub(x.0.max(y.0)));
            if x.1 <= y.1 { a = left.next() } else { b = right.next() }
        }
        shared
    }

    /// Intersection over union, 0..1; with `crowd`, intersection over the area of `self` (COCO API, `rleIou`).
    #[must_use]
    pub fn iou(&self, other: &Self, crowd: bool) -> f64 {
        let shared = self.intersection(other);
        if shared == 0 {
            return 0.0;
        }
        let whole = if crowd { self.area() } else { self.area() + other.area() - shared };
        shared as f64 / whole as f64
    }

    /// Pixels set in any of the masks. All of them have the given size.
    #[must_use]
    pub fn union(size: [u32; 2], masks: &[Self]) -> Self {
        let mut runs: Vec<_> = masks.iter().flat_map(Self::runs).collect();
        runs.sort_unstable();
        Self::from_runs(size, runs.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of `.` and `#`.
    fn mask(rows: &[&str]) -> Rle {
        let (height, width) = (rows.len(), rows[0].len());
        let pixels = (0..height * width).map(|i| rows[i % height].as_bytes()[i / height] == b'#');
        let runs = pixels.enumerate().filter(|(_, set)| *set).map(|(i, _)| (i as u32, i as u32 + 1));
        Rle::from_runs([height as u32, width as u32], runs)
    }

    #[test]
    fn masks_meet_and_join() {
        let a = mask(&["##..", "##..", "...."]);
        let b = mask(&["....", ".##.", ".##."]);
        assert_eq!(a.counts, [0, 2, 1, 2, 7]);
        assert_eq!((a.area(), b.area(), a.intersection(&b)), (4, 4, 1));
        assert_eq!(a.iou(&b, false), 1.0 / 7.0);
        assert_eq!(a.iou(&b, true), 0.25);
        assert_eq!(Rle::union([3, 4], &[b.clone(), a.clone()]), mask(&["##..", "###.", ".##."]));
        assert_eq!(b.bounds(), [1, 1, 2, 2]);
        assert_eq!(Rle::empty([3, 4]).bounds(), [0; 4]);
        assert_eq!(Rle::union([3, 4], &[]), Rle::empty([3, 4]));
    }
}
