//! The hub: one thread that takes what all cameras report and numbers their events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::Report;
use crate::outbox::Outbox;
use crate::telemetry::progress::Stage;
use crate::types::event::{EventDraft, EventType};

/// A running hub. It ends when the last sender of reports is gone.
pub struct Hub {
    thread: JoinHandle<Outbox>,
}

impl Hub {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(reports: Receiver<Report>, outbox: Outbox, stage: Arc<Stage>) -> std::io::Result<Self> {
        let thread = std::thread::Builder::new().name("hub".to_owned()).spawn(move || run(&reports, outbox, &stage))?;
        Ok(Self { thread })
    }

    /// True once every camera is gone and every report was taken.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end and hands the outbox back; `None` where the hub panicked.
    #[must_use]
    pub fn join(self) -> Option<Outbox> {
        self.thread.join().ok()
    }
}

fn run(reports: &Receiver<Report>, mut outbox: Outbox, stage: &Stage) -> Outbox {
    let mut cameras = CameraStates::default();
    let mut unsynced = false;
    loop {
        stage.idle();
        let report = match reports.recv_timeout(Duration::from_secs(1)) {
            Ok(report) => report,
            Err(RecvTimeoutError::Timeout) => {
                if std::mem::take(&mut unsynced) {
                    outbox.sync();
                }
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        stage.busy();
        match report {
            Report::Event(draft) => {
                if cameras.is_news(&draft) {
                    outbox.publish(draft);
                    unsynced = true;
                }
            }
            Report::Frame(result) => {
                // Its list goes back to the camera; a camera that is gone does not want it.
                let _ = result.recycle.try_send(result.tracks);
            }
        }
    }
    stage.idle();
    outbox
}

/// A camera that is still offline, even for another reason, is no news.
#[derive(Default)]
struct CameraStates(BTreeMap<String, EventType>);

impl CameraStates {
    fn is_news(&mut self, draft: &EventDraft) -> bool {
        if !matches!(draft.event_type, EventType::CameraOnline | EventType::CameraOffline) {
            return true;
        }
        self.0.insert(draft.camera.clone(), draft.event_type) != Some(draft.event_type)
    }
}
