//! What is kept, and for how long.

use super::*;

#[test]
fn who_was_not_seen_for_the_time_to_live_is_forgotten_and_the_number_is_not_given_again() {
    let mut scene = Scene::new(Settings { ttl: seconds(100.0), ..Settings::default() });
    let left = key("left", 1);
    scene.watch(0.0, 5.0, &[(left.clone(), looks(0, 0.0))]);
    let identity = scene.identity(&left).expect("known");
    scene.advance(104.0);
    assert_eq!(scene.identity(&left), Some(identity));
    scene.advance(107.0);
    assert_eq!(scene.identity(&left), None);
    let because = ForgottenBecause::TimeToLive;
    assert_eq!(scene.facts.last(), Some(&Fact::Forgotten { time: seconds(107.0), identity, because }));
    let counters = scene.gallery.counters();
    assert_eq!((counters.expired, counters.tracks, counters.embeddings, counters.identities), (1, 0, 0, 0));
    scene.watch(110.0, 115.0, &[(key("left", 2), looks(0, 0.0))]);
    assert_eq!(scene.identity(&key("left", 2)), Some(identity + 1));
}

#[test]
fn a_full_gallery_lets_go_of_the_oldest_and_counts_it() {
    let mut scene = Scene::new(Settings { capacity: 3, ..Settings::default() });
    for person in 0..5 {
        let from = 10.0 * person as f64;
        scene.watch(from, from + 2.0, &[(key("left", person as u64), looks(2 * person, 0.0))]);
        scene.gallery.end(&key("left", person as u64));
    }
    let known: Vec<bool> = (0..5).map(|number| scene.identity(&key("left", number)).is_some()).collect();
    assert_eq!(known, [false, false, true, true, true]);
    let counters = scene.gallery.counters();
    assert_eq!((counters.evicted, counters.embeddings, counters.given), (2, 3, 5));
    let gone = |fact: &Fact| matches!(fact, Fact::Forgotten { because: ForgottenBecause::Capacity, .. });
    assert_eq!(scene.facts.iter().filter(|fact| gone(fact)).count(), 2);
}

#[test]
fn an_identity_keeps_so_many_tracks_and_the_rest_is_counted() {
    let settings = Settings { per_identity: 4, ..Settings::default() };
    let mut scene = Scene::new(settings);
    for visit in 0..10 {
        let from = 100.0 * visit as f64;
        scene.watch(from, from + 3.0, &[(key("left", visit as u64), looks(0, 0.1))]);
    }
    let counters = scene.gallery.counters();
    assert_eq!((counters.identities, counters.given), (1, 1), "{:?}", scene.facts);
    assert!(counters.tracks <= 5 && counters.thinned >= 5, "{counters:?}");
}

#[test]
fn what_cannot_be_used_is_refused_and_counted() {
    let mut scene = Scene::new(Settings::default());
    let track = key("left", 1);
    for bad in [vec![1.0], vec![0.0; DIM], vec![f32::NAN; DIM], vec![0.5; DIM], looks(0, 0.0)[..DIM - 1].to_vec()] {
        scene.see(0.0, &track, &bad);
    }
    scene.advance(1.0);
    assert_eq!((scene.gallery.counters().refused, scene.gallery.counters().tracks), (5, 0));
    scene.watch(100.0, 102.0, &[(track.clone(), looks(0, 0.0))]);
    scene.see(1.0, &track, &looks(3, 0.0));
    assert_eq!(scene.gallery.counters().late, 1);
}

#[test]
fn after_a_restart_people_keep_their_identities() {
    let mut scene = Scene::new(Settings::default());
    for person in 0..6 {
        scene.watch(
            10.0 * person as f64,
            10.0 * person as f64 + 4.0,
            &[(key("left", person), looks(2 * person as usize, 0.1))],
        );
    }
    let bytes = scene.gallery.last_snapshot();
    let gallery = Gallery::restore(Settings::default(), model(), &bytes).expect("its own bytes");
    assert_eq!(gallery.last_snapshot(), bytes, "nothing is lost");
    let mut after = Scene::of(gallery);
    assert_eq!(after.gallery.counters().identities, 6);
    // Tracks are numbered from 1 again.
    let (again, stranger) = (key("left", 1), key("left", 2));
    assert_eq!(after.identity(&again), None, "that one was in the process before");
    after.watch(300.0, 304.0, &[(again.clone(), looks(6, 0.2)), (stranger.clone(), looks(15, 0.0))]);
    assert_eq!(after.identity(&again), scene.identity(&key("left", 3)));
    assert_eq!(after.identity(&stranger), Some(7), "the next number");
}

#[test]
fn after_a_crash_no_number_is_given_twice() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(0.0, 4.0, &[(key("left", 1), looks(0, 0.0))]);
    let bytes = scene.gallery.snapshot();
    scene.watch(5.0, 9.0, &[(key("left", 2), looks(5, 0.0))]);
    let lost = scene.identity(&key("left", 2)).expect("given after the snapshot");
    let mut after = Scene::of(Gallery::restore(Settings::default(), model(), &bytes).expect("its own bytes"));
    after.watch(300.0, 304.0, &[(key("right", 1), looks(9, 0.0))]);
    assert!(after.identity(&key("right", 1)).is_some_and(|identity| identity > lost));
}

#[test]
fn identities_of_another_model_are_refused() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(0.0, 4.0, &[(key("left", 1), looks(0, 0.0))]);
    let bytes = scene.gallery.snapshot();
    for wanted in [Model { digest: "sha256:ffff".to_owned(), ..model() }, Model { dim: DIM + 1, ..model() }] {
        let error = Gallery::restore(Settings::default(), wanted.clone(), &bytes).expect_err("another model");
        let text = error.to_string();
        assert!(matches!(error, RestoreError::OtherModel { .. }), "{error:?}");
        assert!(text.contains("sha256:0a1b (16 numbers)") && text.contains(&wanted.digest), "{text}");
    }
}

