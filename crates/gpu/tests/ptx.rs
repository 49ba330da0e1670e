//! The PTX in the repository is what its sources make. `kernels/build.sh` makes it anew, by way of this test.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::path::{Path, PathBuf};
use std::ptr;

use libloading::Library;
use sha2::{Digest, Sha256};

/// Fusing would make other values than the processor's path has; `compute_75` is the oldest GPU that is supported.
const OPTIONS: [&CStr; 3] = [c"--gpu-architecture=compute_75", c"--std=c++17", c"--fmad=false"];

/// Hashes of sources and PTX, as `sha256sum` writes them.
const SUMS: &str = "SHA256SUMS";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels")
}

/// Files with one of these endings, by name.
fn files(endings: &[&str]) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder()).expect("kernels").map(|entry| entry.expect("entry").path());
    let wanted = entries.filter(|path| path.extension().is_some_and(|end| endings.iter().any(|&e| end == e)));
    wanted
        .map(|path| {
            let name = path.file_name().expect("name").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("text"))
        })
        .collect()
}

fn sums() -> String {
    let files = files(&["cu", "cuh", "ptx"]);
    let line = |(name, text): (&String, &String)| {
        let hash: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hash}  {name}\n")
    };
    files.iter().map(line).collect()
}

#[test]
fn sources_and_ptx_belong_together() {
    if compiler().is_some() {
        eprintln!("skipped: the compiler is at hand, so the PTX itself is compared");
        return;
    }
    let stored = fs::read_to_string(folder().join(SUMS)).expect(SUMS);
    assert!(stored == sums(), "kernels/ has changed since its PTX was made; run kernels/build.sh");
}

#[test]
fn ptx_is_what_its_sources_make() {
    let Some(nvrtc) = compiler() else {
        eprintln!("SKIPPED: set NVRTC=/path/to/libnvrtc.so.12 of CUDA 12.2 to compare PTX with its sources");
        return;
    };
    let update = std::env::var_os("WATCHKEEPER_UPDATE_PTX").is_some_and(|value| value == "1");
    let headers = files(&["cuh"]);
    for (name, source) in files(&["cu"]) {
        let made = nvrtc.compile(&name, &source, &headers);
        let path = folder().join(&name).with_extension("ptx");
        if update {
            fs::write(&path, &made).expect("write");
            println!("{} made", path.display());
        } else {
            let stored = fs::read_to_string(&path).expect("ptx");
            assert!(stored == made, "{name} makes other PTX than is stored; run kernels/build.sh");
        }
    }
    if update {
        fs::write(folder().join(SUMS), sums()).expect("write");
    }
    assert!(fs::read_to_string(folder().join(SUMS)).expect(SUMS) == sums(), "{SUMS} is old; run kernels/build.sh");
}

/// What the oldest driver takes (12.2: PTX ISA 8.2) and what a slip in a source shows as.
#[test]
fn ptx_is_for_old_drivers_and_plain() {
    if std::env::var_os("WATCHKEEPER_UPDATE_PTX").is_some() {
        return;
    }
    for (name, text) in files(&["ptx"]) {
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
        assert_eq!((line(".version"), line(".target")), (".version 8.2".into(), ".target sm_75".into()), "{name}");
        for slip in [".local", "fma.", ".f64", ".extern", ".global .align"] {
            assert!(!text.contains(slip), "{name} has {slip}");
        }
    }
}

/// Every kernel can be called on the host, too.
#[test]
fn the_host_entry_knows_every_kernel() {
    let entry = fs::read_to_string(folder().join("host/kernels.cpp")).expect("kernels.cpp");
    let texts = files(&["cu"]);
    let names: Vec<_> = texts
        .values()
        .flat_map(|text| text.split("__global__ void ").skip(1))
        .filter_map(|rest| rest.split('(').next())
        .collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        assert!(entry.contains(&format!("KERNEL({name})")), "{name}");
    }
}

