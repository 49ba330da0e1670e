//! `watchkeeper doctor` through the binary: on a machine without a GPU, on a simulated one, and on the files of
//! machines that are not here.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A report and how the command ended.
struct Report {
    code: Option<i32>,
    json: Value,
}

impl Report {
    /// A line of the version picture or of the contract.
    fn line(&self, part: &str, name: &str) -> &Value {
        let lines = if part == "contract" { &self.json[part]["checks"] } else { &self.json[part] };
        let mut lines = lines.as_array().unwrap_or_else(|| panic!("no {part}: {}", self.json)).iter();
        lines.find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name} in {part}: {}", self.json))
    }

    /// Outcome, what was found, and what to do, of a line of the version picture.
    fn version(&self, name: &str) -> [&str; 3] {
        let line = self.line("versions", name);
        ["outcome", "found", "next"].map(|key| line[key].as_str().unwrap_or(""))
    }

    /// Ids of the known trouble that was met.
    fn known(&self) -> Vec<&str> {
        self.json["known"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
    }
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.arg("doctor").args(args).stdin(Stdio::null());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WATCHKEEPER_")) {
        command.env_remove(name);
    }
    command.env_remove("LD_LIBRARY_PATH").env_remove("ORT_DYLIB_PATH").env_remove("DISPLAY");
    command
}

fn report(mut command: Command) -> Report {
    let Output { status, stdout, stderr } = command.arg("--json").output().unwrap();
    let json = serde_json::from_slice(&stdout);
    let json = json.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&stderr)));
    Report { code: status.code(), json }
}

/// The simulator's libraries in a folder of their own.
fn simulator(folder: &TempDir) -> PathBuf {
    let gpu = folder.path().join("gpu");
    fs::create_dir(&gpu).unwrap();
    gpu_sim::stage::stage(&gpu).unwrap();
    gpu
}

/// A report from a machine with this simulated GPU.
fn simulated(gpu: &Path, faults: &str, args: &[&str]) -> Report {
    let mut command = command(args);
    command.env("LD_LIBRARY_PATH", gpu).env("WATCHKEEPER_SIM", faults);
    command.env("GST_PLUGIN_PATH", gpu.join("gstreamer")).env("GST_REGISTRY", gpu.join("registry.bin"));
    report(command)
}

