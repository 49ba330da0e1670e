//! Combinations that are known to be bad, each with who says so.

use super::check::{Check, Outcome, Then as _};
use super::facts::{Facts, Provider};
use super::libraries::Library;
use super::version::Version;

/// A row of the table.
pub(super) struct Known {
    /// Stable; for scripts.
    pub(super) id: &'static str,
    severity: Outcome,
    /// Who says so.
    pub(super) source: &'static str,
    /// What to do.
    next: &'static str,
    /// What was found, where this machine has it.
    found: fn(&Facts) -> Option<String>,
}

impl Known {
    /// The line, where this machine has the combination.
    pub(super) fn check(&self, facts: &Facts) -> Option<Check> {
        Some(Check::new(self.id, self.severity, &(self.found)(facts)?, None).then(self.next))
    }
}

/// The table. To add a row: find who says so, write what `Facts` must show, and plant the combination in a test.
pub(super) const TABLE: &[Known] = &[
    Known {
        id: "driver-older-than-kernels",
        severity: Outcome::Failed,
        source: "NVIDIA, PTX ISA, release notes: 8.2 came with CUDA 12.2, driver r535",
        next: "update the driver; on a Jetson, JetPack 6 or newer brings one",
        found: |facts| {
            let (major, minor) = facts.cuda()?.version.filter(|version| *version < (12, 2))?;
            Some(format!("the driver is CUDA {major}.{minor}'s, the kernels in this program need 12.2's"))
        },
    },
    Known {
        id: "gpu-older-than-kernels",
        severity: Outcome::Failed,
        source: "NVIDIA, PTX ISA, .target: code for compute_75 runs on 7.5 and newer",
        next: "use a GPU of the Turing generation or newer; all Orin and Thor modules are",
        found: |facts| {
            let gpu = facts.cuda()?.devices.iter().find(|gpu| gpu.compute_capability < (7, 5))?;
            let (major, minor) = gpu.compute_capability;
            Some(format!("{} has compute capability {major}.{minor}, the kernels need 7.5", gpu.name))
        },
    },
    Known {
        id: "tensorrt-without-volta",
        severity: Outcome::Failed,
        source: "NVIDIA, TensorRT 10.5.0 release notes: Volta removed; TensorRT 11 prerequisites: Turing or later",
        next: "use TensorRT 10.4 or older with this GPU, or a newer GPU",
        found: |facts| {
            let tensorrt = taken(facts).filter(|version| version.is_at_least(&[10, 5]))?;
            let gpu = facts.cuda()?.devices.iter().find(|gpu| gpu.compute_capability < (7, 5))?;
            let (major, minor) = gpu.compute_capability;
            Some(format!("TensorRT {tensorrt} does not run on {} ({major}.{minor})", gpu.name))
        },
    },
    Known {
        id: "tensorrt-10.3-on-jetpack-6",
        severity: Outcome::Warning,
        source: "github.com/NVIDIA/TensorRT issues 4419 and 4330: wrong results with dynamic shapes, gone in later 10.x; \
                 reports of Myelin failing on the second request without any concurrency",
        next: "compare this device's answers with the CPU's (watchkeeper eval), prefer fixed input shapes, try engine_copies = 2, \
               and take a later TensorRT 10 where there is one for this JetPack",
        found: |facts| {
            let tensorrt = taken(facts).filter(|version| version.begins_with(&[10, 3]))?;
            let jetson = facts.jetson.as_ref().filter(|jetson| jetson.l4t_major() == Some(36))?;
            let l4t = jetson.l4t.as_ref()?;
            Some(format!("TensorRT {tensorrt} on L4T {l4t}: some models give wrong results or fail in Myelin"))
        },
    },
    Known {
        id: "tensorrt-11-on-old-jetpack",
        severity: Outcome::Failed,
        source: "NVIDIA, TensorRT 11.4.1 support matrix: JetPack 7.2.2 and newer, from 11.4.1 on",
        next: "use the TensorRT 10 that this JetPack brings (runtime.tensorrt_library), or a newer JetPack",
        found: |facts| {
            let tensorrt = taken(facts).filter(|version| version.major() == 11)?;
            let l4t = facts.jetson.as_ref()?.l4t.as_ref()?;
            let bad = l4t.major() < 39 || !tensorrt.is_at_least(&[11, 4, 1]);
            bad.then(|| format!("TensorRT {tensorrt} is not made for L4T {l4t}"))
        },
    },
    Known {
        id: "two-tensorrts",
        severity: Outcome::Warning,
        source: "NVIDIA, TensorRT support policies: a plan runs on the exact version that built it",
        next: "say which with runtime.tensorrt_library, so that an update cannot change it",
        found: |facts| {
            let all: Vec<String> =
                facts.tensorrt.full.iter().filter_map(|one| Some(one.version()?.to_string())).collect();
            let taken = taken(facts)?;
            (all.len() > 1).then(|| format!("TensorRT {} are installed; {taken} is taken", all.join(" and ")))
        },
    },
    Known {
        id: "tensorrt-lacks-a-library",
        severity: Outcome::Failed,
        source: "github.com/dusty-nv/jetson-inference issue 1920, github.com/roboflow/inference pull request 2306: \
                 libnvdla_compiler.so is not in containers, nor in some releases of nvidia-l4t-core",
        next: "on a Jetson, start the container with the NVIDIA runtime, or install the package that has it \
               (libnvdla_compiler.so of L4T 36: nvidia-l4t-dla-compiler)",
        found: |facts| {
            let missing = &facts.tensorrt.missing;
            (!missing.is_empty()).then(|| format!("libnvinfer needs {}, and the loader has none", missing.join(", ")))
        },
    },
    Known {
        id: "jetpack-too-old",
        severity: Outcome::Failed,
        source: "NVIDIA, JetPack archive: JetPack 5 brings CUDA 11.4 and TensorRT 8.5, which this program does not run on",
        next: "flash JetPack 6 or newer (an Orin or Thor module)",
        found: |facts| {
            let l4t = facts.jetson.as_ref()?.l4t.as_ref().filter(|l4t| l4t.major() < 36)?;
            Some(format!("L4T {l4t} is of JetPack 5 or older"))
        },
    },
    Known {
        id: "l4t-36.4.7-memory",
        severity: Outcome::Warning,
        source: "github.com/ggml-org/llama.cpp pull request 23732 and discussion 16706",
        next: "if an engine fails with \"out of memory\" while memory is free, restart the machine and start this program first",
        found: |facts| {
            let l4t = facts.jetson.as_ref()?.l4t.as_ref().filter(|l4t| l4t.begins_with(&[36, 4, 7]))?;
            Some(format!(
                "L4T {l4t} refuses large allocations that earlier releases gave (NvMapMemAllocInternalTagged error 12)"
            ))
        },
    },
    Known {
        id: "onnxruntime-cudnn-major",
        severity: Outcome::Warning,
        source: "onnxruntime.ai, CUDA execution provider, requirements: a build for cuDNN 8 does not run with cuDNN 9, nor the \
                 other way round",
        next: "install the cuDNN that it needs, or the build of ONNX Runtime for the cuDNN that is there",
        found: |facts| other_major(facts, "libcudnn.so.", &facts.cudnn, "cuDNN"),
    },
    Known {
        id: "onnxruntime-cuda-major",
        severity: Outcome::Warning,
        source: "onnxruntime.ai, CUDA execution provider, requirements: a build runs with its own major version of CUDA only",
        next: "install the CUDA libraries that it needs, or the build of ONNX Runtime for the CUDA that is there",
        found: |facts| other_major(facts, "libcudart.so.", &facts.cuda_runtime, "CUDA"),
    },
    Known {
        id: "driver-halves-differ",
        severity: Outcome::Failed,
        source: "NVIDIA, CUDA Driver API, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803); github.com/NVIDIA/nvidia-docker issue 182",
        next: "restart the machine, or start the container anew: the driver was updated under it",
        found: |facts| {
            if facts.jetson.is_some() {
                return None;
            }
            let module = &facts.kernel_module.as_ref()?.version;
            // Forward compatibility packages differ on purpose.
            let library = facts.driver.first().filter(|library| !in_folder(library, "compat"))?;
            let differ = library.suffix.contains('.') && &library.suffix != module;
            differ.then(|| format!("libcuda is {}, the loaded kernel module {module}", library.suffix))
        },
    },
    Known {
        id: "driver-is-a-stub",
        severity: Outcome::Failed,
        source: "NVIDIA, CUDA Driver API, CUDA_ERROR_STUB_LIBRARY (34)",
        next: "take that folder out of LD_LIBRARY_PATH and out of /etc/ld.so.conf.d",
        found: |facts| {
            let library = facts.driver.first().filter(|library| in_folder(library, "stubs"))?;
            Some(format!("{} is the toolkit's stub, and the loader meets it first", library.path.display()))
        },
    },
    Known {
        id: "no-uvm-node",
        severity: Outcome::Failed,
        source: "github.com/NVIDIA/nvidia-container-toolkit issue 50, github.com/NVIDIA/nvidia-docker issue 471: nvidia-smi \
                 works and cuInit does not",
        next: "on the host run nvidia-modprobe -u; start the container with the NVIDIA runtime or --device /dev/nvidia-uvm",
        found: |facts| {
            let gpu = facts.has_node("nvidiactl") || facts.has_node("nvidia0");
            let lacks = gpu && !facts.has_node("nvidia-uvm") && !facts.driver.is_empty() && facts.jetson.is_none();
            lacks.then(|| "/dev/nvidia-uvm is missing, so the GPU is visible but unusable".to_owned())
        },
    },
    Known {
        id: "driver-without-nodes",
        severity: Outcome::Failed,
        source: "NVIDIA Container Toolkit, user guide: devices and driver are both passed in",
        next: "start the container with the NVIDIA runtime (--gpus all, or --runtime nvidia on a Jetson)",
        found: |facts| {
            let gone = facts.system.container
                && !facts.driver.is_empty()
                && facts.cuda().is_none_or(|cuda| cuda.devices.is_empty())
                && !["nvidiactl", "nvidia0", "nvmap", "dxg"].iter().any(|node| facts.has_node(node));
            gone.then(|| "the container has libcuda but no device node of NVIDIA's".to_owned())
        },
    },
    Known {
        id: "jetson-without-lsmod",
        severity: Outcome::Failed,
        source: "github.com/roboflow/inference pull requests 2816 and 2817, github.com/insight-platform/Savant issue 1161: NVIDIA's \
                 decoder asks lsmod which GPU it is on",
        next: "install kmod in the container, or set AARCH64_IGPU=1 (Orin) or AARCH64_DGPU=1",
        found: |facts| {
            let lacks = facts.jetson.is_some() && !facts.system.lsmod;
            lacks.then(|| "there is no lsmod, so hardware decoders give no picture".to_owned())
        },
    },
    Known {
        id: "jetson-dead-display",
        severity: Outcome::Warning,
        source: "github.com/fan-chao/nvjmi issue 2: \"Could not get EGL display connection\"",
        next: "unset DISPLAY for this program",
        found: |facts| {
            facts.jetson.as_ref()?;
            let display = facts.system.dead_display.as_ref()?;
            Some(format!("DISPLAY is {display} and nobody listens there, which breaks EGL and with it hardware frames"))
        },
    },
];

fn taken(facts: &Facts) -> Option<Version> {
    facts.tensorrt.taken()?.version()
}

fn in_folder(library: &Library, name: &str) -> bool {
    library.path.iter().any(|part| part == name)
}

/// A provider that misses `<prefix>N` while another major version of the library is there.
fn other_major(facts: &Facts, prefix: &str, there: &[Library], name: &str) -> Option<String> {
    let wanted = |provider: &Provider| {
        let missing = provider.missing.iter().find_map(|missing| Version::parse(missing.strip_prefix(prefix)?))?;
        Some((provider.name, missing.major()))
    };
    let (provider, wanted) = facts.providers.iter().find_map(wanted)?;
    let there = there.iter().find(|library| library.major().is_some_and(|major| major != wanted))?;
    let version = there.version.as_ref()?;
    Some(format!("ONNX Runtime's {provider} provider is built for {name} {wanted}, and {name} {version} is installed"))
}

#[cfg(test)]
mod tests;
