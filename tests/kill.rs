//! Killed at any moment, again and again: what was delivered is whole, has no gap, and is in the data base.
//!
//! The program of this test is its own victim: with the variable below set it runs an outbox until it is killed.

#![allow(clippy::unwrap_used)]

#[path = "support/outbox.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{Rig, config, draft, is_whole, jsonl, kept, read_jsonl, seqs, wait_for};
use watchkeeper::config::{Outbox as Kept, Sink, SinkKind};
use watchkeeper::outbox::reader::Reader;
use watchkeeper::outbox::sinks::{Failure, Stored};

const VICTIM: &str = "WATCHKEEPER_TEST_VICTIM";
const KILLS: u64 = 50;

/// Three sinks: a file, a file that is rotated, and a far end that does not know what it has.
fn sinks(dir: &Path) -> Vec<Sink> {
    let rotated = SinkKind::Jsonl { path: Some(dir.join("rotated.jsonl")), rotate_bytes: 40_000, keep: 10_000 };
    vec![
        jsonl("file", &dir.join("events.jsonl")),
        Sink { kind: rotated, ..jsonl("rotated", dir) },
        jsonl("plain", &dir.join("plain.jsonl")),
    ]
}

/// Not a test but its victim: publishes until it is killed.
#[test]
fn victim() {
    let Some(dir) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    let mut config = config(&dir.join("state"), sinks(&dir));
    config.outbox = Kept { commit_every: Duration::from_millis(3), ..config.outbox };
    // It has what it wrote, but says nothing of it.
    let mut plain = std::fs::OpenOptions::new().append(true).create(true).open(dir.join("plain.jsonl")).unwrap();
    let mut calls = 0_u64;
    let deliver = move |events: &[Stored]| {
        use std::io::Write as _;
        calls += 1;
        if calls.is_multiple_of(20) {
            return (0, Err(Failure::retry("busy")));
        }
        let lines: String = events.iter().map(|event| format!("{}\n", event.body)).collect();
        plain.write_all(lines.as_bytes()).unwrap();
        (events.len(), Ok(()))
    };
    let rig = Rig::scripted(config, vec![("plain", Box::new(deliver))]);
    let reader = Reader::open(&dir.join("state")).unwrap();
    // It goes on with what is new, whatever became of the last ones.
    let mut n = reader.ends().unwrap().map_or(0, |(_, last)| last * 2);
    loop {
        rig.outbox.publish(draft(n));
        n += 1;
        // In bursts, so that it is killed in commits of many and of one.
        if n.is_multiple_of(40) {
            std::thread::sleep(Duration::from_millis(4));
        }
    }
}

fn rotated(dir: &Path) -> Vec<Value> {
    let mut files: BTreeMap<u64, PathBuf> = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Some(rest) = name.strip_prefix("rotated.jsonl") {
            files.insert(rest.strip_prefix('.').map_or(0, |n| n.parse().unwrap()), path);
        }
    }
    files.values().rev().flat_map(|path| read_jsonl(path)).collect()
}

#[test]
fn fifty_kills_cost_no_event_that_anybody_was_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut with_events = 0;
    for _ in 0..KILLS {
        let before = std::fs::metadata(dir.path().join("events.jsonl")).map_or(0, |meta| meta.len());
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim", "--nocapture"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Half of them while events flow, the others at any moment of the start.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if random.is_multiple_of(2) {
            let flows = || std::fs::metadata(dir.path().join("events.jsonl")).map_or(0, |meta| meta.len()) > before;
            assert!(wait_for(Duration::from_secs(20), flows), "no event in 20 s");
        }
        std::thread::sleep(Duration::from_micros(random >> 16 & 0x1_ffff));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let after = std::fs::metadata(dir.path().join("events.jsonl")).map_or(0, |meta| meta.len());
        with_events += u64::from(after > before);
    }
    // A last life, which ends as it should: what is left is delivered, and a fresh event gets through.
    let state = dir.path().join("state");
    let rig = Rig::open(config(&state, sinks(dir.path())));
    rig.outbox.publish(draft(u64::MAX >> 12));
    assert_eq!(rig.close(), Default::default());

    let database = rusqlite::Connection::open(state.join("events.db")).unwrap();
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let stored: BTreeMap<u64, String> =
        kept(&state).into_iter().map(|event| (event.seq, event.body.to_string())).collect();
    let last = *stored.keys().last().unwrap();
    // Enough flowed for all of this to mean something.
    assert!(last > 2000 && with_events >= 20, "{last} events in {with_events} lives");
    let gaps: Vec<u64> = (1..=last).filter(|seq| !stored.contains_key(seq)).collect();
    assert!(gaps.is_empty(), "numbers are missing: {} from {:?} of {last}", gaps.len(), gaps.first());
    assert!(stored.values().all(|body| is_whole(&serde_json::from_str(body).unwrap())));

    // Both files know what they have: everything is there once, in order.
    let file = read_jsonl(&dir.path().join("events.jsonl"));
    assert!(seqs(&file).into_iter().eq(1..=last), "{} of {last}", file.len());
    let rotated = rotated(dir.path());
    assert!(seqs(&rotated).into_iter().eq(1..=last), "rotated: {} of {last}", rotated.len());
    // The other gets some twice: the same ones, and none is missing.
    let text = std::fs::read_to_string(dir.path().join("plain.jsonl")).unwrap();
    let (mut ids, mut numbers, mut torn) = (BTreeMap::new(), BTreeSet::new(), 0);
    for line in text.lines() {
        // A line that was being written when it was killed; the next one begins behind it.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            torn += 1;
            continue;
        };
        let seq = event["seq"].as_u64().unwrap();
        assert_eq!(stored.get(&seq).map(String::as_str), Some(line), "{seq} is not as it is kept");
        assert_eq!(*ids.entry(event["event_id"].to_string()).or_insert(seq), seq, "one id, two events");
        numbers.insert(seq);
    }
    assert!(numbers.into_iter().eq(1..=last), "{torn} torn lines");
    let repeated = text.lines().count() as u64 - last;
    println!("{last} events in {KILLS} lives, {with_events} of which wrote; {repeated} lines repeated, {torn} torn");
    let lines = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    assert!(lines.lines().eq(stored.values().map(String::as_str)), "a payload is not as it is kept");
}
