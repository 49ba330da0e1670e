use std::sync::OnceLock;

use streetscene::{Light, Options, View, World};

use super::{CameraMotionEstimator, Support, Verdict};
use crate::types::camera_motion::CameraMotion;
use crate::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range, Subsampling};
use crate::types::geometry::BBox;

const SIZE: (usize, usize) = (640, 360);
/// How much larger the scene is than what a camera sees of it, on all sides.
const AROUND: usize = 70;

/// A still picture of a street, larger than what cameras see of it.
struct Scene {
    width: usize,
    height: usize,
    grey: Vec<f32>,
}

impl Scene {
    fn street(camera: usize) -> Self {
        let (width, height) = (SIZE.0 + 2 * AROUND, SIZE.1 + 2 * AROUND);
        let size = Options { width: width as u32, height: height as u32, ..Options::default() };
        let mut world = World::new(&Options { seed: 11, light: Some(Light::Day), ..size });
        world.advance_to(10.0);
        let grey = luma(&View::new(&world, camera).render(&world, 1).rgba).into_iter().map(f32::from).collect();
        Self { width, height, grey }
    }

    fn plaza() -> &'static Self {
        static PLAZA: OnceLock<Scene> = OnceLock::new();
        PLAZA.get_or_init(|| Self::street(0))
    }

    /// Between pixels bilinear, the middle of the first one is at (0.5, 0.5).
    fn at(&self, x: f32, y: f32) -> f32 {
        let place = |v: f32, side: usize| (v - 0.5).clamp(0.0, side as f32 - 1.01);
        let (x, y) = (place(x, self.width), place(y, self.height));
        let (column, row) = (x as usize, y as usize);
        let (right, down) = (x.fract(), y.fract());
        let pair = |at: usize| self.grey[at] + right * (self.grey[at + 1] - self.grey[at]);
        let (upper, lower) = (pair(row * self.width + column), pair((row + 1) * self.width + column));
        upper + down * (lower - upper)
    }

    /// What a camera sees that has moved so from where it looks at the middle of the scene.
    fn seen(&self, size: (usize, usize), camera: &CameraMotion) -> Shot {
        let (left, top) = ((self.width - size.0) as f32 / 2.0, (self.height - size.1) as f32 / 2.0);
        let power = camera.a * camera.a + camera.b * camera.b;
        let pixel = |i: usize| {
            let (x, y) = ((i % size.0) as f32 + 0.5 - camera.tx, (i / size.0) as f32 + 0.5 - camera.ty);
            let (u, v) = ((camera.a * x + camera.b * y) / power, (camera.a * y - camera.b * x) / power);
            self.at(u + left, v + top).round() as u8
        };
        Shot { size, luma: (0..size.0 * size.1).map(pixel).collect() }
    }
}

fn luma(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).map(|p| ((u32::from(p[0]) + 2 * u32::from(p[1]) + u32::from(p[2])) / 4) as u8).collect()
}

#[derive(Clone)]
struct Shot {
    size: (usize, usize),
    luma: Vec<u8>,
}

impl Shot {
    fn flat(size: (usize, usize), value: u8) -> Self {
        Self { size, luma: vec![value; size.0 * size.1] }
    }

    fn map(mut self, change: impl Fn(usize, f32) -> f32) -> Self {
        for (i, v) in self.luma.iter_mut().enumerate() {
            *v = change(i, f32::from(*v)).round().clamp(0.0, 255.0) as u8;
        }
        self
    }

    /// The noise of a sensor, about normal, with this standard deviation.
    fn noisy(self, deviation: f32, seed: u32) -> Self {
        self.map(|i, v| {
            let sum: f32 = (0..4).map(|k| random(seed.wrapping_mul(31).wrapping_add(k), i as u32) - 0.5).sum();
            v + deviation * sum * 3.0_f32.sqrt()
        })
    }

    /// A striped lorry over the picture: left and right edge.
    fn with_lorry(mut self, left: usize, right: usize) -> Self {
        let (width, height) = self.size;
        for y in height / 8..height {
            for x in left..right.min(width) {
                self.luma[y * width + x] = (random((x - left) as u32 / 7, y as u32 / 9) * 255.0) as u8;
            }
        }
        self
    }

