//! Where the simulator says what went wrong: stderr for people, a file of JSON lines for tests.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Map, Value, json};

/// The environment variable with the path of the report; unset: stderr only.
pub const VARIABLE: &str = "WATCHKEEPER_SIM_REPORT";

static COUNTS: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
static FILE: OnceLock<Option<Mutex<File>>> = OnceLock::new();

/// Locks, whatever became of the thread that held the lock before.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts and reports a use of the library that the real one forbids, leaves undefined or answers with an error.
pub fn misuse(library: &str, kind: &str, what: &str) {
    *lock(&COUNTS).entry(kind.to_owned()).or_insert(0) += 1;
    eprintln!("[simulated] {library}: misuse ({kind}): {what}");
    line(library, "misuse", json!({ "kind": kind, "what": what }));
}

/// Reports something worth knowing that is no misuse: a fault that was asked for, a note, a summary.
pub fn note(library: &str, event: &str, fields: Value) {
    line(library, event, fields);
}

/// How often each kind of misuse was seen in this library since the last [`reset`].
#[must_use]
pub fn counts() -> BTreeMap<String, u64> {
    lock(&COUNTS).clone()
}

/// Forgets the counts.
pub fn reset() {
    lock(&COUNTS).clear();
}

fn line(library: &str, event: &str, fields: Value) {
    let Some(file) = FILE.get_or_init(open) else {
        return;
    };
    let mut record = Map::new();
    record.insert("library".to_owned(), json!(library));
    record.insert("event".to_owned(), json!(event));
    if let Value::Object(fields) = fields {
        record.extend(fields);
    }
    let mut text = Value::Object(record).to_string();
    text.push('\n');
    // A report that cannot be written must not stop the program that is being tested.
    let _ = lock(file).write_all(text.as_bytes());
}

fn open() -> Option<Mutex<File>> {
    let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty())?;
    match OpenOptions::new().create(true).append(true).open(&path) {
        Ok(file) => Some(Mutex::new(file)),
        Err(error) => {
            eprintln!("[simulated] {VARIABLE}: {}: {error}; there will be no report", path.to_string_lossy());
            None
        }
    }
}
