//! Zones and lines on the camera's latest picture, and where it fired.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use super::report::Fired;
use crate::annotate::{Canvas, Rgb};
use crate::config::{Anchor, Camera};
use crate::rules::geometry;
use crate::rules::heat::{COLUMNS, Heat, ROWS};
use crate::track_log::view_path;
use crate::types::geometry::BBox;

const ZONE: Rgb = [255, 220, 80];
const LINE: Rgb = [80, 220, 255];
const NOTE: Rgb = [200, 60, 60];
/// Of a picture where there is none.
const WIDTH: usize = 1280;
/// The heat of one firing reaches so far, of the picture's height.
const REACH: f32 = 0.02;
/// The in-side's arrow is so long, of the picture's height.
const ARROW: f32 = 0.08;

/// Draws it and writes it as JPEG.
pub(super) fn write(
    path: &Path,
    state_dir: &Path,
    camera: &Camera,
    size: (u32, u32),
    fired: &[Fired],
) -> anyhow::Result<()> {
    let (width, height, mut pixels, note) = ground(state_dir, camera, size);
    let hot = fired_at((width, height), camera, fired);
    glow(&mut pixels, &hot);
    finish(path, camera, (width, height), pixels, note)
}

/// Draws where subjects were, all or those of one label, and writes it as JPEG.
pub(super) fn write_heat(
    path: &Path,
    state_dir: &Path,
    camera: &Camera,
    size: (u32, u32),
    heat: &Heat,
    class: Option<&str>,
) -> anyhow::Result<()> {
    let (width, height, mut pixels, note) = ground(state_dir, camera, size);
    let cells: Vec<f32> = heat.seconds(class).map(|seconds| seconds as f32).collect();
    let note = if cells.iter().any(|seconds| *seconds > 0.0) { note } else { Some("nobody was seen in that time") };
    let hot: Vec<f32> =
        (0..width * height).map(|at| smooth(&cells, (at % width, at / width), (width, height))).collect();
    glow(&mut pixels, &hot);
    finish(path, camera, (width, height), pixels, note)
}

/// Between the middles of cells, in a straight line.
fn smooth(cells: &[f32], (x, y): (usize, usize), (width, height): (usize, usize)) -> f32 {
    let place = |at: usize, pixels: usize, cells: usize| {
        ((at as f32 + 0.5) * cells as f32 / pixels as f32 - 0.5).clamp(0.0, (cells - 1) as f32)
    };
    let (x, y) = (place(x, width, COLUMNS), place(y, height, ROWS));
    let (left, top) = (x as usize, y as usize);
    let cell = |column: usize, row: usize| {
        cells.get(row.min(ROWS - 1) * COLUMNS + column.min(COLUMNS - 1)).copied().unwrap_or(0.0)
    };
    let (right, down) = (x - left as f32, y - top as f32);
    let above = cell(left, top) * (1.0 - right) + cell(left + 1, top) * right;
    let below = cell(left, top + 1) * (1.0 - right) + cell(left + 1, top + 1) * right;
    above * (1.0 - down) + below * down
}

/// The camera's latest picture, or a black one and a note.
fn ground(state_dir: &Path, camera: &Camera, size: (u32, u32)) -> (usize, usize, Vec<u8>, Option<&'static str>) {
    match read(&view_path(state_dir, &camera.id)) {
        Some((width, height, pixels)) => (width, height, pixels, None),
        None => {
            let height = if size.0 == 0 { WIDTH * 9 / 16 } else { WIDTH * size.1 as usize / size.0 as usize };
            let height = height.clamp(WIDTH / 8, WIDTH * 4);
            (WIDTH, height, vec![0; WIDTH * height * 3], Some("no picture of this camera was kept yet"))
        }
    }
}

fn finish(
    path: &Path,
    camera: &Camera,
    (width, height): (usize, usize),
    pixels: Vec<u8>,
    note: Option<&str>,
) -> anyhow::Result<()> {
    let mut canvas = Canvas::from_rgb(width, height, pixels).context("the picture has no pixels")?;
    places(&mut canvas, camera);
    if let Some(note) = note {
        canvas.text(0.0, 0.0, note, NOTE);
    }
    Ok(canvas.save_jpeg(path, 90)?)
}

fn read(path: &Path) -> Option<(usize, usize, Vec<u8>)> {
    let bytes = std::fs::read(path).ok()?;
    let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg).ok()?.into_rgb8();
    Some((picture.width() as usize, picture.height() as usize, picture.into_raw()))
}

