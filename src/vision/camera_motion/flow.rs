//! Where a point of one picture is in another: pyramidal Lucas-Kanade.
//!
//! Bouguet, "Pyramidal implementation of the Lucas Kanade feature tracker" (Intel, 2001), and what makes it bear
//! changes of light: a window's mean and contrast are taken out of both pictures.

use super::image::{Image, LEVELS, Pyramid};

/// Side of the window that is compared.
const SIDE: usize = 8;
const HALF: f32 = SIDE as f32 / 2.0;
const AREA: f32 = (SIDE * SIDE) as f32;
/// Most steps at one size.
const STEPS: usize = 8;
/// A step this short is the last one, pixels, at full size and above.
const SHORT: f32 = 0.02;
const SHORT_ABOVE: f32 = 0.1;
/// What steps find further away at one size is not what was looked for, pixels.
const FURTHEST: f32 = 5.0;
/// A window's gradients have at least this smaller eigenvalue, (grey values per pixel) squared.
const LEAST_TEXTURE: f32 = 0.2;
/// A window and what was found for it agree at least so well (correlation, -1 to 1).
const LEAST_CORRELATION: f32 = 0.8;
/// Followed back again, a point comes out no further from where it was, pixels.
const THERE_AND_BACK: f32 = 0.3;

type Row = [f32; SIDE];

/// A window of the picture that is looked for in another.
struct Template {
    /// Less their mean.
    values: [Row; SIDE],
    mean: f32,
    /// Sum of squares of `values`.
    power: f32,
    /// Gradients less their mean.
    gx: [Row; SIDE],
    gy: [Row; SIDE],
    /// Sums of gradient times value.
    at_rest: (f32, f32),
    /// Inverse of the gradients' second moments: xx, xy, yy.
    inverse: [f32; 3],
}

impl Template {
    /// About a point of the image; `None` where the picture ends or has nothing to hold on to.
    #[inline(always)]
    fn new(image: &Image, (x, y): (f32, f32)) -> Option<Self> {
        let corner = (x - HALF - 1.5, y - HALF - 1.5);
        let wide: [[f32; SIDE + 2]; SIDE + 2] = image.window(corner, SIDE + 3, SIDE + 3)?.read::<11, 10, 10>();
        let mut values = [[0.0; SIDE]; SIDE];
        let (mut gx, mut gy) = (values, values);
        for j in 0..SIDE {
            for i in 0..SIDE {
                values[j][i] = wide[j + 1][i + 1];
                gx[j][i] = 0.5 * (wide[j + 1][i + 2] - wide[j + 1][i]);
                gy[j][i] = 0.5 * (wide[j + 2][i + 1] - wide[j][i + 1]);
            }
        }
        let mean = centre(&mut values);
        centre(&mut gx);
        centre(&mut gy);
        let (xx, xy, yy) = (dot(&gx, &gx), dot(&gx, &gy), dot(&gy, &gy));
        let half = 0.5 * (xx - yy);
        let least = 0.5 * (xx + yy) - (half * half + xy * xy).sqrt();
        if least.is_nan() || least <= LEAST_TEXTURE * AREA {
            return None;
        }
        let part = 1.0 / (xx * yy - xy * xy);
        Some(Self {
            power: dot(&values, &values),
            at_rest: (dot(&gx, &values), dot(&gy, &values)),
            inverse: [yy * part, -xy * part, xx * part],
            values,
            mean,
            gx,
            gy,
        })
    }

    /// From about a point of the image to a better one, and how well the window agreed there.
    #[inline(always)]
    fn step(&self, image: &Image, (x, y): (f32, f32)) -> Option<((f32, f32), f32)> {
        let corner = (x - HALF - 0.5, y - HALF - 0.5);
        let now: [Row; SIDE] = image.window(corner, SIDE + 1, SIDE + 1)?.read::<9, 8, 8>();
        let mut sums = [[0.0_f32; SIDE]; 5];
        for (j, row) in now.iter().enumerate() {
            for (i, value) in row.iter().enumerate() {
                let v = value - self.mean;
                sums[0][i] += v;
                sums[1][i] += v * v;
                sums[2][i] += v * self.values[j][i];
                sums[3][i] += v * self.gx[j][i];
                sums[4][i] += v * self.gy[j][i];
            }
        }
        let [sum, squares, product, by_x, by_y] = sums.map(|row| add(&row));
        let power = squares - sum * sum / AREA;
        if power.is_nan() || power <= 0.05 * self.power {
            return None;
        }
        // Its contrast is made the template's.
        let gain = (self.power / power).sqrt();
        let (bx, by) = (self.at_rest.0 - gain * by_x, self.at_rest.1 - gain * by_y);
        let [xx, xy, yy] = self.inverse;
        let better = (x + xx * bx + xy * by, y + xy * bx + yy * by);
        Some((better, product * gain / self.power))
    }
}

