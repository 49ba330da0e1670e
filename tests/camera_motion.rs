//! A camera that shakes: its subjects keep their numbers where its own motion is taken out, and lose them where not.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use streetscene::video::VideoWriter;
use test_models::blob_detector;

const WIDTH: u32 = 320;
const HEIGHT: u32 = 240;
const FRAMES: u32 = 45;
const FPS: f64 = 15.0;
const RADIUS: f64 = 17.0;

/// 0 to 1, always the same for the same numbers.
fn random(a: i64, b: i64) -> f64 {
    let mut hash = (a as u32).wrapping_mul(0x9e37_79b9) ^ (b as u32).wrapping_mul(0x85eb_ca6b);
    for _ in 0..2 {
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    }
    f64::from(hash) / f64::from(u32::MAX)
}

/// Where the camera looks in a frame: nearly a ball's width to and fro.
fn camera(frame: u32, shakes: bool) -> (f64, f64) {
    let wave = |speed: f64| if shakes { (speed * f64::from(frame)).sin() } else { 0.0 };
    (34.0 * wave(2.3), 20.0 * wave(1.7))
}

/// Three white balls roll over a dark ground with stains.
fn picture(frame: u32, shakes: bool) -> Vec<u8> {
    let (dx, dy) = camera(frame, shakes);
    let rolled = 0.8 * f64::from(frame);
    let balls = [(75.0 + rolled, 60.0), (160.0, 185.0 - rolled), (245.0 - rolled, 120.0)];
    let stain = |x: f64, y: f64| {
        let (column, row) = ((x / 9.0).floor(), (y / 9.0).floor());
        let (right, down) = (x / 9.0 - column, y / 9.0 - row);
        let at = |i: i64, j: i64| random(column as i64 + i, row as i64 + j);
        let pair = |j: i64| at(0, j) + right * (at(1, j) - at(0, j));
        20.0 + 80.0 * (pair(0) + down * (pair(1) - pair(0)))
    };
    let pixel = |i: u32| {
        let (x, y) = (f64::from(i % WIDTH) + 0.5 + dx, f64::from(i / WIDTH) + 0.5 + dy);
        let ball = balls.iter().any(|ball| (x - ball.0).hypot(y - ball.1) < RADIUS);
        if ball { 255 } else { stain(x, y) as u8 }
    };
    (0..WIDTH * HEIGHT).map(pixel).flat_map(|v| [v, v, v, 255]).collect()
}

fn record(path: &Path, shakes: bool) {
    let mut video = VideoWriter::create(path, WIDTH, HEIGHT, FPS, 3000).unwrap();
    for frame in 0..FRAMES {
        video.write(&picture(frame, shakes), Duration::from_secs_f64(f64::from(frame) / FPS)).unwrap();
    }
    video.finish().unwrap();
}

/// Its output, the numbers that were given, and the frames in which all three balls have a box that was seen.
fn analyze(folder: &Path, recording: &str, camera_motion: &str) -> (String, BTreeSet<u64>, usize) {
    let config = format!(
        "[runtime]\npolicy = \"any\"\n[models.blob]\nonnx = \"blob.onnx\"\nbackend = \"onnxruntime\"\nhead = \"yolo\"\n\
         labels = \"ball.txt\"\n[tracking]\n{camera_motion}\n"
    );
    fs::write(folder.join("config.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(["analyze", recording, "--config", "config.toml", "--out", "out.jsonl"]);
    let output = command.current_dir(folder).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(folder.join("out.jsonl")).unwrap();
    let (mut numbers, mut whole) = (BTreeSet::new(), 0);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let tracks = line["tracks"].as_array().unwrap();
        numbers.extend(tracks.iter().map(|track| track["id"].as_u64().unwrap()));
        whole += usize::from(tracks.iter().filter(|track| track["coasted"] == false).count() == 3);
    }
    (text, numbers, whole)
}

#[test]
fn subjects_of_a_camera_that_shakes_keep_their_numbers_where_its_motion_is_taken_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("blob.onnx"), blob_detector(WIDTH, HEIGHT, 16)).unwrap();
    fs::write(folder.join("ball.txt"), "ball\n").unwrap();
    record(&folder.join("shakes.mp4"), true);
    record(&folder.join("stands.mp4"), false);

    let (steady, numbers, whole) = analyze(folder, "shakes.mp4", "camera_motion = \"on\"");
    assert_eq!(numbers, [1, 2, 3].into(), "{steady}");
    assert!(whole >= FRAMES as usize - 2, "all balls in {whole} frames of {FRAMES}");
    let (_, lost, followed) = analyze(folder, "shakes.mp4", "camera_motion = \"off\"");
    assert!(2 * followed < whole, "the shake is too gentle to prove anything: {lost:?}, {followed}");
    assert_eq!(analyze(folder, "shakes.mp4", "").1, lost, "it is off by default");

    // Again the same to the byte; and where the camera stands, it changes nothing, to the byte.
    assert!(analyze(folder, "shakes.mp4", "camera_motion = \"on\"").0 == steady);
    let still = analyze(folder, "stands.mp4", "camera_motion = \"off\"");
    assert_eq!(still.1, [1, 2, 3].into());
    assert!(analyze(folder, "stands.mp4", "camera_motion = \"on\"") == still);
}
