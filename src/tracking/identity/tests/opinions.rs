//! Who is taken for whom.

use super::*;

#[test]
fn like_tracks_of_two_cameras_are_probably_the_same_and_it_is_said_why() {
    let mut scene = Scene::new(Settings::default());
    let (left, right, other) = (key("left", 1), key("right", 7), key("right", 8));
    scene.watch(0.0, 3.0, &[(left.clone(), looks(0, 0.0)), (other.clone(), looks(4, 0.0))]);
    scene.watch(5.0, 8.0, &[(right.clone(), looks(0, 0.2))]);
    assert_eq!(scene.identity(&right), scene.identity(&left));
    assert_ne!(scene.identity(&other), scene.identity(&left));
    let Some(Fact::ProbablySame { identity, track, score, reasons, .. }) = scene.facts.last() else {
        panic!("{:?}", scene.facts)
    };
    assert_eq!((Some(*identity), track), (scene.identity(&left), &right));
    assert!(*score > 0.5 && *score < 1.0, "never certain: {score}");
    assert_eq!((&reasons.with, reasons.path, reasons.looks), (&left, Path::Open, 2));
    assert!((reasons.likeness - 0.98).abs() < 0.01 && (reasons.gap_s - 2.0).abs() < 0.01, "{reasons:?}");
    assert!(reasons.margin.is_some_and(|margin| margin > 0.4), "{reasons:?}");
}

#[test]
fn two_tracks_of_one_camera_at_the_same_time_are_two_however_alike_until_one_is_gone() {
    let mut scene = Scene::new(Settings::default());
    let (one, two, three) = (key("left", 1), key("left", 2), key("left", 3));
    let crowd: Vec<_> = (4..15).map(|number| (key("left", number), looks(number as usize, 0.3))).collect();
    scene.watch(0.0, 3.0, &crowd);
    scene.watch(4.0, 7.0, &[(one.clone(), looks(0, 0.0)), (two.clone(), looks(0, 0.0))]);
    assert!(scene.identity(&one).is_some() && scene.identity(&two).is_some());
    assert_ne!(scene.identity(&one), scene.identity(&two));
    scene.watch(7.5, 10.0, &[(two.clone(), looks(0, 0.0))]);
    scene.watch(10.5, 13.0, &[(two.clone(), looks(0, 0.0)), (three.clone(), looks(0, 0.0))]);
    assert_eq!(scene.identity(&three), scene.identity(&one), "who left may come back");
}

#[test]
fn a_track_that_is_found_again_beside_another_of_its_identity_is_split_from_it_at_once() {
    let mut scene = Scene::new(Settings { revise: seconds(5.0), ..Settings::default() });
    let (lost, next) = (key("left", 1), key("left", 2));
    scene.watch(0.0, 5.0, &[(lost.clone(), looks(0, 0.0))]);
    scene.watch(6.0, 12.0, &[(next.clone(), looks(0, 0.0))]);
    assert_eq!(scene.identity(&lost), scene.identity(&next));
    let first = scene.identity(&lost);
    scene.see(12.1, &lost, &looks(0, 0.0));
    scene.advance(12.1);
    assert_ne!(scene.identity(&lost), scene.identity(&next));
    assert!(matches!(scene.facts.last(), Some(Fact::Split { from, .. }) if Some(*from) == first), "{:?}", scene.facts);
}

#[test]
fn classes_are_never_mixed() {
    let mut scene = Scene::new(Settings::default());
    let (person, dog) = (key("left", 1), key("right", 1));
    let look = looks(0, 0.0);
    for (track, label, from) in [(&person, "person", 0), (&dog, "dog", 5)] {
        for time in from..from + 4 {
            let time = Duration::from_secs(time);
            let (since, embedding) = (Duration::from_secs(from), Some(look.as_slice()));
            scene.gallery.see(&Sighting { track, time, since, label, embedding, quality: 1.0, place: None });
            scene.gallery.advance(time);
        }
    }
    assert_ne!(scene.identity(&person), scene.identity(&dog));
}

/// Is who leaves `left` at 3 s taken for the one of the same looks who appears in `right` at `appears`?
fn joined(topology: Topology, appears: f64) -> bool {
    let mut scene = Scene::new(Settings { topology, ..Settings::default() });
    let (left, right) = (key("left", 1), key("right", 1));
    scene.watch(0.0, 3.0, &[(left.clone(), looks(0, 0.0))]);
    scene.watch(appears, appears + 3.0, &[(right.clone(), looks(0, 0.0))]);
    scene.identity(&left) == scene.identity(&right)
}

