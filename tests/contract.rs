//! The GPU contract, through the binary on a simulated GPU: what passes, and what each failure says before any camera
//! is opened.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use gpu_sim::plan::{Plan, Profile, Range, Target};
use serde_json::Value;
use support::daemon::Daemon;

const SOON: Duration = Duration::from_secs(60);

/// The larger file is loaded first.
const MODELS: [&str; 2] = ["detection", "reid"];

/// The simulator's libraries, and a GStreamer registry that knows its decoders.
fn simulator() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            gpu_sim::stage::stage(folder.path()).unwrap();
            folder
        })
        .path()
}

/// A machine to run on: models with plans, a configuration, a camera that nobody should call.
struct Machine {
    folder: tempfile::TempDir,
    camera: TcpListener,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().unwrap(), camera: TcpListener::bind("127.0.0.1:0").unwrap() };
        machine.camera.set_nonblocking(true).unwrap();
        for model in MODELS {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines").join(model);
            fs::create_dir(machine.path(model)).unwrap();
            for entry in fs::read_dir(shipped).unwrap() {
                let from = entry.unwrap().path();
                fs::copy(&from, machine.path(model).join(from.file_name().unwrap())).unwrap();
            }
            machine.plan(model, "10.16.1", "8.7");
        }
        machine.config("policy = \"gpu-only\"", "");
        machine
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Builds a model's plan for this TensorRT and this device.
    fn plan(&self, model: &str, tensorrt: &str, compute_capability: &str) {
        let target = Target {
            tensorrt: tensorrt.to_owned(),
            compute_capability: compute_capability.to_owned(),
            precision: "fp32".into(),
        };
        let crops = |n: i64| vec![n, 3, 128, 64];
        let profile = Profile::from([("images".to_owned(), Range { min: crops(1), opt: crops(8), max: crops(8) })]);
        let profiles = if model == "reid" { vec![profile] } else { vec![] };
        let onnx = fs::read(self.path(model).join("model.onnx")).unwrap();
        let plan = Plan::build(model, onnx, &profiles, &target).unwrap();
        fs::write(self.path(model).join("model.plan"), plan.to_bytes()).unwrap();
    }

    /// `model` are keys of every model.
    fn config(&self, runtime: &str, model: &str) {
        let mut text = format!("[runtime]\nstate_dir = \"state\"\n{runtime}\n[http]\nlisten = \"127.0.0.1:0\"\n");
        for name in MODELS {
            text += &format!("[models.{name}]\nonnx = \"{name}/model.onnx\"\n{model}\n");
        }
        let port = self.camera.local_addr().unwrap().port();
        text += &support::daemon::camera_section("gate", &format!("rtsp://127.0.0.1:{port}/stream"), "");
        fs::write(self.path("config.toml"), text).unwrap();
    }

    /// `run` with the simulated GPU and its decoders.
    fn run(&self, faults: &str) -> Command {
        let mut command = self.command("run");
        self.with_gpu(&mut command, faults);
        command
    }

    fn with_gpu(&self, command: &mut Command, faults: &str) {
        let simulator = simulator();
        command.env("LD_LIBRARY_PATH", simulator).env("WATCHKEEPER_SIM", faults);
        command.env("GST_PLUGIN_PATH", simulator.join("gstreamer"));
        command.env("GST_REGISTRY", simulator.join("registry.bin"));
    }

    /// The command on a machine without a GPU, nothing in the log.
    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.args(words.split(' ')).args(["--config", "config.toml"]);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env("WATCHKEEPER__LOG__FILTER", "off");
        command
    }

    /// Runs a command to its end; answers also what its process had the loader open, in this order.
    fn loads(&self, mut command: Command) -> (Output, String) {
        let child = command.env("LD_DEBUG", "files").env("LD_DEBUG_OUTPUT", self.path("ld")).stderr(Stdio::piped());
        let child = child.stdout(Stdio::piped()).spawn().unwrap();
        let log = self.path(&format!("ld.{}", child.id()));
        let output = child.wait_with_output().unwrap();
        (output, fs::read_to_string(log).unwrap())
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path("state/contract.json")).unwrap()).unwrap()
    }

    /// It refuses to start: code 69, one line with these words, the report names the check, nobody called the camera.
    #[track_caller]
    fn refuses(&self, mut command: Command, check: &str, words: &[&str]) -> String {
        let _ = fs::remove_dir_all(self.path("state"));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.starts_with(&format!("GPU contract failed: {check}: ")), "{said}");
        assert!(words.iter().all(|words| said.contains(words)), "{said}");
        let report = self.report();
        let outcomes: Vec<_> = outcomes(&report).collect();
        let at = outcomes.iter().position(|(name, _)| name == check).unwrap();
        assert_eq!(outcomes[at].1, "failed", "{report:#}");
        assert!(outcomes[..at].iter().all(|(_, outcome)| outcome != "failed"), "{report:#}");
        assert!(outcomes[at + 1..].iter().all(|(_, outcome)| outcome == "skipped"), "{report:#}");
        let failed = &report["checks"][at];
        let line = format!("{}; {}", failed["found"].as_str().unwrap(), failed["next"].as_str().unwrap());
        assert_eq!(said.trim_end(), format!("GPU contract failed: {check}: {line}"));
        assert!(self.camera.accept().is_err(), "a camera was opened");
        said
    }
}

