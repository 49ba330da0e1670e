//! Where an output goes: beside its place until it is whole.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::cli::exit::BadInput;

/// A file that is being written.
pub(super) struct Place {
    out: BufWriter<Box<dyn Write>>,
    path: PathBuf,
    /// Where it is written until it is finished.
    beside: Option<PathBuf>,
}

impl Place {
    pub(super) fn create(path: &Path, inputs: &[&Path]) -> anyhow::Result<Self> {
        let cannot = |error: std::io::Error| BadInput(format!("{}: cannot be written: {error}", path.display()));
        if let Some(input) = inputs.iter().find(|input| same_file(path, input)) {
            return Err(BadInput(format!("--out {}: is what is read ({})", path.display(), input.display())).into());
        }
        let mut beside = None;
        let out: Box<dyn Write> = if path.as_os_str() == "-" {
            Box::new(std::io::stdout())
        } else if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            Box::new(OpenOptions::new().write(true).open(path).map_err(cannot)?)
        } else {
            let part = part_of(path);
            let file = File::create(&part).map_err(cannot)?;
            beside = Some(part);
            Box::new(file)
        };
        Ok(Self { out: BufWriter::with_capacity(64 * 1024, out), path: path.to_owned(), beside })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.out.write_all(bytes).with_context(|| format!("{}: cannot be written", self.path.display()))
    }

    /// Puts the file in its place.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let cannot = || format!("{}: cannot be written", self.path.display());
        self.out.flush().with_context(cannot)?;
        if let Some(part) = self.beside.take() {
            std::fs::rename(part, &self.path).with_context(cannot)?;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(part) = &self.beside {
            let _ = std::fs::remove_file(part);
        }
    }
}

/// The name that a file has until it is whole.
pub(super) fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    name.into()
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
