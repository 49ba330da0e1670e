//! Embeddings of one site's tracks: whose they are, and who is taken for whom.

use std::collections::BTreeMap;

use super::super::bad;
use super::super::predictions::xywh;
use crate::eval::boxes::iou;
use crate::eval::cross_camera::View;
use crate::eval::reid;
use crate::eval::tracking::Frames;
use crate::eval::truth::streetscene::Row;
use crate::pipeline::FrameResult;
use crate::tracking::identity::{Gallery, Likeness, TrackKey};

/// Least visible share of a subject whose crop is judged.
const CLEARLY_VISIBLE: f64 = 0.5;
/// Least overlap of a track's box and the subject it is taken for.
const SAME: f64 = 0.5;
/// Crops of one subject by one camera that are judged, spread over its stay.
const MOST_CROPS: usize = 10;
/// The class that ReID is for, and its number.
const PERSON: (&str, u32) = ("person", 1);

/// All embeddings of one site.
#[derive(Default)]
pub(super) struct Looks {
    looks: Vec<Look>,
    /// Time of each frame, seconds.
    times: BTreeMap<u64, f64>,
}

struct Look {
    frame: u64,
    camera: String,
    track: u64,
    /// The subject, where it is clear.
    identity: Option<u64>,
    embedding: Vec<f32>,
}

impl Looks {
    pub(super) fn add(&mut self, row: &Row, result: &FrameResult) {
        self.times.insert(row.frame, row.time_s);
        for (at, track) in result.objects.tracks().iter().enumerate() {
            let Some(embedding) = result.objects.embedding(at) else { continue };
            let bbox = xywh(&track.bbox);
            let seen = row.objects.iter().filter(|seen| seen.class == PERSON.0);
            let best = seen.map(|seen| (iou(&bbox, &seen.bbox(), false), seen)).max_by(|a, b| a.0.total_cmp(&b.0));
            let clear = best.filter(|(overlap, seen)| *overlap >= SAME && seen.visibility >= CLEARLY_VISIBLE);
            self.looks.push(Look {
                frame: row.frame,
                camera: row.camera.clone(),
                track: track.number,
                identity: clear.map(|(_, seen)| seen.identity),
                embedding: embedding.to_vec(),
            });
        }
    }

    /// Each track's box with the identity that the gallery has given it by then, all cameras together in order of
    /// time; `None` without embeddings. A track frees its identity as it does live: `max_gap_s` after it was last seen.
    pub(super) fn identities(&self, tracks: &BTreeMap<String, Frames>, max_gap_s: f64) -> Option<Frames<View>> {
        if self.looks.is_empty() {
            return None;
        }
        let key = |camera: &str, number| TrackKey { camera: camera.to_owned(), run: 1, number };
        let time = |frame: &u64| self.times.get(frame).copied().unwrap_or_default();
        let mut last_seen: BTreeMap<(&str, u64), f64> = BTreeMap::new();
        for (camera, frames) in tracks {
            for (frame, objects) in frames {
                objects.iter().for_each(|object| _ = last_seen.insert((camera, object.id), time(frame)));
            }
        }
        let mut order: Vec<&Look> = self.looks.iter().collect();
        order.sort_by_key(|look| look.frame);
        let mut ends: Vec<_> = last_seen.into_iter().map(|(track, time)| (time + max_gap_s, track)).collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (mut ends, mut given) = (ends.into_iter().peekable(), BTreeMap::new());
        let mut gallery = Gallery::new(Likeness::default());
        for look in order {
            while let Some((_, (camera, number))) = ends.next_if(|(end, _)| *end < time(&look.frame)) {
                gallery.end(&key(camera, number));
            }
            if let Some(identity) = gallery.look(&key(&look.camera, look.track), &look.embedding) {
                given.entry((look.camera.as_str(), look.track)).or_insert((look.frame, identity));
            }
        }
        let mut found = Frames::new();
        for (at, (camera, frames)) in (1_u64..).zip(tracks) {
            for (frame, objects) in frames {
                let mut objects: Vec<_> = objects.iter().filter(|object| object.class == PERSON.1).copied().collect();
                for object in &mut objects {
                    // Before a track is taken for anybody it is somebody of its own.
                    let nobody = (at << 40) + object.id;
                    let known = given.get(&(camera.as_str(), object.id)).filter(|(since, _)| since <= frame);
                    object.id = known.map_or(nobody, |(_, identity)| *identity);
                }
                found.insert((camera.clone(), *frame), objects);
            }
        }
        Some(found)
    }
}

/// ReID scores of several sites; who is looked for is looked for on his own site.
#[derive(Default)]
pub(super) struct Scored(Vec<reid::Scores>);

impl Scored {
    pub(super) fn add(&mut self, looks: &Looks) -> anyhow::Result<()> {
        let mut of: BTreeMap<(u64, &str), Vec<&Look>> = BTreeMap::new();
        for look in &looks.looks {
            if let Some(identity) = look.identity {
                of.entry((identity, &look.camera)).or_default().push(look);
            }
        }
        let cameras: Vec<&str> = of.keys().map(|(_, camera)| *camera).collect();
        let number = |camera: &str| cameras.iter().position(|other| *other == camera).unwrap_or(0) as u32;
        let mut views = Vec::new();
        for ((identity, camera), looks) in &of {
            let step = looks.len().div_ceil(MOST_CROPS);
            let camera = number(camera);
            views.extend(looks.iter().step_by(step.max(1)).map(|look| reid::View {
                embedding: &look.embedding,
                identity: *identity,
                camera,
            }));
        }
        self.0.extend(reid::evaluate(&views, &views).map_err(bad)?);
        Ok(())
    }

    /// Every query counts the same; `None` without any.
    pub(super) fn mean(&self) -> Option<reid::Scores> {
        let queries: usize = self.0.iter().map(|scores| scores.queries).sum();
        let mean = |of: fn(&reid::Scores) -> f64| {
            self.0.iter().map(|scores| of(scores) * scores.queries as f64).sum::<f64>() / queries as f64
        };
        (queries > 0).then(|| reid::Scores {
            rank1: mean(|scores| scores.rank1),
            rank5: mean(|scores| scores.rank5),
            rank10: mean(|scores| scores.rank10),
            map: mean(|scores| scores.map),
            queries,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::eval::tracking::Object;

    #[test]
    fn a_track_has_no_identity_before_it_was_given_one() {
        let look =
            |frame, track| Look { frame, camera: "a".to_owned(), track, identity: None, embedding: vec![1.0, 0.0] };
        let looks = Looks {
            looks: vec![look(1, 1), look(2, 1), look(3, 1), look(8, 2), look(40, 2), look(41, 2)],
            times: (1..=50).map(|frame| (frame, frame as f64 / 10.0)).collect(),
        };
        let object = |id| Object { id, class: 1, bbox: [0.0, 0.0, 1.0, 1.0], ignore: false };
        let mut frames = Frames::new();
        for frame in 1..=10 {
            frames.insert(frame, if frame < 8 { vec![object(1)] } else { vec![object(1), object(2)] });
        }
        frames.insert(41, vec![object(2)]);
        let found = looks.identities(&[("a".to_owned(), frames)].into(), 2.0).unwrap();
        let ids = |frame| found[&("a".to_owned(), frame)].iter().map(|object| object.id).collect::<Vec<_>>();
        assert_eq!(ids(3), [1]);
        assert_eq!(ids(9)[0], 1);
        assert_ne!(ids(9)[1], 1, "two at once are two");
        assert_eq!(ids(41), [1], "who left may have come back");
    }
}
