//! Speed, where a zone has real distances.

use std::collections::BTreeMap;

use streetscene::geometry::{Pinhole, V3, v3};
use streetscene::light::Lighting;
use streetscene::rng::Rng;
use streetscene::site::{ROAD, Site};
use streetscene::traffic::{self, Vehicle};
use watchkeeper::config::{Camera, RuleKind, Zone};
use watchkeeper::rules::Firing;
use watchkeeper::types::event::{EventType, Phase};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::observation::Seen;

use super::scene::*;

/// A camera on a mast, 6 m high, that looks along a road to the north at a slant.
fn mast() -> Pinhole {
    Pinhole::new(v3(-6.0, -8.0, 6.0), 1.2, 0.32, 700.0, 1280, 720)
}

/// A place on the ground in the picture, 0..1.
fn project(lens: &Pinhole, at: V3) -> [f32; 2] {
    let seen = lens.project(at).unwrap();
    [seen.x / lens.width as f32, seen.y / lens.height as f32]
}

/// The box of a car: of what a camera sees of its eight corners.
fn car(number: u64, lens: &Pinhole, at: V3, heading: f64, [length, width, height]: [f64; 3]) -> Option<Seen> {
    let (ahead, aside) = (V3::heading(heading), V3::heading(heading + std::f64::consts::FRAC_PI_2));
    let mut bbox = BBox::new(f32::MAX, f32::MAX, f32::MIN, f32::MIN);
    for (l, w, h) in (0..8).map(|i| (f64::from(i & 1) - 0.5, f64::from(i >> 1 & 1) - 0.5, f64::from(i >> 2))) {
        let corner = lens.project(at + ahead * (l * length) + aside * (w * width) + v3(0.0, 0.0, h * height))?;
        let [x, y] = [corner.x / lens.width as f32, corner.y / lens.height as f32];
        bbox = BBox::new(bbox.x1.min(x), bbox.y1.min(y), bbox.x2.max(x), bbox.y2.max(y));
    }
    Some(of_box(number, CAR, &bbox))
}

/// A zone over a rectangle of the ground.
fn measured(lens: &Pinhole, [x0, y0, x1, y1]: [f64; 4]) -> Zone {
    let corners = [v3(x0, y0, 0.0), v3(x1, y0, 0.0), v3(x1, y1, 0.0), v3(x0, y1, 0.0)];
    let (across, along) = ((x1 - x0) as f32, (y1 - y0) as f32);
    Zone {
        polygon: corners.map(|corner| project(lens, corner)).to_vec(),
        distances_m: Some([across, along, across, along]),
        ..yard()
    }
}

fn limit(zone: Zone, above_kmh: f32) -> Camera {
    camera(zone, vec![rule(RuleKind::Speed { above_kmh })])
}

/// A car along the road at a speed, with edges that tremble by part of its height.
fn drive(kmh: f64, above_kmh: f32, fps: f64, tremble: f32, seed: u64) -> Vec<(f64, Firing)> {
    let lens = mast();
    let mut watched = Watched::of(&limit(measured(&lens, [-2.0, 4.0, 2.0, 34.0]), above_kmh));
    (watched.fps, watched.frame.size) = (fps, (1280, 720));
    let mut noise = Noise(seed);
    watched.run(60.0 * 3.6 / kmh, |t| {
        let at = v3(0.0, 40.0 - kmh / 3.6 * t, 0.0);
        let seen = car(1, &lens, at, -std::f64::consts::FRAC_PI_2, [4.5, 1.8, 1.5]);
        seen.map(|seen| noise.tremble(seen, tremble)).into_iter().filter(|seen| seen.bbox().y2 < 1.0).collect()
    })
}

#[test]
fn whoever_is_too_fast_is_told_once_with_his_speed() {
    for (kmh, fps) in [(40.0, 10.0), (60.0, 10.0), (60.0, 25.0), (80.0, 30.0), (50.0, 5.0)] {
        let fired = drive(kmh, 35.0, fps, 0.0, 1);
        let (_, firing) = one(&fired);
        assert_eq!(told(&fired), [(EventType::ObjectSpeeding, Phase::Instant)]);
        near(number(firing, "kmh"), kmh, kmh * 0.03);
        assert_eq!((number(firing, "limit_kmh"), firing.draft.data["zone"].as_str()), (35.0, Some("yard")));
    }
}

#[test]
fn whoever_keeps_to_the_limit_is_not() {
    for kmh in [10.0, 30.0, 48.0] {
        assert!(drive(kmh, 50.0, 15.0, 0.0, 1).is_empty(), "{kmh}");
    }
}

#[test]
fn boxes_that_tremble_cost_little_accuracy_and_accuse_nobody() {
    for seed in 0..20 {
        let fired = drive(50.0, 40.0, 15.0, 0.02, seed);
        near(number(one(&fired).1, "kmh"), 50.0, 4.0);
        assert!(drive(36.0, 40.0, 15.0, 0.02, seed).is_empty(), "{seed}");
    }
}

#[test]
fn whoever_stands_and_trembles_is_not_fast() {
    let (lens, mut noise) = (mast(), Noise(9));
    let parked = car(1, &lens, v3(0.0, 30.0, 0.0), 1.5, [4.5, 1.8, 1.5]).unwrap();
    let mut watched = Watched::of(&limit(measured(&lens, [-2.0, 4.0, 2.0, 34.0]), 5.0));
    assert!(watched.run(300.0, |_| vec![noise.tremble(parked, 0.05)]).is_empty());
}

