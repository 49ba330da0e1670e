use gpu::kernels::{Channels, Colour, Letterbox, Matrix, Normalisation, PixelRect, Placement, Range, TensorMut};
use gpu::{Class, Device, DeviceBuffer, Stream};

use super::picture::{Kind, Stored, assert_nearest_half, assert_same, download};

const PLAIN: Normalisation = Normalisation { bgr: false, pad: 114, mean: [0.0; 3], scale: [1.0; 3] };
const IMAGENET: Normalisation =
    Normalisation { bgr: true, pad: 0, mean: [103.53, 116.28, 123.675], scale: [0.017_429, 0.017_507, 0.017_125] };

/// Largest distance of two values of a channel.
pub fn span(channels: &Channels) -> f32 {
    channels.0.iter().map(|c| c.high - c.low).fold(0.0, f32::max)
}

/// Frame, tensor and place: letterboxes in the middle and at the corner, stretched, larger and smaller, odd sides.
fn shapes() -> Vec<((usize, usize), Placement)> {
    let place = |left, top, columns, rows, width, height| Placement { left, top, columns, rows, width, height };
    vec![
        ((192, 108), place(0, 14, 64, 36, 64, 64)),
        ((192, 108), place(0, 0, 64, 36, 64, 64)),
        ((64, 48), place(0, 0, 33, 65, 33, 65)),
        ((31, 17), place(3, 1, 90, 50, 97, 53)),
        ((1, 1), place(0, 0, 5, 7, 5, 7)),
        ((2, 3), place(1, 0, 1, 1, 3, 2)),
        ((641, 359), place(0, 3, 16, 9, 16, 16)),
        ((40, 640), place(14, 0, 4, 64, 32, 64)),
        ((160, 90), place(0, 0, 160, 90, 160, 90)),
    ]
}

fn reference(stored: &Stored, p: &Placement, channels: &Channels) -> Vec<f32> {
    let mut out: Vec<f32> = channels.0.iter().flat_map(|c| vec![c.pad; p.width * p.height]).collect();
    let whole = PixelRect { x: 0, y: 0, width: stored.width, height: stored.height };
    for j in 0..p.rows {
        for i in 0..p.columns {
            let values = stored.resized(whole, (p.columns, p.rows), channels, i, j);
            for (c, value) in values.into_iter().enumerate() {
                out[(c * p.height + p.top + j) * p.width + p.left + i] = value;
            }
        }
    }
    out
}

pub fn gives_what_the_reference_gives(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("letterbox"));
    for (frame, p) in shapes() {
        for (kind, extra) in [(Kind::Nv12, 0), (Kind::Nv12, 13), (Kind::I420, 5), (Kind::Y42b, 1), (Kind::Y444, 0)] {
            let stored = Stored::new(&stream, &owner, frame, kind, extra);
            for (matrix, range, input) in [
                (Matrix::Bt601, Range::Limited, PLAIN),
                (Matrix::Bt709, Range::Full, IMAGENET),
                (Matrix::Bt2020, Range::Limited, IMAGENET),
            ] {
                let channels = Channels::new(Colour { matrix, range }, &input);
                let letterbox = Letterbox::new(p, channels).expect("letterbox");
                let mut out = DeviceBuffer::<f32>::new(&stream, &owner, 3 * p.width * p.height).expect("tensor");
                letterbox.launch(&stream, &stored.picture(), TensorMut::F32(out.view_mut())).expect("launch");
                let got = download(&stream, &owner, &out);
                let what = format!("{frame:?} {kind:?} {p:?}");
                assert_same(&got, &reference(&stored, &p, &channels), span(&channels), &what);

                let mut out = DeviceBuffer::<u16>::new(&stream, &owner, 3 * p.width * p.height).expect("tensor");
                letterbox.launch(&stream, &stored.picture(), TensorMut::F16(out.view_mut())).expect("launch");
                download(&stream, &owner, &out).iter().zip(&got).for_each(|(&h, &f)| assert_nearest_half(h, f));
            }
        }
    }
}

