//! `watchkeeper analyze`: every frame of a recording, once and in order, and the same bytes each time.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fault_camera::clips;
use serde_json::Value;
use tempfile::TempDir;
use test_models::{Layout, Object, blob_detector, lookup_detector, wrong};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
const FRAMES: usize = clips::PICTURES as usize;

/// A folder with recordings and configurations, gone with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("blob.onnx", blob_detector(WIDTH, HEIGHT, 16));
        folder.write("ball.txt", "ball\n");
        folder
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(file), content).unwrap();
    }

    /// A recording of one of videotestsrc's patterns.
    fn record(&self, file: &str, pattern: &str) -> &Self {
        let encoder = if file.starts_with("h264") { h264() } else { "jpegenc quality=90" };
        let muxer = match file.rsplit_once('.').unwrap().1 {
            "avi" => "avimux",
            "mkv" => "matroskamux",
            _ => "mp4mux",
        };
        let mut launch = Command::new("gst-launch-1.0");
        launch.args(["-q", "videotestsrc", &format!("pattern={pattern}"), &format!("num-buffers={FRAMES}"), "!"]);
        launch
            .args([&format!("video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={}/1", clips::FPS), "!"]);
        launch.args(encoder.split(' ')).args(["!", muxer, "!", "filesink"]);
        let output = launch.arg(format!("location={}", self.path(file).display())).output().unwrap();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
        self
    }

    /// Writes `config.toml` with these lines in `[runtime]`, and whatever follows.
    fn config(&self, runtime: &str, rest: &str) -> &Self {
        let text = format!("[runtime]\npolicy = \"any\"\n{runtime}\n[log]\nfilter = \"error\"\n{rest}");
        self.write("config.toml", text);
        self
    }

    /// The command line, with more arguments to come.
    fn command(&self, recording: &str, out: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WATCHKEEPER__")) {
            command.env_remove(name);
        }
        command.env_remove("JOURNAL_STREAM").stdin(Stdio::null()).current_dir(self.0.path());
        command.args(["analyze", recording, "--config", "config.toml", "--out", out]);
        command
    }

    /// What it writes, as text.
    fn analyze(&self, recording: &str, format: &str) -> String {
        let output = self.command(recording, "out").args(["--format", format]).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), String::new()), "{}", text(&output.stderr));
        fs::read_to_string(self.path("out")).unwrap()
    }
}

/// Whichever encoder there is.
fn h264() -> &'static str {
    let there = |element| Command::new("gst-inspect-1.0").args(["--exists", element]).status().unwrap().success();
    if there("x264enc") {
        // With B-frames: their order in the file is not the order of time.
        "x264enc key-int-max=15 bframes=2 bitrate=1000 ! h264parse"
    } else {
        "openh264enc gop-size=15 bitrate=1000000 ! h264parse"
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn model(name: &str, onnx: &str, more: &str) -> String {
    format!(
        "[models.{name}]\nonnx = \"{onnx}\"\nbackend = \"onnxruntime\"\nhead = \"yolo\"\nlabels = \"ball.txt\"\n{more}\n"
    )
}

fn blob() -> String {
    model("blob", "blob.onnx", "")
}

/// Everything is a ball, and many a one is gone in the next frame: a hard test of order.
fn restless() -> String {
    model("blob", "blob.onnx", "min_score = 0.01")
        + "[tracking]\nlow_score = 0.01\nhigh_score = 0.05\nstart_score = 0.05\n"
}

/// One track in one frame.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    frame: usize,
    id: u64,
    label: String,
    score: f64,
    /// Left, top, right, bottom.
    bbox: [f64; 4],
    coasted: bool,
}

/// Number and time of each frame, and all tracks.
fn read_jsonl(text: &str) -> (Vec<(usize, f64)>, Vec<Seen>) {
    assert!(text.ends_with('\n'), "the last line is whole");
    let (mut frames, mut all) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let frame = usize::try_from(line["frame"].as_u64().unwrap()).unwrap();
        frames.push((frame, line["time_s"].as_f64().unwrap()));
        for track in line["tracks"].as_array().unwrap() {
            all.push(Seen {
                frame,
                id: track["id"].as_u64().unwrap(),
                label: track["label"].as_str().unwrap().to_owned(),
                score: track["score"].as_f64().unwrap(),
                bbox: serde_json::from_value(track["box"].clone()).unwrap(),
                coasted: track["coasted"].as_bool().unwrap(),
            });
        }
    }
    (frames, all)
}

