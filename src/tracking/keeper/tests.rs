//! Behaviours, on small scenes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Keeper, Settings};
use crate::config::Tracking;
use crate::tracking::{Input, Tracker};
use crate::types::camera_motion::CameraMotion;
use crate::types::detection::Detection;
use crate::types::embedding::Embeddings;
use crate::types::geometry::BBox;
use crate::types::track::{Change, ChangeReason, EndReason, Track, TrackState};

const SIZE: (u32, u32) = (1280, 720);
const FPS: f64 = 10.0;

/// A walker's box.
fn at(x: f32, y: f32) -> Detection {
    Detection { bbox: BBox::from_centre(x, y, 50.0, 120.0), score: 0.9, class: 0 }
}

/// A tracker, what it published last, and everything that ever changed.
struct Scene {
    tracker: Keeper,
    frame: u32,
    ends: Vec<(u64, EndReason)>,
    changes: Vec<Change>,
}

impl Scene {
    fn new() -> Self {
        let tracker = Keeper::new(&Tracking::default(), Settings::default());
        Self { tracker, frame: 0, ends: vec![], changes: vec![] }
    }

    fn show(&mut self, detections: &[Detection]) -> Vec<Track> {
        self.show_as(detections, |input| input)
    }

    fn show_as<'a>(&mut self, detections: &'a [Detection], with: impl FnOnce(Input<'a>) -> Input<'a>) -> Vec<Track> {
        let time = Duration::from_secs_f64(f64::from(self.frame) / FPS);
        self.frame += 1;
        let input = with(Input { size: Some(SIZE), ..Input::new(time, detections) });
        let tracks = self.tracker.update(&input).to_vec();
        self.ends.extend(self.tracker.ended().iter().map(|ended| (ended.track.number, ended.reason)));
        self.changes.extend_from_slice(self.tracker.changes());
        tracks
    }

    fn has_changed(&self, state: TrackState, reason: ChangeReason) -> bool {
        self.changes.iter().any(|change| change.state == state && change.reason == reason)
    }
}

fn seen(tracks: &[Track]) -> Vec<u64> {
    tracks.iter().filter(|track| !track.coasted).map(|track| track.number).collect()
}

/// The number of the seen track nearest to a place.
fn who(tracks: &[Track], x: f32) -> u64 {
    let far = |track: &Track| (track.bbox.centre().0 - x).abs();
    let seen = tracks.iter().filter(|track| !track.coasted);
    seen.min_by(|a, b| far(a).total_cmp(&far(b))).map_or(0, |track| track.number)
}

#[test]
fn two_who_cross_keep_their_numbers() {
    let mut scene = Scene::new();
    let mut last = vec![];
    for i in 0..60 {
        let t = i as f32;
        last = scene.show(&[at(200.0 + 12.0 * t, 300.0), at(900.0 - 12.0 * t, 345.0)]);
    }
    assert_eq!((seen(&last), who(&last, 908.0)), (vec![1, 2], if who(&last, 192.0) == 1 { 2 } else { 1 }));
    // Who went right was first at the left.
    let mut again = Scene::new();
    let first = (0..3).map(|_| again.show(&[at(200.0, 300.0), at(900.0, 345.0)])).last().unwrap_or_default();
    assert_eq!(who(&first, 200.0), who(&last, 908.0));
}

#[test]
fn one_who_was_hidden_is_the_same_afterwards() {
    let mut scene = Scene::new();
    let mut last = vec![];
    for i in 0..50 {
        let walker = at(200.0 + 10.0 * i as f32, 300.0);
        let post = Detection { bbox: BBox::from_centre(450.0, 330.0, 120.0, 200.0), score: 0.9, class: 2 };
        let hidden = (20..30).contains(&i);
        let both = [post, walker];
        last = scene.show(if hidden { &both[..1] } else { &both });
    }
    assert_eq!(seen(&last), [1, 2]);
    assert!(scene.has_changed(TrackState::Lost, ChangeReason::Occluded), "{:?}", scene.changes);
    assert!(scene.has_changed(TrackState::Confirmed, ChangeReason::FoundByMotion), "{:?}", scene.changes);
}

#[test]
fn one_frame_of_another_class_changes_nothing_many_do() {
    let mut scene = Scene::new();
    let mut classes = vec![];
    for i in 0..60 {
        let class = u16::from(i == 10 || i >= 20);
        let tracks = scene.show(&[Detection { class, ..at(200.0 + 5.0 * i as f32, 300.0) }]);
        assert!(tracks.iter().all(|track| track.number == 1), "frame {i}: {tracks:?}");
        classes.extend(tracks.iter().map(|track| track.class));
    }
    assert!(classes[..20].iter().all(|class| *class == 0) && classes.last() == Some(&1), "{classes:?}");
}