    fn picture(&self) -> Picture<'_> {
        let plane = Plane { data: &self.luma, stride: self.size.0 };
        of(self.size, Planes::Planar { y: plane, u: plane, v: plane, subsampling: Subsampling::Yuv420 })
    }
}

/// 0 to 1, always the same for the same two numbers.
fn random(a: u32, b: u32) -> f32 {
    let mut hash = a.wrapping_mul(0x9e37_79b9) ^ b.wrapping_mul(0x85eb_ca6b);
    for _ in 0..2 {
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    }
    (hash >> 8) as f32 / (1 << 24) as f32
}

fn of((width, height): (usize, usize), planes: Planes<'_>) -> Picture<'_> {
    Picture { width, height, planes, colour: Colour { matrix: Matrix::Bt709, range: Range::Limited } }
}

/// A turn in degrees and a zoom about the middle of the picture, then a shift.
fn moved((width, height): (usize, usize), turn: f32, zoom: f32, (dx, dy): (f32, f32)) -> CameraMotion {
    let (a, b) = (zoom * turn.to_radians().cos(), zoom * turn.to_radians().sin());
    let (x, y) = (width as f32 / 2.0, height as f32 / 2.0);
    CameraMotion { a, b, tx: x - a * x + b * y + dx, ty: y - b * x - a * y + dy }
}

fn shifted(dx: f32, dy: f32) -> CameraMotion {
    CameraMotion { tx: dx, ty: dy, ..CameraMotion::NONE }
}

/// How far the two motions take a corner of the picture apart, at most.
fn error((width, height): (usize, usize), a: &CameraMotion, b: &CameraMotion) -> f32 {
    let (w, h) = (width as f32, height as f32);
    let apart = |corner| {
        let (a, b) = (a.point(corner), b.point(corner));
        (a.0 - b.0).hypot(a.1 - b.1)
    };
    [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)].map(apart).into_iter().fold(0.0, f32::max)
}

/// From one picture to another.
fn between(before: &Shot, now: &Shot, subjects: &[BBox]) -> (CameraMotion, Support) {
    let mut estimator = CameraMotionEstimator::new();
    assert_eq!(estimator.estimate(&before.picture(), &[]), CameraMotion::NONE, "the first picture tells nothing");
    assert_eq!(estimator.support().verdict, Verdict::Nothing);
    (estimator.estimate(&now.picture(), subjects), estimator.support())
}

#[test]
fn turns_zooms_and_shifts_are_told_to_a_third_of_a_pixel_at_every_corner() {
    let scene = Scene::plaza();
    for (size, turn, zoom, shift) in [
        ((320, 240), 0.0, 1.0, (0.3, 0.0)),
        (SIZE, 0.0, 1.0, (-0.5, 0.4)),
        (SIZE, 0.0, 1.0, (1.0, 0.0)),
        (SIZE, 0.0, 1.0, (3.3, 1.7)),
        (SIZE, 0.0, 1.0, (-10.4, 5.2)),
        (SIZE, 0.0, 1.0, (25.3, -11.5)),
        (SIZE, 0.0, 1.0, (-40.0, 40.0)),
        ((320, 240), 0.0, 1.0, (40.0, -40.0)),
        (SIZE, 1.0, 1.0, (0.0, 0.0)),
        (SIZE, 3.0, 1.0, (0.0, 0.0)),
        (SIZE, -3.0, 1.0, (12.0, -5.0)),
        (SIZE, 0.0, 1.02, (0.0, 0.0)),
        (SIZE, 0.0, 0.95, (3.0, 0.0)),
        (SIZE, 2.0, 1.05, (-20.0, 9.0)),
    ] {
        let truth = moved(size, turn, zoom, shift);
        for noise in [0.0, 5.0] {
            let before = scene.seen(size, &CameraMotion::NONE).noisy(noise, 1);
            let (motion, support) = between(&before, &scene.seen(size, &truth).noisy(noise, 2), &[]);
            let error = error(size, &motion, &truth);
            assert!(error < 0.3, "{turn} {zoom} {shift:?}, noise {noise}: {error} px, {motion:?} {support:?}");
            assert_eq!(support.verdict, Verdict::Moved);
            assert!(support.agree <= support.found && support.found <= support.corners, "{support:?}");
        }
    }
}