#[test]
fn topology_says_which_camera_can_follow_which_and_how_fast() {
    let mut way = Topology::default();
    way.way("left", "right", Rule { least: seconds(5.0), most: Some(seconds(20.0)) });
    let closed = Topology::closed();
    let mut back = closed.clone();
    back.way("right", "left", Rule { least: seconds(0.0), most: None });
    let mut overlap = closed.clone();
    overlap.overlap("right", "left");
    let cases = [
        ("without rules", Topology::default(), 2.0, true),
        ("without rules, later", Topology::default(), 4.0, true),
        ("at the same time on a way that takes time", way.clone(), 2.0, false),
        ("too fast", way.clone(), 4.0, false),
        ("in time", way.clone(), 10.0, true),
        ("too late", way, 30.0, false),
        ("no way", closed, 10.0, false),
        ("only the way back", back, 10.0, false),
        ("overlap", overlap.clone(), 1.0, true),
        ("overlap, and a moment between", overlap, 4.0, true),
    ];
    for (name, topology, appears, want) in cases {
        assert_eq!(joined(topology, appears), want, "{name}");
    }
}

#[test]
fn a_way_over_a_third_camera_is_a_way() {
    let mut topology = Topology::closed();
    let rule = Rule { least: seconds(1.0), most: Some(seconds(10.0)) };
    topology.way("a", "b", rule);
    topology.way("b", "c", rule);
    let mut scene = Scene::new(Settings { topology, ..Settings::default() });
    for (camera, from) in [("a", 0.0), ("b", 5.0), ("c", 10.0)] {
        scene.watch(from, from + 2.0, &[(key(camera, 1), looks(0, 0.0))]);
    }
    let identities: BTreeSet<_> = ["a", "b", "c"].map(|camera| scene.identity(&key(camera, 1))).into();
    assert_eq!(identities.len(), 1, "{:?}", scene.facts);
}

#[test]
fn identities_merge_when_evidence_comes_and_split_when_it_goes() {
    let mut scene = Scene::new(Settings::default());
    let (left, right) = (key("left", 1), key("right", 1));
    scene.watch(0.0, 5.0, &[(left.clone(), looks(0, 0.0))]);
    // At first somebody else is in the box.
    scene.watch(6.0, 7.0, &[(right.clone(), looks(5, 0.0))]);
    assert_ne!(scene.identity(&left), scene.identity(&right));
    let (kept, gone) = (scene.identity(&left), scene.identity(&right));
    scene.watch(7.5, 30.0, &[(right.clone(), looks(0, 0.0))]);
    assert_eq!((scene.identity(&left), scene.identity(&right)), (kept, kept));
    let merged = scene.facts.iter().find_map(|fact| match fact {
        Fact::Merged { kept, gone, tracks, score, .. } => Some((Some(*kept), Some(*gone), tracks.clone(), *score)),
        _ => None,
    });
    let (told, was, tracks, score) = merged.expect("a merge is told");
    assert_eq!((told, was, tracks), (kept, gone, vec![right.clone()]));
    assert!(score > 0.5);
    // And it is somebody else after all, for longer.
    scene.watch(30.5, 62.0, &[(left.clone(), looks(0, 0.0)), (right.clone(), looks(9, 0.0))]);
    scene.watch(62.5, 150.0, &[(right.clone(), looks(9, 0.0))]);
    assert_ne!(scene.identity(&left), scene.identity(&right));
    assert!(scene.facts.iter().any(|fact| matches!(fact, Fact::Split { tracks, .. } if *tracks == [right.clone()])));
    assert_eq!((scene.gallery.counters().merged, scene.gallery.counters().split), (1, 1));
}

#[test]
fn who_comes_back_after_long_is_known_by_what_was_kept() {
    let mut scene = Scene::new(Settings::default());
    for person in 0..8 {
        let from = 100.0 * person as f64;
        scene.watch(from, from + 5.0, &[(key("left", 1 + person as u64), looks(person, 0.1))]);
    }
    scene.watch(2000.0, 2005.0, &[(key("right", 1), looks(3, 0.2))]);
    assert_eq!(scene.identity(&key("right", 1)), scene.identity(&key("left", 4)));
    let reasons = scene.gallery.identity(&key("right", 1)).and_then(|opinion| opinion.reasons).expect("there are");
    assert_eq!((reasons.with, reasons.gap_s.round()), (key("left", 4), 1695.0));
}

