//! Which Jetson, which L4T, which JetPack.

use serde::Serialize;

use super::machine::Machine;
use super::version::Version;

/// A Jetson, as its files describe it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Jetson {
    /// Name of the board.
    pub(super) model: Option<String>,
    /// Release of Jetson Linux.
    pub(super) l4t: Option<Version>,
    /// As `dpkg` has it, or what this L4T came with; `6.2`, `6`.
    pub(super) jetpack: Option<String>,
}

/// JetPack that came with an L4T. Source: NVIDIA's JetPack archive (developer.nvidia.com/embedded/jetpack-archive).
const JETPACKS: [(&[u32], &str); 16] = [
    (&[39, 2], "7.2"),
    (&[38, 2], "7.0"),
    (&[36, 5, 2], "6.2.3"),
    (&[36, 5, 0], "6.2.2"),
    (&[36, 4, 4], "6.2.1"),
    (&[36, 4, 3], "6.2"),
    (&[36, 4, 0], "6.1"),
    (&[36, 3, 0], "6.0"),
    (&[35, 6, 2], "5.1.5"),
    (&[35, 4, 1], "5.1.2"),
    (&[35, 3, 1], "5.1.1"),
    // Where no more is known than the family.
    (&[39], "7"),
    (&[38], "7"),
    (&[36], "6"),
    (&[35], "5"),
    (&[32], "4"),
];

impl Jetson {
    /// `None` where the machine is no Jetson.
    pub(super) fn read(machine: &Machine, dpkg: &str) -> Option<Self> {
        // A container sees the device tree, but has the release file only where the NVIDIA runtime mounts it.
        let tegra = machine.text("/proc/device-tree/compatible").is_some_and(|text| text.contains("nvidia,tegra"));
        let release = machine.text("/etc/nv_tegra_release");
        let package = package_version(dpkg, "nvidia-l4t-core");
        if !tegra && release.is_none() && package.is_none() {
            return None;
        }
        let l4t = release.as_deref().and_then(l4t).or_else(|| Version::parse(package?));
        let installed = package_version(dpkg, "nvidia-jetpack").and_then(Version::parse);
        let jetpack = installed.map(|version| version.to_string()).or_else(|| jetpack(l4t.as_ref()?));
        Some(Self { model: machine.text("/proc/device-tree/model"), l4t, jetpack })
    }

    /// First part of the L4T release: 36 is JetPack 6.
    pub(super) fn l4t_major(&self) -> Option<u32> {
        self.l4t.as_ref().map(Version::major)
    }
}

/// From `# R36 (release), REVISION: 4.3, GCID: ..., BOARD: generic, ...`.
fn l4t(release: &str) -> Option<Version> {
    let line = release.lines().find(|line| line.contains("(release)"))?;
    let (major, rest) = line.trim_start_matches(['#', ' ']).strip_prefix('R')?.split_once(' ')?;
    let revision = Version::parse(rest.split_once("REVISION:")?.1.trim())?;
    Version::parse(&format!("{}.{revision}", major.trim()))
}

fn jetpack(l4t: &Version) -> Option<String> {
    let known = JETPACKS.iter().find(|(release, _)| l4t.begins_with(release))?;
    Some(known.1.to_owned())
}

