//! The outbox: every event is numbered, durable, and arrives; what cannot be kept is told.

#![allow(clippy::unwrap_used)]

#[path = "support/outbox.rs"]
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Arrived, Rig, SOON, config, draft, is_whole, jsonl, kept, read_jsonl, seqs, taking, wait_for};
use watchkeeper::config::{Outbox as Kept, Sink};
use watchkeeper::outbox::reader::{Order, Query, Reader};
use watchkeeper::outbox::sinks::{Failure, Stored};
use watchkeeper::outbox::{Filter, Outbox};
use watchkeeper::types::time::Timestamp;

fn one_to(last: u64) -> Vec<u64> {
    (1..=last).collect()
}

/// What `system.events_lost` says.
fn told(event: &Stored) -> Value {
    assert_eq!(event.event_type, "system.events_lost");
    serde_json::from_str::<Value>(&event.body).unwrap()["data"].clone()
}

fn numbers(arrived: &Arrived) -> Vec<u64> {
    arrived.lock().unwrap().iter().map(|event| event.seq).collect()
}

// ------------------------------------------------------------------------------------------------ order and numbers

#[test]
fn events_arrive_in_order_and_without_a_gap_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    for run in 0..3 {
        let rig = Rig::open(config(&dir.path().join("state"), vec![jsonl("a", &file)]));
        rig.publish(run * 1000..(run + 1) * 1000);
        assert_eq!(rig.close(), Default::default());
    }
    let events = read_jsonl(&file);
    assert_eq!(seqs(&events), one_to(3000));
    assert!(events.iter().all(is_whole));
    let published: Vec<u64> = events.iter().map(|event| event["data"]["n"].as_u64().unwrap()).collect();
    assert_eq!(published, (0..3000).collect::<Vec<_>>());
    let ids: Vec<&str> = events.iter().map(|event| event["event_id"].as_str().unwrap()).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "ids are ordered");
    // What is kept is what was delivered.
    let kept = kept(&dir.path().join("state"));
    let lines = std::fs::read_to_string(&file).unwrap();
    assert!(lines.lines().zip(&kept).all(|(line, kept)| line == &*kept.body));
    assert_eq!(kept.len(), 3000);
}

#[test]
fn nobody_is_told_of_an_event_before_it_is_in_the_data_base() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let (seen, missing) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (saw, missed) = (Arc::clone(&seen), Arc::clone(&missing));
    let deliver = Box::new(move |events: &[watchkeeper::outbox::sinks::Stored]| {
        let reader = Reader::open(&path).unwrap();
        for event in events {
            if reader.by_seq(event.seq).unwrap().as_ref() != Some(event) {
                missed.fetch_add(1, Ordering::SeqCst);
            }
            saw.fetch_add(1, Ordering::SeqCst);
        }
        (events.len(), Ok(()))
    });
    let rig = Rig::scripted(config(dir.path(), vec![jsonl("a", dir.path())]), vec![("a", deliver)]);
    for n in 0..300 {
        rig.outbox.publish(draft(n));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(rig.close(), Default::default());
    assert_eq!((seen.load(Ordering::SeqCst), missing.load(Ordering::SeqCst)), (300, 0));
}

#[test]
fn numbers_go_on_from_the_file_of_an_earlier_version() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("seq"), "00000000000000000041\n").unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..2);
    rig.committed(44);
    rig.close();
    let kept = kept(dir.path());
    assert_eq!(kept.iter().map(|event| event.seq).collect::<Vec<_>>(), [42, 43, 44]);
    assert_eq!(told(&kept[0]), json!({ "reason": "missing", "up_to_seq": 41 }));
}

#[test]
fn a_data_base_that_was_moved_away_makes_no_number_be_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..100);
    rig.committed(100);
    // As after a crash: it had no time to say which number was the last.
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("seq"), copy.path().join("seq")).unwrap();
    rig.close();
    let rig = Rig::open(config(copy.path(), Vec::new()));
    rig.publish(0..1);
    assert!(wait_for(SOON, || rig.outbox.committed().last() > 100));
    rig.close();
    let first = kept(copy.path())[0].seq;
    assert!((101..=2000).contains(&first), "{first}");
    // After an orderly end, there is not even a gap.
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..1);
    rig.committed(102);
    rig.close();
    assert_eq!(kept(dir.path())[0].seq, 101);
    assert_eq!(told(&kept(dir.path())[0]), json!({ "reason": "missing", "up_to_seq": 100 }));
}

#[test]
fn an_old_copy_of_the_data_base_is_found_out_and_what_is_missing_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("events.db");
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..10);
    rig.close();
    let copy = std::fs::read(&database).unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(10..30);
    rig.close();
    std::fs::write(&database, copy).unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(30..31);
    rig.committed(32);
    rig.close();
    let kept = kept(dir.path());
    let lost: serde_json::Value = serde_json::from_str(&kept[10].body).unwrap();
    assert_eq!((kept[10].seq, &lost["type"]), (31, &"system.events_lost".into()));
    assert_eq!((&lost["data"]["first_seq"], &lost["data"]["last_seq"]), (&11.into(), &30.into()));
    assert_eq!(kept[11].seq, 32);
}

