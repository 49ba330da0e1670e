//! `watchkeeper rules test` as a user runs it, over a log that was written beside rules at work.

#![allow(clippy::unwrap_used)]

#[path = "support/busy.rs"]
mod busy;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use watchkeeper::annotate::Canvas;
use watchkeeper::config::Camera;
use watchkeeper::outbox::Outbox;
use watchkeeper::rules::{Firing, Input, Model, Rules};
use watchkeeper::track_log::TrackLog;
use watchkeeper::types::observation::Observation;
use watchkeeper::types::time::Timestamp;

use busy::{Busy, SECOND, START};

const PLACES: &str = r#"
[[cameras.zones]]
id = "yard"
polygon = [[0.05, 0.2], [0.45, 0.2], [0.45, 0.95], [0.05, 0.95]]
inertia_s = 0.3
dwell_s = 3
max_per_hour = 5

[[cameras.lines]]
id = "door"
from = [0.5, 0.1]
to = [0.5, 1.0]

[[cameras.lines]]
id = "quiet"
from = [0.7, 0.1]
to = [0.7, 1.0]
shadow = true
"#;

struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// A folder with a configuration of these cameras.
fn config(cameras: &str, more: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/detection/model.onnx");
    let text = format!(
        "[runtime]\npolicy = \"any\"\nstate_dir = {:?}\n\n[models.detection]\nonnx = {engines:?}\nbackend = \
         \"onnxruntime\"\n{more}\n{cameras}",
        dir.path().join("state"),
    );
    fs::create_dir(dir.path().join("state")).unwrap();
    fs::write(dir.path().join("watchkeeper.toml"), text).unwrap();
    dir
}

fn camera(id: &str, places: &str) -> String {
    format!("[[cameras]]\nid = {id:?}\nurl = \"test://ball\"\n{places}\n")
}

fn run(dir: &TempDir, args: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WATCHKEEPER__")) {
        command.env_remove(name);
    }
    command.args(["rules", "test", "--config"]).arg(dir.path().join("watchkeeper.toml")).args(args);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// Rules at work for so many seconds, with the log beside them: what they said.