#[test]
fn a_camera_that_stands_has_not_moved_at_all() {
    let scene = Scene::plaza().seen(SIZE, &CameraMotion::NONE);
    for noise in [0.0, 3.0, 10.0] {
        let mut estimator = CameraMotionEstimator::new();
        for frame in 0..10 {
            let shot = scene.clone().noisy(noise, frame);
            assert_eq!(estimator.estimate(&shot.picture(), &[]), CameraMotion::NONE, "noise {noise}, frame {frame}");
            assert_eq!(estimator.support().verdict, if frame == 0 { Verdict::Nothing } else { Verdict::Stood });
        }
    }
}

/// A tenth of a pixel of the small picture in each frame, which is below what counts as motion.
#[test]
fn a_slow_pan_is_not_lost() {
    let (mut estimator, mut sum, mut still) = (CameraMotionEstimator::new(), 0.0, 0);
    for frame in 0..=30 {
        let shot = Scene::plaza().seen(SIZE, &shifted(0.2 * frame as f32, 0.0));
        let motion = estimator.estimate(&shot.picture(), &[]);
        still += usize::from(motion == CameraMotion::NONE);
        sum += motion.tx;
    }
    assert!((sum - 6.0).abs() < 0.6, "{sum}");
    assert!(still > 5, "{still}");
}

/// Frames of one of the plaza's cameras, with people and cars all over.
fn plaza_with_people(camera: usize) -> impl Iterator<Item = Shot> {
    let mut world = World::new(&Options { seed: 5, light: Some(Light::Day), people: Some(25), ..Options::default() });
    let mut view = View::new(&world, camera);
    (0..25).map(move |i| {
        world.advance_to(10.0 + 0.1 * f64::from(i));
        let frame = view.render(&world, 1);
        Shot { size: (frame.width as usize, frame.height as usize), luma: luma(&frame.rgba) }
    })
}

#[test]
fn people_and_cars_that_move_are_not_the_camera() {
    let mut estimator = CameraMotionEstimator::new();
    for shot in plaza_with_people(0) {
        assert_eq!(estimator.estimate(&shot.picture(), &[]), CameraMotion::NONE, "{:?}", estimator.support());
        assert_ne!(estimator.support().verdict, Verdict::Moved);
    }
}

/// The mast of this camera sways in the wind, by whole pixels.
#[test]
fn a_swaying_camera_is_told_from_the_people_before_it() {
    let (mut estimator, mut moves) = (CameraMotionEstimator::new(), 0);
    for shot in plaza_with_people(1) {
        let motion = estimator.estimate(&shot.picture(), &[]);
        let (x, y) = motion.point((SIZE.0 as f32 / 2.0, SIZE.1 as f32 / 2.0));
        let whole = shifted((x - SIZE.0 as f32 / 2.0).round(), (y - SIZE.1 as f32 / 2.0).round());
        assert!(error(SIZE, &motion, &whole) < 0.3, "{motion:?} {:?}", estimator.support());
        moves += usize::from(whole != CameraMotion::NONE);
    }
    assert!((8..25).contains(&moves), "{moves}");
}

#[test]
fn a_lorry_before_half_of_the_picture_is_not_the_camera() {
    let scene = Scene::plaza().seen(SIZE, &CameraMotion::NONE);
    for step in [2, 9, 30] {
        let (before, now) = (scene.clone().with_lorry(100, 420), scene.clone().with_lorry(100 + step, 420 + step));
        let (motion, support) = between(&before, &now, &[]);
        assert_eq!((motion, support.verdict), (CameraMotion::NONE, Verdict::Stood), "{step}: {support:?}");
    }
}

