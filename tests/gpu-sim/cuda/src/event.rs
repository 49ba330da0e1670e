//! Events: a place in a stream's order, and the time it was reached.

use std::collections::BTreeMap;
use std::ffi::c_uint;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use gpu_sim::report::{lock, misuse};

use crate::driver::{LIBRARY, api, put, sticky};
use crate::result::Code;
use crate::stream::{self, Dependency};

/// An event handle of the driver.
pub(crate) type Handle = usize;

const FIRST: Handle = 0xE7_0000_0000;
const DISABLE_TIMING: c_uint = 2;

struct Record {
    at: Dependency,
    time: Arc<OnceLock<Instant>>,
}

struct Event {
    timed: bool,
    record: Option<Record>,
}

struct Events {
    next: Handle,
    live: BTreeMap<Handle, Event>,
}

static EVENTS: Mutex<Events> = Mutex::new(Events { next: FIRST, live: BTreeMap::new() });

/// Events that were not destroyed.
pub(crate) fn alive() -> usize {
    lock(&EVENTS).live.len()
}

fn unknown(handle: Handle) -> Code {
    misuse(LIBRARY, "unknown-event", &format!("{handle:#x} is no event, or was destroyed"));
    Code::INVALID_HANDLE
}

/// The place in a stream that the event stands for; `None` where it was never recorded.
pub(crate) fn recorded(handle: Handle) -> Result<Option<Dependency>, Code> {
    match lock(&EVENTS).live.get(&handle) {
        Some(event) => Ok(event.record.as_ref().map(|record| (Arc::clone(&record.at.0), record.at.1))),
        None => Err(unknown(handle)),
    }
}

fn time(handle: Handle) -> Result<Instant, Code> {
    let events = lock(&EVENTS);
    let event = events.live.get(&handle).ok_or(Code::INVALID_HANDLE)?;
    match &event.record {
        Some(record) if event.timed => record.time.get().copied().ok_or(Code::NOT_READY),
        _ => Err(Code::INVALID_HANDLE),
    }
}

api! {
    Context fn cuEventCreate(event: *mut Handle, flags: c_uint) {
        let mut events = lock(&EVENTS);
        let handle = events.next;
        put(event, handle)?;
        events.next += 0x100;
        events.live.insert(handle, Event { timed: flags & DISABLE_TIMING == 0, record: None });
        Ok(())
    }
}

api! {
    Context fn cuEventDestroy_v2(event: Handle) {
        let gone = lock(&EVENTS).live.remove(&event);
        gone.map(|_| ()).ok_or_else(|| unknown(event))
    }
}

api! {
    Context fn cuEventRecord(event: Handle, stream: stream::Handle) {
        record(event, stream)
    }
}

api! {
    Context fn cuEventRecordWithFlags(event: Handle, stream: stream::Handle, flags: c_uint) {
        record(event, stream)
    }
}

fn record(event: Handle, stream: stream::Handle) -> Result<(), Code> {
    if !lock(&EVENTS).live.contains_key(&event) {
        return Err(unknown(event));
    }
    let stream = stream::find(stream)?;
    let time = Arc::new(OnceLock::new());
    let reached = Arc::clone(&time);
    let ticket = stream.submit(&[], Vec::new(), move |_| {
        // Set once: this closure is the only writer.
        let _ = reached.set(Instant::now());
    });
    if let Some(event) = lock(&EVENTS).live.get_mut(&event) {
        event.record = Some(Record { at: (stream, ticket), time });
    }
    Ok(())
}

api! {
    Context fn cuEventQuery(event: Handle) {
        match recorded(event)? {
            Some((stream, ticket)) if !stream.finished(ticket) => Err(Code::NOT_READY),
            _ => sticky(),
        }
    }
}

api! {
    Context fn cuEventSynchronize(event: Handle) {
        if let Some((stream, ticket)) = recorded(event)? {
            stream.wait_for(ticket);
        }
        sticky()
    }
}

fn elapsed(milliseconds: *mut f32, start: Handle, end: Handle) -> Result<(), Code> {
    let (start, end) = (time(start)?, time(end)?);
    let forwards = end.saturating_duration_since(start).as_secs_f32();
    let backwards = start.saturating_duration_since(end).as_secs_f32();
    put(milliseconds, (forwards - backwards) * 1e3)
}

api! {
    Context fn cuEventElapsedTime(milliseconds: *mut f32, start: Handle, end: Handle) {
        elapsed(milliseconds, start, end)
    }
}

api! {
    Context fn cuEventElapsedTime_v2(milliseconds: *mut f32, start: Handle, end: Handle) {
        elapsed(milliseconds, start, end)
    }
}
