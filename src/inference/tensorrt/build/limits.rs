//! How much memory a build may take on a machine that has little.

/// Limits of a build with `--low-memory`, bytes of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Scratch that one layer may ask for: a quarter of what is free, 64 MiB to 512 MiB.
    pub workspace: u64,
    /// What the kernels that are compared may take while they are timed: half of what is free, at least 256 MiB.
    pub tactics: u64,
}

const MIB: u64 = 1 << 20;

impl Limits {
    /// For a device with so much free memory; where host and device share theirs (Jetson), `host` is what the system
    /// says is to be had without swapping.
    #[must_use]
    pub fn of(device: u64, host: Option<u64>, integrated: bool) -> Self {
        let free = if integrated { host.map_or(device, |host| host.min(device)) } else { device };
        Self { workspace: (free / 4).clamp(64 * MIB, 512 * MIB), tactics: (free / 2).max(256 * MIB) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_follow_what_is_free_within_bounds() {
        let gib = 1 << 30;
        assert_eq!(Limits::of(8 * gib, None, false), Limits { workspace: 512 * MIB, tactics: 4 * gib });
        // On a Jetson the system's word counts, not the driver's.
        assert_eq!(Limits::of(6 * gib, Some(gib), true), Limits { workspace: 256 * MIB, tactics: 512 * MIB });
        assert_eq!(Limits::of(6 * gib, Some(gib), false).workspace, 512 * MIB);
        assert_eq!(Limits::of(0, Some(0), true), Limits { workspace: 64 * MIB, tactics: 256 * MIB });
    }
}
