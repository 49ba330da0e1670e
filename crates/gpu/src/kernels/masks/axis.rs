/// Pixels of the frame and their places among the prototypes, along one axis.
#[derive(Debug)]
pub(super) struct Axis(Vec<(u32, f32)>);

impl Axis {
    /// The arithmetic is the one of the processor's path, step by step.
    pub fn new(frame: usize, inner: usize, offset: usize, input: usize, prototypes: usize) -> Self {
        let ratio = prototypes as f64 / input as f64;
        let (scale, offset) = (inner as f64 / frame as f64 * ratio, offset as f64 * ratio);
        let last = (prototypes - 1) as f64;
        let at = |pixel: usize| {
            let place = ((pixel as f64 + 0.5) * scale + offset - 0.5).clamp(0.0, last);
            (place as u32, place.fract() as f32)
        };
        Self((0..frame).map(at).collect())
    }

    /// First prototype of the pixels `from..to`, and how many there are.
    pub fn span(&self, from: usize, to: usize) -> (usize, usize) {
        let (first, (last, share)) = (self.0[from].0, self.0[to - 1]);
        (first as usize, (last + 1 + u32::from(share > 0.0) - first) as usize)
    }

    pub fn words(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|&(index, share)| [index, share.to_bits()])
    }
}

/// First pixel whose centre lies behind an edge.
pub(super) fn pixel(edge: f32, side: usize) -> usize {
    ((edge - 0.5).ceil().max(0.0) as usize).min(side)
}
