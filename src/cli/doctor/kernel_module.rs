//! The NVIDIA kernel module that is loaded.

use serde::Serialize;

use super::machine::Machine;
use super::version::Version;

/// What `/proc/driver/nvidia/version` says.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct KernelModule {
    /// `535.129.03`; kept as written, since driver files carry it with its zeros.
    pub(super) version: String,
    /// True for the open kernel modules.
    pub(super) open: bool,
}

impl KernelModule {
    pub(super) fn read(machine: &Machine) -> Option<Self> {
        Self::parse(&machine.text("/proc/driver/nvidia/version")?)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
        // The open module puts the architecture between: "Open Kernel Module for aarch64  540.4.0  Release Build".
        let words = line.split_once("Kernel Module")?.1.split_whitespace();
        let version =
            |word: &&str| word.contains('.') && Version::parse(word).is_some_and(|version| version.parts() > 1);
        let version = words.clone().find(version)?.to_owned();
        Some(Self { version, open: line.contains("Open Kernel Module") })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn modules_of_real_machines_are_read() {
        for (text, version, open) in [
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n\
                 GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n",
                "535.129.03",
                false,
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.06  Release Build  (abuild@host)  \
                 Thu Jul 11 12:00:00 UTC 2024\nGCC version:  gcc version 7.5.0 (SUSE Linux) \n",
                "555.42.06",
                true,
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  \
                 (buildbrain@mobile-u64-6336-d8000)  Tue Jan  7 17:35:12 PST 2025\n\
                 GCC version:  collect2: error: ld returned 1 exit status    \n",
                "540.4.0",
                true,
            ),
            (
                "NVRM version: NVIDIA UNIX aarch64 Kernel Module  535.161.07  Sat Feb 17 23:29:15 UTC 2024",
                "535.161.07",
                false,
            ),
            ("NVRM version: NVIDIA UNIX x86_64 Kernel Module 390.48 Thu Mar 22 00:42:57 PDT 2018", "390.48", false),
        ] {
            assert_eq!(KernelModule::parse(text), Some(KernelModule { version: version.to_owned(), open }));
        }
        for text in ["", "GCC version:  gcc version 12.2.0", "NVRM version: NVIDIA UNIX x86_64 Kernel Module"] {
            assert_eq!(KernelModule::parse(text), None, "{text}");
        }
    }
}
