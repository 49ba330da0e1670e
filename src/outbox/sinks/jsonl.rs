//! JSON Lines: one event a line, files rotated by size. A line is never torn: what a full disk left
//! half-written is cut off before anything else is written, also after a crash.

use super::bodies::Bodies;
use super::{Failure, FailureKind, Stored, Target};
use crate::config::Dialect;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Lines of events in a dialect: usually one of each.
struct Lines(Option<Bodies>);

impl Lines {
    fn new(dialect: Dialect) -> Self {
        Self((dialect != Dialect::Native).then(|| Bodies::new(dialect)))
    }

    /// Writes those of one event into `buffer`, in place of what is there.
    fn of(&mut self, event: &Stored, buffer: &mut Vec<u8>) {
        buffer.clear();
        let mut line = |body: &[u8]| {
            buffer.extend_from_slice(body);
            buffer.push(b'\n');
        };
        match &mut self.0 {
            None => line(event.body.as_bytes()),
            Some(bodies) => bodies.of(std::slice::from_ref(event)).iter().for_each(|outgoing| line(&outgoing.body)),
        }
    }
}

/// Standard output.
pub(super) struct Stdout {
    lines: Lines,
    buffer: Vec<u8>,
}

impl Stdout {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { lines: Lines::new(dialect), buffer: Vec::new() }
    }
}

impl Target for Stdout {
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>) {
        let mut out = io::stdout().lock();
        for (at, event) in events.iter().enumerate() {
            self.lines.of(event, &mut self.buffer);
            if let Err(error) = out.write_all(&self.buffer) {
                return (at, Err(failure(&error)));
            }
        }
        (events.len(), out.flush().map_err(|error| failure(&error)))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        io::stdout().flush().map_err(|error| failure(&error))
    }
}

/// A file and its rotated predecessors: `<path>.1` is the newest of them.
pub(super) struct Jsonl {
    path: PathBuf,
    file: File,
    /// Bytes of whole lines.
    length: u64,
    rotate_bytes: u64,
    keep: u32,
    lines: Lines,
    buffer: Vec<u8>,
}

impl Jsonl {
    pub(super) fn open(path: &Path, rotate_bytes: u64, keep: u32, dialect: Dialect) -> io::Result<Self> {
        let (file, length) = open_at_last_line(path)?;
        let lines = Lines::new(dialect);
        Ok(Self { path: path.to_owned(), file, length, rotate_bytes, keep, lines, buffer: Vec::new() })
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        if self.keep == 0 {
            std::fs::remove_file(&self.path)?;
        } else {
            for n in (1..self.keep).rev() {
                let from = numbered(&self.path, n);
                if from.exists() {
                    std::fs::rename(from, numbered(&self.path, n + 1))?;
                }
            }
            std::fs::rename(&self.path, numbered(&self.path, 1))?;
        }
        (self.file, self.length) = open_at_last_line(&self.path)?;
        Ok(())
    }

    /// One write for a run of lines; on failure the file ends where the last whole line does.
    fn append(&mut self) -> io::Result<()> {
        let result = self.file.seek(SeekFrom::Start(self.length)).and_then(|_| self.file.write_all(&self.buffer));
        match result {
            Ok(()) => {
                self.length += self.buffer.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Cutting needs no space. Should it fail too, the next start cuts.
                let _ = self.file.set_len(self.length);
                Err(error)
            }
        }
    }
}

impl Target for Jsonl {
    fn deliver(&mut self, events: &[Stored]) -> (usize, Result<(), Failure>) {
        let (written, result) = self.write(events);
        (written, result.map_err(|error| failure(&error)))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        // What is no file (a pipe, a terminal) cannot be made durable.
        match self.file.sync_data() {
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(failure(&error)),
            _ => Ok(()),
        }
    }

    /// Number and id in the last line; dialects other than our own have none.
    fn last_delivered(&mut self) -> Option<(u64, String)> {
        let last = match last_line(&mut self.file, self.length).ok()? {
            Some(line) => line,
            // A new one was just begun.
            None => {
                let mut file = File::open(numbered(&self.path, 1)).ok()?;
                let length = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
                let whole = whole_lines(&mut file, length).ok()?;
                last_line(&mut file, whole).ok()??
            }
        };
        #[derive(serde::Deserialize)]
        struct Numbered {
            seq: u64,
            event_id: String,
        }
        serde_json::from_slice::<Numbered>(&last).ok().map(|event| (event.seq, event.event_id))
    }
}

fn failure(error: &io::Error) -> Failure {
    let (kind, advice) = match error.kind() {
        io::ErrorKind::BrokenPipe => (FailureKind::Gone, "nobody reads it any more"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (FailureKind::Retry, "free disk space; events wait meanwhile")
        }
        _ => (FailureKind::Retry, "events wait meanwhile"),
    };
    Failure { reason: format!("{error}; {advice}"), kind }
}

impl Jsonl {
    /// True where the path is not that of the file that is written to.
    fn is_elsewhere(&self) -> bool {
        let which = |meta: &std::fs::Metadata| (meta.dev(), meta.ino());
        let named = std::fs::metadata(&self.path).map(|meta| which(&meta)).ok();
        named.is_none() || named != self.file.metadata().map(|meta| which(&meta)).ok()
    }

