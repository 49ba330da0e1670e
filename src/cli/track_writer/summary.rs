//! JSON Lines of the schema `track-summary/1`: one object a track, when it has ended.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use super::path::{self, Path, Point};
use super::{Crops, Recording};
use crate::pipeline::FrameResult;
use crate::types::embedding::normalise;
use crate::types::track::{EndReason, Track};

/// Frames whose times are known: a track is told of some frames after its first detection.
const TIMES: usize = 1024;
/// Steps of a score.
const STEPS: usize = 1000;
/// A subject that stays is detected a little here and a little there, and its feet are hidden at times: its path is told
/// to this share of its height.
const JITTER: f64 = 0.1;

/// What is said of a track.
#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    id: u64,
    label: &'a str,
    /// Media time of the first and the latest detection, seconds.
    start_s: f64,
    end_s: f64,
    start_frame: u64,
    end_frame: u64,
    /// A word of [`EndReason`], or `end-of-recording`.
    end_reason: &'static str,
    /// Of all frames since it was first told of up to `end_frame`.
    seen_frames: u64,
    seen_share: f64,
    /// Over its whole life.
    median_score: f64,
    top_score: f64,
    stationary_share: f64,
    /// Along the path, in pixels and in heights of its box: the latter means the same near and far.
    distance_px: f64,
    distance_heights: f64,
    /// `[time, x, y]` of the middle of the lower edge of its box: seconds and pixels.
    path: Vec<[f64; 3]>,
    /// Best picture, in the folder of --crops.
    #[serde(skip_serializing_if = "Option::is_none")]
    crop: Option<CropOf<'a>>,
    /// Mean of its embeddings, of length 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Vec<f64>>,
}

#[derive(Serialize)]
struct CropOf<'a> {
    file: &'a str,
    frame: u64,
    time_s: f64,
    #[serde(rename = "box")]
    bbox: [f64; 4],
}

/// Tracks that have not ended yet.
#[derive(Default)]
pub(super) struct Summaries {
    live: BTreeMap<u64, Life>,
    times: VecDeque<(Duration, u64)>,
    frames: u64,
    /// Run and size of the frame before.
    before: Option<(u32, u32, u32)>,
}

/// What is kept of a track.
struct Life {
    latest: Track,
    start_frame: u64,
    end_frame: u64,
    /// By count of frames: first told of, latest seen.
    told: u64,
    seen_at: u64,
    seen: u64,
    stationary: u64,
    heights: f64,
    /// How many scores are on each step.
    scores: Box<[u32; STEPS + 1]>,
    path: Path,
    /// Sum, and how many.
    embeddings: (Vec<f32>, u32),
}

impl Summaries {
    /// Takes in a frame; `line` gets those that ended.
    pub(super) fn frame(
        &mut self,
        line: &mut String,
        result: &FrameResult,
        recording: &Recording,
        crops: Option<&Crops>,
    ) {
        let meta = &result.meta;
        let now = (meta.run, meta.width, meta.height);
        if self.before.is_some_and(|before| before != now) {
            // The tracker began anew before it saw this frame; what it goes on with it tells again.
            for number in self.live.keys().copied().collect::<Vec<_>>() {
                if !result.objects.tracks().iter().any(|track| track.number == number) {
                    self.end(line, number, EndReason::Reset.name(), recording, crops);
                }
            }
        }
        self.before = Some(now);
        self.frames += 1;
        if self.times.len() == TIMES {
            self.times.pop_front();
        }
        self.times.push_back((meta.media_time, meta.seq));
        for (at, track) in result.objects.tracks().iter().enumerate() {
            let (frames, seq) = (self.frames, meta.seq);
            let times = &self.times;
            let life = self.live.entry(track.number).or_insert_with(|| {
                let first = times.iter().find(|(time, _)| *time == track.first_seen).map_or(seq, |(_, seq)| *seq);
                Life::new(track, first, frames)
            });
            life.see(track, seq, frames);
            if let Some(embedding) = result.objects.embedding(at) {
                life.look(embedding);
            }
        }
        for ended in &result.ended {
            self.end(line, ended.track.number, ended.reason.name(), recording, crops);
        }
    }

    /// Those that are left, in order of their numbers.
    pub(super) fn finish(&mut self, line: &mut String, recording: &Recording, crops: Option<&Crops>) {
        for number in self.live.keys().copied().collect::<Vec<_>>() {
            self.end(line, number, "end-of-recording", recording, crops);
        }
    }

    fn end(
        &mut self,
        line: &mut String,
        number: u64,
        end_reason: &'static str,
        recording: &Recording,
        crops: Option<&Crops>,
    ) {
        let Some(life) = self.live.remove(&number) else { return };
        let summary = life.summary(end_reason, recording, crops);
        // Every number is finite, and keys are words.
        if let Ok(text) = serde_json::to_string(&summary) {
            line.push_str(&text);
            line.push('\n');
        }
    }
}

impl Life {
    fn new(track: &Track, start_frame: u64, frames: u64) -> Self {
        Self {
            latest: *track,
            start_frame,
            end_frame: start_frame,
            told: frames,
            seen_at: frames,
            seen: 0,
            stationary: 0,
            heights: 0.0,
            scores: Box::new([0; STEPS + 1]),
            path: Path::default(),
            embeddings: (Vec::new(), 0),
        }
    }

