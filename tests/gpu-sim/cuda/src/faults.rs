//! What libcuda can be told to do wrong: the section `cuda` of the fault document.

use serde::Deserialize;

/// The section's keys; README.md explains them to users.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// Devices there are; 0: `cuInit` answers "no device".
    pub devices: i32,
    /// `cuInit` answers with this error; 0: it works.
    pub init_error: u32,
    /// What the driver says it supports: 12020 is CUDA 12.2.
    pub driver_version: i32,
    /// Major and minor number.
    pub compute_capability: String,
    /// Bytes of device memory.
    pub total_memory: u64,
    /// Host and device share memory, as on Jetson.
    pub integrated: bool,
    /// The n-th allocation of device memory from now on fails; 0: none.
    pub fail_allocation: u64,
    /// That allocation and all later ones fail.
    pub fail_allocation_onwards: bool,
    /// The n-th allocation of host memory from now on fails; 0: none.
    pub fail_host_allocation: u64,
    /// The n-th piece of work given to a stream from now on fails; 0: none.
    pub sticky_after: u64,
    /// With this error, which all later calls repeat.
    pub sticky_error: u32,
    /// Every copy takes so much longer.
    pub copy_ms: u64,
    /// Every kernel takes so much longer.
    pub launch_ms: u64,
    /// Kernels with "proof" in their name leave a wrong result.
    pub wrong_proof: bool,
    /// No work of a stream ends any more.
    pub hang: bool,
    /// The same from the n-th piece of work on; 0: never.
    pub hang_after: u64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            devices: 1,
            init_error: 0,
            driver_version: 12020,
            compute_capability: "8.7".to_owned(),
            total_memory: 8 << 30,
            integrated: false,
            fail_allocation: 0,
            fail_allocation_onwards: false,
            fail_host_allocation: 0,
            sticky_after: 0,
            sticky_error: 700,
            copy_ms: 0,
            launch_ms: 0,
            wrong_proof: false,
            hang: false,
            hang_after: 0,
        }
    }
}

impl Faults {
    /// Major and minor number; 0.0 where the text is none.
    pub(crate) fn capability(&self) -> (i32, i32) {
        let (major, minor) = self.compute_capability.split_once('.').unwrap_or(("0", "0"));
        (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
    }
}
