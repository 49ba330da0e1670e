// What every tracker must hold, tried on scenes of a few boxes; `mod.rs` includes this once for each kind.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::tracking::*;
use crate::config::{AppearanceUse, CameraMotionUse};
use crate::types::geometry::BBox;

const SETTINGS: Tracking = Tracking {
    tracker: KIND,
    high_score: 0.6,
    low_score: 0.1,
    start_score: 0.7,
    match_iou: 0.15,
    confirm: Duration::from_millis(30),
    max_gap: Duration::from_secs(2),
    camera_motion: CameraMotionUse::Off,
    appearance: AppearanceUse::Auto,
};
const PERSON: u16 = 0;
const CAR: u16 = 2;

fn seconds(t: f64) -> Duration {
    Duration::from_secs_f64(t)
}

fn detection(cx: f32, cy: f32, score: f32, class: u16) -> Detection {
    Detection { bbox: BBox::from_centre(cx, cy, 60.0, 160.0), score, class }
}

fn person(cx: f32) -> Detection {
    detection(cx, 500.0, 0.9, PERSON)
}

/// Plays `scene(t)` for `t` in `from..to` seconds and returns the numbers seen in order of frames.
fn play(
    tracker: &mut dyn Tracker,
    fps: f64,
    from: f64,
    to: f64,
    scene: impl Fn(f64) -> Vec<Detection>,
) -> Vec<Vec<u64>> {
    let frames = (from * fps).round() as u64..(to * fps).round() as u64;
    frames
        .map(|frame| {
            let t = frame as f64 / fps;
            let tracks = tracker.update(&Input::new(seconds(t), &scene(t)));
            tracks.iter().filter(|track| !track.coasted).map(|track| track.number).collect()
        })
        .collect()
}

fn distinct(frames: &[Vec<u64>]) -> BTreeSet<u64> {
    frames.iter().flatten().copied().collect()
}

fn tracker() -> Box<dyn Tracker> {
    new(&SETTINGS)
}

#[test]
fn crossing_subjects_keep_their_numbers() {
    let mut tracker = tracker();
    for frame in 0..90 {
        let t = f64::from(frame) / 30.0;
        let (right, left) = (200.0 + 200.0 * t as f32, 800.0 - 200.0 * t as f32);
        let detections = [detection(right, 500.0, 0.9, PERSON), detection(left, 530.0, 0.9, PERSON)];
        let tracks = tracker.update(&Input::new(seconds(t), &detections));
        for track in tracks {
            let expected = if track.number == 1 { right } else { left };
            assert!((track.bbox.centre().0 - expected).abs() < 1.0, "frame {frame}: {tracks:?}");
        }
        assert_eq!(tracks.len(), if frame == 0 { 0 } else { 2 }, "frame {frame}");
    }
}

#[test]
fn a_gap_shorter_than_max_gap_keeps_the_number_and_a_longer_one_ends_it() {
    let max_gap = SETTINGS.max_gap.as_secs_f64();
    for (gap, numbers) in [(0.9 * max_gap, 1), (1.1 * max_gap, 2)] {
        let mut tracker = tracker();
        let hidden = move |t: f64| (2.0..2.0 + gap).contains(&t);
        let scene = |t: f64| if hidden(t) { vec![] } else { vec![person(200.0 + 60.0 * t as f32)] };
        let mut ended = 0;
        let mut all = BTreeSet::new();
        for frame in 0..240 {
            let t = f64::from(frame) / 30.0;
            all.extend(play(&mut *tracker, 30.0, t, t + 1.0 / 30.0, scene).concat());
            ended += tracker.ended().len();
        }
        assert_eq!((all.len(), ended), (numbers, numbers - 1), "gap {gap} s");
    }
}

#[test]
fn one_long_frame_gap_is_predicted_over() {
    let mut tracker = tracker();
    let scene = |t: f64| vec![person(200.0 + 150.0 * t as f32)];
    play(&mut *tracker, 30.0, 0.0, 2.0, scene);
    let numbers = play(&mut *tracker, 30.0, 3.0, 4.0, scene);
    assert_eq!(distinct(&numbers), [1].into(), "150 pixels further, at a width of 60");
}

#[test]
fn a_low_score_keeps_a_track_but_begins_none() {
    let mut tracker = tracker();
    let fading = |t: f64| vec![detection(300.0, 500.0, if t < 1.0 { 0.9 } else { 0.2 }, PERSON)];
    let frames = play(&mut *tracker, 30.0, 0.0, 2.0, fading);
    assert!(frames[1..].iter().all(|numbers| *numbers == [1]), "{frames:?}");

    let faint = play(&mut *new(&SETTINGS), 30.0, 0.0, 2.0, |_| vec![detection(300.0, 500.0, 0.2, PERSON)]);
    assert!(distinct(&faint).is_empty());
}