#[inline(always)]
fn add(row: &Row) -> f32 {
    ((row[0] + row[4]) + (row[1] + row[5])) + ((row[2] + row[6]) + (row[3] + row[7]))
}

#[inline(always)]
fn dot(a: &[Row; SIDE], b: &[Row; SIDE]) -> f32 {
    let mut sums = [0.0; SIDE];
    for j in 0..SIDE {
        for i in 0..SIDE {
            sums[i] += a[j][i] * b[j][i];
        }
    }
    add(&sums)
}

/// Takes the mean out, and tells it.
#[inline(always)]
fn centre(values: &mut [Row; SIDE]) -> f32 {
    let mut sums = [0.0; SIDE];
    for row in values.iter() {
        for i in 0..SIDE {
            sums[i] += row[i];
        }
    }
    let mean = add(&sums) / AREA;
    values.iter_mut().flatten().for_each(|v| *v -= mean);
    mean
}

/// Where a point of `before` is in `now`, both in pixels at full size from the picture's corner; `shift` is where it
/// is looked for. `None` where it cannot be told.
#[inline(always)]
pub(super) fn follow(before: &Pyramid, now: &Pyramid, point: (f32, f32), shift: (f32, f32)) -> Option<(f32, f32)> {
    let there = find(before, now, point, shift)?;
    let back = find(now, before, there, (-shift.0, -shift.1))?;
    ((back.0 - point.0).hypot(back.1 - point.1) <= THERE_AND_BACK).then_some(there)
}

#[inline(always)]
fn find(from: &Pyramid, to: &Pyramid, point: (f32, f32), shift: (f32, f32)) -> Option<(f32, f32)> {
    let mut moved = shift;
    for level in (1..LEVELS).rev() {
        let scale = 1.0 / (1 << level) as f32;
        let at = (point.0 * scale, point.1 * scale);
        let guess = (at.0 + moved.0 * scale, at.1 + moved.1 * scale);
        let (from, to) = (from.image(level), to.image(level));
        // What is blurred away at this size may be there at the next.
        if let Some((found, _)) =
            Template::new(from, at).and_then(|template| home_in(&template, to, guess, SHORT_ABOVE))
        {
            moved = ((found.0 - at.0) / scale, (found.1 - at.1) / scale);
        }
    }
    refine(from, to, point, (point.0 + moved.0, point.1 + moved.1))
}

/// The same from a good guess: at full size alone, and one way.
#[inline(always)]
pub(super) fn refine(from: &Pyramid, to: &Pyramid, point: (f32, f32), guess: (f32, f32)) -> Option<(f32, f32)> {
    let (from, to) = (from.image(0), to.image(0));
    if !lies_in(from, point) {
        return None;
    }
    let (found, correlation) = home_in(&Template::new(from, point)?, to, guess, SHORT)?;
    (correlation >= LEAST_CORRELATION && lies_in(to, found)).then_some(found)
}

/// True where the window about a point is all picture.
fn lies_in(image: &Image, (x, y): (f32, f32)) -> bool {
    x >= HALF && y >= HALF && x + HALF <= image.width as f32 && y + HALF <= image.height as f32
}

#[inline(always)]
fn home_in(template: &Template, image: &Image, guess: (f32, f32), short: f32) -> Option<((f32, f32), f32)> {
    let (mut at, mut agreed) = (guess, 0.0);
    for _ in 0..STEPS {
        let (next, correlation) = template.step(image, at)?;
        let length = (next.0 - at.0).hypot(next.1 - at.1);
        (at, agreed) = (next, correlation);
        let moved = (at.0 - guess.0).hypot(at.1 - guess.1);
        if moved.is_nan() || moved > FURTHEST {
            return None;
        }
        if length < short {
            break;
        }
    }
    Some((at, agreed))
}