/// MOTChallenge: `frame,id,x,y,w,h,score,class,-1,-1`.
fn read_mot(text: &str) -> Vec<Seen> {
    let lines = text.lines().map(|line| {
        let fields: Vec<f64> = line.split(',').map(|field| field.parse().unwrap()).collect();
        let [frame, id, x, y, w, h, score, class, minus, one] = fields[..] else { panic!("{line}") };
        assert_eq!((class, minus, one), (1.0, -1.0, -1.0), "{line}");
        let label = "ball".to_owned();
        Seen { frame: frame as usize, id: id as u64, label, score, bbox: [x, y, x + w, y + h], coasted: false }
    });
    lines.collect()
}

fn iou(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |b: [f64; 4]| (b[2] - b[0]).max(0.0) * (b[3] - b[1]).max(0.0);
    let common = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    common / (area(a) + area(b) - common)
}

#[test]
fn every_frame_is_analysed_once_and_in_order_and_the_ball_is_one_track() {
    let folder = Folder::new();
    folder.config("", &blob());
    let (first, last) = (clips::ball(0, WIDTH, HEIGHT), clips::ball(clips::PICTURES - 1, WIDTH, HEIGHT));
    assert!(iou(first, last) == 0.0, "the ball leaves its place");
    for recording in ["mjpeg.avi", "mjpeg.mkv", "h264.mkv", "h264.mp4"] {
        let (frames, tracks) = read_jsonl(&folder.record(recording, "ball").analyze(recording, "jsonl"));
        let numbers: Vec<usize> = frames.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=FRAMES).collect::<Vec<_>>(), "{recording}");
        for (number, time) in frames {
            let want = (number - 1) as f64 / f64::from(clips::FPS);
            // Matroska counts in milliseconds.
            assert!((time - want).abs() < 0.002, "{recording}: frame {number} at {time} s");
        }
        // Confirmed with the second frame, and then in each.
        let seen: Vec<usize> = tracks.iter().map(|track| track.frame).collect();
        assert_eq!(seen, (2..=FRAMES).collect::<Vec<_>>(), "{recording}");
        assert_eq!(tracks.iter().map(|track| track.id).collect::<BTreeSet<_>>(), [1].into(), "{recording}");
        for track in &tracks {
            let ball = clips::ball(u32::try_from(track.frame).unwrap() - 1, WIDTH, HEIGHT);
            assert!(iou(track.bbox, ball) >= 0.6, "{recording}: the ball is at {ball:?}: {track:?}");
            assert!(track.label == "ball" && !track.coasted && (0.7..=1.0).contains(&track.score), "{track:?}");
        }
    }
}

#[test]
fn the_output_is_the_same_to_the_byte_however_many_threads_work() {
    let folder = Folder::new();
    folder.record("snow.avi", "snow").record("ball.avi", "ball");
    for (recording, models, least) in [("snow.avi", restless(), 20), ("ball.avi", blob(), 1)] {
        let mut first: Option<String> = None;
        for (workers, threads) in [(1, 1), (1, 1), (1, 1), (2, 1), (4, 1), (1, 2), (2, 2), (4, 2)] {
            folder.config(&format!("inference_workers = {workers}\nthreads_per_inference = {threads}"), &models);
            let jsonl = folder.analyze(recording, "jsonl");
            let first = first.get_or_insert_with(|| jsonl.clone());
            assert!(*first == jsonl, "{recording}: {workers} workers of {threads} threads give other bytes");
        }
        let (_, tracks) = read_jsonl(&first.unwrap());
        let ids = tracks.iter().map(|track| track.id).collect::<BTreeSet<_>>();
        assert!(ids.len() >= least, "{recording}: {} tracks prove little", ids.len());
    }
}

