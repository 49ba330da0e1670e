//! Boxes `[x, y, w, h]`.

/// Left, top, width, height. The origin is the picture's top left corner, the unit a pixel.
pub type Xywh = [f64; 4];

/// Area of a box; 0 or less for a box that is empty or inverted.
#[must_use]
pub fn area(b: &Xywh) -> f64 {
    b[2] * b[3]
}

/// Area that two boxes share.
#[must_use]
pub fn intersection(a: &Xywh, b: &Xywh) -> f64 {
    let w = (a[0] + a[2]).min(b[0] + b[2]) - a[0].max(b[0]);
    let h = (a[1] + a[3]).min(b[1] + b[3]) - a[1].max(b[1]);
    if w <= 0.0 || h <= 0.0 { 0.0 } else { w * h }
}

/// Intersection over union, 0..1. With `crowd`, `b` is a region that holds many: intersection over the area of `a`
/// (COCO API, `bbIou`).
#[must_use]
pub fn iou(a: &Xywh, b: &Xywh, crowd: bool) -> f64 {
    let shared = intersection(a, b);
    if shared <= 0.0 {
        return 0.0;
    }
    shared / if crowd { area(a) } else { area(a) + area(b) - shared }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_measured_by_the_box_inside_it() {
        let (small, large) = ([10.0, 10.0, 10.0, 10.0], [0.0, 0.0, 100.0, 15.0]);
        assert_eq!(iou(&small, &large, true), 0.5);
        assert!((iou(&small, &large, false) - 50.0 / 1550.0).abs() < 1e-12);
    }

    #[test]
    fn empty_and_touching_boxes_share_nothing() {
        assert_eq!(iou(&[0.0; 4], &[0.0; 4], false), 0.0);
        assert_eq!(iou(&[0.0, 0.0, 5.0, 5.0], &[5.0, 0.0, 5.0, 5.0], false), 0.0);
        assert_eq!(iou(&[0.0, 0.0, -5.0, -5.0], &[-5.0, -5.0, 5.0, 5.0], false), 0.0);
    }
}