#[test]
fn subjects_are_left_out() {
    let camera = shifted(-6.0, 3.0);
    let before = Scene::plaza().seen(SIZE, &CameraMotion::NONE).with_lorry(60, 560);
    let now = Scene::plaza().seen(SIZE, &camera).with_lorry(60, 560);
    let lorry = BBox::new(60.0, 45.0, 560.0, 360.0);
    let (motion, support) = between(&before, &now, &[lorry]);
    assert!(error(SIZE, &motion, &camera) < 0.3, "{motion:?} {support:?}");
    // Else most of the picture stands.
    assert_eq!(between(&before, &now, &[]).0, CameraMotion::NONE);
    // With nothing beside subjects, there is nothing to tell it from.
    let all = BBox::new(-10.0, -10.0, 1e9, 1e9);
    let odd = [BBox::new(f32::NAN, 0.0, 1.0, 1.0), BBox::new(1e30, 5.0, 2e30, 9.0), BBox::new(9.0, 9.0, 3.0, 3.0)];
    let (motion, support) = between(&before, &now, &[&odd[..], &[all]].concat());
    assert_eq!((motion, support.verdict, support.corners), (CameraMotion::NONE, Verdict::Unknown, 0));
}

#[test]
fn a_clock_in_the_picture_does_not_hold_it() {
    let digits = |shot: Shot| {
        let width = shot.size.0;
        shot.map(|i, v| {
            let (x, y) = (i % width, i / width);
            let clock = (10..250).contains(&x) && (10..34).contains(&y);
            if clock { 255.0 * random(x as u32 / 4, y as u32 / 4).round() } else { v }
        })
    };
    let camera = shifted(5.0, -2.0);
    let before = digits(Scene::plaza().seen(SIZE, &CameraMotion::NONE));
    let (motion, support) = between(&before, &digits(Scene::plaza().seen(SIZE, &camera)), &[]);
    assert!(error(SIZE, &motion, &camera) < 0.3, "{motion:?} {support:?}");
}

#[test]
fn a_change_of_light_is_not_motion() {
    let scene = Scene::plaza().seen(SIZE, &CameraMotion::NONE);
    for (gain, offset) in [(1.0, 30.0), (1.0, -30.0), (1.4, 0.0), (0.6, 0.0), (0.8, 40.0)] {
        let light = |shot: Shot| shot.map(|_, v| gain * v + offset);
        let (motion, support) = between(&scene, &light(scene.clone()), &[]);
        assert_eq!((motion, support.verdict), (CameraMotion::NONE, Verdict::Stood), "{gain} {offset}: {support:?}");
        let camera = shifted(14.0, -6.0);
        let (motion, support) = between(&scene, &light(Scene::plaza().seen(SIZE, &camera)), &[]);
        assert!(error(SIZE, &motion, &camera) < 0.4, "{gain} {offset}: {motion:?} {support:?}");
    }
}

#[test]
fn where_nothing_is_to_be_seen_nothing_moves() {
    let grain = |seed| Shot::flat(SIZE, 128).noisy(20.0, seed);
    let ramp = Shot::flat(SIZE, 0).map(|i, _| (i % SIZE.0) as f32 / 3.0);
    for (what, before, now) in [
        ("black", Shot::flat(SIZE, 0), Shot::flat(SIZE, 0)),
        ("grey to white", Shot::flat(SIZE, 90), Shot::flat(SIZE, 255)),
        ("a ramp", ramp.clone(), ramp.map(|_, v| v + 2.0)),
        ("grain", grain(1), grain(2)),
        ("the light goes out", Scene::plaza().seen(SIZE, &CameraMotion::NONE), Shot::flat(SIZE, 3)),
    ] {
        let (motion, support) = between(&before, &now, &[]);
        assert_eq!((motion, support.verdict), (CameraMotion::NONE, Verdict::Unknown), "{what}: {support:?}");
    }
}

/// A picture of square tiles, each a part of the plaza; `shift` says by how much the one in column and row has moved,
/// and a tile without one is new in each picture.
fn tiles(picture: u32, shift: impl Fn(usize, usize) -> Option<(f32, f32)>) -> Shot {
    let scene = Scene::plaza();
    Shot::flat(SIZE, 0).map(|i, _| {
        let (x, y) = (i % SIZE.0, i / SIZE.0);
        match shift(x / 40, y / 40) {
            Some((dx, dy)) => scene.at((x + AROUND) as f32 + 0.5 - dx, (y + AROUND) as f32 + 0.5 - dy),
            None => 255.0 * random(picture * 1000 + x as u32 / 5, y as u32 / 5),
        }
    })
}

