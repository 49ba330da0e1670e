//! Row kernels, written so that the compiler vectorises all but the two `pick`s.
//!
//! A row of the result is made in three steps: blend two source rows over their full width, pick each
//! column's two neighbours out of the blend, then blend those, convert and normalise. The `pick`s copy
//! neighbours as one word each, so that what is scalar is one load and one store per sample.

use super::super::colour::Channel;

/// Rows between the steps.
#[derive(Clone, Debug)]
pub(super) struct Scratch {
    /// Blended luma times 256, and one sample more so that the last one has a right neighbour.
    pub luma: Vec<u16>,
    /// Blended Cb and Cr times 256, likewise.
    pub chroma: Vec<[u16; 2]>,
    /// Per column: luma, left neighbour in the low half.
    pub y: Vec<u32>,
    /// Per column: left chroma neighbour, Cb in the low half.
    pub c0: Vec<u32>,
    /// Per column: right chroma neighbour.
    pub c1: Vec<u32>,
}

impl Scratch {
    pub fn new(width: usize, chroma_width: usize, columns: usize) -> Self {
        let row = vec![0; columns];
        Self {
            luma: vec![0; width + 1],
            chroma: vec![[0; 2]; chroma_width + 1],
            y: row.clone(),
            c0: row.clone(),
            c1: row,
        }
    }
}

/// `out = first * (256 - weight) + second * weight`; what `out` has beyond the rows stays.
#[inline(always)]
pub(super) fn blend(first: &[u8], second: &[u8], weight: u16, out: &mut [u16]) {
    for ((o, &a), &b) in out.iter_mut().zip(first).zip(second) {
        *o = u16::from(a) * (256 - weight) + u16::from(b) * weight;
    }
}

/// [`blend`] of two planes into pairs.
#[inline(always)]
pub(super) fn blend_planar(u: [&[u8]; 2], v: [&[u8]; 2], weight: u16, out: &mut [[u16; 2]]) {
    let (u, v) = (u[0].iter().zip(u[1]), v[0].iter().zip(v[1]));
    for ((o, (&ua, &ub)), (&va, &vb)) in out.iter_mut().zip(u).zip(v) {
        let blend = |a: u8, b: u8| u16::from(a) * (256 - weight) + u16::from(b) * weight;
        *o = [blend(ua, ub), blend(va, vb)];
    }
}

#[inline(always)]
pub(super) fn pick_luma(row: &[u16], index: &[u32], out: &mut [u32]) {
    for (o, &i) in out.iter_mut().zip(index) {
        let pair = &row[i as usize..][..2];
        *o = u32::from(pair[0]) | u32::from(pair[1]) << 16;
    }
}

#[inline(always)]
pub(super) fn pick_chroma(row: &[[u16; 2]], index: &[u32], left: &mut [u32], right: &mut [u32]) {
    for ((l, r), &i) in left.iter_mut().zip(right).zip(index) {
        let pair = &row[i as usize..][..2];
        *l = u32::from(pair[0][0]) | u32::from(pair[0][1]) << 16;
        *r = u32::from(pair[1][0]) | u32::from(pair[1][1]) << 16;
    }
}

/// Blends neighbours by their weights and converts; all slices are of one length.
#[inline(always)]
pub(super) fn convert(
    (y, y_weight): (&[u32], &[f32]),
    (c0, c1, c_weight): (&[u32], &[u32], &[f32]),
    channels: &[Channel; 3],
    [first, second, third]: [&mut [f32]; 3],
) {
    convert_row(y, y_weight, c0, c1, c_weight, channels, first, second, third);
}

// Slices as parameters of their own: the compiler then knows that they do not overlap.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
fn convert_row(
    y: &[u32],
    y_weight: &[f32],
    c0: &[u32],
    c1: &[u32],
    c_weight: &[f32],
    channels: &[Channel; 3],
    first: &mut [f32],
    second: &mut [f32],
    third: &mut [f32],
) {
    // Blended samples are 256 times too large.
    let [a, b, c] = channels.map(|c| Channel { y: c.y / 256.0, u: c.u / 256.0, v: c.v / 256.0, ..c });
    let n = first.len();
    let (y, y_weight, c0, c1, c_weight) = (&y[..n], &y_weight[..n], &c0[..n], &c1[..n], &c_weight[..n]);
    let (second, third) = (&mut second[..n], &mut third[..n]);
    for i in 0..n {
        let luma = mix(low(y[i]), high(y[i]), y_weight[i]);
        let u = mix(low(c0[i]), low(c1[i]), c_weight[i]);
        let v = mix(high(c0[i]), high(c1[i]), c_weight[i]);
        first[i] = value(&a, luma, u, v);
        second[i] = value(&b, luma, u, v);
        third[i] = value(&c, luma, u, v);
    }
}

// Through i32: vector units without AVX-512 convert only signed integers.
#[inline(always)]
fn low(pair: u32) -> f32 {
    (pair & 0xffff) as i32 as f32
}

#[inline(always)]
fn high(pair: u32) -> f32 {
    (pair >> 16) as i32 as f32
}

#[inline(always)]
fn mix(a: f32, b: f32, weight: f32) -> f32 {
    a + (b - a) * weight
}

// Comparisons rather than `f32::clamp`: one instruction each, since no NaN has to be minded.
#[inline(always)]
fn value(c: &Channel, y: f32, u: f32, v: f32) -> f32 {
    let x = c.y * y + c.u * u + c.v * v + c.bias;
    let x = if x < c.low { c.low } else { x };
    if x > c.high { c.high } else { x }
}