#[test]
fn both_formats_say_the_same() {
    let folder = Folder::new();
    folder.record("snow.avi", "snow").config("", &restless());
    let jsonl = folder.analyze("snow.avi", "jsonl");
    let text = folder.analyze("snow.avi", "mot");
    let (frames, mut tracks) = read_jsonl(&jsonl);
    assert_eq!(frames.len(), FRAMES);
    // MOTChallenge knows no predicted boxes.
    let all = tracks.len();
    tracks.retain(|track| !track.coasted);
    assert!(tracks.len() < all && tracks.len() > 500, "{} of {all}", tracks.len());
    let mot = read_mot(&text);
    assert_eq!(mot.len(), tracks.len());
    for (a, b) in tracks.iter().zip(&mot) {
        assert_eq!((a.frame, a.id, a.score), (b.frame, b.id, b.score));
        // Two rounded numbers make a third.
        assert!(a.bbox.iter().zip(&b.bbox).all(|(a, b)| (a - b).abs() < 0.011), "{a:?} {b:?}");
    }
    // A track is in a frame once, and its number never goes to another after it is gone for good.
    let keys: BTreeSet<(usize, u64)> = mot.iter().map(|track| (track.frame, track.id)).collect();
    assert_eq!(keys.len(), mot.len());
    assert_eq!(mot[0].frame, 2, "frames are counted from 1, and the second confirms");
    // Fixed decimals, so that files can be compared.
    let decimals = |field: &str| field.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    for line in text.lines() {
        let fields: Vec<usize> = line.split(',').map(decimals).collect();
        assert_eq!(fields, [0, 0, 2, 2, 2, 2, 4, 0, 0, 0], "{line}");
    }
}

#[test]
fn standard_output_holds_the_tracks_and_nothing_else() {
    let folder = Folder::new();
    folder.record("ball.avi", "ball").config("", &blob());
    let wanted = folder.analyze("ball.avi", "jsonl");
    let summary = |output: &Output| text(&output.stderr).lines().last().unwrap_or_default().to_owned();

    let mut loud = folder.command("ball.avi", "-");
    let output = loud.env("WATCHKEEPER__LOG__FILTER", "debug").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout) == wanted, "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("engine loaded"), "log lines go to stderr");
    assert!(summary(&output).starts_with(&format!("{FRAMES} frames, 1 tracks, ")), "{}", summary(&output));

    let output = folder.command("ball.avi", "-").args(["--format", "mot", "--json"]).output().unwrap();
    assert_eq!(read_mot(&text(&output.stdout)).len(), FRAMES - 1);
    let summary: Value = serde_json::from_str(&summary(&output)).unwrap();
    assert_eq!((&summary["frames"], &summary["tracks"]), (&FRAMES.into(), &1.into()));
    assert!(summary["seconds"].as_f64().unwrap() > 0.0 && summary["fps"].as_f64().unwrap() > 0.0, "{summary}");
}

#[test]
fn a_progress_bar_on_a_terminal_does_not_touch_standard_output() {
    if Command::new("script").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return eprintln!("skipped: `script`, which gives a program a terminal, is not here");
    }
    let folder = Folder::new();
    folder.record("ball.avi", "ball").config("", &blob());
    let wanted = folder.analyze("ball.avi", "jsonl");
    let line = format!("{} analyze ball.avi --config config.toml --out - > stdout", env!("CARGO_BIN_EXE_watchkeeper"));
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &line, "terminal"]).current_dir(folder.0.path()).env("TERM", "xterm");
    let output = script.env_remove("JOURNAL_STREAM").stdin(Stdio::null()).stdout(Stdio::null()).output().unwrap();
    let terminal = text(&fs::read(folder.path("terminal")).unwrap());
    assert!(output.status.success(), "{terminal}");
    assert!(terminal.contains(&format!("{FRAMES} frames, 1 tracks")), "{terminal}");
    assert!(fs::read_to_string(folder.path("stdout")).unwrap() == wanted);
}

