#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::*;
use crate::cli::doctor::access::{Node, Opened};
use crate::cli::doctor::answers::{Cuda, Gpu, TensorRt};
use crate::cli::doctor::facts::Candidate;
use crate::cli::doctor::jetson::Jetson;
use crate::cli::doctor::kernel_module::KernelModule;

/// Names of the rows that match.
fn matches(facts: &Facts) -> Vec<&'static str> {
    TABLE.iter().filter(|row| row.check(facts).is_some()).map(|row| row.id).collect()
}

fn library(path: &str) -> Library {
    let suffix = path.split_once(".so.").unwrap().1.to_owned();
    let version = Version::parse(&suffix);
    Library { path: PathBuf::from(path), version, suffix, on_loader_path: true, needed: Vec::new(), error: None }
}

fn candidate(version: &str) -> Candidate {
    let answer = TensorRt { version: version.to_owned(), build: None, builder: true };
    Candidate { name: PathBuf::from("libnvinfer.so"), file: None, answer: Some(Ok(answer)) }
}

fn cuda(version: (u32, u32), compute_capability: (u32, u32)) -> Option<Result<Cuda, String>> {
    let gpu = Gpu { name: "GPU".to_owned(), compute_capability, memory_mb: 8192, integrated: false };
    Some(Ok(Cuda { there: true, version: Some(version), devices: vec![gpu], error: None }))
}

fn node(name: &str) -> Node {
    Node { path: PathBuf::from("/dev").join(name), opened: Opened::Yes, error: None, group: None }
}

/// A desktop that works.
fn desktop() -> Facts {
    let mut facts = Facts { cuda: cuda((12, 8), (8, 6)), ..Facts::default() };
    facts.driver = vec![library("/usr/lib/x86_64-linux-gnu/libcuda.so.570.124.06")];
    facts.kernel_module = Some(KernelModule { version: "570.124.06".to_owned(), open: true });
    facts.nodes = ["nvidia0", "nvidiactl", "nvidia-uvm"].map(node).into();
    facts.tensorrt.full = vec![candidate("10.16.1")];
    facts
}

/// An Orin that works.
fn orin(l4t: &str) -> Facts {
    let mut facts = Facts { cuda: cuda((12, 6), (8, 7)), ..Facts::default() };
    facts.jetson = Some(Jetson { model: None, l4t: Version::parse(l4t), jetpack: None });
    facts.kernel_module = Some(KernelModule { version: "540.4.0".to_owned(), open: true });
    facts.driver = vec![library("/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1.1")];
    facts.nodes = ["nvhost-ctrl", "nvidia0", "nvidiactl", "nvmap"].map(node).into();
    facts.system.lsmod = true;
    facts.tensorrt.full = vec![candidate("10.7.0")];
    facts
}

#[test]
fn machines_that_work_match_nothing() {
    assert_eq!(matches(&desktop()), Vec::<&str>::new());
    assert_eq!(matches(&orin("36.4.4")), Vec::<&str>::new());
    assert_eq!(matches(&Facts::default()), Vec::<&str>::new(), "a laptop with nothing of it");
}