#[test]
fn where_two_cameras_see_one_place_twins_are_told_apart_by_where_they_stand() {
    let mut scene = Scene::new(Settings::default());
    // The ground in two pictures, the second turned and seen from further away.
    let there = |x: f32, y: f32| {
        let w = 1.0 + 0.3 * x - 0.2 * y;
        Place { x: (0.1 + 0.2 * x + 0.6 * y) / w, y: (0.2 - 0.4 * x + 0.1 * y + 0.3) / w, height: 0.1, feet: true }
    };
    let here = |x: f32, y: f32| Place { x, y, height: 0.12, feet: true };
    // Five people, and the last two look the same.
    let walk = |person: usize, time: f32| match person {
        0 => (0.1 + 0.05 * time, 0.2),
        1 => (0.9, 0.1 + 0.04 * time),
        2 => (0.8 - 0.06 * time, 0.5),
        3 => (0.2, 0.55 - 0.03 * time),
        _ => (0.6 - 0.01 * time, 0.05),
    };
    for step in 0..20 {
        let time = f64::from(step) * 0.5;
        for person in 0..5 {
            let (x, y) = walk(person, time as f32);
            let look = looks(person.min(3), 0.1);
            scene.see_at(time, &key("left", person as u64), &look, Some(here(x, y)));
            // Numbered the other way round: only the place tells the twins apart.
            scene.see_at(time, &key("right", 9 - person as u64), &look, Some(there(x, y)));
        }
        scene.advance(time);
    }
    for person in 0..5 {
        let (left, right) = (key("left", person), key("right", 9 - person));
        assert_eq!(scene.identity(&left), scene.identity(&right), "{person}");
    }
    let reasons = scene.gallery.identity(&key("left", 4)).and_then(|opinion| opinion.reasons).expect("there are");
    assert!(reasons.ground.is_some_and(|apart| apart < 0.1), "{reasons:?}");
}

#[test]
fn a_track_of_an_earlier_process_is_named_as_such() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(0.0, 4.0, &[(key("left", 1), looks(0, 0.0)), (key("left", 2), looks(4, 0.0))]);
    let bytes = scene.gallery.last_snapshot();
    let mut after = Scene::of(Gallery::restore(Settings::default(), model(), &bytes).expect("its own bytes"));
    let (first, second) = (key("left", 1), key("right", 1));
    let reasons = |scene: &Scene, track| scene.gallery.identity(track).and_then(|opinion| opinion.reasons);
    after.watch(300.0, 304.0, &[(first.clone(), looks(4, 0.1))]);
    let of_first = reasons(&after, &first).expect("there are");
    assert_eq!((of_first.with, of_first.earlier), (key("left", 2), true));
    after.watch(310.0, 314.0, &[(second.clone(), looks(4, 0.1))]);
    let of_second = reasons(&after, &second).expect("there are");
    assert_eq!((of_second.with, of_second.earlier), (first, false));
}

#[test]
fn whoever_is_postponed_keeps_others_of_the_same_camera_out_of_the_identity() {
    let mut scene = Scene::new(Settings { looks: 1, ..Settings::default() });
    let (left, right, twin) = (key("left", 1), key("right", 1), key("left", 2));
    let crowd: Vec<_> = (0..1100).map(|number| (key("far", number), looks(4 + number as usize % 8, 0.0))).collect();
    scene.watch(0.0, 3.0, &[(left.clone(), looks(0, 0.0)), (right.clone(), looks(0, 0.0))]);
    assert_eq!(scene.identity(&left), scene.identity(&right));
    // Seen by the same camera before the first one was gone.
    scene.since.insert(twin.clone(), 2.5);
    for (track, look) in &crowd {
        scene.see(3.5, track, look);
    }
    for track in [&right, &twin] {
        scene.see(3.6, track, &looks(0, 0.0));
    }
    scene.advance(3.6);
    assert!(scene.gallery.counters().postponed > 0);
    assert!(scene.identity(&twin).is_some());
    assert_ne!(scene.identity(&twin), scene.identity(&left));
}

#[test]
fn where_too_many_come_into_question_the_likest_stay() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(0.0, 4.0, &[(key("left", 1), looks(0, 0.0))]);
    let own = scene.identity(&key("left", 1)).expect("known");
    scene.gallery.tracks[0].older = (0..2000)
        .map(|n| crate::tracking::identity::gallery::Older {
            identity: 10_000 - n,
            likeness: 0.9 - 1e-4 * n as f32,
            with: key("left", 9),
        })
        .collect();
    let mut fixed: BTreeMap<u64, Vec<usize>> = (1..=10_000).map(|identity| (identity, vec![0])).collect();
    scene.gallery.leave_out(&[0], &mut fixed);
    assert_eq!(1 + fixed.len(), 1536);
    assert!(fixed.contains_key(&own) && fixed.contains_key(&10_000) && fixed.contains_key(&(10_000 - 1533)));
    assert_eq!(scene.gallery.counters().left_out, 10_000 - 1535);
}
