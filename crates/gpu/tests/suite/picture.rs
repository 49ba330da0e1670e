//! Pictures, and an independent way to resize them: pixel by pixel, positions in doubles.

use gpu::kernels::{Channels, Matrix, Picture, PixelRect, Plane, Planes, Range, Subsampling};
use gpu::{DeviceBuffer, Element, Owner, PinnedBuffer, Stream};

use crate::common::Numbers;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Nv12,
    I420,
    Y42b,
    Y444,
}

impl Kind {
    pub fn shared(self) -> (usize, usize) {
        match self {
            Self::Nv12 | Self::I420 => (2, 2),
            Self::Y42b => (2, 1),
            Self::Y444 => (1, 1),
        }
    }
}

/// A picture on host and device, rows longer than it is wide.
pub struct Stored {
    pub width: usize,
    pub height: usize,
    kind: Kind,
    /// Y, U, V; of NV12 Y and UV.
    planes: Vec<(Vec<u8>, usize)>,
    device: Vec<DeviceBuffer<u8>>,
}

impl Stored {
    pub fn new(stream: &Stream, owner: &Owner, (width, height): (usize, usize), kind: Kind, extra: usize) -> Self {
        let mut numbers = Numbers((width * 131 + height * 7 + extra) as u64);
        let (cw, ch) = (width.div_ceil(kind.shared().0), height.div_ceil(kind.shared().1));
        let sizes = match kind {
            Kind::Nv12 => vec![(width, height), (2 * cw, ch)],
            _ => vec![(width, height), (cw, ch), (cw, ch)],
        };
        let mut plane = |(row, rows): (usize, usize)| {
            let pitch = row + extra;
            ((0..pitch * (rows - 1) + row).map(|_| numbers.byte()).collect::<Vec<_>>(), pitch)
        };
        let planes: Vec<_> = sizes.into_iter().map(&mut plane).collect();
        let device = planes.iter().map(|(data, _)| upload(stream, owner, data)).collect();
        Self { width, height, kind, planes, device }
    }

    pub fn picture(&self) -> Picture<'_> {
        let plane = |i: usize| Plane { data: self.device[i].view(), pitch: self.planes[i].1 };
        let planar = |subsampling| Planes::Planar { y: plane(0), u: plane(1), v: plane(2), subsampling };
        let planes = match self.kind {
            Kind::Nv12 => Planes::Nv12 { y: plane(0), uv: plane(1) },
            Kind::I420 => planar(Subsampling::Yuv420),
            Kind::Y42b => planar(Subsampling::Yuv422),
            Kind::Y444 => planar(Subsampling::Yuv444),
        };
        Picture { width: self.width, height: self.height, planes }
    }

    /// The planes on the host.
    pub fn host(&self) -> ::picture::Picture<'_> {
        let plane = |i: usize| ::picture::Plane { data: &self.planes[i].0, stride: self.planes[i].1 };
        let planar = |subsampling| ::picture::Planes::Planar { y: plane(0), u: plane(1), v: plane(2), subsampling };
        let planes = match self.kind {
            Kind::Nv12 => ::picture::Planes::Nv12 { y: plane(0), uv: plane(1) },
            Kind::I420 => planar(Subsampling::Yuv420),
            Kind::Y42b => planar(Subsampling::Yuv422),
            Kind::Y444 => planar(Subsampling::Yuv444),
        };
        let colour = ::picture::Colour { matrix: Matrix::Bt709, range: Range::Limited };
        ::picture::Picture { width: self.width, height: self.height, planes, colour }
    }

    /// Sample of plane Y, U or V.
    fn at(&self, plane: usize, x: usize, y: usize) -> f32 {
        let (plane, x) = match (self.kind, plane) {
            (Kind::Nv12, 1 | 2) => (1, 2 * x + plane - 1),
            _ => (plane, x),
        };
        let (data, pitch) = &self.planes[plane];
        f32::from(data[y * pitch + x])
    }

    /// Pixel `(i, j)` of `rect` resized to `columns` x `rows`.
    pub fn resized(
        &self,
        rect: PixelRect,
        (columns, rows): (usize, usize),
        channels: &Channels,
        i: usize,
        j: usize,
    ) -> [f32; 3] {
        let (across, down) = self.kind.shared();
        let [y, u, v] = [(0, 1, 1), (1, across, down), (2, across, down)].map(|(plane, across, down)| {
            let (x0, x1, wx) = neighbours(i, columns, rect.x, rect.width, across);
            let (y0, y1, wy) = neighbours(j, rows, rect.y, rect.height, down);
            let wy = (wy * 256.0).round() as f32;
            let column = |x| self.at(plane, x, y0) * (256.0 - wy) + self.at(plane, x, y1) * wy;
            let (left, right) = (column(x0), column(x1));
            left + (right - left) * wx as f32
        });
        channels.0.map(|c| (c.y / 256.0 * y + c.u / 256.0 * u + c.v / 256.0 * v + c.bias).clamp(c.low, c.high))
    }
}

/// Two samples of a side and the share of the second, where `shared` pixels share one.
fn neighbours(i: usize, count: usize, start: usize, length: usize, shared: usize) -> (usize, usize, f64) {
    let (first, last) = (start / shared, (start + length - 1) / shared);
    let pixel = start as f64 + (i as f64 + 0.5) * length as f64 / count as f64;
    let place = (pixel / shared as f64 - 0.5).clamp(first as f64, last as f64);
    let index = place as usize;
    (index, (index + 1).min(last), place - place.floor())
}

pub fn upload<T: Element>(stream: &Stream, owner: &Owner, data: &[T]) -> DeviceBuffer<T> {
    let mut host = PinnedBuffer::new(stream, owner, data.len()).expect("pinned");
    let mut device = DeviceBuffer::new(stream, owner, data.len()).expect("device");
    host.write().expect("write").copy_from_slice(data);
    stream.upload(&mut host, 0..data.len(), device.view_mut()).expect("upload");
    device
}

pub fn download<T: Element>(stream: &Stream, owner: &Owner, device: &DeviceBuffer<T>) -> Vec<T> {
    let mut host = PinnedBuffer::new(stream, owner, device.len()).expect("pinned");
    stream.download(device.view(), &mut host, 0).expect("download");
    host.read().expect("read").to_vec()
}

/// Compares with the reference: nearly all values are its own, and none is off by more than the last bit of a
/// column's weight makes.
pub fn assert_same(got: &[f32], want: &[f32], span: f32, what: &str) {
    assert_eq!(got.len(), want.len());
    let mut other = 0;
    for (i, (&a, &b)) in got.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= span * 1e-6, "{what}: value {i} is {a}, not {b}");
        other += usize::from(a.to_bits() != b.to_bits());
    }
    assert!(other * 1000 <= got.len(), "{what}: {other} of {} values differ in their last bits", got.len());
}

/// The number that bits of fp16 stand for.
pub fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => mantissa * f64::powi(2.0, -24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + mantissa) * f64::powi(2.0, exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// No other fp16 is closer to `value`, and of two as close it is the even one.
pub fn assert_nearest_half(bits: u16, value: f32) {
    let (value, here) = (f64::from(value), half(bits));
    for near in [bits.wrapping_sub(1), bits.wrapping_add(1)] {
        let there = half(near);
        if there.is_finite() && (near ^ bits) >> 15 == 0 {
            let (a, b) = ((here - value).abs(), (there - value).abs());
            assert!(a < b || (a == b && bits & 1 == 0), "{value} became {here}, {there} is nearer");
        }
    }
}
