//! Rules that are run over the log say exactly what they said live.

#![allow(clippy::unwrap_used)]

#[path = "support/busy.rs"]
mod busy;
#[path = "support/places.rs"]
mod places;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use watchkeeper::config::{self, Camera, Directions, Line, Rule, RuleKind, Zone};
use watchkeeper::rules::{Firing, Input, Model, Rules};
use watchkeeper::track_log::{Encoder, Reader, Record, TrackLog};
use watchkeeper::types::observation::Observation;
use watchkeeper::types::time::Timestamp;

use busy::{Busy, SECOND, START};

/// When the frame arrived at which it fired, and all that there is to say of it.
type Said = (Timestamp, String);

fn said(at: Timestamp, Firing { draft, track, shadow }: &Firing) -> Said {
    (at, format!("{draft:?} {track:?} {shadow}"))
}

/// Rules of every kind that tracks alone decide.
fn camera() -> Camera {
    let square = |id: &str, x: f32| places::zone(id, &[[x, 0.2], [x + 0.4, 0.2], [x + 0.4, 0.9], [x, 0.9]]);
    let zones = vec![
        Zone {
            inertia: Duration::from_millis(300),
            dwell: Some(Duration::from_secs(4)),
            grace: Duration::from_secs(1),
            count_every: Some(Duration::from_secs(20)),
            ..square("left", 0.05)
        },
        Zone {
            common: config::Common {
                classes: vec!["person".to_owned()],
                cooldown: Duration::from_secs(5),
                max_per_hour: Some(60),
                shadow: true,
                ..config::Common::new("right")
            },
            dwell: Some(Duration::from_secs(2)),
            ..square("right", 0.5)
        },
    ];
    let lines = vec![
        places::line("door", [0.5, 0.1], [0.5, 1.0]),
        Line { direction: Directions::In, ..places::line("gate", [0.25, 0.0], [0.3, 1.0]) },
    ];
    let rule = |id: &str, zone, kind| Rule { common: config::Common::new(id), zone, kind };
    let rules = vec![
        rule("crowd", Some(0), RuleKind::Crowd { from: 6, until: 4, hold: Duration::from_secs(1) }),
        rule("empty", Some(1), RuleKind::Absence { after: Duration::from_secs(2) }),
        rule("parked", None, RuleKind::Stopped { after: Duration::from_secs(6) }),
        rule("way", None, RuleKind::WrongWay { way: [1.0, 0.0], tolerance_deg: 60.0, distance: 0.2 }),
    ];
    places::camera(zones, lines, rules)
}

fn model(labels: &[&str]) -> Arc<Model> {
    Arc::new(Model { labels: labels.iter().map(ToString::to_string).collect(), event: None })
}

/// Rules at work, with the log written beside them.
struct Live {
    rules: Rules,
    encoder: Encoder,
    at: Timestamp,
    said: Vec<Said>,
}

impl Live {
    fn take(&mut self, input: Input<'_>) {
        if let Input::Frame(frame) = input {
            self.at = frame.arrival;
        }
        let (at, said_so_far) = (self.at, &mut self.said);
        self.rules.take(input, |firing| said_so_far.push(said(at, &firing)));
        self.encoder.push(&input);
    }
}

/// A daemon that runs for so many seconds from `from` on: what its rules said.
fn live(dir: &Path, busy: &mut Busy, from: i64, seconds: i64) -> Vec<Said> {
    let log = TrackLog::start(dir, &config::TrackLog::default()).unwrap();
    let begun = Timestamp(START + from * SECOND);
    let mut live =
        Live { rules: Rules::new(&camera()), encoder: log.encoder("gate", begun), at: begun, said: Vec::new() };
    live.take(Input::Model(&model(&["person", "bicycle", "car"])));
    let mut frame = Observation::with_capacity(64);
    for n in 0..seconds * 10 {
        busy.frame(from * SECOND + n * SECOND / 10, &mut frame);
        live.take(Input::Frame(&frame));
        match n {
            // Somebody puts another model in, and the camera is away for a while.
            500 => live.take(Input::Model(&model(&["car", "person", "bicycle"]))),
            900 => live.take(Input::Reset { capture: frame.capture, arrival: frame.arrival }),
            _ => {}
        }
        let began = Instant::now();
        while log.stats().waiting_blocks.get() > 1 && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    live.take(Input::Reset { capture: frame.capture, arrival: frame.arrival });
    let Live { encoder, said, .. } = live;
    drop(encoder);
    assert_eq!(log.stats().dropped_blocks.get(), 0);
    said
}

/// What rules say of the past.
fn replay(dir: &Path, from: i64, until: i64, warm_up: Duration) -> Vec<Said> {
    let mut reader = Reader::open(dir, "gate", Timestamp(from), Timestamp(until), warm_up).unwrap();
    let (mut rules, mut all, mut at) = (Rules::new(&camera()), Vec::new(), Timestamp(0));
    while let Some(record) = reader.next_record().unwrap() {
        match record {
            Record::Begin { .. } | Record::Hole { .. } => rules = Rules::new(&camera()),
            Record::Told(input) => {
                if let Input::Frame(frame) = input {
                    at = frame.arrival;
                }
                rules.take(input, |firing| all.push(said(at, &firing)));
            }
        }
    }
    all.retain(|(at, _)| (from..=until).contains(&at.0));
    all
}

fn assert_same(want: &[Said], have: &[Said]) {
    if let Some(at) = (0..want.len().max(have.len())).find(|at| want.get(*at) != have.get(*at)) {
        panic!(
            "{} live, {} replayed; {at}: {:#?}, and it was {:#?}",
            want.len(),
            have.len(),
            have.get(at),
            want.get(at)
        );
    }
}

fn types(said: &[Said]) -> BTreeMap<&str, usize> {
    let mut types = BTreeMap::new();
    for (_, text) in said {
        let (_, rest) = text.split_once("event_type: ").unwrap();
        *types.entry(rest.split(',').next().unwrap()).or_default() += 1;
    }
    types
}

const FOR_EVER: Duration = Duration::MAX;

#[test]
fn a_replay_says_what_live_said_event_for_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut busy = Busy::new(12);
    let mut want = live(dir.path(), &mut busy, 0, 180);
    // Killed and started again, twice; the second time at once.
    want.extend(live(dir.path(), &mut busy, 200, 100));
    want.extend(live(dir.path(), &mut busy, 300, 100));
    let types = types(&want);
    for event_type in ["ZoneEnter", "ZoneExit", "ZoneDwell", "LineCrossed"] {
        assert!(types.get(event_type).is_some_and(|count| *count > 20), "{event_type}: {types:?}");
    }
    assert!(want.iter().any(|(_, text)| text.ends_with("true")), "shadow rules, too");
    assert_same(&want, &replay(dir.path(), i64::MIN, i64::MAX, FOR_EVER));

    // A part of it, which begins in the second run and ends in the third.
    let (from, until) = (START + 250 * SECOND, START + 330 * SECOND);
    want.retain(|(at, _)| (from..=until).contains(&at.0));
    assert!(want.len() > 20);
    assert_same(&want, &replay(dir.path(), from, until, FOR_EVER));
    // The beginning of the second run is 50 seconds before, and that of the file: a minute of warm-up is enough.
    assert_same(&want, &replay(dir.path(), from, until, Duration::from_secs(60)));
}