#[test]
fn low_scores_alone_keep_a_track_no_longer_than_max_gap() {
    let mut tracker = tracker();
    let fading = |t: f64| vec![detection(300.0, 500.0, if t < 1.0 { 0.9 } else { 0.3 }, PERSON)];
    let last = 1.0 + SETTINGS.max_gap.as_secs_f64();
    let frames = play(&mut *tracker, 30.0, 0.0, last + 3.0, fading);
    let seen = frames.iter().rposition(|numbers| !numbers.is_empty()).unwrap() as f64 / 30.0;
    assert!((seen - last).abs() < 0.1, "{seen} s");
}

#[test]
fn one_setting_gives_as_many_numbers_at_5_and_at_30_frames_per_second() {
    let scene = |t: f64| {
        let mut detections =
            vec![person(100.0 + 120.0 * t as f32), detection(900.0 - 100.0 * t as f32, 200.0, 0.8, PERSON)];
        if !(3.0..4.2).contains(&t) {
            detections.push(detection(500.0, 800.0 - 30.0 * t as f32, 0.9, PERSON));
        }
        detections
    };
    for fps in [5.0, 10.0, 15.0, 30.0] {
        let frames = play(&mut *tracker(), fps, 0.0, 6.0, scene);
        assert_eq!(distinct(&frames).len(), 3, "{fps} frames/s: {frames:?}");
    }
}

#[test]
fn classes_never_mix() {
    let mut tracker = tracker();
    for frame in 0..60 {
        let class = if frame < 30 { PERSON } else { CAR };
        let tracks =
            tracker.update(&Input::new(seconds(f64::from(frame) / 30.0), &[detection(300.0, 500.0, 0.9, class)]));
        for track in tracks {
            assert_eq!(track.class, if track.number == 1 { PERSON } else { CAR });
            assert!(track.coasted || track.class == class, "frame {frame}: {track:?}");
        }
    }
    let tracks = tracker
        .update(&Input::new(seconds(2.0), &[detection(300.0, 500.0, 0.9, CAR), detection(300.0, 500.0, 0.9, PERSON)]));
    assert_eq!(tracks.iter().map(|track| track.class).collect::<Vec<_>>(), [PERSON, CAR], "on the same spot");
}

#[test]
fn a_track_coasts_for_a_short_while_along_its_way() {
    let mut tracker = tracker();
    play(&mut *tracker, 30.0, 0.0, 2.0, |t| vec![person(200.0 + 90.0 * t as f32)]);
    let last_seen = seconds(59.0 / 30.0);
    let tracks = tracker.update(&Input::new(last_seen + COAST, &[])).to_vec();
    assert_eq!(tracks.len(), 1);
    assert!(tracks[0].coasted && tracks[0].last_seen == last_seen, "{tracks:?}");
    let expected = 200.0 + 90.0 * (last_seen + COAST).as_secs_f32();
    assert!((tracks[0].bbox.centre().0 - expected).abs() < 5.0, "{tracks:?}");
    assert!(tracker.update(&Input::new(last_seen + COAST + seconds(0.01), &[])).is_empty());
}

#[test]
fn a_track_says_when_it_was_seen_and_how_well() {
    let mut tracker = tracker();
    for (frame, score) in [0.8, 0.95, 0.7].into_iter().enumerate() {
        tracker.update(&Input::new(seconds(1.0 + frame as f64), &[detection(300.0, 500.0, score, PERSON)]));
    }
    let track = tracker.update(&Input::new(seconds(4.0), &[detection(300.0, 500.0, 0.75, PERSON)]))[0];
    assert_eq!((track.number, track.score, track.top_score), (1, 0.75, 0.95));
    assert_eq!((track.first_seen, track.last_seen), (seconds(1.0), seconds(4.0)));
}

#[test]
fn a_single_detection_is_not_published() {
    let frames = play(&mut *tracker(), 30.0, 0.0, 1.0, |t| if t == 0.5 { vec![person(300.0)] } else { vec![] });
    assert!(distinct(&frames).is_empty());
}

#[test]
fn reset_ends_all_tracks_and_numbers_begin_at_1() {
    let mut tracker = tracker();
    let scene = |_| vec![person(300.0), person(700.0)];
    play(&mut *tracker, 30.0, 10.0, 11.0, scene);
    tracker.reset();
    assert_eq!(tracker.ended().iter().map(|ended| ended.track.number).collect::<Vec<_>>(), [1, 2]);
    let frames = play(&mut *tracker, 30.0, 0.0, 1.0, scene);
    assert_eq!(distinct(&frames), [1, 2].into(), "though the time went back");
    assert!(tracker.ended().is_empty());
}

#[test]
fn broken_boxes_and_scores_are_ignored() {
    let bad = [
        BBox::new(f32::NAN, 0.0, 10.0, 10.0),
        BBox::new(0.0, 0.0, f32::INFINITY, 10.0),
        BBox::new(0.0, 0.0, 1e30, 1e30),
        BBox::new(10.0, 10.0, 0.0, 0.0),
        BBox::new(5.0, 5.0, 5.0, 5.0),
    ];
    let mut detections: Vec<_> = bad.into_iter().map(|bbox| Detection { bbox, score: 0.9, class: PERSON }).collect();
    detections.push(detection(300.0, 500.0, f32::NAN, PERSON));
    detections.push(detection(300.0, 500.0, f32::INFINITY, PERSON));
    detections.push(person(700.0));
    let frames = play(&mut *tracker(), 30.0, 0.0, 1.0, |_| detections.clone());
    assert_eq!(distinct(&frames), [1].into());
}

