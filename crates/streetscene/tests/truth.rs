//! The truth of a frame fits its picture and itself.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use streetscene::truth::{Class, FrameTruth, Kind, Mask};
use streetscene::{Light, Options, View, World};

fn frames(seed: u64, camera: usize, times: &[f64]) -> Vec<(Vec<u8>, FrameTruth)> {
    let mut world = World::new(&Options { seed, width: 320, height: 180, ..Options::default() });
    let mut view = View::new(&world, camera);
    let render = |(k, time): (usize, &f64)| {
        world.advance_to(*time);
        let pixels = view.render(&world, k as u64 + 1).rgba.clone();
        (pixels, view.truth().clone())
    };
    times.iter().enumerate().map(render).collect()
}

/// The tight box of a mask, and its pixels.
fn tight(mask: &Mask) -> ([f32; 4], usize) {
    let flags = mask.decode().unwrap();
    let width = mask.size[1] as usize;
    let on: Vec<(usize, usize)> = (0..flags.len()).filter(|i| flags[*i]).map(|i| (i % width, i / width)).collect();
    let edge = |f: fn(&(usize, usize)) -> usize| {
        (on.iter().map(f).min().unwrap() as f32, on.iter().map(f).max().unwrap() as f32 + 1.0)
    };
    let ((x1, x2), (y1, y2)) = (edge(|p| p.0), edge(|p| p.1));
    ([x1, y1, x2, y2], on.len())
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (a, b) = (frames(5, 1, &[0.0, 0.73]), frames(5, 1, &[0.0, 0.73]));
    for (a, b) in a.iter().zip(&b) {
        assert!(a.0 == b.0, "pixels differ");
        assert_eq!(serde_json::to_string(&a.1).unwrap(), serde_json::to_string(&b.1).unwrap());
    }
}

#[test]
fn the_way_to_a_time_does_not_matter() {
    let (a, b) = (frames(6, 0, &[0.2, 0.4, 3.0]), frames(6, 0, &[1.0, 1.5, 3.0]));
    assert!(a[2].0 == b[2].0, "pixels differ");
}

#[test]
fn seeds_differ() {
    let (a, b) = (frames(5, 0, &[0.0]), frames(6, 0, &[0.0]));
    assert!(a[0].0 != b[0].0);
    assert_ne!(serde_json::to_string(&a[0].1.objects).unwrap(), serde_json::to_string(&b[0].1.objects).unwrap());
}

#[test]
fn boxes_fit_masks_and_the_visible_is_part_of_the_whole() {
    let mut seen = 0;
    for camera in 0..4 {
        for (_, truth) in frames(9, camera, &[0.0, 4.0, 8.0]) {
            let mut taken = vec![false; 320 * 180];
            for o in &truth.objects {
                seen += 1;
                let (bounds, area) = tight(&o.mask);
                assert_eq!(o.bounds, bounds);
                assert!((0.0..=1.0).contains(&o.visibility));
                let full = o.full_box;
                assert!(full[0] <= bounds[0] && full[1] <= bounds[1] && full[2] >= bounds[2] && full[3] >= bounds[3]);
                assert!(area as f32 <= (full[2] - full[0]) * (full[3] - full[1]));
                assert_eq!(o.keypoints.is_some(), o.class == Class::Person);
                for (taken, on) in taken.iter_mut().zip(o.mask.decode().unwrap()) {
                    assert!(!(*taken && on), "two masks share a pixel");
                    *taken |= on;
                }
            }
        }
    }
    assert!(seen > 50, "only {seen} objects");
}

