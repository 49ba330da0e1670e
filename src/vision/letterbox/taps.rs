//! Which source samples a row or column of the result is made of.

/// The two source rows of one row, and the share of the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTaps {
    pub first: usize,
    pub second: usize,
    /// 0..256, in 256ths.
    pub weight: u16,
}

/// Per column: the left one of its two source samples, and the share of the right one.
#[derive(Clone, Debug)]
pub(super) struct ColumnTaps {
    pub index: Vec<u32>,
    /// 0..1.
    pub weight: Vec<f32>,
}

impl ColumnTaps {
    pub fn new(columns: usize, source: usize, shared: usize) -> Self {
        let at = (0..columns).map(|i| position(i, columns, source, shared));
        Self { index: at.clone().map(|p| p as u32).collect(), weight: at.map(|p| (p - p.floor()) as f32).collect() }
    }
}

pub(super) fn rows(rows: usize, source: usize, shared: usize) -> Vec<RowTaps> {
    let last = source.div_ceil(shared) - 1;
    (0..rows)
        .map(|i| {
            let p = position(i, rows, source, shared);
            let first = p as usize;
            RowTaps { first, second: (first + 1).min(last), weight: ((p - p.floor()) * 256.0).round() as u16 }
        })
        .collect()
}

/// Where sample `i` of `count` lies among the samples of a side of `source` pixels, of which `shared`
/// share one sample; centres aligned, kept within the first and the last sample.
fn position(i: usize, count: usize, source: usize, shared: usize) -> f64 {
    let samples = source.div_ceil(shared);
    let pixel = (i as f64 + 0.5) * source as f64 / count as f64;
    (pixel / shared as f64 - 0.5).clamp(0.0, (samples - 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_stay_within_the_source() {
        for source in [1_usize, 2, 3, 5, 64, 1921] {
            for count in [1, 2, 3, 7, 64, 640] {
                for shared in [1_usize, 2] {
                    let last = source.div_ceil(shared) as u32 - 1;
                    let columns = ColumnTaps::new(count, source, shared);
                    for (&i, &w) in columns.index.iter().zip(&columns.weight) {
                        assert!(i < last || (i == last && w == 0.0), "{source} {count} {shared}: {i} {w}");
                    }
                    for row in rows(count, source, shared) {
                        assert!(row.first as u32 <= last && row.second as u32 <= last && row.weight <= 256);
                    }
                }
            }
        }
    }

    #[test]
    fn centres_are_aligned() {
        // a third: the middle one of three
        assert_eq!(position(1, 640, 1920, 1), 4.0);
        // twice as many: a quarter to either side
        assert_eq!([position(2, 8, 4, 1), position(3, 8, 4, 1)], [0.75, 1.25]);
        assert_eq!([position(0, 8, 4, 1), position(7, 8, 4, 1)], [0.0, 3.0], "edges repeat");
        // chroma of a side of five: three samples, the last in the middle of pixel pair 4, 5
        assert_eq!(position(4, 5, 5, 2), 1.75);
    }
}