#[test]
fn what_too_few_agree_on_is_not_the_camera() {
    let now = |whose: &dyn Fn(usize, usize) -> Option<(f32, f32)>| {
        let before = |column, row| whose(column, row).map(|_| (0.0, 0.0));
        between(&tiles(1, before), &tiles(2, whose), &[])
    };
    let ways = [(5.0, 0.0), (0.0, 5.0), (-5.0, -5.0), (6.0, -6.0)];
    let each_its_own_way = now(&|column, row| Some(ways[(column + 2 * row) % 4]));
    let one_lorry_in_a_flicker = now(&|column, row| ((2..7).contains(&column) && row >= 4).then_some((6.0, 0.0)));
    let little_in_a_flicker = now(&|column, row| (column % 6 < 2 && row % 4 < 2).then_some((6.0, 0.0)));
    for (motion, support) in [each_its_own_way, one_lorry_in_a_flicker, little_in_a_flicker] {
        assert_eq!((motion, support.verdict), (CameraMotion::NONE, Verdict::Unknown), "{support:?}");
    }
    // Where most of it agrees, it is.
    let (motion, support) = now(&|column, _| (column < 10).then_some((6.0, 0.0)));
    assert!(error(SIZE, &motion, &shifted(6.0, 0.0)) < 0.3, "{motion:?} {support:?}");
}

#[test]
fn what_is_hidden_is_not_found_again() {
    let [before, now] = [1, 2].map(|n| tiles(n, |column, _| (column < 8).then_some((0.0, 0.0))));
    let (motion, support) = between(&before, &now, &[]);
    assert_eq!((motion, support.verdict), (CameraMotion::NONE, Verdict::Stood), "{support:?}");
    assert!(support.found * 3 < support.corners * 2, "{support:?}");
}

#[test]
fn a_few_lamps_in_the_night_tell_nothing() {
    let lamps = |dx: usize| {
        Shot::flat(SIZE, 10).map(|i, v| {
            let (x, y) = ((i % SIZE.0).saturating_sub(dx), i / SIZE.0);
            if x % 300 > 100 && x % 300 < 108 && y > 100 && y < 108 { 250.0 } else { v }
        })
    };
    let (motion, support) = between(&lamps(0), &lamps(6), &[]);
    assert!((1..10).contains(&support.corners), "{support:?}");
    assert_eq!((motion, support.verdict), (CameraMotion::NONE, Verdict::Unknown), "{support:?}");
}

#[test]
fn a_cut_is_not_motion_and_what_follows_is_told_again() {
    let scenes = [Scene::plaza(), &Scene::street(1), &Scene::street(2), &Scene::street(3)];
    let mut estimator = CameraMotionEstimator::new();
    for (i, scene) in scenes.into_iter().enumerate() {
        let shot = scene.seen(SIZE, &CameraMotion::NONE);
        assert_eq!(estimator.estimate(&shot.picture(), &[]), CameraMotion::NONE, "scene {i}");
        assert_eq!(estimator.support().verdict, if i == 0 { Verdict::Nothing } else { Verdict::Unknown });
        let camera = shifted(8.0, 4.0);
        let motion = estimator.estimate(&scene.seen(SIZE, &camera).picture(), &[]);
        assert!(error(SIZE, &motion, &camera) < 0.3, "scene {i}: {motion:?}");
    }
}

/// The motions of a shaking camera.
fn shake(estimator: &mut CameraMotionEstimator) -> Vec<CameraMotion> {
    let shot = |frame: u32| {
        let shift = (20.0 * (random(1, frame) - 0.5), 20.0 * (random(2, frame) - 0.5));
        Scene::plaza().seen(SIZE, &moved(SIZE, random(3, frame), 1.0, shift)).noisy(4.0, frame)
    };
    (0..6).map(|frame| estimator.estimate(&shot(frame).picture(), &[])).collect()
}

