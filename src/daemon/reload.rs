//! Reading the configuration anew while the daemon runs, for SIGHUP and `POST /api/v1/reload`. Models that changed, or
//! whose files did, are changed over; what else changed is named, and waits for a restart.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use sd_notify::NotifyState;
use serde_json::{Map, Value, json};

use super::swap::{Change, Failure, Swap};
use super::systemd::{feed, notify, reloading};
use crate::config::{self, Config, Diff};
use crate::inference::ModelManager;
use crate::pipeline::Handover;
use crate::telemetry::metrics::{Counter, Metrics, counter};
use crate::web::{Refusal, Status};

/// Reloads that may be asked for by signals at once: one under way, and one that sees what changed meanwhile.
const MOST: usize = 2;

/// Whoever asks for a reload.
#[derive(Clone)]
pub(super) struct Reloads {
    asked: Sender<Asked>,
    shared: Arc<Shared>,
}

struct Shared {
    /// Asked for and not yet answered.
    open: AtomicUsize,
    ready: AtomicBool,
    stop: AtomicBool,
    /// When the one that is under way began.
    began: Mutex<Option<Instant>>,
    counts: [Counter; Outcome::ALL.len()],
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Asked {
    Reload(Option<Sender<Answer>>),
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused,
    FailedBack,
    Unchanged,
}

impl Outcome {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Done, "done"),
        (Self::Refused, "refused"),
        (Self::FailedBack, "failed_back"),
        (Self::Unchanged, "unchanged"),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What came of a reload.
enum Answer {
    /// Models that were changed over, none where nothing had changed; and keys that wait for a restart.
    Applied(Vec<Change>, Vec<String>),
    /// Nothing was changed, for these reasons.
    Refused(Vec<String>),
    /// All is as it was, for this reason.
    FailedBack(String),
    /// The daemon ends.
    Interrupted,
}

/// What a reload needs to know of the daemon.
pub(super) struct Daemon {
    pub(super) config: Config,
    /// `None`: there is no file.
    pub(super) path: Option<PathBuf>,
    pub(super) models: Arc<ModelManager>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) cameras: Vec<Arc<Handover>>,
}

/// Who asks, and what is asked for.
pub(super) fn channel(metrics: &Metrics) -> (Reloads, Requests) {
    let (asked, requests) = unbounded();
    let shared = Arc::new(Shared {
        open: AtomicUsize::new(0),
        ready: AtomicBool::new(false),
        stop: AtomicBool::new(false),
        began: Mutex::default(),
        counts: Default::default(),
        thread: Mutex::default(),
    });
    let counted = Arc::clone(&shared);
    metrics.also(move |out| {
        let counts = Outcome::ALL.iter().map(|(outcome, name)| (*name, counted.counts[*outcome as usize].get()));
        counter(out, "reloads_total", "outcome", counts);
    });
    (Reloads { asked, shared: Arc::clone(&shared) }, Requests { asked: requests, shared })
}

/// What is asked for, until somebody answers.
pub(super) struct Requests {
    asked: Receiver<Asked>,
    shared: Arc<Shared>,
}

impl Requests {
    /// From now on reloads happen, one at a time, on a thread of their own.
    pub(super) fn answer(self, mut daemon: Daemon) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("reload".to_owned()).spawn(move || {
            for asked in &self.asked {
                let Asked::Reload(reply) = asked else { return };
                if self.shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                self.shared.under_way(Some(Instant::now()));
                let answer = daemon.reload_guarded(&self.shared.stop);
                self.shared.under_way(None);
                if let Some(outcome) = answer.outcome() {
                    self.shared.counts[outcome as usize].inc();
                }
                self.shared.open.fetch_sub(1, Ordering::SeqCst);
                if let Some(reply) = reply {
                    // Whoever asked may have gone.
                    let _ = reply.send(answer);
                }
            }
        })?;
        *shared.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        shared.ready.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl Shared {
    /// Told to systemd, too; but not the end of one where the daemon ends.
    fn under_way(&self, began: Option<Instant>) {
        let begins = began.is_some();
        if begins {
            reloading();
        }
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = began;
        if !begins && !self.stop.load(Ordering::SeqCst) {
            notify(&[NotifyState::Ready]);
        }
    }
}

impl Reloads {
    /// Feeds the watchdog, for whom a reload is either under way or told to have ended.
    pub(super) fn feed(&self, limit: Duration) {
        let began = self.shared.began.lock().unwrap_or_else(PoisonError::into_inner);
        feed(limit, *began);
    }

    /// A signal's wish: it waits its turn.
    pub(super) fn ask(&self) {
        if self.shared.open.fetch_add(1, Ordering::SeqCst) >= MOST {
            self.shared.open.fetch_sub(1, Ordering::SeqCst);
            tracing::info!("a reload that waits already will see the same; this one is left out");
            return;
        }
        let _ = self.asked.send(Asked::Reload(None));
    }

    /// An operator's wish, and what came of it; refused where a reload is under way.
    pub(super) fn ask_and_wait(&self) -> Result<Value, Refusal> {
        let unavailable = |code, detail: &str| refusal(Status::SERVICE_UNAVAILABLE, code, detail, Map::new());
        if !self.shared.ready.load(Ordering::SeqCst) {
            return Err(unavailable("starting", "the daemon is starting; ask again when /readyz says 200"));
        }
        let draining = || unavailable("draining", "the daemon is ending");
        if self.shared.stop.load(Ordering::SeqCst) {
            return Err(draining());
        }
        if self.shared.open.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_err() {
            let detail = "a reload is under way; ask again when it has ended";
            return Err(refusal(Status::CONFLICT, "reload-under-way", detail, Map::new()));
        }
        let (reply, answer) = bounded(1);
        let _ = self.asked.send(Asked::Reload(Some(reply)));
        answer.recv().map_err(|_| draining())?.told().unwrap_or_else(|| Err(draining()))
    }

