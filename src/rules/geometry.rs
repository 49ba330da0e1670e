//! Points, boxes and polygons, 0..1 of the frame.

use crate::config::Anchor;
use crate::types::geometry::BBox;

/// The point of a box that says where its subject is.
#[must_use]
pub fn anchor(bbox: &BBox, anchor: Anchor) -> [f32; 2] {
    let (x, y) = bbox.centre();
    match anchor {
        Anchor::Bottom => [x, bbox.y2],
        Anchor::Centre => [x, y],
        Anchor::Top => [x, bbox.y1],
        Anchor::Left => [bbox.x1, y],
        Anchor::Right => [bbox.x2, y],
    }
}

/// Is the point inside? Even-odd rule; a point on an edge that two polygons share is in one of them only.
#[must_use]
pub fn contains(polygon: &[[f32; 2]], [x, y]: [f32; 2]) -> bool {
    let mut inside = false;
    let mut last = match polygon.last() {
        Some(last) => *last,
        None => return false,
    };
    for corner in polygon {
        let ([x1, y1], [x2, y2]) = (last, *corner);
        if (y1 > y) != (y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1 {
            inside = !inside;
        }
        last = *corner;
    }
    inside
}

/// Distance of a point to a polygon's outline, in heights of a picture that is `aspect` times as wide as high;
/// infinite where there is no outline.
#[must_use]
pub fn distance(polygon: &[[f32; 2]], [x, y]: [f32; 2], aspect: f32) -> f32 {
    let mut nearest = f32::INFINITY;
    let Some(mut last) = polygon.last() else { return nearest };
    for corner in polygon {
        let way = [(corner[0] - last[0]) * aspect, corner[1] - last[1]];
        let to = [(x - last[0]) * aspect, y - last[1]];
        let length = way[0] * way[0] + way[1] * way[1];
        let along = if length > 0.0 { ((to[0] * way[0] + to[1] * way[1]) / length).clamp(0.0, 1.0) } else { 0.0 };
        nearest = nearest.min((to[0] - along * way[0]).hypot(to[1] - along * way[1]));
        last = corner;
    }
    nearest
}
