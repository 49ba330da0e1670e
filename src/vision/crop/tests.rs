#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::Fit;
use crate::types::frame::{Colour, Matrix, Plane, Planes, Range, Subsampling};
use crate::vision::Letterbox;

const INPUT: Input = Input { fit: Fit::Letterbox, bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0; 3] };
const COLOUR: Colour = Colour { matrix: Matrix::Bt601, range: Range::Full };

/// Rows of `width` samples and three bytes more; samples and their layout.
struct Stored {
    width: usize,
    height: usize,
    y: Vec<u8>,
    u: Vec<u8>,
    v: Vec<u8>,
    uv: Vec<u8>,
}

impl Stored {
    /// `at(plane, x, y)`; chroma for each pair of columns, in each row.
    fn new(width: usize, height: usize, at: impl Fn(usize, usize, usize) -> u8) -> Self {
        let plane = |row: usize, at: &dyn Fn(usize, usize) -> u8| -> Vec<u8> {
            (0..height).flat_map(|y| (0..row + 3).map(move |x| (x, y))).map(|(x, y)| at(x, y)).collect()
        };
        let half = width.div_ceil(2);
        Self {
            width,
            height,
            y: plane(width, &|x, y| at(0, x, y)),
            u: plane(half, &|x, y| at(1, x, y)),
            v: plane(half, &|x, y| at(2, x, y)),
            uv: plane(2 * half, &|x, y| at(1 + x % 2, x / 2, y)),
        }
    }

    /// I420, Y42B and NV12.
    fn pictures(&self) -> [Picture<'_>; 3] {
        let half = self.width.div_ceil(2);
        let plane = |data, row: usize| Plane { data, stride: row + 3 };
        let (y, u, v) = (plane(&self.y, self.width), plane(&self.u, half), plane(&self.v, half));
        let planar = |subsampling| Planes::Planar { y, u, v, subsampling };
        [planar(Subsampling::Yuv420), planar(Subsampling::Yuv422), Planes::Nv12 { y, uv: plane(&self.uv, 2 * half) }]
            .map(|planes| Picture { width: self.width, height: self.height, planes, colour: COLOUR })
    }
}

fn run(crop: &mut Crop, picture: &Picture<'_>, bbox: BBox) -> Vec<f32> {
    let mut out = vec![f32::NAN; 3 * crop.width * crop.height];
    crop.run(picture, bbox, &mut out).unwrap();
    out
}

#[track_caller]
fn assert_near(got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len());
    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, |a: f32, b| if b <= a { a } else { b });
    assert!(worst <= tolerance, "off by {worst}");
}

/// `cv2.resize(plane[3:14, 6:17], (7, 5))` and `(5, 9)` of `(x * 37 + y * 11) % 200`, 20 x 16; chroma is
/// grey, so that all channels are luma. Source: `scripts/reference_vision.py crop`.
#[test]
fn agrees_with_opencv() {
    const FLAT: [[f32; 7]; 5] = [
        [72.17, 130.31, 102.74, 46.6, 104.74, 162.89, 78.17],
        [96.37, 154.51, 126.94, 70.8, 128.94, 158.51, 45.23],
        [120.57, 178.71, 36.86, 95.0, 153.14, 11.29, 69.43],
        [144.77, 31.49, 61.06, 119.2, 154.49, 35.49, 93.63],
        [146.11, 44.26, 85.26, 143.4, 87.26, 59.69, 117.83],
    ];
    const TALL: [[f32; 5]; 9] = [
        [78.42, 159.82, 41.22, 122.62, 124.02],
        [91.87, 173.27, 54.67, 136.07, 97.47],
        [105.31, 186.71, 68.11, 149.51, 30.91],
        [118.76, 75.71, 81.56, 162.96, 44.36],
        [132.2, 53.6, 95.0, 136.4, 57.8],
        [145.64, 58.16, 108.44, 149.84, 71.24],
        [159.09, 40.49, 121.89, 92.18, 84.69],
        [172.53, 53.93, 135.33, 16.73, 98.13],
        [79.31, 67.38, 148.78, 30.18, 111.58],
    ];
    let stored = Stored::new(20, 16, |plane, x, y| if plane == 0 { ((x * 37 + y * 11) % 200) as u8 } else { 128 });
    let (mut flat, mut tall) = (Crop::new(7, 5, &INPUT).unwrap(), Crop::new(5, 9, &INPUT).unwrap());
    for picture in stored.pictures() {
        for bbox in [BBox::new(6.0, 3.0, 17.0, 14.0), BBox::new(5.6, 2.5, 17.4, 14.4)] {
            // Rows are weighted in 256ths.
            assert_near(&run(&mut flat, &picture, bbox), &[FLAT.as_flattened(); 3].concat(), 0.4);
            assert_near(&run(&mut tall, &picture, bbox), &[TALL.as_flattened(); 3].concat(), 0.4);
        }
    }
}

fn busy(plane: usize, x: usize, y: usize) -> u8 {
    ((x * 73 + y * 151 + plane * 29).wrapping_mul(2_654_435_761) >> 7) as u8
}

