//! Zones and lines against exact truth: ten minutes of four crowded cameras of streetscene's plaza, with tracks as a
//! tracker of middling quality would give them.

#![allow(clippy::unwrap_used)]

#[path = "support/places.rs"]
mod places;
#[path = "support/plaza/mod.rs"]
mod plaza;

use std::time::Duration;

use plaza::score::{Score, engine};
use plaza::tracker::{Noise, observe};

fn judge(noise: &Noise) -> Score {
    let mut score = Score::default();
    for (number, camera) in plaza::crowded().iter().enumerate() {
        let frames = observe(camera, noise, number as u64);
        score.add(camera, &engine(camera, &frames));
    }
    score
}

#[test]
fn with_the_true_boxes_everything_is_counted_and_in_time() {
    let score = judge(&Noise::NONE);
    println!("true boxes\n{score}");
    score.assert_counts(0.01, 0.003);
    score.assert_in_time(&["in", "out", "enter", "exit"], Duration::from_millis(200));
}

/// One frame in twenty without a detection, boxes that tremble, people hidden behind others, and a new number for
/// each track every fifty seconds and after every third long time in hiding.
#[test]
fn with_flicker_jitter_occlusion_and_id_switches_counts_are_within_one_percent_and_two_frames() {
    let score = judge(&Noise::MIDDLING);
    println!("noisy tracks\n{score}");
    score.assert_counts(0.01, 0.015);
    score.assert_in_time(&["in", "out"], Duration::from_millis(200));
    score.assert_in_time(&["enter", "exit"], Duration::from_millis(800));
}
