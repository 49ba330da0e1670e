//! The fake TensorRT, compiled by g++ from `tests/fake`, one private copy per test.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::ffi::{CStr, CString, c_char};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tensorrt_rs::{Library, Version};

/// Where tests put what they make.
pub fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// g++, or what CXX names.
pub fn compiler() -> Command {
    Command::new(std::env::var("CXX").unwrap_or_else(|_| "g++".to_owned()))
}

/// Compiles the fake, once for these sources and this major.
fn compiled(major: u16) -> &'static Path {
    static TEN: OnceLock<PathBuf> = OnceLock::new();
    static ELEVEN: OnceLock<PathBuf> = OnceLock::new();
    let once = if major == 10 { &TEN } else { &ELEVEN };
    once.get_or_init(|| {
        let mut compiler = compiler();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake");
        let sources =
            ["fake.cpp", "build.inc", "abi.hpp"].map(|name| std::fs::read(folder.join(name)).expect("a source"));
        let mut hasher = DefaultHasher::new();
        (major, sources).hash(&mut hasher);
        let target = scratch().join(format!("libfake-{major}-{:016x}.so", hasher.finish()));
        if target.exists() {
            return target;
        }
        // Under another name first: test programs may run side by side.
        let fresh = scratch().join(format!("libfake-{major}-{}.new", std::process::id()));
        let output = compiler
            .args(["-std=c++17", "-O1", "-g", "-shared", "-fPIC", "-pthread", "-fno-gnu-unique", "-fvisibility=hidden"])
            .arg(format!("-DFAKE_MAJOR={major}"))
            .arg("-o")
            .args([&fresh, &folder.join("fake.cpp")])
            .output()
            .expect("a C++ compiler: install g++, or name one with CXX");
        assert!(output.status.success(), "the fake: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::rename(&fresh, &target).expect("the fake gets its name");
        target
    })
}

/// One copy of the fake library, with a state of its own.
pub struct Fake {
    path: PathBuf,
    raw: libloading::Library,
}

impl Fake {
    pub fn new(major: u16) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let original = compiled(major);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Another file is another library to the loader. The name says its major, as a parser's must.
        let path = scratch().join(format!("libfake-{}-{number}.so.{major}", std::process::id()));
        std::fs::copy(original, &path).expect("the fake can be copied");
        // SAFETY: its initialisers are ours.
        let raw = unsafe { libloading::Library::new(&path) }.expect("the fake loads");
        Self { path, raw }
    }

    pub fn both() -> Vec<Self> {
        vec![Self::new(10), Self::new(11)]
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn library(&self) -> Library {
        Library::load(&self.path).expect("the fake is a TensorRT")
    }

    /// Turns one of its knobs.
    pub fn set(&self, knob: &str, value: i64) {
        let knob = CString::new(knob).expect("no NUL");
        // SAFETY: the type is that of the function in fake.cpp.
        unsafe {
            let set: libloading::Symbol<unsafe extern "C" fn(*const c_char, i64)> =
                self.raw.get(b"fake_set\0").expect("fake_set");
            set(knob.as_ptr(), value);
        }
    }

    pub fn set_version(&self, version: Version) {
        self.set("version", version.number().into());
    }

    /// Methods called and objects ended since the last question.
    pub fn journal(&self) -> Vec<String> {
        self.text(b"fake_journal\0").lines().map(str::to_owned).collect()
    }

    /// Asserts that nothing is alive and nothing was ended in the wrong order.
    pub fn assert_clean(&self) {
        // SAFETY: the type is that of the function in fake.cpp.
        let alive = unsafe {
            let alive: libloading::Symbol<unsafe extern "C" fn() -> i32> =
                self.raw.get(b"fake_alive\0").expect("fake_alive");
            alive()
        };
        assert_eq!(alive, 0, "objects are left alive");
        assert_eq!(self.text(b"fake_complaints\0"), "");
    }

    fn text(&self, function: &[u8]) -> String {
        // SAFETY: the type is that of these functions in fake.cpp; the text lives until the next call.
        unsafe {
            let text: libloading::Symbol<unsafe extern "C" fn() -> *const c_char> =
                self.raw.get(function).expect("in fake.cpp");
            CStr::from_ptr(text()).to_str().expect("ASCII").to_owned()
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // Mapped, it lives on without its file.
        let _ = std::fs::remove_file(&self.path);
    }
}
