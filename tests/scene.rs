//! What befalls a camera's picture is told, and what happens before it is not.

#![allow(clippy::unwrap_used)]

#[path = "scene/meter.rs"]
mod meter;
#[path = "scene/pictures.rs"]
mod pictures;
#[path = "scene/times.rs"]
mod times;
#[path = "scene/watch.rs"]
mod watch;

use pictures::{Luma, STEP, Street};
use streetscene::Light;
use watch::Watched;
use watchkeeper::config::Scene;
use watchkeeper::types::event::{EventType, Phase};

/// Pictures in so many seconds.
fn pictures(seconds: f64) -> usize {
    (seconds / STEP) as usize
}

/// A camera that has seen its street for 40 seconds.
fn accustomed(street: &mut Street) -> Watched {
    let mut watched = Watched::new(Scene { frozen: Some(std::time::Duration::from_secs(10)), ..Scene::default() });
    (0..pictures(40.0)).for_each(|_| {
        watched.look(&street.next());
    });
    watched
}

#[test]
fn nothing_is_told_of_streets_by_day_dusk_and_night() {
    for (light, people) in [(Light::Day, Some(70)), (Light::Dusk, None), (Light::Night, None)] {
        let mut street = Street::new(7, 2, light, people);
        let mut watched = accustomed(&mut street);
        for _ in 0..pictures(60.0) {
            let stats = watched.look(&street.next());
            assert!(stats.likeness > 0.35, "{light:?}: {stats:?}");
        }
        assert!(watched.told.is_empty(), "{light:?}: {:?}", watched.story());
    }
}