#[test]
fn tracks_survive_an_outage() {
    let mut scene = Scene::new();
    for i in 0..20 {
        scene.show(&[at(200.0 + 4.0 * i as f32, 300.0), at(800.0, 400.0)]);
    }
    scene.frame += 15;
    let after = scene.show(&[at(340.0, 300.0), at(805.0, 400.0)]);
    assert_eq!(seen(&after), [1, 2]);
    scene.frame += 40;
    let mut late = vec![];
    for _ in 0..3 {
        late = scene.show(&[at(340.0, 300.0), at(805.0, 400.0)]);
    }
    assert_eq!(seen(&late), [3, 4], "not longer than max_gap");
    assert_eq!(scene.ends, [(1, EndReason::NotSeen), (2, EndReason::NotSeen)]);
}

#[test]
fn a_pan_that_is_told_loses_nobody() {
    let jump = 160.0;
    let play = |told: bool| {
        let mut scene = Scene::new();
        let mut numbers = BTreeSet::new();
        for i in 0..30 {
            // Three steps to the side, of three widths each.
            let steps = [10, 15, 20].iter().filter(|&&step| i >= step).count() as f32;
            let moved = [10, 15, 20].contains(&i) && told;
            let motion = CameraMotion { tx: if moved { jump } else { 0.0 }, ..CameraMotion::NONE };
            let boxes = [at(200.0 + jump * steps, 300.0), at(360.0 + jump * steps, 300.0)];
            numbers.extend(seen(&scene.show_as(&boxes, |input| Input { camera_motion: motion, ..input })));
            if told && i == 29 {
                assert!(numbers.len() == 2, "{numbers:?}");
            }
        }
        let last = scene.show(&[at(200.0 + 3.0 * jump, 300.0), at(360.0 + 3.0 * jump, 300.0)]);
        (numbers.len(), who(&last, 200.0 + 3.0 * jump))
    };
    assert_eq!(play(true), (2, 1));
    assert_ne!(play(false), (2, 1), "the scene proves nothing");
}

#[test]
fn who_walks_out_of_the_picture_has_left() {
    let mut scene = Scene::new();
    for i in 0..30 {
        let x = 1100.0 + 10.0 * i as f32;
        let bbox = BBox::new(x - 25.0, 240.0, (x + 25.0).min(1280.0), 360.0);
        let there = bbox.width() > 8.0;
        let walker = [Detection { bbox, score: 0.9, class: 0 }];
        scene.show(if there { &walker } else { &[] });
    }
    assert_eq!(scene.ends, [(1, EndReason::Left)]);
    assert!(scene.has_changed(TrackState::Lost, ChangeReason::AtEdge), "{:?}", scene.changes);
}

#[test]
fn stationary_is_who_stays_until_he_goes() {
    let mut scene = Scene::new();
    let mut story = vec![];
    for i in 0..100 {
        let x = 300.0 + 8.0 * (i as f32 - 60.0).max(0.0) + (i % 2) as f32;
        let tracks = scene.show(&[at(x, 300.0)]);
        story.extend(tracks.iter().map(|track| track.stationary));
    }
    let changes = story.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(!story[0] && story[50] && !story[story.len() - 1] && changes == 2, "{story:?}");
    assert!(scene.has_changed(TrackState::Stationary, ChangeReason::Stayed));
    assert!(scene.has_changed(TrackState::Confirmed, ChangeReason::Moved));
}

#[test]
fn looks_find_who_comes_back_elsewhere() {
    let looks = [[1.0, 0.0, 0.0, 0.1], [0.0, 1.0, 0.0, 0.1]];
    let play = |looking: bool| {
        let mut scene = Scene::new();
        let mut rows = Embeddings::default();
        let mut last = vec![];
        for i in 0..50 {
            let away = (20..35).contains(&i);
            // They return at each other's side of the picture.
            let (x, other) = if i < 20 { (300.0, 500.0) } else { (500.0, 300.0) };
            let boxes = [at(x, 300.0), at(other, 300.0)];
            rows.clear();
            looks.iter().for_each(|look| assert!(rows.push(look)));
            let shown = if away { &[][..] } else { &boxes[..] };
            let appearance = (looking && !away).then_some(&rows);
            last = scene.show_as(shown, |input| Input { appearance, ..input });
        }
        (who(&last, 500.0), who(&last, 300.0))
    };
    let (before, after) = (play(false), play(true));
    assert_eq!((after.0, after.1), (before.1, before.0), "motion alone takes each for the other");
}

#[test]
fn a_scene_of_weak_scores_has_tracks_too() {
    let mut scene = Scene::new();
    let mut last = vec![];
    for i in 0..20 {
        let weak = |x: f32, score: f32| Detection { score, ..at(x, 300.0) };
        // A lamp post that scores half as much as a walker is none.
        last = scene.show(&[weak(200.0 + 5.0 * i as f32, 0.3), weak(600.0, 0.29), weak(1000.0, 0.15)]);
    }
    assert_eq!(seen(&last), [1, 2]);
    assert!(last.iter().all(|track| track.bbox.centre().0 < 700.0), "{last:?}");
}

