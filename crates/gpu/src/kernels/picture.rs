use std::ffi::c_int;

use super::{MAX_SIDE, Subsampling};
use crate::{DeviceView, DeviceViewMut, Error, Stream};

/// Rows of 8-bit samples on the device.
#[derive(Clone, Copy, Debug)]
pub struct Plane<'a> {
    /// All rows; the last may be shorter than `pitch`.
    pub data: DeviceView<'a, u8>,
    /// Bytes from one row to the next, at least the row's width.
    pub pitch: usize,
}

/// Planes of an 8-bit YCbCr picture.
#[derive(Clone, Copy, Debug)]
pub enum Planes<'a> {
    /// Three planes (I420, Y42B, Y444).
    Planar {
        /// Luma, `height` rows.
        y: Plane<'a>,
        /// Cb.
        u: Plane<'a>,
        /// Cr.
        v: Plane<'a>,
        /// How many pixels share a chroma sample.
        subsampling: Subsampling,
    },
    /// Luma and interleaved CbCr, 4:2:0 (NV12).
    Nv12 {
        /// Luma, `height` rows.
        y: Plane<'a>,
        /// Cb and Cr in turn, `height / 2` rows rounded up.
        uv: Plane<'a>,
    },
}

/// A picture on the device.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// The samples.
    pub planes: Planes<'a>,
}

/// `Picture` of `kernels/picture.cuh`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct RawPicture {
    y: u64,
    u: u64,
    v: u64,
    y_pitch: c_int,
    u_pitch: c_int,
    v_pitch: c_int,
    chroma_step: c_int,
    shift_x: c_int,
    shift_y: c_int,
}

impl Picture<'_> {
    /// What a kernel takes, once it is known that every row of every plane is there and is `stream`'s.
    pub(super) fn raw(&self, stream: &Stream) -> Result<RawPicture, Error> {
        check_size("picture", self.width, self.height)?;
        let (y, u, v, step, subsampling) = match self.planes {
            Planes::Planar { y, u, v, subsampling } => (y, u, v, 1, subsampling),
            Planes::Nv12 { y, uv } => (y, uv, uv, 2, Subsampling::Yuv420),
        };
        let (across, down) = subsampling.shared();
        let (columns, rows) = (self.width.div_ceil(across), self.height.div_ceil(down));
        let y_pitch = check_plane("plane Y", &y, self.width, self.height, stream)?;
        let (cb, cr) = if step == 2 { ("plane UV", "plane UV") } else { ("plane U", "plane V") };
        let u_pitch = check_plane(cb, &u, step * columns, rows, stream)?;
        let v_pitch = check_plane(cr, &v, step * columns, rows, stream)?;
        Ok(RawPicture {
            y: y.data.address(),
            u: u.data.address(),
            v: v.data.address() + (step - 1) as u64,
            y_pitch,
            u_pitch,
            v_pitch,
            chroma_step: step as c_int,
            shift_x: across.trailing_zeros() as c_int,
            shift_y: down.trailing_zeros() as c_int,
        })
    }
}

pub(super) fn check_size(what: &'static str, width: usize, height: usize) -> Result<(), Error> {
    let possible = 1..=MAX_SIDE;
    if possible.contains(&width) && possible.contains(&height) {
        return Ok(());
    }
    Err(Error::argument(what, format!("{width}x{height} pixels; sides from 1 to {MAX_SIDE} are possible")))
}

/// The pitch of a plane that holds `rows` rows of `row` bytes.
fn check_plane(
    what: &'static str,
    plane: &Plane<'_>,
    row: usize,
    rows: usize,
    stream: &Stream,
) -> Result<c_int, Error> {
    plane.data.check(what, stream)?;
    let pitch = match c_int::try_from(plane.pitch) {
        Ok(pitch) if plane.pitch >= row => pitch,
        _ => return Err(Error::argument(what, format!("{} bytes a row, its rows hold {row}", plane.pitch))),
    };
    let need = plane.pitch * (rows - 1) + row;
    if plane.data.len() < need {
        return Err(Error::argument(what, format!("{} bytes of {need}", plane.data.len())));
    }
    Ok(pitch)
}

/// A model's input on the device.
#[derive(Debug)]
pub enum TensorMut<'a> {
    /// 32-bit floats.
    F32(DeviceViewMut<'a, f32>),
    /// 16-bit floats, as their bits.
    F16(DeviceViewMut<'a, u16>),
}

impl TensorMut<'_> {
    /// Its address, once it is known to hold `need` elements and to be `stream`'s.
    pub(super) fn raw(&self, need: usize, stream: &Stream) -> Result<u64, Error> {
        let (len, address) = match self {
            Self::F32(view) => (view.len(), view.address()),
            Self::F16(view) => (view.len(), view.address()),
        };
        match self {
            Self::F32(view) => view.check("tensor", stream)?,
            Self::F16(view) => view.check("tensor", stream)?,
        }
        if len != need {
            return Err(Error::argument("tensor", format!("{len} elements, the model's input has {need}")));
        }
        Ok(address)
    }
}
