#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::Fit;
use crate::types::frame::{Matrix, Plane, Planes, Range, Subsampling};

const INPUT: Input = Input { fit: Fit::Letterbox, bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0; 3] };
const COLOUR: Colour = Colour { matrix: Matrix::Bt601, range: Range::Limited };

/// Samples of a picture, with rows longer than the picture is wide.
struct Stored {
    width: usize,
    height: usize,
    kind: Kind,
    y: (Vec<u8>, usize),
    u: (Vec<u8>, usize),
    v: (Vec<u8>, usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    I420,
    Y42b,
    Y444,
    Nv12,
}

impl Kind {
    /// Pixels per chroma sample, across and down.
    fn shared(self) -> (usize, usize) {
        match self {
            Self::I420 | Self::Nv12 => (2, 2),
            Self::Y42b => (2, 1),
            Self::Y444 => (1, 1),
        }
    }
}

impl Stored {
    /// `at(plane, x, y)` gives the samples, planes 0 to 2; `extra` bytes follow each row but the last.
    fn new(width: usize, height: usize, kind: Kind, extra: usize, at: impl Fn(usize, usize, usize) -> u8) -> Self {
        let (cw, ch) = (width.div_ceil(kind.shared().0), height.div_ceil(kind.shared().1));
        let plane = |row: usize, rows: usize, at: &dyn Fn(usize, usize) -> u8| {
            let stride = row + extra;
            let mut data = vec![0xee; stride * (rows - 1) + row];
            for y in 0..rows {
                for x in 0..row {
                    data[y * stride + x] = at(x, y);
                }
            }
            (data, stride)
        };
        let y = plane(width, height, &|x, y| at(0, x, y));
        let (u, v) = match kind {
            Kind::Nv12 => (plane(2 * cw, ch, &|x, y| at(1 + x % 2, x / 2, y)), (vec![], 0)),
            _ => (plane(cw, ch, &|x, y| at(1, x, y)), plane(cw, ch, &|x, y| at(2, x, y))),
        };
        Self { width, height, kind, y, u, v }
    }

    fn picture(&self) -> Picture<'_> {
        fn plane((data, stride): &(Vec<u8>, usize)) -> Plane<'_> {
            Plane { data, stride: *stride }
        }
        let (y, u) = (plane(&self.y), plane(&self.u));
        let planar = |subsampling| Planes::Planar { y, u, v: plane(&self.v), subsampling };
        let planes = match self.kind {
            Kind::Nv12 => Planes::Nv12 { y, uv: u },
            Kind::I420 => planar(Subsampling::Yuv420),
            Kind::Y42b => planar(Subsampling::Yuv422),
            Kind::Y444 => planar(Subsampling::Yuv444),
        };
        Picture { width: self.width, height: self.height, planes, colour: COLOUR }
    }
}

fn run(picture: &Picture<'_>, width: usize, height: usize, input: &Input) -> Vec<f32> {
    let mut out = vec![f32::NAN; 3 * width * height];
    Letterbox::new(picture, width, height, input).unwrap().run(picture, &mut out).unwrap();
    out
}

/// Bilinear sampling of a whole plane at continuous coordinates, edges repeated.
fn sample(at: &dyn Fn(usize, usize) -> u8, (w, h): (usize, usize), x: f64, y: f64) -> f64 {
    let (x, y) = ((x - 0.5).clamp(0.0, (w - 1) as f64), (y - 0.5).clamp(0.0, (h - 1) as f64));
    let (x0, y0) = (x.floor() as usize, y.floor() as usize);
    let (x1, y1) = ((x0 + 1).min(w - 1), (y0 + 1).min(h - 1));
    let (fx, fy) = (x.fract(), y.fract());
    let p = |x, y| f64::from(at(x, y));
    (p(x0, y0) * (1.0 - fx) + p(x1, y0) * fx) * (1.0 - fy) + (p(x0, y1) * (1.0 - fx) + p(x1, y1) * fx) * fy
}

