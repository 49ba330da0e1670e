//! Who this process is, and which device nodes it may open.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::machine::Machine;

/// The user that this process runs as.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct User {
    pub(super) uid: u32,
    /// `None` where the system has no name for it.
    pub(super) name: Option<String>,
    /// Names of the groups, or their numbers where they have none.
    pub(super) groups: Vec<String>,
}

/// What opening a node gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Opened {
    /// It may be read and written.
    Yes,
    /// The node's mode keeps this user out.
    Denied,
    /// The service manager or the container keeps this process out.
    Forbidden,
    /// The device behind it is not there or does not answer.
    Broken,
    /// Of another system: not tried.
    NotTried,
}

/// A device node that CUDA or a decoder opens.
#[derive(Debug, Serialize)]
pub(super) struct Node {
    pub(super) path: PathBuf,
    pub(super) opened: Opened,
    /// The system's words where it could not be opened.
    pub(super) error: Option<String>,
    /// The group it belongs to.
    pub(super) group: Option<String>,
}

/// `O_NONBLOCK` of Linux on x86-64 and AArch64.
const NONBLOCK: i32 = 0o4000;

impl User {
    pub(super) fn read(machine: &Machine) -> Option<Self> {
        let status = machine.text("/proc/self/status")?;
        let numbers = |name: &str| -> Vec<u32> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect()
        };
        // Real, effective, saved, of the file system.
        let (uid, gid) = (*numbers("Uid").get(1)?, *numbers("Gid").get(1)?);
        let mut ids = numbers("Groups");
        if !ids.contains(&gid) {
            ids.insert(0, gid);
        }
        let groups = machine.text("/etc/group").unwrap_or_default();
        let groups = ids.into_iter().map(|id| name_of(&groups, id).unwrap_or_else(|| id.to_string())).collect();
        let name = name_of(&machine.text("/etc/passwd").unwrap_or_default(), uid);
        Some(Self { uid, name, groups })
    }
}

/// The first field of the line whose third is `id`, in `/etc/passwd` and `/etc/group`.
fn name_of(text: &str, id: u32) -> Option<String> {
    let id = id.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(&id))?;
    line.split(':').next().map(str::to_owned)
}

/// All nodes of NVIDIA's devices, and of the GPUs that decode.
pub(super) fn nodes(machine: &Machine) -> Vec<Node> {
    let mut paths = Vec::new();
    for name in machine.names("/dev") {
        let wanted =
            name.starts_with("nvidia") || name.starts_with("nvhost-") || name == "nvmap" || name == "v4l2-nvdec";
        // Debuggers' and profilers' own.
        if wanted && !name.contains("dbg") && !name.contains("prof") {
            paths.push(Path::new("/dev").join(name));
        }
    }
    for gpu in machine.names("/dev/nvgpu") {
        let folder = Path::new("/dev/nvgpu").join(gpu);
        let names = machine.names(&folder).into_iter().filter(|name| !name.contains("dbg") && !name.contains("prof"));
        paths.extend(names.map(|name| folder.join(name)));
    }
    let cards = machine.names("/dev/dri").into_iter().filter(|name| name.starts_with("renderD"));
    paths.extend(cards.map(|name| Path::new("/dev/dri").join(name)));
    let groups = machine.text("/etc/group").unwrap_or_default();
    paths.into_iter().filter_map(|path| node(machine, path, &groups)).collect()
}

fn node(machine: &Machine, path: PathBuf, groups: &str) -> Option<Node> {
    let place = machine.place(&machine.resolve(&path)?);
    let about = std::fs::metadata(&place).ok()?;
    if about.is_dir() {
        return None;
    }
    let group = name_of(groups, about.gid());
    let device = about.file_type().is_char_device() || about.file_type().is_block_device();
    if device && !machine.is_this_one() {
        return Some(Node { path, opened: Opened::NotTried, error: None, group });
    }
    let error = OpenOptions::new().read(true).write(true).custom_flags(NONBLOCK).open(&place).err();
    let opened = match &error {
        None => Opened::Yes,
        // EPERM, which a control group answers; EACCES is the file's mode.
        Some(error) if error.raw_os_error() == Some(1) => Opened::Forbidden,
        Some(error) if error.kind() == ErrorKind::PermissionDenied => Opened::Denied,
        Some(_) => Opened::Broken,
    };
    Some(Node { path, opened, error: error.map(|error| error.to_string()), group })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn lay_out(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let place = folder.path().join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, text).unwrap();
        }
        let machine = Machine::new(folder.path(), []);
        (folder, machine)
    }

    #[test]
    fn the_user_is_who_proc_says() {
        let status =
            "Name:\twatchkeeper\nUid:\t1000\t998\t998\t998\nGid:\t1000\t997\t997\t997\nGroups:\t44 109 65534 \n";
        let (_folder, machine) = lay_out(&[
            ("proc/self/status", status),
            ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwatchkeeper:x:998:997::/:/usr/sbin/nologin\n"),
            ("etc/group", "root:x:0:\nvideo:x:44:watchkeeper\nrender:x:109:\nwatchkeeper:x:997:\n"),
        ]);
        let user = User::read(&machine).unwrap();
        assert_eq!((user.uid, user.name.as_deref()), (998, Some("watchkeeper")));
        assert_eq!(user.groups, ["watchkeeper", "video", "render", "65534"]);
    }

    #[test]
    fn the_nodes_of_a_jetson_are_found_and_tried() {
        let names =
            ["nvmap", "nvhost-ctrl", "nvhost-dbg-gpu", "nvidia0", "nvgpu/igpu0/ctrl", "nvgpu/igpu0/prof", "null"];
        let files: Vec<(String, &str)> = names.iter().map(|name| (format!("dev/{name}"), "")).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let (folder, machine) = lay_out(&files);
        fs::create_dir_all(folder.path().join("dev/nvidia-caps")).unwrap();
        // Opening a socket is refused to everybody, root too.
        let _socket = UnixListener::bind(folder.path().join("dev/nvidiactl")).unwrap();
        let nodes = nodes(&machine);
        let found: Vec<(&str, Opened)> = nodes.iter().map(|node| (node.path.to_str().unwrap(), node.opened)).collect();
        let want = [
            ("/dev/nvhost-ctrl", Opened::Yes),
            ("/dev/nvidia0", Opened::Yes),
            ("/dev/nvidiactl", Opened::Broken),
            ("/dev/nvmap", Opened::Yes),
            ("/dev/nvgpu/igpu0/ctrl", Opened::Yes),
        ];
        assert_eq!(found, want);
        assert!(nodes[2].error.is_some());
    }
}
