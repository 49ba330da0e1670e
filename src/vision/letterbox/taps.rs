//! Which source samples a row or column of the result is made of.

/// Part of a side of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vision) struct Span {
    /// First pixel.
    pub start: usize,
    /// Pixels, at least 1.
    pub length: usize,
}

impl Span {
    /// The samples it has where `shared` pixels share one.
    pub fn samples(self, shared: usize) -> std::ops::Range<usize> {
        self.start / shared..(self.start + self.length - 1) / shared + 1
    }
}

/// The two source rows of one row, and the share of the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTaps {
    pub first: usize,
    pub second: usize,
    /// 0..256, in 256ths.
    pub weight: u16,
}

/// Per column: the left one of its two source samples, and the share of the right one. Samples count from
/// the span's first one.
#[derive(Clone, Debug)]
pub(super) struct ColumnTaps {
    pub index: Vec<u32>,
    /// 0..1.
    pub weight: Vec<f32>,
}

impl ColumnTaps {
    pub fn with_capacity(columns: usize) -> Self {
        Self { index: Vec::with_capacity(columns), weight: Vec::with_capacity(columns) }
    }

    /// Makes `columns` of `source`, where `shared` pixels share a sample.
    pub fn set(&mut self, columns: usize, source: Span, shared: usize) {
        let first = source.samples(shared).start as u32;
        self.index.clear();
        self.weight.clear();
        for p in (0..columns).map(|i| position(i, columns, source, shared)) {
            self.index.push(p as u32 - first);
            self.weight.push((p - p.floor()) as f32);
        }
    }
}

/// Likewise for rows, which count from the picture's first one.
pub(super) fn set_rows(taps: &mut Vec<RowTaps>, rows: usize, source: Span, shared: usize) {
    let last = source.samples(shared).end - 1;
    taps.clear();
    taps.extend((0..rows).map(|i| {
        let p = position(i, rows, source, shared);
        let first = p as usize;
        RowTaps { first, second: (first + 1).min(last), weight: ((p - p.floor()) * 256.0).round() as u16 }
    }));
}

/// Where sample `i` of `count` lies among the samples of a side, of which `source` is resized; centres aligned,
/// kept within the first and the last sample of `source`.
fn position(i: usize, count: usize, source: Span, shared: usize) -> f64 {
    let samples = source.samples(shared);
    let pixel = source.start as f64 + (i as f64 + 0.5) * source.length as f64 / count as f64;
    (pixel / shared as f64 - 0.5).clamp(samples.start as f64, (samples.end - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_stay_within_the_source() {
        let (mut columns, mut rows) = (ColumnTaps::with_capacity(0), vec![]);
        let spans = [1_usize, 2, 3, 5, 64, 1921].map(|length| [0, 1, 2, 7].map(|start| Span { start, length }));
        for source in spans.into_iter().flatten() {
            for count in [1, 2, 3, 7, 64, 640] {
                for shared in [1_usize, 2] {
                    let samples = source.samples(shared);
                    let last = samples.len() as u32 - 1;
                    columns.set(count, source, shared);
                    assert_eq!((columns.index.len(), columns.weight.len()), (count, count));
                    for (&i, &w) in columns.index.iter().zip(&columns.weight) {
                        assert!(i < last || (i == last && w == 0.0), "{source:?} {count} {shared}: {i} {w}");
                    }
                    set_rows(&mut rows, count, source, shared);
                    assert_eq!(rows.len(), count);
                    for row in &rows {
                        assert!(samples.contains(&row.first) && samples.contains(&row.second) && row.weight <= 256);
                    }
                }
            }
        }
    }

    #[test]
    fn centres_are_aligned() {
        let whole = |length| Span { start: 0, length };
        // a third: the middle one of three
        assert_eq!(position(1, 640, whole(1920), 1), 4.0);
        // twice as many: a quarter to either side
        assert_eq!([position(2, 8, whole(4), 1), position(3, 8, whole(4), 1)], [0.75, 1.25]);
        assert_eq!([position(0, 8, whole(4), 1), position(7, 8, whole(4), 1)], [0.0, 3.0], "edges repeat");
        // chroma of a side of five: three samples, the last in the middle of pixel pair 4, 5
        assert_eq!(position(4, 5, whole(5), 2), 1.75);
        // four pixels from the third on
        let part = Span { start: 3, length: 4 };
        assert_eq!([position(0, 8, part, 1), position(2, 8, part, 1), position(7, 8, part, 1)], [3.0, 3.75, 6.0]);
        assert_eq!((part.samples(2), position(0, 4, part, 2)), (1..4, 1.25));
    }
}
