//! A device for tests: the fake driver's, on any machine with a C++ compiler, or the machine's own.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use gpu::{Device, Driver};

/// The fake driver, built once.
pub fn fake_driver() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build)
}

fn build() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (partial, path) = (
        folder.join(format!("libfakecuda.{}.so", std::process::id())),
        folder.join(format!("libfakecuda-{}.so", env!("CARGO_CRATE_NAME"))),
    );
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "g++".to_owned());
    let output = Command::new(&compiler)
        .args(["-std=c++17", "-O1", "-ffp-contract=off", "-fPIC", "-shared", "-Wall"])
        .args([here.join("tests/fake/driver.cpp"), here.join("kernels/host/kernels.cpp")])
        .arg("-o")
        .arg(&partial)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}; install g++, or name a C++ compiler with CXX"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&partial, &path).expect("rename within a folder");
    path
}

/// Settings of the fake driver, `Control` of `tests/fake/driver.cpp`.
#[derive(Clone, Copy)]
pub enum Control {
    Init = 0,
    Version = 1,
    Devices = 2,
    Retain = 3,
    Wrong = 5,
    StickyAfter = 6,
    FullAfter = 7,
    Integrated = 8,
}

/// A driver of its own for a test: the library is copied, so that it is loaded once more.
pub fn driver(name: &str, settings: &[(Control, i64)]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(format!("{name}.so"));
    std::fs::copy(fake_driver(), &path).expect("copy");
    set(&path, settings);
    (folder, path)
}

/// Changes settings of a fake driver.
pub fn set(path: &Path, settings: &[(Control, i64)]) {
    // SAFETY: the fake driver, whose function has this type.
    unsafe {
        let library = libloading::Library::new(path).expect("library");
        let control = library.get::<unsafe extern "C" fn(u32, i64) -> u32>("fake_control").expect("function");
        for (which, value) in settings {
            assert_eq!(control(*which as u32, *value), 0);
        }
        std::mem::forget(library);
    }
}

/// Calls of a fake driver so far that need a context.
pub fn calls(path: &Path) -> u64 {
    let mut count = 0;
    // SAFETY: the fake driver, whose function has this type and writes one integer.
    unsafe {
        let library = libloading::Library::new(path).expect("library");
        let calls = library.get::<unsafe extern "C" fn(*mut u64) -> u32>("fake_calls").expect("function");
        assert_eq!(calls(&mut count), 0);
        std::mem::forget(library);
    }
    count
}

/// A fake driver's device, for one test: nothing runs in it until it is waited for.
pub fn fake_device() -> Device {
    let (_folder, path) = driver("libcuda", &[]);
    Driver::load_from(&path).expect("fake driver").open(0).expect("fake device")
}

/// The same with memory that it shares with the host.
pub fn integrated_device() -> Device {
    let (_folder, path) = driver("libcuda", &[(Control::Integrated, 1)]);
    Driver::load_from(&path).expect("fake driver").open(0).expect("fake device")
}

/// The machine's own device.
pub fn real_device() -> Device {
    Driver::load().and_then(|driver| driver.open(0)).unwrap_or_else(|error| panic!("{error}"))
}

/// Numbers that look random and are the same every time.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    pub fn byte(&mut self) -> u8 {
        (self.next() & 0xff) as u8
    }

    /// From 0 up to 1.
    pub fn share(&mut self) -> f32 {
        (self.next() & 0xff_ffff) as f32 / 16_777_216.0
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
