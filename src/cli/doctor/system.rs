//! The operating system, and what of it decides whether the GPU works.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::jetson::package_version;
use super::machine::Machine;
use super::version::Version;

/// What is under the daemon.
#[derive(Debug, Default, Serialize)]
pub(super) struct System {
    /// Name of the distribution.
    pub(super) os: Option<String>,
    /// Release of the kernel.
    pub(super) kernel: Option<String>,
    pub(super) glibc: Option<Version>,
    pub(super) container: bool,
    /// True where a decoder plugin's `lsmod` works, or where a variable answers what it asks.
    pub(super) lsmod: bool,
    /// `DISPLAY`, where nothing listens on it.
    pub(super) dead_display: Option<String>,
}

impl System {
    pub(super) fn read(machine: &Machine, dpkg: &str) -> Self {
        let os = machine.text("/etc/os-release").and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
            Some(line.trim_matches(['"', '\'']).to_owned())
        });
        let installed = || package_version(dpkg, "libc6").and_then(Version::parse);
        let running = process::library::glibc_version().filter(|_| machine.is_this_one());
        Self {
            os,
            kernel: machine.text("/proc/sys/kernel/osrelease").filter(|text| !text.is_empty()),
            glibc: running.as_deref().and_then(Version::parse).or_else(installed),
            container: ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"]
                .iter()
                .any(|mark| machine.exists(mark)),
            lsmod: has_lsmod(machine),
            dead_display: machine.variable("DISPLAY").filter(|display| is_dead(machine, display)),
        }
    }
}

/// NVIDIA's decoders ask `lsmod` which GPU they are on, unless these say so.
fn has_lsmod(machine: &Machine) -> bool {
    let mut folders = machine.folders("PATH");
    folders.extend(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from));
    let told = ["AARCH64_IGPU", "AARCH64_DGPU"].iter().any(|name| machine.variable(name).is_some());
    told || folders.iter().any(|folder| machine.exists(folder.join("lsmod")))
}

/// True for a local X display without a socket; others cannot be told from here.
fn is_dead(machine: &Machine, display: &str) -> bool {
    let Some(number) = display.strip_prefix(':') else { return false };
    let number = number.split('.').next().unwrap_or_default();
    !machine.exists(Path::new("/tmp/.X11-unix").join(format!("X{number}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_container_of_ubuntu_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for path in ["etc", "proc/sys/kernel", "usr/bin"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        fs::write(at("etc/os-release"), "NAME=\"Ubuntu\"\nPRETTY_NAME=\"Ubuntu 22.04.5 LTS\"\nID=ubuntu\n").unwrap();
        fs::write(at("proc/sys/kernel/osrelease"), "5.15.148-tegra\n").unwrap();
        fs::write(at(".dockerenv"), "").unwrap();
        let machine = Machine::new(folder.path(), []);
        let dpkg = "Package: libc6\nStatus: install ok installed\nVersion: 2.35-0ubuntu3.8\n";
        let system = System::read(&machine, dpkg);
        assert_eq!(system.os.as_deref(), Some("Ubuntu 22.04.5 LTS"));
        assert_eq!(system.kernel.as_deref(), Some("5.15.148-tegra"));
        assert_eq!(system.glibc.unwrap().to_string(), "2.35");
        assert!(system.container && !system.lsmod && system.dead_display.is_none());
        fs::write(at("usr/bin/lsmod"), "").unwrap();
        assert!(System::read(&machine, dpkg).lsmod);
    }

    #[test]
    fn a_display_that_nobody_listens_on_is_dead() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::new(folder.path(), []);
        assert!(is_dead(&machine, ":0") && is_dead(&machine, ":10.0"));
        assert!(!is_dead(&machine, "host:0") && !is_dead(&machine, "unix/socket"));
        fs::create_dir_all(folder.path().join("tmp/.X11-unix")).unwrap();
        fs::write(folder.path().join("tmp/.X11-unix/X10"), "").unwrap();
        assert!(!is_dead(&machine, ":10.0") && is_dead(&machine, ":1"));
    }
}
