//! How much speaks for two tracks being one subject: log odds.

/// What evidence counts, in log odds. Chosen on rendered streets that are not among those whose figures are given; what
/// is shipped is rarely worth changing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// Per standard deviation of likeness above `enough`.
    pub likeness: f32,
    /// Likeness at which it is even: standard deviations above the likeness of different subjects.
    pub enough: f32,
    /// Of being in one camera one after the other: the tracker would mostly have joined them.
    pub same_camera: f32,
    /// Of standing at one place at the same time, within `near` heights.
    pub ground_same: f32,
    /// Of standing elsewhere at the same time, beyond `far` heights.
    pub ground_other: f32,
    /// Heights apart that are one place.
    pub near: f32,
    /// Heights apart that are another.
    pub far: f32,
    /// Moments seen together until that counts in full.
    pub moments: f32,
    /// Heights a second that somebody runs.
    pub run: f32,
    /// Per height that is too far to run, in one camera.
    pub too_far: f32,
    /// Of being in one identity already, so that it does not flicker.
    pub stay: f32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            likeness: 2.5,
            enough: 2.1,
            same_camera: -1.0,
            ground_same: 3.0,
            ground_other: -3.0,
            near: 0.5,
            far: 1.2,
            moments: 5.0,
            run: 2.5,
            too_far: -1.0,
            stay: 1.0,
        }
    }
}

impl Weights {
    /// Of standing `apart` heights from each other, seen together at `moments` moments.
    pub(super) fn ground(&self, apart: f32, moments: usize) -> f32 {
        let far = ((apart - self.near) / (self.far - self.near).max(1e-3)).clamp(0.0, 1.0);
        (self.ground_same + (self.ground_other - self.ground_same) * far) * (moments as f32 / self.moments).min(1.0)
    }

    /// Of getting `apart` heights far within `gap_s` seconds, in one camera.
    pub(super) fn way(&self, apart: f32, gap_s: f32) -> f32 {
        let too_far = (apart - 1.0 - self.run * gap_s.max(0.0)).max(0.0);
        self.same_camera + (self.too_far * too_far).max(-8.0)
    }
}

/// How like different subjects are, by this model and in these cameras: learned from tracks that one camera sees at
/// the same time, which are different for certain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Others {
    /// Weight of what was seen so far.
    pub(super) count: f32,
    pub(super) mean: f32,
    pub(super) square: f32,
}

impl Default for Others {
    /// As rendered streets and the shipped model have it; a few pairs of one's own soon outweigh it.
    fn default() -> Self {
        let (mean, deviation) = (0.3_f32, 0.22_f32);
        Self { count: 10.0, mean, square: mean * mean + deviation * deviation }
    }
}

impl Others {
    /// Most weight of the past: newer pairs count more.
    const MOST: f32 = 2000.0;

    pub(super) fn add(&mut self, cosine: f32) {
        self.count = (self.count + 1.0).min(Self::MOST);
        self.mean += (cosine - self.mean) / self.count;
        self.square += (cosine * cosine - self.square) / self.count;
    }

    /// Log odds of a cosine.
    pub(super) fn log_odds(&self, weights: &Weights, cosine: f32) -> f32 {
        let deviation = (self.square - self.mean * self.mean).max(0.0).sqrt().max(0.05);
        weights.likeness * ((cosine - self.mean) / deviation - weights.enough)
    }
}

/// Probability of log odds.
pub(super) fn probability(log_odds: f32) -> f32 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// Log odds of a probability.
pub(super) fn log_odds(probability: f32) -> f32 {
    let p = probability.clamp(1e-4, 1.0 - 1e-4);
    (p / (1.0 - p)).ln()
}