    fn see(&mut self, track: &Track, seq: u64, frames: u64) {
        self.latest = *track;
        if track.coasted {
            return;
        }
        (self.end_frame, self.seen_at) = (seq, frames);
        self.seen += 1;
        self.stationary += u64::from(track.stationary);
        let step = (f64::from(track.score) * STEPS as f64).round().clamp(0.0, STEPS as f64);
        self.scores[step as usize] += 1;
        let b = track.bbox;
        self.heights += f64::from(b.height());
        let (t, x, y) = (track.last_seen.as_secs_f64(), f64::from(b.centre().0), f64::from(b.y2));
        self.path.push(Point { t, x, y });
    }

    fn look(&mut self, embedding: &[f32]) {
        let (sum, count) = &mut self.embeddings;
        if sum.len() != embedding.len() {
            // Another model looks now.
            (*sum, *count) = (vec![0.0; embedding.len()], 0);
        }
        sum.iter_mut().zip(embedding).for_each(|(sum, value)| *sum += value);
        *count += 1;
    }

    fn median_score(&self) -> f64 {
        let mut below = 0;
        let half = self.seen.div_ceil(2).max(1);
        let step = self.scores.iter().position(|count| {
            below += u64::from(*count);
            below >= half
        });
        step.unwrap_or(0) as f64 / STEPS as f64
    }

    fn summary<'a>(self, end_reason: &'static str, recording: &'a Recording, crops: Option<&'a Crops>) -> Summary<'a> {
        let track = self.latest;
        let height = self.heights / self.seen.max(1) as f64;
        let points = self.path.thinned((JITTER * height).max(1.0));
        let distance = path::length(&points);
        let median_score = self.median_score();
        let crop = crops.and_then(|crops| crops.of(track.number)).map(|crop| CropOf {
            file: &crop.file,
            frame: crop.frame,
            time_s: rounded(crop.time_s, 6),
            bbox: [crop.bbox.x1, crop.bbox.y1, crop.bbox.x2, crop.bbox.y2].map(|edge| rounded(edge.into(), 2)),
        });
        let (mut mean, count) = self.embeddings;
        let sound = count > 0 && normalise(&mut mean);
        Summary {
            schema: "track-summary/1",
            id: track.number,
            label: recording.label(track.class),
            start_s: rounded(track.first_seen.as_secs_f64(), 6),
            end_s: rounded(track.last_seen.as_secs_f64(), 6),
            start_frame: self.start_frame,
            end_frame: self.end_frame,
            end_reason,
            seen_frames: self.seen,
            seen_share: rounded(self.seen as f64 / (self.seen_at - self.told + 1) as f64, 4),
            median_score: rounded(median_score, 3),
            top_score: rounded(track.top_score.into(), 4),
            stationary_share: rounded(self.stationary as f64 / self.seen.max(1) as f64, 4),
            distance_px: rounded(distance, 1),
            distance_heights: rounded(if height > 0.0 { distance / height } else { 0.0 }, 2),
            path: points.iter().map(|p| [rounded(p.t, 3), rounded(p.x, 1), rounded(p.y, 1)]).collect(),
            crop,
            embedding: sound.then(|| mean.into_iter().map(|value| rounded(value.into(), 5)).collect()),
        }
    }
}

/// Fixed decimals, so that files can be compared.
fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::types::geometry::BBox;

    fn track(score: f32, frame: u64) -> Track {
        let time = Duration::from_millis(100 * frame);
        Track {
            number: 7,
            class: 0,
            bbox: BBox::new(10.0, 10.0, 30.0, 50.0),
            score,
            top_score: 0.9,
            median_score: score,
            first_seen: Duration::ZERO,
            last_seen: time,
            coasted: false,
            stationary: frame > 2,
        }
    }

    #[test]
    fn a_life_is_summed_up_from_the_frames_it_was_seen_in() {
        let mut life = Life::new(&track(0.9, 1), 0, 1);
        for (frame, score) in [(1, 0.9), (2, 0.1), (3, 0.5), (5, 0.6)] {
            life.see(&track(score, frame), frame, frame);
        }
        life.see(&Track { coasted: true, ..track(0.2, 6) }, 6, 6);
        life.look(&[1.0, 0.0]);
        life.look(&[0.0, 1.0]);
        let recording = Recording { name: "a.mp4".to_owned(), labels: ["person".to_owned()].into() };
        let summary = life.summary("left", &recording, None);
        assert_eq!((summary.median_score, summary.seen_frames, summary.end_frame), (0.5, 4, 5), "the lower of two");
        assert_eq!((summary.seen_share, summary.stationary_share), (0.8, 0.5));
        assert_eq!((summary.label, summary.distance_px, summary.path.len()), ("person", 0.0, 2));
        let half = summary.embedding.unwrap();
        assert!(half.len() == 2 && half.iter().all(|v| (v * v - 0.5).abs() < 1e-4), "{half:?}");
    }
}