/// Where tracks were when it fired for them: the more often, the hotter.
fn fired_at((width, height): (usize, usize), camera: &Camera, fired: &[Fired]) -> Vec<f32> {
    let anchors = anchors(camera);
    let reach = (REACH * height as f32).max(3.0);
    let mut sum = vec![0.0_f32; width * height];
    for fired in fired {
        let Some(track) = &fired.track else { continue };
        let [x1, y1, x2, y2] = track.bbox;
        let anchor = anchors.get(fired.rule.as_str()).copied().unwrap_or_default();
        let [x, y] = geometry::anchor(&BBox::new(x1, y1, x2, y2), anchor);
        let (x, y) = (x * width as f32, y * height as f32);
        let span = |at: f32, end: usize| (at - reach).max(0.0) as usize..((at + reach).max(0.0) as usize + 1).min(end);
        for row in span(y, height) {
            for column in span(x, width) {
                let far = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y) / reach;
                sum[row * width + column] += (1.0 - far * far).max(0.0);
            }
        }
    }
    sum
}

/// Colours pixels by their heat, row by row.
fn glow(pixels: &mut [u8], sum: &[f32]) {
    let hottest = sum.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    for (pixel, heat) in pixels.chunks_exact_mut(3).zip(sum) {
        // Those few are seen, too.
        let heat = (heat / hottest).sqrt();
        let (over, colour) = (heat.min(0.8), [255.0, 255.0 * heat * heat, 0.0]);
        for (below, above) in pixel.iter_mut().zip(colour) {
            *below = (f32::from(*below) * (1.0 - over) + above * over) as u8;
        }
    }
}

fn anchors(camera: &Camera) -> BTreeMap<&str, Anchor> {
    let zones = camera.zones.iter().map(|zone| &zone.common);
    let lines = camera.lines.iter().map(|line| &line.common);
    let all = zones.chain(lines).chain(camera.rules.iter().map(|rule| &rule.common));
    all.map(|common| (common.id.as_str(), common.anchor)).collect()
}

fn places(canvas: &mut Canvas, camera: &Camera) {
    let (width, height) = (canvas.width() as f32, canvas.height() as f32);
    let pixels = |[x, y]: [f32; 2]| (x * width, y * height);
    for zone in &camera.zones {
        let corners: Vec<_> = zone.polygon.iter().map(|corner| pixels(*corner)).collect();
        canvas.polygon(&corners, ZONE, 0.12);
        let (x, y) = middle(&corners);
        words(canvas, x, y, &zone.common.id, ZONE);
    }
    for line in &camera.lines {
        let (from, to) = (pixels(line.from), pixels(line.to));
        canvas.line(from, to, LINE);
        let (x, y) = middle(&[from, to]);
        // To the right of the way, as seen in the picture: rows go down.
        let (right, down) = (-(to.1 - from.1), to.0 - from.0);
        let length = right.hypot(down).max(f32::MIN_POSITIVE);
        let (right, down) = (right / length * ARROW * height, down / length * ARROW * height);
        arrow(canvas, (x, y), (x + right, y + down), LINE);
        words(canvas, x + right * 1.3, y + down * 1.3, "in", LINE);
        words(canvas, x - right * 0.6, y - down * 0.6, &line.common.id, LINE);
    }
}

fn middle(points: &[(f32, f32)]) -> (f32, f32) {
    let count = points.len().max(1) as f32;
    let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
    (x / count, y / count)
}

/// Text around a point, inside the picture.
fn words(canvas: &mut Canvas, x: f32, y: f32, text: &str, colour: Rgb) {
    let (width, height) = canvas.text_size(text);
    let within = |at: f32, size: usize, whole: usize| (at - size as f32 / 2.0).min(whole as f32 - size as f32).max(0.0);
    canvas.text(within(x, width, canvas.width()), within(y, height, canvas.height()), text, colour);
}

fn arrow(canvas: &mut Canvas, from: (f32, f32), to: (f32, f32), colour: Rgb) {
    canvas.line(from, to, colour);
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    for turn in [2.6_f32, -2.6] {
        let (sin, cos) = turn.sin_cos();
        let barb = ((x * cos - y * sin) * 0.35, (x * sin + y * cos) * 0.35);
        canvas.line(to, (to.0 + barb.0, to.1 + barb.1), colour);
    }
}
