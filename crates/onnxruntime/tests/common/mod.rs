#![allow(dead_code, reason = "each test file uses its own part")]

use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use onnxruntime::{ComputeStream, DeviceOptions, Provider, Runtime, Stream};

/// The repository's models.
pub fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../engines").join(name)
}

/// The library that `scripts/setup.sh` brings, or the one that `ORT_DYLIB_PATH` names.
pub fn runtime() -> Runtime {
    let named = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from);
    let brought = || {
        let ancestors = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        ancestors.map(|dir| dir.join(".deps/onnxruntime/libonnxruntime.so")).find(|path| path.exists())
    };
    let path = named.or_else(brought).expect("no ONNX Runtime: run scripts/setup.sh");
    Runtime::load(&path).expect("ONNX Runtime loads")
}

/// A stream that nothing is ever queued on.
#[derive(Clone, Default)]
pub struct Idle(pub Arc<AtomicUsize>);

// SAFETY: there is no device, so no work is ever queued, and none is unfinished.
unsafe impl Stream for Idle {
    type Error = std::io::Error;

    fn raw(&self) -> *mut c_void {
        Arc::as_ptr(&self.0).cast_mut().cast()
    }

    fn synchronize(&self) -> Result<(), std::io::Error> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn is_finished(&self) -> Result<bool, std::io::Error> {
        Ok(true)
    }
}

pub fn on(provider: Provider) -> DeviceOptions {
    DeviceOptions { provider, ordinal: 0, stream: ComputeStream::new(Idle::default()) }
}