#[test]
fn keypoints_of_an_unhidden_person_lie_on_its_mask() {
    let mut seen = 0;
    for camera in 0..4 {
        for (_, truth) in frames(12, camera, &[0.0, 5.0, 10.0]) {
            for o in truth.objects.iter().filter(|o| o.class == Class::Person && o.visibility > 0.99) {
                let mask = o.mask.decode().unwrap();
                for p in o.keypoints.as_ref().unwrap().iter().filter(|p| p[2] > 0.0) {
                    let near = (-3..=3).any(|dy| {
                        (-3..=3).any(|dx| {
                            let (x, y) = (p[0] as i32 + dx, p[1] as i32 + dy);
                            (0..320).contains(&x) && (0..180).contains(&y) && mask[(y * 320 + x) as usize]
                        })
                    });
                    assert!(near, "identity {} at {p:?}", o.identity);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} keypoints");
}

#[test]
fn one_identity_is_at_one_place_in_all_cameras() {
    let mut world = World::new(&Options { seed: 3, light: Some(Light::Day), ..Options::default() });
    let mut views: Vec<View> = (0..4).map(|c| View::new(&world, c)).collect();
    let mut shared = 0;
    for k in 0..4 {
        world.advance_to(f64::from(k) * 3.0);
        // Ground points from the feet of those who walk or stand.
        let mut at: BTreeMap<u32, Vec<[f64; 2]>> = BTreeMap::new();
        for (view, camera) in views.iter_mut().zip(world.cameras()) {
            view.render(&world, k as u64 + 1);
            let objects = &view.truth().objects;
            let pedals =
                |identity: u32| objects.iter().any(|o| o.class == Class::Bicycle && o.identity == identity + 1);
            for o in objects.iter().filter(|o| o.class == Class::Person && o.full_box[3] - o.full_box[1] > 50.0) {
                if pedals(o.identity) {
                    continue;
                }
                let p = o.keypoints.as_ref().unwrap();
                if p[15][2] == 0.0 || p[16][2] == 0.0 {
                    continue;
                }
                let (x, y) = (f64::from(p[15][0] + p[16][0]) / 2.0, f64::from(p[15][1] + p[16][1]) / 2.0);
                let (u, v) = ((x - camera.principal[0]) / camera.focal, (y - camera.principal[1]) / camera.focal);
                let (sin, cos) = camera.pitch.sin_cos();
                let (ahead, up) = (cos - v * sin, -sin - v * cos);
                // Ankles are about 0.08 m above the ground.
                let t = (0.08 - camera.position[2]) / up;
                let (east, north) =
                    (camera.yaw.cos() * ahead + camera.yaw.sin() * u, camera.yaw.sin() * ahead - camera.yaw.cos() * u);
                at.entry(o.identity).or_default().push([camera.position[0] + east * t, camera.position[1] + north * t]);
            }
        }
        for places in at.values().filter(|p| p.len() > 1) {
            for p in &places[1..] {
                let apart = (p[0] - places[0][0]).hypot(p[1] - places[0][1]);
                assert!(apart < 1.2, "{apart} m apart");
                shared += 1;
            }
        }
    }
    assert!(shared > 5, "only {shared} shared sightings");
}

#[test]
fn who_enters_a_zone_leaves_it_before_entering_again() {
    let mut within: BTreeMap<(String, u32, String), bool> = BTreeMap::new();
    let mut world = World::new(&Options { seed: 4, ..Options::default() });
    let mut count = 0;
    let mut last = 0.0;
    for k in 1..240 {
        world.advance_to(f64::from(k) * 0.5);
        for c in world.take_crossings() {
            assert!(c.time_s <= f64::from(k) * 0.5 + 0.06 && c.time_s >= last - 0.06, "{c:?}");
            assert!(c.track > 0, "{c:?}");
            last = c.time_s;
            let key = (c.camera.clone(), c.identity, c.id.clone());
            match c.kind {
                Kind::LineCrossed => assert!(c.direction.is_some()),
                kind => {
                    let enters = kind == Kind::ZoneEnter;
                    if let Some(before) = within.insert(key, enters) {
                        assert_ne!(before, enters, "{c:?}");
                    }
                    count += 1;
                }
            }
        }
    }
    assert!(count > 20, "only {count} crossings");
}

#[test]
fn nobody_stands_still_for_ever() {
    let mut world = World::new(&Options { seed: 8, width: 64, height: 36, ..Options::default() });
    let mut views: Vec<View> = (0..4).map(|c| View::new(&world, c)).collect();
    let mut met = std::collections::BTreeSet::new();
    for k in 0..30 {
        world.advance_to(f64::from(k) * 10.0);
        for view in &mut views {
            view.render(&world, k as u64 + 1);
            met.extend(view.truth().objects.iter().filter(|o| o.class == Class::Person).map(|o| o.identity));
        }
    }
    assert!(met.len() > 25, "only {} people came by in five minutes", met.len());
}

#[test]
fn run_lengths_come_back() {
    let shapes: [&dyn Fn(u32, u32) -> bool; 5] =
        [&|_, _| false, &|_, _| true, &|x, y| (x + y) % 3 == 0, &|x, y| x == 0 && y == 0, &|x, y| x > 3 && y < 4];
    for test in shapes {
        for area in [[0, 0, 9, 7], [2, 1, 6, 5], [0, 0, 3, 7], [5, 3, 9, 7]] {
            let mask = Mask::encode(9, 7, area, test);
            assert_eq!(mask.counts.iter().sum::<u32>(), 63);
            assert!(mask.counts.iter().skip(1).all(|c| *c > 0));
            let flags = mask.decode().unwrap();
            for y in 0..7 {
                for x in 0..9 {
                    let wanted = (area[0]..area[2]).contains(&x) && (area[1]..area[3]).contains(&y) && test(x, y);
                    assert_eq!(flags[(y * 9 + x) as usize], wanted);
                }
            }
        }
    }
    assert_eq!(Mask { size: [2, 2], counts: vec![1, 9] }.decode(), None);
}