fn compiler() -> Option<Nvrtc> {
    let path = PathBuf::from(std::env::var_os("NVRTC").filter(|path| !path.is_empty())?);
    Some(Nvrtc::open(&path))
}

/// NVRTC's C interface, as far as it is needed. Source: NVIDIA's "NVRTC" documentation.
struct Nvrtc {
    library: Library,
}

type Program = *mut c_void;
type Strings = *const *const c_char;

impl Nvrtc {
    fn open(path: &Path) -> Self {
        // SAFETY: the compiler's library, named by whoever runs the test.
        let library = unsafe { Library::new(path) }.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (mut major, mut minor) = (0, 0);
        // SAFETY: the function has this type and writes two integers.
        unsafe {
            let version = library.get::<unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int>("nvrtcVersion");
            assert_eq!(version.expect("nvrtcVersion")(&mut major, &mut minor), 0);
        }
        assert_eq!((major, minor), (12, 2), "another NVRTC than the one that the PTX is made with");
        Self { library }
    }

    fn compile(&self, name: &str, source: &str, headers: &BTreeMap<String, String>) -> String {
        let text = |text: &str| CString::new(text).expect("no NUL");
        let (name, source) = (text(name), text(source));
        let names: Vec<_> = headers.keys().map(|name| text(name)).collect();
        let texts: Vec<_> = headers.values().map(|header| text(header)).collect();
        let pointers = |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let (names, texts) = (pointers(&names), pointers(&texts));
        let options = OPTIONS.map(CStr::as_ptr);
        let mut program: Program = ptr::null_mut();
        // SAFETY: the functions have these types; all strings live until the program is destroyed, and counts are
        // those of the arrays.
        unsafe {
            let create = self.library.get::<unsafe extern "C" fn(
                *mut Program,
                *const c_char,
                *const c_char,
                c_int,
                Strings,
                Strings,
            ) -> c_int>("nvrtcCreateProgram");
            let count = names.len() as c_int;
            let create = create.expect("nvrtcCreateProgram");
            assert_eq!(create(&mut program, source.as_ptr(), name.as_ptr(), count, texts.as_ptr(), names.as_ptr()), 0);
            let compile = self
                .library
                .get::<unsafe extern "C" fn(Program, c_int, Strings) -> c_int>("nvrtcCompileProgram")
                .expect("nvrtcCompileProgram");
            let result = compile(program, options.len() as c_int, options.as_ptr());
            let log = self.text(program, "nvrtcGetProgramLogSize", "nvrtcGetProgramLog");
            assert!(result == 0 && log.trim().is_empty(), "{name:?}: {result} {log}");
            let made = self.text(program, "nvrtcGetPTXSize", "nvrtcGetPTX");
            let destroy = self.library.get::<unsafe extern "C" fn(*mut Program) -> c_int>("nvrtcDestroyProgram");
            assert_eq!(destroy.expect("nvrtcDestroyProgram")(&mut program), 0);
            plain(&made)
        }
    }

    /// # Safety
    ///
    /// `program` is one; the functions give a size and that many bytes with a NUL.
    unsafe fn text(&self, program: Program, size: &str, get: &str) -> String {
        // SAFETY: the functions have these types; the buffer has the size asked for.
        unsafe {
            let size = self.library.get::<unsafe extern "C" fn(Program, *mut usize) -> c_int>(size).expect("size");
            let get = self.library.get::<unsafe extern "C" fn(Program, *mut c_char) -> c_int>(get).expect("get");
            let mut bytes = 0;
            assert_eq!(size(program, &mut bytes), 0);
            let mut text = vec![0_u8; bytes + 1];
            assert_eq!(get(program, text.as_mut_ptr().cast()), 0);
            CStr::from_bytes_until_nul(&text).expect("NUL").to_string_lossy().into_owned()
        }
    }
}

/// Without the compiler's own variables, which nothing uses and every module would have.
fn plain(ptx: &str) -> String {
    ptx.lines().filter(|line| !line.contains("_INTERNAL_")).flat_map(|line| [line, "\n"]).collect()
}
