//! Kernel timings kept from build to build, beside the engines.

use std::fs;
use std::path::{Path, PathBuf};

use crate::inference::artefact::{Lock, Platform, Store};

/// No cache is so large.
const MOST: u64 = 256 << 20;

/// Its file: timings are of one TensorRT on one kind of GPU.
pub(super) fn path(store: &Store, platform: &Platform) -> PathBuf {
    let slug = |text: &str| -> String {
        let word = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
        let dashed: String = text.chars().map(word).collect();
        dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    };
    store.folder().join(format!("timing-{}-{}.cache", slug(&platform.tensorrt), slug(&platform.gpu.name)))
}

/// Its bytes; none where there is none yet, or it cannot be read, of which a line tells.
pub(super) fn read(path: &Path) -> Vec<u8> {
    let size = fs::metadata(path).map_or(0, |about| about.len());
    if size > MOST {
        eprintln!("warning: {}: {size} bytes; no timing cache is so large, it is not used", path.display());
        return Vec::new();
    }
    fs::read(path).unwrap_or_else(|error| {
        if error.kind() != std::io::ErrorKind::NotFound {
            eprintln!("warning: {}: {error}; kernels are measured anew", path.display());
        }
        Vec::new()
    })
}

/// Keeps it for the next build. Without it that takes longer, and nothing else: trouble is a warning.
pub(super) fn write(store: &Store, lock: &Lock, path: &Path, bytes: &[u8]) {
    if fs::read(path).is_ok_and(|before| before == bytes) {
        return;
    }
    if let Err(error) = store.write(lock, path, bytes) {
        eprintln!("warning: {}: {error}; the next build measures kernels anew", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::artefact::GpuModel;

    #[test]
    fn the_file_is_named_for_tensorrt_and_gpu() {
        let gpu = GpuModel {
            name: "NVIDIA Orin (nvgpu)/x".to_owned(),
            uuid_class: "GPU".to_owned(),
            compute_capability: "8.7".to_owned(),
            multiprocessors: 8,
            memory_bytes: 1,
            integrated: true,
        };
        let platform =
            Platform { tensorrt: "10.3.0.30".to_owned(), cuda: "12.6".to_owned(), driver: None, l4t: None, gpu };
        let path = path(&Store::of(Path::new("engines/a.plan")), &platform);
        assert_eq!(path, Path::new("engines/store/timing-10.3.0.30-nvidia-orin-nvgpu-x.cache"));
    }
}
