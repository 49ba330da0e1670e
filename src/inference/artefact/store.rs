//! The content-addressed store beside the configured plan, and the link that leads into it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Manifest, sha256_of_bytes, sha256_of_file};
use crate::types::time::Timestamp;

const FOLDER: &str = "store";
/// What a file that is being written begins with; whoever holds the lock next may delete it.
const UNFINISHED: &str = ".new-";

/// The store that a configured plan belongs to.
#[derive(Clone, Debug)]
pub struct Store {
    /// The plan's path in the configuration.
    link: PathBuf,
    folder: PathBuf,
}

/// The right to change a store; ends when dropped, or with the process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    folder: PathBuf,
}

/// A plan in the store that no link leads to yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staged {
    /// Digest, which is its name.
    pub sha256: String,
    /// Its file.
    pub plan: PathBuf,
}

/// One plan of a store.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Digest.
    pub sha256: String,
    /// Its file.
    pub plan: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// What is known of it; the words say why nothing is.
    pub manifest: Result<Manifest, String>,
    /// Names of the links that lead to it.
    pub used_by: Vec<String>,
}

/// A line of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Step {
    at: String,
    sha256: String,
    why: String,
}

impl Store {
    /// The store of a plan's path, whether there is anything yet or not.
    #[must_use]
    pub fn of(plan: &Path) -> Self {
        let parent = plan.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { link: plan.to_owned(), folder: parent.join(FOLDER) }
    }