#[test]
fn an_old_copy_is_found_out_after_a_crash_too_and_so_is_one_without_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let crashed = |dir: &Path| {
        let copy = tempfile::tempdir().unwrap();
        for name in ["seq", "events.db", "events.db-wal"] {
            std::fs::copy(dir.join(name), copy.path().join(name)).unwrap();
        }
        copy
    };
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..10);
    rig.committed(10);
    let first = crashed(dir.path());
    rig.close();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(10..30);
    rig.committed(30);
    let second = crashed(dir.path());
    let (without_log, old) = (crashed(dir.path()), crashed(dir.path()));
    rig.close();
    let next = |dir: &Path| {
        let rig = Rig::open(config(dir, Vec::new()));
        rig.publish(30..31);
        assert!(wait_for(SOON, || rig.metric("outbox_commit_seconds_count") >= Some(1.0)));
        rig.close();
        kept(dir).iter().map(|event| event.seq).find(|seq| *seq > 30).unwrap()
    };
    // What a kill leaves goes on without a gap.
    assert_eq!(next(second.path()), 31);
    std::fs::remove_file(without_log.path().join("events.db-wal")).unwrap();
    assert!(next(without_log.path()) > 1000);
    for name in ["events.db", "events.db-wal"] {
        std::fs::copy(first.path().join(name), old.path().join(name)).unwrap();
    }
    assert!(next(old.path()) > 1000);
}

#[test]
fn strangers_may_not_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..1);
    rig.committed(1);
    for name in ["seq", "events.db", "events.db-wal", "events.db-shm"] {
        let mode = std::fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    rig.close();
}

#[test]
fn two_outboxes_do_not_share_a_state_folder() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Rig::open(config(dir.path(), Vec::new()));
    let second = Outbox::open(&Arc::new(config(dir.path(), Vec::new())), &Arc::default());
    let error = second.err().unwrap();
    assert!(error.passes(), "the first may be ending");
    let error = error.to_string();
    assert!(error.contains("in use by another watchkeeper; give each its own runtime.state_dir"), "{error}");
}

#[test]
fn what_keeps_it_from_opening_and_may_pass_is_told_from_what_is_wrong_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = |state: &Path, sinks: Vec<Sink>| {
        Outbox::open(&Arc::new(config(state, sinks)), &Arc::default()).err().unwrap().passes()
    };
    // A disk that is not there yet.
    let missing = dir.path().join("not/mounted/events.jsonl");
    assert!(refused(&dir.path().join("state"), vec![jsonl("a", &missing)]));
    assert!(!refused(&dir.path().join("state"), vec![jsonl("a", &file.join("events.jsonl"))]));
    assert!(!refused(&file.join("state"), Vec::new()));
    assert!(!refused(&file, Vec::new()));
    // Somebody else is at work on it.
    let rig = Rig::open(config(&dir.path().join("busy"), Vec::new()));
    rig.close();
    let other = rusqlite::Connection::open(dir.path().join("busy/events.db")).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE; UPDATE meta SET events = events").unwrap();
    assert!(refused(&dir.path().join("busy"), vec![jsonl("a", &file)]));
}

#[test]
fn what_is_no_data_base_of_ours_or_of_a_newer_version_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("events.db");
    let refused = || {
        let before = std::fs::read(&database).unwrap();
        let opened = Outbox::open(&Arc::new(config(dir.path(), Vec::new())), &Arc::default());
        let error = opened.err().unwrap();
        assert!(!error.passes());
        assert!(before == std::fs::read(&database).unwrap(), "it was written to");
        error.to_string()
    };
    std::fs::write(&database, "this is no data base, but it is long enough to be read as one".repeat(100)).unwrap();
    let error = refused();
    assert!(error.contains("file is not a database; the file is damaged"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    std::fs::remove_file(&database).unwrap();

    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..10);
    rig.close();
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute("UPDATE meta SET version = 2", []).unwrap();
    drop(connection);
    let error = refused();
    assert!(error.contains("written by a newer watchkeeper (version 2 of its tables; this one knows 1)"), "{error}");
    let error = Reader::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("written by a newer watchkeeper"), "{error}");
}

fn set_aside(dir: &Path) -> Vec<String> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("events.db.corrupt-") && !name.ends_with("-wal")).collect()
}