    /// Ends what is under way as soon as that can be, and begins nothing more.
    pub(super) fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = self.asked.send(Asked::Stop);
    }

    /// Waits for its end, after [`Reloads::stop`]; false where it has not come by `deadline`.
    pub(super) fn join(&self, deadline: Instant) -> bool {
        let Some(thread) = self.shared.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return true;
        };
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        thread.is_finished() && thread.join().is_ok()
    }
}

fn refusal(status: Status, code: &'static str, detail: &str, more: Map<String, Value>) -> Refusal {
    Refusal { status, code, detail: detail.to_owned(), more }
}

impl Answer {
    fn outcome(&self) -> Option<Outcome> {
        Some(match self {
            Self::Applied(changes, _) if changes.is_empty() => Outcome::Unchanged,
            Self::Applied(..) => Outcome::Done,
            Self::Refused(_) => Outcome::Refused,
            Self::FailedBack(_) => Outcome::FailedBack,
            Self::Interrupted => return None,
        })
    }

    /// For the API; `None` where the daemon ends.
    fn told(self) -> Option<Result<Value, Refusal>> {
        let outcome = self.outcome()?.name();
        let mut more = Map::new();
        more.insert("outcome".to_owned(), json!(outcome));
        Some(match self {
            Self::Applied(changes, others) => {
                more.insert("models".to_owned(), json!(changes));
                more.insert("restart_to_apply".to_owned(), json!(others));
                Ok(Value::Object(more))
            }
            Self::Refused(problems) => {
                let detail = problems.join("; ");
                more.insert("problems".to_owned(), json!(problems));
                Err(refusal(Status::CONFLICT, "reload-refused", &detail, more))
            }
            Self::FailedBack(reason) => Err(refusal(Status::CONFLICT, "reload-failed-back", &reason, more)),
            Self::Interrupted => return None,
        })
    }
}

impl Daemon {
    /// A fault of ours costs a reload, not all later ones.
    fn reload_guarded(&mut self, stop: &AtomicBool) -> Answer {
        let answer = catch_unwind(AssertUnwindSafe(|| self.reload(stop))).unwrap_or_else(|_| {
            Answer::FailedBack("a fault of watchkeeper, please report it; cameras may be of two minds".to_owned())
        });
        match &answer {
            Answer::Applied(changes, others) => {
                if !others.is_empty() {
                    tracing::warn!("changed, and not applied while it runs; restart to apply: {}", others.join(", "));
                }
                tracing::info!(models = changes.len(), "configuration reloaded");
            }
            Answer::Refused(problems) => {
                let problems = problems.join("; ");
                tracing::error!("reload refused, and all goes on as before: {problems}");
            }
            Answer::FailedBack(reason) => {
                tracing::error!("the new engine cannot serve, and the old one serves on: {reason}");
            }
            Answer::Interrupted => tracing::info!("the reload ends with the daemon"),
        }
        answer
    }

    /// Does a camera work with another engine than the one that serves?
    fn has_strays(&self, index: usize) -> bool {
        let serving: Vec<_> = self.models.model(index).map(|loaded| (index, loaded)).into_iter().collect();
        self.cameras.iter().any(|camera| !camera.uses_all(&serving))
    }

    fn reload(&mut self, stop: &AtomicBool) -> Answer {
        let Some(path) = &self.path else {
            return Answer::Refused(vec!["there is no configuration file to read".to_owned()]);
        };
        tracing::info!(config = %path.display(), "the configuration is read anew");
        let now = match read(path) {
            Ok(now) => now,
            Err(problems) => return Answer::Refused(problems),
        };
        let Diff { models, others } = Diff::new(&self.config, &now);
        let mut next = self.config.clone();
        let mut changed = Vec::new();
        for (index, model) in models {
            let other = next.models[index] != model;
            let files = self.models.model(index).map_or(Ok(false), |old| self.models.has_other_files(&old, &model));
            match files {
                // One that could not go back to the engine that serves is brought there now, or to a new one.
                Ok(files) if files || other || self.has_strays(index) => changed.push(index),
                Ok(_) => {}
                Err(error) => return Answer::Refused(vec![error.to_string()]),
            }
            next.models[index] = model;
        }
        let go_on = || !stop.load(Ordering::SeqCst) && self.models.device_lost().is_none();
        let swap = Swap { models: &self.models, metrics: &self.metrics, cameras: &self.cameras, go_on: &go_on };
        match if changed.is_empty() { Ok(Vec::new()) } else { swap.run(&next, &changed) } {
            Ok(changes) => {
                if !changes.is_empty() {
                    super::contract::write(&self.models.contract(), &self.config.runtime.state_dir);
                }
                self.config = next;
                Answer::Applied(changes, others)
            }
            Err(Failure::Refused(reason)) => Answer::Refused(vec![reason]),
            Err(Failure::Back(reason)) => Answer::FailedBack(reason),
            Err(Failure::Interrupted) => Answer::Interrupted,
        }
    }
}

fn read(path: &Path) -> Result<Config, Vec<String>> {
    let problems = |problems: config::Problems| problems.0.iter().map(ToString::to_string).collect::<Vec<_>>();
    let loaded = config::load(path).map_err(problems)?;
    super::register_secrets(&loaded.config);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.config)
}
