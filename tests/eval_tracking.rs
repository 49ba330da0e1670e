//! `watchkeeper eval tracking`: detections from files, through trackers, against ground truth.

#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(["eval", "tracking"]).args(args).current_dir(self.0.path());
        command.env_remove("JOURNAL_STREAM").stdin(Stdio::null()).output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], "eval-tracking/1");
        document
    }

    fn fails(&self, args: &[&str], message: &str) {
        let output = self.run(args);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(65), String::new()), "{args:?}");
        assert!(text(&output.stderr).contains(message), "{args:?}: {}", text(&output.stderr));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const INI: &str = "[Sequence]\nname=walk\nframeRate=10\nseqLength=40\nimWidth=640\nimHeight=480\n";

/// Two that walk side by side, never close to each other; found in every frame, exactly.
fn walk(frames: u64, score: &str) -> (String, String) {
    let (mut det, mut gt) = (String::new(), String::new());
    for frame in 1..=frames {
        for (id, y) in [(1, 50), (2, 300)] {
            let x = 20 + 5 * frame;
            writeln!(det, "{frame},-1,{x},{y},40,100,{score},-1,-1,-1").unwrap();
            writeln!(gt, "{frame},{id},{x},{y},40,100,1,1,1").unwrap();
        }
    }
    (det, gt)
}

/// As [`walk`], in `MOTChallenge`'s form.
fn sequence(folder: &Folder, name: &str) {
    let (det, gt) = walk(40, "0.9");
    let file = |file: &str| format!("{name}/{file}");
    folder.write(&file("det/det.txt"), det).write(&file("gt/gt.txt"), gt).write(&file("seqinfo.ini"), INI);
}

fn row(document: &Value, tracker: usize, sequence: usize) -> &Value {
    &document["trackers"][tracker]["sequences"][sequence]
}

#[test]
fn two_that_walk_apart_are_two_tracks_without_a_switch() {
    let folder = Folder::new();
    sequence(&folder, "set/walk");
    let (det, gt) = walk(40, "0.9");
    let info = "fps=10 width=640 height=480 frames=40\n";
    folder.write("set/flat/det.txt", det).write("set/flat/gt.txt", gt).write("set/flat/info.txt", info);
    let document = folder.json(&["set", "--tracker", "bytetrack", "--set", "confirm_s=0"]);
    let names: Vec<&str> = (0..2).map(|at| row(&document, 0, at)["sequence"].as_str().unwrap()).collect();
    assert_eq!(names, ["flat", "walk"]);
    for at in 0..2 {
        let row = row(&document, 0, at);
        for key in ["hota", "deta", "assa", "mota", "idf1"] {
            assert!((row[key].as_f64().unwrap() - 1.0).abs() < 1e-6, "{key}: {row}");
        }
        assert_eq!((&row["idsw"], &row["tracks"]), (&0.into(), &2.into()));
        assert!(row["us_per_frame"].as_f64().unwrap() > 0.0);
    }
    // The first frame is missed where a second one must confirm: of 80 boxes 78 are found.
    let document = folder.json(&["set/walk", "--tracker", "bytetrack", "--set", "confirm_s=0.05"]);
    assert_eq!(row(&document, 0, 0)["mota"], 78.0 / 80.0);
    assert_eq!(document["trackers"][0]["set"]["confirm_s"], 0.05);
    // The table says the same.
    let output = folder.run(&["set", "--tracker", "bytetrack", "--set", "confirm_s=0"]);
    let table = text(&output.stdout);
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["sequence", "tracker", "hota", "deta"], "{table}");
    assert_eq!(lines[1][..9], ["flat", "bytetrack", "1.0000", "1.0000", "1.0000", "1.0000", "1.0000", "0", "2"]);
    assert_eq!(lines[3][..2], ["mean", "bytetrack"], "{table}");
}

#[test]
fn every_third_frame_is_tracked_and_scored_alone() {
    let folder = Folder::new();
    sequence(&folder, "walk");
    let document =
        folder.json(&["walk", "--every", "3", "--tracker", "bytetrack", "--set", "confirm_s=0", "--out", "out"]);
    // Frames 1, 4, ... 40.
    assert_eq!((&document["sequences"][0]["detections"], &row(&document, 0, 0)["idtp"]), (&28.into(), &28.into()));
    assert!((document["sequences"][0]["fps"].as_f64().unwrap() - 10.0 / 3.0).abs() < 1e-9);
    let tracks = fs::read_to_string(folder.path("out/bytetrack/walk.txt")).unwrap();
    assert_eq!(tracks.lines().next(), Some("1,1,25.00,50.00,40.00,100.00,0.9000,1,-1,-1"));
    let frames: Vec<u64> = tracks.lines().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(frames.len() == 28 && frames.iter().all(|frame| frame % 3 == 1), "{frames:?}");
}