#[test]
fn a_damaged_data_base_is_set_aside_and_the_new_one_goes_on_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("events.db");
    let arrived = Arrived::default();
    let open = || Rig::scripted(config(dir.path(), vec![jsonl("a", dir.path())]), vec![("a", taking(&arrived))]);
    let rig = open();
    rig.publish(0..2000);
    rig.close();
    arrived.lock().unwrap().clear();
    let mut damaged = std::fs::read(&database).unwrap();
    // Damage in the middle: pages of nothing but ones.
    let middle = damaged.len() / 2 / 4096 * 4096;
    damaged[middle..middle + 8192].fill(0xff);
    std::fs::write(&database, &damaged).unwrap();
    let rig = open();
    rig.publish(2000..2010);
    rig.committed(2011);
    assert_eq!(rig.close(), Default::default());
    let aside = set_aside(dir.path());
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(std::fs::read(dir.path().join(&aside[0])).unwrap() == damaged);
    assert_eq!(numbers(&arrived), (2001..=2011).collect::<Vec<_>>());
    let first = arrived.lock().unwrap()[0].clone();
    assert_eq!(told(&first), json!({ "reason": "corrupt", "up_to_seq": 2000, "kept": aside[0] }));
    // Also again and again, but not so that they fill the disk.
    for _ in 0..3 {
        std::fs::write(&database, "this is no data base".repeat(100)).unwrap();
        open().close();
    }
    assert_eq!(set_aside(dir.path()).len(), 2);
}

#[test]
fn damage_found_at_work_ends_the_outbox_and_the_next_start_begins_another_data_base() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..100);
    rig.committed(100);
    let other = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    other
        .execute_batch(
            "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = 'no table' WHERE name = 'events';
             PRAGMA schema_version=1000",
        )
        .unwrap();
    drop(other);
    assert!(!rig.outbox.is_broken());
    rig.publish(100..110);
    assert!(wait_for(SOON, || rig.outbox.is_broken()));
    rig.publish(110..120);
    assert_eq!(rig.close().lost, 20);
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(120..121);
    rig.committed(122);
    assert!(!rig.outbox.is_broken());
    rig.close();
    let kept = kept(dir.path());
    assert_eq!(kept.iter().map(|event| event.seq).collect::<Vec<_>>(), [121, 122]);
    let aside = set_aside(dir.path());
    assert_eq!(told(&kept[0]), json!({ "reason": "corrupt", "up_to_seq": 120, "kept": aside[0] }));
}

// ------------------------------------------------------------------------------------------------ sinks

#[test]
fn a_new_sink_begins_with_the_next_event_and_an_old_one_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let arrived = [(); 2].map(|()| Arrived::default());
    let both = || config(dir.path(), vec![jsonl("old", dir.path()), jsonl("new", dir.path())]);
    let rig = Rig::scripted(config(dir.path(), vec![jsonl("old", dir.path())]), vec![("old", taking(&arrived[0]))]);
    rig.publish(0..10);
    rig.close();
    // It is away for a while.
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(10..20);
    rig.close();
    for run in 2..4 {
        let rig = Rig::scripted(both(), vec![("old", taking(&arrived[0])), ("new", taking(&arrived[1]))]);
        rig.publish(run * 10..(run + 1) * 10);
        rig.close();
    }
    assert_eq!(numbers(&arrived[0]), one_to(40));
    assert_eq!(numbers(&arrived[1]), (21..=40).collect::<Vec<_>>());
}

#[test]
fn a_sink_that_fails_or_hangs_delays_nobody_and_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sinks = ["good", "failing", "hanging"].map(|id| jsonl(id, dir.path())).to_vec();
    let arrived = [(); 3].map(|()| Arrived::default());
    let (down, stuck) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(true)));
    let (is_down, is_stuck) = (Arc::clone(&down), Arc::clone(&stuck));
    let (mut to_failing, mut to_hanging) = (taking(&arrived[1]), taking(&arrived[2]));
    let rig = Rig::scripted(
        config(dir.path(), sinks),
        vec![
            ("good", taking(&arrived[0])),
            (
                "failing",
                Box::new(move |events| match is_down.load(Ordering::SeqCst) {
                    // Each time it takes one, and fails at the next.
                    true => (to_failing(&events[..1]).0, Err(Failure::retry("down"))),
                    false => to_failing(events),
                }),
            ),
            (
                "hanging",
                Box::new(move |events| {
                    while is_stuck.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    to_hanging(events)
                }),
            ),
        ],
    );
    rig.publish(0..5000);
    assert!(wait_for(SOON, || arrived[0].lock().unwrap().len() == 5000));
    assert!(arrived[1].lock().unwrap().len() < 100 && arrived[2].lock().unwrap().is_empty());
    assert!(wait_for(SOON, || rig.metric("sink_retries_total{sink=\"failing\"}") > Some(1.0)));
    assert!(rig.metric("sink_waiting{sink=\"hanging\"}") == Some(5000.0), "{}", rig.metrics.render());
    down.store(false, Ordering::SeqCst);
    stuck.store(false, Ordering::SeqCst);
    assert!(wait_for(SOON, || arrived[1..].iter().all(|arrived| arrived.lock().unwrap().len() == 5000)));
    assert_eq!(rig.close(), Default::default());
    assert!(arrived.iter().all(|arrived| numbers(arrived) == one_to(5000)));
}