/// A configuration without models or cameras, which nothing else can fail.
fn config(folder: &TempDir, policy: &str, more: &str) -> String {
    let path = folder.path().join(format!("{policy}.toml"));
    fs::write(&path, format!("[runtime]\npolicy = \"{policy}\"\nstate_dir = \"state\"\n{more}\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A library that does nothing but this.
fn compile(folder: &Path, name: &str, code: &str) {
    let source = folder.join(format!("{name}.c"));
    fs::write(&source, code).unwrap();
    let _ = fs::remove_file(folder.join(name));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(folder.join(name)).arg(&source);
    assert!(compiler.status().unwrap().success());
}

/// A library that crashes when it is loaded.
const CRASH: &str = "__attribute__((constructor)) static void start(void) { *(volatile int*)0 = 0; }";

/// The section of a model on TensorRT, with a plan that is none.
fn model(folder: &TempDir) -> String {
    let (onnx, plan) = (folder.path().join("m.onnx"), folder.path().join("m.plan"));
    fs::write(&onnx, test_models::blob_detector(320, 240, 16)).unwrap();
    fs::write(&plan, "no plan").unwrap();
    fs::write(folder.path().join("labels.txt"), "a\n").unwrap();
    format!(
        "[models.m]\nonnx = {onnx:?}\nplan = {plan:?}\nbackend = \"tensorrt\"\nhead = \"yolo\"\nlabels = \"labels.txt\"\n"
    )
}

// ------------------------------------------------------------------------------------------------ this machine

#[test]
fn a_machine_without_gpu_has_a_picture_too() {
    let report = report(command(&[]));
    assert_eq!(report.json["schema"], "doctor/1");
    assert!(report.json["policy"].is_null() && report.json["config"]["outcome"] == "skipped");
    let next = report.json["config"]["next"].as_str().unwrap();
    assert!(next.contains("--config"), "{next}");
    let [outcome, found, _] = report.version("watchkeeper");
    assert!(outcome == "passed" && found.starts_with(env!("CARGO_PKG_VERSION")), "{found}");
    let [outcome, found, _] = report.version("system");
    assert!(outcome == "passed" && found.contains("kernel ") && found.contains("glibc 2."), "{found}");
    let [outcome, found, _] = report.version("GStreamer");
    assert!(outcome == "passed" && found.starts_with("1."), "{found}");
    for codec in ["H.264", "H.265", "MJPEG"] {
        let [outcome, found, _] = report.version(&format!("decoder {codec}"));
        assert!(
            outcome == "passed" && (found.contains(", in software,") || found.ends_with(", hardware")),
            "{codec}: {found}"
        );
    }
    let [outcome, found, _] = report.version("user");
    assert!(outcome == "passed" && found.contains("uid "), "{found}");
    assert_eq!(report.code, Some(0));
}

#[test]
fn every_line_of_the_text_has_one_form() {
    let Output { status, stdout, .. } = command(&[]).output().unwrap();
    let text = String::from_utf8(stdout).unwrap();
    assert_eq!(status.code(), Some(0), "{text}");
    assert!(!text.contains('\x1b'), "colour is for terminals: {text}");
    let marks = ["ok    ", "warn  ", "FAIL  ", "-     "];
    let lines: Vec<&str> = text.lines().filter(|line| marks.iter().any(|mark| line.starts_with(mark))).collect();
    assert!(lines.len() > 12, "{text}");
    let column = lines.iter().find(|line| line.contains("  GStreamer  ")).unwrap();
    let column = column.find("GStreamer").unwrap() + column[column.find("GStreamer").unwrap()..].find("1.").unwrap();
    for line in &lines {
        assert_eq!(&line[column - 2..column], "  ", "{line:?} in {text}");
        assert_ne!(&line[column..column + 1], " ", "{line:?} in {text}");
    }
    let last = text.lines().last().unwrap();
    assert!(last.contains(" failed, ") && last.ends_with(" to look at"), "{last}");
}

#[test]
fn gpu_only_without_gpu_fails_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    // A libcuda that is none, so that a real one is not met.
    let gpu = folder.path().join("gpu");
    fs::create_dir(&gpu).unwrap();
    fs::write(gpu.join("libcuda.so.1"), "not a library").unwrap();
    let report = simulated(&gpu, "{}", &["--config", &config(&folder, "gpu-only", "")]);
    assert_eq!(
        (report.code, &report.json["ok"], &report.json["policy"]),
        (Some(69), &false.into(), &"gpu-only".into())
    );
    let line = report.line("contract", "driver");
    assert_eq!(line["outcome"], "failed");
    assert!(line["found"].as_str().unwrap().contains("libcuda.so.1") && line["next"].is_string(), "{line}");
    let [outcome, found, _] = report.version("CUDA driver");
    assert!(outcome == "failed" && found.contains("libcuda.so.1"), "it is there and does not load: {found}");

    let report = simulated(&gpu, "{}", &["--config", &config(&folder, "any", "")]);
    assert_eq!(report.code, Some(0), "the same machine under policy any: {}", report.json);
    assert_eq!(report.line("contract", "driver")["outcome"], "skipped", "no model runs on a GPU");
}

#[test]
fn a_configuration_that_is_wrong_is_said_and_the_picture_comes_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.toml");
    fs::write(&path, "[runtime]\npolcy = \"any\"\ndrain_s = \"soon\"\n").unwrap();
    let report = report(command(&["--config", path.to_str().unwrap()]));
    assert_eq!(report.code, Some(78));
    let line = &report.json["config"];
    assert_eq!(line["outcome"], "failed");
    let found = line["found"].as_str().unwrap();
    assert!(found.starts_with("2 problems") && found.contains("did you mean \"policy\"?"), "{found}");
    assert!(line["next"].as_str().unwrap().starts_with("watchkeeper check --config "), "{line}");
    assert_eq!(report.version("GStreamer")[0], "passed");
}

// ------------------------------------------------------------------------------------------------ a simulated GPU

#[test]
fn a_gpu_that_computes_is_described_and_both_tensorrts_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = simulator(&folder);
    let report = simulated(&gpu, "{}", &["--config", &config(&folder, "gpu-only", "")]);
    assert_eq!(report.code, Some(0), "{}", report.json);
    assert_eq!(report.json["contract"]["schema"], "contract/1");
    for check in ["driver", "device", "context", "kernel", "decoder"] {
        assert_eq!(report.line("contract", check)["outcome"], "passed");
    }
    let [outcome, found, _] = report.version("CUDA driver");
    assert!(outcome == "passed" && found.starts_with("CUDA 12.2"), "{found}");
    let [_, found, _] = report.version("GPU 0");
    assert_eq!(found, "Simulated GPU (CPU), compute capability 8.7, 8192 MB of memory");
    let tensorrts: Vec<&str> = report.json["versions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["name"] == "TensorRT")
        .map(|line| line["found"].as_str().unwrap())
        .collect();
    assert_eq!(tensorrts.len(), 2, "{tensorrts:?}");
    assert!(tensorrts[0].starts_with("10.16.1") && tensorrts[0].ends_with(", taken"), "{tensorrts:?}");
    assert!(tensorrts[1].starts_with("11.4.0") && tensorrts[1].ends_with(", not taken"), "{tensorrts:?}");
    let [outcome, found, _] = report.version("ONNX parser");
    assert!(outcome == "passed" && found.contains("libnvonnxparser.so.10"), "{found}");
    assert_eq!(report.known(), ["two-tensorrts"]);
    let facts = &report.json["facts"];
    assert_eq!(facts["cuda"]["devices"][0]["compute_capability"], serde_json::json!([8, 7]), "for programs");
    assert!(facts["onnxruntime"]["error"].is_string() || facts["onnxruntime"]["version"].is_string(), "{facts}");
    for (codec, element) in [("H.264", "nvh264dec"), ("H.265", "nvh265dec"), ("MJPEG", "nvjpegdec")] {
        let [outcome, found, _] = report.version(&format!("decoder {codec}"));
        assert!(outcome == "passed" && found.starts_with(element) && found.ends_with(", hardware"), "{codec}: {found}");
    }
}

#[test]
fn software_decoders_are_a_failure_under_gpu_only() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = simulator(&folder);
    fs::remove_dir_all(gpu.join("gstreamer")).unwrap();
    let report = simulated(&gpu, "{}", &["--config", &config(&folder, "gpu-only", "")]);
    let [outcome, found, next] = report.version("decoder H.264");
    if outcome == "passed" && found.ends_with(", hardware") {
        return; // This machine has one of its own.
    }
    assert!(outcome == "failed" && found.contains("gpu-only") && !next.is_empty(), "{outcome}: {found}");
    assert_eq!((report.code, &report.line("contract", "decoder")["outcome"]), (Some(69), &"failed".into()));
    let report = simulated(&gpu, "{}", &["--config", &config(&folder, "any", "")]);
    assert_eq!(report.version("decoder H.264")[0], "passed");
}

