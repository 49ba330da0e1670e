//! Recordings of a street that no training saw.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use streetscene::output::{Plan, Writer};
use streetscene::video::VideoWriter;
use streetscene::{Light, Options, View, World};

const FPS: f64 = 10.0;
/// Held out of training.
pub const SEED: u64 = 3;

/// A folder with a rendered street and a configuration.
pub struct Street {
    pub folder: tempfile::TempDir,
}

impl Street {
    /// `frames` of the first `cameras` cameras, as `streetscene render --video` writes them.
    pub fn new(frames: u64, cameras: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World::new(&Options { seed: SEED, light: Some(Light::Day), ..Options::default() });
        let cameras: Vec<usize> = (0..cameras).collect();
        let out = folder.path().join("street");
        let plan = Plan { out: out.clone(), cameras: cameras.clone(), images: None, quality: 90, fps: FPS };
        let mut writer = Writer::new(&plan, &world, SEED).unwrap();
        let mut views: Vec<View> = cameras.iter().map(|camera| View::new(&world, *camera)).collect();
        let video = |view: &View| {
            let path = out.join(format!("seed-{SEED:06}")).join(&view.truth().camera).join("video.mp4");
            VideoWriter::create(&path, 640, 360, FPS, 3000).unwrap()
        };
        let mut videos: Vec<VideoWriter> = views.iter().map(video).collect();
        world.advance_to(10.0);
        world.take_crossings();
        for frame in 0..frames {
            let time = frame as f64 / FPS;
            world.advance_to(10.0 + time);
            for (view, video) in views.iter_mut().zip(&mut videos) {
                view.render(&world, frame + 1);
                let truth = view.truth().clone();
                writer.frame(view.frame(), &truth).unwrap();
                video.write(&view.frame().rgba, Duration::from_secs_f64(time)).unwrap();
            }
            writer.crossings(&mut world).unwrap();
        }
        writer.finish().unwrap();
        videos.into_iter().for_each(|video| video.finish().unwrap());
        Self { folder }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Writes `config.toml` with the shipped models, each with these lines more.
    pub fn config(&self, more: &[(&str, &str)]) {
        let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines");
        let mut text = "[runtime]\npolicy = \"any\"\nstate_dir = \"state\"\n".to_owned();
        for (model, more) in more {
            let onnx = engines.join(model).join("model.onnx");
            text += &format!("[models.{model}]\nonnx = {onnx:?}\nbackend = \"onnxruntime\"\n{more}\n");
        }
        fs::write(self.path("config.toml"), text).unwrap();
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(args).args(["--config", "config.toml"]).current_dir(self.folder.path());
        let output = command.stdin(Stdio::null()).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {words}");
        output
    }

    /// The lines that `analyze` writes for the first camera.
    pub fn analyze(&self) -> Vec<Value> {
        let video = format!("street/seed-{SEED:06}/plaza-1/video.mp4");
        self.run(&["analyze", &video, "--out", "tracks.jsonl"]);
        let text = fs::read_to_string(self.path("tracks.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
