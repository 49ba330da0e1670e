//! Reads a camera's log: over files, in order, past what is damaged, up to what is being written right now.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::block::{self, BLOCK_HEADER, Block, FILE_HEADER, Head};
use super::bytes::Bytes;
use super::frame::FrameCoder;
use super::record::{self, Taken};
use super::{Damaged, files};
use crate::types::observation::{Input, Model, Observation};
use crate::types::time::Timestamp;

/// The first block of a file is in so many bytes, nearly always.
const GLANCE: u64 = 96 << 10;

/// A log that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing was kept of this camera.
    #[error("camera {camera:?}: there is no track log in {}", folder.display())]
    NoLog {
        /// The camera.
        camera: String,
        /// Where it would be.
        folder: PathBuf,
    },
    /// A folder or a file is there and cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What a log says.
#[derive(Debug)]
pub enum Record<'a> {
    /// The rules were new from here on: whoever follows begins with new ones.
    Begin {
        /// When they began.
        at: Timestamp,
        /// All that they were told from there on follows; else what came first is not there any more.
        whole: bool,
    },
    /// Something is missing here: whoever follows begins with new rules.
    Hole {
        /// When the last frame before it arrived.
        from: Timestamp,
        /// When the first frame after it did.
        until: Timestamp,
    },
    /// What the rules were told. A model may be one told earlier, said again after [`Record::Begin`] or
    /// [`Record::Hole`].
    Told(Input<'a>),
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// When the first frame that is there arrived.
    pub first: Timestamp,
    /// When the rules began that were told so.
    pub begun: Timestamp,
    /// It is the beginning of these rules: a replay is exactly what live gave, up to the first hole.
    pub whole: bool,
}

/// Reads one camera's log.
pub struct Reader {
    files: std::vec::IntoIter<LogFile>,
    start: Start,
    until: Timestamp,
    begun: Option<Timestamp>,
    /// The file that is being read.
    file: Vec<u8>,
    at: usize,
    /// Nothing was said yet of the rules that are being read.
    fresh: bool,
    /// Number of the next block.
    expected: u32,
    /// The model told last, and its number, from 1.
    model: Option<Arc<Model>>,
    models: u32,
    /// Something is missing before the next block.
    missing: bool,
    /// Arrival of the last frame.
    last: Timestamp,
    /// The block that is being read.
    raw: Vec<u8>,
    raw_at: usize,
    head: Head,
    coder: FrameCoder,
    frame: Observation,
    /// To be said before what comes next.
    next: [Option<Say>; 3],
    /// What came last arrived too late by a clock that may be set back yet.
    late: bool,
    said: Arc<Model>,
    holes: u64,
}

#[derive(Clone, Copy, Debug)]
enum Say {
    Begin { whole: bool },
    Hole { until: Timestamp },
    Model,
    Frame,
}

#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    begun: Timestamp,
    first: Head,
}

impl Reader {
    /// Reads what arrived from `from` to `until`, and what came before it: from the beginning of the rules that were
    /// at work at `from`, where that is no more than `warm_up` before it; else from about `warm_up` before.
    ///
    /// # Errors
    /// There is no log, or it cannot be read.
    pub fn open(
        state_dir: &Path,
        camera: &str,
        from: Timestamp,
        until: Timestamp,
        warm_up: Duration,
    ) -> Result<Self, ReadError> {
        let folder = files::folder(state_dir, camera);
        let mut logs = list(&folder).map_err(|source| ReadError::Io { path: folder.clone(), source })?;
        logs.sort_by_key(|file| (file.begun, file.first.number));
        // A clock that was set may have made the order another one: the first that is late enough counts.
        let late = logs.iter().position(|file| file.first.first >= from.0).unwrap_or(logs.len());
        let at_from = late.saturating_sub(1);
        let Some(then) = logs.get(at_from) else {
            return Err(ReadError::NoLog { camera: camera.to_owned(), folder });
        };
        let floor = from.0.saturating_sub(i64::try_from(warm_up.as_micros()).unwrap_or(i64::MAX));
        let same = logs[..at_from].iter().rev().take_while(|file| file.begun == then.begun);
        let mut back = 0;
        // The file before one that begins late enough has the floor in it.
        let mut earliest = then;
        for file in same {
            if earliest.first.first < floor {
                break;
            }
            (back, earliest) = (back + 1, file);
        }
        let start =
            Start { first: Timestamp(earliest.first.first), begun: earliest.begun, whole: earliest.first.number == 0 };
        logs.drain(..at_from - back);
        Ok(Self {
            files: logs.into_iter(),
            start,
            until,
            begun: None,
            file: Vec::new(),
            at: 0,
            fresh: false,
            expected: 0,
            model: None,
            models: 0,
            missing: false,
            last: start.first,
            raw: Vec::new(),
            raw_at: 0,
            head: Head::default(),
            coder: FrameCoder::default(),
            frame: Observation::with_capacity(64),
            next: [None; 3],
            late: false,
            said: Arc::default(),
            holes: 0,
        })
    }

