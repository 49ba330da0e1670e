//! Zones and lines behind the project's own tracker: true boxes of streetscene's plaza with what detectors make of them
//! (missed, trembling, hidden behind others), followed by keeper, beside exact truth.
//!
//! What is missed here and not in `rules_truth.rs` was never a track: keeper begins none for a box that lies within
//! another one of its class, and takes two people for one who come in behind each other.

#![allow(clippy::unwrap_used)]

#[path = "support/places.rs"]
mod places;
#[path = "support/plaza/mod.rs"]
mod plaza;

use std::time::Duration;

use plaza::score::{Score, engine};
use plaza::tracker::{Noise, detect};
use watchkeeper::config::Tracking;
use watchkeeper::tracking::{self, Input};
use watchkeeper::types::detection::Detection;
use watchkeeper::types::observation::{Observation, Seen, fixed_box, fixed_score};

/// What keeper makes of detections.
fn follow(camera: &plaza::Watched, noise: &Noise, seed: u64) -> Vec<Observation> {
    let size = (camera.info.width, camera.info.height);
    let mut tracker = tracking::new(&Tracking::default());
    let frames = detect(camera, noise, seed);
    let follow = |(k, boxes): (usize, &Vec<plaza::tracker::Found>)| {
        let time = Duration::from_millis(100 * k as u64);
        let detection =
            |found: &plaza::tracker::Found| Detection { bbox: found.bbox, score: found.score, class: found.class };
        let detections: Vec<Detection> = boxes.iter().map(detection).collect();
        let input = Input { size: Some(size), ..Input::new(time, &detections) };
        let seen = tracker.update(&input).iter().map(|track| Seen {
            number: track.number,
            class: track.class,
            bbox: fixed_box(&track.bbox, size),
            score: fixed_score(track.score),
            top_score: fixed_score(track.top_score),
            median_score: fixed_score(track.median_score),
            first_seen: track.first_seen,
            coasted: track.coasted,
            stationary: track.stationary,
            posture: None,
        });
        let mut frame = places::frame(time, seen.collect());
        frame.ended.extend(tracker.ended().iter().map(|ended| (ended.track.number, ended.reason)));
        frame
    };
    frames.iter().enumerate().map(follow).collect()
}

fn judge(noise: &Noise) -> (Score, u64) {
    let (mut score, mut tracks) = (Score::default(), 0);
    for (number, camera) in plaza::crowded().iter().enumerate() {
        let frames = follow(camera, noise, number as u64);
        tracks += frames.iter().flat_map(|frame| &frame.tracks).map(|track| track.number).max().unwrap_or(0);
        score.add(camera, &engine(camera, &frames));
    }
    (score, tracks)
}

#[test]
fn behind_keeper_counts_of_true_boxes_are_within_three_percent_and_in_time() {
    let (score, tracks) = judge(&Noise::NONE);
    println!("true boxes, {tracks} tracks\n{score}");
    score.assert_counts(0.03, 0.035);
    score.assert_in_time(&["in", "out"], Duration::from_millis(200));
}

#[test]
fn behind_keeper_counts_of_noisy_detections_are_within_three_percent() {
    let (score, tracks) = judge(&Noise::MIDDLING);
    let true_ones: usize = plaza::crowded().iter().map(|camera| camera.stays.len()).sum();
    println!("noisy detections, {tracks} tracks of {true_ones}\n{score}");
    score.assert_counts(0.03, 0.045);
}