#[test]
fn the_tensorrt_that_is_called_taken_is_the_one_the_daemon_takes() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = simulator(&folder);
    let model = model(&folder);
    fs::write(folder.path().join("clip.mp4"), "never read").unwrap();
    let eleven = format!("tensorrt_library = {:?}\n", gpu.join("libnvinfer.so.11"));
    for (key, version) in [("", "10.16.1"), (eleven.as_str(), "11.4.0")] {
        let path = config(&folder, "any", &format!("{key}{model}"));
        let doctor = simulated(&gpu, "{}", &["--config", &path]);
        let [outcome, found, _] = doctor.version("TensorRT");
        assert!(outcome == "passed" && found.starts_with(version) && found.ends_with(", taken"), "{found}");
        let mut daemon = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        daemon.args(["analyze", "clip.mp4", "--out", "tracks.jsonl", "--config", &path]);
        daemon.current_dir(folder.path()).env("LD_LIBRARY_PATH", &gpu).stdin(Stdio::null());
        let said = String::from_utf8_lossy(&daemon.output().unwrap().stderr).into_owned();
        assert!(said.contains(&format!("version={version}")), "{said}");
    }
    assert!(!simulated(&gpu, "{}", &["--config", &config(&folder, "any", &eleven)]).known().contains(&"two-tensorrts"));
}

