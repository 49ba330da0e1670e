//! A folder with the simulator's libraries under the names that programs load.
//!
//! Cargo builds them as `libsim_*.so`, names that nothing looks for, so that no program meets the simulator unasked.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Name as built, and name as loaded.
const LIBRARIES: [(&str, &str); 7] = [
    ("libsim_cuda.so", "libcuda.so.1"),
    ("libsim_nvinfer10.so", "libnvinfer.so.10"),
    ("libsim_nvinfer11.so", "libnvinfer.so.11"),
    ("libsim_nvonnxparser10.so", "libnvonnxparser.so.10"),
    ("libsim_nvonnxparser11.so", "libnvonnxparser.so.11"),
    ("libsim_decoder.so", "gstreamer/libgstsimdecoder.so"),
    // In a folder that no loader looks into: whoever wants it names it.
    ("libsim_onnxruntime.so", "onnxruntime/libonnxruntime.so"),
];

/// Makes the links in `folder`, which must exist, for those libraries that lie beside this program or one or two
/// folders up. Put the folder into `LD_LIBRARY_PATH` of the program under test, and its subfolder `gstreamer`, which
/// holds the decoders, into `GST_PLUGIN_PATH`; then give the program a `GST_REGISTRY` file of its own, or GStreamer notes
/// the decoders in everybody's.
///
/// # Errors
/// Where no library is found (build the workspace first) or a link cannot be made.
pub fn stage(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let exe = std::env::current_exe()?;
    let mut staged = Vec::new();
    for (built, loaded) in LIBRARIES {
        let Some(library) = exe.ancestors().skip(1).take(3).find_map(|dir| find(dir, built)) else {
            continue;
        };
        let link = folder.join(loaded);
        fs::create_dir_all(link.parent().unwrap_or(folder))?;
        match fs::remove_file(&link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::os::unix::fs::symlink(library, &link)?,
        }
        staged.push(link);
    }
    if staged.is_empty() {
        let words = format!("no simulator library beside {}; run: cargo build --workspace", exe.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, words));
    }
    Ok(staged)
}

/// The library in `dir` or in its `deps`, whichever was built last.
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let built = |path: &PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
    [dir.join(name), dir.join("deps").join(name)].into_iter().filter(|path| built(path).is_some()).max_by_key(built)
}