    /// Where reading begins.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// Holes so far.
    #[must_use]
    pub fn holes(&self) -> u64 {
        self.holes
    }

    /// The next record; `None` at the end. What is being written right now may be there a moment later.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        loop {
            if let Some(say) = self.next.iter_mut().find_map(Option::take) {
                return Ok(Some(match say {
                    Say::Begin { whole } => Record::Begin { at: self.begun.unwrap_or(self.start.begun), whole },
                    Say::Hole { until } => Record::Hole { from: self.last, until },
                    Say::Model => {
                        self.said = self.model.clone().unwrap_or_default();
                        Record::Told(Input::Model(&self.said))
                    }
                    Say::Frame => {
                        self.last = self.frame.arrival;
                        Record::Told(Input::Frame(&self.frame))
                    }
                }));
            }
            if self.raw_at < self.raw.len() {
                match self.take() {
                    // The clock may be set back yet, and what comes then is asked for.
                    Ok(Some(Taken::Frame)) if self.frame.arrival > self.until => self.late = true,
                    Ok(Some(Taken::Frame)) if std::mem::take(&mut self.late) => {
                        self.holes += 1;
                        let model = self.model.is_some().then_some(Say::Model);
                        self.next = [Some(Say::Hole { until: self.frame.arrival }), model, Some(Say::Frame)];
                    }
                    Ok(Some(Taken::Frame)) => {
                        self.last = self.frame.arrival;
                        return Ok(Some(Record::Told(Input::Frame(&self.frame))));
                    }
                    Ok(Some(Taken::Reset { arrival, .. })) if arrival > self.until || self.late => self.late = true,
                    // Said again before the next frame, if there is one.
                    Ok(Some(Taken::Model(_) | Taken::ModelAgain(_))) if self.late => {}
                    Ok(Some(Taken::Reset { capture, arrival })) => {
                        return Ok(Some(Record::Told(Input::Reset { capture, arrival })));
                    }
                    Ok(Some(Taken::Model(model) | Taken::ModelAgain(model))) => {
                        self.said = model;
                        return Ok(Some(Record::Told(Input::Model(&self.said))));
                    }
                    Ok(None) => {}
                    Err(Damaged) => {
                        self.raw_at = self.raw.len();
                        self.missing = true;
                    }
                }
                continue;
            }
            if !self.next_block()? {
                return Ok(None);
            }
        }
    }

    /// A record of the block; `None`: one that says nothing new.
    fn take(&mut self) -> Result<Option<Taken>, Damaged> {
        let mut bytes = Bytes(&self.raw[self.raw_at..]);
        let taken = record::take(&mut bytes, &mut self.coder, &mut self.frame)?;
        self.raw_at = self.raw.len() - bytes.0.len();
        match &taken {
            Taken::Model(model) => {
                self.model = Some(Arc::clone(model));
                self.models += 1;
            }
            Taken::ModelAgain(model) => {
                let known = self.models == self.head.models && self.model.is_some();
                self.model = Some(Arc::clone(model));
                self.models = self.head.models;
                if known {
                    return Ok(None);
                }
            }
            Taken::Frame | Taken::Reset { .. } => {}
        }
        Ok(Some(taken))
    }

    /// Unpacks the next block that can be read; false at the end of the log.
    fn next_block(&mut self) -> Result<bool, ReadError> {
        loop {
            let Some(block) = self.file.get(self.at..).and_then(Block::at_front) else {
                match block::next_magic(&self.file, self.at + 1).filter(|_| !self.file.is_empty()) {
                    Some(at) => (self.at, self.missing) = (at, true),
                    None if self.next_file()? => {}
                    None => return Ok(false),
                }
                continue;
            };
            self.at += block.length;
            let head = block.head;
            let unpacked = block.unpack(&mut self.raw);
            self.raw_at = 0;
            self.coder.restart();
            if unpacked.is_err() {
                self.raw.clear();
                self.missing = true;
                continue;
            }
            self.missing |= head.number != self.expected;
            self.expected = head.number.wrapping_add(1);
            let known = self.models == head.models;
            if !known && !record::begins_with_model(&self.raw) {
                // Which class is what nobody knows here.
                self.raw.clear();
                self.missing = true;
                continue;
            }
            self.head = head;
            let missing = std::mem::take(&mut self.missing);
            if std::mem::take(&mut self.fresh) {
                self.next = [Some(Say::Begin { whole: !missing }), None, None];
            } else if missing && !self.late {
                self.holes += 1;
                let again = known && self.model.is_some();
                let hole = Say::Hole { until: Timestamp(head.first) };
                self.next = [Some(hole), again.then_some(Say::Model), None];
            }
            return Ok(true);
        }
    }

    /// Opens the next file; false where there is none.
    fn next_file(&mut self) -> Result<bool, ReadError> {
        for file in self.files.by_ref() {
            if file.first.first > self.until.0 && is_late(&file.path, self.until) {
                // Had the clock been set back between files, what comes then would be a hole: numbers are missing.
                continue;
            }
            self.file = match std::fs::read(&file.path) {
                Ok(bytes) => bytes,
                // Too old by now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(ReadError::Io { path: file.path, source }),
            };
            self.at = FILE_HEADER;
            if self.begun != Some(file.begun) {
                self.begun = Some(file.begun);
                (self.model, self.models, self.expected) = (None, 0, 0);
                (self.fresh, self.missing, self.late) = (true, false, false);
            }
            return Ok(true);
        }
        Ok(false)
    }
}

