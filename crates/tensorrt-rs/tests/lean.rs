//! The real lean library, on a machine that may have no GPU.
//!
//! `TENSORRT_LEAN=/path/to/libnvinfer_lean.so.10 cargo test -p tensorrt-rs --test lean -- --ignored`.

use tensorrt_rs::{Builder, Error, Library, Runtime, RuntimeOptions};

#[test]
#[ignore = "needs TENSORRT_LEAN=/path/to/libnvinfer_lean.so.10 or .11"]
fn the_real_library_loads_and_its_failure_is_quoted() {
    let path = std::env::var_os("TENSORRT_LEAN").expect("TENSORRT_LEAN names the library");
    let library = Library::load(&path).expect("the lean library loads");
    let (version, build) = (library.version(), library.build());
    eprintln!("{}: TensorRT {version}, build {build:?}", library.path().display());
    assert!(version.abi().is_some());
    assert!(!library.has_builder());
    assert!(matches!(Builder::new(&library, None), Err(Error::Symbol { .. })));
    // Twice: the failure repeats and leaves nothing behind.
    for _ in 0..2 {
        match Runtime::new(&library, &RuntimeOptions::default()) {
            Ok(runtime) => {
                // A GPU: the first calls through the table, and a plan that is none.
                let error = runtime.deserialize(&[0x5a; 4096]).expect_err("no plan");
                eprintln!("{error}");
                assert!(!error.vendor_lines().is_empty(), "{error}");
            }
            Err(error) => {
                eprintln!("{error}");
                assert!(matches!(error, Error::Call { .. }));
                assert!(error.to_string().contains("CUDA"), "{error}");
            }
        }
    }
}