#[test]
fn a_rule_that_was_not_there_then_is_told_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    live(dir.path(), &mut Busy::new(12), 0, 60);
    let new = places::camera(Vec::new(), vec![places::line("new", [0.4, 0.0], [0.4, 1.0])], Vec::new());
    let mut reader = Reader::open(dir.path(), "gate", Timestamp(0), Timestamp(i64::MAX), FOR_EVER).unwrap();
    let (mut rules, mut fired) = (Rules::new(&new), 0);
    while let Some(record) = reader.next_record().unwrap() {
        if let Record::Told(input) = record {
            rules.take(input, |firing| {
                assert_eq!(firing.draft.rule, "new");
                fired += 1;
            });
        }
    }
    assert!(fired > 10, "{fired}");
}

/// Without totals, which begin at 0 where the log begins.
fn without_counts(said: Vec<Said>) -> Vec<Said> {
    let cut = |text: String| match text.split_once("\"count\": Object {") {
        Some((before, rest)) => format!("{before}{}", rest.split_once('}').map_or("", |(_, after)| after)),
        None => text,
    };
    said.into_iter().map(|(at, text)| (at, cut(text))).collect()
}

#[test]
fn where_the_beginning_was_deleted_all_but_totals_is_as_live_once_everybody_of_then_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    // Ten minutes before the full hour and ten after it: two files.
    let mut busy = Busy::new(12);
    let hour = 3600;
    let want = live(dir.path(), &mut busy, hour - 600, 1200);
    let mut files: Vec<_> = std::fs::read_dir(watchkeeper::track_log::folder(dir.path(), "gate"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert_eq!(files.len(), 2);
    let from = START + (hour + 300) * SECOND;
    // What an hour has seen of `max_per_hour` is not known either.
    let known = |said: Vec<Said>| {
        let mut known = without_counts(said);
        known.retain(|(at, text)| at.0 >= from && !text.contains("\"right\""));
        known
    };
    let whole = replay(dir.path(), i64::MIN, i64::MAX, FOR_EVER);
    assert_same(&want, &whole);
    std::fs::remove_file(&files[0]).unwrap();
    let rest = replay(dir.path(), from, i64::MAX, FOR_EVER);
    let (want, rest) = (known(want), known(rest));
    assert!(want.len() > 100);
    assert_same(&want, &rest);
}

/// `cargo test --release --test rules_test -- --ignored --nocapture figures`
#[test]
#[ignore = "it measures, and says nothing of right and wrong"]
fn figures_of_an_hour() {
    for tracks in [10, 30] {
        let dir = tempfile::tempdir().unwrap();
        let began = Instant::now();
        let want = live(dir.path(), &mut Busy::new(tracks), 0, 3600);
        let lived = began.elapsed();
        let began = Instant::now();
        let have = replay(dir.path(), i64::MIN, i64::MAX, FOR_EVER);
        let took = began.elapsed();
        assert_same(&want, &have);
        println!(
            "{tracks} tracks, 10 frames a second, an hour: {} firings, told by {} zones, lines and rules, replayed in \
             {:.2} s (written, with the rules at work, in {:.2} s)",
            have.len(),
            camera().zones.len() + camera().lines.len() + camera().rules.len(),
            took.as_secs_f64(),
            lived.as_secs_f64(),
        );
    }
}
