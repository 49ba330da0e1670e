//! The fixed picture behind everybody: ground, roads, houses and sky, one ray per pixel and sample.

use crate::color::{blend, filter, times};
use crate::geometry::{Pinhole, V3, v3};
use crate::light::Light;
use crate::raster::Rgb;
use crate::rng::{cell, noise};
use crate::site::{EAST, ROAD, SIZE, Site};

/// The colour seen through a pixel position.
pub fn look(site: &Site, camera: &Pinhole, x: f64, y: f64) -> Rgb {
    let ray = camera.ray(x, y);
    let from = camera.position;
    let (best, hit) = wall(site, camera, ray);
    let down = if ray.z < -1e-9 { -from.z / ray.z } else { f64::MAX };
    if down < best {
        let p = from + ray * down;
        let footprint = down * ray.norm() / camera.focal;
        return filter(ground(site, p, footprint as f32), site.lighting.ground(p));
    }
    if let Some((normal, p)) = hit
        && let Some(color) = facade(site, normal, p)
    {
        return color;
    }
    let unit = ray.unit();
    let cloud = noise(unit.x / (unit.z + 0.3) * 3.0, unit.y / (unit.z + 0.3) * 3.0, site.salt) * 0.12;
    site.lighting.sky(unit.z as f32).map(|c| c * (1.0 + cloud))
}

/// The nearest wall along a ray: how far (in rays), its normal and the point.
fn wall(site: &Site, camera: &Pinhole, ray: V3) -> (f64, Option<(V3, V3)>) {
    let from = camera.position;
    let east = if site.east_road { 36.0 } else { 30.0 };
    let mut best = f64::MAX;
    let mut hit = None;
    for (normal, offset) in [
        (v3(1.0, 0.0, 0.0), -5.0),
        (v3(-1.0, 0.0, 0.0), -east),
        (v3(0.0, -1.0, 0.0), -22.0),
        (v3(0.0, 1.0, 0.0), -11.5),
    ] {
        let facing = ray.dot(normal);
        if facing < -1e-9 {
            let t = (offset - from.dot(normal)) / facing;
            let p = from + ray * t;
            // Streets lead out between the houses.
            let street = if normal.x.abs() > 0.5 {
                (ROAD.0 - 0.8..ROAD.1 + 0.8).contains(&p.y)
            } else {
                site.east_road && p.y > 0.0 && (EAST.0 - 0.8..EAST.1 + 0.8).contains(&p.x)
            };
            if t > 0.0 && t < best && !street {
                best = t;
                hit = Some((normal, p));
            }
        }
    }
    (best, hit)
}

/// Depth of the house front through a pixel position, if one is seen there.
pub fn wall_depth(site: &Site, camera: &Pinhole, x: f64, y: f64) -> Option<f32> {
    let ray = camera.ray(x, y);
    let (best, hit) = wall(site, camera, ray);
    let down = if ray.z < -1e-9 { -camera.position.z / ray.z } else { f64::MAX };
    hit.filter(|_| best < down).map(|_| best as f32)
}

/// A house front, lit; `None` above its roof.
fn facade(site: &Site, normal: V3, p: V3) -> Option<Rgb> {
    let along = if normal.x.abs() > 0.5 { p.y } else { p.x } + 40.0;
    let side = (normal.x * 3.0 + normal.y * 5.0) as i64 as u32;
    let salt = site.salt ^ side;
    let house = (along / 8.0).floor();
    let h = |k: u32| cell(house as i64, 7, salt.wrapping_add(k));
    let roof = 7.0 + 5.0 * f64::from(h(0));
    if p.z > roof {
        return None;
    }
    let light = site.lighting.wall(p, normal);
    let tone = std::array::from_fn(|i| site.houses[i] * (0.7 + 0.45 * h(1)) * (0.88 + 0.24 * h(2 + i as u32)));
    let night = site.lighting.light != Light::Day;
    let column = (along / (1.5 + 0.8 * f64::from(h(6)))).fract();
    let storey = (p.z / 3.0).fract();
    let wall = times(tone, 0.94 + 0.1 * noise(along * 3.0, p.z * 3.0, salt));
    let cell_at = (along / (1.5 + 0.8 * f64::from(h(6)))).floor() as i64;
    if p.z < 3.0 {
        // Shop windows and doors.
        let inside = (0.12..0.88).contains(&column) && p.z < 2.5 && (p.z > 0.5 || h(7) > 0.5);
        if inside {
            let shop = cell(cell_at, 1, salt);
            if night && shop > 0.6 {
                return Some([0.75, 0.62, 0.4]);
            }
            return Some(filter([0.12 + 0.2 * shop, 0.14 + 0.15 * shop, 0.17], light));
        }
        if p.z > 2.6 && p.z < 2.95 {
            return Some(filter(std::array::from_fn(|i| cell(house as i64, i as i64, salt) * 0.8), light));
        }
    } else if (0.25..0.75).contains(&column) && (0.25..0.8).contains(&storey) {
        let pane = cell(cell_at, (p.z / 3.0) as i64, salt);
        if night && pane > 0.72 {
            return Some([0.8, 0.66, 0.42]);
        }
        return Some(filter([0.16 + 0.15 * pane, 0.2 + 0.15 * pane, 0.26 + 0.15 * pane], light));
    }
    Some(filter(wall, light))
}

