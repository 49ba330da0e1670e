//! Anti-aliased drawing of one object: colour, coverage, mask coverage and depth per pixel.

use crate::geometry::Seen;
use crate::raster::{Form, Layer, Rgb, Shape, depth_plane, edges, inner, span};

/// One pixel of a drawn object.
#[derive(Debug, Clone, Copy)]
pub struct Pixel {
    /// Colour, premultiplied.
    pub rgb: Rgb,
    /// Coverage, 0..1.
    pub alpha: f32,
    /// Depth, metres.
    pub z: f32,
}

/// A rectangle of pixels. Edges are whole picture coordinates and may be negative.
#[derive(Debug, Clone, Copy, Default)]
pub struct Area {
    /// Left edge.
    pub x0: i32,
    /// Top edge.
    pub y0: i32,
    /// Width.
    pub w: i32,
    /// Height.
    pub h: i32,
}

impl Area {
    /// The part within `other`.
    pub fn within(self, other: Area) -> Area {
        let (x0, y0) = (self.x0.max(other.x0), self.y0.max(other.y0));
        let w = (self.x0 + self.w).min(other.x0 + other.w) - x0;
        let h = (self.y0 + self.h).min(other.y0 + other.h) - y0;
        Area { x0, y0, w: w.max(0), h: h.max(0) }
    }

    /// Where a pixel lies in a row-by-row buffer of this area.
    pub fn index(&self, x: i32, y: i32) -> Option<usize> {
        let (x, y) = (x - self.x0, y - self.y0);
        (x >= 0 && y >= 0 && x < self.w && y < self.h).then(|| (y * self.w + x) as usize)
    }

    fn pixels(&self) -> usize {
        (self.w * self.h) as usize
    }
}

/// One drawn object: its mask everywhere, its pixels only where a picture can show them.
#[derive(Debug, Default)]
pub struct Patch {
    /// Where the mask is kept.
    pub area: Area,
    /// Mask coverage over `area`, 0..1.
    pub mask: Vec<f32>,
    /// Where pixels are kept.
    pub shown: Area,
    /// Pixels over `shown`.
    pub pixels: Vec<Pixel>,
}

impl Patch {
    /// Draws shapes far to near: pixels within `picture`, the mask as far as `reach` pixels outside of it.
    pub fn draw(&mut self, shapes: &mut [Shape], picture: Area, reach: i32) {
        let (mut x0, mut y0, mut x1, mut y1) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
        for shape in shapes.iter() {
            let b = shape.form.bounds();
            (x0, y0, x1, y1) = (x0.min(b[0]), y0.min(b[1]), x1.max(b[2]), y1.max(b[3]));
        }
        let whole = |v: f32| v.clamp(-1e6, 1e6) as i32;
        let (left, top) = (whole(x0.floor()) - 1, whole(y0.floor()) - 1);
        let all = Area { x0: left, y0: top, w: whole(x1.ceil()) + 1 - left, h: whole(y1.ceil()) + 1 - top };
        let Area { x0, y0, w, h } = picture;
        self.area = all.within(Area { x0: x0 - reach, y0: y0 - reach, w: w + 2 * reach, h: h + 2 * reach });
        self.shown = all.within(picture);
        self.mask.clear();
        self.mask.resize(self.area.pixels(), 0.0);
        self.pixels.clear();
        self.pixels.resize(self.shown.pixels(), Pixel { rgb: [0.0; 3], alpha: 0.0, z: f32::MAX });
        shapes.sort_by(|a, b| b.order.total_cmp(&a.order));
        for shape in shapes.iter() {
            self.add(shape);
        }
    }

