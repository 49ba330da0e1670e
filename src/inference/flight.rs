//! The flight recorder: the last executions on the device, written to a file when something breaks.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

use serde_json::json;

use crate::types::time::Timestamp;

/// Records kept: some seconds of a busy machine.
const RECORDS: usize = 4096;
/// Files kept.
const FILES: usize = 16;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An execution and its copies were queued.
    Enqueued,
    /// Its stream is done with it.
    Finished,
    /// It failed.
    Failed,
    /// An engine was deserialised anew.
    EngineReloaded,
    /// A context was made anew.
    ContextRebuilt,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Enqueued => "enqueued",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::EngineReloaded => "engine-reloaded",
            Self::ContextRebuilt => "context-rebuilt",
        }
    }
}

/// Whose execution it is.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) camera: Arc<str>,
    pub(super) model: Arc<str>,
    /// Number of the context, unique in the process.
    pub(super) context: u64,
    /// Copy of the engine, from 0.
    pub(super) copy: usize,
}

#[derive(Clone, Debug)]
struct Record {
    at: Instant,
    step: Step,
    who: Who,
    serial: bool,
    batch: usize,
    took: Option<Duration>,
    words: Option<Box<str>>,
}

/// A ring of records.
#[derive(Debug)]
pub(super) struct FlightRecorder {
    folder: PathBuf,
    ring: Mutex<Ring>,
}

#[derive(Debug)]
struct Ring {
    records: Vec<Record>,
    /// Where the next one goes, once the ring is full.
    next: usize,
    /// So many, those overwritten included.
    count: u64,
}

impl FlightRecorder {
    /// Its files will lie in `state_dir/flight-recorder`.
    pub(super) fn new(state_dir: &Path) -> Self {
        let ring = Ring { records: Vec::with_capacity(RECORDS), next: 0, count: 0 };
        Self { folder: state_dir.join("flight-recorder"), ring: Mutex::new(ring) }
    }

    pub(super) fn note(&self, step: Step, who: &Who, serial: bool, batch: usize, took: Option<Duration>) {
        self.push(Record { at: Instant::now(), step, who: who.clone(), serial, batch, took, words: None });
    }

    pub(super) fn failed(&self, who: &Who, serial: bool, batch: usize, words: &str) {
        let words = Some(words.into());
        self.push(Record {
            at: Instant::now(),
            step: Step::Failed,
            who: who.clone(),
            serial,
            batch,
            took: None,
            words,
        });
    }

    fn push(&self, record: Record) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.count += 1;
        if ring.records.len() < RECORDS {
            ring.records.push(record);
        } else {
            let next = ring.next;
            ring.records[next] = record;
            ring.next = (next + 1) % RECORDS;
        }
    }

    /// Writes what is recorded to a new file, oldest first, one JSON object a line, the first of them saying why.
    pub(super) fn dump(&self, reason: &str, words: &str) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let now = Timestamp::now();
        let stamp: String = now.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let path = self.folder.join(format!("{stamp}-{reason}.jsonl"));
        let (records, count) = {
            let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            let (newer, older) = ring.records.split_at(ring.next);
            (older.iter().chain(newer).cloned().collect::<Vec<_>>(), ring.count)
        };
        let mut file = BufWriter::new(fs::File::create(&path)?);
        let head = json!({
            "schema": "flight/1", "reason": reason, "words": words, "time": now.to_string(),
            "version": env!("CARGO_PKG_VERSION"), "records": records.len(), "records_in_all": count,
        });
        writeln!(file, "{head}")?;
        let here = Instant::now();
        for Record { at, step, who, serial, batch, took, words } in records {
            let line = json!({
                "before_ms": (here.saturating_duration_since(at).as_secs_f64() * 1e6).round() / 1e3,
                "step": step.name(), "camera": &*who.camera, "model": &*who.model,
                "context": who.context, "copy": who.copy, "serial": serial, "batch": batch,
                "took_us": took.map(|took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX)), "words": words,
            });
            writeln!(file, "{line}")?;
        }
        file.into_inner()?.sync_all()?;
        self.forget_old();
        Ok(path)
    }

    /// Names begin with the time: the first are the oldest.
    fn forget_old(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|p| p.extension().is_some_and(|e| e == "jsonl"))
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(FILES);
        for path in files.iter().take(surplus) {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), "an old flight recording stays: {error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn who(context: u64) -> Who {
        Who { camera: "gate".into(), model: "detection".into(), context, copy: 0 }
    }

    #[test]
    fn it_writes_the_last_records_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = FlightRecorder::new(folder.path());
        for context in 0..RECORDS as u64 + 3 {
            recorder.note(Step::Enqueued, &who(context), false, 1, None);
        }
        recorder.failed(&who(7), true, 2, "Myelin");
        let text = fs::read_to_string(recorder.dump("myelin", "it broke").unwrap()).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((lines.len(), &lines[0]["words"]), (RECORDS + 1, &json!("it broke")));
        assert_eq!((&lines[0]["records_in_all"], &lines[1]["context"]), (&json!(RECORDS + 4), &json!(4)));
        let last = &lines[RECORDS];
        assert_eq!(
            (&last["step"], &last["words"], &last["serial"]),
            (&json!("failed"), &json!("Myelin"), &json!(true))
        );
    }

    #[test]
    fn old_files_go() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = FlightRecorder::new(folder.path());
        for n in 0..FILES + 4 {
            recorder.dump(&format!("n{n:02}"), "").unwrap();
        }
        let mut kept: Vec<_> = fs::read_dir(&recorder.folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        kept.sort();
        assert_eq!(kept.len(), FILES);
        assert!(kept.iter().all(|name| !name.to_string_lossy().contains("n00")));
    }
}
