//! The hub: one thread that takes what all cameras report and gives their events to the outbox, which never waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::identities::Identities;
use super::{Publish, Report};
use crate::outbox::Outbox;
use crate::telemetry::progress::Stage;
use crate::types::event::{EventDraft, EventType};

/// Without any report, it is looked at so often whether the outbox still works.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is still found out about identities is waited for this long, however late it is.
const AT_LEAST: Duration = Duration::from_millis(500);

/// Somebody who watches what cameras report, on the hub's own thread: it must be quick.
pub struct Observer {
    /// What it wants to see of every frame.
    pub publish: Publish,
    /// Called with every report that is news, before the hub takes it.
    pub see: Box<dyn FnMut(&Report) + Send>,
}

/// A running hub. It ends when the last sender of reports is gone.
pub struct Hub {
    thread: JoinHandle<Outbox>,
}

impl Hub {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(
        reports: Receiver<Report>,
        outbox: Outbox,
        stage: Arc<Stage>,
        observer: Option<Observer>,
        identities: Option<Identities>,
    ) -> std::io::Result<Self> {
        let thread = std::thread::Builder::new()
            .name("hub".to_owned())
            .spawn(move || run(&reports, outbox, &stage, observer, identities))?;
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

fn run(
    reports: &Receiver<Report>,
    outbox: Outbox,
    stage: &Stage,
    observer: Option<Observer>,
    identities: Option<Identities>,
) -> Outbox {
    let mut desk = Desk { outbox, cameras: CameraStates::default(), observer, identities };
    loop {
        stage.idle();
        match reports.recv_timeout(LOOK_EVERY) {
            Ok(Report::Stop { deadline }) => {
                // Whoever was left behind keeps the channel open; what is in it counts.
                stage.busy();
                reports.try_iter().for_each(|report| desk.take(report));
                desk.last_of_identities(reports, deadline.max(Instant::now() + AT_LEAST));
                break;
            }
            Ok(report) => {
                stage.busy();
                desk.take(report);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if desk.outbox.is_broken() {
            tracing::error!("a thread of the outbox is gone");
            break;
        }
    }
    stage.idle();
    desk.outbox
}

struct Desk {
    outbox: Outbox,
    cameras: CameraStates,
    observer: Option<Observer>,
    identities: Option<Identities>,
}

impl Desk {
    fn take(&mut self, report: Report) {
        if let Report::Event(draft) = &report
            && !self.cameras.is_news(draft)
        {
            return;
        }
        if let Some(observer) = &mut self.observer {
            (observer.see)(&report);
        }
        match report {
            Report::Event(draft) => {
                if let Some(identities) = &self.identities {
                    identities.heed(&draft);
                }
                self.outbox.publish(draft);
            }
            Report::Stop { .. } => {}
            Report::Frame(result) if let Some(identities) = &self.identities => identities.offer(result),
            Report::Frame(result) => {
                // Its list goes back to the camera; a camera that is gone does not want it.
                let _ = result.recycle.try_send(result.objects);
            }
        }
    }

    /// No camera reports any more: what is still found out about identities is told, too.
    fn last_of_identities(&mut self, reports: &Receiver<Report>, deadline: Instant) {
        let Some(thread) = self.identities.take().map(Identities::finish) else { return };
        while !thread.is_finished() && Instant::now() < deadline {
            if let Ok(report) = reports.recv_timeout(Duration::from_millis(5)) {
                self.take(report);
            }
        }
        reports.try_iter().for_each(|report| self.take(report));
        if !thread.is_finished() {
            tracing::warn!("identities were not revised and saved in time");
        }
    }
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
