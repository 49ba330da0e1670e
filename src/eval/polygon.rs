//! Polygons to masks, pixel for pixel as the COCO API draws them (`rleFrPoly`).

use crate::types::mask::{MAX_SIDE, Rle};

/// Fine steps per pixel on which the outline is walked.
const FINE: i64 = 5;

/// Corners beyond this many pixels from the origin are drawn as if they lay there.
const FAR: f64 = 1e6;

/// The pixels inside an outline `[x1, y1, x2, y2, ...]` (pixels), which closes by itself and may cross itself: a
/// pixel is set where a walk down its column has crossed the outline an odd number of times. Sides beyond
/// [`MAX_SIDE`] give an empty mask.
#[must_use]
pub fn fill(outline: &[f64], height: u32, width: u32) -> Rle {
    let size = [height, width];
    if height > MAX_SIDE || width > MAX_SIDE {
        return Rle::empty(size);
    }
    let (rows, columns) = (i64::from(height), i64::from(width));
    let walk = walk(outline);
    let mut crossings: Vec<i64> =
        walk.windows(2).filter_map(|step| crossing(step[0], step[1], rows, columns)).collect();
    crossings.push(rows * columns);
    crossings.sort_unstable();

    let mut counts: Vec<u32> = Vec::new();
    let mut at = 0;
    let mut lengths = crossings.into_iter().map(|crossing| (crossing - std::mem::replace(&mut at, crossing)) as u32);
    counts.extend(lengths.next());
    while let Some(length) = lengths.next() {
        match (length, counts.last_mut()) {
            // Crossed twice at one place: what follows belongs to the run before.
            (0, Some(last)) => *last += lengths.next().unwrap_or(0),
            _ => counts.push(length),
        }
    }
    Rle::new(size, counts).unwrap_or_else(|_| Rle::empty(size))
}

/// Several outlines as one mask: the pixels inside any of them.
#[must_use]
pub fn fill_all(outlines: &[Vec<f64>], height: u32, width: u32) -> Rle {
    let masks: Vec<Rle> = outlines.iter().map(|outline| fill(outline, height, width)).collect();
    Rle::union([height, width], &masks)
}

/// The points of the fine grid along the outline, each next to the one before.
fn walk(outline: &[f64]) -> Vec<(i64, i64)> {
    let fine = |v: f64| (FINE as f64 * v.clamp(-FAR, FAR) + 0.5) as i64;
    let corners: Vec<(i64, i64)> = outline.chunks_exact(2).map(|corner| (fine(corner[0]), fine(corner[1]))).collect();
    let mut points = Vec::new();
    for (i, &from) in corners.iter().enumerate() {
        let to = corners[(i + 1) % corners.len()];
        let (dx, dy) = ((to.0 - from.0).abs(), (to.1 - from.1).abs());
        // Rounding depends on the direction: always walk towards larger numbers.
        let flip = if dx >= dy { from.0 > to.0 } else { from.1 > to.1 };
        let (start, end) = if flip { (to, from) } else { (from, to) };
        let length = dx.max(dy);
        if length == 0 {
            continue;
        }
        let slope = if dx >= dy { (end.1 - start.1) as f64 / dx as f64 } else { (end.0 - start.0) as f64 / dy as f64 };
        points.extend((0..=length).map(|step| if flip { length - step } else { step }).map(|t| {
            let along = |base: i64| (base as f64 + slope * t as f64 + 0.5) as i64;
            if dx >= dy { (start.0 + t, along(start.1)) } else { (along(start.0), start.1 + t) }
        }));
    }
    points
}

/// Where a step crosses the middle of a column of pixels: the place in the mask, column-major.
fn crossing(from: (i64, i64), to: (i64, i64), rows: i64, columns: i64) -> Option<i64> {
    if from.0 == to.0 {
        return None;
    }
    let fine = if to.0 < from.0 { to.0 } else { to.0 - 1 };
    if fine.rem_euclid(FINE) != FINE / 2 {
        return None;
    }
    let column = fine.div_euclid(FINE);
    if !(0..columns).contains(&column) {
        return None;
    }
    let row = ((to.1.min(from.1) as f64 + 0.5) / FINE as f64 - 0.5).clamp(0.0, rows as f64).ceil() as i64;
    Some(column * rows + row)
}