#[test]
fn an_event_that_is_refused_is_left_out_and_counted_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let arrived = Arrived::default();
    let mut take = taking(&arrived);
    let deliver = Box::new(move |events: &[watchkeeper::outbox::sinks::Stored]| {
        match events.iter().position(|event| event.seq.is_multiple_of(10)) {
            Some(bad) => (take(&events[..bad]).0, Err(Failure::refused("too large"))),
            None => take(events),
        }
    });
    let rig = Rig::scripted(config(dir.path(), vec![jsonl("a", dir.path())]), vec![("a", deliver)]);
    rig.publish(0..100);
    rig.committed(100);
    assert!(wait_for(SOON, || rig.metric("sink_waiting{sink=\"a\"}") == Some(0.0)));
    assert_eq!(rig.metric("sink_refused_total{sink=\"a\"}"), Some(10.0));
    assert_eq!(rig.metric("sink_delivered_total{sink=\"a\"}"), Some(90.0));
    rig.close();
    assert_eq!(numbers(&arrived), one_to(100).into_iter().filter(|seq| seq % 10 != 0).collect::<Vec<_>>());
    // It is not offered again.
    let rig = Rig::scripted(config(dir.path(), vec![jsonl("a", dir.path())]), vec![("a", taking(&arrived))]);
    rig.publish(100..101);
    rig.close();
    assert_eq!(numbers(&arrived).len(), 91);
}

#[test]
fn a_sink_gets_the_types_and_cameras_that_it_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let some = Sink { types: vec!["zone.*".into(), "line.crossed".into()], ..jsonl("some", dir.path()) };
    let gate = Sink { cameras: vec!["gate".into()], types: vec!["zone.enter".into()], ..jsonl("gate", dir.path()) };
    let none = Sink { types: vec!["scene.*".into()], ..jsonl("none", dir.path()) };
    let arrived = [(); 3].map(|()| Arrived::default());
    let open = || {
        let far_ends = ["some", "gate", "none"].into_iter().zip(&arrived).map(|(id, arrived)| (id, taking(arrived)));
        Rig::scripted(config(dir.path(), vec![some.clone(), gate.clone(), none.clone()]), far_ends.collect())
    };
    for run in 0..2 {
        let rig = open();
        rig.publish(run * 600..(run + 1) * 600);
        rig.close();
    }
    let wanted = |takes: &dyn Fn(&watchkeeper::types::event::EventDraft) -> bool| {
        (0..1200).filter(|n| takes(&draft(*n))).map(|n| n + 1).collect::<Vec<u64>>()
    };
    assert_eq!(numbers(&arrived[0]), wanted(&|draft| draft.event_type.name() != "object.start"));
    let gate = wanted(&|draft| draft.event_type.name() == "zone.enter" && draft.camera == "gate");
    assert_eq!(numbers(&arrived[1]), gate);
    assert_eq!(numbers(&arrived[2]), [] as [u64; 0]);
    // What is not for it moves its cursor, too.
    let cursors = Reader::open(dir.path()).unwrap().cursors().unwrap();
    assert!(cursors.iter().all(|cursor| cursor.seq == 1200), "{cursors:?}");
}

#[test]
fn what_is_waiting_at_the_end_is_delivered_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let arrived = Arrived::default();
    let down = || -> support::Deliver { Box::new(|_| (0, Err(Failure::retry("down")))) };
    let one = || config(dir.path(), vec![jsonl("a", dir.path())]);
    let rig = Rig::scripted(one(), vec![("a", down())]);
    rig.publish(0..50);
    let began = Instant::now();
    let closed = rig.outbox.close(Duration::from_millis(800));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!((closed.lost, closed.waiting), (0, 50));
    let rig = Rig::scripted(one(), vec![("a", taking(&arrived))]);
    assert!(wait_for(SOON, || arrived.lock().unwrap().len() == 50));
    rig.close();
    assert_eq!(numbers(&arrived), one_to(50));
}

#[test]
fn a_far_end_that_takes_its_time_is_not_asked_to_take_a_page_again_and_ends_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let arrived = Arrived::default();
    let mut take = taking(&arrived);
    let slow = Box::new(move |events: &[watchkeeper::outbox::sinks::Stored]| {
        std::thread::sleep(Duration::from_millis(50));
        take(&events[..1])
    });
    let rig = Rig::scripted(config(dir.path(), vec![jsonl("a", dir.path())]), vec![("a", slow)]);
    rig.publish(0..200);
    rig.committed(200);
    let cursor = || Reader::open(dir.path()).unwrap().cursors().unwrap()[0].seq;
    assert!(wait_for(SOON, || cursor() > 0));
    assert!(arrived.lock().unwrap().len() < 150, "only at the end of the page");
    let began = Instant::now();
    let closed = rig.outbox.close(Duration::from_millis(300));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // The far end may be taking one more at the very moment, which then comes again after the next start.
    let (kept, there) = (cursor(), arrived.lock().unwrap().len() as u64);
    assert!((kept..=kept + 1).contains(&there), "{there} are there, and {kept} are known to be");
    assert_eq!((closed.lost, closed.waiting), (0, 200 - kept));
}

