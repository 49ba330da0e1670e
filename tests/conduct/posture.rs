//! Posture from keypoints.

use streetscene::{Light, Options, View, World};
use watchkeeper::types::observation::Posture;
use watchkeeper::types::pose::Keypoint;

/// Somebody who stands 170 px high before the camera, feet at (0, 0); y grows downwards.
pub const STANDING: [[f32; 2]; 17] = [
    [0.0, -160.0],
    [4.0, -164.0],
    [-4.0, -164.0],
    [8.0, -160.0],
    [-8.0, -160.0],
    [20.0, -140.0],
    [-20.0, -140.0],
    [26.0, -115.0],
    [-26.0, -115.0],
    [28.0, -90.0],
    [-28.0, -90.0],
    [14.0, -90.0],
    [-14.0, -90.0],
    [14.0, -48.0],
    [-14.0, -48.0],
    [14.0, -4.0],
    [-14.0, -4.0],
];

/// The same, turned about his feet.
pub fn turned(degrees: f32) -> [Keypoint; 17] {
    let (sin, cos) = degrees.to_radians().sin_cos();
    STANDING.map(|[x, y]| Keypoint { x: 300.0 + x * cos - y * sin, y: 300.0 + x * sin + y * cos, score: 0.9 })
}

fn of(keypoints: &[Keypoint]) -> Posture {
    Posture::of(keypoints, 0.5).unwrap()
}

#[test]
fn the_angle_of_the_trunk_is_from_upright_to_upside_down() {
    for degrees in [0, 10, 44, 90, 135, 180] {
        for sign in [-1.0, 1.0] {
            let got = of(&turned(sign * degrees as f32)).trunk_deg;
            assert!(got.abs_diff(degrees) <= 1, "{degrees}: {got}");
        }
    }
}

#[test]
fn height_to_width_is_in_sixteenths_and_arms_do_not_count() {
    // Head to ankles 160, shoulders 40 wide.
    assert_eq!(of(&turned(0.0)).aspect_16, 64);
    assert_eq!(of(&turned(90.0)).aspect_16, 4);
    let mut spread = turned(0.0);
    for (arm, x) in [(7, 100.0), (9, 200.0), (8, -100.0), (10, -200.0)] {
        (spread[arm].x, spread[arm].y) = (300.0 + x, 160.0);
    }
    assert_eq!(of(&spread).aspect_16, 64);
    let mut line = turned(0.0);
    line.iter_mut().for_each(|k| k.x = 300.0);
    assert_eq!(of(&line).aspect_16, 255);
}

#[test]
fn what_was_not_found_does_not_count() {
    let mut some = turned(0.0);
    for k in [0, 1, 2, 3, 4, 13, 14, 15, 16] {
        (some[k].x, some[k].score) = (9999.0, 0.49);
    }
    assert_eq!(of(&some), Posture { trunk_deg: 0, aspect_16: 20 });
    some[6].x = f32::NAN;
    assert!(of(&some).trunk_deg < 10, "the left shoulder over the left hip");
    some[12].score = 0.0;
    assert!(of(&some).trunk_deg < 10);
    let mut one_shoulder = turned(0.0);
    one_shoulder[5].score = 0.0;
    assert!(of(&one_shoulder).trunk_deg < 10, "the right shoulder over the right hip, not over the left one");
    some[5].score = 0.0;
    assert_eq!(Posture::of(&some, 0.5), None, "no shoulder");
}

#[test]
fn too_little_is_nothing() {
    assert_eq!(Posture::of(&[], 0.5), None);
    assert_eq!(Posture::of(&turned(0.0)[..16], 0.5), None);
    assert_eq!(Posture::of(&[Keypoint { x: 5.0, y: 5.0, score: 1.0 }; 17], 0.5), None, "all in one point");
    let mut hipless = turned(0.0);
    (hipless[11].score, hipless[12].score) = (0.1, 0.1);
    assert_eq!(Posture::of(&hipless, 0.5), None);
}

#[test]
fn nobody_who_walks_stands_or_rides_through_the_street_lies() {
    let mut world = World::new(&Options { seed: 11, light: Some(Light::Day), ..Options::default() });
    let mut views: Vec<View> = (0..3).map(|camera| View::new(&world, camera)).collect();
    let (mut upright, mut all) = (0, 0);
    for frame in 0..20u32 {
        world.advance_to(f64::from(frame) * 1.5);
        for view in &mut views {
            view.render(&world, u64::from(frame) + 1);
            for person in view.truth().objects.iter().filter(|o| !o.ignore && o.visibility > 0.6) {
                let Some(keypoints) = &person.keypoints else { continue };
                let seen = |[x, y, seen]: [f32; 3]| Keypoint { x, y, score: if seen == 2.0 { 0.9 } else { 0.1 } };
                let keypoints: Vec<Keypoint> = keypoints.iter().map(|k| seen(*k)).collect();
                let Some(posture) = Posture::of(&keypoints, 0.5) else { continue };
                all += 1;
                upright += u32::from(posture.trunk_deg <= 45 && posture.aspect_16 >= 16);
                assert!(posture.trunk_deg <= 60, "{posture:?}: {person:?}");
            }
        }
    }
    assert!(all > 100 && upright * 100 >= all * 99, "{upright} of {all}");
}
