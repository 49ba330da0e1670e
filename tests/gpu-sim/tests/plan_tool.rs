//! The tool that prepares a folder for the daemon.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use gpu_sim::plan::Plan;

const ENGINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../engines");

fn tool(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gpu-sim-plan")).args(words).output().expect("the tool runs")
}

#[test]
fn all_shipped_models_become_plans_with_their_profiles_and_an_environment() {
    let folder = tempfile::Builder::new().prefix("it's here ").tempdir().expect("a temporary folder");
    let to = folder.path().to_str().expect("UTF-8");
    let output = tool(&["--all", ENGINES, to, "--tensorrt", "11.4.0"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan = |name: &str| {
        let bytes = std::fs::read(folder.path().join(format!("{name}.plan"))).expect(name);
        Plan::from_bytes(&bytes).expect("whole").header
    };
    let shape = |name: &str| {
        let header = plan(name);
        assert_eq!((header.name.as_str(), header.tensorrt.as_str(), header.profiles.len()), (name, "11.4.0", 1));
        let range = header.profiles[0]["images"].clone();
        [range.min, range.opt, range.max]
    };
    assert_eq!(shape("reid"), [[1, 3, 128, 64], [8, 3, 128, 64], [8, 3, 128, 64]]);
    for name in ["detection", "pose", "segmentation"] {
        assert_eq!(shape(name), [[1, 3, 288, 512]; 3], "{name}");
    }
    assert!(folder.path().join("libcuda.so.1").exists() && folder.path().join("libnvinfer.so.11").exists());

    // As a shell reads it, in a folder whose name needs care.
    let shell = Command::new("sh")
        .args(["-c", ". \"$1/environment\" && env", "sh", to])
        .env("LD_LIBRARY_PATH", "/before")
        .env_remove("GST_PLUGIN_PATH")
        .output()
        .expect("a shell");
    let text = String::from_utf8(shell.stdout).expect("UTF-8");
    let set: BTreeMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(set["LD_LIBRARY_PATH"], format!("{to}:/before"));
    assert_eq!(set["GST_PLUGIN_PATH"], format!("{to}/gstreamer"));
    assert_eq!(set["WATCHKEEPER_SIM_TENSORRT"], "11.4.0");
    assert_eq!(set["WATCHKEEPER__RUNTIME__TENSORRT_LIBRARY"], format!("{to}/libnvinfer.so.11"));
    for name in ["DETECTION", "POSE", "SEGMENTATION", "REID"] {
        for file in ["ONNX", "PLAN"] {
            let key = format!("WATCHKEEPER__MODELS__{name}__{file}");
            assert!(Path::new(set[key.as_str()]).is_file(), "{key}");
        }
    }
}

#[test]
fn what_cannot_be_wrapped_is_said() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let to = folder.path().to_str().expect("UTF-8");
    let said = |words: &[&str]| {
        let output = tool(words);
        assert!(!output.status.success(), "{words:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["--all", to, to]).contains("has no <name>/model.onnx"));
    assert!(said(&["--all", ENGINES]).contains("usage: "));
    assert!(said(&["--all", ENGINES, to, "--name", "reid"]).contains("--all names the plans itself"));
    std::fs::create_dir(folder.path().join("broken")).expect("a folder");
    std::fs::write(folder.path().join("broken/model.onnx"), b"no model").expect("a file");
    assert!(said(&["--all", to, to]).contains("not an ONNX model"));
}
