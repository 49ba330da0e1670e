use gpu::kernels::{Channels, Colour, Crop, Matrix, Normalisation, PixelRect, Range, TensorMut};
use gpu::{Device, DeviceBuffer, Stream};

use super::letterbox::span;
use super::picture::{Kind, Stored, assert_nearest_half, assert_same, download};
use crate::common::Numbers;

const INPUT: Normalisation =
    Normalisation { bgr: false, pad: 0, mean: [123.675, 116.28, 103.53], scale: [0.017_125, 0.017_507, 0.017_429] };

pub fn gives_what_the_reference_gives(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("crop"));
    let channels = Channels::new(Colour { matrix: Matrix::Bt709, range: Range::Limited }, &INPUT);
    let mut numbers = Numbers(7);
    for (frame, size, count) in
        [((97, 61), (16, 32), 3), ((64, 64), (8, 8), 130), ((3, 5), (6, 7), 64), ((1, 1), (2, 2), 1)]
    {
        for kind in [Kind::Nv12, Kind::I420] {
            let stored = Stored::new(&stream, &owner, frame, kind, 3);
            let boxes: Vec<_> = (0..count)
                .map(|_| {
                    let (x, y) = (numbers.below(frame.0), numbers.below(frame.1));
                    let (width, height) = (1 + numbers.below(frame.0 - x), 1 + numbers.below(frame.1 - y));
                    PixelRect { x, y, width, height }
                })
                .collect();
            let crop = Crop::new(size.0, size.1, channels).expect("crop");
            let len = count * 3 * size.0 * size.1;
            let mut out = DeviceBuffer::<f32>::new(&stream, &owner, len).expect("tensor");
            crop.launch(&stream, &stored.picture(), &boxes, TensorMut::F32(out.view_mut())).expect("launch");
            let got = download(&stream, &owner, &out);
            let mut want = vec![0.0; len];
            for (b, tensor) in boxes.iter().zip(want.chunks_mut(3 * size.0 * size.1)) {
                for (at, (j, i)) in (0..size.1).flat_map(|j| (0..size.0).map(move |i| (j, i))).enumerate() {
                    let values = stored.resized(*b, size, &channels, i, j);
                    (0..3).for_each(|c| tensor[c * size.0 * size.1 + at] = values[c]);
                }
            }
            assert_same(&got, &want, span(&channels), &format!("{frame:?} {kind:?} {boxes:?}"));

            let mut out = DeviceBuffer::<u16>::new(&stream, &owner, len).expect("tensor");
            crop.launch(&stream, &stored.picture(), &boxes, TensorMut::F16(out.view_mut())).expect("launch");
            download(&stream, &owner, &out).iter().zip(&got).for_each(|(&h, &f)| assert_nearest_half(h, f));
        }
    }
}

pub fn boxes_must_lie_in_the_picture(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("crop"));
    let stored = Stored::new(&stream, &owner, (20, 10), Kind::I420, 0);
    let crop =
        Crop::new(4, 4, Channels::new(Colour { matrix: Matrix::Bt601, range: Range::Full }, &INPUT)).expect("crop");
    let mut out = DeviceBuffer::<f32>::new(&stream, &owner, 48).expect("tensor");
    for b in [
        PixelRect { x: 10, y: 0, width: 11, height: 1 },
        PixelRect { x: 0, y: 10, width: 1, height: 1 },
        PixelRect { x: 0, y: 0, width: 0, height: 1 },
        PixelRect { x: usize::MAX, y: 0, width: 2, height: 1 },
    ] {
        let refused = crop.launch(&stream, &stored.picture(), &[b], TensorMut::F32(out.view_mut()));
        assert!(refused.expect_err("refused").to_string().contains("is not within the picture of 20x10 pixels"));
    }
    assert!(crop.launch(&stream, &stored.picture(), &[], TensorMut::F32(out.view_mut())).is_err());
}

#[test]
fn edges_become_whole_pixels() {
    let rect = |edges| PixelRect::of_edges(edges, 100, 50).map(|r| (r.x, r.y, r.width, r.height));
    assert_eq!(rect([1.4, 2.5, 10.5, 20.4]), Some((1, 3, 10, 17)));
    assert_eq!(rect([-5.0, -5.0, 500.0, 500.0]), Some((0, 0, 100, 50)), "clipped");
    assert_eq!(rect([99.6, 49.9, 99.7, 60.0]), Some((99, 49, 1, 1)), "at least a pixel");
    assert_eq!(rect([100.0, 0.0, 120.0, 10.0]), None, "outside");
    assert_eq!(rect([5.0, 0.0, 5.0, 10.0]), None, "no area");
    assert_eq!(rect([f32::NAN, 0.0, 5.0, 10.0]), None);
}
