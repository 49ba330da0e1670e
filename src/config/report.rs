//! Where every key was written, and what has been found wrong so far.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::problem::{Location, Problem, Problems};

/// Collects problems while a configuration is read, checked and resolved.
#[derive(Debug)]
pub(super) struct Report {
    /// The files in the order of reading; relative paths in the environment start beside the first.
    pub files: Vec<PathBuf>,
    /// A file could not be read to its end, so that a missing name may stand there.
    pub incomplete: bool,
    /// Whoever asks works on engines: plans may not be there yet, and no camera is opened, so that no password is needed.
    pub engines_only: bool,
    places: BTreeMap<String, Location>,
    faulty: BTreeSet<String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            files: Vec::new(),
            incomplete: false,
            engines_only: false,
            places: BTreeMap::new(),
            faulty: BTreeSet::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A value was written here; it replaces one of an earlier layer.
    pub(super) fn place(&mut self, key: &str, location: Location) {
        self.places.insert(key.to_owned(), location);
    }

    /// A section was written here; it adds to one of an earlier layer.
    pub(super) fn place_section(&mut self, key: &str, location: Location) {
        self.places.entry(key.to_owned()).or_insert(location);
    }

    /// Was the key written?
    pub(super) fn written(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// Where the key, or else the nearest section around it, was written.
    fn find(&self, key: &str) -> Option<&Location> {
        let mut key = key;
        loop {
            if let Some(location) = self.places.get(key) {
                return Some(location);
            }
            key = &key[..key.rfind(['.', '['])?];
        }
    }

    /// Relative paths in `key` start here.
    pub(super) fn folder(&self, key: &str) -> &Path {
        let file = match self.find(key) {
            Some(Location::File { path, .. }) => Some(path),
            _ => self.files.first(),
        };
        file.and_then(|f| f.parent()).unwrap_or(Path::new(""))
    }

    /// Has something been found wrong with this very key? Then what follows from it is not worth a second line.
    pub(super) fn has(&self, key: &str) -> bool {
        self.faulty.contains(key)
    }

    pub(super) fn problem(&mut self, key: impl Into<String>, message: impl Into<String>) {
        let key = key.into();
        if self.faulty.insert(key.clone()) {
            let location = self.find(&key).cloned();
            self.problems.push(Problem { location, key, message: message.into() });
        }
    }

    /// A problem that was found before keys were known.
    pub(super) fn problem_at(&mut self, location: Option<Location>, message: impl Into<String>) {
        self.problems.push(Problem { location, key: String::new(), message: message.into() });
    }

    pub(super) fn warn(&mut self, key: impl Into<String>, message: impl Into<String>) {
        let key = key.into();
        let location = self.find(&key).cloned();
        self.warnings.push(Problem { location, key, message: message.into() });
    }

    /// The warnings, or everything that is wrong.
    pub(super) fn finish(self) -> Result<Vec<Problem>, Problems> {
        let Self { files, mut problems, mut warnings, .. } = self;
        let order = |a: &Problem, b: &Problem| (rank(a, &files), &a.key).cmp(&(rank(b, &files), &b.key));
        problems.sort_by(order);
        warnings.sort_by(order);
        if problems.is_empty() { Ok(warnings) } else { Err(Problems(problems)) }
    }
}

/// File, line, column; the environment last.
fn rank<'a>(problem: &'a Problem, files: &[PathBuf]) -> (usize, usize, usize, &'a str) {
    match &problem.location {
        None => (0, 0, 0, ""),
        Some(Location::File { path, line, column }) => {
            (1 + files.iter().position(|f| f == path).unwrap_or(0), *line, *column, "")
        }
        Some(Location::Environment { variable }) => (usize::MAX, 0, 0, variable),
    }
}
