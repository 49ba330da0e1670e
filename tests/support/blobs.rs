//! Four cameras with a ball each, and one small model that finds it: as much of a daemon as a change of engines needs.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gpu_sim::plan::{Plan, Target};
use serde_json::Value;

use crate::production::{self, STARTED};
use crate::support::daemon::Daemon;
use crate::support::wait_for;

pub const CAMERAS: [&str; 4] = ["a", "b", "c", "d"];
/// Of the model's input.
pub const SIZE: (u32, u32) = (320, 240);

/// A folder with configuration, model and plan.
pub struct Blobs {
    folder: tempfile::TempDir,
}

impl Blobs {
    /// On the simulated GPU.
    pub fn new(concurrency: &str) -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(this.path("gpu")).unwrap();
        gpu_sim::stage::stage(&this.path("gpu")).unwrap();
        let model = "plan = \"detection.plan\"\nbackend = \"tensorrt\"";
        this.write(&format!("concurrency = \"{concurrency}\""), model);
        this
    }

    /// On the CPU.
    pub fn on_cpu() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap() };
        this.write("", "backend = \"onnxruntime\"");
        this
    }

    fn write(&self, runtime: &str, model: &str) {
        self.install_onnx(SIZE);
        let labels = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines/blob.txt");
        let mut text = format!(
            "[runtime]\npolicy = \"any\"\nstate_dir = \"state\"\n{runtime}\n\n[http]\nlisten = \"127.0.0.1:0\"\n\n[track_log]\nenabled = false\n\n\
             [models.detection]\nonnx = \"blob.onnx\"\n{model}\nhead = \"yolo\"\nlabels = {labels:?}\n\n\
             [[sinks]]\ntype = \"jsonl\"\npath = \"events.jsonl\"\n\n"
        );
        for camera in CAMERAS {
            let size = "width_px = 320\nheight_px = 240\nfps = 5";
            text += &format!("[[cameras]]\nid = {camera:?}\nurl = \"test://ball\"\n{size}\n\n");
        }
        fs::write(self.config(), text).unwrap();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn config(&self) -> PathBuf {
        self.path("watchkeeper.toml")
    }

    /// Writes the model file; its digest.
    pub fn install_onnx(&self, size: (u32, u32)) -> String {
        self.replace("blob.onnx", &model(size))
    }

    /// Puts a plan of that name into the place of the one that is there; its digest.
    pub fn install(&self, name: &str, size: (u32, u32)) -> String {
        self.replace("detection.plan", &plan(name, size))
    }

    /// Puts a link to a plan there.
    pub fn link(&self, name: &str, size: (u32, u32)) -> String {
        let file = format!("{name}.plan");
        let digest = self.replace(&file, &plan(name, size));
        std::os::unix::fs::symlink(&file, self.path("link.new")).unwrap();
        fs::rename(self.path("link.new"), self.path("detection.plan")).unwrap();
        digest
    }

    fn replace(&self, file: &str, bytes: &[u8]) -> String {
        fs::write(self.path("new"), bytes).unwrap();
        fs::rename(self.path("new"), self.path(file)).unwrap();
        digest_of(bytes)
    }

    pub fn start(&self, faults: &str) -> Daemon {
        self.start_with(faults, |_| {})
    }

    pub fn start_with(&self, faults: &str, setup: impl FnOnce(&mut Command)) -> Daemon {
        let _ = fs::remove_file(self.path("report.jsonl"));
        let _ = fs::remove_file(self.path("events.jsonl"));
        Daemon::start_with(&self.config(), |command| {
            command
                .env("LD_LIBRARY_PATH", self.path("gpu"))
                .env("WATCHKEEPER_SIM", faults)
                .env("WATCHKEEPER_SIM_REPORT", self.path("report.jsonl"));
            setup(command);
        })
    }

    /// Waits until every camera follows its ball.
    pub fn all_have_a_track(&self, daemon: &Daemon) {
        assert!(wait_for(STARTED, || daemon.log().contains(" ready ")), "{}", daemon.log());
        assert!(wait_for(STARTED, || daemon.events_of("object.start").len() == CAMERAS.len()), "{}", daemon.log());
    }

    /// Waits until so many more frames of every camera were analysed.
    pub fn all_infer(&self, daemon: &Daemon, more: u64) {
        let before = CAMERAS.map(|camera| production::inferred(daemon, camera));
        let grown = |(camera, before): (&&str, u64)| production::inferred(daemon, camera) >= before + more;
        assert!(wait_for(STARTED, || CAMERAS.iter().zip(before).all(grown)), "{}", daemon.log());
    }

    /// What the API says of the model.
    pub fn model(&self, daemon: &Daemon) -> Value {
        let answer = daemon.get("/api/v1/models");
        let answer: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        answer["models"][0].clone()
    }

    /// Bytes on the device by owner.
    pub fn memory(&self, daemon: &Daemon) -> Vec<(String, u64)> {
        let text = daemon.get("/metrics");
        let lines = text.lines().filter_map(|line| line.strip_prefix("watchkeeper_device_memory_bytes{owner=\""));
        let mut memory: Vec<_> = lines
            .map(|line| {
                let (owner, bytes) = line.split_once("\"} ").unwrap();
                (owner.to_owned(), bytes.parse().unwrap())
            })
            .filter(|(_, bytes)| *bytes > 0)
            .collect();
        memory.sort();
        memory
    }

    /// Bytes in all, of the engine, and of one camera.
    pub fn device_memory(&self, daemon: &Daemon) -> (u64, u64, u64) {
        let memory = self.memory(daemon);
        let of = |wanted: &str| memory.iter().find(|(owner, _)| owner == wanted).map_or(0, |(_, bytes)| *bytes);
        (memory.iter().map(|(_, bytes)| bytes).sum(), of("engine detection"), of("camera a"))
    }

    /// What the simulator says that was done to it which the real libraries forbid.
    pub fn misuse(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("report.jsonl")).unwrap_or_default();
        text.lines().filter(|line| line.contains("\"event\":\"misuse\"")).map(str::to_owned).collect()
    }
}

/// Its cells fit the ball, which is an eighth of the picture's width.
fn model((width, height): (u32, u32)) -> Vec<u8> {
    test_models::blob_detector(width, height, (width / 20).next_multiple_of(8))
}

fn plan(name: &str, size: (u32, u32)) -> Vec<u8> {
    let target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
    Plan::build(name, model(size), &[], &target).unwrap().to_bytes()
}

/// Digest of a file's content, hexadecimal.
pub fn digest_of(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `POST /api/v1/reload`: status and answer.
pub fn reload(daemon: &Daemon) -> (u16, Value) {
    let answer = daemon.post("/api/v1/reload", "{}");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// Reloads that ended so.
pub fn reloads(daemon: &Daemon, outcome: &str) -> u64 {
    let name = format!("watchkeeper_reloads_total{{outcome=\"{outcome}\"}}");
    daemon.metric(&name).map_or(0, |count| count as u64)
}