#[test]
fn scores_beyond_one_are_clipped_and_said_so_once() {
    let folder = Folder::new();
    sequence(&folder, "walk");
    folder.write("walk/det/old.txt", walk(40, "42.5").0);
    let output = folder.run(&["walk", "--detections", "det/old.txt", "--tracker", "bytetrack,bytetrack"]);
    let said = text(&output.stderr);
    assert_eq!(said.trim_end(), "walk/det/old.txt: 80 of 80 scores are outside 0..1, and are taken as the nearer end");
    assert!(text(&output.stdout).contains("mean"));
}

#[test]
fn distractors_are_neither_right_nor_wrong() {
    let folder = Folder::new();
    sequence(&folder, "walk");
    let (det, mut gt) = walk(40, "0.9");
    let mut more = det;
    for frame in 1..=40 {
        writeln!(more, "{frame},-1,500,200,40,100,0.9,-1,-1,-1").unwrap();
    }
    folder.write("walk/det/more.txt", more);
    let mota = |folder: &Folder| {
        let args = ["walk", "--detections", "det/more.txt", "--tracker", "bytetrack", "--set", "confirm_s=0"];
        row(&folder.json(&args), 0, 0)["mota"].as_f64().unwrap()
    };
    assert!((mota(&folder) - 0.5).abs() < 1e-9, "a third one that is not there");
    for frame in 1..=40 {
        // Class 8, and the number of a person.
        writeln!(gt, "{frame},1,500,200,40,100,0,8,1").unwrap();
    }
    folder.write("walk/gt/gt.txt", gt);
    assert!((mota(&folder) - 1.0).abs() < 1e-9);
}

/// A NumPy file of rows of two numbers.
fn npy(descr: &str, rows: usize, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, 2), }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
}

#[test]
fn embeddings_come_from_further_columns_or_a_numpy_file() {
    let folder = Folder::new();
    sequence(&folder, "walk");
    let dim = |args: &[&str]| folder.json(args)["sequences"][0]["embedding_dim"].clone();
    assert_eq!(dim(&["walk"]), Value::Null);
    let (det, _) = walk(40, "0.9");
    let long: String = det.lines().map(|line| format!("{line},0.6,0.8,0\n")).collect();
    folder.write("walk/det/long.txt", long);
    assert_eq!(dim(&["walk", "--detections", "det/long.txt"]), 3);
    folder.write("walk/det/emb.npy", npy("<f4", 80, &[1; 80 * 2 * 4]));
    assert_eq!(dim(&["walk"]), 2);
    assert_eq!(dim(&["walk", "--without-appearance"]), Value::Null);
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    let folder = Folder::new();
    sequence(&folder, "walk");
    folder.fails(&["none"], "none: cannot be read");
    fs::create_dir(folder.path("empty")).unwrap();
    folder.fails(&["empty"], "empty: no sequence here: neither it nor a folder below has det/det.txt nor det.txt");
    folder.fails(&["walk", "--detections", "det/x.txt"], "walk: no sequence here");

    folder.write("walk/det/det.txt", "1,-1,20,50,40,100,0.9\n2,-1,20,5o,40,100,0.9\n");
    folder.fails(&["walk"], "walk/det/det.txt:2: y is \"5o\", which is not a number");
    folder.write("walk/det/det.txt", "0,-1,20,50,40,100,0.9\n");
    folder.fails(&["walk"], "walk/det/det.txt:1: frame is 0; frames are counted from 1");
    folder.write("walk/det/det.txt", "41,-1,20,50,40,100,0.9\n");
    folder.fails(&["walk"], "walk/det/det.txt:1: frame 41, and the sequence has 40");

    sequence(&folder, "walk");
    folder.write("walk/det/emb.npy", npy("<f4", 79, &[1; 79 * 2 * 4]));
    folder.fails(&["walk"], "emb.npy: 79 rows, and walk/det/det.txt has 80 detections");
    folder.write("walk/det/emb.npy", npy("<f4", 80, &[1; 80 * 2 * 4 - 1]));
    folder.fails(&["walk"], "emb.npy: 80 x 2 numbers of 4 bytes are claimed, 639 bytes are there");
    folder.write("walk/det/emb.npy", npy("<f8", 80, &[1; 80 * 2 * 8]));
    folder.fails(&["walk"], "emb.npy: numbers are of type \"<f8\"");
    fs::remove_file(folder.path("walk/det/emb.npy")).unwrap();

    folder.write("walk/seqinfo.ini", "[Sequence]\nframeRate=fast\n");
    folder.fails(&["walk"], "walk/seqinfo.ini:2: frameRate is \"fast\"");
    fs::remove_file(folder.path("walk/seqinfo.ini")).unwrap();
    folder.fails(&["walk"], "walk: neither seqinfo.ini nor info.txt here");
    sequence(&folder, "walk");
    fs::remove_file(folder.path("walk/gt/gt.txt")).unwrap();
    folder.fails(&["walk"], "walk: no ground truth to score with: there is no gt/gt.txt nor gt.txt");
    sequence(&folder, "walk");
    folder.fails(&["walk", "--classes", "7"], "walk: its ground truth has nothing that is scored");
}

