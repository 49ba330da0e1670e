//! People made unrecognisable.

use crate::types::geometry::BBox;

/// Tiles along the longer side of a box: what is left is a shape and its colours.
const TILES: usize = 6;

/// Replaces what a box shows by large tiles of its mean colours. `rgb` has three bytes a pixel, rows without gaps.
pub(super) fn hide(rgb: &mut [u8], (width, height): (usize, usize), bbox: &BBox) {
    let inside = bbox.clip(width as f32, height as f32);
    if !inside.is_valid() {
        return;
    }
    let (x1, y1) = (inside.x1 as usize, inside.y1 as usize);
    let (x2, y2) = ((inside.x2.ceil() as usize).min(width), (inside.y2.ceil() as usize).min(height));
    let tile = ((x2 - x1).max(y2 - y1)).div_ceil(TILES).max(1);
    for top in (y1..y2).step_by(tile) {
        for left in (x1..x2).step_by(tile) {
            fill_with_mean(rgb, width, (left, top), ((left + tile).min(x2), (top + tile).min(y2)));
        }
    }
}

fn fill_with_mean(rgb: &mut [u8], width: usize, (x1, y1): (usize, usize), (x2, y2): (usize, usize)) {
    let row = |y: usize| (y * width + x1) * 3..(y * width + x2) * 3;
    let mut sums = [0_u64; 3];
    for y in y1..y2 {
        for pixel in rgb.get(row(y)).unwrap_or_default().chunks_exact(3) {
            sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u64::from(*value));
        }
    }
    let count = ((x2 - x1) * (y2 - y1)).max(1) as u64;
    let mean = sums.map(|sum| (sum / count) as u8);
    for y in y1..y2 {
        for pixel in rgb.get_mut(row(y)).unwrap_or_default().chunks_exact_mut(3) {
            pixel.copy_from_slice(&mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_keeps_its_mean_and_loses_its_detail_and_nothing_else_changes() {
        let (width, height) = (48, 40);
        let stripes: Vec<u8> = (0..width * height).flat_map(|i| [if i % 2 == 0 { 0 } else { 200 }; 3]).collect();
        let mut rgb = stripes.clone();
        hide(&mut rgb, (width, height), &BBox::new(12.0, 10.0, 36.0, 34.0));
        for (i, (now, before)) in rgb.chunks_exact(3).zip(stripes.chunks_exact(3)).enumerate() {
            let (x, y) = (i % width, i / width);
            if (12..36).contains(&x) && (10..34).contains(&y) {
                assert_eq!(now, [100; 3], "{x} {y}");
            } else {
                assert_eq!(now, before, "{x} {y}");
            }
        }
        for wild in
            [BBox::new(-9.0, -9.0, 500.0, 500.0), BBox::new(60.0, 0.0, 70.0, 9.0), BBox::new(f32::NAN, 0.0, 1.0, 1.0)]
        {
            hide(&mut rgb, (width, height), &wild);
        }
    }
}
