//! What holds whatever comes.

use super::*;

/// A small generator.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

/// People who come, go, are lost and found again, with looks that are good, bad, or another's.
fn play(seed: u64, settings: Settings) -> Scene {
    let mut random = Random(seed);
    let mut scene = Scene::new(settings);
    let cameras = ["a", "b", "c"];
    let mut live: Vec<(TrackKey, usize)> = Vec::new();
    let mut spans: BTreeMap<TrackKey, (f64, f64)> = BTreeMap::new();
    let mut numbers = 0;
    for step in 0..300 {
        let time = f64::from(step) * 0.4;
        if live.len() < 12 && random.below(3) == 0 {
            numbers += 1;
            live.push((key(cameras[random.below(3)], numbers), random.below(6)));
        }
        for (track, person) in &live {
            if random.below(4) == 0 {
                continue;
            }
            let shown = if random.below(8) == 0 { random.below(6) } else { *person };
            let like = random.below(8) as f32 / 10.0;
            scene.see(time, track, &looks(2 * shown, like));
            spans.entry(track.clone()).or_insert((time, time)).1 = time;
        }
        if !live.is_empty() && random.below(6) == 0 {
            let (track, _) = live.swap_remove(random.below(live.len()));
            scene.gallery.end(&track);
        }
        if random.below(40) == 0 && scene.gallery.counters().embeddings > 0 {
            let bytes = scene.gallery.last_snapshot();
            assert!(Gallery::restore(Settings::default(), model(), &bytes).is_ok());
        }
        scene.advance(time);
        for (one, a) in &spans {
            for (other, b) in &spans {
                let together = one != other && one.camera == other.camera && a.0 <= b.1 && b.0 <= a.1;
                if let (true, Some(identity)) = (together, scene.identity(one)) {
                    assert_ne!(Some(identity), scene.identity(other), "{one:?} and {other:?} at {time}");
                }
            }
        }
        let counters = scene.gallery.counters();
        assert!(counters.embeddings <= scene.gallery.settings.capacity as u64);
        assert_eq!(counters.given, scene.begun.len() as u64);
    }
    scene
}

#[test]
fn two_tracks_seen_at_once_by_one_camera_never_share_an_identity_and_no_number_is_used_twice() {
    for seed in 0..12 {
        let scene = play(seed, Settings::default());
        assert!(
            scene.facts.iter().any(|fact| matches!(fact, Fact::ProbablySame { .. })),
            "a scene that says something"
        );
    }
}

#[test]
fn so_it_is_in_a_small_gallery_of_short_memory() {
    let (ttl, revisable) = (seconds(20.0), seconds(5.0));
    for seed in 0..12 {
        let settings = Settings { capacity: 12, ttl, revisable, per_identity: 3, ..Settings::default() };
        let scene = play(seed, settings);
        let counters = scene.gallery.counters();
        assert!(counters.evicted + counters.expired + counters.thinned > 0, "{counters:?}");
    }
}

#[test]
fn the_same_input_gives_the_same_facts() {
    for seed in [3, 4] {
        assert_eq!(play(seed, Settings::default()).facts, play(seed, Settings::default()).facts);
    }
}

#[test]
fn search_finds_what_comparing_each_with_each_finds() {
    let mut random = Random(5);
    let dim = 19;
    let mut row = || {
        let mut row: Vec<f32> = (0..dim).map(|_| random.below(2001) as f32 / 1000.0 - 1.0).collect();
        assert!(crate::types::embedding::normalise(&mut row));
        row
    };
    let kept: Vec<Vec<f32>> = (0..700).map(|_| row()).collect();
    let mut rows = Rows::new(dim);
    kept.iter().for_each(|row| rows.push(row));
    let queries: Vec<Vec<f32>> = (0..3).map(|_| row()).collect();
    let queries: Vec<&[f32]> = queries.iter().map(Vec::as_slice).collect();
    let mut found = BTreeMap::new();
    rows.search(&queries, |query, row, cosine| assert!(found.insert((query, row), cosine).is_none()));
    assert_eq!(found.len(), 3 * 700);
    for ((query, row), cosine) in found {
        let want: f32 = queries[query].iter().zip(&kept[row]).map(|(a, b)| a * b).sum();
        assert!((cosine - want).abs() < 1e-5);
    }
}