    /// Where its files lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes the right to change the store and cleans up what a killed holder left. `wait` is told once where somebody
    /// else has it; false: do not wait.
    ///
    /// # Errors
    /// Where the folder cannot be made or written; [`io::ErrorKind::WouldBlock`] where it was not to wait.
    pub fn lock(&self, wait: impl FnOnce() -> bool) -> io::Result<Lock> {
        fs::create_dir_all(&self.folder)?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(self.folder.join("lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if wait() => file.lock()?,
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        for unfinished in names(&self.folder)?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            fs::remove_file(self.folder.join(unfinished))?;
        }
        Ok(Lock { _file: file, folder: self.folder.clone() })
    }

    /// Puts a plan, its log and its manifest into the store; nothing leads to it yet. The manifest's `plan` and `log` are
    /// filled in here. Whatever happens, no half-written file has a plan's name.
    ///
    /// # Errors
    /// Where the disk is full or the folder cannot be written.
    pub fn put(&self, lock: &Lock, plan: &[u8], log: &str, manifest: &mut Manifest) -> io::Result<Staged> {
        self.is_of(lock)?;
        let sha256 = sha256_of_bytes(plan);
        manifest.plan.sha256.clone_from(&sha256);
        manifest.plan.bytes = plan.len() as u64;
        let staged = self.staged(&sha256);
        // The plan last: who finds it finds the others.
        if !log.is_empty() {
            write_whole(&staged.plan.with_extension("log"), log.as_bytes())?;
        }
        write_whole(&staged.plan.with_extension("json"), &manifest.to_bytes()?)?;
        write_whole(&staged.plan, plan)?;
        Ok(staged)
    }

    /// A file beside the plans for as long as the lock is held: whoever holds it next deletes it.
    #[must_use]
    pub fn unfinished(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{UNFINISHED}{name}"))
    }

    /// Writes another file of the store, whole or not at all.
    ///
    /// # Errors
    /// Where the disk is full or the folder cannot be written.
    pub fn write(&self, lock: &Lock, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.is_of(lock)?;
        write_whole(path, bytes)
    }

    /// A plan of the store by its digest.
    #[must_use]
    pub fn staged(&self, sha256: &str) -> Staged {
        Staged { sha256: sha256.to_owned(), plan: self.folder.join(format!("{sha256}.plan")) }
    }

    /// Writes the manifest of a plan anew.
    ///
    /// # Errors
    /// Where the folder cannot be written, or the plan is not in it.
    pub fn update(&self, lock: &Lock, sha256: &str, manifest: &Manifest) -> io::Result<()> {
        self.is_of(lock)?;
        let staged = self.staged(sha256);
        if !staged.plan.exists() {
            let words = format!("{} is not in the store", staged.plan.display());
            return Err(io::Error::new(io::ErrorKind::NotFound, words));
        }
        write_whole(&staged.plan.with_extension("json"), &manifest.to_bytes()?)
    }

    /// Lets the configured path lead to a plan of the store, at once and as a whole. What was there before stays in the
    /// store, a plain file too.
    ///
    /// # Errors
    /// Where a folder cannot be written.
    pub fn point_to(&self, lock: &Lock, staged: &Staged, why: &str) -> io::Result<()> {
        self.is_of(lock)?;
        self.keep_outsider()?;
        let mut history = self.history();
        // What was rolled back from is nothing to go back to.
        if let Some(at) = self.position(&history) {
            history.truncate(at + 1);
        }
        history.push(Step { at: Timestamp::now().to_string(), sha256: staged.sha256.clone(), why: why.to_owned() });
        self.write_history(&history)?;
        self.swap_link(staged)
    }

    /// Digest of the plan that the configured path leads to; `None` where that is none of the store.
    #[must_use]
    pub fn current(&self) -> Option<String> {
        let target = fs::read_link(&self.link).ok()?;
        target.file_stem()?.to_str().filter(|stem| is_sha256(stem)).map(str::to_owned)
    }

    /// The plan that the path led to before, or the one whose digest begins with `to`: where [`Store::roll_back`] may go.
    ///
    /// # Errors
    /// Where there is none, with what there is; where a folder cannot be read or written.
    pub fn before(&self, lock: &Lock, to: Option<&str>) -> io::Result<Staged> {
        self.is_of(lock)?;
        self.keep_outsider()?;
        let none = |words: String| io::Error::new(io::ErrorKind::NotFound, words);
        let there = |sha256: &str| self.staged(sha256).plan.exists();
        let sha256 = if let Some(prefix) = to {
            let mut known: Vec<String> =
                self.plans()?.into_iter().filter(|sha256| sha256.starts_with(&prefix.to_ascii_lowercase())).collect();
            match (known.pop(), known.is_empty()) {
                (Some(one), true) => one,
                (None, _) => return Err(none(format!("no plan in {} begins with {prefix}", self.folder.display()))),
                _ => return Err(none(format!("several plans in {} begin with {prefix}", self.folder.display()))),
            }
        } else {
            let (history, current) = (self.history(), self.current());
            let at = self.position(&history).unwrap_or(history.len());
            let other = |step: &&Step| Some(&step.sha256) != current.as_ref() && there(&step.sha256);
            let nothing = || none(format!("{} led to no other plan before that is still there", self.link.display()));
            history[..at].iter().rev().find(other).ok_or_else(nothing)?.sha256.clone()
        };
        Ok(self.staged(&sha256))
    }

    /// Lets the path lead to what [`Store::before`] found. The next one without `to` goes on to the one before that.
    ///
    /// # Errors
    /// Where a folder cannot be written.
    pub fn roll_back(&self, lock: &Lock, staged: &Staged) -> io::Result<()> {
        self.is_of(lock)?;
        if self.history().iter().any(|step| step.sha256 == staged.sha256) {
            return self.swap_link(staged);
        }
        self.point_to(lock, staged, "rollback")
    }

    /// Where in its history the path stands.
    fn position(&self, history: &[Step]) -> Option<usize> {
        let current = self.current()?;
        history.iter().rposition(|step| step.sha256 == current)
    }

    /// All plans of the store, by digest; links in the folder above tell who uses them.
    ///
    /// # Errors
    /// Where a folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for sha256 in self.plans()? {
            let plan = self.staged(&sha256).plan;
            let manifest = match Manifest::read_file(&plan.with_extension("json")) {
                Ok(Some(manifest)) => Ok(manifest),
                Ok(None) => Err("it has no manifest".to_owned()),
                Err(error) => Err(format!("its manifest cannot be read: {error}")),
            };
            let bytes = fs::metadata(&plan)?.len();
            let used_by = self.links()?.into_iter().filter(|(_, to)| *to == sha256).map(|(name, _)| name).collect();
            entries.push(Entry { sha256, plan, bytes, manifest, used_by });
        }
        Ok(entries)
    }

    /// Deletes the plans that no link leads to and that are not among the `keep` last ones of any link's history. Says
    /// which, and their bytes; with `dry`, which it would.
    ///
    /// # Errors
    /// Where a folder cannot be read or written.
    pub fn collect_garbage(&self, lock: &Lock, keep: usize, dry: bool) -> io::Result<Vec<(String, u64)>> {
        self.is_of(lock)?;
        let links = self.links()?;
        let mut kept: Vec<String> = links.iter().map(|(_, sha256)| sha256.clone()).collect();
        for name in names(&self.folder)?.iter().filter_map(|name| name.strip_suffix(".history")) {
            let of_link = Self { link: self.link.with_file_name(name), folder: self.folder.clone() };
            let mut newest: Vec<String> = Vec::new();
            for step in of_link.history().into_iter().rev() {
                if newest.len() < keep && !newest.contains(&step.sha256) {
                    newest.push(step.sha256);
                }
            }
            kept.extend(newest);
        }
        let mut gone = Vec::new();
        for sha256 in self.plans()?.into_iter().filter(|sha256| !kept.contains(sha256)) {
            let plan = self.staged(&sha256).plan;
            let mut bytes = 0;
            // The plan first: without it the others are nobody's.
            for file in ["plan", "json", "log"].map(|ending| plan.with_extension(ending)) {
                bytes += fs::metadata(&file).map_or(0, |about| about.len());
                if !dry && file.exists() {
                    fs::remove_file(&file)?;
                }
            }
            gone.push((sha256, bytes));
        }
        let used: Vec<String> =
            self.list()?.into_iter().filter_map(|entry| entry.manifest.ok()?.calibration).map(|c| c.id).collect();
        // Left where a process was killed between the files of one plan; and ranges that no plan was built with.
        for name in names(&self.folder)? {
            let of = name.strip_suffix(".json").or_else(|| name.strip_suffix(".log")).filter(|stem| is_sha256(stem));
            let ranges = name.strip_suffix(".ranges.json").is_some_and(|id| !used.iter().any(|used| used == id));
            if !dry && (ranges || of.is_some_and(|sha256| !self.staged(sha256).plan.exists())) {
                fs::remove_file(self.folder.join(&name))?;
            }
        }
        Ok(gone)
    }

    fn plans(&self) -> io::Result<Vec<String>> {
        let names = match names(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let plan = |name: String| name.strip_suffix(".plan").filter(|stem| is_sha256(stem)).map(str::to_owned);
        Ok(names.into_iter().filter_map(plan).collect())
    }

    /// Links beside the store that lead into it, and where to.
    fn links(&self) -> io::Result<Vec<(String, String)>> {
        let Some(above) = self.folder.parent() else { return Ok(Vec::new()) };
        let of = |name: String| {
            let sha256 = Self { link: above.join(&name), folder: self.folder.clone() }.current()?;
            Some((name, sha256))
        };
        Ok(names(above)?.into_iter().filter_map(of).collect())
    }

    fn is_of(&self, lock: &Lock) -> io::Result<()> {
        if lock.folder == self.folder {
            return Ok(());
        }
        Err(io::Error::other(format!("the lock is of {}, not of {}", lock.folder.display(), self.folder.display())))
    }

    fn history_path(&self) -> PathBuf {
        let name = self.link.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.folder.join(format!("{name}.history"))
    }

    fn history(&self) -> Vec<Step> {
        let text = fs::read_to_string(self.history_path()).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn write_history(&self, steps: &[Step]) -> io::Result<()> {
        let mut text = Vec::new();
        for step in steps {
            text.extend(serde_json::to_vec(step).map_err(io::Error::other)?);
            text.push(b'\n');
        }
        write_whole(&self.history_path(), &text)
    }

    /// A plan that somebody put at the configured path, as a file or as a link of his own, goes into the store, so that it
    /// can be gone back to.
    fn keep_outsider(&self) -> io::Result<()> {
        let Ok(outsider) = fs::canonicalize(&self.link) else { return Ok(()) };
        if self.current().is_some() || !outsider.is_file() {
            return Ok(());
        }
        let sha256 = sha256_of_file(&outsider)?;
        let staged = self.staged(&sha256);
        if !staged.plan.exists() {
            // Linked, or copied where the file system has no links or the file is on another.
            let new = self.folder.join(format!("{UNFINISHED}{sha256}"));
            let _ = fs::remove_file(&new);
            fs::hard_link(&outsider, &new).or_else(|_| fs::copy(&outsider, &new).map(drop))?;
            File::open(&new)?.sync_all()?;
            if let Ok(Some(manifest)) = Manifest::read_file(&outsider.with_extension("json")) {
                write_whole(&staged.plan.with_extension("json"), &manifest.to_bytes()?)?;
            }
            fs::rename(&new, &staged.plan)?;
            sync_folder(&self.folder)?;
        }
        let mut history = self.history();
        if history.last().is_none_or(|step| step.sha256 != sha256) {
            history.push(Step { at: Timestamp::now().to_string(), sha256, why: "found".to_owned() });
            self.write_history(&history)?;
        }
        Ok(())
    }

    fn swap_link(&self, staged: &Staged) -> io::Result<()> {
        let name = self.link.file_name().unwrap_or_default().to_string_lossy();
        let above = self.folder.parent().unwrap_or(Path::new("."));
        // In the store, where it is cleaned up; the same file system, so that the rename is one step.
        let new = self.folder.join(format!("{UNFINISHED}link-{name}"));
        let _ = fs::remove_file(&new);
        symlink(Path::new(FOLDER).join(format!("{}.plan", staged.sha256)), &new)?;
        fs::rename(&new, &self.link)?;
        sync_folder(above)
    }
}

/// Writes a file that is there whole or not at all, also after a power cut.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = folder.join(format!("{UNFINISHED}{name}"));
    let written = (|| {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    })();
    if written.is_err() {
        // A full disk has no room for leftovers.
        let _ = fs::remove_file(&new);
    }
    written?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
