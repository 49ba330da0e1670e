//! Pixels, blended; nothing outside the picture is touched.

use super::{Canvas, Rgb};

impl Canvas {
    /// Mixes `colour` into one pixel; `opacity` is 0..1.
    pub(super) fn blend(&mut self, x: i64, y: i64, colour: Rgb, opacity: f64) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x >= self.width || y >= self.height {
            return;
        }
        let at = (y * self.width + x) * 3;
        let weight = (opacity.clamp(0.0, 1.0) * 256.0) as i32;
        if let Some(pixel) = self.pixels.get_mut(at..at + 3) {
            for (below, above) in pixel.iter_mut().zip(colour) {
                let below_now = i32::from(*below);
                *below = (below_now + (((i32::from(above) - below_now) * weight) >> 8)) as u8;
            }
        }
    }

    /// Fills columns `x1..x2` of rows `y1..y2`.
    pub(super) fn fill(&mut self, [x1, y1, x2, y2]: [i64; 4], colour: Rgb, opacity: f64) {
        for y in y1.max(0)..y2.min(self.height as i64) {
            for x in x1.max(0)..x2.min(self.width as i64) {
                self.blend(x, y, colour, opacity);
            }
        }
    }

    /// A stroke with round ends, smoothed at its rim. `thickness` in pixels; the centre of pixel 0 is at 0.5.
    pub(super) fn stroke(&mut self, from: (f32, f32), to: (f32, f32), thickness: f64, colour: Rgb) {
        if ![from.0, from.1, to.0, to.1].iter().all(|v| v.is_finite()) {
            return;
        }
        let [(ax, ay), (bx, by)] = [from, to].map(|(x, y)| (f64::from(x), f64::from(y)));
        let (dx, dy) = (bx - ax, by - ay);
        let length_squared = dx * dx + dy * dy;
        let reach = thickness / 2.0 + 0.5;
        let rows = span(ay.min(by) - reach, ay.max(by) + reach, self.height);
        let columns = (ax.min(bx) - reach, ax.max(bx) + reach);
        for row in rows {
            let y = row as f64 + 0.5;
            // Where the unbounded stroke meets this row, so that a long slope does not cost its whole box.
            let near = if dy.abs() > f64::EPSILON {
                let (centre, half) = (ax + (y - ay) / dy * dx, reach * length_squared.sqrt() / dy.abs());
                (columns.0.max(centre - half - 1.0), columns.1.min(centre + half + 1.0))
            } else {
                columns
            };
            for column in span(near.0, near.1, self.width) {
                let x = column as f64 + 0.5;
                let along = if length_squared > 0.0 { ((x - ax) * dx + (y - ay) * dy) / length_squared } else { 0.0 };
                let along = along.clamp(0.0, 1.0);
                let distance = (x - ax - along * dx).hypot(y - ay - along * dy);
                self.blend(column, row, colour, reach - distance);
            }
        }
    }

    /// A filled disc, smoothed at its rim; `radius` in pixels.
    pub(super) fn disc(&mut self, centre: (f32, f32), radius: f64, colour: Rgb) {
        self.stroke(centre, centre, radius * 2.0, colour);
    }
}

/// Whole pixels that `low..high` touches in a row or column of `size`.
pub(super) fn span(low: f64, high: f64, size: usize) -> std::ops::Range<i64> {
    let within = |v: f64| v.clamp(0.0, size as f64) as i64;
    within(low.floor())..within(high.ceil())
}
