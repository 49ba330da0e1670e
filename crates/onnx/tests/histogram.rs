//! Ranges from what was seen, and their files.

use onnx::{Calibration, Histogram, Ranges, RangesFile};

/// Values of a bell curve with deviation 1, by the central limit.
fn bell(count: usize) -> Vec<f32> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32
    };
    (0..count).map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0).collect()
}

fn of(values: &[f32]) -> Histogram {
    let mut histogram = Histogram::new();
    histogram.add(values);
    histogram
}

#[test]
fn the_maximum_is_exact_and_counts_both_signs() {
    let histogram = of(&[0.5, -7.25, 3.0]);
    assert_eq!((histogram.amax(Calibration::Max), histogram.count()), (7.25, 3));
    for method in [Calibration::Max, Calibration::Percentile(99.0), Calibration::Entropy, Calibration::MeanSquare] {
        assert_eq!(of(&[]).amax(method), 0.0);
        assert_eq!(of(&[0.0; 100]).amax(method), 0.0);
        assert!(of(&[2.0; 100]).amax(method) <= 2.0);
    }
}

#[test]
fn a_percentile_leaves_out_what_it_says() {
    let values: Vec<f32> = (1..=10_000).map(|value| value as f32).collect();
    let histogram = of(&values);
    let width = 10_000.0 / 2048.0;
    for (percent, wanted) in [(50.0, 5_000.0), (99.0, 9_900.0), (99.9, 9_990.0), (100.0, 10_000.0)] {
        let amax = histogram.amax(Calibration::Percentile(percent));
        assert!((amax - wanted).abs() <= width, "{percent}: {amax}");
    }
    for percent in [-1.0, 0.0, 200.0, f64::NAN] {
        assert!((0.0..=10_000.0).contains(&histogram.amax(Calibration::Percentile(percent))), "{percent}");
    }
}

#[test]
fn the_range_grows_without_losing_counts() {
    let values = bell(20_000);
    let mut grown = Histogram::new();
    for part in values.chunks(100) {
        let small: Vec<f32> = part.iter().map(|value| value * 0.001).collect();
        grown.add(&small);
    }
    grown.add(&values);
    assert_eq!(grown.count(), 40_000);
    assert_eq!(grown.amax(Calibration::Max), of(&values).amax(Calibration::Max));
    // Half of all values are a thousand times smaller, and so lie under the 75th of a hundred.
    let (ours, plain) = (grown.amax(Calibration::Percentile(75.0)), of(&values).amax(Calibration::Percentile(50.0)));
    assert!((ours - plain).abs() < 0.02, "{ours} and {plain}");
}

#[test]
fn entropy_cuts_an_outlier_off_and_keeps_what_is_dense() {
    let mut values = bell(200_000);
    let dense = of(&values).amax(Calibration::Entropy);
    assert!((2.5..5.0).contains(&dense), "{dense}");
    values.push(20.0);
    let cut = of(&values).amax(Calibration::Entropy);
    assert!((2.5..6.0).contains(&cut), "{cut}");
    let even: Vec<f32> = (0..100_000).map(|value| value as f32 / 100_000.0).collect();
    let kept = of(&even).amax(Calibration::Entropy);
    assert!(kept > 0.9, "{kept}");
}

#[test]
fn the_mean_square_is_least_where_rounding_and_cutting_off_balance() {
    let mut values = bell(200_000);
    let error = |amax: f32| -> f64 {
        let scale = amax / 127.0;
        let rounded = |value: f32| (value / scale).round_ties_even().clamp(-127.0, 127.0) * scale;
        values.iter().map(|value| f64::from(value - rounded(*value)).powi(2)).sum()
    };
    let best = of(&values).amax(Calibration::MeanSquare);
    assert!((3.0..5.0).contains(&best), "{best}");
    // Measured on the values themselves: neither side is better.
    for other in [0.85 * best, 0.95 * best, 1.05 * best, 1.15 * best] {
        assert!(error(best) < error(other) * 1.002, "{best}: {}, {other}: {}", error(best), error(other));
    }
    values.push(20.0);
    let cut = of(&values).amax(Calibration::MeanSquare);
    assert!((best + 1.0..15.0).contains(&cut), "{cut}: the outlier has its say, and no more");
}

#[test]
fn entropy_does_not_hear_a_rectifiers_zeros() {
    let positive: Vec<f32> = bell(100_000).iter().map(|value| value.max(0.0)).collect();
    let more: Vec<f32> = [positive.clone(), vec![0.0; 500_000]].concat();
    assert_eq!(of(&positive).amax(Calibration::Entropy), of(&more).amax(Calibration::Entropy));
}

#[test]
fn what_is_no_number_is_counted_apart() {
    let histogram = of(&[1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -2.0]);
    assert_eq!((histogram.count(), histogram.not_finite(), histogram.amax(Calibration::Max)), (2, 3, 2.0));
    assert!(of(&[f32::MAX, 1e-30]).amax(Calibration::Entropy).is_finite());
}

#[test]
fn ranges_go_through_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ranges.json");
    let ranges = Ranges([("images".to_owned(), 1.0), ("/stem".to_owned(), 5.312_345)].into());
    let file = RangesFile::new(ranges, "1f40", "gate.mp4, 200 frames, entropy");
    file.write(&path).expect("it is written");
    assert_eq!(RangesFile::read(&path).expect("it is read"), file);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing else is left");
    let text = std::fs::read_to_string(&path).expect("it is read");
    assert!(text.contains("\"schema\": \"calibration/1\"") && text.contains("\"onnx_sha256\": \"1f40\""), "{text}");
    let broken = [
        ("calibration/1", "calibration/9", "calibration/9"),
        ("1.0", "-1.0", "\"images\" is -1"),
        ("\"source\"", "\"sauce\"", "sauce"),
        ("}", "", "no ranges"),
    ];
    for (from, to, says) in broken {
        std::fs::write(&path, text.replace(from, to)).expect("it is written");
        let error = RangesFile::read(&path).expect_err("must be refused").to_string();
        assert!(error.contains(says) && error.contains("ranges.json"), "{error}");
    }
    let absent = RangesFile::read(&folder.path().join("absent.json")).expect_err("no file").to_string();
    assert!(absent.contains("absent.json"), "{absent}");
    let nowhere = file.write(&folder.path().join("no/such/folder.json")).expect_err("no folder").to_string();
    assert!(nowhere.contains("no/such"), "{nowhere}");
}
