//! Where subjects were.

use proptest::prelude::*;
use watchkeeper::config::RuleKind;
use watchkeeper::rules::heat::{COLUMNS, Heat, ROWS};
use watchkeeper::types::observation::Seen;

use super::scene::*;

fn watched() -> Watched {
    Watched::new(rule(RuleKind::Absence { after: s(3600) }))
}

/// Seconds in the cell of a place, and in all cells.
fn at(heat: &Heat, label: Option<&str>, [x, y]: [f32; 2]) -> (f64, f64) {
    let cells: Vec<f64> = heat.seconds(label).collect();
    assert_eq!(cells.len(), COLUMNS * ROWS);
    let cell = (y * ROWS as f32) as usize * COLUMNS + (x * COLUMNS as f32) as usize;
    (cells[cell], cells.iter().sum())
}

#[test]
fn seconds_are_counted_where_feet_are_by_label_and_in_all() {
    let mut watched = watched();
    watched.run(10.0, |t| {
        let car = subject(2, CAR, [0.91, 0.3], 0.2);
        if t < 5.0 { vec![person(1, [0.3, 0.5]), person(3, [0.3, 0.5])] } else { vec![car] }
    });
    let heat = watched.rules.heat();
    let (here, all) = at(heat, Some("person"), [0.3, 0.5]);
    // Each frame stands for the time since the one before.
    near(here, 2.0 * 4.9, 1e-6);
    near(all, here, 1e-6);
    let (here, all) = at(heat, None, [0.91, 0.3]);
    near(here, 5.0, 1e-6);
    near(all, 9.8 + 5.0, 1e-6);
    assert_eq!(heat.labels().collect::<Vec<_>>(), ["car", "person"]);
    assert_eq!(heat.seconds(Some("bicycle")).count(), 0);
    near(heat.watched().as_secs_f64(), 9.9, 1e-6);
}

#[test]
fn predictions_gaps_and_what_is_outside_the_picture_do_not_count() {
    let mut watched = watched();
    watched.run(2.0, |_| vec![Seen { coasted: true, ..person(1, [0.3, 0.5]) }, person(2, [0.3, 1.2])]);
    watched.skip(50.0);
    watched.run(0.1, |_| vec![person(1, [0.3, 0.5])]);
    watched.reset();
    watched.run(0.1, |_| vec![person(1, [0.3, 0.5])]);
    assert_eq!(watched.rules.heat().seconds(None).sum::<f64>(), 0.0);
    watched.run(1.0, |_| vec![person(1, [1.0, 1.0])]);
    near(watched.rules.heat().seconds(None).last().unwrap(), 1.0, 1e-6);
}

#[test]
fn it_is_kept_in_few_bytes_and_goes_on() {
    let mut before = watched();
    before.run(20.0, |t| vec![person(1, [0.1 + 0.03 * t as f32, 0.5]), subject(2, CAR, [0.5, 0.7], 0.2)]);
    let bytes = before.rules.heat().to_bytes();
    assert!(bytes.len() < 300, "{}", bytes.len());
    let mut after = watched();
    *after.rules.heat_mut() = Heat::from_bytes(&bytes).unwrap();
    assert_eq!(after.rules.heat().to_bytes(), bytes);
    after.run(20.0, |_| vec![subject(2, CAR, [0.5, 0.7], 0.2)]);
    near(at(after.rules.heat(), Some("car"), [0.5, 0.7]).0, 2.0 * 19.9, 0.01);
    near(after.rules.heat().seconds(None).sum(), 3.0 * 19.9, 0.1);
    after.rules.heat_mut().clear();
    assert_eq!((after.rules.heat().seconds(None).sum::<f64>(), after.rules.heat().labels().count()), (0.0, 0));
}

#[test]
fn damaged_bytes_are_refused() {
    let mut watched = watched();
    watched.run(20.0, |t| vec![person(1, [0.1 + 0.03 * t as f32, 0.5])]);
    let bytes = watched.rules.heat().to_bytes();
    for length in 0..bytes.len() {
        assert_eq!(Heat::from_bytes(&bytes[..length]), None, "{length}");
    }
    assert_eq!(Heat::from_bytes(&[bytes.as_slice(), &[0]].concat()), None);
    let other_grid = [&bytes[..5], &[63], &bytes[6..]].concat();
    assert_eq!(Heat::from_bytes(&other_grid), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused_and_what_is_read_is_written_alike(
        rest in proptest::collection::vec(prop_oneof![Just(0u8), Just(255u8), any::<u8>()], 0..200),
    ) {
        let bytes = [b"heat\x01\x40\x24".as_slice(), &rest].concat();
        if let Some(heat) = Heat::from_bytes(&bytes) {
            prop_assert_eq!(Heat::from_bytes(&heat.to_bytes()), Some(heat));
        }
    }
}