/// The colour of the ground before light; `foot` is the size of a pixel on it, metres.
fn ground(site: &Site, p: V3, foot: f32) -> Rgb {
    let stain = 0.9 + 0.2 * noise(p.x * 0.7, p.y * 0.7, site.salt);
    let grain = 1.0
        + (0.16 * (cell((p.x * 18.0).floor() as i64, (p.y * 18.0).floor() as i64, site.salt) - 0.5))
            * (1.0 - foot * 14.0).clamp(0.1, 1.0);
    times(surface(site, p, foot), stain * grain)
}

fn surface(site: &Site, p: V3, foot: f32) -> Rgb {
    let [outside, asphalt, grass] = site.grounds;
    let white = [0.82, 0.82, 0.8];
    if (ROAD.0..ROAD.1).contains(&p.y) && !(site.east_road && (EAST.0..EAST.1).contains(&p.x)) {
        let mid = (ROAD.0 + ROAD.1) / 2.0;
        if (p.x - site.crossing).abs() < 1.7 {
            return if (p.y * 1.0).rem_euclid(1.0) < 0.5 { white } else { asphalt };
        }
        let dash = (p.y - mid).abs() < 0.07 && p.x.rem_euclid(4.0) < 2.0;
        let edge = (p.y - ROAD.1 + 0.25).abs() < 0.05 || (p.y - ROAD.0 - 0.25).abs() < 0.05;
        let halt = ((p.x - site.crossing).abs() - 2.6).abs() < 0.15 && ((p.x < site.crossing) == (p.y < mid));
        return if dash || edge || halt { white } else { asphalt };
    }
    if site.east_road && (EAST.0..EAST.1).contains(&p.x) {
        let mid = (EAST.0 + EAST.1) / 2.0;
        let dash = (p.x - mid).abs() < 0.07 && p.y.rem_euclid(4.0) < 2.0 && !(ROAD.0..ROAD.1).contains(&p.y);
        return if dash { white } else { asphalt };
    }
    if (ROAD.1..ROAD.1 + 0.25).contains(&p.y) || (ROAD.0 - 0.25..ROAD.0).contains(&p.y) {
        return [0.62, 0.62, 0.6];
    }
    if site.east_road && (EAST.0 - 0.25..EAST.0).contains(&p.x) {
        return [0.62, 0.62, 0.6];
    }
    for (middle, hx, hy) in &site.lawns {
        let (dx, dy) = ((p.x - middle.x) / hx, (p.y - middle.y) / hy);
        let d = dx * dx + dy * dy;
        if d < 1.0 {
            let blade = noise(p.x * 9.0, p.y * 9.0, site.salt ^ 5) * (1.0 - foot * 6.0).clamp(0.0, 1.0);
            return if d > 0.88 { times(outside, 0.8) } else { times(grass, 0.75 + 0.5 * blade) };
        }
    }
    if p.x < -0.5 || p.x > SIZE.0 + 0.3 || p.y > SIZE.1 + 0.5 || p.y < ROAD.0 {
        let slab = cell((p.x / 1.5).floor() as i64, (p.y / 1.5).floor() as i64, site.salt ^ 9);
        return times(outside, 0.95 + 0.1 * slab);
    }
    paving(site, p, foot)
}

fn paving(site: &Site, p: V3, foot: f32) -> Rgb {
    let (first, second, size, style) = site.paving;
    let row = (p.y / size).floor();
    let shift = if style == 1 || style == 3 { 0.5 * (row as i64 % 2) as f64 } else { 0.0 };
    let column = (p.x / size + shift).floor();
    let (u, v) = ((p.x / size + shift).fract(), (p.y / size).fract());
    let odd = match style {
        0 => ((column as i64) + (row as i64)).rem_euclid(2) == 0,
        1 => cell(column as i64, row as i64, site.salt ^ 3) > 0.75,
        2 => (column as i64).rem_euclid(5) == 0 || (row as i64).rem_euclid(5) == 0,
        3 => (row as i64).rem_euclid(4) == 0,
        _ => {
            let d = ((p.x - 12.0).powi(2) + (p.y - 8.0).powi(2)).sqrt();
            (d / 1.8).rem_euclid(2.0) < 1.0
        }
    };
    let tile = cell(column as i64, row as i64, site.salt);
    let base = blend(first, second, if odd { 1.0 } else { 0.0 });
    let joint = u.abs().min(1.0 - u.abs()).min(v.abs().min(1.0 - v.abs())) * size < 0.02 + f64::from(foot) * 0.3;
    let fade = (1.0 - foot / (size as f32 * 0.35)).clamp(0.0, 1.0);
    times(base, (0.94 + 0.12 * tile) * if joint { 1.0 - 0.28 * fade } else { 1.0 })
}
