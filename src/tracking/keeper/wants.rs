//! Whose looks would help.

use super::{Input, Keeper};
use crate::types::camera_motion::CameraMotion;
use crate::types::geometry::BBox;

/// An overlap that makes a track a candidate.
const CANDIDATE: f32 = 0.1;
/// A detection that overlaps every track less is new.
const NEW: f32 = 0.3;
/// The second best is a rival from this share of the best up.
const RIVAL: f32 = 0.4;

/// A track that may claim a detection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    bbox: BBox,
    class: u16,
    stale: bool,
}

impl Keeper {
    /// Puts into `wanted` those detections that two tracks may claim, then those that none does, then those of
    /// tracks whose looks are unknown or old.
    pub(super) fn useful(&mut self, input: &Input<'_>, wanted: &mut Vec<usize>) {
        wanted.clear();
        self.useful.clear();
        let s = &self.settings;
        let t = s.seconds(self.elapsed(input.time));
        let camera = input.camera_motion.or_none();
        self.candidates.clear();
        self.candidates.extend(self.subjects.iter().map(|subject| {
            let mut motion = subject.motion;
            if camera != CameraMotion::NONE {
                motion.follow(&camera);
            }
            motion.cx.x += t * motion.cx.v;
            motion.cy.x += t * motion.cy.v;
            let old = s.over(input.time.saturating_sub(subject.looked), s.looks_stale_s);
            Candidate { bbox: motion.bbox(), class: subject.track.class, stale: old || subject.looks.is_none() }
        }));
        for (place, d) in input.detections.iter().enumerate() {
            // NaN is not above anything.
            if !(d.score >= s.high * self.usual.score(d.class, s) && d.bbox.is_valid()) {
                continue;
            }
            let (mut best, mut second, mut stale) = (0.0_f32, 0.0_f32, true);
            for candidate in self.candidates.iter().filter(|candidate| candidate.class == d.class) {
                let iou = candidate.bbox.iou(&d.bbox);
                if iou > best {
                    (best, second, stale) = (iou, best, candidate.stale);
                } else {
                    second = second.max(iou);
                }
            }
            let use_of = if second > CANDIDATE && second > RIVAL * best {
                3.0 + second
            } else if best < NEW {
                2.0 + d.score.min(1.0) / 2.0
            } else if stale {
                1.0 + d.score.min(1.0) / 2.0
            } else {
                continue;
            };
            self.useful.push((use_of, place));
        }
        let boxes = |place: usize| {
            let b = input.detections[place].bbox;
            [b.x1, b.y1, b.x2, b.y2]
        };
        self.useful.sort_unstable_by(|a, b| {
            let sides = boxes(a.1).into_iter().zip(boxes(b.1)).map(|(a, b)| a.total_cmp(&b));
            b.0.total_cmp(&a.0).then(sides.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then))
        });
        wanted.extend(self.useful.iter().map(|(_, place)| *place));
    }
}