/// The definition, pixel by pixel, in f64; BT.601 limited, RGB 0..255.
fn reference(
    s: (usize, usize),
    kind: Kind,
    at: &dyn Fn(usize, usize, usize) -> u8,
    d: (usize, usize),
    fit: Fit,
) -> Vec<f64> {
    let ratio = (d.0 as f64 / s.0 as f64).min(d.1 as f64 / s.1 as f64);
    let (iw, ih) = match fit {
        Fit::Stretch => d,
        _ => (
            ((s.0 as f64 * ratio).round() as usize).clamp(1, d.0),
            ((s.1 as f64 * ratio).round() as usize).clamp(1, d.1),
        ),
    };
    let (left, top) = if fit == Fit::Letterbox { ((d.0 - iw) / 2, (d.1 - ih) / 2) } else { (0, 0) };
    let (columns, rows) = kind.shared();
    let chroma = (s.0.div_ceil(columns), s.1.div_ceil(rows));
    let mut out = vec![114.0; 3 * d.0 * d.1];
    for y in 0..ih {
        for x in 0..iw {
            let fx = (x as f64 + 0.5) * s.0 as f64 / iw as f64;
            let fy = (y as f64 + 0.5) * s.1 as f64 / ih as f64;
            let c = 1.164_383_56 * (sample(&|x, y| at(0, x, y), s, fx, fy) - 16.0);
            let [u, v] =
                [1, 2].map(|p| sample(&|x, y| at(p, x, y), chroma, fx / columns as f64, fy / rows as f64) - 128.0);
            let rgb = [c + 1.596_026_8 * v, c - 0.391_762_3 * u - 0.812_967_6 * v, c + 2.017_232_1 * u];
            for (i, value) in rgb.into_iter().enumerate() {
                out[(i * d.1 + y + top) * d.0 + x + left] = value.clamp(0.0, 255.0);
            }
        }
    }
    out
}

/// Hard edges, smooth slopes and noise; planes differ.
fn busy(plane: usize, x: usize, y: usize) -> u8 {
    let noise = (x * 73 + y * 151 + plane * 29).wrapping_mul(2_654_435_761) >> 7;
    let slope = x * 2 + y * (plane + 1);
    let edge = if (x / 9 + y / 5).is_multiple_of(2) { 30 } else { 190 };
    ((edge + slope % 40 + noise % 20) % 236) as u8
}

#[test]
fn agrees_with_the_definition() {
    let sizes = [(96, 72), (97, 55), (16, 100), (1, 1), (2, 3), (1, 40), (33, 1)];
    let targets = [(52, 52), (64, 40), (97, 55), (130, 17), (1, 1)];
    for kind in [Kind::I420, Kind::Y42b, Kind::Y444, Kind::Nv12] {
        for s in sizes {
            let stored = Stored::new(s.0, s.1, kind, 13, busy);
            for d in targets {
                for fit in [Fit::Letterbox, Fit::LetterboxTopLeft, Fit::Stretch] {
                    let got = run(&stored.picture(), d.0, d.1, &Input { fit, ..INPUT });
                    let want = reference(s, kind, &busy, d, fit);
                    // Rows are weighted in 256ths: half of one times the largest step between rows,
                    // over luma (1.16) and chroma (2.02), is 1.6; noise-free slopes are exact.
                    let worst = got.iter().zip(&want).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
                    assert!(worst < 1.6, "{kind:?} {s:?} to {d:?} {fit:?}: off by {worst}");
                    let mean: f64 =
                        got.iter().zip(&want).map(|(a, b)| (f64::from(*a) - b).abs()).sum::<f64>() / got.len() as f64;
                    assert!(mean < 0.15, "{kind:?} {s:?} to {d:?} {fit:?}: off by {mean} on average");
                }
            }
        }
    }
}

/// `cv2.resize(y, (7, 5), interpolation=cv2.INTER_LINEAR)` of OpenCV 4 over `(x * 37 + y * 11) % 200`,
/// 10 x 8; chroma is grey, so that all channels are luma.
#[test]
fn agrees_with_opencv() {
    const WANT: [[u8; 7]; 5] = [
        [11, 64, 117, 170, 37, 75, 128],
        [29, 82, 134, 97, 41, 93, 146],
        [46, 99, 152, 105, 58, 111, 164],
        [64, 117, 155, 23, 75, 128, 181],
        [81, 134, 173, 40, 93, 146, 89],
    ];
    let grey = |plane: usize, x: usize, y: usize| if plane == 0 { ((x * 37 + y * 11) % 200) as u8 } else { 128 };
    let stored = Stored::new(10, 8, Kind::I420, 3, grey);
    let picture = Picture { colour: Colour { range: Range::Full, ..COLOUR }, ..stored.picture() };
    let got = run(&picture, 7, 5, &Input { fit: Fit::Stretch, ..INPUT });
    for (y, row) in WANT.iter().enumerate() {
        for (x, &want) in row.iter().enumerate() {
            for plane in 0..3 {
                let got = got[(plane * 5 + y) * 7 + x];
                assert!((got - f32::from(want)).abs() <= 1.0, "{x} {y}: {got}, OpenCV has {want}");
            }
        }
    }
}

