//! NVIDIA's own lean library, on a machine that may have no GPU. `scripts/lean.sh` fetches it and runs this;
//! `TENSORRT_LEAN` names the library, or several as in `PATH`. What it does with a GPU is in `gpu`'s `real_gpu`.

use std::path::Path;

use tensorrt_rs::{Builder, Error, Library, Runtime, RuntimeOptions, Version};

#[test]
fn the_real_library_loads_and_its_failure_is_quoted() {
    let Some(paths) = std::env::var_os("TENSORRT_LEAN") else {
        println!("skipped: TENSORRT_LEAN names no libnvinfer_lean.so.10 or .11; scripts/lean.sh fetches both");
        return;
    };
    let mut majors = Vec::new();
    for path in std::env::split_paths(&paths) {
        majors.push(check(&path).major);
    }
    assert!(!majors.is_empty(), "TENSORRT_LEAN is empty");
    println!("checked: {majors:?}");
}

fn check(path: &Path) -> Version {
    let library = Library::load(path).unwrap_or_else(|error| panic!("{error}"));
    let (version, build) = (library.version(), library.build());
    println!("{}: TensorRT {version}, build {build:?}", path.display());
    // A wheel's folder has the version of the wheel: the library must give the same one.
    if let Some(expected) = std::env::var_os("TENSORRT_LEAN_VERSIONS") {
        let expected = expected.into_string().expect("versions are plain text");
        let found = format!("{version}.{}", build.expect("a build number"));
        assert!(expected.split(' ').any(|version| version == found), "{found} is none of {expected}");
    }
    assert!(version.abi().is_some());
    assert!(!library.has_builder());
    let error = Builder::new(&library, None).expect_err("a lean library does not build");
    println!("  builder: {error}");
    assert!(matches!(error, Error::Symbol { .. }));
    // Twice: the failure repeats and leaves nothing behind.
    for _ in 0..2 {
        match Runtime::new(&library, &RuntimeOptions::default()) {
            Ok(runtime) => {
                let error = runtime.deserialize(&[0x5a; 4096]).expect_err("no plan");
                println!("  a GPU: {error}");
                assert!(matches!(error, Error::Call { method: "deserializeCudaEngine", .. }), "{error:?}");
                assert!(!error.vendor_lines().is_empty(), "{error}");
            }
            Err(error) => {
                println!("  no GPU: {error}");
                assert!(matches!(error, Error::Call { method: "createInferRuntime", .. }), "{error:?}");
                assert!(error.vendor_lines().iter().any(|line| line.contains("CUDA")), "{error}");
                assert!(!error.to_string().contains('\n'), "one line: {error}");
            }
        }
    }
    version
}
