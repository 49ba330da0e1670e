//! A folder with a configuration, the simulated GPU, and the engines built there.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::recorded::{SEED, Street};

pub const MODELS: [(&str, &str); 4] =
    [("detection", ""), ("pose", ""), ("segmentation", ""), ("reid", "run_on = \"tracks\"")];

pub struct Site {
    pub folder: tempfile::TempDir,
    pub tensorrt: String,
}

impl Site {
    /// The shipped models, no engine yet.
    pub fn new(tensorrt: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), tensorrt: tensorrt.to_owned() };
        fs::create_dir(this.path("gpu")).unwrap();
        gpu_sim::stage::stage(&this.path("gpu")).unwrap();
        if tensorrt.starts_with("11") {
            fs::remove_file(this.path("gpu/libnvinfer.so.10")).unwrap();
        }
        this.config(&MODELS.map(|(model, more)| (model, onnx(model), more)));
        this
    }

    /// Writes `config.toml` with these models: name, file, further lines.
    pub fn config(&self, models: &[(&str, PathBuf, &str)]) {
        let mut text = "[runtime]\npolicy = \"any\"\nstate_dir = \"state\"\n".to_owned();
        for (model, onnx, more) in models {
            let _ = writeln!(
                text,
                "[models.{model}]\nonnx = {onnx:?}\nplan = \"{model}.plan\"\nbackend = \"tensorrt\"\n{more}"
            );
        }
        fs::write(self.path("config.toml"), text).unwrap();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The program, with these faults of the simulator.
    pub fn command(&self, args: &[&str], faults: &str) -> Command {
        let _ = fs::remove_file(self.path("report.jsonl"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(args).current_dir(self.folder.path());
        command.args(["--config", "config.toml"]).stdin(Stdio::null());
        command.env("LD_LIBRARY_PATH", self.path("gpu")).env("WATCHKEEPER_SIM", faults);
        command
            .env("WATCHKEEPER_SIM_TENSORRT", &self.tensorrt)
            .env("WATCHKEEPER_SIM_REPORT", self.path("report.jsonl"));
        command
    }

    pub fn run(&self, args: &[&str], faults: &str) -> Output {
        self.command(args, faults).output().unwrap()
    }

    pub fn build(&self, args: &[&str], faults: &str) -> Output {
        self.run(&[&["engine", "build"], args].concat(), faults)
    }

    /// The lines that `analyze` writes for the street's first camera.
    pub fn analyze(&self, street: &Street) -> Vec<Value> {
        let video = street.path(&format!("street/seed-{SEED:06}/plaza-1/video.mp4"));
        let output = self.run(&["analyze", video.to_str().unwrap(), "--out", "tracks.jsonl"], "{}");
        assert!(output.status.success(), "{}", words(&output));
        let text = fs::read_to_string(self.path("tracks.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the simulator says that was done to it which the real libraries forbid.
    pub fn misuse(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("report.jsonl")).unwrap_or_default();
        text.lines().filter(|line| line.contains("\"event\":\"misuse\"")).map(str::to_owned).collect()
    }

    /// Names in the store, sorted.
    pub fn store(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("store")) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A shipped model.
pub fn onnx(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(model).join("model.onnx")
}

pub fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