#[test]
fn scores_above_one_are_one() {
    let mut scene = Scene::new();
    let detections = [Detection { score: 42.8, ..at(300.0, 300.0) }, Detection { score: 13.0, ..at(600.0, 300.0) }];
    let last = (0..3).map(|_| scene.show(&detections)).last().unwrap_or_default();
    assert_eq!(seen(&last), [1, 2]);
    assert!(last.iter().all(|track| track.score == 1.0 && track.top_score == 1.0 && track.median_score == 1.0));
}

#[test]
fn it_asks_for_the_looks_of_the_new_and_the_contested_only() {
    let mut scene = Scene::new();
    let mut rows = Embeddings::default();
    let boxes = [at(300.0, 300.0), at(700.0, 300.0)];
    let mut wanted = vec![];
    for _ in 0..5 {
        rows.clear();
        boxes.iter().enumerate().for_each(|(i, _)| assert!(rows.push(&[i as f32, 1.0])));
        let time = Duration::from_secs_f64(f64::from(scene.frame) / FPS);
        let input = Input { appearance: Some(&rows), ..Input::new(time, &boxes) };
        scene.tracker.wants(&input, &mut wanted);
        if scene.frame == 0 {
            assert_eq!(wanted, [0, 1], "both are new");
        }
        scene.show_as(&boxes, |input| Input { appearance: Some(&rows), ..input });
    }
    assert_eq!(wanted, [0; 0], "known well");
    let mut ask = |scene: &mut Scene, boxes: &[Detection]| {
        let time = Duration::from_secs_f64(f64::from(scene.frame) / FPS);
        scene.tracker.wants(&Input::new(time, boxes), &mut wanted);
        wanted.clone()
    };
    assert_eq!(ask(&mut scene, &[boxes[0], at(1000.0, 300.0), boxes[1]]), [1], "a newcomer");

    // A second one walks up to the first, and stands half before it.
    let close = |x: f32| [boxes[0], at(x, 305.0), boxes[1]];
    for step in 0..8 {
        scene.show(&close(400.0 - 10.0 * step as f32));
    }
    let contested = close(325.0);
    for _ in 0..3 {
        rows.clear();
        (0..3).for_each(|i| assert!(rows.push(&[i as f32, 1.0])));
        scene.show_as(&contested, |input| Input { appearance: Some(&rows), ..input });
    }
    let wanted = ask(&mut scene, &contested);
    assert!(wanted.contains(&0) && wanted.contains(&1) && !wanted.contains(&2), "{wanted:?}");
}

#[test]
fn a_weak_box_inside_a_known_one_begins_nothing() {
    let mut scene = Scene::new();
    for frame in 0..20 {
        let head = Detection { bbox: BBox::from_centre(300.0, 260.0, 26.0, 30.0), score: 0.85, class: 0 };
        let seen = seen(&scene.show(&[at(300.0, 300.0), head]));
        assert_eq!(seen, if frame == 0 { vec![] } else { vec![1] }, "frame {frame}");
    }
}

#[test]
fn noise_alone_begins_nothing() {
    let noise = Detection { score: 0.11, ..at(900.0, 300.0) };
    let mut scene = Scene::new();
    for frame in 0..600 {
        assert_eq!(scene.show(&[noise]), [], "frame {frame}");
    }
    // Nor by night, when all who were there have gone.
    let mut scene = Scene::new();
    for i in 0..100 {
        scene.show(&[at(100.0 + 5.0 * i as f32, 500.0)]);
    }
    for frame in 0..1200 {
        assert_eq!(seen(&scene.show(&[noise])), [0; 0], "frame {frame}");
    }
}

#[test]
fn what_is_usual_for_cars_is_not_for_pedestrians() {
    let mut scene = Scene::new();
    let car = |i: u32| Detection {
        bbox: BBox::from_centre(60.0 + 120.0 * (i % 10) as f32, if i < 10 { 100.0 } else { 250.0 }, 100.0, 60.0),
        score: 0.95,
        class: 2,
    };
    let cars: Vec<_> = (0..20).map(car).collect();
    let mut last = vec![];
    for i in 0..20 {
        let walks = (i >= 10).then(|| Detection { score: 0.75, ..at(200.0 + 10.0 * i as f32, 550.0) });
        let all: Vec<_> = cars.iter().copied().chain(walks).collect();
        last = scene.show(&all);
    }
    assert_eq!(last.iter().filter(|track| track.class == 0 && !track.coasted).count(), 1, "{last:?}");
    assert_eq!(last.len(), 21);
}

#[test]
fn a_run_begins_anew() {
    let mut scene = Scene::new();
    for _ in 0..5 {
        scene.show(&[at(300.0, 300.0)]);
    }
    scene.tracker.reset();
    assert_eq!(scene.tracker.ended().iter().map(|ended| ended.reason).collect::<Vec<_>>(), [EndReason::Reset]);
    scene.frame = 0;
    let last = (0..3).map(|_| scene.show(&[at(900.0, 300.0)])).last().unwrap_or_default();
    assert_eq!(seen(&last), [1]);
}
