//! The one thread that writes the logs of all cameras.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::block::{Head, Packer, put_file_header};
use super::encoder::Encoder;
use super::view::{self, ViewKeeper};
use super::{files, retention};
use crate::config;
use crate::telemetry::metrics::Counter;
use crate::types::time::Timestamp;

/// Blocks of all cameras that wait at most: each camera has few buffers anyway.
const QUEUE: usize = 1024;
/// The config's limits are kept this often.
const RETENTION: Duration = Duration::from_secs(60);
/// What waits is written before the end, for so long at most.
const CLOSING: Duration = Duration::from_secs(1);

/// What the log has done so far.
#[derive(Debug, Default)]
pub struct Stats {
    /// Blocks that were lost: the disk did not keep up, or did not take them.
    pub dropped_blocks: Counter,
    /// Blocks that wait to be written.
    pub waiting_blocks: Counter,
    /// Blocks written.
    pub written_blocks: Counter,
    /// Bytes written.
    pub written_bytes: Counter,
    /// Bytes that the log takes on disk, as it was at most a minute ago.
    pub kept_bytes: Counter,
    /// Files deleted, because they were too old or too many.
    pub deleted_files: Counter,
}

impl Stats {
    /// As metrics.
    pub fn render(&self, out: &mut String) {
        use crate::telemetry::metrics::{counter, gauge};
        for (name, count) in [
            ("track_log_dropped_blocks_total", &self.dropped_blocks),
            ("track_log_written_bytes_total", &self.written_bytes),
            ("track_log_deleted_files_total", &self.deleted_files),
        ] {
            counter(out, name, "", [("", count.get())]);
        }
        gauge(out, "track_log_bytes", "", [("", self.kept_bytes.get())]);
        gauge(out, "track_log_waiting_blocks", "", [("", self.waiting_blocks.get())]);
    }
}

/// What encoder and writer share of a camera.
#[derive(Debug)]
pub(super) struct CameraLog {
    id: String,
    /// A block was lost on the way to the disk.
    pub(super) lost: AtomicBool,
}

/// A full block, not packed yet.
pub(super) struct Full {
    pub(super) camera: Arc<CameraLog>,
    /// Where the buffer goes when it is empty again.
    pub(super) home: Sender<Vec<u8>>,
    pub(super) begun: Timestamp,
    pub(super) head: Head,
    /// A file begins with it.
    pub(super) heads_file: bool,
    pub(super) bytes: Vec<u8>,
}

pub(super) enum Message {
    Block(Full),
    View { camera: Arc<CameraLog>, jpeg: Vec<u8> },
    Close,
}

/// The log of all cameras. Writes what waits when it is dropped: drop encoders first.
pub struct TrackLog {
    out: Sender<Message>,
    closed: Receiver<()>,
    stats: Arc<Stats>,
}

impl TrackLog {
    /// Starts the thread that writes below `state_dir/tracks`. A disk that does not take it is told in the log, and
    /// tried again.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(state_dir: &Path, config: &config::TrackLog) -> io::Result<Self> {
        let (out, messages) = bounded(QUEUE);
        let (closing, closed) = bounded(1);
        let stats = Arc::new(Stats::default());
        let mut writer = Writer {
            root: files::root(state_dir),
            config: config.clone(),
            stats: Arc::clone(&stats),
            packer: Packer::new(),
            packed: Vec::new(),
            open: BTreeMap::new(),
            failing: false,
        };
        std::thread::Builder::new().name("track-log".to_owned()).spawn(move || {
            writer.run(&messages);
            drop(closing);
        })?;
        Ok(Self { out, closed, stats })
    }

    /// The end for a camera whose rules begin now, with nothing.
    #[must_use]
    pub fn encoder(&self, camera: &str, now: Timestamp) -> Encoder {
        Encoder::new(camera_log(camera), self.out.clone(), Arc::clone(&self.stats), now)
    }

    /// What keeps a picture of a camera.
    #[must_use]
    pub fn view_keeper(&self, camera: &str) -> ViewKeeper {
        ViewKeeper::new(camera_log(camera), self.out.clone())
    }

    /// What it has done so far.
    #[must_use]
    pub fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }
}

fn camera_log(id: &str) -> Arc<CameraLog> {
    Arc::new(CameraLog { id: id.to_owned(), lost: AtomicBool::new(false) })
}

impl Drop for TrackLog {
    fn drop(&mut self) {
        let deadline = Instant::now() + CLOSING;
        let asked = self.out.send_deadline(Message::Close, deadline).is_ok();
        if !asked || self.closed.recv_deadline(deadline) == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
            tracing::warn!("track log: the disk does not answer; what waits is lost");
        }
    }
}