#[test]
fn names_that_do_not_exist_are_answered_with_the_nearest() {
    let folder = Folder::new();
    sequence(&folder, "walk");
    folder.fails(&["walk", "--tracker", "bytetrak"], "no such tracker; did you mean \"bytetrack\"?");
    let tracker = ["walk", "--tracker", "bytetrack"];
    let with = |args: &[&'static str]| [&tracker[..], args].concat();
    folder.fails(&with(&["--set", "hihg_score=0.5"]), "bytetrack has no such parameter; did you mean \"high_score\"?");
    folder.fails(&with(&["--set", "high_score=1.5"]), "--set high_score=1.5");
    folder.fails(&with(&["--set", "high_score"]), "NAME=VALUE with a number is wanted");
    folder.fails(&with(&["--sweep", "max_gp_s=1,2"]), "did you mean \"max_gap_s\"?");
    folder.fails(&with(&["--sweep", "max_gap_s=1,two"]), "NAME=V1,V2,... with numbers is wanted");
    folder.fails(&with(&["--sweep", "max_gap_s=1,2"]), "give two at least");
    folder
        .fails(&["walk", "--tracker", "bytetrack,bytetrack", "--sweep", "max_gap_s=1"], "--sweep is about one tracker");
}

/// Two sequences for which a low threshold is better, one for which a high one is: its detections are noise below .6.
fn three(folder: &Folder) {
    for name in ["a", "b"] {
        sequence(folder, name);
        folder.write(&format!("{name}/det/det.txt"), walk(40, "0.5").0);
    }
    sequence(folder, "c");
    let (mut det, _) = walk(40, "0.9");
    for frame in 1..=40 {
        // Elsewhere in each frame, near enough for a track.
        writeln!(det, "{frame},-1,{},200,60,60,0.5,-1,-1,-1", 400 + 2 * frame).unwrap();
    }
    folder.write("c/det/det.txt", det);
    // Three recordings, and not one under three detectors: somebody who does not count stands there in another frame.
    for (name, frame) in [("a", 1), ("b", 2), ("c", 3)] {
        let gt = walk(40, "0.9").1 + &format!("{frame},9,900,400,20,40,0,1,1\n");
        folder.write(&format!("{name}/gt/gt.txt"), gt);
    }
}

#[test]
fn two_detectors_on_one_recording_are_held_out_together() {
    let folder = Folder::new();
    three(&folder);
    sequence(&folder, "d");
    folder.write("d/gt/gt.txt", fs::read_to_string(folder.path("a/gt/gt.txt")).unwrap());
    let args = ["a", "b", "c", "d", "--tracker", "bytetrack", "--sweep", "start_score=0.4,0.7"];
    let document = folder.json(&args);
    let held_out: Vec<&Value> =
        document["sweep"]["folds"].as_array().unwrap().iter().map(|fold| &fold["held_out"]).collect();
    assert_eq!(held_out, [&json!(["a", "d"]), &json!(["b"]), &json!(["c"])]);
}

#[test]
fn a_sweep_chooses_on_some_sequences_and_is_judged_on_the_other() {
    let folder = Folder::new();
    three(&folder);
    let args = ["a", "b", "c", "--tracker", "bytetrack", "--set", "confirm_s=0", "--set", "high_score=0.3"];
    let sweep = [&args[..], &["--sweep", "start_score=0.4,0.7", "--sweep", "match_iou=0.1,0.15"]].concat();
    let document = folder.json(&sweep);
    let sweep_of = &document["sweep"];
    assert_eq!(sweep_of["settings"].as_array().unwrap().len(), 4);
    let folds = sweep_of["folds"].as_array().unwrap();
    let held_out: Vec<&str> = folds.iter().map(|fold| fold["held_out"][0].as_str().unwrap()).collect();
    assert_eq!(held_out, ["a", "b", "c"]);
    let number = |value: &Value| value.as_f64().unwrap();
    // a and b are lost with 0.7; c is hurt by 0.4. Of two on each side, the greater loss decides: 0.4 throughout.
    for fold in folds {
        assert_eq!(number(&fold["chosen"]["start_score"]), 0.4, "{fold}");
        assert_eq!(number(&fold["chosen"]["match_iou"]), 0.1, "of equals the first: {fold}");
    }
    let c = &folds[2];
    assert!(number(&c["score"]["mean"]) < 0.95 && number(&c["defaults"]["mean"]) > 0.99, "c did not choose: {c}");
    assert!(number(&folds[0]["score"]["mean"]) > 0.99 && number(&folds[0]["defaults"]["mean"]) < 0.01);
    let mean = folds.iter().map(|fold| number(&fold["score"]["mean"])).sum::<f64>() / 3.0;
    assert!((number(&sweep_of["held_out"]["mean"]) - mean).abs() < 1e-12);
    let (hota, idf1) = (number(&c["score"]["hota"]), number(&c["score"]["idf1"]));
    assert!((number(&c["score"]["mean"]) - f64::midpoint(hota, idf1)).abs() < 1e-12);
    // What each setting is worth by itself is what a plain run says.
    let plain = folder.json(&[&args[..], &["--set", "start_score=0.4", "--set", "match_iou=0.1"]].concat());
    let best = &sweep_of["settings"][0];
    for at in 0..3 {
        let row = row(&plain, 0, at);
        assert_eq!(best["sequences"][row["sequence"].as_str().unwrap()]["hota"], row["hota"]);
    }

    let output = folder.run(&sweep);
    let table = text(&output.stdout);
    assert!(table.starts_with("bytetrack: 4 settings on 3 sequences\n"), "{table}");
    assert!(table.contains("start_score=0.4 match_iou=0.1"), "{table}");
    assert_eq!(table.lines().filter(|line| line.starts_with("mean") || line.starts_with("defaults")).count(), 2);

    let folds = folder.json(&[&sweep[..], &["--folds", "2"]].concat());
    let held_out: Vec<usize> =
        folds["sweep"]["folds"].as_array().unwrap().iter().map(|f| f["held_out"].as_array().unwrap().len()).collect();
    assert_eq!(held_out, [2, 1]);
    folder.fails(&[&sweep[..], &["--folds", "4"]].concat(), "--folds 4: there are 3 recordings only");
}

#[test]
fn the_configured_tracker_is_used_and_models_need_not_be_there() {
    let folder = Folder::new();
    sequence(&folder, "walk");
    folder.write("walk/det/det.txt", walk(40, "0.5").0);
    folder.write("config.toml", "[tracking]\ntracker = \"bytetrack\"\nhigh_score = 0.4\nstart_score = 0.4\n");
    let found = |args: &[&str]| row(&folder.json(args), 0, 0)["idtp"].as_u64().unwrap();
    assert_eq!(found(&["walk", "--tracker", "bytetrack", "--set", "start_score=0.7", "--set", "high_score=0.6"]), 0);
    assert_eq!(found(&["walk", "--config", "config.toml"]), 78);
    let output = folder.run(&["walk", "--config", "none.toml"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stderr));
}

/// HOTA, DetA, AssA, MOTA, IDF1 and switches of `out/bytetrack/MOT17-09.txt`, as Roboflow's `trackers` 2.6.1 scores it:
/// `scripts/eval_tracking.py --gt MOT17-09/gt/gt.txt --tracks out/bytetrack/MOT17-09.txt`, with all decimals. Where the
/// tracker changes, this is measured anew.
const REFERENCE: [(&str, f64); 6] = [
    ("hota", 0.671_402_123_341_471_8),
    ("deta", 0.720_045_140_190_211_7),
    ("assa", 0.626_947_807_322_484_8),
    ("mota", 0.852_957_746_478_873_2),
    ("idf1", 0.797_678_607_164_298_3),
    ("idsw", 19.0),
];

#[test]
fn scores_agree_with_another_evaluation_of_the_same_tracks() {
    let Some(gt) = support::asset("mot/MOT17-09/gt/gt.txt") else { return };
    let sequence = gt.canonicalize().unwrap();
    let sequence = sequence.ancestors().nth(2).map(Path::to_path_buf).unwrap();
    let folder = Folder::new();
    let set = ["high_score=0.6", "low_score=0.1", "start_score=0.7", "match_iou=0.15", "confirm_s=0.03", "max_gap_s=2"];
    let set: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
    let mut args = vec![sequence.to_str().unwrap(), "--tracker", "bytetrack", "--out", "out"];
    args.extend(set);
    let document = folder.json(&args);
    let row = row(&document, 0, 0);
    for (key, want) in REFERENCE {
        let found = row[key].as_f64().unwrap();
        assert!((found - want).abs() < 1e-6, "{key} is {found}, and {want} elsewhere: {row}");
    }
    assert_eq!(fs::read_to_string(folder.path("out/bytetrack/MOT17-09.txt")).unwrap().lines().count(), 4669);
}
