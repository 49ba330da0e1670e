//! `watchkeeper events`: what the outbox keeps, as a user asks for it.

#![allow(clippy::unwrap_used)]

#[path = "support/outbox.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Rig, config, draft, jsonl, kept, read_jsonl, seqs};

fn events(dir: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    let (verb, rest) = arguments.split_once(' ').unwrap_or((arguments, ""));
    command.args(["events", verb]).args(rest.split_whitespace()).arg("--state-dir").arg(dir).stdin(Stdio::null());
    command
}

/// Its exit code, what it printed, and what it complained about.
fn run(dir: &Path, arguments: &str) -> (i32, String, String) {
    let output = events(dir, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn listed(dir: &Path, arguments: &str) -> Vec<u64> {
    let (code, out, err) = run(dir, &format!("list --json {arguments}"));
    assert_eq!((code, err.as_str()), (0, ""));
    out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
}

#[test]
fn what_is_kept_is_listed_shown_exported_and_counted_while_the_daemon_runs_and_when_it_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let rig = Rig::open(config(&state, vec![jsonl("file", &dir.path().join("sink.jsonl"))]));
    rig.publish(0..300);
    rig.committed(300);
    let mut running = Some(rig);
    for _ in 0..2 {
        let all = kept(&state);
        assert_eq!(listed(&state, ""), (251..=300).collect::<Vec<_>>());
        assert_eq!(listed(&state, "--limit 3"), [298, 299, 300]);
        assert_eq!(listed(&state, "--since-seq 10 --until-seq 12"), [11, 12]);
        let wanted = |takes: &dyn Fn(&watchkeeper::types::event::EventDraft) -> bool| {
            (0..300).filter(|n| takes(&draft(*n))).map(|n| n + 1).collect::<Vec<u64>>()
        };
        assert_eq!(
            listed(&state, "--limit 1000 --type zone.*,line.crossed --camera gate --label person,dog"),
            wanted(&|draft| {
                let label = draft.track.as_ref().unwrap().label.as_str();
                draft.event_type.name() != "object.start"
                    && draft.camera == "gate"
                    && ["person", "dog"].contains(&label)
            })
        );
        assert_eq!(listed(&state, "--since 1h --limit 1000").len(), 300);
        assert_eq!(listed(&state, "--until 1h"), [] as [u64; 0]);
        // For people: one line each.
        let (_, out, _) = run(&state, "list --limit 2");
        let line = out.lines().last().unwrap();
        assert!(line.contains("     300  ") && line.contains("  object.start      hall "), "{line}");

        let some = &all[41];
        for word in ["42", &some.id, &some.id.to_lowercase()] {
            assert_eq!(run(&state, &format!("show {word} --json")).1, format!("{}\n", some.body));
        }
        let (code, _, err) = run(&state, "show 301");
        assert_eq!((code, err.as_str()), (65, "there is no event \"301\": events 1 to 300 are kept\n"));

        let file = dir.path().join("export.jsonl");
        let (code, out, _) = run(&state, &format!("export --since-seq 100 --out {}", file.display()));
        assert_eq!((code, out), (0, format!("200 events in {}\n", file.display())));
        assert_eq!(seqs(&read_jsonl(&file)), (101..=300).collect::<Vec<_>>());
        let (_, out, _) = run(&state, "export");
        assert!(out.lines().eq(all.iter().map(|event| &*event.body)));

        let (_, out, _) = run(&state, "stats --json");
        let stats: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&stats["events"], &stats["last_seq"]), (&300.into(), &300.into()));
        let counts = stats["by_type"].as_array().unwrap();
        assert_eq!(counts.iter().map(|count| count["events"].as_u64().unwrap()).sum::<u64>(), 300);
        assert_eq!(stats["sinks"][0]["sink"], "file");
        if running.is_none() {
            assert_eq!((&stats["sinks"][0]["seq"], &stats["sinks"][0]["waiting"]), (&300.into(), &0.into()));
        }
        assert!(run(&state, "stats").1.starts_with("events     300 kept"));
        if let Some(rig) = running.take() {
            rig.close();
        }
    }
}

#[test]
fn events_are_followed_as_they_come_also_over_a_restart_of_the_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(0..20);
    rig.committed(20);
    let mut child = events(dir.path(), "follow --json --last 2 --type zone.*").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || {
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        line["seq"].as_u64().unwrap()
    };
    assert_eq!((next(), next()), (17, 18));
    rig.publish(20..24);
    assert_eq!((next(), next()), (21, 22));
    rig.close();
    let rig = Rig::open(config(dir.path(), Vec::new()));
    rig.publish(24..28);
    assert_eq!((next(), next()), (25, 26));
    rig.close();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_folder_without_an_outbox_and_words_that_mean_nothing_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = run(dir.path(), "list");
    assert_eq!(code, 78, "{err}");
    assert!(err.contains("events.db is not there: no watchkeeper has run with this folder yet"), "{err}");
    assert!(!dir.path().join("events.db").exists(), "asking makes nothing");
    let (code, _, err) = run(dir.path(), "list --since yesterday");
    assert_eq!(code, 64, "{err}");
    assert!(err.contains("90s, 15m, 6h, 2d"), "{err}");
}