fn live(dir: &TempDir, id: &str, seconds: i64) -> Vec<(Timestamp, Firing)> {
    let loaded = watchkeeper::config::load(&dir.path().join("watchkeeper.toml")).unwrap();
    let camera: &Arc<Camera> = loaded.config.cameras.iter().find(|camera| camera.id == id).unwrap();
    let log = TrackLog::start(&dir.path().join("state"), &watchkeeper::config::TrackLog::default()).unwrap();
    let (mut rules, mut encoder) = (Rules::new(camera), log.encoder(id, Timestamp(START)));
    let (mut busy, mut frame, mut said) = (Busy::new(12), Observation::with_capacity(64), Vec::new());
    let model = Arc::new(Model { labels: vec!["person".into(), "bicycle".into(), "car".into()], event: None });
    rules.take(Input::Model(&model), |_| {});
    encoder.push(&Input::Model(&model));
    for n in 0..seconds * 10 {
        busy.frame(n * SECOND / 10, &mut frame);
        rules.take(Input::Frame(&frame), |firing| said.push((frame.arrival, firing)));
        encoder.push(&Input::Frame(&frame));
        let began = Instant::now();
        while log.stats().waiting_blocks.get() > 1 && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    said
}

/// As the command says it.
fn as_said(Firing { draft, shadow, .. }: Firing) -> Value {
    let mut said = json!({
        "capture": draft.capture,
        "type": draft.event_type,
        "phase": draft.phase,
        "rule": draft.rule,
        "shadow": shadow,
        "data": draft.data,
    });
    if let Some(track) = draft.track {
        // Through text, as what is compared with it went: short numbers stay short.
        said["track"] = serde_json::from_str(&serde_json::to_string(&track).unwrap()).unwrap();
    }
    said
}

fn at(seconds: i64) -> String {
    Timestamp(START + seconds * SECOND).to_string()
}

#[test]
fn what_it_says_is_what_live_said() {
    let dir = config(&camera("gate", PLACES), "");
    let said: Vec<(Timestamp, Value)> =
        live(&dir, "gate", 60).into_iter().map(|(at, firing)| (at, as_said(firing))).collect();
    assert!(said.len() > 20, "{}", said.len());
    let (from, until) = (at(-10), at(120));
    let all = run(&dir, &["--json", "--from", &from, "--until", &until]);
    assert_eq!(all.code, 0, "{}", all.err);
    let report: Value = serde_json::from_str(&all.out).unwrap();
    let gate = &report["cameras"][0];
    assert_eq!(gate["camera"], "gate");
    let want: Vec<&Value> = said.iter().map(|(_, said)| said).collect();
    assert_eq!(gate["fired"].as_array().unwrap().iter().collect::<Vec<_>>(), want);
    assert_eq!(gate["replayed"]["frames"], 600);
    assert_eq!(gate["replayed"]["exact"], true);
    assert_eq!(gate["replayed"]["holes"], json!([]));
    let count = |rule: &str| want.iter().filter(|said| said["rule"] == rule).count() as u64;
    let rules = gate["rules"].as_array().unwrap();
    for (rule, id) in rules.iter().zip(["yard", "door", "quiet"]) {
        assert_eq!((&rule["rule"], &rule["fired"]), (&json!(id), &json!(count(id))));
        assert_eq!(rule["shadow"], id == "quiet");
        let hours: u64 = rule["hours"].as_array().unwrap().iter().map(|hour| hour["fired"].as_u64().unwrap()).sum();
        assert_eq!(hours, count(id));
    }
    assert!(rules[0]["held_back"].as_u64().unwrap() > 0, "max_per_hour held nothing back");

    // A part of it, and one rule of it.
    let (low, high) = (Timestamp(START + 20 * SECOND), Timestamp(START + 40 * SECOND));
    let part = run(&dir, &["--json", "--rule", "door", "--from", &at(20), "--until", &at(40)]);
    let report: Value = serde_json::from_str(&part.out).unwrap();
    let in_part = said.iter().filter(|(at, said)| (low..=high).contains(at) && said["rule"] == "door");
    let want: Vec<&Value> = in_part.map(|(_, said)| said).collect();
    assert!(!want.is_empty());
    assert_eq!(report["cameras"][0]["fired"].as_array().unwrap().iter().collect::<Vec<_>>(), want);
}

#[test]
fn people_read_each_firing_and_a_summary() {
    let dir = config(&camera("gate", PLACES), "");
    let said: Vec<(Timestamp, Value)> =
        live(&dir, "gate", 30).into_iter().map(|(at, firing)| (at, as_said(firing))).collect();
    let told = run(&dir, &["--from", &at(0), "--until", &at(60)]);
    assert_eq!(told.code, 0, "{}", told.err);
    let lines = |what: &str| told.out.lines().filter(|line| line.contains(what)).count();
    let count = |what: &str| said.iter().filter(|(_, said)| said["type"] == what).count();
    assert!(count("line.crossed") > 0 && count("zone.enter") > 0);
    assert_eq!(lines("  line.crossed  "), count("line.crossed"));
    assert_eq!(lines("  zone.enter"), count("zone.enter"));
    assert_eq!(lines("(shadow)"), said.iter().filter(|(_, said)| said["shadow"] == true).count());
    assert!(told.out.contains("gate: 0.01 hours replayed, 300 frames"), "{}", told.out);
    assert!(told.out.contains("exactly what these rules would have told live"), "{}", told.out);
    assert!(told.out.contains("fired (shadow: nobody would have been told)"), "{}", told.out);
    assert!(told.out.contains("by hour (UTC): 2026-11-20 17h "), "{}", told.out);
    let first = &said[0].1;
    assert!(told.out.starts_with(first["capture"].as_str().unwrap()), "{}", told.out);
    assert_eq!(told.err, "", "nothing but an answer");
}

#[test]
fn what_was_told_live_and_what_a_replay_tells_are_laid_side_by_side() {
    let dir = config(&camera("gate", PLACES), "");
    let mut said = live(&dir, "gate", 30);
    said.retain(|(_, firing)| !firing.shadow);
    let loaded = watchkeeper::config::load(&dir.path().join("watchkeeper.toml")).unwrap();
    let (config, metrics) = (Arc::new(loaded.config), Arc::default());
    let outbox = Outbox::open(&config, &metrics).unwrap();
    // One was never told, and one was told by a rule that is not there any more.
    let missing = said.remove(3).1.draft;
    let mut gone = said[5].1.draft.clone();
    gone.rule = "gone".to_owned();
    let count = said.len();
    said.into_iter().for_each(|(_, firing)| outbox.publish(firing.draft));
    outbox.publish(gone);
    assert_eq!(outbox.close(Duration::from_secs(10)).lost, 0);
    let args = ["--from", &at(-10), "--until", "2200-01-01T00:00Z", "--against-live"];
    let told = run(&dir, &[&args[..], &["--json"]].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    let report: Value = serde_json::from_str(&told.out).unwrap();
    let against = &report["cameras"][0]["against_live"];
    assert_eq!(against["both"], count);
    assert_eq!(against["only_live"].as_array().unwrap().len(), 1, "{against}");
    assert_eq!(against["only_live"][0]["rule"], "gone");
    assert_eq!(against["only_replayed"].as_array().unwrap().len(), 1, "{against}");
    assert_eq!(against["only_replayed"][0]["rule"], missing.rule.as_str());
    assert_eq!(against["only_replayed"][0]["capture"], missing.capture.to_string());
    assert_eq!(against["only_replayed"][0]["track"], missing.track.unwrap().id);
    let told = run(&dir, &args);
    let line = format!("against live: {count} in both, 1 told live only, 1 in the replay only");
    assert!(told.out.contains(&line) && told.out.contains("    live only: "), "{}", told.out);
}

/// The colour at a place of the picture, 0..1.
fn colour(picture: &image::RgbImage, [x, y]: [f32; 2]) -> [u8; 3] {
    let at = |part: f32, size: u32| ((part * size as f32) as u32).min(size - 1);
    picture.get_pixel(at(x, picture.width()), at(y, picture.height())).0
}

#[test]
fn places_are_drawn_on_the_latest_picture() {
    let dir = config(&(camera("gate", PLACES) + &camera("yard", PLACES)), "");
    live(&dir, "gate", 20);
    live(&dir, "yard", 20);
    let view = watchkeeper::track_log::view_path(&dir.path().join("state"), "gate");
    let green = Canvas::from_rgb(640, 360, [0, 90, 0].repeat(640 * 360)).unwrap();
    fs::write(&view, green.encode_jpeg(95).unwrap()).unwrap();
    let path = dir.path().join("out.jpg");
    let args = ["--from", &at(0), "--until", &at(60), "--snapshot", path.to_str().unwrap()];
    let told = run(&dir, &[&args[..], &["--camera", "gate"]].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    let picture = image::open(&path).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (640, 360));
    let [red, green, blue] = colour(&picture, [0.97, 0.1]);
    assert!(red < 30 && blue < 30 && green > 60, "the camera's picture shows where nothing is drawn");
    let [red, green, _] = colour(&picture, [0.05, 0.5]);
    assert!(red > 180 && green > 150, "the zone's edge");
    let [red, _, blue] = colour(&picture, [0.5, 0.99]);
    assert!(blue > 180 && red < 140, "the line");

    // One for each camera; black where no picture was kept, as large as its frames are wide.
    let told = run(&dir, &args);
    assert_eq!(told.code, 0, "{}", told.err);
    assert_eq!(image::open(dir.path().join("out-gate.jpg")).unwrap().into_rgb8(), picture);
    let picture = image::open(dir.path().join("out-yard.jpg")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (1280, 720));
    assert!(colour(&picture, [0.97, 0.1]).iter().all(|part| *part < 30));
}

#[test]
fn what_cannot_be_answered_says_what_to_do() {
    let dir = config(&camera("gate", PLACES), "");
    let none = run(&dir, &[]);
    assert_eq!(none.code, 65);
    assert!(
        none.err.contains("no tracks were kept of gate") && none.err.contains("let the daemon run"),
        "{}",
        none.err
    );
    let named = run(&dir, &["--camera", "gate"]);
    assert_eq!(named.code, 65);
    assert!(named.err.contains("there is no track log in"), "{}", named.err);
    let off = config(&camera("gate", PLACES), "[track_log]\nenabled = false\n");
    let off = run(&off, &[]);
    assert!(off.code == 65 && off.err.contains("set enabled = true in [track_log]"), "{}", off.err);

    live(&dir, "gate", 5);
    for (args, code, words) in [
        (&["--camera", "gaet"][..], 65, "no camera \"gaet\" in the configuration; it has gate"),
        (&["--rule", "dor"], 65, "no zone, line or rule \"dor\" at these cameras; there are yard, door, quiet"),
        (&["--from", "2026-11-20T17:00Z", "--until", "2026-11-20T16:00Z"], 65, "is not before"),
        (&["--from", "2020-01-01T00:00Z", "--until", "2020-01-02T00:00Z"], 65, "no frames were kept from"),
        (&["--since", "soon"], 64, "15m, 1h, 2d"),
        (&["--since", "1h", "--from", "2026-11-20T17:00Z"], 64, "--from"),
        (&["--until", "tomorrow"], 64, "it looks like"),
        (&["--from", "2026-11-20T17:00Z", "--against-live"], 65, "--against-live: "),
    ] {
        let ended = run(&dir, args);
        assert!(ended.code == code && ended.err.contains(words), "{args:?}: {} {}", ended.code, ended.err);
    }
}