fn outcomes(report: &Value) -> impl Iterator<Item = (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["checks"].as_array().unwrap().iter().map(move |check| (text(&check["name"]), text(&check["outcome"])))
}

const ALL: [&str; 12] = [
    "driver",
    "device",
    "context",
    "kernel",
    "tensorrt",
    "decoder",
    "engine detection",
    "golden detection",
    "engine reid",
    "golden reid",
    "memory",
    "time",
];

#[test]
fn all_checks_are_passed_and_told_in_file_api_and_metric() {
    let machine = Machine::new();
    let mut daemon = Daemon::start_with(&machine.path("config.toml"), |command| machine.with_gpu(command, "{}"));
    assert!(daemon.says("ready", SOON), "{}", daemon.log());
    let report = machine.report();
    // Plans without manifests: nobody knows how long they take.
    let made = |name: &str| if name == "time" { "skipped" } else { "passed" };
    let expected: Vec<_> = ALL.iter().map(|name| ((*name).to_owned(), made(name).to_owned())).collect();
    assert_eq!(outcomes(&report).collect::<Vec<_>>(), expected, "{report:#}");
    assert_eq!(report["schema"], "contract/1");
    assert_eq!(report["policy"], "gpu-only");
    assert_eq!(report["tensorrt"], "10.16.1.0");
    let device = &report["device"];
    assert_eq!(device["name"], "Simulated GPU (CPU)");
    assert_eq!((&device["compute_capability"], &device["driver_cuda"]), (&"8.7".into(), &"12.2".into()));
    assert!(device["uuid"].as_str().unwrap().starts_with("GPU-") && device["memory_bytes"].as_u64() > Some(1 << 30));
    let decoder = report["checks"][5]["found"].as_str().unwrap();
    assert!(decoder.contains("H.264: nvh264dec of ") && decoder.contains("libgstsimdecoder.so)"), "{decoder}");

    let answer = daemon.get("/api/v1/contract");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), report);
    for name in ALL.into_iter().filter(|name| *name != "time") {
        assert_eq!(daemon.metric(&format!("watchkeeper_gpu_contract{{check=\"{name}\"}}")), Some(1.0), "{name}");
    }
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
}

