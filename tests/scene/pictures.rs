//! Pictures of a street, and what befalls a camera.

use streetscene::{Frame, Light, Options, View, World};
use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};

pub const WIDTH: usize = 640;
pub const HEIGHT: usize = 360;
/// Seconds from one picture to the next.
pub const STEP: f64 = 1.0;

/// Luma, 16..235.
#[derive(Clone)]
pub struct Luma {
    pub width: usize,
    pub height: usize,
    pub samples: Vec<u8>,
    chroma: Vec<u8>,
}

impl Luma {
    pub fn new(width: usize, height: usize, samples: Vec<u8>) -> Self {
        Self { width, height, samples, chroma: vec![128; width.div_ceil(2) * 2 * height.div_ceil(2)] }
    }

    pub fn flat(level: u8) -> Self {
        Self::new(WIDTH, HEIGHT, vec![level; WIDTH * HEIGHT])
    }

    fn of(frame: &Frame) -> Self {
        let luma = |p: &[u8]| (66 * u32::from(p[0]) + 129 * u32::from(p[1]) + 25 * u32::from(p[2]) + 128) / 256 + 16;
        let samples = frame.rgba.chunks_exact(4).map(|p| luma(p) as u8).collect();
        Self::new(frame.width as usize, frame.height as usize, samples)
    }

    pub fn picture(&self) -> Picture<'_> {
        let uv = Plane { data: &self.chroma, stride: self.width.div_ceil(2) * 2 };
        let planes = Planes::Nv12 { y: Plane { data: &self.samples, stride: self.width }, uv };
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        Picture { width: self.width, height: self.height, planes, colour }
    }

    /// Another light: 0..1 in, 0..1 out; also told where, 0..1.
    pub fn light(&self, light: impl Fn(f32, [f32; 2]) -> f32) -> Self {
        let place =
            |i: usize| [(i % self.width) as f32 / self.width as f32, (i / self.width) as f32 / self.height as f32];
        let sample = |(i, v): (usize, &u8)| {
            let lit = light((f32::from(*v) - 16.0).max(0.0) / 219.0, place(i));
            (lit.clamp(0.0, 1.0) * 219.0).round() as u8 + 16
        };
        Self::new(self.width, self.height, self.samples.iter().enumerate().map(sample).collect())
    }

    /// Seen from elsewhere: turned about its middle, zoomed, shifted, by parts of its width.
    pub fn elsewhere(&self, turn_deg: f32, zoom: f32, shift: (f32, f32)) -> Self {
        let (sin, cos) = turn_deg.to_radians().sin_cos();
        let (w, h) = (self.width as f32, self.height as f32);
        let sample = |i: usize| {
            let (x, y) = ((i % self.width) as f32 - w / 2.0, (i / self.width) as f32 - h / 2.0);
            let (x, y) = (x / zoom + shift.0 * w, y / zoom + shift.1 * w);
            let u = (cos * x - sin * y + w / 2.0).clamp(0.0, w - 1.0) as usize;
            let v = (sin * x + cos * y + h / 2.0).clamp(0.0, h - 1.0) as usize;
            self.samples[v * self.width + u]
        };
        Self::new(self.width, self.height, (0..self.samples.len()).map(sample).collect())
    }

    /// Out of focus: the mean of a square, by running sums.
    pub fn blurred(&self, radius: usize) -> Self {
        let (w, h) = (self.width, self.height);
        let line = |out: &mut [u8], from: &[u8], start: usize, step: usize, n: usize| {
            let at = |i: isize| u32::from(from[start + i.clamp(0, n as isize - 1) as usize * step]);
            let radius = radius as isize;
            let mut sum: u32 = (-radius..=radius).map(at).sum();
            for i in 0..n as isize {
                out[start + i as usize * step] = (sum / (2 * radius as u32 + 1)) as u8;
                sum = sum + at(i + radius + 1) - at(i - radius);
            }
        };
        let (mut across, mut both) = (self.samples.clone(), self.samples.clone());
        (0..h).for_each(|y| line(&mut across, &self.samples, y * w, 1, w));
        (0..w).for_each(|x| line(&mut both, &across, x, w, h));
        Self::new(w, h, both)
    }

    /// A cloth hangs over this part of it, from the left.
    pub fn covered(&self, part: f32, level: f32) -> Self {
        self.light(|v, [x, y]| if x < part { level + 0.03 * y } else { v })
    }

    /// Noise of the sensor.
    pub fn noisy(mut self, deviation: f32, seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for v in &mut self.samples {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Three even ones are about a normal one.
            let sum = [0, 8, 16].map(|bits| (state >> (20 + bits) & 0xff) as f32 / 255.0 - 0.5).iter().sum::<f32>();
            *v = (f32::from(*v) + 2.0 * sum * deviation).clamp(16.0, 235.0) as u8;
        }
        self
    }
}

/// A camera of a street.
pub struct Street {
    world: World,
    view: View,
    pub number: u64,
}

impl Street {
    pub fn new(seed: u64, camera: usize, light: Light, people: Option<usize>) -> Self {
        let (width, height) = (WIDTH as u32, HEIGHT as u32);
        let world = World::new(&Options { seed, width, height, light: Some(light), people });
        let view = View::new(&world, camera);
        Self { world, view, number: 0 }
    }

    pub fn next(&mut self) -> Luma {
        self.number += 1;
        self.world.advance_to(self.number as f64 * STEP);
        Luma::of(self.view.render_pixels(&self.world, self.number))
    }
}