/// What befalls a camera: its name, what is seen then, what is told, and after how long.
type Fault = (&'static str, fn(&Luma, u64) -> Luma, EventType, f64);

const FAULTS: [Fault; 11] = [
    ("a lens cap", |_, n| Luma::flat(18).noisy(2.0, n), EventType::SceneBlack, 5.0),
    ("no light at all", |_, _| Luma::flat(16), EventType::SceneBlack, 5.0),
    (
        "no picture, but a clock in it",
        |_, n| {
            Luma::flat(16)
                .light(|_, [x, y]| if x > 0.8 && y < 0.06 && (x * 640.0 + n as f32) % 8.0 < 4.0 { 0.9 } else { 0.0 })
        },
        EventType::SceneBlack,
        5.0,
    ),
    ("out of focus", |luma, _| luma.blurred(4), EventType::SceneBlurred, 30.0),
    ("far out of focus", |luma, n| luma.blurred(9).noisy(2.0, n), EventType::SceneBlurred, 30.0),
    ("a cloth over most of it", |luma, n| luma.covered(0.75, 0.3).noisy(2.0, n), EventType::SceneCovered, 5.0),
    ("a bright cloth over all of it", |luma, n| luma.covered(1.0, 0.7).noisy(2.0, n), EventType::SceneCovered, 5.0),
    ("pushed aside", |luma, _| luma.elsewhere(0.0, 1.0, (0.06, 0.0)), EventType::SceneMoved, 10.0),
    ("pushed far aside", |luma, _| luma.elsewhere(0.0, 1.0, (0.4, 0.1)), EventType::SceneMoved, 10.0),
    ("turned", |luma, _| luma.elsewhere(12.0, 1.0, (0.0, 0.0)), EventType::SceneMoved, 10.0),
    ("zoomed", |luma, _| luma.elsewhere(0.0, 1.4, (0.0, 0.0)), EventType::SceneMoved, 10.0),
];

fn befall(light: Light, seed: u64, faults: &[Fault]) {
    let mut street = Street::new(seed, 0, light, None);
    let mut watched = accustomed(&mut street);
    for (name, fault, what, after) in faults {
        let name = format!("{name}, {light:?}");
        let begin = watched.now();
        for n in 0..pictures(after + 10.0) {
            watched.look(&fault(&street.next(), n as u64));
        }
        let end = watched.now();
        (0..pictures(15.0)).for_each(|_| {
            watched.look(&street.next());
        });
        let story = watched.story();
        let [start, stop] = &std::mem::take(&mut watched.told)[..] else { panic!("{name}: {story:?}") };
        assert_eq!(
            (start.what, start.phase, stop.what, stop.phase),
            (*what, Phase::Start, *what, Phase::End),
            "{name}"
        );
        let (began, ended) = (start.at - begin, stop.at - end);
        assert!((*after..=after + 2.0).contains(&began), "{name}: told after {began} s");
        assert!((0.0..=7.0).contains(&ended), "{name}: over after {ended} s");
        assert_eq!(stop.data["reason"], "over", "{name}");
        assert!((stop.data["lasted_s"].as_f64().unwrap() - (stop.at - start.at)).abs() < 0.01, "{name}: {story:?}");
    }
}

#[test]
fn each_fault_by_day_is_told_once_in_its_time_and_ends() {
    befall(Light::Day, 7, &FAULTS);
}

#[test]
fn each_fault_by_night_is_told_once_in_its_time_and_ends() {
    let [cap, _, _, focus, _, cloth, _, pushed, ..] = FAULTS;
    befall(Light::Night, 11, &[cap, focus, cloth, pushed]);
}

/// What looks a little like a fault, and is none.
#[test]
fn changes_of_light_and_what_passes_before_the_lens_are_no_faults() {
    type Change = (&'static str, fn(&Luma, u64) -> Luma, f64);
    let changes: [Change; 9] = [
        ("a third of the light", |luma, _| luma.light(|v, _| 0.3 * v), 20.0),
        ("too much light", |luma, _| luma.light(|v, _| 1.5 * v), 20.0),
        ("another gamma", |luma, _| luma.light(|v, _| v.sqrt()), 20.0),
        (
            "infrared light from the camera, and foliage that is bright in it",
            |luma, n| luma.light(|v, [x, y]| (1.2 - 1.6 * (x - 0.5).hypot(y - 0.5)) * (0.9 - 0.6 * v)).noisy(4.0, n),
            20.0,
        ),
        ("a sensor that strains", |luma, n| luma.light(|v, _| 0.5 * v).noisy(12.0, n), 20.0),
        ("a cloth over a part", |luma, n| luma.covered(0.35, 0.3).noisy(2.0, n), 20.0),
        ("a lorry before it", |luma, n| luma.covered(0.9, 0.4).noisy(2.0, n), 4.0),
        ("a look aside", |luma, _| luma.elsewhere(0.0, 1.0, (0.3, 0.0)), 8.0),
        ("a wide street", |luma, _| luma.clone(), 10.0),
    ];
    let mut street = Street::new(7, 0, Light::Day, None);
    let mut watched = accustomed(&mut street);
    for (name, change, seconds) in changes {
        (0..pictures(seconds)).for_each(|n| {
            watched.look(&change(&street.next(), n as u64));
        });
        (0..pictures(10.0)).for_each(|_| {
            watched.look(&street.next());
        });
        assert!(watched.told.is_empty(), "{name}: {:?}", watched.story());
    }
}

#[test]
fn a_picture_that_comes_again_and_again_is_frozen_until_it_changes() {
    let mut street = Street::new(7, 0, Light::Dusk, Some(3));
    let mut watched = accustomed(&mut street);
    let stopped = street.next();
    (0..pictures(30.0)).for_each(|_| {
        watched.look(&stopped);
    });
    (0..pictures(5.0)).for_each(|_| {
        watched.look(&street.next());
    });
    let story = watched.story();
    let [start, end] = &watched.told[..] else { panic!("{story:?}") };
    assert_eq!((start.what, start.phase), (EventType::SceneFrozen, Phase::Start));
    assert_eq!((end.what, end.phase), (EventType::SceneFrozen, Phase::End));
    // Its first picture was new: the second was the same.
    assert!((start.at - 42.0 - 10.0).abs() <= 1.0 && (end.at - 71.0).abs() <= 1.0, "{story:?}");
    assert_eq!(start.data["difference"], 0.0);
    assert_eq!(start.data["still_s"], 10.0);
    assert!(start.data["usual_difference"].as_f64().unwrap() > 0.5, "{story:?}");
}

#[test]
fn a_clock_in_the_picture_shows_that_it_lives() {
    let mut watched = Watched::new(Scene::default());
    let still = Street::new(7, 0, Light::Night, Some(0)).next();
    for n in 0..60 {
        // One digit of eight by twelve pixels.
        let digit = |v, [x, y]: [f32; 2]| {
            let there = (0.9..0.9125).contains(&x) && (0.02..0.053).contains(&y);
            if there && (x * 640.0) as u64 % 8 == n % 8 { 0.9 } else { v }
        };
        watched.look(&still.light(digit));
    }
    assert!(watched.told.is_empty(), "{:?}", watched.story());
}

#[test]
fn a_new_view_is_accepted_after_ten_minutes_and_then_the_old_one_is_another() {
    let mut street = Street::new(11, 0, Light::Day, None);
    let mut watched = accustomed(&mut street);
    let mut aside = Street::new(11, 2, Light::Day, None);
    for _ in 0..125 {
        // One picture in five seconds is enough for this.
        watched.pass(4.0, 40);
        watched.look(&aside.next());
    }
    let story = watched.story();
    let [start, end] = &std::mem::take(&mut watched.told)[..] else { panic!("{story:?}") };
    assert_eq!((start.what, start.phase), (EventType::SceneMoved, Phase::Start));
    assert_eq!((end.what, end.phase), (EventType::SceneMoved, Phase::End));
    assert_eq!(end.data["reason"], "accepted");
    assert!((600.0..=610.0).contains(&(end.at - 40.0)), "{story:?}");
    (0..pictures(15.0)).for_each(|_| {
        watched.look(&street.next());
    });
    let story = watched.story();
    let [again] = &watched.told[..] else { panic!("{story:?}") };
    assert_eq!((again.what, again.phase), (EventType::SceneMoved, Phase::Start));
}

#[test]
fn pictures_of_another_size_begin_anew() {
    let mut street = Street::new(11, 0, Light::Day, None);
    let mut watched = accustomed(&mut street);
    (0..pictures(15.0)).for_each(|_| {
        watched.look(&street.next().elsewhere(0.0, 1.0, (0.3, 0.0)));
    });
    let half = |luma: Luma| {
        let pixels = (0..180).flat_map(|y| (0..320).map(move |x| (2 * y, 2 * x)));
        Luma::new(320, 180, pixels.map(|(y, x)| luma.samples[y * luma.width + x]).collect())
    };
    let stats = watched.look(&half(street.next()));
    assert!(stats.likeness.is_nan(), "{stats:?}");
    (0..pictures(30.0)).for_each(|_| {
        watched.look(&half(street.next()));
    });
    let story = watched.story();
    let [start, end] = &watched.told[..] else { panic!("{story:?}") };
    assert_eq!((start.what, start.phase), (EventType::SceneMoved, Phase::Start));
    assert_eq!((end.phase, &end.data["reason"]), (Phase::End, &"resized".into()), "{story:?}");
}

#[test]
fn what_goes_on_ends_with_a_reset_and_nothing_is_told_where_nothing_is_asked_for() {
    let mut watched = Watched::new(Scene::default());
    let nothing = Scene { black: None, ..Scene::default() };
    let (mut silent, mut off) = (Watched::new(nothing), Watched::new(Scene { enabled: false, ..Scene::default() }));
    for _ in 0..pictures(40.0) {
        for watched in [&mut watched, &mut silent, &mut off] {
            watched.look(&Luma::flat(16));
        }
    }
    watched.reset();
    let story = watched.story();
    let [start, end] = &watched.told[..] else { panic!("{story:?}") };
    assert_eq!((start.what, start.phase), (EventType::SceneBlack, Phase::Start));
    assert_eq!((end.phase, &end.data["reason"]), (Phase::End, &"reset".into()), "{story:?}");
    assert!(silent.told.is_empty() && off.told.is_empty(), "black is not something else either");
}