#[test]
fn each_row_is_met_by_its_combination_and_by_it_alone() {
    let provider = |missing: &str| Provider {
        name: "cuda",
        path: PathBuf::from("/opt/ort/libonnxruntime_providers_cuda.so"),
        needed: vec![missing.to_owned()],
        missing: vec![missing.to_owned()],
    };
    let mut met = BTreeSet::new();
    let mut is = |what: &str, facts: &Facts, wanted: &[&'static str]| {
        assert_eq!(matches(facts), wanted, "{what}");
        met.extend(wanted.to_owned());
    };
    let with = |change: &dyn Fn(&mut Facts), mut facts: Facts| {
        change(&mut facts);
        facts
    };

    is("driver r525", &with(&|f| f.cuda = cuda((12, 0), (8, 6)), desktop()), &["driver-older-than-kernels"]);
    is("12.2 itself", &with(&|f| f.cuda = cuda((12, 2), (7, 5)), desktop()), &[]);
    let volta = with(&|f| f.cuda = cuda((12, 8), (7, 0)), desktop());
    is("Volta", &volta, &["gpu-older-than-kernels", "tensorrt-without-volta"]);
    let older = with(&|f| f.tensorrt.full = vec![candidate("10.4.0")], volta);
    is("Volta and TensorRT 10.4", &older, &["gpu-older-than-kernels"]);

    let jetpack_6 = with(&|f| f.tensorrt.full = vec![candidate("10.3.0.30")], orin("36.4.3"));
    is("JetPack 6.2", &jetpack_6, &["tensorrt-10.3-on-jetpack-6"]);
    is("10.3 on a desktop", &with(&|f| f.tensorrt.full = vec![candidate("10.3.0")], desktop()), &[]);
    let eleven = |version: &'static str| move |f: &mut Facts| f.tensorrt.full = vec![candidate(version)];
    is("11.1 on JetPack 6", &with(&eleven("11.1.0"), orin("36.4.4")), &["tensorrt-11-on-old-jetpack"]);
    is("11.1 on JetPack 7.2", &with(&eleven("11.1.0"), orin("39.2.0")), &["tensorrt-11-on-old-jetpack"]);
    is("11.4.1 on JetPack 7.2", &with(&eleven("11.4.1"), orin("39.2.0")), &[]);
    let two = with(&|f| f.tensorrt.full.push(candidate("11.4.0")), desktop());
    is("two TensorRTs", &two, &["two-tensorrts"]);
    let row = TABLE.iter().find(|row| row.id == "two-tensorrts").unwrap();
    assert_eq!(row.check(&two).unwrap().found, "TensorRT 10.16.1 and 11.4.0 are installed; 10.16.1 is taken");
    let dla = with(&|f| f.tensorrt.missing = vec!["libnvdla_compiler.so".to_owned()], orin("36.4.4"));
    is("no DLA compiler", &dla, &["tensorrt-lacks-a-library"]);
    is("JetPack 5", &orin("35.4.1"), &["jetpack-too-old"]);
    is("36.4.7", &orin("36.4.7"), &["l4t-36.4.7-memory"]);

    let cudnn = with(
        &|f| {
            f.providers = vec![provider("libcudnn.so.8")];
            f.cudnn = vec![library("/usr/lib/libcudnn.so.9.3.0")];
        },
        desktop(),
    );
    is("cuDNN 9 for a build for 8", &cudnn, &["onnxruntime-cudnn-major"]);
    let row = TABLE.iter().find(|row| row.id == "onnxruntime-cudnn-major").unwrap();
    let words = "ONNX Runtime's cuda provider is built for cuDNN 8, and cuDNN 9.3.0 is installed";
    assert_eq!(row.check(&cudnn).unwrap().found, words);
    is("no cuDNN at all", &with(&|f| f.cudnn.clear(), cudnn), &[]);
    let runtime = with(
        &|f| {
            f.providers = vec![provider("libcudart.so.13")];
            f.cuda_runtime = vec![library("/usr/local/cuda/lib64/libcudart.so.12.6.68")];
        },
        desktop(),
    );
    is("CUDA 12 for a build for 13", &runtime, &["onnxruntime-cuda-major"]);

    let updated = with(&|f| f.driver = vec![library("/usr/lib/x86_64-linux-gnu/libcuda.so.570.195.03")], desktop());
    is("updated, not restarted", &updated, &["driver-halves-differ"]);
    let compat = with(&|f| f.driver = vec![library("/usr/local/cuda/compat/libcuda.so.580.65.06")], desktop());
    is("forward compatibility", &compat, &[]);
    let stub = with(&|f| f.driver = vec![library("/usr/local/cuda/lib64/stubs/libcuda.so.1")], desktop());
    is("a stub", &stub, &["driver-is-a-stub"]);
    let uvm = with(&|f| f.nodes.retain(|node| !node.path.ends_with("nvidia-uvm")), desktop());
    is("no uvm", &uvm, &["no-uvm-node"]);
    let half = with(
        &|f| {
            f.system.container = true;
            f.nodes.clear();
            f.cuda = Some(Ok(Cuda { there: true, error: Some("no GPU".to_owned()), ..Cuda::default() }));
        },
        desktop(),
    );
    is("libcuda alone", &half, &["driver-without-nodes"]);
    is("no kmod", &with(&|f| f.system.lsmod = false, orin("36.4.4")), &["jetson-without-lsmod"]);
    let display = |f: &mut Facts| f.system.dead_display = Some(":0".to_owned());
    is("a dead display", &with(&display, orin("36.4.4")), &["jetson-dead-display"]);
    is("a dead display on a desktop", &with(&display, desktop()), &[]);

    let all: BTreeSet<&str> = TABLE.iter().map(|row| row.id).collect();
    assert_eq!(met, all, "rows that no combination here meets");
    assert_eq!(all.len(), TABLE.len(), "ids are unique");
}

#[test]
fn every_row_names_its_source_and_what_to_do() {
    for row in TABLE {
        assert!(row.source.len() > 20 && row.next.len() > 20, "{}", row.id);
        assert!(matches!(row.severity, Outcome::Warning | Outcome::Failed), "{}", row.id);
    }
}