#[test]
fn a_track_that_jumps_to_another_car_is_not_fast() {
    let lens = mast();
    for jump in 5..25 {
        let mut watched = Watched::of(&limit(measured(&lens, [-2.0, 4.0, 2.0, 34.0]), 30.0));
        let fired = watched.run(4.0, |t| {
            let y = if t * 10.0 < f64::from(jump) { 30.0 - 3.0 * t } else { 22.0 - 3.0 * t };
            car(1, &lens, v3(0.0, y, 0.0), -1.57, [4.5, 1.8, 1.5]).into_iter().collect()
        });
        assert!(fired.is_empty(), "{jump}");
    }
}

#[test]
fn another_number_on_the_way_is_the_same_car() {
    let lens = mast();
    let mut watched = Watched::of(&limit(measured(&lens, [-2.0, 4.0, 2.0, 34.0]), 20.0));
    let mut fired = Vec::new();
    for part in 0..5u64 {
        fired.extend(watched.run(0.6, |t| {
            let y = 34.0 - 10.0 * (t + 0.6 * part as f64);
            car(11 + part, &lens, v3(0.0, y, 0.0), -1.57, [4.5, 1.8, 1.5]).into_iter().collect()
        }));
        watched.ends(11 + part);
    }
    near(number(one(&fired).1, "kmh"), 36.0, 1.5);
}

#[test]
fn predicted_frames_do_not_count_and_a_zone_without_distances_tells_nothing() {
    let lens = mast();
    let drive = |t: f64| car(1, &lens, v3(0.0, 34.0 - 15.0 * t, 0.0), -1.57, [4.5, 1.8, 1.5]).unwrap();
    let zone = measured(&lens, [-2.0, 4.0, 2.0, 34.0]);
    let fired = Watched::of(&limit(zone.clone(), 30.0)).run(1.9, |t| vec![Seen { coasted: true, ..drive(t) }]);
    assert!(fired.is_empty());
    assert_eq!(Watched::of(&limit(zone.clone(), 30.0)).run(1.9, |t| vec![drive(t)]).len(), 1);
    let bare = Zone { distances_m: None, ..zone };
    assert!(Watched::of(&limit(bare, 30.0)).run(1.9, |t| vec![drive(t)]).is_empty());
}

/// Cars that brake, follow and go on, by streetscene's own traffic: what is told is their true speed.
#[test]
fn told_speeds_are_those_of_streetscenes_traffic() {
    let (mut told, mut seen) = (Vec::new(), 0);
    for seed in 1..40 {
        let site = Site::new(seed, Lighting::random(&mut Rng::new(seed, 2), None), 1280, 720);
        let lanes = traffic::lanes(&site);
        let sees = |lens: &Pinhole, at: V3| {
            let seen = lens.project(at);
            seen.is_some_and(|s| (0.0..1280.0).contains(&s.x) && (0.0..720.0).contains(&s.y))
        };
        // The first stretch of 12 m of the road that a camera sees.
        let stretches = site.cameras.iter().flat_map(|(lens, _)| {
            let area = |x: i32| [f64::from(x), ROAD.0 + 0.2, f64::from(x) + 12.0, ROAD.1 - 0.2];
            (-20..30).step_by(2).map(move |x| (lens, area(x)))
        });
        let whole = |(lens, area): &(&Pinhole, [f64; 4])| {
            [(0, 1), (2, 1), (2, 3), (0, 3)].iter().all(|(x, y)| sees(lens, v3(area[*x], area[*y], 0.0)))
        };
        let Some((lens, area)) = { stretches }.find(whole) else { continue };
        seen += 1;
        let mut watched = Watched::of(&limit(measured(lens, area), 18.0));
        watched.frame.size = (1280, 720);
        let mut rng = Rng::new(seed, 77);
        let (mut cars, mut next) = (Vec::<Vehicle>::new(), 1);
        let mut ways = BTreeMap::<u32, Vec<f64>>::new();
        for frame in 0..600 {
            if frame % 60 == 0 {
                cars.push(Vehicle::driving(next, frame / 60 % 2, &mut rng));
                next += 1;
            }
            // Somebody crosses now and then.
            for _ in 0..2 {
                traffic::step(&mut cars, &lanes, &[], frame % 200 > 150, 0.05);
            }
            for car in &cars {
                ways.entry(car.identity).or_default().push(car.along);
            }
            let tracks: Vec<Seen> = cars
                .iter()
                .filter_map(|c| {
                    let place = c.place(&lanes, 1.0, false);
                    let size = [c.car.length, c.car.width, c.car.height];
                    car(u64::from(c.identity), lens, place.at, place.heading, size)
                })
                .collect();
            for firing in watched.see(&tracks) {
                let way = &ways[&(firing.track.unwrap() as u32)];
                // How far it got in the latest 1.2 seconds.
                let truth = (way[way.len() - 1] - way[way.len() - 13]) / 1.2 * 3.6;
                told.push((number(&firing, "kmh"), truth));
            }
        }
    }
    assert!(seen >= 1, "no camera sees the road");
    assert!(told.len() >= 20, "{seen} cameras: {told:?}");
    for (kmh, truth) in &told {
        near(*kmh, *truth, 1.0 + truth * 0.08);
    }
    let off = told.iter().map(|(kmh, truth)| (kmh - truth).abs() / truth).sum::<f64>() / told.len() as f64;
    eprintln!("{} cars, {:.2} % off on average", told.len(), off * 100.0);
    assert!(off < 0.04, "{off}");
}
