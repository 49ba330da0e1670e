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
const TRY_AGAIN: i32 = 75;

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
        (
            &["analyze", "x.mp4", "--out", "-", "--format", "xml"],
            "[possible values: jsonl, mot, coco, summary, detections]",
        ),
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
    assert_eq!(lines[1], format!("{bad}:3:1: runtime.drain_s: must be a number, not a string"));
    assert_eq!(lines[2], "2 problems");

    let Ended { code, out, err } = run(watchkeeper(["check", "--json", "--config", &bad]));
    assert_eq!((code, err.as_str()), (CONFIG, ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["ok"], false);
    assert_eq!(
        report["problems"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect::<Vec<_>>(),
        lines[..2]
    );
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
    fs::create_dir(folder.path("folder.onnx")).unwrap();
    let clip = folder.write("clip.mp4", "never read");
    let camera = |url: &str| format!("[[cameras]]\nid = \"gate\"\nurl = \"{url}\"\n");
    let password = "cameras[0].url: holds a user name, password or token, and URLs are logged; take it out and use \
                    username with one of password_file, password_env, password_credential";
    let rows = [
        (
            "polic = \"any\"",
            String::new(),
            "watchkeeper.toml:4:1: runtime.polic: unknown key; did you mean \"policy\"?",
        ),
        ("", camera(&format!("rtsp://viewer:{CANARY}@192.0.2.1/stream")), password),
        ("", camera(&format!("viewer:{CANARY}@192.0.2.1/stream")), password),
        ("", camera(&format!("rtsp://192.0.2.1/stream?token={CANARY}")), password),
        ("", model("m").replace("model.onnx", "none.onnx"), "/none.onnx: no such file; create it or correct the path"),
        ("", model("m").replace("model.onnx", "folder.onnx"), "/folder.onnx: a folder, not a file; name a file in it"),
        (
            "onnxruntime_library = \"/nowhere/libonnxruntime.so\"",
            model("m"),
            "runtime.onnxruntime_library: /nowhere/libonnxruntime.so: no such file; create it or correct the path",
        ),
        (
            "",
            model("m").replace("\"onnxruntime\"", "\"tensorrt\""),
            "/model.plan is not there; build it, on the device it is for: watchkeeper engine build m --config ",
        ),
        ("", "[[cameras]]\nid = \"Gate 1\"\nurl = \"test://ball\"\n".to_owned(), "cameras[0].id: "),
    ];
    let refused = |config: &str, message: &str| {
        for command in ["check", "run", "analyze", "probe"] {
            let mut asked = watchkeeper([command, "--config", config]);
            match command {
                "analyze" => asked.args([&clip, "--out", "-"]),
                "probe" => asked.arg("gate"),
                _ => &mut asked,
            };
            let Ended { code, out, err } = run(asked);
            assert_eq!((code, out.as_str()), (CONFIG, ""), "{command}: {err}");
            assert!(err.contains(message) && err.ends_with("\n1 problem\n"), "{command}, wanted {message}:\n{err}");
            assert!(!err.contains(CANARY), "{command}: {err}");
        }
    };
    for (runtime, rest, message) in rows {
        refused(&folder.config(runtime, &rest), message);
    }
    refused(&folder.text_path("none.toml"), "none.toml: no such file; create it or correct the path");
}

#[test]
fn a_model_that_cannot_be_used_is_bad_data_and_the_reason_is_named() {
    let not_onnx = "/model.onnx is not a usable ONNX model: ";
    let blob_with_two_labels = "output \"output0\" is f32[1,5,300]: 1 classes for head \"yolo\", labels in the config: 2; \
                                `labels` must name all classes in the model's order, `classes` chooses among them";
    let rows: [(&str, Vec<u8>, usize, &str); 13] = [
        ("text", b"this is no model\n".to_vec(), 1, not_onnx),
        ("empty", vec![], 1, not_onnx),
        ("random", (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect(), 1, not_onnx),
        ("truncated", wrong::truncated(), 1, not_onnx),
        ("unknown operator", wrong::unknown_operator(), 1, "NoSuchOperator"),
        ("two labels for one class", blob(), 2, blob_with_two_labels),
        (
            "a picture as output",
            wrong::output_fits_no_head(),
            1,
            "output \"output0\" is f32[1,3,64,64]; head \"yolo\" expects f32[1,5,n]",
        ),
        (
            "four dimensions",
            wrong::output_has_four_dimensions(),
            1,
            "output \"output0\" is f32[1,1,5,84]; head \"yolo\" expects f32[1,5,n]",
        ),
        ("64-bit input", wrong::input_is_f64(), 1, "export the model with 32-bit float inputs and outputs"),
        ("grey input", wrong::input_is_grey(), 1, "this is no picture in three channels"),
        ("channels last", wrong::channels_are_last(), 1, "export the model with channels first"),
        ("open size", wrong::size_is_dynamic(), 1, "export the model with a fixed height and width"),
        ("two inputs", wrong::two_inputs(), 1, "head \"yolo\" expects one input, the picture f32[1,3,height,width]"),
    ];
    for (name, onnx, labels, message) in rows {
        let folder = Folder::new();
        let config = folder.config_with_model("", &onnx, labels);
        // The file is there, so the configuration as such is right.
        assert_eq!(run(watchkeeper(["check", "--config", &config])).code, DONE, "{name}");
        let clip = folder.write("clip.mp4", "never read");
        for asked in [
            watchkeeper(["run", "--config", &config]),
            watchkeeper(["analyze", "--config", &config, &clip, "--out", "-"]),
        ] {
            let Ended { code, out, err } = run(asked);
            assert_eq!((code, out.as_str()), (DATA, ""), "{name}: {err}");
            assert!(err.starts_with("model \"m\": ") && err.contains(message), "{name}, wanted {message}:\n{err}");
            assert!(!err.contains("panicked"), "{name}: {err}");
        }
    }
}

#[test]
fn the_wrong_onnx_runtime_is_one_error_with_path_and_fix() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.lines().find_map(|line| line.split_whitespace().last().filter(|p| p.contains("/libc.so"))).unwrap();
    let folder = Folder::new();
    let text = folder.write("text.so", "this is no library\n".repeat(100));
    let empty = folder.write("empty.so", "");
    let fix = "run scripts/setup.sh, or name the file with runtime.onnxruntime_library\n";
    for (library, reason) in [
        (text.as_str(), "invalid ELF header"),
        (&empty, "file too short"),
        (libc, "exports no OrtGetApiBase: not ONNX Runtime"),
    ] {
        let config = folder.config_with_model(&format!("onnxruntime_library = \"{library}\""), &blob(), 1);
        let Ended { code, err, .. } = run(watchkeeper(["run", "--config", &config]));
        assert_eq!(code, CONFIG, "{err}");
        let [first, second, third] = err.split_inclusive('\n').collect::<Vec<_>>()[..] else { panic!("{err}") };
        assert_eq!((first, third), ("ONNX Runtime cannot be loaded:\n", fix));
        assert!(second.starts_with(&format!("  {library}: ")) && second.contains(reason), "{err}");
    }
    // The usual place is empty too.
    let config = folder.config_with_model("", &blob(), 1);
    let mut asked = watchkeeper(["run", "--config", &config]);
    asked.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so");
    let Ended { code, err, .. } = run(asked);
    let wanted = format!("ONNX Runtime cannot be loaded:\n  /nowhere/libonnxruntime.so: no such file\n{fix}");
    assert_eq!((code, err), (CONFIG, wanted));
}

// ------------------------------------------------------------------------------------------------ the surroundings

#[test]
fn a_state_folder_that_cannot_be_used_is_refused_by_name() {
    let folder = Folder::new();
    let file = folder.write("file", "");
    let below = format!("{file}/state");
    fs::create_dir(folder.path("damaged")).unwrap();
    folder.write("damaged/seq", "12x4");
    let damaged = folder.text_path("damaged");
    fs::create_dir(folder.path("closed")).unwrap();
    let closed = folder.text_path("closed");
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o555)).unwrap();
    let mut rows = vec![
        (below.as_str(), "create it, or name another folder with runtime.state_dir"),
        (&file, "create it, or name another folder with runtime.state_dir"),
        (&damaged, "seq holds \"12x4\", not a number; write the last seq into it"),
    ];
    // Nothing is closed to root.
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        rows.push((&closed, "Permission denied"));
    }
    for (state, reason) in rows {
        let config = folder.config(&format!("state_dir = \"{state}\""), "");
        let Ended { code, err, .. } = run(watchkeeper(["run", "--config", &config]));
        // Where a disk is still to be mounted, nobody may write either.
        assert_eq!(code, if reason == "Permission denied" { TRY_AGAIN } else { CONFIG }, "{err}");
        assert!(err.starts_with(&format!("runtime.state_dir {state}: ")) && err.contains(reason), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
}

#[test]
fn a_second_daemon_on_the_same_state_folder_is_refused_and_the_first_lives_on() {
    let folder = Folder::new();
    let config = folder.config("", "");
    let mut first = Daemon::start(&folder, &config);
    let Ended { code, err, .. } = run(watchkeeper(["run", "--config", &config]));
    let state = folder.text_path("state");
    let wanted =
        format!("runtime.state_dir {state}: in use by another watchkeeper; give each its own runtime.state_dir\n");
    assert_eq!((code, err), (TRY_AGAIN, wanted));
    assert!(first.is_running(), "{}", first.log());
}

#[test]
fn a_port_in_use_is_refused_by_name_and_is_not_our_own_fault() {
    let folder = Folder::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let config = folder.config("", &format!("[http]\nlisten = \"{address}\"\n"));
    let Ended { code, err, .. } = run(watchkeeper(["run", "--config", &config]));
    assert!(err.starts_with(&format!("http.listen {address} cannot be used")), "{err}");
    assert!(err.contains("Address already in use") && err.contains("choose another port"), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
    // As with a state folder in use: what the configuration names cannot be had.
    assert_eq!(code, CONFIG, "{err}");
}

#[test]
fn a_sink_that_cannot_begin_is_refused_by_name() {
    let folder = Folder::new();
    let path = folder.text_path("none/events.jsonl");
    let config = folder.config("", &format!("[[sinks]]\ntype = \"jsonl\"\npath = \"{path}\"\n"));
    let Ended { code, err, .. } = run(watchkeeper(["run", "--config", &config]));
    // It may be mounted later.
    assert_eq!(code, TRY_AGAIN, "{err}");
    assert!(err.starts_with(&format!("sink jsonl {path}: ")), "{err}");
    assert!(err.ends_with("; check that the folder exists and can be written\n"), "{err}");
}

// ------------------------------------------------------------------------------------------------ bad recordings

#[test]
fn a_recording_that_is_none_is_bad_data_and_the_reason_is_named() {
    let folder = Folder::new();
    let config = folder.config_with_model("", &blob(), 1);
    folder.write("empty.mp4", "");
    folder.write("short-text.mp4", "a line of text\n");
    folder.write("text.mp4", "The quick brown fox jumps over the lazy dog.\n".repeat(100));
    folder.write("zeros.mp4", vec![0; 100_000]);
    fs::create_dir(folder.path("folder.mp4")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.path("fifo.mp4")).status().unwrap().success());
    let whole = folder.path("whole.mp4");
    record(&whole, 30, &format!("{} ! mp4mux", h264()));
    let bytes = fs::read(&whole).unwrap();
    let moov = bytes.windows(4).position(|word| word == b"moov").unwrap();
    folder.write("without-moov.mp4", &bytes[..moov - 4]);
    folder.write("half-a-moov.mp4", &bytes[..moov + (bytes.len() - moov) / 2]);
    folder.write("half.mp4", &bytes[..bytes.len() / 2]);
    record(&folder.path("sound.wav"), 1, "fakesink audiotestsrc num-buffers=20 ! wavenc");
    let rows = [
        ("none.mp4", "no such recording"),
        ("folder.mp4", "not a regular file"),
        ("fifo.mp4", "not a regular file"),
        ("empty.mp4", "is empty"),
        ("short-text.mp4", "unsupported_codec: "),
        ("text.mp4", "unsupported_codec: "),
        ("zeros.mp4", "unsupported_codec: "),
        ("without-moov.mp4", "decode: "),
        ("half-a-moov.mp4", "decode: "),
        ("half.mp4", "decode: "),
        ("sound.wav", "the recording has no video"),
    ];
    let mut wrong = String::new();
    for (file, reason) in rows {
        let path = folder.text_path(file);
        let Ended { code, out, err } =
            run(watchkeeper(["analyze", "--config", &config, &path, "--out", &folder.text_path("tracks.jsonl")]));
        let good = (code, out.as_str()) == (DATA, "")
            && err.starts_with(&format!("{path}: "))
            && err.contains(reason)
            && err.lines().count() == 1;
        if !good {
            wrong += &format!("{file}: code {code}, wanted {reason:?}: {err}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn analyze_sends_who_names_a_live_camera_to_run_and_probe() {
    let folder = Folder::new();
    let config = folder.config_with_model("", &blob(), 1);
    for url in ["rtsp://192.0.2.1/stream", "http://192.0.2.1/stream", "test://ball", "v4l2:///dev/video0"] {
        let Ended { code, err, .. } = run(watchkeeper(["analyze", "--config", &config, url, "--out", "-"]));
        let wanted = format!("{url}: not a recording; for a live camera use run or probe\n");
        assert_eq!((code, err), (DATA, wanted));
    }
}

#[test]
fn a_recording_cut_in_half_gives_the_frames_it_has_and_then_ends() {
    let folder = Folder::new();
    let config = folder.config_with_model("", &blob(), 1);
    for (file, elements) in [
        ("mjpeg.avi", format!("{MJPEG} ! avimux")),
        ("mjpeg.mkv", format!("{MJPEG} ! matroskamux")),
        ("h264.mkv", format!("{} ! matroskamux", h264())),
    ] {
        let path = folder.path(file);
        record(&path, 60, &elements);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let tracks = folder.text_path("tracks.jsonl");
        let path = path.to_str().unwrap();
        let Ended { code, err, .. } = run(watchkeeper(["analyze", "--config", &config, path, "--out", &tracks]));
        let frames = fs::read_to_string(&tracks).unwrap().lines().count();
        assert!((10..60).contains(&frames), "{file}: {frames} frames: {err}");
        // A warning that the last picture is damaged may stand before it.
        let (first, rest) = err.lines().last().unwrap().split_once(' ').unwrap();
        assert_eq!((code, first), (DONE, frames.to_string().as_str()), "{file}: {err}");
        assert!(rest.starts_with("frames, 1 tracks, "), "{file}: {err}");
    }
}

#[test]
fn an_output_that_cannot_be_written_is_refused_by_name_and_is_not_our_own_fault() {
    let folder = Folder::new();
    let config = folder.config_with_model("", &blob(), 1);
    let clip = folder.path("clip.avi");
    record(&clip, 2, &format!("{MJPEG} ! avimux"));
    let out = folder.text_path("none/tracks.jsonl");
    let Ended { code, err, .. } =
        run(watchkeeper(["analyze", "--config", &config, clip.to_str().unwrap(), "--out", &out]));
    assert!(err.starts_with(&format!("{out}: cannot be written: ")), "{err}");
    assert!(matches!(code, USAGE | DATA | CONFIG), "{code}: {err}");
}

// ------------------------------------------------------------------------------------------------ readers that leave

/// Runs it with a standard output that nobody reads.
fn run_unread(mut command: Command) -> Ended {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let err = tempfile::tempfile().unwrap();
    command.stdout(writer).stderr(err.try_clone().unwrap());
    let code = wait(command.spawn().unwrap());
    Ended { code, out: String::new(), err: text(err) }
}

#[test]
fn a_reader_that_has_left_is_no_error() {
    let folder = Folder::new();
    let config = folder.config("", "");
    let rows: [&[&str]; 8] = [
        &["--help"],
        &["version"],
        &["version", "--json"],
        &["schema"],
        &["check", "--config", &config],
        &["check", "--json", "--config", &config],
        &["probe", "test://ball", "--watch", "0.1"],
        &["probe", "test://ball", "--watch", "0.1", "--json"],
    ];
    let mut wrong = String::new();
    for args in rows {
        let mut command = watchkeeper([]);
        command.args(args);
        let Ended { code, err, .. } = run_unread(command);
        if (code, err.as_str()) != (DONE, "") {
            wrong += &format!("{args:?}: code {code}: {err}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn analyze_ends_quietly_when_its_reader_leaves_in_the_middle() {
    let folder = Folder::new();
    // Long lines, so that more is written than a pipe holds.
    let objects: Vec<Object> = (0..100_u8)
        .map(|n| {
            let (x, y) = (f32::from(n % 10) * 30.0 + 16.0, f32::from(n / 10) * 20.0 + 20.0);
            Object { centre_and_size: [x, y, 20.0, 12.0], class: 0, score: 0.9 }
        })
        .collect();
    let config = folder.config_with_model("", &lookup_detector(Layout::Yolo, 320, 224, 1, &objects), 1);
    let clip = folder.path("clip.avi");
    record(&clip, 200, &format!("{MJPEG} ! avimux"));
    let clip = clip.to_str().unwrap();
    // The threads of the pipeline are at work when it leaves: that must not end in a crash.
    for _ in 0..3 {
        let line = format!(
            "{} analyze --config {config} {clip} --out - | head -1; echo \"${{PIPESTATUS[0]}}\"",
            env!("CARGO_BIN_EXE_watchkeeper")
        );
        let mut shell = Command::new("bash");
        shell.args(["-c", &line]).env_remove("JOURNAL_STREAM").stdin(Stdio::null());
        let Ended { code, out, err } = run(shell);
        let (first, status) = out.split_once('\n').unwrap();
        assert_eq!((code, status.trim(), err.as_str()), (DONE, "0", ""));
        assert_eq!(serde_json::from_str::<Value>(first).unwrap()["frame"], 1);
    }
}
