//! What weather and the sensor do to a frame: rain, blur, exposure, noise.

use crate::rng::{Rng, mix};
use crate::site::Optics;
use crate::view::Frame;
use crate::world::World;

/// Size of the noise table.
const TABLE: usize = 1 << 18;

/// Sensor noise to draw from, a deviation in 0..255.
pub(crate) fn noise_table(seed: u64, deviation: f64) -> Vec<i8> {
    let mut rng = Rng::new(seed, 11);
    (0..TABLE).map(|_| (rng.normal() * deviation).round().clamp(-127.0, 127.0) as i8).collect()
}

/// Rain, blur, exposure and noise.
pub(crate) fn finish(
    frame: &mut Frame,
    scratch: &mut Vec<u8>,
    noise: &[i8],
    world: &World,
    optics: &Optics,
    number: u64,
) {
    let mut rng = Rng::new(world.seed ^ (optics.phase * 1e6) as u64, 100 + number);
    rain(frame, world, &mut rng);
    if optics.blur > 0.0 {
        blur(frame, scratch, optics.blur);
    }
    let drift = 1.0
        + optics.drift
            * ((world.time * 0.31 + optics.phase).sin() * 0.6 + (world.time * 0.083 + optics.phase * 2.0).sin() * 0.4);
    let gain = optics.gain.map(|g| (g * drift as f32 * 256.0) as i32);
    let w = frame.width as usize * 4;
    for row in frame.rgba.chunks_exact_mut(w) {
        let from = (mix(rng.next_u64()) as usize) % (TABLE - w);
        for (p, n) in row.chunks_exact_mut(4).zip(noise[from..from + w].chunks_exact(4)) {
            // Half of the noise is common to the channels.
            let spread = |c: usize| (i32::from(n[c]) * 3 + i32::from(n[3]) * 3) >> 2;
            let value = |c: usize| (((i32::from(p[c]) * gain[c]) >> 8) + spread(c)).clamp(0, 255) as u8;
            let out = [value(0), value(1), value(2), 255];
            p.copy_from_slice(&out);
        }
    }
}

fn rain(frame: &mut Frame, world: &World, rng: &mut Rng) {
    let drops = world.site.lighting.rain;
    if drops == 0 {
        return;
    }
    let (w, h) = (frame.width as f64, frame.height as f64);
    let slant = (world.seed % 7) as f64 / 20.0 - 0.15;
    let bright = if world.site.lighting.dark() { 26.0 } else { 38.0 };
    for _ in 0..drops {
        let (mut x, mut y) = (rng.range(0.0, w), rng.range(-10.0, h));
        let near = rng.unit();
        let length = (5.0 + 16.0 * near * near) * h / 360.0;
        let mut k = 0.0;
        while k < length {
            if x >= 0.0 && x < w && y >= 0.0 && y < h {
                let i = (y as usize * frame.width as usize + x as usize) * 4;
                for v in &mut frame.rgba[i..i + 3] {
                    *v = v.saturating_add((bright * (0.4 + 0.6 * near)) as u8);
                }
            }
            x += slant;
            y += 1.0;
            k += 1.0;
        }
    }
}

/// A small soft blur: each pixel takes a share of its four neighbours.
fn blur(frame: &mut Frame, scratch: &mut Vec<u8>, weight: f32) {
    let side = (weight * 32.0) as u32;
    let middle = 256 - 4 * side;
    scratch.clear();
    scratch.extend_from_slice(&frame.rgba);
    let w = frame.width as usize * 4;
    let rows = frame.height as usize;
    for y in 1..rows.saturating_sub(1) {
        let (above, here, below) =
            (&scratch[(y - 1) * w..y * w], &scratch[y * w..(y + 1) * w], &scratch[(y + 1) * w..(y + 2) * w]);
        let out = &mut frame.rgba[y * w..(y + 1) * w];
        for x in 4..w - 4 {
            let sum = u32::from(above[x]) + u32::from(below[x]) + u32::from(here[x - 4]) + u32::from(here[x + 4]);
            out[x] = ((u32::from(here[x]) * middle + sum * side) >> 8) as u8;
        }
    }
}
