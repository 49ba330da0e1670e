//! The picture that every golden answer is about: a street with persons and a car, drawn with whole numbers only, so that
//! every machine draws the same.

use crate::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};
use crate::types::geometry::BBox;

/// Grows with every change of what is drawn here: recordings of another version say nothing.
pub(super) const VERSION: u32 = 1;

const WIDTH: i32 = 320;
const HEIGHT: i32 = 180;
/// Where the street meets the sky.
const HORIZON: i32 = 50;

/// The person that models of crops look at: one of those below.
pub const CROP: BBox = BBox { x1: 36.0, y1: 64.0, x2: 84.0, y2: 164.0 };

/// Luma, Cb and Cr.
type Yuv = [u8; 3];

/// An NV12 picture that owns its planes.
pub(super) struct Street {
    luma: Vec<u8>,
    chroma: Vec<u8>,
}

impl Street {
    pub(super) fn new() -> Self {
        let area = (WIDTH * HEIGHT) as usize;
        let mut street = Self { luma: vec![0; area], chroma: vec![0; area / 2] };
        street.ground();
        (0..6).for_each(|number| street.house(number));
        street.car();
        // Middle, feet, height, and what they wear.
        street.person(60, 160, 92, [[150, 112, 152], [62, 150, 112], [44, 132, 126]]);
        street.person(118, 120, 58, [[150, 112, 152], [190, 120, 134], [58, 140, 124]]);
        street.person(158, 96, 34, [[140, 112, 150], [80, 116, 160], [40, 128, 128]]);
        street.person(298, 170, 100, [[120, 114, 150], [120, 108, 176], [200, 128, 128]]);
        street
    }

    pub(super) fn picture(&self) -> Picture<'_> {
        let (width, height) = (WIDTH as usize, HEIGHT as usize);
        let plane = |data| Plane { data, stride: width };
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        Picture { width, height, planes: Planes::Nv12 { y: plane(&self.luma), uv: plane(&self.chroma) }, colour }
    }

    /// Colours one pixel, where it lies in the picture; two by two share their chroma, which is the last one's.
    fn put(&mut self, x: i32, y: i32, [luma, cb, cr]: Yuv) {
        if !(0..WIDTH).contains(&x) || !(0..HEIGHT).contains(&y) {
            return;
        }
        self.luma[(y * WIDTH + x) as usize] = luma;
        let shared = (y / 2 * WIDTH + x / 2 * 2) as usize;
        self.chroma[shared] = cb;
        self.chroma[shared + 1] = cr;
    }

    fn ground(&mut self) {
        for (y, x) in all(0..HEIGHT, 0..WIDTH) {
            let slab = if (x / 16 + y * y / 700) % 2 == 1 { 6 } else { 0 };
            let colour = if y < HORIZON { [150 + y / 2, 140, 118] } else { [118 + (y - HORIZON) / 6 + slab, 124, 131] };
            self.put(x, y, colour.map(|value| value as u8));
        }
    }

    fn house(&mut self, number: i32) {
        let (left, height) = (number * 56 - 10, 26 + number * 37 % 19);
        let wall = [90 + number * 23 % 60, 122 + number * 5 % 11, 126 + number * 7 % 13].map(|value| value as u8);
        for (y, x) in all(HORIZON - height..HORIZON + 6, left..left + 44) {
            let window = (x - left) % 11 > 5 && y < HORIZON && (HORIZON - y) % 9 > 4;
            self.put(x, y, if window { [60, wall[1], wall[2]] } else { wall });
        }
    }

    fn car(&mut self) {
        for (y, x) in all(96..126, 196..276) {
            let pane = (99..108).contains(&y) && (216..254).contains(&x) && !(233..237).contains(&x);
            if y >= 108 || (212..258).contains(&x) {
                self.put(x, y, if pane { [50, 128, 128] } else { [105, 105, 168] });
            }
        }
        for wheel in [212, 260] {
            self.disc(wheel, 125, 9, [34, 128, 128]);
        }
    }

    fn person(&mut self, middle: i32, feet: i32, height: i32, [skin, coat, trousers]: [Yuv; 3]) {
        let (top, head) = (feet - height, (height / 14).max(1));
        let (shoulders, hips, half) = (top + 2 * head, top + height * 53 / 100, height * 13 / 100);
        let (arm, leg) = ((height / 25).max(1), (height / 24).max(1));
        for (y, x) in all(shoulders..feet, middle - height / 4..middle + height / 4 + 1) {
            let aside = (x - middle).abs();
            let stride = (y - hips) * (height / 10) / (feet - hips).max(1);
            if y < hips && aside <= half {
                self.put(x, y, coat);
            } else if y < hips + height / 20 && (half + 1..=half + arm).contains(&aside) {
                self.put(x, y, if y > hips - height / 12 { skin } else { coat });
            } else if y >= hips && (aside - stride - height / 40).abs() <= leg {
                self.put(x, y, trousers);
            }
        }
        self.disc(middle, top + head, head, skin);
    }

    fn disc(&mut self, middle_x: i32, middle_y: i32, radius: i32, colour: Yuv) {
        for (y, x) in all(middle_y - radius..middle_y + radius + 1, middle_x - radius..middle_x + radius + 1) {
            if (x - middle_x).pow(2) + (y - middle_y).pow(2) <= radius * radius {
                self.put(x, y, colour);
            }
        }
    }
}

fn all(rows: std::ops::Range<i32>, columns: std::ops::Range<i32>) -> impl Iterator<Item = (i32, i32)> {
    rows.flat_map(move |y| columns.clone().map(move |x| (y, x)))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn every_machine_draws_the_same_picture() {
        let street = Street::new();
        let digest = Sha256::new().chain_update(&street.luma).chain_update(&street.chroma).finalize();
        let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((VERSION, hex.as_str()), (1, "f6f37493e06a774e"), "another picture is another version");
        assert!(street.picture().sized().is_ok());
    }
}
