//! What plans depend on: the GPU's model and the libraries that built them.

use serde::{Deserialize, Serialize};

/// A machine, as far as it matters to a plan. Source: NVIDIA's developer guide, "Engine Compatibility".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// TensorRT's version with its build number where the library tells it: `10.16.1.11`.
    pub tensorrt: String,
    /// The driver's CUDA version, such as `12.6`.
    pub cuda: String,
    /// The kernel driver's version, such as `540.4.0`; `None` where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Jetson's L4T release, such as `36.4.3`; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l4t: Option<String>,
    /// The GPU's model.
    pub gpu: GpuModel,
}

/// A GPU's model: what two of a kind have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuModel {
    /// Its name.
    pub name: String,
    /// What its UUID begins with, which tells a whole GPU (`GPU`) from a slice of one (`MIG`). Never the serial behind it.
    pub uuid_class: String,
    /// Such as `8.7`.
    pub compute_capability: String,
    /// Streaming multiprocessors.
    pub multiprocessors: u32,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Host and device share their memory.
    pub integrated: bool,
}

impl Platform {
    /// Of an open device; `tensorrt` as [`Platform::tensorrt`] has it.
    #[must_use]
    pub fn here(device: &gpu::DeviceInfo, tensorrt: &str) -> Self {
        let version = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        Self {
            tensorrt: tensorrt.to_owned(),
            cuda: version(device.driver),
            driver: kernel_driver(),
            l4t: l4t(),
            gpu: GpuModel {
                name: device.name.clone(),
                uuid_class: device.uuid.split('-').next().unwrap_or_default().to_owned(),
                compute_capability: version(device.compute_capability),
                multiprocessors: device.multiprocessors,
                memory_bytes: device.total_memory as u64,
                integrated: device.integrated,
            },
        }
    }
}

impl GpuModel {
    /// `Orin NX, 8 SMs, compute capability 8.7, 15.3 GB`; GB of 1024 MB, as MB are of 1024 KB everywhere here.
    #[must_use]
    pub fn words(&self) -> String {
        format!(
            "{}, {} SMs, compute capability {}, {:.1} GB",
            self.name,
            self.multiprocessors,
            self.compute_capability,
            self.memory_bytes as f64 / f64::from(1 << 30)
        )
    }
}

/// `NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu ...`
fn kernel_driver() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let is_version =
        |word: &&str| word.split('.').count() >= 2 && word.split('.').all(|part| part.parse::<u32>().is_ok());
    text.lines().next()?.split_whitespace().find(is_version).map(str::to_owned)
}

/// `# R36 (release), REVISION: 4.3, GCID: ...`
fn l4t() -> Option<String> {
    let text = std::fs::read_to_string("/etc/nv_tegra_release").ok()?;
    let release = text.trim_start_matches(['#', ' ']).strip_prefix('R')?.split(' ').next()?.to_owned();
    let revision = text.split("REVISION:").nth(1)?.split(',').next()?.trim().to_owned();
    Some(format!("{release}.{revision}"))
}
