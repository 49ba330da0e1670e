//! Where files are read: this machine, or another system's root folder.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

/// More than any file that is read here has, but `dpkg`'s list.
const MOST: u64 = 64 << 20;

/// A system's files.
#[derive(Debug)]
pub(super) struct Machine {
    root: PathBuf,
    /// The environment of this process, which another root has nothing to do with.
    variables: BTreeMap<OsString, OsString>,
}

impl Machine {
    pub(super) fn new(root: &Path, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut machine = Self { root: root.to_owned(), variables: BTreeMap::new() };
        if machine.is_this_one() {
            machine.variables = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        }
        machine
    }

    /// True where libraries can be loaded and devices opened.
    pub(super) fn is_this_one(&self) -> bool {
        self.root == Path::new("/")
    }

    /// A variable of the environment that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(OsStr::new(name)).map(|value| value.to_string_lossy().into_owned())
    }

    /// The folders of a variable such as `LD_LIBRARY_PATH`.
    pub(super) fn folders(&self, name: &str) -> Vec<PathBuf> {
        let folders = self.variables.get(OsStr::new(name)).into_iter().flat_map(std::env::split_paths);
        folders.filter(|folder| folder.is_absolute()).collect()
    }

    /// A text file, without the NULs that device trees end their texts with.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(path)?).replace('\0', " ").trim().to_owned())
    }

    /// A file, as far as [`MOST`].
    fn bytes(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = fs::File::open(self.place(&self.resolve(path.as_ref())?)).ok()?;
        file.take(MOST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// A regular file, opened.
    pub(super) fn file(&self, path: impl AsRef<Path>) -> Option<fs::File> {
        let place = self.place(&self.resolve(path.as_ref())?);
        place.is_file().then(|| fs::File::open(place).ok())?
    }

    pub(super) fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.resolve(path.as_ref()).is_some()
    }

    /// Names in a folder, sorted; none where it cannot be read.
    pub(super) fn names(&self, folder: impl AsRef<Path>) -> Vec<String> {
        let Some(folder) = self.resolve(folder.as_ref()) else { return Vec::new() };
        let entries = fs::read_dir(self.place(&folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The file behind all links, as a path of that system; links of another root lead inside that root.
    pub(super) fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let mut found = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = components(path);
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                found.pop();
                continue;
            }
            found.push(name);
            let place = self.place(&found);
            let Ok(target) = fs::read_link(&place) else {
                fs::symlink_metadata(&place).ok()?;
                continue;
            };
            links += 1;
            // As the kernel counts.
            if links > 40 {
                return None;
            }
            found.pop();
            if target.is_absolute() {
                found = PathBuf::from("/");
            }
            for name in components(&target).into_iter().rev() {
                rest.push_front(name);
            }
        }
        Some(found)
    }

    /// Where a path of that system is on this one.
    pub(super) fn place(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }
}

fn components(path: &Path) -> VecDeque<OsString> {
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    parts.map(|part| part.as_os_str().to_owned()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn machine(folder: &tempfile::TempDir) -> Machine {
        Machine::new(folder.path(), [("LD_LIBRARY_PATH".into(), "/not/asked".into())])
    }

    #[test]
    fn links_of_another_root_stay_inside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("etc/alternatives")).unwrap();
        fs::create_dir_all(at("usr/lib/x")).unwrap();
        fs::write(at("usr/lib/x/libcudnn.so.9.3.0"), "cudnn").unwrap();
        symlink("/usr/lib/x/libcudnn.so.9.3.0", at("etc/alternatives/cudnn")).unwrap();
        symlink("/etc/alternatives/cudnn", at("usr/lib/x/libcudnn.so.9")).unwrap();
        symlink("usr/lib", at("lib")).unwrap();
        symlink("../../../../../../etc/passwd", at("usr/lib/x/outside")).unwrap();
        symlink("round", at("usr/lib/x/round")).unwrap();
        let machine = machine(&folder);
        let found = machine.resolve(Path::new("/lib/x/libcudnn.so.9"));
        assert_eq!(found, Some(PathBuf::from("/usr/lib/x/libcudnn.so.9.3.0")));
        assert_eq!(machine.text("/lib/x/libcudnn.so.9").as_deref(), Some("cudnn"));
        assert_eq!(machine.text("/lib/x/outside"), None, "this machine has such a file, that one has not");
        assert!(!machine.exists("/lib/x/round") && machine.exists("/lib/x/../x"));
        assert_eq!(machine.names("/lib/x"), ["libcudnn.so.9", "libcudnn.so.9.3.0", "outside", "round"]);
        assert!(machine.file("/lib/x").is_none(), "a folder");
    }

    #[test]
    fn texts_of_device_trees_are_read_without_their_nul() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model"), "NVIDIA Jetson AGX Orin Developer Kit\0").unwrap();
        assert_eq!(machine(&folder).text("/model").as_deref(), Some("NVIDIA Jetson AGX Orin Developer Kit"));
    }

    #[test]
    fn only_this_machine_has_this_process_s_environment() {
        let folder = tempfile::tempdir().unwrap();
        let other = machine(&folder);
        assert!(!other.is_this_one() && other.folders("LD_LIBRARY_PATH").is_empty());
        let variables = [("LD_LIBRARY_PATH", "/a:relative:/b::c"), ("DISPLAY", ":0"), ("EMPTY", "")];
        let this = Machine::new(Path::new("/"), variables.map(|(name, value)| (name.into(), value.into())));
        assert!(this.is_this_one());
        assert_eq!(this.folders("LD_LIBRARY_PATH"), [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!((this.variable("DISPLAY").as_deref(), this.variable("EMPTY")), (Some(":0"), None));
    }
}
