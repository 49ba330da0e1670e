//! Sightings from the tracks of a frame.

use std::time::Duration;

use super::{Gallery, Place, Sighting, TrackKey, quality};
use crate::types::geometry::BBox;
use crate::types::track::Track;

/// A box this near to the picture's edge is cut off by it, as share of the picture.
const EDGE: f32 = 0.01;

/// The tracks of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Camera id.
    pub camera: &'a str,
    /// Run in which the tracks began.
    pub run: u32,
    /// When it was taken, by one clock for all cameras.
    pub time: Duration,
    /// The same moment by the clock of the tracks' times.
    pub media_time: Duration,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// Boxes in pixels.
    pub tracks: &'a [Track],
    /// Names of the classes.
    pub labels: &'a [String],
}

impl Gallery {
    /// Takes in all tracks seen in a frame; `embedding` gives what the track at a place of the list looks like in it,
    /// where anybody looked. Predicted boxes are left out.
    pub fn see_frame<'a>(&mut self, frame: &Frame<'_>, embedding: impl Fn(usize) -> Option<&'a [f32]>) {
        let (width, height) = (frame.size.0.max(1) as f32, frame.size.1.max(1) as f32);
        for (at, track) in frame.tracks.iter().enumerate().filter(|(_, track)| !track.coasted) {
            let bbox = &track.bbox;
            let others = frame.tracks.iter().enumerate().filter(|(other, _)| *other != at);
            // Who stands lower in the picture stands nearer, and hides who is behind.
            let nearer = others.filter(|(_, other)| other.bbox.y2 > bbox.y2).map(|(_, other)| &other.bbox);
            let (mut covered, mut feet_hidden) = (0.0_f32, false);
            let feet = BBox::new(bbox.x1, bbox.y2 - 0.15 * bbox.height(), bbox.x2, bbox.y2);
            for other in nearer {
                covered = covered.max(share(bbox, other));
                feet_hidden |= share(&feet, other) > 0.3;
            }
            let beside = bbox.x1 < EDGE * width || bbox.x2 > (1.0 - EDGE) * width;
            let below = bbox.y2 > (1.0 - EDGE) * height;
            let at_edge = beside || below || bbox.y1 < EDGE * height;
            let place = Place {
                x: (bbox.x1 + bbox.x2) / 2.0 / width,
                y: bbox.y2 / width,
                height: bbox.height() / width,
                feet: !beside && !below && !feet_hidden,
            };
            self.see(&Sighting {
                track: &TrackKey { camera: frame.camera.to_owned(), run: frame.run, number: track.number },
                time: frame.time,
                since: frame.time.saturating_sub(frame.media_time.saturating_sub(track.first_seen)),
                label: frame.labels.get(usize::from(track.class)).map_or("", String::as_str),
                embedding: embedding(at),
                quality: quality(track.score, bbox.height(), covered, at_edge),
                place: Some(place),
            });
        }
    }
}

/// How much of `bbox` lies in `other`, 0..1.
fn share(bbox: &BBox, other: &BBox) -> f32 {
    let width = (bbox.x2.min(other.x2) - bbox.x1.max(other.x1)).max(0.0);
    let height = (bbox.y2.min(other.y2) - bbox.y1.max(other.y1)).max(0.0);
    width * height / bbox.area().max(f32::MIN_POSITIVE)
}