#[test]
fn a_far_end_that_knows_what_it_has_gets_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("events.jsonl");
    let state = dir.path().join("state");
    let open = || Rig::open(config(&state, vec![jsonl("a", &file)]));
    let rig = open();
    rig.publish(0..100);
    rig.close();
    // As after a crash before the cursor was kept.
    let connection = rusqlite::Connection::open(state.join("events.db")).unwrap();
    connection.execute("UPDATE cursors SET seq = 40", []).unwrap();
    drop(connection);
    let rig = open();
    rig.publish(100..110);
    rig.close();
    assert_eq!(seqs(&read_jsonl(&file)), one_to(110));
}

#[test]
fn a_file_of_another_device_does_not_make_events_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let (file, other) = (dir.path().join("events.jsonl"), dir.path().join("other.jsonl"));
    let run = |state: &str, file: &Path, range: std::ops::Range<u64>| {
        let rig = Rig::open(config(&dir.path().join(state), vec![jsonl("a", file)]));
        rig.publish(range);
        rig.close();
    };
    run("others", &other, 0..100);
    run("state", &file, 0..50);
    let rig = Rig::open(config(&dir.path().join("state"), Vec::new()));
    rig.publish(50..150);
    rig.close();
    std::fs::copy(&other, &file).unwrap();
    run("state", &file, 150..160);
    assert_eq!(seqs(&read_jsonl(&file))[100..], (51..=160).collect::<Vec<_>>());
}

#[test]
fn the_cursor_of_a_sink_that_is_gone_is_forgotten_after_a_week() {
    let dir = tempfile::tempdir().unwrap();
    let sinks = vec![jsonl("a", &dir.path().join("a")), jsonl("b", &dir.path().join("b"))];
    Rig::open(config(dir.path(), sinks)).close();
    let ago = |days: i64| Timestamp::now().0 - days * 86_400 * 1_000_000;
    let known = |seen: i64| {
        let connection = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
        connection.execute("UPDATE cursors SET seen_us = ?", [seen]).unwrap();
        drop(connection);
        Rig::open(config(dir.path(), vec![jsonl("b", &dir.path().join("b"))])).close();
        let cursors = Reader::open(dir.path()).unwrap().cursors().unwrap();
        cursors.into_iter().map(|cursor| cursor.sink).collect::<Vec<_>>()
    };
    assert_eq!(known(ago(6)), ["a", "b"]);
    assert_eq!(known(ago(8)), ["b"]);
}

// ------------------------------------------------------------------------------------------------ retention

#[test]
fn the_file_stays_within_its_size_and_what_nobody_took_is_counted() {
    const MAX: u64 = 4 << 20;
    let dir = tempfile::tempdir().unwrap();
    let arrived = [(); 2].map(|()| Arrived::default());
    let open = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&open);
    let mut take = taking(&arrived[1]);
    let mut config = config(dir.path(), vec![jsonl("quick", dir.path()), jsonl("slow", dir.path())]);
    config.outbox = Kept { max_bytes: MAX, ..config.outbox };
    let slow: support::Deliver = Box::new(move |events| match is_open.load(Ordering::SeqCst) {
        true => take(events),
        false => (0, Err(Failure::retry("down"))),
    });
    let rig = Rig::scripted(config, vec![("quick", taking(&arrived[0])), ("slow", slow)]);
    let mut largest = 0;
    for n in 0..40 {
        rig.publish(n * 500..(n + 1) * 500);
        rig.committed((n + 1) * 500);
        largest = largest.max(std::fs::metadata(dir.path().join("events.db")).unwrap().len());
    }
    assert!(wait_for(SOON, || arrived[0].lock().unwrap().len() == 20_000));
    assert!(largest <= MAX + MAX / 10, "{largest}");
    assert!(wait_for(SOON, || rig.metric("outbox_pruned_total") > Some(10_000.0)), "{}", rig.metrics.render());
    open.store(true, Ordering::SeqCst);
    assert!(wait_for(SOON, || rig.metric("sink_waiting{sink=\"slow\"}") == Some(0.0)), "{}", rig.metrics.render());
    let (delivered, dropped) = (
        rig.metric("sink_delivered_total{sink=\"slow\"}").unwrap(),
        rig.metric("sink_dropped_total{sink=\"slow\"}").unwrap(),
    );
    assert_eq!(delivered + dropped, 20_000.0);
    assert!(dropped > 10_000.0 && delivered > 500.0, "{delivered} {dropped}");
    assert_eq!(rig.metric("sink_dropped_total{sink=\"quick\"}"), Some(0.0));
    assert_eq!(rig.metric("outbox_depth").unwrap() + rig.metric("outbox_pruned_total").unwrap(), 20_000.0);
    rig.close();
    let late = numbers(&arrived[1]);
    assert_eq!(late.len(), delivered as usize);
    assert!(late.windows(2).all(|pair| pair[0] < pair[1]) && late.last() == Some(&20_000));
    // The number of the last one outlives them all.
    let stats = Reader::open(dir.path()).unwrap().stats().unwrap();
    assert_eq!(stats.last_seq, 20_000);
    assert_eq!(stats.events as usize, kept(dir.path()).len());
    let bytes: usize = kept(dir.path()).iter().map(|event| event.body.len()).sum();
    assert_eq!(stats.body_bytes as usize, bytes);
}

