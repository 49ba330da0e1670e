//! The first calls through the tables of a real TensorRT: the lean runtimes that `TENSORRT_LEAN` names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gpu::Device;
use tensorrt_rs::{Error, Library, Runtime, RuntimeOptions};

use super::runner::Verdict;

fn paths() -> Vec<PathBuf> {
    std::env::var_os("TENSORRT_LEAN").map(|paths| std::env::split_paths(&paths).collect()).unwrap_or_default()
}

/// A runtime of each library that makes one.
pub fn runtimes(device: &Device) -> Vec<Arc<Runtime>> {
    device.bind().expect("a context");
    let runtime = |path: &PathBuf| {
        let library = Library::load(path).unwrap_or_else(|error| panic!("{error}"));
        let made = Runtime::new(&library, &RuntimeOptions::default());
        made.inspect_err(|error| println!("without TensorRT: {error}")).ok()
    };
    paths().iter().filter_map(runtime).collect()
}

pub fn runtimes_answer_through_their_table(device: &Device) -> Verdict {
    let paths = paths();
    if paths.is_empty() {
        return Verdict::Skipped("TENSORRT_LEAN names no libnvinfer_lean; scripts/lean.sh fetches it".to_owned());
    }
    device.bind().expect("a context");
    paths.iter().for_each(|path| check(path));
    device.prove().expect("the context is as it was");
    Verdict::Passed
}

fn check(path: &Path) {
    let library = Library::load(path).unwrap_or_else(|error| panic!("{error}"));
    println!("         {}: TensorRT {}, build {:?}", path.display(), library.version(), library.build());
    let make = |options: &RuntimeOptions| Runtime::new(&library, options);
    // A refusal shows that the number arrives.
    let error = make(&RuntimeOptions { max_threads: Some(0), ..RuntimeOptions::default() }).expect_err("no threads");
    println!("         {error}");
    let refused = matches!(error, Error::Call { method: "setMaxThreads", .. });
    assert!(refused, "{error}; a library for a newer CUDA than the driver's makes no runtime");
    let options = RuntimeOptions {
        max_threads: Some(2),
        temporary_directory: Some(std::env::temp_dir()),
        record_errors: true,
        ..RuntimeOptions::default()
    };
    let runtime = make(&options).unwrap_or_else(|error| panic!("{error}"));
    let second = make(&RuntimeOptions::default()).expect("a second one beside it");
    for plan in [&[0x5a_u8; 4096][..], b"ptrt", b""] {
        let error = runtime.deserialize(plan).expect_err("no plan");
        println!("         {error}");
        assert!(matches!(error, Error::Call { method: "deserializeCudaEngine", .. }), "{error:?}");
        assert!(!error.vendor_lines().is_empty(), "{error}");
    }
    let recorded = runtime.recorded_errors();
    println!("         recorded: {recorded:?}");
    assert!(!recorded.is_empty(), "the recorder was not told");
    runtime.clear_recorded_errors();
    drop(runtime);
    let error = second.deserialize(&[0; 64]).expect_err("no plan");
    assert!(!error.vendor_lines().is_empty(), "{error}");
}
