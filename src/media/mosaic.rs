//! People made unrecognisable.

use crate::types::geometry::BBox;

/// Tiles along the longer side of a box: what is left is a shape and its colours.
const TILES: usize = 6;
/// Tiles along the width of a whole picture: walls and roads are left, and nobody's face.
const COARSE: usize = 64;

/// Pixels from the first corner up to, and without, the second.
type Part = [usize; 4];

/// Replaces what a box shows by large tiles of its mean colours, but for what is in `plain` as well. `rgb` has three
/// bytes a pixel, rows without gaps.
pub(super) fn hide(rgb: &mut [u8], size: (usize, usize), bbox: &BBox, plain: Option<&BBox>) {
    let Some([x1, y1, x2, y2]) = part(bbox, size) else { return };
    // Of what is seen of it, and of the whole box: neither a picture's edge nor somebody in front makes tiles finer.
    let whole = bbox.width().max(bbox.height()).min(size.0.max(size.1) as f32).ceil() as usize;
    let tile = whole.max(x2 - x1).max(y2 - y1).div_ceil(TILES).max(1);
    let plain = plain.and_then(|plain| part(plain, size)).unwrap_or_default();
    let (top, bottom) = (plain[1].clamp(y1, y2), plain[3].clamp(y1, y2));
    let (left, right) = (plain[0].clamp(x1, x2), plain[2].clamp(x1, x2));
    for rest in [[x1, y1, x2, top], [x1, bottom, x2, y2], [x1, top, left, bottom], [right, top, x2, bottom]] {
        tiles(rgb, size.0, rest, tile);
    }
}

/// Leaves of a whole picture what zones and lines can be drawn on.
pub fn coarse(rgb: &mut [u8], (width, height): (usize, usize)) {
    tiles(rgb, width, [0, 0, width, height], width.div_ceil(COARSE).max(1));
}

/// The pixels that a box touches; `None`: none.
fn part(bbox: &BBox, (width, height): (usize, usize)) -> Option<Part> {
    let inside = Some(bbox.clip(width as f32, height as f32)).filter(BBox::is_valid)?;
    let (x2, y2) = ((inside.x2.ceil() as usize).min(width), (inside.y2.ceil() as usize).min(height));
    Some([inside.x1 as usize, inside.y1 as usize, x2, y2])
}

fn tiles(rgb: &mut [u8], width: usize, [x1, y1, x2, y2]: Part, tile: usize) {
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
        hide(&mut rgb, (width, height), &BBox::new(12.0, 10.0, 36.0, 34.0), None);
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
            hide(&mut rgb, (width, height), &wild, None);
        }
    }

    #[test]
    fn what_is_in_a_plain_box_stays_and_the_rest_is_hidden() {
        let size = (48, 40);
        let noise: Vec<u8> = (0..size.0 * size.1).flat_map(|i| [(i * 89 % 251) as u8; 3]).collect();
        let bbox = BBox::new(10.0, 10.0, 40.0, 34.0);
        for plain in [
            BBox::new(20.0, 0.0, 30.0, 40.0),
            BBox::new(0.0, 15.0, 15.0, 20.0),
            BBox::new(18.0, 18.0, 20.0, 20.0),
            BBox::new(0.0, 0.0, 48.0, 40.0),
            BBox::new(0.0, 0.0, 5.0, 5.0),
        ] {
            let mut rgb = noise.clone();
            hide(&mut rgb, size, &bbox, Some(&plain));
            let (mut hidden, mut changed) = (0, 0);
            for (i, (now, before)) in rgb.chunks_exact(3).zip(noise.chunks_exact(3)).enumerate() {
                let (x, y) = ((i % size.0) as f32 + 0.5, (i / size.0) as f32 + 0.5);
                let within = |b: &BBox| (b.x1..b.x2).contains(&x) && (b.y1..b.y2).contains(&y);
                if within(&bbox) && !within(&plain) {
                    (hidden, changed) = (hidden + 1, changed + usize::from(now != before));
                } else {
                    assert_eq!(now, before, "{x} {y} {plain:?}");
                }
            }
            assert!(changed * 10 >= hidden * 9, "{changed} of {hidden} {plain:?}");
        }
    }

    #[test]
    fn a_whole_picture_has_few_tiles() {
        let (width, height) = (960, 540);
        let mut rgb: Vec<u8> = (0..width * height).flat_map(|i| [(i * 89 % 251) as u8; 3]).collect();
        coarse(&mut rgb, (width, height));
        let row = rgb.chunks_exact(3).take(width).collect::<Vec<_>>();
        assert!(row.windows(2).filter(|pair| pair[0] != pair[1]).count() < 64);
    }
}