#[test]
fn the_whole_picture_is_what_the_letterbox_makes_of_it() {
    let input = Input { fit: Fit::Stretch, bgr: true, mean: [10.0, 20.0, 30.0], scale: [0.5, 2.0, 3.0], ..INPUT };
    for (width, height) in [(40, 30), (33, 25), (1, 1), (2, 7)] {
        let stored = Stored::new(width, height, busy);
        let mut crop = Crop::new(16, 24, &input).unwrap();
        for picture in stored.pictures() {
            let mut want = vec![0.0; 3 * 16 * 24];
            Letterbox::new(&picture, 16, 24, &input).unwrap().run(&picture, &mut want).unwrap();
            let beyond = BBox::new(-9.0, -1.0, width as f32 + 0.1, height as f32 + 99.0);
            assert_eq!(run(&mut crop, &picture, beyond), want);
        }
    }
}

/// A box from even edges is what a letterbox makes of a picture that ends there.
#[test]
fn a_box_is_what_the_letterbox_makes_of_it_alone() {
    let input = Input { fit: Fit::Stretch, ..INPUT };
    let (whole, part) =
        (Stored::new(40, 30, busy), Stored::new(14, 20, |p, x, y| busy(p, x + if p == 0 { 6 } else { 3 }, y)));
    let mut crop = Crop::new(16, 12, &input).unwrap();
    for (whole, part) in whole.pictures().into_iter().zip(part.pictures()) {
        let mut want = vec![0.0; 3 * 16 * 12];
        Letterbox::new(&part, 16, 12, &input).unwrap().run(&part, &mut want).unwrap();
        assert_eq!(run(&mut crop, &whole, BBox::new(6.0, 0.0, 20.0, 20.0)), want);
    }
}

/// ImageNet's normalisation, as ReID models have it; red and blue in their places.
#[test]
fn channels_are_normalised() {
    let deviations = [58.395, 57.12, 57.375];
    let input = Input { mean: [123.675, 116.28, 103.53], scale: deviations.map(f32::recip), ..INPUT };
    let stored = Stored::new(9, 9, |plane, _, _| [76, 85, 255][plane]);
    let got = run(&mut Crop::new(2, 3, &input).unwrap(), &stored.pictures()[2], BBox::new(3.0, 4.0, 5.0, 9.0));
    let want = [254.1_f32, 0.0, 0.0];
    for c in 0..3 {
        let want = (want[c] - input.mean[c]) * input.scale[c];
        assert_near(&got[c * 6..][..6], &[want; 6], 0.03);
    }
}

#[test]
fn small_boxes_have_a_pixel_and_boxes_elsewhere_none() {
    let stored = Stored::new(20, 10, |plane, x, y| if plane == 0 { (x + 10 * y) as u8 } else { 128 });
    let picture = stored.pictures()[0];
    let mut crop = Crop::new(2, 2, &INPUT).unwrap();
    for (bbox, want) in [
        (BBox::new(7.1, 3.2, 7.2, 3.3), 37.0),
        (BBox::new(19.7, 9.8, 20.0, 10.0), 109.0),
        (BBox::new(19.7, 9.8, 50.0, 50.0), 109.0),
        (BBox::new(-5.0, -5.0, 0.1, 0.1), 0.0),
    ] {
        assert_near(&run(&mut crop, &picture, bbox), &[want; 12], 1e-3);
    }
    let mut out = vec![7.0; 12];
    for bbox in [
        BBox::new(20.0, 0.0, 30.0, 5.0),
        BBox::new(-9.0, 0.0, 0.0, 5.0),
        BBox::new(5.0, 12.0, 9.0, 14.0),
        BBox::new(5.0, 5.0, 5.0, 9.0),
        BBox::new(f32::NAN, 0.0, 5.0, 5.0),
        BBox::new(0.0, 0.0, f32::INFINITY, 5.0),
    ] {
        let message = crop.run(&picture, bbox, &mut out).unwrap_err().to_string();
        assert_eq!(message, "the box has no part in the picture of 20x10 pixels");
    }
    let bbox = BBox::new(0.0, 0.0, 5.0, 5.0);
    let message = crop.run(&picture, bbox, &mut out[1..]).unwrap_err().to_string();
    assert_eq!(message, "the tensor has 11 elements, the model's input 12");
    let message = crop.run(&Picture { height: 0, ..picture }, bbox, &mut out).unwrap_err().to_string();
    assert_eq!(message, "frame of 20x0 pixels; sides from 1 to 16384 are possible");
    assert!(crop.run(&Picture { height: 11, ..picture }, bbox, &mut out).is_err(), "planes too short");
    assert_eq!(out, [7.0; 12]);
    assert!(Crop::new(0, 5, &INPUT).is_err());
}

/// Any box on any picture, one after the other: values of all pixels or an error, never a panic.
#[test]
fn any_box_is_harmless() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut crop = Crop::new(5, 9, &INPUT).unwrap();
    let mut cut = 0;
    for _ in 0..300 {
        let stored = Stored::new(1 + random(40), 1 + random(40), busy);
        for picture in stored.pictures() {
            let [x1, y1, x2, y2] = [(); 4].map(|()| random(600) as f32 / 10.0 - 10.0);
            let mut out = vec![f32::NAN; 135];
            if crop.run(&picture, BBox::new(x1, y1, x2, y2), &mut out).is_ok() {
                cut += 1;
                assert!(out.iter().all(|value| (0.0..=255.0).contains(value)));
            }
        }
    }
    assert!((50..850).contains(&cut), "{cut}");
}
