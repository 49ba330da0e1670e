//! Which vendor libraries are on the disk, in which version, and what they need. Nothing is loaded.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::elf;
use super::machine::Machine;
use super::version::Version;

/// A library file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Library {
    /// As found, before links are followed.
    pub(super) path: PathBuf,
    /// From the name of the file behind the links; only the major version where that is all it has.
    pub(super) version: Option<Version>,
    /// The version as the file's name has it, with its zeros.
    #[serde(skip)]
    pub(super) suffix: String,
    /// True where the loader looks.
    pub(super) on_loader_path: bool,
    /// Names of the libraries it needs.
    #[serde(skip)]
    pub(super) needed: Vec<String>,
    /// Why it does not answer, where it was asked.
    pub(super) error: Option<String>,
}

impl Library {
    pub(super) fn major(&self) -> Option<u32> {
        self.version.as_ref().map(Version::major)
    }
}

/// Folders where libraries are, those of the loader first and in its order.
#[derive(Debug)]
pub(super) struct Folders(Vec<(PathBuf, bool)>);

/// Ours and the one that Jetsons have; whichever does not exist has no libraries.
const TRIPLETS: [&str; 2] = ["x86_64-linux-gnu", "aarch64-linux-gnu"];

impl Folders {
    pub(super) fn of(machine: &Machine) -> Self {
        let mut folders: Vec<(PathBuf, bool)> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut add = |folder: PathBuf, loader: bool| {
            if machine.resolve(&folder).is_some_and(|real| seen.insert(real)) {
                folders.push((folder, loader));
            }
        };
        for folder in machine.folders("LD_LIBRARY_PATH") {
            add(folder, true);
        }
        for folder in configured(machine, "/etc/ld.so.conf", 0) {
            add(folder, true);
        }
        let usual = TRIPLETS.iter().flat_map(|triplet| [format!("/lib/{triplet}"), format!("/usr/lib/{triplet}")]);
        for folder in usual.chain(["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(str::to_owned)) {
            add(PathBuf::from(folder), true);
        }
        // Where the vendor puts them, whether or not the loader was told.
        for triplet in TRIPLETS {
            for part in ["nvidia", "tegra", "nvidia/current"] {
                add(PathBuf::from(format!("/usr/lib/{triplet}/{part}")), false);
            }
        }
        for name in machine.names("/usr/local").into_iter().filter(|name| name.starts_with("cuda")) {
            let toolkit = Path::new("/usr/local").join(name);
            add(toolkit.join("lib64"), false);
            for target in machine.names(toolkit.join("targets")) {
                add(toolkit.join("targets").join(target).join("lib"), false);
            }
        }
        add(PathBuf::from("/usr/lib/wsl/lib"), false);
        Self(folders)
    }

    /// Every file `<stem>.so.<digits>...` that this machine's processor can run, each real file once.
    pub(super) fn find(&self, machine: &Machine, stem: &str) -> Vec<Library> {
        let prefix = format!("{stem}.so.");
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        for (folder, on_loader_path) in &self.0 {
            for name in machine.names(folder) {
                let Some(suffix) = name.strip_prefix(&prefix).filter(|suffix| is_number(suffix)) else { continue };
                let path = folder.join(&name);
                let Some(real) = machine.resolve(&path) else { continue };
                let Some(mut file) = machine.file(&path) else { continue };
                let elf = elf::read(&mut file);
                let foreign = elf.as_ref().is_some_and(|elf| machine.is_this_one() && !is_ours(elf.machine));
                let Some(version) = Version::parse(suffix).filter(|_| !foreign) else { continue };
                if !seen.insert(real.clone()) {
                    continue;
                }
                let behind =
                    real.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(&prefix));
                let suffix = behind.filter(|behind| is_number(behind)).unwrap_or(suffix).to_owned();
                let version = Version::parse(&suffix).or(Some(version));
                let needed = elf.map(|elf| elf.needed).unwrap_or_default();
                found.push(Library { path, version, suffix, on_loader_path: *on_loader_path, needed, error: None });
            }
        }
        found
    }

    /// True where a file of this name is in a folder of the loader.
    pub(super) fn has(&self, machine: &Machine, name: &str) -> bool {
        self.0.iter().any(|(folder, loader)| *loader && machine.exists(folder.join(name)))
    }
}

/// Not `9.bak`, `9.debug` or what a package manager leaves.
fn is_number(suffix: &str) -> bool {
    suffix.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn is_ours(machine: u16) -> bool {
    match std::env::consts::ARCH {
        "x86_64" => machine == 62,
        "aarch64" => machine == 183,
        _ => true,
    }
}

/// The folders of `/etc/ld.so.conf` and the files it includes.
fn configured(machine: &Machine, path: &str, depth: u32) -> Vec<PathBuf> {
    let text = machine.text(path).unwrap_or_default();
    let mut folders = Vec::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()) {
        match line.strip_prefix("include ") {
            Some(pattern) if depth < 4 => {
                for file in matching(machine, pattern.trim()) {
                    folders.extend(configured(machine, &file, depth + 1));
                }
            }
            None if line.starts_with('/') => folders.push(PathBuf::from(line)),
            _ => {}
        }
    }
    folders
}

