//! Whatever the picture is.

use std::time::Duration;

use allocation_counter::measure;
use proptest::prelude::*;
use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};
use watchkeeper::vision::scene::SceneMeter;

fn grey(width: usize, height: usize, y: &[u8], stride: usize, range: Range) -> Picture<'_> {
    // The chroma is not looked at; it only has to be there.
    let uv = Plane { data: y, stride: width.div_ceil(2) * 2 };
    let planes = Planes::Nv12 { y: Plane { data: y, stride }, uv };
    Picture { width, height, planes, colour: Colour { matrix: Matrix::Bt601, range } }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Odd sides, rows with gaps, flat and noisy: numbers in their range, and the same for the same pictures.
    #[test]
    fn numbers_of_any_picture_are_in_their_range(
        width in prop_oneof![1_usize..8, 318_usize..330],
        height in prop_oneof![1_usize..8, 178_usize..188],
        gap in 0_usize..70,
        flat in any::<bool>(),
        full in any::<bool>(),
        seed in any::<u8>(),
    ) {
        let stride = width + gap;
        let range = if full { Range::Full } else { Range::Limited };
        let sample = |i: usize, n: usize| {
            if flat { seed } else { ((i * i / 7 + n * 31) as u8).wrapping_mul(seed | 1) }
        };
        let pictures = |n: usize| (0..stride * (height + 1) + 2).map(|i| sample(i, n)).collect::<Vec<_>>();
        let mut meters = [SceneMeter::new(), SceneMeter::new()];
        for n in 0..14 {
            let samples = pictures(n % 3);
            let picture = grey(width, height, &samples, stride, range);
            let [one, two] = meters.each_mut().map(|m| m.measure(&picture, Duration::from_secs(n as u64)).unwrap());
            let numbers = [one.mean, one.deviation, one.difference, one.sharpness, one.covered];
            prop_assert!(numbers.iter().all(|v| v.is_finite() && *v >= 0.0), "{:?}", one);
            prop_assert!(one.mean <= 255.0 && one.difference <= 255.0 && one.covered <= 1.0, "{:?}", one);
            prop_assert!(one.likeness.is_nan() || (-1.0..=1.0).contains(&one.likeness), "{:?}", one);
            prop_assert!(!flat || (one.likeness.is_nan() && one.covered == 0.0), "{:?}", one);
            prop_assert_eq!(format!("{one:?}"), format!("{two:?}"));
        }
    }
}

#[test]
fn a_mean_is_of_all_pixels_and_black_is_0_in_any_range() {
    for (width, height) in [(1, 1), (3, 2), (640, 360), (641, 359), (1920, 1080), (333, 777)] {
        let mut samples = vec![235_u8; width * height + 2 * width + 2];
        let stats = SceneMeter::new().measure(&grey(width, height, &samples, width, Range::Limited), Duration::ZERO);
        let stats = stats.unwrap();
        assert!((stats.mean - 255.0).abs() < 0.01 && stats.deviation < 0.1, "{width}x{height}: {stats:?}");
        samples.fill(16);
        let stats = SceneMeter::new().measure(&grey(width, height, &samples, width, Range::Limited), Duration::ZERO);
        assert_eq!(stats.unwrap().mean, 0.0);
        let stats = SceneMeter::new().measure(&grey(width, height, &samples, width, Range::Full), Duration::ZERO);
        assert!((stats.unwrap().mean - 16.0).abs() < 0.01);
    }
    // Half of it.
    let half: Vec<u8> = (0..1280 * 1082).map(|i| if i % 1280 < 640 { 200 } else { 0 }).collect();
    let stats = SceneMeter::new().measure(&grey(1280, 720, &half, 1280, Range::Full), Duration::ZERO).unwrap();
    assert!((stats.mean - 100.0).abs() < 0.01 && (stats.deviation - 100.0).abs() < 0.01, "{stats:?}");
}

#[test]
fn a_picture_that_is_not_whole_is_not_measured() {
    let samples = vec![99; 640 * 540];
    let mut meter = SceneMeter::new();
    let short = grey(640, 541, &samples, 640, Range::Full);
    assert!(meter.measure(&short, Duration::ZERO).is_none());
    assert!(meter.measure(&grey(640, 360, &samples, 640, Range::Full), Duration::ZERO).is_some());
    assert!(meter.measure(&short, Duration::from_secs(1)).is_none());
    assert!(meter.measure(&grey(640, 360, &samples, 639, Range::Full), Duration::from_secs(1)).is_none());
    assert!(meter.measure(&grey(0, 0, &samples, 640, Range::Full), Duration::from_secs(1)).is_none());
}

#[test]
fn it_is_due_twice_a_second_and_needs_no_memory_after_the_first_picture() {
    let samples: Vec<u8> = (0..640 * 540_u32).map(|i| (i.wrapping_mul(i) / 9) as u8).collect();
    let picture = grey(640, 360, &samples, 640, Range::Full);
    let mut meter = SceneMeter::new();
    let mut measured = 0;
    for frame in 0..250_u32 {
        let time = Duration::from_millis(40) * frame;
        if meter.due(time) {
            let allocations = measure(|| assert!(meter.measure(&picture, time).is_some()));
            assert!(measured == 0 || allocations.count_total == 0, "{allocations:?}");
            measured += 1;
        }
    }
    assert!((19..=20).contains(&measured), "{measured} in 10 seconds");
}