#[test]
fn one_of_several_models_is_chosen_by_name() {
    let folder = Folder::new();
    let object = Object { centre_and_size: [100.0, 60.0, 40.0, 20.0], class: 0, score: 0.9 };
    folder.write("lookup.onnx", lookup_detector(Layout::Yolo, WIDTH, 224, 1, &[object]));
    folder.record("ball.avi", "ball");
    let fails = |args: &[&str], message: &str| {
        let output = folder.command("ball.avi", "-").args(args).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(65), String::new()), "{args:?}");
        assert_eq!(text(&output.stderr).trim_end(), message, "{args:?}");
    };

    folder.config("", &(model("lookup", "lookup.onnx", "") + &blob()));
    fails(&[], "\"blob\" and \"lookup\" are both of task detection; name the one to use (--models NAMES)");
    fails(&["--models", "bolb"], "no model \"bolb\"; did you mean \"blob\"? (--models NAMES)");
    let chosen = |name: &str| {
        let output = folder.command("ball.avi", "-").args(["--model", name]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        read_jsonl(&text(&output.stdout)).1
    };
    // The one follows the ball, the other never moves: 320x240 lies 16 pixels higher in its 320x224, times 14/15.
    let (blob_tracks, lookup_tracks) = (chosen("blob"), chosen("lookup"));
    let (first, last) = (&blob_tracks[0].bbox, &blob_tracks[FRAMES - 2].bbox);
    assert!((first[0] - last[0]).abs() > 10.0, "{first:?} {last:?}");
    let expected =
        [(80.0 - 320.0 / 30.0) * 15.0 / 14.0, 50.0 * 15.0 / 14.0, (120.0 - 320.0 / 30.0) * 15.0 / 14.0, 75.0];
    for track in &lookup_tracks {
        assert!(track.bbox.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1.0), "{expected:?}: {track:?}");
    }

    folder.config("", &blob());
    fails(&["--model", "lookup"], "no model \"lookup\"; known: \"blob\" (--models NAMES)");
    assert_eq!(chosen("blob"), blob_tracks);
    folder.config("", "");
    fails(&[], "the configuration has no model; add [models.<name>]");
}

#[test]
fn a_model_that_answers_nonsense_gives_no_tracks_and_does_no_harm() {
    let folder = Folder::new();
    folder.write("nan.onnx", wrong::answer_is_nan());
    folder.write("batch.onnx", wrong::batch_is_dynamic());
    folder.record("ball.avi", "ball");
    for onnx in ["nan.onnx", "batch.onnx"] {
        folder.config("", &model("m", onnx, ""));
        let (frames, tracks) = read_jsonl(&folder.analyze("ball.avi", "jsonl"));
        assert_eq!((frames.len(), tracks.len()), (FRAMES, 0), "{onnx}");
        assert_eq!(folder.analyze("ball.avi", "mot"), "", "{onnx}");
    }
}

#[test]
fn an_output_file_of_an_earlier_run_is_replaced() {
    let folder = Folder::new();
    folder.record("ball.avi", "ball").config("", &blob());
    let wanted = folder.analyze("ball.avi", "jsonl");
    folder.write("out", "old\n".repeat(100_000));
    assert!(folder.analyze("ball.avi", "jsonl") == wanted);
}

#[test]
fn an_analysis_that_fails_touches_neither_an_earlier_result_nor_what_it_reads() {
    let folder = Folder::new();
    folder.record("ball.avi", "ball").config("", &blob());
    let config = folder.path("config.toml");
    let run = |input: &str, out: &Path| {
        let output = Command::new(env!("CARGO_BIN_EXE_watchkeeper"))
            .args(["analyze", "--config"])
            .arg(&config)
            .arg(folder.path(input))
            .arg("--out")
            .arg(out)
            .output()
            .unwrap();
        (output.status.code(), text(&output.stderr))
    };
    let earlier = folder.path("earlier.jsonl");
    std::fs::write(&earlier, "earlier").unwrap();
    assert_eq!(run("none.avi", &earlier).0, Some(65));
    assert_eq!(std::fs::read_to_string(&earlier).unwrap(), "earlier");
    for name in ["ball.avi", "config.toml"] {
        let path = folder.path(name);
        let before = std::fs::read(&path).unwrap();
        let (code, err) = run("ball.avi", &path);
        assert_eq!(code, Some(65), "{err}");
        assert!(err.contains("is what is read"), "{err}");
        assert!(std::fs::read(&path).unwrap() == before, "{name} was overwritten");
    }
}