/// Version of an installed package in the text of `/var/lib/dpkg/status`.
pub(super) fn package_version<'a>(dpkg: &'a str, package: &str) -> Option<&'a str> {
    let mut paragraphs = dpkg.split("\n\n");
    let field = |paragraph: &'a str, name: &str| {
        paragraph.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    };
    let found = paragraphs.find(|paragraph| {
        field(paragraph, "Package") == Some(package)
            && field(paragraph, "Status").is_some_and(|status| status.ends_with(" installed"))
    })?;
    field(found, "Version")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ORIN: &str = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: Wed Jan  8 \
                        01:49:37 UTC 2025\n# KERNEL_VARIANT: oot\nTARGET_USERSPACE_LIB_DIR=nvidia\n\
                        TARGET_USERSPACE_LIB_DIR_PATH=usr/lib/aarch64-linux-gnu/nvidia\n";

    #[test]
    fn releases_of_real_boards_are_read() {
        for (text, release, jetpack) in [
            (ORIN, "36.4.3", Some("6.2")),
            (
                "# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic, EABI: aarch64, DATE: Thu Sep 18 \
                 22:54:44 UTC 2025",
                "36.4.7",
                Some("6"),
            ),
            (
                "# R38 (release), REVISION: 2.0, GCID: 41844464, BOARD: generic, EABI: aarch64, DATE: Fri Aug 22 \
                 00:55:42 UTC 2025",
                "38.2.0",
                Some("7.0"),
            ),
            (
                "# R35 (release), REVISION: 3.1, GCID: 32790763, BOARD: t186ref, EABI: aarch64, DATE: Wed Mar 15 \
                 07:54:12 UTC 2023",
                "35.3.1",
                Some("5.1.1"),
            ),
            (
                "# R32 (release), REVISION: 7.1, GCID: 29689809, BOARD: t186ref, EABI: aarch64, DATE: Wed Feb  2 \
                 21:33:23 UTC 2022",
                "32.7.1",
                Some("4"),
            ),
            ("# R99 (release), REVISION: 1.0", "99.1.0", None),
        ] {
            let found = l4t(text).unwrap();
            assert_eq!((found.to_string().as_str(), super::jetpack(&found).as_deref()), (release, jetpack));
        }
        for text in ["", "# R36", "# R36 (release)", "R (release), REVISION: 1", "# R36 (release), REVISION: new"] {
            assert_eq!(l4t(text), None, "{text}");
        }
    }

    #[test]
    fn only_installed_packages_count() {
        let dpkg = "Package: nvidia-l4t-core\nStatus: install ok installed\nPriority: standard\nSection: metapackages\n\
                    Maintainer: NVIDIA Corporation\nArchitecture: arm64\nVersion: 36.4.3-20250107174145\n\
                    Description: NVIDIA Core Package\n Version: 1.0 of a continuation line\n\n\
                    Package: nvidia-jetpack\nStatus: deinstall ok config-files\nVersion: 6.2+b77\n\n\
                    Package: libc6\nStatus: install ok installed\nMulti-Arch: same\nVersion: 2.35-0ubuntu3.8\n";
        assert_eq!(package_version(dpkg, "nvidia-l4t-core"), Some("36.4.3-20250107174145"));
        assert_eq!(package_version(dpkg, "nvidia-jetpack"), None, "removed, its settings are left");
        assert_eq!(package_version(dpkg, "libc6"), Some("2.35-0ubuntu3.8"));
        assert_eq!(package_version(dpkg, "libc"), None);
    }

    #[test]
    fn a_jetson_is_known_by_any_of_its_marks() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::new(folder.path(), []);
        assert!(Jetson::read(&machine, "").is_none());
        std::fs::create_dir_all(folder.path().join("proc/device-tree")).unwrap();
        std::fs::write(
            folder.path().join("proc/device-tree/compatible"),
            "nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0",
        )
        .unwrap();
        let container = Jetson::read(&machine, "").unwrap();
        assert!(container.l4t.is_none() && container.jetpack.is_none());
        std::fs::create_dir_all(folder.path().join("etc")).unwrap();
        std::fs::write(folder.path().join("etc/nv_tegra_release"), ORIN).unwrap();
        let dpkg = "Package: nvidia-jetpack\nStatus: install ok installed\nVersion: 6.2.1+b38\n";
        let jetson = Jetson::read(&machine, dpkg).unwrap();
        assert_eq!((jetson.l4t_major(), jetson.jetpack.as_deref()), (Some(36), Some("6.2.1")));
    }
}