#[test]
fn events_go_when_they_are_too_old_and_their_numbers_do_not_come_again() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..1000);
    rig.close();
    let connection = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    let day = 86_400 * 1_000_000_i64;
    connection.execute("UPDATE events SET emit_us = emit_us - 31 * ? WHERE seq <= 600", [day]).unwrap();
    connection.execute("UPDATE events SET emit_us = emit_us - ? / 12 WHERE seq BETWEEN 611 AND 700", [day]).unwrap();
    // From before the clock was set: as old as what came next.
    connection.execute("UPDATE events SET emit_us = 5000000 WHERE seq <= 20 OR seq BETWEEN 590 AND 610", []).unwrap();
    drop(connection);
    let rig = Rig::open(config(dir.path(), Vec::new()));
    assert!(wait_for(SOON, || rig.metric("outbox_pruned_total") == Some(589.0)), "{}", rig.metrics.render());
    rig.close();
    assert_eq!(kept(dir.path()).first().map(|event| event.seq), Some(590));
    let mut brief = config(dir.path(), Vec::new());
    brief.outbox.keep = Duration::from_millis(1);
    let rig = Rig::open(brief);
    assert!(wait_for(SOON, || rig.metric("outbox_depth") == Some(0.0)), "{}", rig.metrics.render());
    rig.close();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..1);
    rig.committed(1001);
    rig.close();
}

#[test]
fn a_device_that_starts_with_a_clock_far_ahead_deletes_nothing_and_forgets_no_sink() {
    let dir = tempfile::tempdir().unwrap();
    let sinks = vec![jsonl("a", &dir.path().join("a"))];
    let rig = Rig::open(config(dir.path(), sinks));
    rig.publish(0..100);
    rig.close();
    let change = |sql: &str| {
        let connection = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
        connection.execute(sql, [365 * 86_400 * 1_000_000_i64]).unwrap();
    };
    // As if everything had been a year ago.
    change("UPDATE events SET emit_us = emit_us - ?");
    change("UPDATE cursors SET seen_us = seen_us - ?");
    let run = |n: u64| {
        let rig = Rig::open(config(dir.path(), Vec::new()));
        rig.publish(n..n + 1);
        rig.committed(n + 1);
        std::thread::sleep(Duration::from_millis(700));
        assert_eq!(rig.metric("outbox_pruned_total"), Some(0.0));
        rig.close();
        assert_eq!(Reader::open(dir.path()).unwrap().cursors().unwrap().len(), 1);
    };
    run(100);
    // The events of that run do not make the clock right.
    run(101);
    assert_eq!(kept(dir.path()).len(), 102);
}

#[test]
fn events_numbered_while_the_clock_was_ahead_do_not_keep_those_behind_them() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..1000);
    rig.close();
    let connection = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    let day = 86_400 * 1_000_000_i64;
    connection.execute("UPDATE events SET emit_us = emit_us + 365 * ? WHERE seq <= 200", [day]).unwrap();
    connection.execute("UPDATE events SET emit_us = emit_us - 31 * ? WHERE seq BETWEEN 201 AND 700", [day]).unwrap();
    connection.execute("UPDATE events SET emit_us = emit_us - ? WHERE seq BETWEEN 701 AND 800", [day]).unwrap();
    drop(connection);
    let rig = Rig::open(config(dir.path(), Vec::new()));
    assert!(wait_for(SOON, || rig.metric("outbox_pruned_total") == Some(700.0)), "{}", rig.metrics.render());
    rig.close();
    assert_eq!(kept(dir.path()).first().map(|event| event.seq), Some(701));
}

// ------------------------------------------------------------------------------------------------ reading