#[test]
fn coco_annotations_of_a_video_hold_together() {
    let folder = Folder::new();
    folder.record("snow.avi", "snow").config("", &restless());
    let document: Value = serde_json::from_str(&folder.analyze("snow.avi", "coco")).unwrap();
    let list = |key: &str| document[key].as_array().unwrap();
    let ids = |key: &str| list(key).iter().map(|one| one["id"].as_u64().unwrap()).collect::<Vec<_>>();
    let mot = read_mot(&folder.analyze("snow.avi", "mot"));
    assert_eq!(list("annotations").len(), mot.len());
    assert_eq!(ids("annotations"), (1..=mot.len() as u64).collect::<Vec<_>>());
    assert_eq!(ids("images"), (1..=FRAMES as u64).collect::<Vec<_>>());
    let (video, images) = (&list("videos")[0], list("images"));
    assert_eq!((list("videos").len(), &video["name"], &video["length"]), (1, &"snow.avi".into(), &FRAMES.into()));
    assert!((video["fps"].as_f64().unwrap() - f64::from(clips::FPS)).abs() < 0.01, "{video}");
    for (at, image) in images.iter().enumerate() {
        assert_eq!(
            (&image["frame_id"], &image["frame_index"], &image["video_id"]),
            (&at.into(), &at.into(), &video["id"])
        );
        assert_eq!((&image["width"], &image["height"]), (&WIDTH.into(), &HEIGHT.into()));
        assert_eq!(image["file_name"], format!("snow/{:06}.jpg", at + 1));
    }
    let tracks: BTreeSet<u64> = ids("tracks").into_iter().collect();
    let mut used = BTreeSet::new();
    for (annotation, seen) in list("annotations").iter().zip(&mot) {
        let bbox: [f64; 4] = serde_json::from_value(annotation["bbox"].clone()).unwrap();
        let [x1, y1, x2, y2] = seen.bbox;
        assert!(
            [bbox[0] - x1, bbox[1] - y1, bbox[0] + bbox[2] - x2, bbox[1] + bbox[3] - y2].iter().all(|d| d.abs() < 1e-6)
        );
        assert_eq!((&annotation["image_id"], &annotation["instance_id"]), (&seen.frame.into(), &seen.id.into()));
        assert_eq!((&annotation["track_id"], &annotation["score"]), (&seen.id.into(), &seen.score.into()));
        assert!((annotation["area"].as_f64().unwrap() - bbox[2] * bbox[3]).abs() < 5.0, "{annotation}");
        used.insert(seen.id);
    }
    assert_eq!(tracks, used);
    let category = &list("categories")[0];
    assert_eq!((&category["id"], &category["name"], list("categories").len()), (&1.into(), &"ball".into(), 1));
    assert!(["annotations", "tracks"].iter().all(|key| list(key).iter().all(|one| one["category_id"] == 1)));
}

