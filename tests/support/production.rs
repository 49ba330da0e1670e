//! `configs/production.toml` as it is, with paths of this machine, on the simulated GPU, with four cameras of a street.

#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses its own part")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gpu_sim::plan::{Plan, Profile, Range, Target};
use serde_json::Value;
use streetscene::serve::{Login, ServeOptions, Server};
use streetscene::{Light, Options};

use crate::support::daemon::{Daemon, read_events};
use crate::support::wait_for;

pub const CAMERAS: [&str; 4] = ["plaza-1", "plaza-2", "plaza-3", "plaza-4"];
pub const MODELS: [&str; 4] = ["detection", "pose", "reid", "segmentation"];

/// Long enough for any start, on a machine that has much else to do.
pub const STARTED: Duration = Duration::from_secs(120);

const PASSWORD: &str = "street";
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Four cameras and four models are work enough for a machine: tests of one file wait for each other.
pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder with all that the production configuration names, and the cameras while it lives.
pub struct Production {
    folder: tempfile::TempDir,
    cameras: Option<Server>,
}

impl Production {
    /// Libraries, plans and configuration, without any camera.
    pub fn new() -> Self {
        let this = Self { folder: tempfile::tempdir().unwrap(), cameras: None };
        fs::create_dir(this.path("gpu")).unwrap();
        gpu_sim::stage::stage(&this.path("gpu")).unwrap();
        for model in MODELS {
            fs::write(this.path(&format!("{model}.plan")), plan(model)).unwrap();
        }
        let text = fs::read_to_string(repository().join("configs/production.toml")).unwrap();
        // The one path that the environment cannot set.
        let sink = "path = \"/var/lib/watchkeeper/events.jsonl\"";
        assert!(text.contains(sink), "configs/production.toml has another sink than it had");
        fs::write(this.path("watchkeeper.toml"), text.replace(sink, "path = \"events.jsonl\"")).unwrap();
        this
    }

    /// The same with four cameras, live over RTSP, each with so many frames per second.
    pub fn with_cameras(fps: f64) -> Self {
        let mut this = Self::new();
        let server = Server::start(ServeOptions {
            world: Options { seed: 7, light: Some(Light::Day), ..Options::default() },
            cameras: CAMERAS.len(),
            fps,
            port: 0,
            login: Some(Login { username: "viewer".to_owned(), password: PASSWORD.to_owned() }),
            truth: None,
        })
        .unwrap();
        let password = this.path("street.pass");
        fs::write(&password, PASSWORD).unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let mut text = String::new();
        for camera in server.urls() {
            let _ = writeln!(
                text,
                "[[cameras]]\nid = {:?}\nurl = {:?}\nusername = \"viewer\"\npassword_file = {password:?}\n",
                camera.id, camera.url
            );
        }
        fs::create_dir(this.path("conf.d")).unwrap();
        fs::write(this.path("conf.d/cameras.toml"), text).unwrap();
        this.cameras = Some(server);
        this
    }