#[test]
fn a_gpu_that_is_not_there_or_does_not_compute_ends_the_start() {
    let machine = Machine::new();
    for (faults, check, words) in [
        (r#"{"cuda":{"devices":0}}"#, "device", "the driver starts but finds none; look at `nvidia-smi`"),
        (r#"{"cuda":{"init_error":500}}"#, "driver", "visible but unusable"),
        (r#"{"cuda":{"driver_version":11040}}"#, "driver", "CUDA 11.4's"),
        (r#"{"cuda":{"wrong_proof":true}}"#, "kernel", "computes wrongly"),
        (r#"{"tensorrt":{"fail_runtime":true}}"#, "tensorrt", "createInferRuntime"),
    ] {
        machine.refuses(machine.run(faults), check, &[words]);
    }
}

#[test]
fn a_plan_that_is_none_or_another_machines_ends_the_start() {
    let machine = Machine::new();
    let plan = machine.path("detection/model.plan");
    let whole = fs::read(&plan).unwrap();
    fs::write(&plan, &whole[..whole.len() / 2]).unwrap();
    let words = ["detection/model.plan is not a usable TensorRT plan: ", "; build the plan anew"];
    machine.refuses(machine.run("{}"), "engine detection", &words);
    machine.plan("detection", "10.16.1", "9.0");
    machine.refuses(machine.run("{}"), "engine detection", &words);
    machine.plan("detection", "10.3.0", "8.7");
    machine.refuses(machine.run("{}"), "engine detection", &words);
    // Of another model: it deserialises, and does not fit the head.
    fs::copy(machine.path("reid/model.plan"), &plan).unwrap();
    machine.refuses(machine.run("{}"), "engine detection", &["head \"yolo\""]);
    fs::write(&plan, whole).unwrap();
    machine.refuses(machine.run(r#"{"tensorrt":{"fail_context":1}}"#), "engine detection", &words);
    machine.refuses(machine.run(r#"{"tensorrt":{"fail_enqueue":1}}"#), "engine detection", &[]);
}

#[test]
fn without_a_hardware_decoder_for_h264_there_is_no_start() {
    let machine = Machine::new();
    let mut without = machine.run("{}");
    without.env_remove("GST_PLUGIN_PATH").env("GST_REGISTRY", machine.path("registry.bin"));
    machine.refuses(without, "decoder", &["no hardware H.264 decoder", "avdec_h264", "; install GStreamer's plugins"]);
    let failing = machine.run(r#"{"decoder":{"element":"nvh264dec","fail":true}}"#);
    machine.refuses(failing, "decoder", &["nvh264dec does not open its device"]);
    // GStreamer's plugins touch CUDA too, and must not be the first.
    let failing = machine.run(r#"{"decoder":{"element":"nvh264dec","fail":true}}"#);
    let (_, loaded) = machine.loads(failing);
    let at = |library: &str| loaded.find(library).unwrap();
    assert!(at("libcuda.so.1") < at("libnvinfer.so.10") && at("libnvinfer.so.10") < at("libgstsimdecoder.so"));
}

#[test]
fn a_decoder_that_only_some_cameras_need_is_a_warning() {
    let machine = Machine::new();
    let faults = r#"{"decoder":{"element":"nvh265dec","fail":true}}"#;
    let mut daemon = Daemon::start_with(&machine.path("config.toml"), |command| machine.with_gpu(command, faults));
    assert!(daemon.says("ready", SOON), "{}", daemon.log());
    let (report, log) = (machine.report(), daemon.log());
    assert_eq!(report["checks"][5]["outcome"], "warning", "{report:#}");
    let warned = log.lines().any(|line| line.contains("WARN") && line.contains("nvh265dec does not open its device"));
    assert!(warned, "{log}");
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn an_engine_that_computes_wrongly_ends_the_start_under_either_policy() {
    let machine = Machine::new();
    let wrong = r#"{"tensorrt":{"engine":"reid","wrong_outputs":true}}"#;
    let words = ["engine \"reid\" computes wrongly: ", "; build it anew from "];
    machine.refuses(machine.run(wrong), "golden reid", &words);
    let wrong = r#"{"tensorrt":{"wrong_outputs":true}}"#;
    machine.refuses(machine.run(wrong), "golden detection", &["output \"output0\""]);
    machine.config("policy = \"any\"", "");
    machine.refuses(machine.run(wrong), "golden detection", &["output \"output0\""]);

    // Some weights of the plan are other ones: it loads, fits and runs, and boxes are where they were.
    let onnx = fs::read(machine.path("detection/model.onnx")).unwrap();
    let mut other = onnx.clone();
    let middle = other.len() / 2;
    other[middle..middle + 60_000].fill(0);
    fs::write(machine.path("detection/model.onnx"), other).unwrap();
    machine.plan("detection", "10.16.1", "8.7");
    fs::write(machine.path("detection/model.onnx"), onnx).unwrap();
    let words = ["scores of output \"output0\" are ", "off the recording, 0.060 is allowed for fp16"];
    machine.refuses(machine.run("{}"), "golden detection", &words);
}

#[test]
fn an_engine_without_a_recording_starts_with_a_warning_until_one_is_made() {
    let machine = Machine::new();
    let golden = |model: &str| machine.path(model).join("golden.json");
    fs::remove_file(golden("detection")).unwrap();
    // Of another model file.
    fs::copy(golden("reid"), golden("detection")).unwrap();
    fs::remove_file(golden("reid")).unwrap();
    let start = || {
        let mut daemon = Daemon::start_with(&machine.path("config.toml"), |command| machine.with_gpu(command, "{}"));
        assert!(daemon.says("ready", SOON), "{}", daemon.log());
        assert_eq!(daemon.metric("watchkeeper_gpu_contract{check=\"golden reid\"}"), Some(1.0));
        assert_eq!(daemon.stop().0, Some(0));
        let report = machine.report();
        [7, 9].map(|at| report["checks"][at].clone())
    };
    let [detection, reid] = start();
    assert_eq!((&detection["outcome"], &reid["outcome"]), (&"warning".into(), &"warning".into()));
    assert!(detection["found"].as_str().unwrap().contains("of another model.onnx"), "{detection}");
    assert!(reid["found"].as_str().unwrap().contains("golden.json: no such file"), "{reid}");
    assert!(reid["next"].as_str().unwrap().contains("watchkeeper engine golden"), "{reid}");

    machine.config("policy = \"any\"", "backend = \"onnxruntime\"");
    let recorded = machine.command("engine golden").arg("--json").output().unwrap();
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    let recorded: Value = serde_json::from_slice(&recorded.stdout).unwrap();
    assert_eq!(recorded[1]["path"], "reid/golden.json", "{recorded}");
    machine.config("policy = \"gpu-only\"", "");
    let [detection, reid] = start();
    assert_eq!((&detection["outcome"], &reid["outcome"]), (&"passed".into(), &"passed".into()), "{detection} {reid}");
}

#[test]
fn a_machine_without_a_gpu_is_told_so_at_once_and_nothing_runs_on_its_cpu() {
    let machine = Machine::new();
    let mut run = machine.command("run");
    run.env("GST_REGISTRY", machine.path("registry.bin"));
    let began = Instant::now();
    let (output, loaded) = machine.loads(run);
    let took = began.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.starts_with("GPU contract failed: driver: libcuda.so.1: ") && said.lines().count() == 1, "{said}");
    assert!(said.contains("; install the NVIDIA driver"), "{said}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(loaded.contains("libgstreamer"), "the loader tells nothing");
    assert!(!machine.path("registry.bin").exists(), "GStreamer came before the GPU");
    assert!(!loaded.contains("libonnxruntime"), "{loaded}");
    assert!(machine.camera.accept().is_err(), "a camera was opened");
    let report = machine.report();
    assert_eq!(outcomes(&report).next(), Some(("driver".to_owned(), "failed".to_owned())));
    assert!(outcomes(&report).skip(1).all(|(_, outcome)| outcome == "skipped"), "{report:#}");
    assert_eq!((&report["device"], &report["tensorrt"]), (&Value::Null, &Value::Null));
    // What would have been seen.
    machine.config("policy = \"any\"", "backend = \"onnxruntime\"");
    let (output, loaded) = machine.loads(machine.command("engine golden"));
    assert!(output.status.success() && loaded.contains("libonnxruntime"), "{loaded}");
}

#[test]
fn on_the_cpu_the_report_says_what_was_looked_at() {
    let machine = Machine::new();
    machine.config("policy = \"any\"", "backend = \"onnxruntime\"");
    let mut daemon = Daemon::start(&machine.path("config.toml"));
    assert!(daemon.says("ready", SOON), "{}", daemon.log());
    let report = machine.report();
    let expected = ALL.iter().filter(|name| **name != "tensorrt").map(|name| {
        let made = *name == "decoder" || name.starts_with("engine");
        ((*name).to_owned(), if made { "passed" } else { "skipped" }.to_owned())
    });
    assert_eq!(outcomes(&report).collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{report:#}");
    assert_eq!(report["checks"][0]["found"], "no model runs on a GPU");
    assert!(report["checks"][4]["found"].as_str().unwrap().contains("avdec_h264, in software, of libav"), "{report:#}");
    assert_eq!(daemon.metric("watchkeeper_gpu_contract{check=\"kernel\"}"), None);
    assert_eq!(daemon.metric("watchkeeper_gpu_contract{check=\"engine reid\"}"), Some(1.0));
    assert_eq!(daemon.stop().0, Some(0));
}