#[test]
fn a_track_is_summed_up_with_its_path_and_its_best_picture() {
    let folder = Folder::new();
    folder.record("ball.avi", "ball").config("", &blob());
    let output =
        folder.command("ball.avi", "sum.jsonl").args(["--format", "summary", "--crops", "crops"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summary: Value = serde_json::from_str(&fs::read_to_string(folder.path("sum.jsonl")).unwrap()).unwrap();
    let number = |key: &str| summary[key].as_f64().unwrap();
    assert_eq!((&summary["schema"], &summary["id"]), (&"track-summary/1".into(), &1.into()));
    assert_eq!((&summary["label"], &summary["end_reason"]), (&"ball".into(), &"end-of-recording".into()));
    // Seen first in frame 1, told of from frame 2 on.
    assert_eq!((&summary["start_frame"], &summary["end_frame"]), (&1.into(), &FRAMES.into()));
    assert_eq!((&summary["seen_frames"], number("seen_share"), number("start_s")), (&(FRAMES - 1).into(), 1.0, 0.0));
    let last = (FRAMES - 1) as f64 / f64::from(clips::FPS);
    assert!((number("end_s") - last).abs() < 0.002, "{summary}");
    assert!((0.7..=number("top_score")).contains(&number("median_score")), "{summary}");

    let path: Vec<[f64; 3]> = serde_json::from_value(summary["path"].clone()).unwrap();
    assert!((2..=64).contains(&path.len()) && path.windows(2).all(|pair| pair[0][0] < pair[1][0]), "{path:?}");
    let foot = |frame: u32| {
        let [x1, _, x2, y2] = clips::ball(frame, WIDTH, HEIGHT);
        ((x1 + x2) / 2.0, y2)
    };
    for [time, x, y] in &path {
        let want = foot((time * f64::from(clips::FPS)).round() as u32);
        assert!((x - want.0).abs() < 5.0 && (y - want.1).abs() < 5.0, "at {time}: ({x}, {y}) instead of {want:?}");
    }
    let feet: Vec<(f64, f64)> = (1..clips::PICTURES).map(foot).collect();
    let walked: f64 = feet.windows(2).map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1)).sum();
    assert!((number("distance_px") - walked).abs() < 0.15 * walked, "{} of {walked}", number("distance_px"));

    // Its picture is the ball, where and when the summary says.
    let crop = &summary["crop"];
    let jpeg = fs::read(folder.path("crops").join(crop["file"].as_str().unwrap())).unwrap();
    let picture = image::load_from_memory(&jpeg).unwrap().to_rgb8();
    let bbox: [f64; 4] = serde_json::from_value(crop["box"].clone()).unwrap();
    let ball = clips::ball(u32::try_from(crop["frame"].as_u64().unwrap()).unwrap() - 1, WIDTH, HEIGHT);
    assert!(iou(bbox, ball) > 0.6, "{crop}: {ball:?}");
    for (side, length) in [(picture.width(), bbox[2] - bbox[0]), (picture.height(), bbox[3] - bbox[1])] {
        // Some room around, to even pixels.
        assert!((length..length * 1.2 + 4.0).contains(&f64::from(side)), "{side} pixels of {length}");
    }
    let brightness = |x: u32, y: u32| picture.get_pixel(x, y).0.iter().map(|value| u32::from(*value)).sum::<u32>() / 3;
    let (middle, corner) = (brightness(picture.width() / 2, picture.height() / 2), brightness(0, 0));
    assert!(middle > 200 && corner < 50, "{middle} in the middle, {corner} in the corner");
    let files: Vec<_> = fs::read_dir(folder.path("crops")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["track-000001.jpg"]);
}