#[test]
fn a_time_that_stands_still_or_goes_back_counts_as_none() {
    let mut tracker = tracker();
    play(&mut *tracker, 30.0, 0.0, 2.0, |_| vec![person(300.0)]);
    for t in [2.0, 2.0, 1.0, 0.0] {
        let tracks = tracker.update(&Input::new(seconds(t), &[person(300.0)]));
        assert_eq!(tracks.len(), 1);
        assert_eq!((tracks[0].number, tracks[0].last_seen), (1, seconds(2.0)), "at {t}");
    }
}

#[test]
fn more_detections_than_the_cap_cost_the_weakest() {
    let mut tracker = tracker();
    let crowd: Vec<_> = (0..3 * MAX_DETECTIONS)
        .map(|i| {
            let (column, row) = ((i % 100) as f32, (i / 100) as f32);
            detection(80.0 * column, 200.0 * row, 0.75 + 0.2 * (i as f32 / (3 * MAX_DETECTIONS) as f32), PERSON)
        })
        .collect();
    tracker.update(&Input::new(seconds(0.0), &crowd));
    let tracks = tracker.update(&Input::new(seconds(0.1), &crowd));
    assert_eq!(tracks.len(), MAX_DETECTIONS.min(MAX_TRACKS));
    assert!(tracks.iter().all(|track| track.score > 0.75 + 0.2 * 0.66));
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn frame(&mut self) -> Vec<Detection> {
        (0..self.below(12))
            .map(|_| {
                let (cx, cy) = (50.0 * self.below(12) as f32, 80.0 * self.below(4) as f32);
                let wobble = self.below(20) as f32;
                let score = [0.05, 0.2, 0.5, 0.65, 0.75, 0.95, f32::NAN][self.below(7) as usize];
                let mut detection = detection(cx + wobble, cy - wobble, score, self.below(2) as u16);
                if self.below(20) == 0 {
                    detection.bbox.x2 = [f32::NAN, f32::NEG_INFINITY, -5.0, 1e20][self.below(4) as usize];
                }
                detection
            })
            .collect()
    }
}

#[test]
fn whatever_comes_in_numbers_are_unique_and_times_do_not_go_back() {
    for seed in 0..40 {
        let (mut random, mut tracker) = (Random(seed), tracker());
        let (mut now, mut highest) = (Duration::ZERO, 0);
        let mut over = BTreeSet::new();
        let mut last: Vec<Track> = Vec::new();
        for frame in 0..300 {
            now += Duration::from_millis([0, 33, 33, 33, 100, 400, 2500][random.below(7) as usize]);
            let input = random.frame();
            let given = if random.below(30) == 0 { now / 2 } else { now };
            let tracks = tracker.update(&Input::new(given, &input)).to_vec();
            let at = format!("seed {seed}, frame {frame}");

            let numbers: BTreeSet<u64> = tracks.iter().map(|track| track.number).collect();
            assert_eq!(numbers.len(), tracks.len(), "{at}: a number twice");
            assert!(numbers.is_disjoint(&over), "{at}: a number after its end");
            for track in &tracks {
                assert!(track.bbox.is_valid() && track.score <= track.top_score, "{at}: {track:?}");
                assert!(track.first_seen <= track.last_seen && track.last_seen <= now, "{at}: {track:?}");
                match last.iter().find(|before| before.number == track.number) {
                    Some(before) => {
                        assert_eq!((before.class, before.first_seen), (track.class, track.first_seen), "{at}");
                        assert!(before.last_seen <= track.last_seen, "{at}: {before:?} {track:?}");
                    }
                    None => last.push(*track),
                }
                if !track.coasted {
                    let taken = input.iter().any(|d| d.bbox == track.bbox && d.class == track.class);
                    assert!(taken, "{at}: seen without a detection: {track:?}");
                }
            }
            let new: Vec<u64> = numbers.iter().copied().filter(|&number| number > highest).collect();
            assert!(new.iter().copied().eq(highest + 1..=highest + new.len() as u64), "{at}: {new:?} after {highest}");
            highest += new.len() as u64;
            for ended in tracker.ended() {
                assert!(over.insert(ended.track.number), "{at}: ended twice: {ended:?}");
            }
        }
    }
}

#[test]
fn equal_input_gives_equal_output() {
    let run = || {
        let (mut random, mut tracker) = (Random(9), tracker());
        (0..300)
            .map(|frame| {
                let tracks = tracker.update(&Input::new(Duration::from_millis(40 * frame), &random.frame())).to_vec();
                (tracks, tracker.ended().to_vec())
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
