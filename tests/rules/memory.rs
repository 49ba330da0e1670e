//! Rules work in memory they already have.

use std::time::Duration;

use allocation_counter::measure;
use watchkeeper::config::Zone;
use watchkeeper::rules::{Input, Rules};
use watchkeeper::types::observation::{Observation, Seen};

use crate::places::{self, line, seen, zone};

#[test]
fn a_frame_in_which_nothing_fires_allocates_nothing() {
    let yard = zone("yard", &[[0.0, 0.3], [0.5, 0.3], [0.5, 0.9], [0.0, 0.9]]);
    let mut timed = Zone { count_every: Some(Duration::from_secs(3600)), ..yard.clone() };
    timed.dwell = Some(Duration::from_secs(3600));
    (timed.common.cooldown, timed.common.max_per_hour) = (Duration::from_secs(60), Some(10));
    let door = line("door", [0.0, 0.95], [1.0, 0.95]);
    let mut rules = Rules::new(&places::camera(vec![yard, timed], vec![door], Vec::new()));
    rules.take(Input::Model(&places::model()), |_| {});
    // A crowd that mills about; every now and then somebody is lost, and begun anew beside it.
    let frame = |k: u64| -> Observation {
        let is_lost = |i: u64| i.is_multiple_of(13) && (k + 7 * i) % 70 <= 4;
        let person = |i: u64| {
            let number = i + 1 + if i.is_multiple_of(13) { (k + 7 * i) / 70 * 1000 } else { 0 };
            let place = [0.04 + 0.045 * (i % 10) as f32, 0.4 + 0.12 * (i / 10) as f32 + 0.001 * ((k + i) % 50) as f32];
            Seen { coasted: (k + i).is_multiple_of(9), ..seen(number, place, 0.2) }
        };
        places::frame(Duration::from_millis(k * 100), (0..40).filter(|i| !is_lost(*i)).map(person).collect())
    };
    let mut fired = 0;
    (0..600).for_each(|k| rules.take(Input::Frame(&frame(k)), |_| fired += 1));
    assert!(fired >= 40, "everybody came in");
    fired = 0;
    for k in 600..1200 {
        let seen = frame(k);
        let info = measure(|| rules.take(Input::Frame(&seen), |_| fired += 1));
        assert_eq!((info.count_total, info.count_current), (0, 0), "frame {k}: {info:?}");
    }
    assert_eq!(fired, 0);
}