    fn write(&mut self, events: &[Stored]) -> (usize, io::Result<()>) {
        // The file may be moved away by a log rotation of the system's, which may have begun another one in its place.
        if self.is_elsewhere() {
            match open_at_last_line(&self.path) {
                Ok((file, length)) => (self.file, self.length) = (file, length),
                Err(error) => return (0, Err(error)),
            }
        }
        // ... or cut short in place ("copytruncate").
        match self.file.metadata() {
            Ok(meta) => self.length = self.length.min(meta.len()),
            Err(error) => return (0, Err(error)),
        }
        for (at, event) in events.iter().enumerate() {
            self.lines.of(event, &mut self.buffer);
            let size = self.buffer.len() as u64;
            if self.length > 0
                && self.length + size > self.rotate_bytes
                && let Err(error) = self.rotate()
            {
                return (at, Err(error));
            }
            if let Err(error) = self.append() {
                return (at, Err(error));
            }
        }
        (events.len(), Ok(()))
    }
}

fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// Opens for appending, and cuts off a last line that has no end.
fn open_at_last_line(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    // Who was where is nobody's business but the owner's and his group's.
    options.read(true).write(true).create(true).truncate(false).mode(0o640);
    let mut file = options.open(path)?;
    let length = file.metadata()?.len();
    if !file.metadata()?.is_file() {
        return Ok((file, 0));
    }
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        tracing::warn!(path = %path.display(), bytes = length - whole, "the last event was half-written and was cut off");
        file.set_len(whole)?;
    }
    Ok((file, whole))
}

/// Bytes up to and including the last newline.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    const CHUNK: u64 = 64 * 1024;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        let mut chunk = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut chunk)?;
        if let Some(at) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The last line of a file of whole lines; `None`: it is empty.
fn last_line(file: &mut File, length: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(end) = length.checked_sub(1) else { return Ok(None) };
    let start = whole_lines(file, end)?;
    let mut line = vec![0; usize::try_from(end - start).unwrap_or(0)];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut line)?;
    Ok(Some(line))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Stored> {
        let event = |text: &&str| Stored {
            seq: 0,
            id: String::new(),
            event_type: String::new(),
            camera: String::new(),
            body: (*text).into(),
        };
        texts.iter().map(event).collect()
    }

    #[test]
    fn files_rotate_by_size_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut sink = Jsonl::open(&path, 12, 2, Dialect::Native).unwrap();
        for n in 0..8 {
            let (written, result) = sink.write(&lines(&[&format!("line{n}")]));
            assert_eq!(written, 1);
            result.unwrap();
        }
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&path), "line6\nline7\n");
        assert_eq!(read(&numbered(&path, 1)), "line4\nline5\n");
        assert_eq!(read(&numbered(&path, 2)), "line2\nline3\n");
        assert!(!numbered(&path, 3).exists());
    }

    #[test]
    fn a_half_written_last_line_is_cut_off_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        std::fs::write(&path, "{\"seq\":1}\n{\"se").unwrap();
        let mut sink = Jsonl::open(&path, 1000, 1, Dialect::Native).unwrap();
        sink.write(&lines(&["{\"seq\":2}"])).1.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"seq\":1}\n{\"seq\":2}\n");
    }

    #[test]
    fn a_file_cut_short_in_place_goes_on_without_a_hole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut sink = Jsonl::open(&path, 1000, 1, Dialect::Native).unwrap();
        sink.write(&lines(&["a"])).1.unwrap();
        std::fs::write(&path, "").unwrap();
        sink.write(&lines(&["b"])).1.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
    }

    #[test]
    fn a_file_moved_away_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let mut sink = Jsonl::open(&path, 1000, 1, Dialect::Native).unwrap();
        sink.write(&lines(&["a"])).1.unwrap();
        std::fs::rename(&path, dir.path().join("old")).unwrap();
        sink.write(&lines(&["b"])).1.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
    }

    #[test]
    fn a_file_moved_away_and_made_anew_by_somebody_else_is_the_one_that_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("events.jsonl"), dir.path().join("old"));
        let mut sink = Jsonl::open(&path, 1000, 1, Dialect::Native).unwrap();
        sink.write(&lines(&["a"])).1.unwrap();
        std::fs::rename(&path, &old).unwrap();
        File::create(&path).unwrap();
        sink.write(&lines(&["b"])).1.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b\n");
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "a\n");
    }

    #[test]
    fn strangers_may_not_read_what_it_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        Jsonl::open(&path, 1000, 1, Dialect::Native).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o037, 0);
    }

    #[test]
    fn the_last_number_delivered_is_in_the_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("events.jsonl");
        let last = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Jsonl::open(&path, 1000, 1, Dialect::Native)
                .unwrap()
                .last_delivered()
                .map(|(seq, id)| format!("{seq} {id}"))
        };
        assert_eq!(last(""), None);
        assert_eq!(last("{\"seq\":7,\"event_id\":\"a\"}\n"), Some("7 a".to_owned()));
        assert_eq!(
            last("{\"seq\":7,\"event_id\":\"a\"}\n{\"seq\":8,\"event_id\":\"b\"}\n{\"seq\":9"),
            Some("8 b".to_owned())
        );
        assert_eq!(last("no event\n"), None);
        std::fs::write(numbered(&path, 1), "{\"seq\":5}\n{\"seq\":6,\"event_id\":\"d\"}\n").unwrap();
        assert_eq!(last(""), Some("6 d".to_owned()));
    }
}