#[test]
fn damaged_bytes_are_refused_wherever_they_are_cut_or_changed() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(0.0, 4.0, &[(key("left", 1), looks(0, 0.0)), (key("left", 2), looks(4, 0.0))]);
    let bytes = scene.gallery.snapshot();
    let restore = |bytes: &[u8]| Gallery::restore(Settings::default(), model(), bytes);
    assert!(restore(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(restore(&bytes[..end]).is_err(), "cut at {end}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(restore(&changed).is_err(), "changed at {at}");
    }
    assert_eq!(restore(b"{}").err(), Some(RestoreError::NotIdentities));
    let mut newer = bytes.clone();
    newer[4] = 9;
    assert_eq!(restore(&newer).err(), Some(RestoreError::Format { found: 9 }));
    assert!(restore(&[bytes, vec![0]].concat()).is_err(), "more than there was");
}

#[test]
fn forgetting_everything_leaves_nothing_but_the_count_of_numbers() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(0.0, 4.0, &[(key("left", 1), looks(0, 0.0)), (key("left", 2), looks(4, 0.0))]);
    scene.gallery.forget_all();
    scene.apply();
    assert!(scene.told.is_empty());
    let asked = |fact: &&Fact| matches!(fact, Fact::Forgotten { because: ForgottenBecause::Asked, .. });
    assert_eq!(scene.facts.iter().filter(asked).count(), 2);
    assert_eq!(scene.gallery.counters().embeddings, 0);
    let bytes = scene.gallery.last_snapshot();
    assert!(!bytes.windows(4).any(|part| part == b"left"), "no name is left");
    scene.watch(5.0, 9.0, &[(key("left", 3), looks(0, 0.0))]);
    assert_eq!(scene.identity(&key("left", 3)), Some(3));
}

#[test]
fn numbers_go_on_where_nothing_else_does() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(0.0, 4.0, &[(key("left", 1), looks(0, 0.0)), (key("left", 2), looks(4, 0.0))]);
    let bytes = scene.gallery.last_snapshot();
    let wanted = Model { digest: "sha256:ffff".to_owned(), ..model() };
    let Err(RestoreError::OtherModel { given, .. }) = Gallery::restore(Settings::default(), wanted, &bytes) else {
        panic!("another model")
    };
    assert_eq!(given, 2);
    let mut after = Scene::new(Settings::default());
    after.gallery.given_before(given);
    after.watch(10.0, 14.0, &[(key("left", 1), looks(0, 0.0))]);
    assert_eq!(after.identity(&key("left", 1)), Some(3));
    after.gallery.given_before(1);
    assert_eq!(after.gallery.counters().given, 3, "never back");
}

#[test]
fn a_clock_that_went_back_over_a_restart_stops_nothing() {
    let mut scene = Scene::new(Settings::default());
    scene.watch(100_000.0, 100_004.0, &[(key("left", 1), looks(0, 0.0)), (key("left", 2), looks(4, 0.0))]);
    let known = scene.identity(&key("left", 1));
    let bytes = scene.gallery.last_snapshot();
    let mut gallery = Gallery::restore(Settings::default(), model(), &bytes).expect("its own bytes");
    gallery.no_later_than(seconds(50.0));
    let mut after = Scene::of(gallery);
    after.watch(60.0, 64.0, &[(key("right", 1), looks(0, 0.1))]);
    assert_eq!(after.gallery.counters().late, 0);
    assert_eq!(after.identity(&key("right", 1)), known);
    after.advance(3655.0);
    assert_eq!(after.gallery.counters().expired, 1, "nor does anything stay for ever");
}

#[test]
fn a_smaller_gallery_takes_over_the_newest() {
    let mut scene = Scene::new(Settings::default());
    for person in 0..6 {
        let from = 10.0 * person as f64;
        scene.watch(from, from + 2.0, &[(key("left", person as u64), looks(2 * person, 0.0))]);
    }
    let bytes = scene.gallery.last_snapshot();
    let smaller = Settings { capacity: 2, ..Settings::default() };
    let mut after = Scene::of(Gallery::restore(smaller, model(), &bytes).expect("its own bytes"));
    let counters = after.gallery.counters();
    assert_eq!((counters.embeddings, counters.identities, counters.evicted), (2, 2, 4));
    after.watch(300.0, 304.0, &[(key("right", 1), looks(10, 0.1))]);
    assert_eq!(after.identity(&key("right", 1)), scene.identity(&key("left", 5)));
}

#[test]
fn written_in_parts_it_is_the_same_and_an_error_is_told() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut scene = Scene::new(Settings { looks: 1, ..Settings::default() });
    let crowd: Vec<_> = (0..900).map(|number| (key("left", number), looks(number as usize, 0.0))).collect();
    scene.watch(0.0, 0.0, &crowd);
    let whole = scene.gallery.snapshot();
    let mut parts = Vec::new();
    let count = scene.gallery.write_snapshot(&mut parts).expect("memory");
    assert!(whole.len() > 1 << 16, "more than one part");
    assert!(parts == whole && count == whole.len() as u64);
    for room in [0, 70_000, whole.len() - 1] {
        let error = scene.gallery.write_snapshot(&mut Full(room)).expect_err("no room");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
    assert!(scene.gallery.write_snapshot(&mut Full(whole.len())).is_ok());
}