#[test]
fn what_is_wrong_with_the_gpu_fails_the_contract_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = simulator(&folder);
    let config = config(&folder, "gpu-only", "");
    for (faults, check, words, known) in [
        (r#"{"cuda":{"devices":0}}"#, "device", "no GPU", ""),
        (r#"{"cuda":{"init_error":500}}"#, "driver", "does not start", ""),
        (r#"{"cuda":{"driver_version":12000}}"#, "driver", "the kernels need 12.2", "driver-older-than-kernels"),
        (r#"{"cuda":{"compute_capability":"7.2"}}"#, "kernel", "does not take the kernels", "gpu-older-than-kernels"),
        (r#"{"cuda":{"wrong_proof":true}}"#, "kernel", "computes wrongly", ""),
        (r#"{"cuda":{"fail_allocation":1}}"#, "kernel", "GPU 0", ""),
    ] {
        let report = simulated(&gpu, faults, &["--config", &config]);
        assert_eq!(report.code, Some(69), "{faults}: {}", report.json);
        let line = report.line("contract", check);
        let found = line["found"].as_str().unwrap();
        assert!(line["outcome"] == "failed" && found.contains(words), "{faults}: {line}");
        assert!(known.is_empty() || report.known().contains(&known), "{faults}: {}", report.json["known"]);
    }
}

#[test]
fn a_tensorrt_that_does_not_load_is_a_failure_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = simulator(&folder);
    fs::remove_file(gpu.join("libnvinfer.so.10")).unwrap();
    fs::write(gpu.join("libnvinfer.so.10"), "cut off").unwrap();
    let report = simulated(&gpu, "{}", &[]);
    let lines = report.json["versions"].as_array().unwrap();
    let lines: Vec<&Value> = lines.iter().filter(|line| line["name"] == "TensorRT").collect();
    assert_eq!((&lines[0]["outcome"], &lines[1]["outcome"]), (&"failed".into(), &"passed".into()));
    assert!(lines[0]["next"].as_str().unwrap().contains("runtime.tensorrt_library"), "{}", lines[0]);
    assert!(lines[1]["found"].as_str().unwrap().ends_with(", taken"), "the next one is: {}", lines[1]);
    assert_eq!(report.code, Some(0), "without a configuration nothing asks for it");
}

#[test]
fn libraries_are_asked_for_the_version_their_names_do_not_tell() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = simulator(&folder);
    compile(&gpu, "libcudnn.so.9", "unsigned long cudnnGetVersion(void) { return 90300; }");
    compile(&gpu, "libcudart.so.12", "int cudaRuntimeGetVersion(int* version) { *version = 12060; return 0; }");
    let report = simulated(&gpu, "{}", &[]);
    let [_, found, _] = report.version("cuDNN");
    assert!(found.starts_with("9.3.0 at ") && found.ends_with("libcudnn.so.9"), "{found}");
    let [_, found, _] = report.version("CUDA runtime");
    assert!(found.starts_with("12.6 at "), "{found}");
    assert_eq!(report.version("GPU computes")[0], "passed", "asked where no contract says so");

    // As cuDNN 9 does where one of its parts is missing.
    let abort = "#include <stdlib.h>\nunsigned long cudnnGetVersion(void) { abort(); }";
    compile(&gpu, "libcudnn.so.9", abort);
    compile(&gpu, "libnvinfer.so.10", CRASH);
    let report = simulated(&gpu, "{}", &[]);
    let [outcome, found, next] = report.version("cuDNN");
    assert!(outcome == "failed" && found.contains("signal 6") && !next.is_empty(), "{found}");
    let [outcome, found, _] = report.version("TensorRT");
    assert!(outcome == "failed" && found.contains("signal 11 (segmentation fault)"), "{found}");
    assert_eq!(report.code, Some(0), "the report ends well whatever a library does");
}

#[test]
fn the_contract_tells_of_every_model_and_of_its_own_death() {
    let folder = tempfile::tempdir().unwrap();
    let gpu = simulator(&folder);
    let config = config(&folder, "gpu-only", &model(&folder));
    let report = simulated(&gpu, "{}", &["--config", &config]);
    assert_eq!((report.code, &report.line("contract", "tensorrt")["outcome"]), (Some(69), &"passed".into()));
    let line = report.line("contract", "engine m");
    assert!(line["outcome"] == "failed" && line["next"].as_str().unwrap().contains("plan"), "{line}");

    compile(&gpu, "libnvinfer.so.10", CRASH);
    let report = simulated(&gpu, "{}", &["--config", &config]);
    assert_eq!((report.code, &report.json["ok"]), (Some(69), &false.into()));
    let error = report.json["contract"]["error"].as_str().unwrap();
    assert!(error.contains("signal 11"), "{error}");
    assert_eq!(report.version("GStreamer")[0], "passed", "the picture comes all the same");
}

// ------------------------------------------------------------------------------------------------ other machines

/// The files of an Orin with JetPack 6.2, in a container that lacks what such containers often lack.
fn orin() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let lib = "usr/lib/aarch64-linux-gnu";
    let files = [
        (
            "etc/nv_tegra_release",
            "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 01:49:37 UTC \
             2025\n# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n",
        ),
        ("etc/os-release", "PRETTY_NAME=\"Ubuntu 22.04.5 LTS\"\n"),
        ("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n"),
        ("etc/ld.so.conf.d/nvidia-tegra.conf", "/usr/lib/aarch64-linux-gnu/nvidia\n"),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/bash\nwatchkeeper:x:998:997::/:/usr/sbin/nologin\n"),
        ("etc/group", "root:x:0:\nvideo:x:44:\nrender:x:109:\nwatchkeeper:x:997:\n"),
        (".dockerenv", ""),
        ("proc/sys/kernel/osrelease", "5.15.148-tegra\n"),
        (
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  \
             (buildbrain@mobile-u64-6336-d8000)  Tue Jan  7 17:35:12 PST 2025\nGCC version:  collect2: error: ld returned 1 \
             exit status\n",
        ),
        ("proc/device-tree/model", "NVIDIA Jetson AGX Orin Developer Kit\0"),
        ("proc/device-tree/compatible", "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0"),
        ("proc/self/status", "Uid:\t998\t998\t998\t998\nGid:\t997\t997\t997\t997\nGroups:\t44 \n"),
        (
            "var/lib/dpkg/status",
            "Package: libc6\nStatus: install ok installed\nVersion: 2.35-0ubuntu3.8\n\nPackage: nvidia-jetpack\nStatus: install \
             ok installed\nVersion: 6.2+b77\n",
        ),
        ("dev/nvmap", ""),
        ("dev/nvhost-ctrl", ""),
        ("dev/nvgpu/igpu0/ctrl", ""),
        ("usr/local/cuda-12.6/targets/aarch64-linux/lib/libcudart.so.12.6.68", ""),
        (&format!("{lib}/nvidia/libcuda.so.1.1"), ""),
        (&format!("{lib}/libcudnn.so.9.3.0"), ""),
        (&format!("{lib}/libnvinfer.so.10.3.0"), ""),
        (&format!("{lib}/libnvinfer_lean.so.10.3.0"), ""),
        (&format!("{lib}/libnvonnxparser.so.10.3.0"), ""),
    ];
    for (path, text) in files {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }
    for (target, link) in [
        ("libcuda.so.1.1", "nvidia/libcuda.so.1"),
        ("/etc/alternatives/libcudnn_so", "libcudnn.so.9"),
        ("libnvinfer.so.10.3.0", "libnvinfer.so.10"),
    ] {
        symlink(target, folder.path().join(lib).join(link)).unwrap();
    }
    fs::create_dir_all(folder.path().join("etc/alternatives")).unwrap();
    symlink(format!("/{lib}/libcudnn.so.9.3.0"), folder.path().join("etc/alternatives/libcudnn_so")).unwrap();
    folder
}

#[test]
fn the_files_of_a_jetson_are_read_without_loading_anything() {
    let orin = orin();
    let _socket = UnixListener::bind(orin.path().join("dev/nvhost-gpu")).unwrap();
    let report = report(command(&["--root", orin.path().to_str().unwrap()]));
    assert_eq!(report.code, Some(0));
    for (name, found) in [
        ("system", "Ubuntu 22.04.5 LTS, kernel 5.15.148-tegra, glibc 2.35, in a container"),
        ("Jetson", "NVIDIA Jetson AGX Orin Developer Kit, L4T 36.4.3, JetPack 6.2"),
        ("kernel module", "540.4.0 (open)"),
        ("CUDA driver", "libcuda 1.1 at /usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1"),
        ("TensorRT", "10.3.0 at /usr/lib/aarch64-linux-gnu/libnvinfer.so.10, taken"),
        ("TensorRT lean", "10.3.0 at /usr/lib/aarch64-linux-gnu/libnvinfer_lean.so.10.3.0"),
        ("ONNX parser", "10.3.0 at /usr/lib/aarch64-linux-gnu/libnvonnxparser.so.10.3.0"),
        ("cuDNN", "9.3.0 at /usr/lib/aarch64-linux-gnu/libcudnn.so.9"),
        ("user", "watchkeeper (uid 998), groups watchkeeper, video"),
    ] {
        assert_eq!(report.version(name)[..2], ["passed", found], "{name}");
    }
    let [outcome, found, next] = report.version("CUDA runtime");
    assert!(outcome == "warning" && found.contains("12.6.68") && next.contains("ldconfig"), "{found} {next}");
    let [outcome, found, _] = report.version("device nodes");
    assert!(outcome == "failed" && found.starts_with("1 of 4 do not open: /dev/nvhost-gpu ("), "{found}");
    for asked in ["GStreamer", "ONNX Runtime"] {
        assert_eq!(report.version(asked)[0], "skipped", "{asked} of this machine says nothing of that one");
    }
    assert_eq!(report.known(), ["tensorrt-10.3-on-jetpack-6", "jetson-without-lsmod"]);
    for row in report.json["known"].as_array().unwrap() {
        assert!(row["source"].is_string() && row["next"].is_string(), "{row}");
    }
    assert_eq!(report.json["facts"]["jetson"]["l4t"], "36.4.3", "for programs");
    assert!(report.json["facts"]["cuda"].is_null());
}

#[test]
fn a_root_that_is_empty_or_not_there_is_a_machine_with_nothing() {
    let empty = tempfile::tempdir().unwrap();
    for root in [empty.path().to_path_buf(), empty.path().join("nowhere")] {
        let report = report(command(&["--root", root.to_str().unwrap()]));
        assert_eq!((report.code, &report.json["ok"], report.known().len()), (Some(0), &true.into(), 0));
    }
}