/// Files of `/folder/*.conf`; a star anywhere else is not met with.
fn matching(machine: &Machine, pattern: &str) -> Vec<String> {
    let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/etc/{pattern}") };
    let Some((folder, name)) = pattern.rsplit_once('/') else { return Vec::new() };
    let Some((before, after)) = name.split_once('*') else { return vec![pattern.clone()] };
    let names = machine.names(folder).into_iter();
    names
        .filter(|name| name.starts_with(before) && name.ends_with(after))
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Libraries by path, each with what it needs.
    fn lay_out(files: &[(&str, &[&str])]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().unwrap();
        for (path, needed) in files {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, elf::tests::library(183, needed)).unwrap();
        }
        let machine = Machine::new(folder.path(), []);
        (folder, machine)
    }

    #[test]
    fn each_real_file_is_found_once_with_its_whole_version() {
        let lib = "usr/lib/aarch64-linux-gnu";
        let cudnn = format!("{lib}/libcudnn.so.9.3.0");
        let others = ["libcudnn_ops.so.9.3.0", "libcudnn.so.8.bak", "libcudnn.so.9.3.0.dpkg-new", "libcudnn.so.c"];
        let others = others.map(|name| format!("{lib}/{name}"));
        let mut files: Vec<(&str, &[&str])> = vec![(&cudnn, &["libc.so.6"])];
        files.extend(others.iter().map(|name| (name.as_str(), &[][..])));
        let (folder, machine) = lay_out(&files);
        let at = |path: &str| folder.path().join(path);
        symlink("libcudnn.so.9.3.0", at(&format!("{lib}/libcudnn.so.9"))).unwrap();
        symlink("libcudnn.so.9", at(&format!("{lib}/libcudnn.so"))).unwrap();
        symlink("usr/lib", at("lib")).unwrap();
        let found = Folders::of(&machine).find(&machine, "libcudnn");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, Path::new("/lib/aarch64-linux-gnu/libcudnn.so.9"));
        assert_eq!(found[0].version.as_ref().unwrap().to_string(), "9.3.0");
        assert!(found[0].on_loader_path && found[0].needed == ["libc.so.6"]);
    }

    #[test]
    fn a_link_to_another_name_keeps_its_own_version() {
        let (folder, machine) = lay_out(&[("usr/lib/libsim.so", &[])]);
        symlink("libsim.so", folder.path().join("usr/lib/libnvinfer.so.10")).unwrap();
        let found = Folders::of(&machine).find(&machine, "libnvinfer");
        assert_eq!((found.len(), found[0].major()), (1, Some(10)));
    }

    #[test]
    fn the_loader_s_folders_come_first_and_the_others_are_marked() {
        let (folder, machine) = lay_out(&[
            ("usr/local/cuda-12.6/targets/aarch64-linux/lib/libcudart.so.12.6.68", &[]),
            ("usr/local/cuda-12.2/lib64/libcudart.so.12.2.140", &[]),
            ("usr/lib/aarch64-linux-gnu/nvidia/libnvdla_compiler.so", &[]),
        ]);
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("etc/ld.so.conf.d")).unwrap();
        fs::write(at("etc/ld.so.conf"), "include /etc/ld.so.conf.d/*.conf\n\n").unwrap();
        let line =
            "# JetPack\n/usr/local/cuda-12.6/targets/aarch64-linux/lib\n/usr/lib/aarch64-linux-gnu/nvidia # DLA\n";
        fs::write(at("etc/ld.so.conf.d/988_cuda-12.conf"), line).unwrap();
        fs::write(at("etc/ld.so.conf.d/README"), "/usr/local/cuda-12.2/lib64\n").unwrap();
        let folders = Folders::of(&machine);
        let found: Vec<(String, bool)> = folders
            .find(&machine, "libcudart")
            .into_iter()
            .map(|library| (library.version.unwrap().to_string(), library.on_loader_path))
            .collect();
        assert_eq!(found, [("12.6.68".to_owned(), true), ("12.2.140".to_owned(), false)]);
        assert!(folders.has(&machine, "libnvdla_compiler.so"));
        assert!(!folders.has(&machine, "libcudart.so.12.2.140"), "it is there, but the loader does not know");
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        let (folder, machine) = lay_out(&[]);
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        fs::write(folder.path().join("etc/ld.so.conf"), "include /etc/ld.so.conf\n/opt/lib\n").unwrap();
        assert!(configured(&machine, "/etc/ld.so.conf", 0).contains(&PathBuf::from("/opt/lib")));
    }
}