#[test]
fn the_same_pictures_give_the_same_motions_also_after_a_reset() {
    let (mut once, mut again) = (CameraMotionEstimator::new(), CameraMotionEstimator::new());
    let motions = shake(&mut once);
    assert!(motions[1..].iter().all(|motion| *motion != CameraMotion::NONE), "{motions:?}");
    assert_eq!(motions, shake(&mut again));
    assert_ne!(shake(&mut again)[0], CameraMotion::NONE, "without a reset it goes on");
    once.reset();
    assert_eq!(once.support(), Support::default());
    assert_eq!(motions, shake(&mut once));
}

#[test]
fn a_picture_of_another_size_begins_anew() {
    let mut estimator = CameraMotionEstimator::new();
    for size in [SIZE, (320, 240), SIZE] {
        for (frame, verdict) in [Verdict::Nothing, Verdict::Moved].into_iter().enumerate() {
            let camera = shifted(5.0 * frame as f32, 0.0);
            let motion = estimator.estimate(&Scene::plaza().seen(size, &camera).picture(), &[]);
            assert!(error(size, &motion, &camera) < 0.3, "{size:?}: {motion:?}");
            assert_eq!(estimator.support().verdict, verdict, "{size:?}");
        }
    }
}

#[test]
fn layouts_and_strides_make_no_difference() {
    let size = (641, 363);
    let camera = moved(size, 1.0, 1.0, (7.0, -3.0));
    let shots = [CameraMotion::NONE, camera].map(|camera| Scene::plaza().seen(size, &camera));
    let (expected, _) = between(&shots[0], &shots[1], &[]);
    assert!(error(size, &expected, &camera) < 0.4, "{expected:?}");
    for layout in 0..4 {
        let mut estimator = CameraMotionEstimator::new();
        let mut last = CameraMotion::NONE;
        for (i, shot) in shots.iter().enumerate() {
            let (stride, mut data) = (700 + 13 * i, Vec::new());
            for row in shot.luma.chunks_exact(size.0) {
                data.extend_from_slice(row);
                data.resize(data.len() + stride - size.0, (i * 255) as u8);
            }
            // The last row ends where its pixels do.
            data.truncate(data.len() - (stride - size.0));
            let (y, other) = (Plane { data: &data, stride }, Plane { data: &shot.luma, stride: size.0 });
            let planar = |subsampling| Planes::Planar { y, u: other, v: other, subsampling };
            let planes = match layout {
                0 => planar(Subsampling::Yuv420),
                1 => planar(Subsampling::Yuv422),
                2 => planar(Subsampling::Yuv444),
                _ => Planes::Nv12 { y, uv: other },
            };
            last = estimator.estimate(&of(size, planes), &[]);
        }
        assert_eq!(last, expected, "layout {layout}");
    }
}

#[test]
fn tiny_huge_and_broken_pictures_give_nothing_and_do_no_harm() {
    for size in [(0, 0), (1, 1), (16, 16), (31, 500), (500, 31), (32, 32), (33, 47), (16_384, 40), (40, 16_384)] {
        let grain = |seed| Shot::flat(size, 128).noisy(60.0, seed);
        let (motion, support) = between(&grain(1), &grain(2), &[BBox::new(1.0, 1.0, 9.0, 9.0)]);
        assert_eq!(motion, CameraMotion::NONE, "{size:?}: {support:?}");
    }
    let shot = Scene::plaza().seen(SIZE, &CameraMotion::NONE);
    let mut estimator = CameraMotionEstimator::new();
    for (data, stride) in [(&shot.luma[1..], SIZE.0), (&shot.luma, SIZE.0 - 1), (&[], 0), (&shot.luma, usize::MAX)] {
        estimator.estimate(&shot.picture(), &[]);
        let plane = Plane { data, stride };
        let broken = of(SIZE, Planes::Nv12 { y: plane, uv: plane });
        assert_eq!(estimator.estimate(&broken, &[]), CameraMotion::NONE);
        assert_eq!(estimator.support().verdict, Verdict::Nothing);
    }
}
