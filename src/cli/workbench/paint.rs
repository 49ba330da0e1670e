//! Shapes on NV12.

/// A picture as hardware decoders give it: luma, then interleaved chroma of half the size. BT.709, limited range.
#[derive(Clone, Debug)]
pub(super) struct Canvas {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) luma: Vec<u8>,
    pub(super) chroma: Vec<u8>,
}

/// Red, green, blue, 0..255.
pub(super) type Rgb = [f32; 3];

impl Canvas {
    /// Black. Sides are even.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, luma: vec![16; width * height], chroma: vec![128; width * height / 2] }
    }

    /// Paints every pixel of `[x1, y1, x2, y2]` that `inside` says, at its centre.
    pub(super) fn fill(&mut self, bounds: [f32; 4], colour: Rgb, inside: impl Fn(f32, f32) -> bool) {
        let clamp = |v: f32, most: usize| v.max(0.0).min(most as f32) as usize;
        let [x1, y1, x2, y2] = bounds;
        let (columns, rows) = (
            clamp(x1.floor(), self.width)..clamp(x2.ceil(), self.width),
            clamp(y1.floor(), self.height)..clamp(y2.ceil(), self.height),
        );
        let [y, u, v] = ycbcr(colour);
        for row in rows {
            for column in columns.clone() {
                if inside(column as f32 + 0.5, row as f32 + 0.5) {
                    self.luma[row * self.width + column] = y;
                    let at = row / 2 * self.width + column / 2 * 2;
                    self.chroma[at..at + 2].copy_from_slice(&[u, v]);
                }
            }
        }
    }

    /// An upright ellipse.
    pub(super) fn ellipse(&mut self, (cx, cy): (f32, f32), (rx, ry): (f32, f32), colour: Rgb) {
        self.fill([cx - rx, cy - ry, cx + rx, cy + ry], colour, |x, y| {
            let (dx, dy) = ((x - cx) / rx, (y - cy) / ry);
            dx * dx + dy * dy <= 1.0
        });
    }

    /// A stroke with round ends.
    pub(super) fn stroke(&mut self, (ax, ay): (f32, f32), (bx, by): (f32, f32), thickness: f32, colour: Rgb) {
        let r = thickness / 2.0;
        let bounds = [ax.min(bx) - r, ay.min(by) - r, ax.max(bx) + r, ay.max(by) + r];
        let (dx, dy) = (bx - ax, by - ay);
        let length = (dx * dx + dy * dy).max(1e-6);
        self.fill(bounds, colour, |x, y| {
            let t = (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0);
            let (ex, ey) = (x - ax - t * dx, y - ay - t * dy);
            ex * ex + ey * ey <= r * r
        });
    }

    /// A rectangle.
    pub(super) fn rectangle(&mut self, bounds: [f32; 4], colour: Rgb) {
        self.fill(bounds, colour, |_, _| true);
    }

    /// Grain, the same for the same place and `seed`: a flat picture is none that a camera gives.
    pub(super) fn grain(&mut self, seed: u32, strength: u8) {
        let span = u32::from(strength) * 2 + 1;
        for (at, luma) in self.luma.iter_mut().enumerate() {
            let mut hash = (at as u32).wrapping_mul(0x9e37_79b1) ^ seed.wrapping_mul(0x85eb_ca6b);
            hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
            hash ^= hash >> 13;
            // At most 2 * 255 + 1 values, so the cast keeps all of it.
            let noise = (hash % span) as i32 - i32::from(strength);
            *luma = (i32::from(*luma) + noise).clamp(16, 235) as u8;
        }
    }
}

/// ITU-R BT.709-6, limited range.
fn ycbcr([r, g, b]: Rgb) -> [u8; 3] {
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let (cb, cr) = ((b - y) / 1.8556, (r - y) / 1.5748);
    [16.0 + y * 219.0 / 255.0, 128.0 + cb * 224.0 / 255.0, 128.0 + cr * 224.0 / 255.0].map(|v| v.round() as u8)
}
