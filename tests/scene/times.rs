//! How many frames there are, and what the camera's clock shows.

use std::time::Duration;

use watchkeeper::config::Scene;
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::time::Clock;

use crate::watch::{Told, Watched};

fn at_least(min_fps: f32) -> Watched {
    Watched::new(Scene { min_fps: Some(min_fps), ..Scene::default() })
}

/// Frames a second, for so many seconds.
fn frames(watched: &mut Watched, fps: f64, seconds: f64) {
    for _ in 0..(fps * seconds) as usize {
        watched.pass(1.0 / fps, 1);
        watched.see(None);
    }
}

#[track_caller]
fn whole(watched: &Watched, what: EventType) -> (Told, Told) {
    let [start, end] = &watched.told[..] else { panic!("{:?}", watched.story()) };
    assert_eq!((start.what, start.phase, end.what, end.phase), (what, Phase::Start, what, Phase::End));
    (start.clone(), end.clone())
}

#[test]
fn too_few_frames_for_ten_seconds_are_told_until_there_are_enough() {
    let mut watched = at_least(10.0);
    frames(&mut watched, 12.0, 60.0);
    frames(&mut watched, 5.0, 30.0);
    frames(&mut watched, 12.0, 30.0);
    let (start, end) = whole(&watched, EventType::SceneFps);
    assert!((61.0..=70.5).contains(&start.at) && (91.0..=101.0).contains(&end.at), "{:?}", watched.story());
    assert!(start.data["fps"].as_f64().unwrap() < 10.0 && end.data["fps"].as_f64().unwrap() > 9.9);
    assert_eq!(start.data["min_fps"], 10.0);
}

#[test]
fn as_many_frames_as_asked_for_with_some_jitter_are_enough() {
    let mut watched = at_least(10.0);
    for n in 0..1200_u64 {
        watched.pass([0.04, 0.16, 0.1, 0.02, 0.18][(n % 5) as usize], 1);
        watched.see(None);
    }
    // Frames that were decoded count, though not all are looked at; a short stall is made up for.
    for _ in 0..100 {
        watched.pass(1.0, 10);
        watched.see(None);
    }
    watched.pass(3.0, 40);
    watched.see(None);
    frames(&mut watched, 10.0, 20.0);
    assert!(watched.told.is_empty(), "{:?}", watched.story());
}

#[test]
fn a_new_run_and_a_wall_clock_that_is_set_are_no_lack_of_frames() {
    let mut watched = at_least(10.0);
    frames(&mut watched, 12.0, 30.0);
    watched.pass(100.0, 1);
    (watched.seen.run, watched.seen.seq) = (2, 1);
    frames(&mut watched, 12.0, 30.0);
    for hour in [3_600_000_000, -7_200_000_000] {
        watched.seen.arrival.0 += hour;
        watched.seen.capture.time.0 += hour;
        frames(&mut watched, 12.0, 30.0);
    }
    assert!(watched.told.is_empty(), "{:?}", watched.story());
}

#[test]
fn a_recording_is_judged_by_its_own_time() {
    let mut watched = at_least(10.0);
    watched.seen.capture.clock = Clock::Free;
    for _ in 0..600 {
        // Read as fast as can be.
        watched.pass(1.0 / 12.0, 1);
        watched.seen.arrival.0 -= 80_000;
        watched.see(None);
    }
    assert!(watched.told.is_empty(), "{:?}", watched.story());
    for _ in 0..100 {
        watched.pass(0.5, 1);
        watched.seen.arrival.0 -= 490_000;
        watched.see(None);
    }
    assert_eq!(watched.told.len(), 1, "{:?}", watched.story());
}

#[test]
fn a_clock_that_is_off_is_told_until_it_is_right() {
    let mut watched = Watched::new(Scene { clock_skew: Some(Duration::from_secs(3)), ..Scene::default() });
    frames(&mut watched, 10.0, 20.0);
    watched.seen.capture.time.0 -= 4_500_000;
    frames(&mut watched, 10.0, 20.0);
    watched.seen.capture.time.0 += 4_500_000;
    frames(&mut watched, 10.0, 20.0);
    let (start, end) = whole(&watched, EventType::SceneClock);
    assert!((25.0..=26.0).contains(&start.at) && (45.0..=46.0).contains(&end.at), "{:?}", watched.story());
    assert_eq!((&start.data["skew_s"], &start.data["limit_s"]), (&(-4.5).into(), &3.0.into()));
    assert_eq!(end.data["skew_s"], 0.0);
}

#[test]
fn only_a_clock_that_the_camera_tells_can_be_off() {
    let limit = Scene { clock_skew: Some(Duration::from_secs(3)), ..Scene::default() };
    for clock in [Clock::Arrival, Clock::Free] {
        let mut watched = Watched::new(limit.clone());
        watched.seen.capture.clock = clock;
        watched.seen.capture.time.0 -= 60_000_000;
        frames(&mut watched, 10.0, 60.0);
        assert!(watched.told.is_empty(), "{clock:?}");
    }
    // A late frame now and then is not the clock; a camera that no longer tells the time is not off.
    let mut watched = Watched::new(limit);
    for n in 0..600 {
        watched.seen.capture.time.0 -= if n % 10 < 3 { 5_000_000 } else { 0 };
        frames(&mut watched, 10.0, 0.1);
        watched.seen.capture.time.0 += if n % 10 < 3 { 5_000_000 } else { 0 };
    }
    assert!(watched.told.is_empty(), "{:?}", watched.story());
    watched.seen.capture.time.0 += 5_000_000;
    frames(&mut watched, 10.0, 10.0);
    watched.seen.capture.clock = Clock::Arrival;
    frames(&mut watched, 10.0, 90.0);
    let (_, end) = whole(&watched, EventType::SceneClock);
    assert_eq!(end.data["reason"], "unknown");
}

#[test]
fn a_clock_that_is_too_far_off_to_be_used_is_told() {
    use watchkeeper::types::observation::SceneStats;
    let mut watched = Watched::new(Scene { clock_skew: Some(Duration::from_secs(3)), ..Scene::default() });
    watched.seen.capture.clock = Clock::Arrival;
    // What the source says of a camera that begins at 1970, as it is measured beside the picture.
    let usual = SceneStats { mean: 90.0, deviation: 40.0, difference: 2.0, sharpness: 50.0, ..SceneStats::default() };
    let off = SceneStats { clock_skew_s: -1.7e9, likeness: 1.0, ..usual };
    for skew in [off, SceneStats { clock_skew_s: 0.2, ..off }] {
        for _ in 0..40 {
            watched.pass(0.5, 5);
            watched.see(Some(skew));
        }
    }
    let (start, end) = whole(&watched, EventType::SceneClock);
    assert!(start.data["skew_s"].as_f64().is_some_and(|skew| skew < -1e9), "{:?}", watched.story());
    assert_eq!(end.data["reason"], "over");
}
