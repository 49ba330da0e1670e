//! The folder that a model comes into: ours alone while it comes, and never a way out of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::failed::Failed;

/// Everything that is written here.
const FILES: [&str; 5] = ["model.onnx", "model.onnx.part", "model.onnx.part.json", "model.toml", "LICENCE"];

/// `<folder>/<name>`, locked.
pub(super) struct Place {
    path: PathBuf,
    /// Holds the lock.
    folder: File,
}

/// What `put` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It stands there now.
    Written,
    /// It stood there before.
    Same,
    /// Another stands there and was left alone.
    Kept,
}

impl Place {
    /// Makes it where it is missing.
    ///
    /// # Errors
    /// It, or a file that would be written in it, is a symbolic link or another thing than it should be; another pull
    /// is at work in it; it cannot be made.
    pub fn open(folder: &Path, name: &str) -> Result<Self, Failed> {
        fs::create_dir_all(folder).map_err(|error| Failed::at(folder, &error))?;
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => return Err(link(&path)),
            Ok(found) if !found.is_dir() => return Err(Failed::data(format!("{}: is no folder", path.display()))),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Failed::at(&path, &error)),
                _ => {}
            },
            Err(error) => return Err(Failed::at(&path, &error)),
        }
        let folder = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY).open(&path);
        let place = Self { folder: folder.map_err(|error| Failed::at(&path, &error))?, path };
        place.lock()?;
        for file in FILES {
            match fs::symlink_metadata(place.path(file)) {
                Ok(found) if found.is_symlink() => return Err(link(&place.path(file))),
                Ok(found) if !found.is_file() => {
                    return Err(Failed::data(format!("{}: is no file", place.path(file).display())));
                }
                _ => {}
            }
        }
        Ok(place)
    }

    fn lock(&self) -> Result<(), Failed> {
        let path = self.path.display();
        match self.folder.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => {
                Err(Failed::later(format!("{path}: another pull is at work there; wait for it")))
            }
            Err(TryLockError::Error(error)) => {
                // Some network file systems lock no folders.
                eprintln!("{path}: cannot be locked ({error}): do not pull into it twice at once");
                Ok(())
            }
        }
    }

    /// A file in it.
    pub fn path(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }

    /// Whether it holds a file of this name.
    pub fn holds(&self, file: &str) -> bool {
        fs::symlink_metadata(self.path(file)).is_ok()
    }

    /// Writes a small file whole or not at all; one with other words is kept, unless `force`.
    pub fn put(&self, file: &str, text: &str, force: bool) -> Result<Put, Failed> {
        let path = self.path(file);
        match fs::read(&path) {
            Ok(there) if there == text.as_bytes() => return Ok(Put::Same),
            Ok(_) if !force => return Ok(Put::Kept),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Failed::at(&path, &error)),
            _ => {}
        }
        let mut new = tempfile_in(&self.path, file).map_err(|error| Failed::at(&path, &error))?;
        let written = new.1.write_all(text.as_bytes()).and_then(|()| new.1.sync_all());
        let renamed = written.and_then(|()| fs::rename(&new.0, &path));
        if let Err(error) = renamed {
            let _ = fs::remove_file(&new.0);
            return Err(Failed::at(&path, &error));
        }
        self.sync()?;
        Ok(Put::Written)
    }

    /// What was renamed stays renamed.
    pub fn sync(&self) -> Result<(), Failed> {
        self.folder.sync_all().map_err(|error| Failed::at(&self.path, &error))
    }

    /// Away with the folder where nothing came into it.
    pub fn leave(self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// Opens for reading and writing, makes it where it is missing, and follows no link.
pub(super) fn open_own(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW).open(path)
}

fn tempfile_in(folder: &Path, file: &str) -> io::Result<(PathBuf, File)> {
    let path = folder.join(format!(".{file}.{}", std::process::id()));
    let _ = fs::remove_file(&path);
    let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
    Ok((path, file))
}

fn link(path: &Path) -> Failed {
    let path = path.display();
    Failed::data(format!(
        "{path}: is a symbolic link, which is not followed; remove it, or name another folder: --folder DIR"
    ))
}
