//! The layer behind the actors: ground, houses and furniture, drawn once per view.

use super::Frame;
use crate::backdrop;
use crate::geometry::Pinhole;
use crate::patch::{Area, Patch};
use crate::raster::Rgb;
use crate::shadow;
use crate::world::World;

/// Pixels kept around the fixed picture for shaking.
pub(super) const MARGIN: i32 = 10;

/// The fixed layer with its margin.
pub(super) struct Backdrop {
    pub width: usize,
    pub rgb: Vec<[u8; 3]>,
    /// Depth of what stands there, metres.
    pub z: Vec<f32>,
    /// Its coverage, 0..255.
    pub cover: Vec<u8>,
}

/// The picture with its margin.
pub(super) fn around(width: u32, height: u32) -> Area {
    Area { x0: -MARGIN, y0: -MARGIN, w: width as i32 + 2 * MARGIN, h: height as i32 + 2 * MARGIN }
}

impl Backdrop {
    pub(super) fn new(world: &World, lens: &Pinhole) -> Backdrop {
        let width = (lens.width as i32 + 2 * MARGIN) as usize;
        let height = (lens.height as i32 + 2 * MARGIN) as usize;
        let site = &world.site;
        let mut out = Backdrop {
            width,
            rgb: vec![[0; 3]; width * height],
            z: vec![f32::MAX; width * height],
            cover: vec![0; width * height],
        };
        let mut picture: Vec<Rgb> = vec![[0.0; 3]; width * height];
        for y in 0..height {
            for x in 0..width {
                let (px, py) = (x as f64 - f64::from(MARGIN), y as f64 - f64::from(MARGIN));
                let mut sum = [0.0f32; 3];
                for (sx, sy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let c = backdrop::look(site, lens, px + sx, py + sy);
                    for k in 0..3 {
                        sum[k] += c[k].clamp(0.0, 1.1) * 0.25;
                    }
                }
                let i = y * width + x;
                picture[i] = sum;
                if let Some(z) = backdrop::wall_depth(site, lens, px + 0.5, py + 0.5) {
                    out.z[i] = z;
                    out.cover[i] = 255;
                }
            }
        }
        shadow::fixed(&mut picture, width, height, world, lens, MARGIN);
        let mut patch = Patch::default();
        let mut items: Vec<_> = site.items.iter().filter(|i| lens.to_camera(i.at).z > 0.9).collect();
        items.sort_by(|a, b| lens.to_camera(b.at).z.total_cmp(&lens.to_camera(a.at).z));
        for item in items {
            let mut shapes = item.shapes(lens, site.lighting.object(item.at, lens));
            patch.draw(&mut shapes, around(lens.width as u32, lens.height as u32), 0);
            let columns = patch.shown.w.max(1) as usize;
            for (k, p) in patch.pixels.iter().enumerate().filter(|(_, p)| p.alpha > 0.0) {
                let (x, y) =
                    (patch.shown.x0 + MARGIN + (k % columns) as i32, patch.shown.y0 + MARGIN + (k / columns) as i32);
                let i = y as usize * width + x as usize;
                picture[i] = std::array::from_fn(|c| picture[i][c] * (1.0 - p.alpha) + p.rgb[c]);
                let own = if p.alpha > 0.97 { 255 } else { (p.alpha * 255.0) as u8 };
                if p.alpha >= 0.5 || out.cover[i] == 0 {
                    out.z[i] = p.z;
                }
                out.cover[i] = out.cover[i].max(own);
            }
        }
        for (to, from) in out.rgb.iter_mut().zip(&picture) {
            *to = from.map(|v| (v * 255.0).clamp(0.0, 255.0) as u8);
        }
        out
    }

    /// Fills a frame, shifted.
    pub(super) fn copy(&self, frame: &mut Frame, shift: (i32, i32)) {
        let w = frame.width as usize;
        for y in 0..frame.height as usize {
            let from = (y as i32 + MARGIN - shift.1) as usize * self.width + (MARGIN - shift.0) as usize;
            let row = &mut frame.rgba[y * w * 4..(y + 1) * w * 4];
            for (pixel, c) in row.chunks_exact_mut(4).zip(&self.rgb[from..from + w]) {
                pixel[..3].copy_from_slice(c);
                pixel[3] = 255;
            }
        }
    }
}