    fn add(&mut self, shape: &Shape) {
        let bounds = shape.form.bounds();
        let rows = (
            (bounds[1].floor() as i32 - 1).max(self.area.y0),
            (bounds[3].ceil() as i32 + 1).min(self.area.y0 + self.area.h),
        );
        let columns = (
            (bounds[0].floor() as i32 - 1).max(self.area.x0),
            (bounds[2].ceil() as i32 + 1).min(self.area.x0 + self.area.w),
        );
        let layer = shape.layer;
        // The columns of a row that can be within `reach` of the line from `a` in the direction `d`.
        let strip = |a: &Seen, (dx, dy): (f32, f32), reach: f32, py: f32| {
            if dy.abs() < 1e-3 {
                return columns;
            }
            let (middle, half) = (a.x + py * dx / dy, reach * dx.hypot(dy) / dy.abs() + 1.5);
            (columns.0.max((middle - half).max(-1e6) as i32 - 1), columns.1.min((middle + half).min(1e6) as i32 + 2))
        };
        match &shape.form {
            Form::Cone { a, ra, b, rb, paint } => {
                let (dx, dy) = (b.x - a.x, b.y - a.y);
                let inv = 1.0 / (dx * dx + dy * dy).max(1e-6);
                let len = (dx * dx + dy * dy).sqrt().max(1e-3);
                for y in rows.0..rows.1 {
                    let py = y as f32 + 0.5 - a.y;
                    let (from, to) = if len > 2.0 { strip(a, (dx, dy), ra.max(*rb) + 0.5, py) } else { columns };
                    for x in from..to {
                        let px = x as f32 + 0.5 - a.x;
                        let t = ((px * dx + py * dy) * inv).clamp(0.0, 1.0);
                        let r = ra + (rb - ra) * t;
                        let (qx, qy) = (px - dx * t, py - dy * t);
                        let d2 = qx * qx + qy * qy;
                        if d2 < (r + 0.5) * (r + 0.5) {
                            // A thin thing covers less than a pixel even at its centre.
                            let cover = (0.5 - (d2.sqrt() - r)).clamp(0.0, 1.0).min(2.0 * r);
                            let side = ((px * dy - py * dx) / len / r.max(0.3)).clamp(-1.0, 1.0);
                            let z = a.z + (b.z - a.z) * t;
                            self.put(x, y, cover, layer, z, || paint(side, t));
                        }
                    }
                }
            }
            Form::Tube { a, b, profile, cap_a, cap_b, paint } => {
                let (dx, dy) = (b.x - a.x, b.y - a.y);
                let len = (dx * dx + dy * dy).sqrt().max(1e-3);
                let (ux, uy) = (dx / len, dy / len);
                let widest = profile.iter().fold(0.2f32, |m, v| m.max(*v)) + 0.5;
                for y in rows.0..rows.1 {
                    let py = y as f32 + 0.5 - a.y;
                    let (from, to) = strip(a, (ux, uy), widest, py);
                    for x in from..to {
                        let px = x as f32 + 0.5 - a.x;
                        let (l, s) = (px * ux + py * uy, px * uy - py * ux);
                        let t = (l / len).clamp(0.0, 1.0);
                        let k = ((t * 8.0) as usize).min(7);
                        let f = t * 8.0 - k as f32;
                        let half = (profile[k] + (profile[k + 1] - profile[k]) * f).max(0.2);
                        let side = s / half;
                        let bow = (1.0 - side * side).max(0.0).sqrt();
                        let d = (s.abs() - half).max(-l - cap_a * bow).max(l - len - cap_b * bow);
                        if d < 0.5 {
                            let z = a.z + (b.z - a.z) * t;
                            let cover = (0.5 - d).min(1.0).min(2.0 * half);
                            self.put(x, y, cover, layer, z, || paint(side.clamp(-1.0, 1.0), t));
                        }
                    }
                }
            }
            Form::Ball { c, rx, ry, axis, paint } => {
                for y in rows.0..rows.1 {
                    for x in columns.0..columns.1 {
                        let (px, py) = (x as f32 + 0.5 - c.x, y as f32 + 0.5 - c.y);
                        let v = (px * axis[0] + py * axis[1]) / ry;
                        let u = (px * axis[1] - py * axis[0]) / rx;
                        let r = (u * u + v * v).sqrt();
                        let d = (r - 1.0) * rx.min(*ry);
                        if d < 0.5 {
                            let k = if r > 1.0 { 1.0 / r } else { 1.0 };
                            self.put(x, y, (0.5 - d).min(1.0), layer, c.z, || paint(u * k, v * k));
                        }
                    }
                }
            }
            Form::Face { corners, round, color, alpha } => {
                let edges = edges(corners);
                let plane = depth_plane(corners);
                for y in rows.0..rows.1 {
                    let py = y as f32 + 0.5;
                    let (from, to) = span(&edges, py, 0.5 + round, columns);
                    let solid = if *alpha < 1.0 || layer != Layer::Both {
                        (to, to)
                    } else {
                        inner(&edges, py, round - 0.5, (from, to))
                    };
                    for x in (from..solid.0).chain(solid.1..to) {
                        let px = x as f32 + 0.5;
                        let d = edges.iter().fold(f32::MIN, |m, e| m.max(e[0] * px + e[1] * py + e[2])) - round;
                        if d < 0.5 {
                            let z = 1.0 / (plane[0] * px + plane[1] * py + plane[2]).max(1e-4);
                            self.put(x, y, (0.5 - d).min(1.0) * alpha, layer, z, || *color);
                        }
                    }
                    self.fill(y, solid, *color, |px| 1.0 / (plane[0] * px + plane[1] * py + plane[2]).max(1e-4));
                }
            }
        }
    }

    /// Covers a run of a row wholly.
    fn fill(&mut self, y: i32, run: (i32, i32), color: Rgb, depth: impl Fn(f32) -> f32) {
        let cut = |area: Area| Area { x0: run.0, y0: y, w: run.1 - run.0, h: 1 }.within(area);
        let part = cut(self.area);
        if let Some(i) = self.area.index(part.x0, y) {
            self.mask[i..i + part.w as usize].fill(1.0);
        }
        let part = cut(self.shown);
        if let Some(i) = self.shown.index(part.x0, y) {
            for (x, p) in (part.x0..).zip(&mut self.pixels[i..i + part.w as usize]) {
                *p = Pixel { rgb: color, alpha: 1.0, z: depth(x as f32 + 0.5) };
            }
        }
    }

    #[inline]
    fn put(&mut self, x: i32, y: i32, cover: f32, layer: Layer, z: f32, color: impl FnOnce() -> Rgb) {
        let keep = 1.0 - cover;
        if layer != Layer::Picture
            && let Some(i) = self.area.index(x, y)
        {
            self.mask[i] = self.mask[i] * keep + cover;
        }
        if let Some(i) = self.shown.index(x, y) {
            let p = &mut self.pixels[i];
            if layer != Layer::Mask {
                let c = color();
                p.rgb =
                    [p.rgb[0] * keep + c[0] * cover, p.rgb[1] * keep + c[1] * cover, p.rgb[2] * keep + c[2] * cover];
                p.alpha = p.alpha * keep + cover;
            }
            if cover >= 0.5 || p.z == f32::MAX {
                p.z = z;
            }
        }
    }
}
