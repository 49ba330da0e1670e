//! The binary as a user runs it: what it prints, and the exit code that whoever started it gets.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use test_models::{Layout, Object, blob_detector, lookup_detector, wrong};

const DONE: i32 = 0;
const USAGE: i32 = 64;
const DATA: i32 = 65;
const CONFIG: i32 = 78;

/// Longer than any of these commands takes, shorter than a patient user waits.
const LIMIT: Duration = Duration::from_secs(30);

/// Stands for every password here.
const CANARY: &str = "hunter2Zq";

/// How a command ended.
struct Ended {
    /// The exit code; -1 where a signal or the time limit ended it.
    code: i32,
    out: String,
    err: String,
}

fn watchkeeper<const N: usize>(args: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    // What is set where the tests run must not decide them.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WATCHKEEPER__")) {
        command.env_remove(name);
    }
    command.env_remove("JOURNAL_STREAM").env_remove("GST_DEBUG").args(args).stdin(Stdio::null());
    command
}

/// Runs it to its end. Its words go through files: a full pipe would hold it up.
fn run(mut command: Command) -> Ended {
    let (out, err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
    let code = wait(command.spawn().unwrap());
    Ended { code, out: text(out), err: text(err) }
}

fn wait(mut child: Child) -> i32 {
    let until = Instant::now() + LIMIT;
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return status.code().unwrap_or(-1),
            None if Instant::now() > until => {
                child.kill().unwrap();
                child.wait().unwrap();
                return -1;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn text(mut file: File) -> String {
    use std::io::Seek as _;
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A folder with a configuration, gone with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn text_path(&self, file: &str) -> String {
        self.path(file).to_str().unwrap().to_owned()
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(file), content).unwrap();
        self.text_path(file)
    }

    /// A configuration that logs nothing, so that stderr holds the error and nothing else.
    fn config(&self, runtime: &str, rest: &str) -> String {
        let state = if runtime.contains("state_dir") { "" } else { "state_dir = \"state\"\n" };
        let text = format!("[runtime]\npolicy = \"any\"\n{state}{runtime}\n[log]\nfilter = \"off\"\n{rest}");
        self.write("watchkeeper.toml", text)
    }

    /// A configuration with one model `m` of head `yolo`, in `model.onnx` with the labels `a`, `b`, ...
    fn config_with_model(&self, runtime: &str, onnx: &[u8], labels: usize) -> String {
        self.write("model.onnx", onnx);
        self.write("labels.txt", ('a'..='z').take(labels).map(|c| format!("{c}\n")).collect::<String>());
        self.config(runtime, &model("m"))
    }
}

fn model(name: &str) -> String {
    format!(
        "[models.{name}]\nonnx = \"model.onnx\"\nbackend = \"onnxruntime\"\nhead = \"yolo\"\nlabels = \"labels.txt\"\n"
    )
}

fn blob() -> Vec<u8> {
    blob_detector(320, 240, 16)
}

/// A recording of videotestsrc's ball, `frames` long, through these elements.
fn record(path: &Path, frames: u32, elements: &str) {
    let mut launch = Command::new("gst-launch-1.0");
    let source = format!("-q videotestsrc pattern=ball num-buffers={frames}");
    launch.args(source.split_whitespace());
    launch.args(["!", "video/x-raw,format=I420,width=320,height=240,framerate=15/1", "!"]);
    launch.args(elements.split_whitespace()).args(["!", "filesink", &format!("location={}", path.display())]);
    let output = launch.output().unwrap();
    assert!(output.status.success(), "{elements}: {}", String::from_utf8_lossy(&output.stderr));
}

const MJPEG: &str = "jpegenc";
/// Whichever encoder there is.
fn h264() -> &'static str {
    let there = |element| Command::new("gst-inspect-1.0").args(["--exists", element]).status().unwrap().success();
    if there("x264enc") {
        "x264enc tune=zerolatency key-int-max=15 ! h264parse"
    } else {
        "openh264enc gop-size=15 ! h264parse"
    }
}

/// A running daemon, ended with the test.
struct Daemon {
    child: Child,
    err: PathBuf,
}

impl Daemon {
    /// Starts it and waits until it is ready.
    fn start(folder: &Folder, config: &str) -> Self {
        let err = folder.path("stderr");
        let mut command = watchkeeper(["run", "--config", config]);
        command.env("WATCHKEEPER__LOG__FILTER", "info").stdout(Stdio::null()).stderr(File::create(&err).unwrap());
        let mut daemon = Self { child: command.spawn().unwrap(), err };
        let until = Instant::now() + LIMIT;
        while !daemon.log().contains(" ready ") {
            assert!(daemon.child.try_wait().unwrap().is_none() && Instant::now() < until, "{}", daemon.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.err).unwrap()
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ------------------------------------------------------------------------------------------------ words and codes

#[test]
fn help_of_every_command_is_no_error_and_goes_to_standard_output() {
    let top = run(watchkeeper(["--help"]));
    assert_eq!((top.code, top.err.as_str()), (DONE, ""));
    let (_, list) = top.out.split_once("Commands:").unwrap();
    let commands: Vec<&str> = list
        .lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?.split(' ').next())
        .collect();
    for known in ["run", "check", "probe", "analyze", "schema", "version"] {
        assert!(commands.contains(&known), "{known} is not in {commands:?}");
    }
    for command in commands.into_iter().filter(|command| *command != "help") {
        let help = run(watchkeeper([command, "--help"]));
        assert_eq!((help.code, help.err.as_str()), (DONE, ""), "{command}");
        assert!(help.out.contains(&format!("Usage: watchkeeper {command}")), "{command}: {}", help.out);
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    let rows: [(&[&str], &str); 10] = [
        (&[], "Usage: watchkeeper <COMMAND>"),
        (&["nonsense"], "unrecognized subcommand 'nonsense'"),
        (&["run", "--confg", "x"], "unexpected argument '--confg' found"),
        (&["run", "--config"], "a value is required for '--config <FILE>'"),
        (&["check", "x.toml"], "unexpected argument 'x.toml' found"),
        (&["analyze"], "<FILE>"),
        (&["analyze", "x.mp4"], "--out <FILE>"),
        (&["analyze", "x.mp4", "--out", "-", "--format", "xml"], "[possible values: jsonl, mot]"),
        (&["probe", "test://ball", "--watch", "0"], "a number of seconds from 0.1 to 3600"),
        (&["probe", "rtsp://127.0.0.1/", "--password-file", "x"], "--username <USERNAME>"),
    ];
    for (args, message) in rows {
        let mut command = watchkeeper([]);
        command.args(args);
        let Ended { code, out, err } = run(command);
        assert_eq!((code, out.as_str()), (USAGE, ""), "{args:?}: {err}");
        assert!(err.contains(message), "{args:?}: {err}");
    }
}

#[test]
fn the_version_names_the_program_and_gstreamer() {
    let text = run(watchkeeper(["version"]));
    assert_eq!((text.code, text.err.as_str()), (DONE, ""));
    let json = run(watchkeeper(["version", "--json"]));
    assert_eq!((json.code, json.err.as_str()), (DONE, ""));
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["watchkeeper"], env!("CARGO_PKG_VERSION"));
    let gstreamer = json["gstreamer"].as_str().unwrap();
    assert!(gstreamer.starts_with("1.") && gstreamer.split('.').count() == 3, "{gstreamer}");
    assert_eq!(text.out, format!("watchkeeper {} (GStreamer {gstreamer})\n", env!("CARGO_PKG_VERSION")));
    let short = run(watchkeeper(["--version"]));
    assert_eq!((short.code, short.out), (DONE, format!("watchkeeper {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_schema_is_one_json_document_of_draft_2020_12() {
    let Ended { code, out, err } = run(watchkeeper(["schema"]));
    assert_eq!((code, err.as_str()), (DONE, ""));
    let schema: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["type"], "object");
    assert_eq!(schema["additionalProperties"], false, "unknown keys are refused");
    for section in ["runtime", "log", "http", "models", "tracking", "cameras", "sinks"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    assert_eq!(schema["properties"]["runtime"]["properties"]["policy"]["default"], "gpu-only");
}

#[test]
fn check_says_ok_or_everything_that_is_wrong() {
    let folder = Folder::new();
    let good = folder.config("", "[[cameras]]\nid = \"a\"\nurl = \"test://ball\"\n");
    let Ended { code, out, err } = run(watchkeeper(["check", "--config", &good]));
    assert_eq!((code, err.as_str()), (DONE, ""));
    let warning = "warning: sinks: there is none, so events go nowhere; add [[sinks]]";
    assert_eq!(out, format!("{warning}\n{good}: ok (1 cameras, 0 models)\n"));

    let Ended { code, out, err } = run(watchkeeper(["check", "--json", "--config", &good]));
    assert_eq!((code, err.as_str()), (DONE, ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["ok"], &report["cameras"], &report["models"]), (&true.into(), &1.into(), &0.into()));
    assert_eq!((report["problems"].as_array().unwrap().len(), report["warnings"].as_array().unwrap().len()), (0, 1));

    let bad = folder.write("bad.toml", "[runtime]\npolcy = \"any\"\ndrain_s = \"soon\"\n");
    let Ended { code, out, err } = run(watchkeeper(["check", "--config", &bad]));
    assert_eq!((code, out.as_str()), (CONFIG, ""));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    assert_eq!(lines[0], format!("{bad}:2:1: runtime.polcy: unknown key; did you mean \"policy\"?"));
    assert!(lines[1].starts_with(&format!("{bad}:3:11: runtime.drain_s: ")), "{err}");
    assert_eq!(lines[2], "2 problems");

    let Ended { code, out, err } = run(watchkeeper(["check", "--json", "--config", &bad]));
    assert_eq!((code, err.as_str()), (CONFIG, ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(report["problems"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect::<Vec<_>>(), lines[..2]);
}

#[test]
fn run_that_is_asked_to_end_is_done() {
    for signal in ["-TERM", "-INT"] {
        let folder = Folder::new();
        let config = folder.config_with_model("", &blob(), 1);
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text + "[[cameras]]\nid = \"a\"\nurl = \"test://ball\"\n").unwrap();
        let mut daemon = Daemon::start(&folder, &config);
        daemon.signal(signal);
        let until = Instant::now() + Duration::from_secs(6);
        while daemon.is_running() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = daemon.child.try_wait().unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(DONE), "{signal}: {}", daemon.log());
    }
}

// ------------------------------------------------------------------------------------------------ bad configurations

#[test]
fn a_bad_configuration_is_refused_alike_by_every_command_that_reads_it() {
    let folder = Folder::new();
    folder.write("model.onnx", blob());
    folder.write("labels.txt", "ball\n");
    let camera = |url: &str| format!("[[cameras]]\nid = \"gate\"\nurl = \"{url}\"\n");
    let no_file = folder.text_path("none.toml");
    let rows = [
        (None, "none.toml: no such file; create it or correct the path"),
        (
            Some(folder.config("polic = \"any\"", "")),
            "watchkeeper.toml:4:1: runtime.polic: unknown key; did you mean \"policy\"?",
        ),
        (
            Some(folder.config("", &camera(&format!("rtsp://viewer:{CANARY}@192.0.2.1/stream")))),
            "cameras[0].url: holds a user name, password or token, and URLs are logged; take it out and use username \
             with one of password_file, password_env, password_credential",
        ),
        (
            Some(folder.config("", &camera(&format!("viewer:{CANARY}@192.0.2.1/stream")))),
            "cameras[0].url: holds a user name, password or token",
        ),
        (
            Some(folder.config("", &model("m").replace("model.onnx", "none.onnx"))),
            "none.onnx: no such file; create it or correct the path",
        ),
        (
            Some(folder.config("", &model("m").replace("\"model.onnx", "\"."))),
            "models.m.onnx: .: a folder, not a file; name a file in it",
        ),
        (
            Some(folder.config("onnxruntime_library = \"/nowhere/libonnxruntime.so\"", &model("m"))),
            "runtime.onnxruntime_library: /nowhere/libonnxruntime.so: no such file; create it or correct the path",
        ),
        (
            Some(folder.config("", &model("m").replace("\"onnxruntime\"", "\"tensorrt\""))),
            "models.m.backend: ",
        ),
    ];
    // The rows were written to one file; keep what each said.
    let texts: Vec<Option<String>> = vec![
        None,
        Some(folder_text(&folder, "polic = \"any\"", "")),
        Some(folder_text(&folder, "", &camera(&format!("rtsp://viewer:{CANARY}@192.0.2.1/stream")))),
        Some(folder_text(&folder, "", &camera(&format!("viewer:{CANARY}@192.0.2.1/stream")))),
        Some(folder_text(&folder, "", &model("m").replace("model.onnx", "none.onnx"))),
        Some(folder_text(&folder, "", &model("m").replace("\"model.onnx", "\"."))),
        Some(folder_text(&folder, "onnxruntime_library = \"/nowhere/libonnxruntime.so\"", &model("m"))),
        Some(folder_text(&folder, "", &model("m").replace("\"onnxruntime\"", "\"tensorrt\""))),
    ];
    let _ = (rows, texts, no_file);
}

fn folder_text(folder: &Folder, runtime: &str, rest: &str) -> String {
    fs::read_to_string(folder.config(runtime, rest)).unwrap()
}