#[test]
fn pages_filter_by_all_that_is_asked_from_either_end() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..3000);
    rig.committed(3000);
    // While it runs.
    let reader = Reader::open(dir.path()).unwrap();
    let all = kept(dir.path());
    let middle = serde_json::from_str::<serde_json::Value>(&all[1500].body).unwrap();
    let middle: Timestamp = serde_json::from_value(middle["time"]["emit"].clone()).unwrap();
    let filter = |types: &[&str], cameras: &[&str], rules: &[&str], labels: &[&str]| {
        let [types, cameras, rules, labels] =
            [types, cameras, rules, labels].map(|list| list.iter().map(|word| (*word).to_owned()).collect());
        Filter { types, cameras, rules, labels }
    };
    let queries = [
        Query::default(),
        Query { after: 100, before: Some(200), ..Query::default() },
        Query { filter: filter(&["zone.*"], &[], &[], &[]), ..Query::default() },
        Query {
            filter: filter(&["zone.enter", "line.crossed"], &["gate", "hall"], &["door"], &["dog", "cat"]),
            ..Query::default()
        },
        Query { since: Some(middle), ..Query::default() },
        Query { until: Some(middle), filter: filter(&["*"], &["yard"], &[], &[]), ..Query::default() },
        Query { filter: filter(&["scene.black"], &[], &[], &[]), ..Query::default() },
    ];
    for query in queries {
        let wanted: Vec<u64> = all
            .iter()
            .filter(|event| {
                let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
                let emit: Timestamp = serde_json::from_value(body["time"]["emit"].clone()).unwrap();
                let has = |list: &[String], word: &serde_json::Value| list.is_empty() || list.iter().any(|one| word == one);
                let types = &query.filter.types;
                event.seq > query.after
                    && query.before.is_none_or(|before| event.seq < before)
                    // Bodies have milliseconds only: what is in the middle's own one is left to the other side.
                    && query.since.is_none_or(|since| emit >= since)
                    && query.until.is_none_or(|until| emit < until)
                    && (types.is_empty() || types.iter().any(|one| one == "*" || *one == event.event_type || (one == "zone.*" && event.event_type.starts_with("zone."))))
                    && has(&query.filter.cameras, &body["camera"])
                    && has(&query.filter.rules, &body["rule"])
                    && has(&query.filter.labels, &body["track"]["label"])
            })
            .map(|event| event.seq)
            .collect();
        for (order, limit) in [(Order::OldestFirst, 7), (Order::NewestFirst, 250), (Order::OldestFirst, 5000)] {
            let mut found = Vec::new();
            let mut query = Query { order, limit, ..query.clone() };
            loop {
                let page = reader.page(&query).unwrap();
                assert!(page.events.len() <= limit);
                found.extend(page.events.iter().map(|event| event.seq));
                match order {
                    Order::OldestFirst => query.after = page.reached,
                    Order::NewestFirst => query.before = Some(page.reached),
                }
                if !page.more {
                    break;
                }
            }
            if order == Order::NewestFirst {
                found.reverse();
            }
            assert_eq!(found, wanted, "{query:?}");
        }
    }
    let some = &all[1234];
    assert_eq!(reader.by_id(&some.id.to_lowercase()).unwrap().as_ref(), Some(some));
    assert_eq!(reader.by_seq(some.seq).unwrap().as_ref(), Some(some));
    assert_eq!(reader.by_seq(3001).unwrap(), None);
    let tallies = reader.tallies().unwrap();
    assert_eq!(tallies.iter().map(|tally| tally.events).sum::<u64>(), 3000);
    let gate = tallies.iter().find(|tally| tally.event_type == "zone.enter" && tally.camera == "gate").unwrap();
    assert_eq!(gate.events, 250);
    rig.close();
}

#[test]
fn a_search_that_takes_too_long_comes_back_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..40_000);
    rig.committed(40_000);
    let reader = Reader::open(dir.path()).unwrap();
    let rare = Filter { types: vec!["scene.black".into()], ..Filter::default() };
    let mut query = Query { filter: rare, budget: Duration::ZERO, ..Query::default() };
    let mut pages = 0;
    loop {
        let page = reader.page(&query).unwrap();
        assert!(page.events.is_empty());
        pages += 1;
        if !page.more {
            break;
        }
        assert!(page.reached > query.after);
        query.after = page.reached;
    }
    assert!(pages > 1, "{pages}");
    rig.close();
}

#[test]
fn a_folder_that_nobody_may_write_to_can_still_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..10);
    rig.close();
    let mut permissions = std::fs::metadata(dir.path()).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(dir.path(), permissions.clone()).unwrap();
    assert_eq!(kept(dir.path()).len(), 10);
    #[allow(clippy::permissions_set_readonly_false)]
    permissions.set_readonly(false);
    std::fs::set_permissions(dir.path(), permissions).unwrap();
}

// ------------------------------------------------------------------------------------------------ the writer's trouble

#[test]
fn somebody_who_holds_the_data_base_holds_up_nobody_and_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let arrived = Arrived::default();
    let rig = Rig::scripted(config(dir.path(), vec![jsonl("a", dir.path())]), vec![("a", taking(&arrived))]);
    rig.publish(0..10);
    rig.committed(10);
    let other = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    rig.publish(10..20_010);
    assert!(began.elapsed() < Duration::from_secs(2), "publishing waited: {:?}", began.elapsed());
    assert!(wait_for(SOON, || rig.metric("outbox_failed_commits_total") >= Some(1.0)));
    other.execute_batch("ROLLBACK").unwrap();
    assert!(wait_for(SOON, || arrived.lock().unwrap().len() == 20_010));
    rig.close();
    assert_eq!(numbers(&arrived), one_to(20_010));
}

/// An outbox in a process of its own, whose disk can be full: this program once more.
struct Other {
    child: std::process::Child,
    says: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

const OTHER: &str = "WATCHKEEPER_TEST_OTHER";

impl Other {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "other", "--nocapture"])
            .env(OTHER, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, says }
    }

    /// Has it done, and answers what it says.
    fn ask(&mut self, what: &str) -> f64 {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        let mut answers = self.says.by_ref().map(Result::unwrap);
        answers.find_map(|line| line.strip_prefix("answer ")?.parse().ok()).unwrap()
    }

    fn limit_files(&self, bytes: &str) {
        let pid = self.child.id().to_string();
        let limit = format!("--fsize={bytes}:unlimited");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Not a test: see [`Other`].
#[test]
fn other() {
    let Some(dir) = std::env::var_os(OTHER).map(PathBuf::from) else { return };
    // A limit must come back as an error, as it does in the daemon.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).unwrap();
    let rig = Rig::open(config(&dir, vec![jsonl("file", &dir.join("events.jsonl"))]));
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["publish", from, to] => {
                rig.publish(from.parse().unwrap()..to.parse().unwrap());
                0.0
            }
            ["metric", name] => rig.metric(name).unwrap_or(-1.0),
            _ => panic!("{line}"),
        };
        println!("answer {answer}");
    }
    let closed = rig.close();
    println!("answer {}", closed.lost + closed.waiting);
}

