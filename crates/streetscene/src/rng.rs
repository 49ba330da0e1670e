//! A small seeded generator (SplitMix64), the same on every machine and in every release.

/// A stream of random numbers that a seed fixes for ever.
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// The stream of one purpose (`salt`) under a seed; streams of different purposes are unrelated.
    pub fn new(seed: u64, salt: u64) -> Rng {
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt.wrapping_mul(0xd1b5_4a32_d192_ed03));
        rng.next_u64();
        rng
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number in `low..high`.
    pub fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// An index below `count` (0 where `count` is 0).
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Roughly normal, mean 0 and deviation 1 (a sum of four uniform numbers).
    pub fn normal(&mut self) -> f64 {
        (self.unit() + self.unit() + self.unit() + self.unit() - 2.0) * 1.732
    }
}

/// A well-mixed hash of a number.
pub fn mix(value: u64) -> u64 {
    let mut z = value;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash of a lattice cell as a number in 0..1.
pub fn cell(x: i64, y: i64, salt: u32) -> f32 {
    let mut h =
        (x as u32).wrapping_mul(0x8da6_b343) ^ (y as u32).wrapping_mul(0xd816_3841) ^ salt.wrapping_mul(0xcb1a_b31f);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    ((h ^ (h >> 15)) >> 8) as f32 / (1u32 << 24) as f32
}

/// Smooth value noise in 0..1 over the plane, one cell per unit.
pub fn noise(x: f64, y: f64, salt: u32) -> f32 {
    let (ix, iy) = (x.floor(), y.floor());
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (smooth((x - ix) as f32), smooth((y - iy) as f32));
    let (ix, iy) = (ix as i64, iy as i64);
    let top = cell(ix, iy, salt) * (1.0 - fx) + cell(ix + 1, iy, salt) * fx;
    let bottom = cell(ix, iy + 1, salt) * (1.0 - fx) + cell(ix + 1, iy + 1, salt) * fx;
    top * (1.0 - fy) + bottom * fy
}
