//! A street drawn by code: people walk over it. The same in every process, so that figures can be compared.

use super::paint::{Canvas, Rgb};
use crate::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};

/// A picture in memory, NV12.
#[derive(Debug)]
pub(in crate::cli) struct Image(Canvas);

impl Image {
    /// Its pixels.
    pub(in crate::cli) fn picture(&self) -> Picture<'_> {
        let Canvas { width, height, luma, chroma } = &self.0;
        let plane = |data| Plane { data, stride: *width };
        let planes = Planes::Nv12 { y: plane(luma), uv: plane(chroma) };
        let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
        Picture { width: *width, height: *height, planes, colour }
    }
}

/// `count` pictures, each so many seconds after the one before. Sides are made even.
pub(in crate::cli) fn sequence(width: usize, height: usize, count: usize, step_s: f32) -> Vec<Image> {
    let (width, height) = (width.next_multiple_of(2), height.next_multiple_of(2));
    let backdrop = backdrop(width, height);
    (0..count)
        .map(|n| {
            let mut canvas = backdrop.clone();
            people(&mut canvas, n as f32 * step_s);
            canvas.grain(n as u32, 3);
            Image(canvas)
        })
        .collect()
}

/// Sky, a row of houses, pavement and road.
fn backdrop(width: usize, height: usize) -> Canvas {
    let mut canvas = Canvas::new(width, height);
    let (w, h) = (width as f32, height as f32);
    canvas.rectangle([0.0, 0.0, w, 0.22 * h], [176.0, 200.0, 226.0]);
    for house in 0..7 {
        let (left, tone) = (house as f32 / 7.0, 150.0 + 14.0 * (house * 5 % 7) as f32 - 40.0);
        let top = 0.06 + 0.02 * (house * 3 % 5) as f32;
        canvas.rectangle([left * w, top * h, (left + 0.14) * w, 0.36 * h], [tone, tone * 0.93, tone * 0.84]);
        for window in 0..6 {
            let (x, y) = (left + 0.015 + 0.04 * (window % 3) as f32, top + 0.04 + 0.1 * (window / 3) as f32);
            canvas.rectangle([x * w, y * h, (x + 0.025) * w, (y + 0.06) * h], [58.0, 66.0, 78.0]);
        }
    }
    canvas.rectangle([0.0, 0.36 * h, w, h], [132.0, 130.0, 126.0]);
    canvas.rectangle([0.0, 0.62 * h, w, 0.64 * h], [168.0, 166.0, 160.0]);
    canvas.rectangle([0.0, 0.64 * h, w, h], [92.0, 93.0, 96.0]);
    for dash in 0..9 {
        let left = dash as f32 * 0.12;
        canvas.rectangle([left * w, 0.83 * h, (left + 0.06) * w, 0.84 * h], [214.0, 212.0, 204.0]);
    }
    canvas
}

const CLOTHES: [(Rgb, Rgb); 6] = [
    ([168.0, 44.0, 40.0], [38.0, 44.0, 66.0]),
    ([52.0, 92.0, 150.0], [60.0, 58.0, 56.0]),
    ([214.0, 206.0, 190.0], [48.0, 62.0, 88.0]),
    ([44.0, 96.0, 62.0], [92.0, 82.0, 64.0]),
    ([226.0, 170.0, 52.0], [30.0, 30.0, 34.0]),
    ([84.0, 62.0, 110.0], [120.0, 112.0, 100.0]),
];

/// Each on a way of its own, the near ones last, so that they hide the far ones.
fn people(canvas: &mut Canvas, seconds: f32) {
    let (w, h) = (canvas.width as f32, canvas.height as f32);
    for (n, clothes) in CLOTHES.iter().enumerate() {
        let far = n as f32;
        let (feet, tall) = ((0.5 + 0.08 * far) * h, (0.2 + 0.055 * far) * h);
        // One and a half metres a second, at a height of 1.75.
        let speed = tall * 1.5 / 1.75 * if n % 2 == 0 { 1.0 } else { -1.0 };
        let lane = w + tall;
        let at = (0.13 + 0.17 * far) * w + speed * seconds;
        person(canvas, (at.rem_euclid(lane) - tall / 2.0, feet), tall, clothes, seconds * 6.0 + far);
    }
}

fn person(canvas: &mut Canvas, (x, feet): (f32, f32), tall: f32, (top, legs): &(Rgb, Rgb), phase: f32) {
    let skin = [206.0, 160.0, 132.0];
    let y = |part: f32| feet - tall * (1.0 - part);
    let swing = phase.sin() * 0.12 * tall;
    canvas.ellipse((x + 0.05 * tall, feet), (0.2 * tall, 0.03 * tall), [58.0, 58.0, 60.0]);
    for (side, colour) in [(-1.0, legs.map(|v| v * 0.8)), (1.0, *legs)] {
        let (hip, knee, foot) = ((x + side * 0.03 * tall, y(0.52)), y(0.75), (x + side * swing, y(0.97)));
        let bend = (x + side * swing * 0.6, knee);
        canvas.stroke(hip, bend, 0.095 * tall, colour);
        canvas.stroke(bend, foot, 0.075 * tall, colour);
        canvas.stroke(foot, (foot.0 + 0.05 * tall, y(0.985)), 0.04 * tall, [34.0, 30.0, 28.0]);
    }
    let arm = |side: f32| (x - side * swing * 0.9, y(0.5));
    canvas.stroke((x, y(0.22)), arm(-1.0), 0.06 * tall, top.map(|v| v * 0.75));
    canvas.stroke((x, y(0.23)), (x, y(0.48)), 0.2 * tall, *top);
    canvas.stroke((x, y(0.22)), arm(1.0), 0.06 * tall, top.map(|v| v * 0.9));
    canvas.ellipse(arm(1.0), (0.025 * tall, 0.025 * tall), skin);
    canvas.rectangle([x - 0.025 * tall, y(0.12), x + 0.025 * tall, y(0.17)], skin);
    canvas.ellipse((x, y(0.08)), (0.055 * tall, 0.075 * tall), skin);
    canvas.ellipse((x - 0.01 * tall, y(0.045)), (0.058 * tall, 0.05 * tall), [52.0, 38.0, 28.0]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_whole_differ_and_are_the_same_each_time() {
        let pictures = sequence(321, 181, 3, 0.5);
        for image in &pictures {
            let picture = image.picture();
            assert!((picture.width, picture.height) == (322, 182) && picture.sized().is_ok());
        }
        let luma = |images: &[Image], at: usize| images[at].0.luma.clone();
        assert_ne!(luma(&pictures, 0), luma(&pictures, 1));
        assert_eq!(luma(&pictures, 2), luma(&sequence(321, 181, 3, 0.5), 2));
    }
}