#[test]
fn every_track_is_summed_up_once_and_says_why_it_ended() {
    let folder = Folder::new();
    folder.record("snow.avi", "snow").config("", &(restless() + "tracker = \"bytetrack\"\nmax_gap_s = 0.1\n"));
    let (frames, seen) = read_jsonl(&folder.analyze("snow.avi", "jsonl"));
    let output =
        folder.command("snow.avi", "sum.jsonl").args(["--format", "summary", "--crops", "crops"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let summaries: Vec<Value> = fs::read_to_string(folder.path("sum.jsonl"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ids: BTreeSet<u64> = summaries.iter().map(|one| one["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, seen.iter().map(|track| track.id).collect(), "as many as there were");
    assert_eq!(ids.len(), summaries.len(), "each once");
    let mut reasons = BTreeSet::new();
    for summary in &summaries {
        let id = summary["id"].as_u64().unwrap();
        let of: Vec<&Seen> = seen.iter().filter(|track| track.id == id && !track.coasted).collect();
        let last = of.last().unwrap().frame;
        assert_eq!((&summary["end_frame"], &summary["seen_frames"]), (&last.into(), &of.len().into()), "{summary}");
        assert!((summary["end_s"].as_f64().unwrap() - frames[last - 1].1).abs() < 1e-5);
        assert!(
            summary["start_frame"].as_u64().unwrap() < of[0].frame as u64,
            "seen before it was believed: {summary}"
        );
        let mut scores: Vec<f64> = of.iter().map(|track| track.score).collect();
        scores.sort_by(f64::total_cmp);
        let median = scores[(scores.len() - 1) / 2];
        assert!((summary["median_score"].as_f64().unwrap() - median).abs() < 0.0011, "{median}: {summary}");
        let picture = folder.path("crops").join(summary["crop"]["file"].as_str().unwrap());
        assert!(image::load_from_memory(&fs::read(picture).unwrap()).is_ok());
        reasons.insert(summary["end_reason"].as_str().unwrap().to_owned());
    }
    let known = ["end-of-recording", "left", "not-seen", "duplicate"];
    assert!(reasons.len() >= 2 && reasons.iter().all(|reason| known.contains(&reason.as_str())), "{reasons:?}");
}

#[test]
fn detections_are_written_as_eval_tracking_reads_them() {
    let folder = Folder::new();
    folder.record("ball.avi", "ball").config("", &blob());
    let det = folder.analyze("ball.avi", "detections");
    // Before the tracker: the first frame, too.
    assert_eq!(det.lines().count(), FRAMES);
    assert!(det.lines().all(|line| line.split(',').nth(1) == Some("-1") && line.split(',').count() == 10), "{det}");
    fs::create_dir(folder.path("ball")).unwrap();
    folder.write("ball/det.txt", &det);
    folder.write("ball/info.txt", format!("fps={} width={WIDTH} height={HEIGHT} frames={FRAMES}", clips::FPS));
    let truth = |frame: u32| {
        let [x1, y1, x2, y2] = clips::ball(frame, WIDTH, HEIGHT);
        format!("{},1,{x1},{y1},{},{},1,1,1\n", frame + 1, x2 - x1, y2 - y1)
    };
    folder.write("ball/gt.txt", (0..clips::PICTURES).map(truth).collect::<String>());
    let mut eval = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    let output = eval.args(["eval", "tracking", "ball", "--json"]).current_dir(folder.0.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let row = &document["trackers"][0]["sequences"][0];
    assert_eq!((&row["idsw"], &row["tracks"]), (&0.into(), &1.into()), "{row}");
    assert!(row["idf1"].as_f64().unwrap() > 0.95, "{row}");
}

#[test]
fn several_outputs_are_written_at_once_each_in_its_own_format() {
    let folder = Folder::new();
    folder.record("ball.avi", "ball").config("", &blob());
    let alone: Vec<String> = ["jsonl", "mot"].iter().map(|format| folder.analyze("ball.avi", format)).collect();
    let both = ["--format", "jsonl", "--out", "b", "--format", "mot", "--crops", "crops"];
    let output = folder.command("ball.avi", "a").args(both).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let written: Vec<String> = ["a", "b"].iter().map(|file| fs::read_to_string(folder.path(file)).unwrap()).collect();
    assert!(written == alone, "{written:?}");
    for (args, message) in [
        (&["--out", "b"][..], "2 --out and 0 --format; each output needs its own"),
        (&["--format", "mot", "--format", "jsonl"], "1 --out and 2 --format"),
        (&["--format", "mot", "--out", "c", "--format", "jsonl"], "--out c: given twice"),
    ] {
        let output = folder.command("ball.avi", "c").args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(65), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
        assert!(!folder.path("c").exists());
    }
}

/// The first `frames` of a recording, without encoding them again.
fn cut(from: &Path, frames: u32, to: &Path) {
    let mut launch = Command::new("gst-launch-1.0");
    launch.args(["-q", "filesrc", &format!("location={}", from.display()), "!", "qtdemux", "!", "h264parse", "!"]);
    launch.args(["identity", &format!("eos-after={}", frames + 1), "!", "matroskamux", "!", "filesink"]);
    assert!(launch.arg(format!("location={}", to.display())).status().unwrap().success());
}

#[test]
fn people_on_real_footage_are_followed() {
    let (Some(video), Some(onnx)) = (support::asset("videos/people.mp4"), support::asset("models/yolox_nano_416.onnx"))
    else {
        return;
    };
    let folder = Folder::new();
    cut(&video, 100, &folder.path("people.mkv"));
    let model = "backend = \"onnxruntime\"\nhead = \"yolox\"\nclasses = [\"person\"]";
    folder.config("", &format!("[models.m]\nonnx = \"{}\"\n{model}\n", onnx.canonicalize().unwrap().display()));
    let (frames, tracks) = read_jsonl(&folder.analyze("people.mkv", "jsonl"));
    assert_eq!(frames.len(), 100);
    assert!(tracks.iter().all(|track| track.label == "person"));
    let a_frame = tracks.len() as f64 / frames.len() as f64;
    assert!(a_frame >= 5.0, "{a_frame:.1} people a frame");
    let ids = tracks.iter().map(|track| track.id).collect::<BTreeSet<_>>().len();
    assert!(ids <= 30, "{ids} tracks for about ten people in four seconds");
}