#[test]
fn a_full_disk_costs_nothing_until_memory_is_full_too_and_then_the_gap_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = Other::start(dir.path());
    other.ask("publish 0 1000");
    assert!(wait_for(SOON, || other.ask("metric outbox_depth") == 1000.0));
    other.limit_files("65536");
    other.ask("publish 1000 3000");
    assert!(wait_for(SOON, || other.ask("metric outbox_failed_commits_total") >= 1.0));
    // Both the data base and the sink's file were full; nothing is lost.
    other.limit_files("unlimited");
    assert!(wait_for(SOON, || other.ask("metric outbox_depth") == 3000.0));
    let file = dir.path().join("events.jsonl");
    assert!(wait_for(SOON, || read_jsonl(&file).len() == 3000));
    // Now for longer than memory can bear.
    other.limit_files("65536");
    other.ask("publish 3000 104000");
    let dropped = other.ask("metric outbox_dropped_total") as u64;
    assert!((1000..2000).contains(&dropped), "{dropped}");
    other.limit_files("unlimited");
    let held = 104_000 - dropped;
    let all = held + 1;
    assert!(wait_for(3 * SOON, || other.ask("metric outbox_depth") as u64 == all));
    other.ask("publish 104000 104010");
    assert!(wait_for(3 * SOON, || other.ask("metric sink_delivered_total{sink=\"file\"}") as u64 == all + 10));
    drop(other.child.stdin.take());
    assert!(other.says.by_ref().map(Result::unwrap).any(|line| line == "answer 0"));

    let events = read_jsonl(&file);
    let mut wanted = one_to(held);
    wanted.extend(104_001..=104_011);
    assert_eq!(seqs(&events), wanted);
    let lost = &events[held as usize];
    assert_eq!(lost["type"], "system.events_lost");
    assert_eq!(lost["data"]["count"], dropped);
    assert_eq!((&lost["data"]["first_seq"], &lost["data"]["last_seq"]), (&(held + 1).into(), &104_000.into()));
    let database = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn what_could_not_be_written_before_the_end_is_told_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..10);
    rig.committed(10);
    let other = rusqlite::Connection::open(dir.path().join("events.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    rig.publish(10..30);
    let closed = rig.outbox.close(Duration::from_millis(300));
    assert_eq!(closed.lost, 20);
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    // The writer may still have been waiting for the disk.
    let mut opened = None;
    assert!(wait_for(SOON, || {
        opened = Outbox::open(&Arc::new(config(dir.path(), Vec::new())), &Arc::default()).ok();
        opened.is_some()
    }));
    let outbox = opened.unwrap();
    assert!(wait_for(SOON, || outbox.committed().last() == 31), "{}", outbox.committed().last());
    let _ = outbox.close(SOON);
    let kept = kept(dir.path());
    let lost: serde_json::Value = serde_json::from_str(&kept[10].body).unwrap();
    assert_eq!((kept.len(), kept[10].seq, &lost["data"]["count"]), (11, 31, &20.into()));
}

#[test]
fn two_events_with_one_id_are_both_kept() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    let media =
        watchkeeper::types::event::EventMedia { id: ulid::Ulid::generate(), snapshot: true, ..Default::default() };
    for n in 0..3 {
        rig.outbox.publish(watchkeeper::types::event::EventDraft { media: Some(media), ..draft(n) });
    }
    rig.committed(3);
    rig.close();
    let kept = kept(dir.path());
    assert_eq!(kept.len(), 3);
    assert_eq!(kept[0].id, media.id.to_string());
    assert!(kept[1].id != kept[0].id && kept[2].id != kept[0].id && kept[1].id != kept[2].id);
    assert!(kept[0].body.contains("snapshot.jpg") && !kept[1].body.contains("snapshot.jpg"));
}

#[test]
fn metrics_tell_how_the_outbox_is() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    assert_eq!(rig.metric("outbox_oldest_seconds"), None);
    rig.publish(0..100);
    rig.committed(100);
    assert!(wait_for(SOON, || rig.metric("outbox_depth") == Some(100.0)));
    assert!(rig.metric("outbox_oldest_seconds").unwrap() < 20.0);
    assert!(rig.metric("outbox_commit_seconds_count") >= Some(1.0));
    assert_eq!(rig.metric("events_total{type=\"zone.enter\"}"), Some(25.0));
    assert!(rig.metrics.render().contains("watchkeeper_outbox_commit_seconds_bucket{le=\"+Inf\"}"));
    rig.close();
}