/// 100 % colour bars come out as the colours that they show.
pub fn colours_are_right(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("letterbox"));
    let table = [
        (Matrix::Bt601, Range::Limited, [82, 90, 240], [255, 0, 0]),
        (Matrix::Bt709, Range::Limited, [173, 42, 26], [0, 255, 0]),
        (Matrix::Bt2020, Range::Limited, [74, 97, 240], [255, 0, 0]),
        (Matrix::Bt601, Range::Full, [150, 44, 21], [0, 255, 0]),
    ];
    for (matrix, range, [y, u, v], want) in table {
        let luma = super::picture::upload(&stream, &owner, &[y; 16 * 16]);
        let chroma = super::picture::upload(&stream, &owner, &[u, v].repeat(8 * 8));
        let planes = gpu::kernels::Planes::Nv12 {
            y: gpu::kernels::Plane { data: luma.view(), pitch: 16 },
            uv: gpu::kernels::Plane { data: chroma.view(), pitch: 16 },
        };
        let picture = gpu::kernels::Picture { width: 16, height: 16, planes };
        let p = Placement { left: 0, top: 0, columns: 8, rows: 8, width: 8, height: 8 };
        let letterbox = Letterbox::new(p, Channels::new(Colour { matrix, range }, &PLAIN)).expect("letterbox");
        let mut out = DeviceBuffer::<f32>::new(&stream, &owner, 3 * 64).expect("tensor");
        letterbox.launch(&stream, &picture, TensorMut::F32(out.view_mut())).expect("launch");
        for (c, plane) in download(&stream, &owner, &out).chunks(64).enumerate() {
            assert!(plane.iter().all(|x| (x - want[c] as f32).abs() <= 2.5), "{matrix:?} {range:?}: {plane:?}");
        }
    }
}

pub fn what_does_not_fit_is_refused(device: &Device) {
    let (stream, owner) = (Stream::new(device).expect("stream"), device.owner("letterbox"));
    let p = Placement { left: 0, top: 0, columns: 8, rows: 8, width: 8, height: 8 };
    let channels = Channels::new(Colour { matrix: Matrix::Bt601, range: Range::Full }, &PLAIN);
    assert!(Letterbox::new(Placement { left: 1, ..p }, channels).is_err());
    assert!(Letterbox::new(Placement { rows: 0, ..p }, channels).is_err());
    let letterbox = Letterbox::new(p, channels).expect("letterbox");
    let mut out = DeviceBuffer::<f32>::new(&stream, &owner, 3 * 64).expect("tensor");
    let stored = Stored::new(&stream, &owner, (20, 10), Kind::Nv12, 0);
    let good = stored.picture();
    let refusal = |picture, out: TensorMut<'_>| {
        let error = letterbox.launch(&stream, &picture, out).expect_err("refused");
        assert_eq!(error.class(), Class::Invalid);
        error.to_string()
    };
    let taller = gpu::kernels::Picture { height: 11, ..good };
    assert_eq!(refusal(taller, TensorMut::F32(out.view_mut())), "plane Y: 200 bytes of 220");
    let wider = gpu::kernels::Picture { width: 21, ..good };
    assert_eq!(refusal(wider, TensorMut::F32(out.view_mut())), "plane Y: 20 bytes a row, its rows hold 21");
    let short = TensorMut::F32(out.view_mut().range(1..192).expect("range"));
    assert_eq!(refusal(good, short), "tensor: 191 elements, the model's input has 192");
    let other = Stream::new(device).expect("stream");
    let error = letterbox.launch(&other, &good, TensorMut::F32(out.view_mut())).expect_err("refused");
    assert_eq!(error.to_string(), "plane Y belongs to another stream; hand it over first (`hand_over`)");
}