    /// Only these models, and not all that there are.
    pub fn cameras_use(&self, models: &[&str]) {
        let path = self.path("conf.d/cameras.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("[[cameras]]", &format!("[[cameras]]\nmodels = {models:?}"))).unwrap();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// What the configuration's paths are here, the simulated GPU, and what is to go wrong.
    pub fn environment(&self, command: &mut Command, concurrency: &str, faults: &str) {
        let _ = fs::remove_file(self.path("report.jsonl"));
        for model in MODELS {
            let key = format!("WATCHKEEPER__MODELS__{}", model.to_uppercase());
            command.env(format!("{key}__ONNX"), repository().join("engines").join(model).join("model.onnx"));
            command.env(format!("{key}__PLAN"), self.path(&format!("{model}.plan")));
        }
        command
            .env("WATCHKEEPER__RUNTIME__CONCURRENCY", concurrency)
            .env("WATCHKEEPER__RUNTIME__STATE_DIR", self.path("state"))
            .env("WATCHKEEPER__HTTP__LISTEN", "127.0.0.1:0")
            .env("LD_LIBRARY_PATH", self.path("gpu"))
            .env("GST_PLUGIN_PATH", self.path("gpu/gstreamer"))
            .env("GST_REGISTRY", self.path("registry.bin"))
            .env("WATCHKEEPER_SIM", faults)
            .env("WATCHKEEPER_SIM_REPORT", self.path("report.jsonl"));
    }

    /// The daemon.
    pub fn start(&self, concurrency: &str, faults: &str) -> Daemon {
        Daemon::start_with(&self.path("watchkeeper.toml"), |command| self.environment(command, concurrency, faults))
    }

    /// `watchkeeper analyze` of a recording; its lines go to `tracks.jsonl`.
    pub fn analyze(&self, recording: &Path, concurrency: &str, faults: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.arg("analyze").arg(recording).arg("--out").arg(self.path("tracks.jsonl"));
        command.arg("--config").arg(self.path("watchkeeper.toml")).stdin(Stdio::null());
        self.environment(&mut command, concurrency, faults);
        command.output().unwrap()
    }

    /// Events of one type, of all runs.
    pub fn events_of(&self, kind: &str) -> Vec<Value> {
        read_events(&self.path("events.jsonl")).into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// The flight recordings, oldest first.
    pub fn recordings(&self) -> Vec<Recording> {
        let Ok(entries) = fs::read_dir(self.path("state/flight-recorder")) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| Recording::read(path)).collect()
    }

    /// What the simulator says that was done to it which the real libraries forbid.
    pub fn misuse(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("report.jsonl")).unwrap_or_default();
        text.lines().filter(|line| line.contains("\"event\":\"misuse\"")).map(str::to_owned).collect()
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A plan of a shipped model, as `gpu-sim-plan` writes it.
fn plan(model: &str) -> Vec<u8> {
    plan_as(model, model)
}

/// The same with another name of the network, and so another digest.
pub fn plan_as(model: &str, name: &str) -> Vec<u8> {
    let onnx = fs::read(repository().join("engines").join(model).join("model.onnx")).unwrap();
    let target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
    let crops = |n: i64| vec![n, 3, 128, 64];
    let profile = Profile::from([("images".to_owned(), Range { min: crops(1), opt: crops(8), max: crops(8) })]);
    let profiles = if model == "reid" { vec![profile] } else { vec![] };
    Plan::build(name, onnx, &profiles, &target).unwrap().to_bytes()
}

/// Frames of a camera that went through its models.
pub fn inferred(daemon: &Daemon, camera: &str) -> u64 {
    frames(daemon, camera, "inferred")
}

/// Frames of a camera by what became of them.
pub fn frames(daemon: &Daemon, camera: &str, outcome: &str) -> u64 {
    let name = format!("watchkeeper_camera_frames_total{{camera=\"{camera}\",outcome=\"{outcome}\"}}");
    daemon.metric(&name).map_or(0, |count| count as u64)
}

/// Every event is numbered one after the other.
pub fn assert_gapless(events: &[Value]) {
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

/// A sum over all that a metric counts, such as `watchkeeper_infer_errors_total` with `kind="myelin"` among its labels.
pub fn sum(daemon: &Daemon, name: &str, label: &str) -> u64 {
    let text = daemon.get("/metrics");
    let of_it = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(label);
    text.lines().filter(of_it).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
}

/// Waits until so many more frames of every camera went through its models.
pub fn all_infer(daemon: &Daemon, more: u64) {
    let before = CAMERAS.map(|camera| inferred(daemon, camera));
    let done = || CAMERAS.iter().zip(before).all(|(camera, before)| inferred(daemon, camera) >= before + more);
    assert!(wait_for(STARTED, done), "from {before:?} frames: {}", daemon.log());
}

/// A flight recording: why it was written, and what was done on the device.
pub struct Recording {
    pub head: Value,
    pub records: Vec<Value>,
}

impl Recording {
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let head: Value = lines.next().unwrap();
        assert_eq!(head["schema"], "flight/1");
        Self { head, records: lines.collect() }
    }

    /// When something was recorded.
    pub fn time(&self, record: &Value) -> jiff::Timestamp {
        let written: jiff::Timestamp = self.head["time"].as_str().unwrap().parse().unwrap();
        written - jiff::SignedDuration::from_micros((record["before_ms"].as_f64().unwrap() * 1e3) as i64)
    }
}
