use gpu::kernels::{MaskGeometry, MaskRequest, Masks, Placement};
use gpu::{Device, Stream};

use super::picture::upload;
use crate::common::Numbers;

/// The weighted sum at a pixel of the frame, in doubles.
fn reference(g: &MaskGeometry, prototypes: &[f32], coefficients: &[f32], x: usize, y: usize) -> f64 {
    let (width, height) = g.prototypes;
    let axis = |pixel: usize, frame: usize, inner: usize, offset: usize, input: usize, count: usize| {
        let place = (pixel as f64 + 0.5) * inner as f64 / frame as f64 + offset as f64;
        (place * count as f64 / input as f64 - 0.5).clamp(0.0, (count - 1) as f64)
    };
    let p = &g.placement;
    let at =
        (axis(x, g.frame.0, p.columns, p.left, p.width, width), axis(y, g.frame.1, p.rows, p.top, p.height, height));
    let (i, j) = (at.0 as usize, at.1 as usize);
    let (i1, j1) = ((i + 1).min(width - 1), (j + 1).min(height - 1));
    let sum = |i: usize, j: usize| {
        let terms = coefficients.iter().enumerate();
        terms.map(|(k, &c)| f64::from(c) * f64::from(prototypes[(k * height + j) * width + i])).sum::<f64>()
    };
    let upper = sum(i, j) + (sum(i1, j) - sum(i, j)) * at.0.fract();
    let lower = sum(i, j1) + (sum(i1, j1) - sum(i, j1)) * at.0.fract();
    upper + (lower - upper) * at.1.fract()
}

fn geometries() -> Vec<MaskGeometry> {
    let place = |left, top, columns, rows, width, height| Placement { left, top, columns, rows, width, height };
    vec![
        MaskGeometry { frame: (192, 108), placement: place(0, 28, 128, 72, 128, 128), prototypes: (32, 32), count: 32 },
        MaskGeometry { frame: (40, 60), placement: place(0, 0, 43, 64, 64, 64), prototypes: (16, 16), count: 7 },
        MaskGeometry { frame: (5, 3), placement: place(0, 0, 32, 32, 32, 32), prototypes: (8, 9), count: 1 },
    ]
}

pub fn gives_what_the_reference_gives(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("masks"));
    let mut numbers = Numbers(5);
    for g in geometries() {
        let (width, height) = g.prototypes;
        let prototypes: Vec<f32> = (0..g.count * width * height).map(|_| numbers.share() - 0.5).collect();
        let device_prototypes = upload(&stream, &owner, &prototypes);
        let mut masks = Masks::new(&stream, &owner, g, 12).expect("masks");
        for _ in 0..2 {
            let coefficients: Vec<Vec<f32>> =
                (0..12).map(|_| (0..g.count).map(|_| numbers.share() - 0.5).collect()).collect();
            let (fw, fh) = (g.frame.0 as f32, g.frame.1 as f32);
            let mut edge = |side: f32| numbers.share() * side * 1.2 - side * 0.1;
            let mut requests: Vec<_> = coefficients
                .iter()
                .map(|coefficients| {
                    let (a, b, c, d) = (edge(fw), edge(fw), edge(fh), edge(fh));
                    MaskRequest { edges: [a.min(b), c.min(d), a.max(b), c.max(d)], coefficients }
                })
                .collect();
            requests[3].edges = [0.0, 0.0, fw, fh];
            requests[5].edges = [1.6, 1.6, 1.7, 1.7];
            masks.launch(&stream, device_prototypes.view(), requests.iter().copied()).expect("launch");
            let got: Vec<_> = masks.masks().expect("masks").collect();
            assert_eq!(got.len(), requests.len());
            assert_eq!((got[3].width, got[3].height), g.frame, "the whole frame");
            assert!(got[5].pixels.is_empty(), "no pixel's centre");
            for (mask, request) in got.iter().zip(&requests) {
                assert!(mask.sound);
                for (at, &pixel) in mask.pixels.iter().enumerate() {
                    let (x, y) = (mask.x + at % mask.width, mask.y + at / mask.width);
                    let sum = reference(&g, &prototypes, request.coefficients, x, y);
                    let [x1, y1, x2, y2] = request.edges;
                    let (cx, cy) = (x as f32 + 0.5, y as f32 + 0.5);
                    assert!(x1 <= cx && cx <= x2 && y1 <= cy && cy <= y2, "outside its box");
                    // Close to 0 the order of additions decides.
                    assert!(sum.abs() < 1e-5 || pixel == u8::from(sum > 0.0), "{g:?} ({x}, {y}): {pixel}, {sum}");
                }
            }
        }
    }
}

/// Says that it is longer than it is.
struct Boastful<'a>(Option<MaskRequest<'a>>);

impl<'a> Iterator for Boastful<'a> {
    type Item = MaskRequest<'a>;

    fn next(&mut self) -> Option<MaskRequest<'a>> {
        self.0.take()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (3, Some(3))
    }
}

impl ExactSizeIterator for Boastful<'_> {}

pub fn bad_requests_are_told_apart(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("masks"));
    let g = geometries()[1];
    let prototypes = upload(&stream, &owner, &vec![1.0_f32; 7 * 16 * 16]);
    let mut masks = Masks::new(&stream, &owner, g, 20).expect("masks");
    let edges = [0.0, 0.0, 40.0, 60.0];
    let (good, bad, none) = ([1.0; 7], [f32::NAN; 7], [-1.0; 7]);
    let ask = |coefficients| MaskRequest { edges, coefficients };
    masks.launch(&stream, prototypes.view(), [ask(&good), ask(&bad), ask(&none)]).expect("launch");
    let got: Vec<_> = masks.masks().expect("masks").collect();
    assert_eq!(got.iter().map(|mask| mask.sound).collect::<Vec<_>>(), [true, false, true]);
    assert!(got[0].pixels.iter().all(|&p| p == 1) && got[2].pixels.iter().all(|&p| p == 0));

    // Nine whole frames: there is room for eight.
    masks.launch(&stream, prototypes.view(), [ask(&good); 9]).expect("launch");
    let sizes: Vec<_> = masks.masks().expect("masks").map(|mask| mask.pixels.len()).collect();
    assert_eq!(sizes, [2400, 2400, 2400, 2400, 2400, 2400, 2400, 2400, 0]);

    assert!(masks.launch(&stream, prototypes.view(), [ask(&good); 21]).is_err(), "too many boxes");
    assert!(masks.launch(&stream, prototypes.view(), [ask(&good[..6])]).is_err(), "too few coefficients");
    assert_eq!(masks.masks().expect("masks").len(), 0, "no masks of a launch that failed");
    masks.launch(&stream, prototypes.view(), []).expect("none at all");
    assert_eq!(masks.masks().expect("masks").len(), 0);

    // What was asked for before is not made again.
    let small = MaskRequest { edges: [0.0, 0.0, 1.0, 1.0], ..ask(&good) };
    masks.launch(&stream, prototypes.view(), [small, ask(&good), ask(&good)]).expect("launch");
    masks.launch(&stream, prototypes.view(), Boastful(Some(ask(&none)))).expect("one, where three are announced");
    let got: Vec<_> = masks.masks().expect("masks").collect();
    assert_eq!(got.len(), 1);
    assert!(got[0].sound && got[0].pixels.iter().all(|&pixel| pixel == 0));
}
