//! Why a device cannot be had.

use std::ffi::c_int;
use std::path::PathBuf;

use crate::{CudaError, Error};

/// The first driver that knows PTX ISA 8.2 (NVIDIA's "PTX ISA", release notes), in CUDA's numbering.
pub(crate) const OLDEST: c_int = 12_020;

/// Why there is no device to work with. Each step on the way has its own, and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The driver's library is not there or cannot be opened.
    #[error("{}: {reason}; install the NVIDIA driver, or start the container with the NVIDIA runtime", path.display())]
    Library {
        /// Library tried.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// It is no driver, or one from before CUDA 11.4.
    #[error("{} has no function {function}: no NVIDIA driver, or one that is too old; install a current one", path.display())]
    Function {
        /// Library opened.
        path: PathBuf,
        /// What it lacks.
        function: &'static str,
    },
    /// The driver does not start.
    #[error("the driver loads but does not start: {source}; {}", advice(source))]
    Init {
        /// The driver's answer.
        source: CudaError,
    },
    /// The driver is too old for the kernels.
    #[error("the driver is CUDA {}.{}'s, the kernels need {}.{}'s or newer; update the driver",
        found / 1000, found % 1000 / 10, OLDEST / 1000, OLDEST % 1000 / 10)]
    Old {
        /// CUDA's number for it: 1000 * major + 10 * minor.
        found: i32,
    },
    /// The driver starts and finds nothing.
    #[error("no GPU: the driver starts but finds none; look at `nvidia-smi`, and at CUDA_VISIBLE_DEVICES")]
    NoDevice,
    /// A device that is not there.
    #[error("GPU {asked} asked for, but there {}; they count from 0", if *count == 1 { "is 1".to_owned() } else { format!("are {count}") })]
    NoSuchDevice {
        /// Ordinal asked for.
        asked: u32,
        /// How many there are.
        count: u32,
    },
    /// A device does not tell what it is.
    #[error("GPU {ordinal} is there but does not answer: {source}; {}", advice(source))]
    Query {
        /// Which device.
        ordinal: u32,
        /// The driver's answer.
        source: CudaError,
    },
    /// A device is seen but cannot be used.
    #[error("GPU {ordinal} is visible but cannot be used: {source}; {}", advice(source))]
    Context {
        /// Which device.
        ordinal: u32,
        /// The driver's answer.
        source: CudaError,
    },
    /// The driver does not take a kernel.
    #[error("GPU {ordinal} does not take the kernels in {module:?}: {source}{}{log}", if log.is_empty() { "" } else { "; " })]
    Kernels {
        /// Which device.
        ordinal: u32,
        /// Source file of the kernels.
        module: &'static str,
        /// The driver's answer.
        source: CudaError,
        /// What its compiler says, one line.
        log: String,
    },
    /// The proof could not be run.
    #[error("GPU {ordinal} does not run a kernel: {source}")]
    Proof {
        /// Which device.
        ordinal: u32,
        /// What failed.
        source: Box<Error>,
    },
    /// The proof ran and its answer is wrong.
    #[error(
        "GPU {ordinal} computes wrongly: word {at} of the proof is {got:#010x}, not {want:#010x}; \
         look for Xid and ECC errors in the kernel's log, and do not trust this device"
    )]
    Wrong {
        /// Which device.
        ordinal: u32,
        /// First wrong word.
        at: usize,
        /// What the device gave.
        got: u32,
        /// What is right.
        want: u32,
    },
}

/// What to do about it. Source: the entries of `CUresult` in NVIDIA's "CUDA Driver API".
fn advice(error: &CudaError) -> &'static str {
    match error.code {
        34 => "this is the toolkit's stub, not a driver; take its folder out of LD_LIBRARY_PATH",
        46 => "another process has the GPU for itself; look at its compute mode (`nvidia-smi -q -d COMPUTE`)",
        100 => "there is no GPU, or this process may not see it; in a container, start it with the NVIDIA runtime",
        2 => "its memory is full; look which process holds it (`nvidia-smi`)",
        500 => {
            "the GPU is visible but unusable: a container that was given part of the driver or of the \
             devices only; start it with the NVIDIA runtime, and check that /dev/nvidia-uvm is there"
        }
        802 => "the system is still starting it; on NVSwitch systems, start nvidia-fabricmanager",
        803 => "the driver's library and its kernel module are of different versions; restart the machine",
        804 => "the compatibility package in LD_LIBRARY_PATH does not work with this GPU; take it out",
        999 => "the kernel module may not be fully loaded: run `nvidia-modprobe -u`, or restart the machine",
        _ => "look at `nvidia-smi` and at the kernel's log (`dmesg | grep -i nvrm`)",
    }
}