/// Did all of a file arrive too late? Only the heads of its blocks are read, and where one is damaged, or the file
/// cannot be read, the answer is no.
fn is_late(path: &Path, until: Timestamp) -> bool {
    use std::os::unix::fs::FileExt as _;
    let Ok(file) = File::open(path) else { return false };
    let Ok(length) = file.metadata().map(|meta| meta.len()) else { return false };
    let (mut at, mut header) = (FILE_HEADER as u64, [0; BLOCK_HEADER]);
    while at + BLOCK_HEADER as u64 <= length {
        if file.read_exact_at(&mut header, at).is_err() {
            return false;
        }
        let Some((head, block)) = block::head(&header) else { return false };
        if head.first <= until.0 {
            return false;
        }
        at += block as u64;
    }
    true
}

/// The log files of a folder with at least one whole block.
fn list(folder: &Path) -> io::Result<Vec<LogFile>> {
    let mut found = Vec::new();
    for path in files::logs(folder)? {
        match first_block(&path) {
            Ok(Some((begun, first))) => found.push(LogFile { path, begun, first }),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// When the rules of a file began, and its first whole block.
fn first_block(path: &Path) -> io::Result<Option<(Timestamp, Head)>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.by_ref().take(GLANCE).read_to_end(&mut bytes)?;
    let Some(begun) = block::file_header(&bytes) else { return Ok(None) };
    if let Some(block) = Block::at_front(&bytes[FILE_HEADER..]) {
        return Ok(Some((begun, block.head)));
    }
    file.read_to_end(&mut bytes)?;
    let mut at = FILE_HEADER;
    while let Some(found) = block::next_magic(&bytes, at) {
        if let Some(block) = Block::at_front(&bytes[found..]) {
            return Ok(Some((begun, block.head)));
        }
        at = found + 1;
    }
    Ok(None)
}