#[test]
fn channels_are_ordered_and_normalised() {
    // BT.601 limited: red
    let stored = Stored::new(8, 8, Kind::Nv12, 0, |plane, _, _| [82, 90, 240][plane]);
    let (mean, scale) = ([10.0, 20.0, 30.0], [1.0, 2.0, 3.0]);
    let rgb = run(&stored.picture(), 4, 8, &Input { mean, scale, ..INPUT });
    let bgr = run(&stored.picture(), 4, 8, &Input { bgr: true, mean, scale, ..INPUT });
    let near = |a: f32, b: f32| (a - b).abs() < 6.0;
    let middle = 4 * 4 + 1;
    let pixel = |t: &[f32]| [t[middle], t[32 + middle], t[64 + middle]];
    let [r, g, b] = pixel(&rgb);
    assert!(near(r, 245.0) && near(g, -40.0) && near(b, -90.0), "{r} {g} {b}");
    let [b, g, r] = pixel(&bgr);
    assert!(near(r, 675.0) && near(g, -40.0) && near(b, -10.0), "{r} {g} {b}");
    assert_eq!([rgb[0], rgb[32], rgb[64]], [104.0, 188.0, 252.0], "padding is normalised too");
}

#[test]
fn every_element_is_written() {
    for fit in [Fit::Letterbox, Fit::LetterboxTopLeft, Fit::Stretch] {
        for size in [(7, 90), (90, 7), (31, 30)] {
            let stored = Stored::new(size.0, size.1, Kind::I420, 0, busy);
            assert!(run(&stored.picture(), 33, 32, &Input { fit, ..INPUT }).iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn pictures_that_cannot_be_are_refused() {
    let stored = Stored::new(9, 7, Kind::I420, 2, busy);
    let good = stored.picture();
    let mut letterbox = Letterbox::new(&good, 16, 16, &INPUT).unwrap();
    let mut out = vec![7.0; 3 * 16 * 16];
    let with = |y: Option<Plane<'static>>, v: Option<Plane<'static>>| {
        let Planes::Planar { y: y0, u, v: v0, subsampling } = good.planes else { unreachable!() };
        Picture { planes: Planes::Planar { y: y.unwrap_or(y0), u, v: v.unwrap_or(v0), subsampling }, ..good }
    };
    let table = [
        (with(Some(Plane { data: &[0; 74], stride: 11 }), None), "plane Y has 74 bytes of 75"),
        (with(Some(Plane { data: &[], stride: 11 }), None), "plane Y has 0 bytes of 75"),
        (
            with(Some(Plane { data: &[0; 75], stride: usize::MAX }), None),
            "plane Y has 75 bytes of 18446744073709551615",
        ),
        (with(Some(Plane { data: &[0; 99], stride: 8 }), None), "plane Y has 8 bytes a row, its rows hold 9"),
        (with(None, Some(Plane { data: &[0; 25], stride: 7 })), "plane V has 25 bytes of 26"),
        (Picture { width: 8, ..good }, "the picture is not of the kind that this letterbox was built for"),
        (
            Picture { colour: Colour { range: Range::Full, ..COLOUR }, ..good },
            "the picture is not of the kind that this letterbox was built for",
        ),
    ];
    for (picture, want) in table {
        assert_eq!(letterbox.run(&picture, &mut out).unwrap_err().to_string(), want);
    }
    let message = letterbox.run(&good, &mut out[1..]).unwrap_err().to_string();
    assert_eq!(message, "the tensor has 767 elements, the model's input 768");
    assert!(out.iter().all(|&v| v == 7.0), "a refused picture leaves the tensor alone");
    let message = Letterbox::new(&Picture { height: 0, ..good }, 16, 16, &INPUT).unwrap_err().to_string();
    assert_eq!(message, "frame of 9x0 pixels; sides from 1 to 16384 are possible");
    let message = Letterbox::new(&good, 16, 99_999, &INPUT).unwrap_err().to_string();
    assert_eq!(message, "model input of 16x99999 pixels; sides from 1 to 16384 are possible");
}

/// Whatever sizes, strides and lengths a decoder claims: a whole tensor or an error, never a panic.
#[test]
fn hostile_planes_are_harmless() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let bytes = vec![200_u8; 2000];
    let mut whole = 0;
    for i in 0..3000 {
        let (width, height) = (1 + random(20), 1 + random(20));
        let mut plane = || Plane { data: &bytes[..random(2000)], stride: random(40) };
        let (y, u, v) = (plane(), plane(), plane());
        let planes = match i % 4 {
            0 => Planes::Nv12 { y, uv: u },
            1 => Planes::Planar { y, u, v, subsampling: Subsampling::Yuv420 },
            2 => Planes::Planar { y, u, v, subsampling: Subsampling::Yuv422 },
            _ => Planes::Planar { y, u, v, subsampling: Subsampling::Yuv444 },
        };
        let picture = Picture { width, height, planes, colour: COLOUR };
        let mut letterbox = Letterbox::new(&picture, 1 + random(30), 1 + random(30), &INPUT).unwrap();
        let mut out = vec![f32::NAN; 3 * letterbox.width * letterbox.height];
        if letterbox.run(&picture, &mut out).is_ok() {
            whole += 1;
            assert!(out.iter().all(|v| (0.0..=255.0).contains(v)));
        }
    }
    assert!((300..2700).contains(&whole), "{whole} of 3000 pictures were whole");
}
