/// Bins from 0 to the range; as TensorRT's calibrators have.
const BINS: usize = 2048;
/// Levels on one side of zero that INT8 has.
const LEVELS: usize = 128;

/// How a range is chosen from what was seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Calibration {
    /// The largest value: nothing is cut off, and one outlier coarsens everything.
    Max,
    /// A bound that this share of the values does not exceed, in percent (such as 99.99); held to 0..=100.
    Percentile(f64),
    /// The bound at which the values, cut off and rounded to 128 levels, are distributed most like the values as they
    /// are: the smallest Kullback-Leibler divergence, as TensorRT's entropy calibrator finds it (S. Migacz, "8-bit
    /// inference with TensorRT", GTC 2017).
    Entropy,
    /// The bound at which rounding and cutting off together do the least harm: the smallest mean squared error.
    MeanSquare,
}

/// How large the values of one tensor were: counts of absolute values in bins of equal width. Its memory is bounded:
/// the range begins at the first maximum and doubles, two bins becoming one, when a larger value comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    bins: Vec<u64>,
    /// Upper end of the bins; 0 as long as all values are 0.
    range: f64,
    largest: f32,
    not_finite: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { bins: vec![0; BINS], range: 0.0, largest: 0.0, not_finite: 0 }
    }

    /// Counts values. What is not a finite number is counted apart and has no say in the range.
    pub fn add(&mut self, values: &[f32]) {
        let finite = values.iter().map(|value| value.abs()).filter(|value| value.is_finite());
        let largest = finite.fold(0.0_f32, f32::max);
        self.largest = self.largest.max(largest);
        if self.range == 0.0 {
            self.range = f64::from(largest);
        }
        while f64::from(largest) > self.range {
            self.double();
        }
        let scale = if self.range > 0.0 { BINS as f64 / self.range } else { 0.0 };
        for value in values {
            if value.is_finite() {
                let bin = (f64::from(value.abs()) * scale) as usize;
                self.bins[bin.min(BINS - 1)] += 1;
            } else {
                self.not_finite += 1;
            }
        }
    }

    /// Finite values seen.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.bins.iter().sum()
    }

    /// Values seen that are infinite or no number: a model that gives them cannot be trusted, in INT8 least of all.
    #[must_use]
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }

    /// The range by a method; 0 where nothing but zeros was seen.
    #[must_use]
    pub fn amax(&self, method: Calibration) -> f32 {
        let bound = match method {
            Calibration::Max => return self.largest,
            Calibration::Percentile(percent) => self.percentile(percent),
            Calibration::Entropy => self.entropy(),
            Calibration::MeanSquare => self.mean_square(),
        };
        // A bin's upper end may lie above everything in it.
        ((bound as f64 * self.range / BINS as f64) as f32).min(self.largest)
    }

    fn double(&mut self) {
        for bin in 0..BINS / 2 {
            self.bins[bin] = self.bins[2 * bin] + self.bins[2 * bin + 1];
        }
        self.bins[BINS / 2..].fill(0);
        self.range *= 2.0;
    }

    /// Bins up to the bound.
    fn percentile(&self, percent: f64) -> usize {
        let wanted = self.count() as f64 * percent.clamp(0.0, 100.0) / 100.0;
        let mut seen = 0_u64;
        let bin = self.bins.iter().position(|count| {
            seen += count;
            seen as f64 >= wanted && seen > 0
        });
        bin.map_or(BINS, |bin| bin + 1)
    }

    /// The counts up to the last bin that holds something, but for a rectifier's zeros: those are exact at any scale,
    /// and counted they would outweigh all others.
    fn without_zeros(&self) -> Vec<f64> {
        let mut bins: Vec<f64> = self.bins.iter().map(|count| *count as f64).collect();
        bins[0] = bins[1];
        bins.truncate(bins.iter().rposition(|count| *count > 0.0).map_or(0, |last| last + 1));
        bins
    }

    /// Bins up to the bound.
    fn mean_square(&self) -> usize {
        let bins = self.without_zeros();
        let mut best = (f64::INFINITY, bins.len().max(1));
        for bound in 1..=bins.len() {
            // In widths of a bin: a rounding error is even over one step, and what is cut off is off by its distance.
            let step = bound as f64 / (LEVELS - 1) as f64;
            let inside: f64 = bins[..bound].iter().sum();
            let beyond = |(index, count): (usize, &f64)| count * (index as f64 + 0.5).powi(2);
            let cut: f64 = bins[bound..].iter().enumerate().map(beyond).sum();
            let error = inside * step * step / 12.0 + cut;
            if error <= best.0 {
                best = (error, bound);
            }
        }
        best.1
    }

    /// Bins up to the bound.
    fn entropy(&self) -> usize {
        let bins = self.without_zeros();
        let filled = bins.len();
        let mut best = (f64::INFINITY, filled.max(1));
        let mut outliers: f64 = bins.iter().skip(LEVELS).sum();
        for bound in LEVELS..=filled {
            let divergence = divergence(&bins[..bound], outliers);
            // Of equals the widest: it cuts off least.
            if divergence <= best.0 {
                best = (divergence, bound);
            }
            outliers -= bins.get(bound).copied().unwrap_or(0.0);
        }
        best.1
    }
}

/// Kullback-Leibler divergence of `bins`, with `outliers` in the last, from the same rounded to [`LEVELS`].
fn divergence(bins: &[f64], outliers: f64) -> f64 {
    let inside: f64 = bins.iter().sum();
    let all = inside + outliers.max(0.0);
    if inside <= 0.0 {
        return f64::INFINITY;
    }
    let mut sum = 0.0;
    for level in 0..LEVELS {
        let (from, to) = (level * bins.len() / LEVELS, (level + 1) * bins.len() / LEVELS);
        let group = &bins[from..to];
        let filled = group.iter().filter(|count| **count > 0.0).count();
        // What a level holds is spread over those of its bins that hold something.
        let rounded = group.iter().sum::<f64>() / filled.max(1) as f64 / inside;
        for (index, count) in group.iter().enumerate() {
            let cut = if from + index + 1 == bins.len() { outliers.max(0.0) } else { 0.0 };
            let share = (count + cut) / all;
            if share > 0.0 {
                // Outliers in a bin that holds nothing else cannot be told from rounding: infinitely far.
                if *count <= 0.0 {
                    return f64::INFINITY;
                }
                sum += share * (share / rounded).ln();
            }
        }
    }
    sum
}