struct Writer {
    root: PathBuf,
    config: config::TrackLog,
    stats: Arc<Stats>,
    packer: Packer,
    packed: Vec<u8>,
    /// By camera.
    open: BTreeMap<String, Open>,
    /// The last block could not be written.
    failing: bool,
}

/// A file that is being written.
struct Open {
    file: File,
    path: PathBuf,
    begun: Timestamp,
    /// Whole blocks end here.
    length: u64,
}

impl Writer {
    fn run(&mut self, messages: &Receiver<Message>) {
        retention::cut_torn_tails(&self.root);
        self.keep_limits();
        let mut next = Instant::now() + RETENTION;
        loop {
            match messages.recv_deadline(next) {
                Ok(Message::Block(full)) => {
                    self.block(full);
                    self.stats.waiting_blocks.dec();
                }
                Ok(Message::View { camera, jpeg }) => self.view(&camera.id, &jpeg),
                Ok(Message::Close) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= next {
                self.keep_limits();
                next = Instant::now() + RETENTION;
            }
        }
    }

    fn block(&mut self, full: Full) {
        let Full { camera, home, begun, head, heads_file, mut bytes } = full;
        self.packed.clear();
        self.packer.pack(&head, &bytes, &mut self.packed);
        bytes.clear();
        let _ = home.try_send(bytes);
        match self.append(&camera.id, begun, &head, heads_file) {
            Ok(()) => {
                self.stats.written_blocks.inc();
                self.stats.written_bytes.add(self.packed.len() as u64);
                if std::mem::take(&mut self.failing) {
                    tracing::info!("track log: the disk takes it again");
                }
            }
            Err(error) => {
                camera.lost.store(true, Ordering::Relaxed);
                self.stats.dropped_blocks.inc();
                if !std::mem::replace(&mut self.failing, true) {
                    let folder = self.root.join(&camera.id);
                    tracing::warn!(
                        "track log: {}: {error}; tracks are not kept until there is room again ([track_log] has the \
                         limits)",
                        folder.display()
                    );
                }
            }
        }
    }

    /// Appends what is packed to the camera's file, or to a new one.
    fn append(&mut self, camera: &str, begun: Timestamp, head: &Head, heads_file: bool) -> io::Result<()> {
        let fits = self.open.get(camera).is_some_and(|open| open.begun == begun && !heads_file && open.is_there());
        if !fits {
            self.open.remove(camera);
            let open = Open::create(&self.root.join(camera), begun, Timestamp(head.first))?;
            self.open.insert(camera.to_owned(), open);
        }
        let Some(open) = self.open.get_mut(camera) else { return Ok(()) };
        if let Err(error) = open.file.write_all(&self.packed) {
            // A part of it may be there, and what comes next must follow a whole block.
            let whole = open.file.set_len(open.length);
            let empty = open.length == super::block::FILE_HEADER as u64;
            if whole.is_err() || empty {
                // Where its end is not known, the next block begins another file.
                let open = self.open.remove(camera);
                open.filter(|_| empty).map_or(Ok(()), |open| std::fs::remove_file(open.path)).unwrap_or_default();
            }
            return Err(error);
        }
        open.length += self.packed.len() as u64;
        Ok(())
    }

    fn view(&mut self, camera: &str, jpeg: &[u8]) {
        let folder = self.root.join(camera);
        if let Err(error) = view::write(&folder, jpeg) {
            tracing::debug!("{}: picture not kept: {error}", folder.display());
        }
    }

    fn keep_limits(&mut self) {
        let open: BTreeSet<PathBuf> = self.open.values().map(|open| open.path.clone()).collect();
        let (bytes, deleted) = retention::apply(&self.root, &self.config, &open, SystemTime::now());
        self.open.retain(|_, open| open.is_there());
        self.stats.kept_bytes.set(bytes);
        self.stats.deleted_files.add(deleted);
    }
}

impl Open {
    fn create(folder: &Path, begun: Timestamp, start: Timestamp) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut more = 0;
        let (path, mut file) = loop {
            let path = folder.join(files::name(start, more));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => break (path, file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && more < 1000 => more += 1,
                Err(error) => return Err(error),
            }
        };
        let mut header = Vec::new();
        put_file_header(begun, &mut header);
        if let Err(error) = file.write_all(&header) {
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(Self { file, path, begun, length: header.len() as u64 })
    }

    /// Nobody deleted it.
    fn is_there(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        self.file.metadata().is_ok_and(|meta| meta.nlink() > 0)
    }
}
