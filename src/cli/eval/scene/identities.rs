//! Embeddings of one site's tracks: whose they are, and who is taken for whom.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::bad;
use super::super::predictions::xywh;
use crate::eval::boxes::iou;
use crate::eval::cross_camera::View;
use crate::eval::reid;
use crate::eval::tracking::{Frames, Object};
use crate::eval::truth::streetscene::Row;
use crate::pipeline::FrameResult;
use crate::tracking::identity::{self, Gallery, Model, Settings, TrackKey};
use crate::types::track::Track;

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
    sheets: BTreeMap<View, Sheet>,
}

struct Look {
    camera: String,
    /// The subject, where it is clear.
    identity: Option<u64>,
    embedding: Vec<f32>,
}

/// The tracks of one frame.
struct Sheet {
    time: Duration,
    media_time: Duration,
    size: (u32, u32),
    tracks: Vec<Track>,
    /// By track: which of the looks.
    looks: Vec<Option<usize>>,
}

/// Boxes with the identity of their track, instead of its number.
#[derive(Default)]
pub(super) struct Found {
    /// As it was believed when the frame came.
    pub(super) online: Frames<View>,
    /// As it was believed at the end, after all merges and splits.
    pub(super) at_end: Frames<View>,
}

impl Looks {
    pub(super) fn add(&mut self, row: &Row, result: &FrameResult) {
        let mut sheet = Sheet {
            time: Duration::from_secs_f64(row.time_s.max(0.0)),
            media_time: result.meta.media_time,
            size: (result.meta.width, result.meta.height),
            tracks: result.objects.tracks().to_vec(),
            looks: Vec::new(),
        };
        for (at, track) in result.objects.tracks().iter().enumerate() {
            let embedding = result.objects.embedding(at);
            sheet.looks.push(embedding.map(|_| self.looks.len()));
            let Some(embedding) = embedding else { continue };
            let bbox = xywh(&track.bbox);
            let seen = row.objects.iter().filter(|seen| seen.class == PERSON.0);
            let best = seen.map(|seen| (iou(&bbox, &seen.bbox(), false), seen)).max_by(|a, b| a.0.total_cmp(&b.0));
            let clear = best.filter(|(overlap, seen)| *overlap >= SAME && seen.visibility >= CLEARLY_VISIBLE);
            self.looks.push(Look {
                camera: row.camera.clone(),
                identity: clear.map(|(_, seen)| seen.identity),
                embedding: embedding.to_vec(),
            });
        }
        self.sheets.insert((row.camera.clone(), row.frame), sheet);
    }

    /// Each box with its identity, all cameras together in order of time; `None` without embeddings. A track ends as
    /// it does live: `max_gap` after it was last seen. `labels` are those of the detector.
    pub(super) fn identities(
        &self,
        tracks: &BTreeMap<String, Frames>,
        max_gap: Duration,
        labels: &[String],
    ) -> Option<Found> {
        let dim = self.looks.first()?.embedding.len();
        let key = |camera: &str, number| TrackKey { camera: camera.to_owned(), run: 1, number };
        let mut last_seen: BTreeMap<TrackKey, Duration> = BTreeMap::new();
        let mut order: Vec<(&View, &Sheet)> = self.sheets.iter().collect();
        order.sort_by_key(|((camera, frame), sheet)| (sheet.time, *frame, camera.as_str()));
        let mut gallery = Gallery::new(Settings::default(), Model { digest: String::new(), dim });
        let cameras: Vec<&String> = tracks.keys().collect();
        // Before a track is taken for anybody it is somebody of its own.
        let nobody = |camera: &str, number| {
            let at = cameras.iter().position(|other| *other == camera).unwrap_or(cameras.len()) as u64;
            ((at + 1) << 40) + number
        };
        let boxes = |gallery: &Gallery, view: &View| -> Vec<_> {
            let objects = tracks.get(&view.0).and_then(|frames| frames.get(&view.1)).into_iter().flatten();
            let people = objects.filter(|object| object.class == PERSON.1);
            people
                .map(|object| {
                    let known = gallery.identity(&key(&view.0, object.id));
                    Object { id: known.map_or(nobody(&view.0, object.id), |known| known.identity), ..*object }
                })
                .collect()
        };
        let mut found = Found::default();
        for (view, sheet) in order {
            let over: Vec<_> = last_seen
                .iter()
                .filter(|(_, seen)| **seen + max_gap < sheet.time)
                .map(|(key, _)| key.clone())
                .collect();
            for key in over {
                last_seen.remove(&key);
                gallery.end(&key);
            }
            for track in sheet.tracks.iter().filter(|track| !track.coasted) {
                last_seen.insert(key(&view.0, track.number), sheet.time);
            }
            let frame = identity::Frame {
                camera: &view.0,
                run: 1,
                time: sheet.time,
                media_time: sheet.media_time,
                size: sheet.size,
                tracks: &sheet.tracks,
                labels,
            };
            gallery.see_frame(&frame, |at| {
                let look = sheet.looks.get(at).copied().flatten()?;
                Some(self.looks.get(look)?.embedding.as_slice())
            });
            gallery.advance(sheet.time);
            found.online.insert(view.clone(), boxes(&gallery, view));
        }
        gallery.settle();
        for view in self.sheets.keys() {
            found.at_end.insert(view.clone(), boxes(&gallery, view));
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
    use crate::types::geometry::BBox;

    #[test]
    fn a_track_has_no_identity_before_it_was_given_one() {
        let second = |frame: u64| Duration::from_millis(100 * frame);
        let mut looks = Looks::default();
        for (frame, numbers) in (1..=10).map(|at| (at, 1..=if at < 8 { 1 } else { 2 })).chain([(41, 2..=2)]) {
            let track = |number| Track {
                number,
                class: 0,
                bbox: BBox::new(10.0, 10.0, 50.0, 110.0),
                score: 0.9,
                top_score: 0.9,
                median_score: 0.9,
                first_seen: second(frame),
                last_seen: second(frame),
                coasted: false,
                stationary: false,
            };
            let tracks: Vec<_> = numbers.map(track).collect();
            let first = looks.looks.len();
            let embedding = vec![1.0, 0.0];
            let of = |_: &Track| Look { camera: "a".to_owned(), identity: None, embedding: embedding.clone() };
            looks.looks.extend(tracks.iter().map(of));
            let sheet = Sheet {
                time: second(frame),
                media_time: second(frame),
                size: (640, 360),
                looks: (0..tracks.len()).map(|at| Some(first + at)).collect(),
                tracks,
            };
            looks.sheets.insert(("a".to_owned(), frame), sheet);
        }
        let object = |id| Object { id, class: 1, bbox: [0.0, 0.0, 1.0, 1.0], ignore: false };
        let mut frames = Frames::new();
        for frame in 1..=10 {
            frames.insert(frame, if frame < 8 { vec![object(1)] } else { vec![object(1), object(2)] });
        }
        frames.insert(41, vec![object(2)]);
        let labels = ["person".to_owned()];
        let found = looks.identities(&[("a".to_owned(), frames)].into(), Duration::from_secs(2), &labels).unwrap();
        let ids = |frame| found.online[&("a".to_owned(), frame)].iter().map(|object| object.id).collect::<Vec<_>>();
        assert!(ids(1)[0] > 1 << 40, "nobody yet");
        assert_eq!(ids(9)[0], 1);
        assert_ne!(ids(9)[1], 1, "two at once are two");
        assert_eq!(found.at_end[&("a".to_owned(), 1)][0].id, 1, "afterwards it is known who that was");
    }
}
