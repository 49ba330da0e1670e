//! Small files that outlive the process.

use std::path::Path;
use std::{fs, io};

use serde::Serialize;

/// Writes JSON by renaming: half a file never stands there.
pub(super) fn write(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_string_pretty(content).map_err(io::Error::other)?;
    let new = path.with_extension("json.new");
    fs::write(&new, text + "\n")?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, path)
}
