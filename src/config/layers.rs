//! The file layer: the configuration file and what lies in `conf.d` beside it.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use config::{ConfigError, Map, Source, Value};

use super::document;
use super::problem::Location;
use super::report::Report;

/// No configuration is this large; a video that was named by mistake is.
const MAX_BYTES: u64 = 1 << 20;

/// Values of one layer, by key.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer(pub Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Reads `path` and `conf.d/*.toml` beside it, in order of name.
pub(super) fn read(path: &Path, report: &mut Report) -> Layer {
    let mut layer = Layer::default();
    add(path, &mut layer, report);
    for path in additions(path, report) {
        add(&path, &mut layer, report);
    }
    layer
}

fn add(path: &Path, layer: &mut Layer, report: &mut Report) {
    report.files.push(path.to_path_buf());
    match read_text(path) {
        Ok(text) => document::add(&text, path, &mut layer.0, report),
        Err((location, message)) => {
            report.incomplete = true;
            report.problem_at(location, message);
        }
    }
}

fn read_text(path: &Path) -> Result<String, (Option<Location>, String)> {
    let bytes = read_bytes(path, MAX_BYTES).map_err(|problem| (None, format!("{}: {problem}", path.display())))?;
    String::from_utf8(bytes).map_err(|e| {
        let valid = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]).into_owned();
        let line = valid.matches('\n').count() + 1;
        let column = valid.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let location = Location::File { path: path.to_path_buf(), line, column };
        (Some(location), "not UTF-8, which TOML must be; save the file as UTF-8".to_owned())
    })
}

/// A whole file of at most `limit` bytes, or what is wrong with it and what to do.
pub(super) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let file = open(path)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    if bytes.len() as u64 > limit {
        return Err(format!("larger than {}; is it the right file?", size(limit)));
    }
    Ok(bytes)
}

/// Opens a regular file, or says what is wrong and what to do.
pub(super) fn open(path: &Path) -> Result<std::fs::File, String> {
    let metadata = std::fs::metadata(path).map_err(|e| why(&e))?;
    if metadata.is_dir() {
        return Err("a folder, not a file; name a file in it".to_owned());
    }
    // Opening a pipe would wait for its writer.
    if !metadata.is_file() {
        return Err("not a regular file; name one".to_owned());
    }
    std::fs::File::open(path).map_err(|e| why(&e))
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file; create it or correct the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs watchkeeper read it (chown or chmod)".to_owned()
        }
        _ => format!("cannot be opened: {error}"),
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 1 << 20 { format!("{} MB", bytes >> 20) } else { format!("{} kB", bytes >> 10) }
}

/// Names that begin with a dot are editors' leftovers.
fn additions(path: &Path, report: &mut Report) -> Vec<PathBuf> {
    let folder = path.parent().unwrap_or(Path::new("")).join("conf.d");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            report.incomplete = true;
            report.problem_at(None, format!("{}: cannot be listed: {e}", folder.display()));
            return Vec::new();
        }
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "toml"))
        .filter(|p| p.file_name().is_some_and(|n| !n.as_encoded_bytes().starts_with(b".")))
        .collect();
    paths.sort();
    paths
}
