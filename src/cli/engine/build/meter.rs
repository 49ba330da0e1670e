//! How far a build is: a bar on a terminal, a line now and then elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::inference::build::{Job, View, remaining};

const LOOK_EVERY: Duration = Duration::from_millis(100);
const TELL_EVERY: Duration = Duration::from_secs(10);
/// Of the bar.
const STEPS: u64 = 1000;

/// Tells until it is dropped.
pub(super) struct Meter {
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    what: String,
    stage: Mutex<String>,
    ended: AtomicBool,
}

impl Meter {
    /// `what` is done in stages, the longest of which is `job`; `before` is how long that took the last time.
    pub(super) fn start(what: &str, job: &Arc<Job>, before: Option<Duration>) -> Self {
        let state = Arc::new(State { what: what.to_owned(), stage: Mutex::default(), ended: AtomicBool::new(false) });
        let (job, shared) = (Arc::clone(job), Arc::clone(&state));
        let watch = move || watch(&shared, &job, before);
        // Without a thread nothing is told, and nothing else is lost.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(watch).ok();
        Self { state, thread }
    }

    /// What is done from now on, where TensorRT does not tell.
    pub(super) fn stage(&self, stage: &str) {
        stage.clone_into(&mut self.state.stage.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn watch(state: &State, job: &Job, before: Option<Duration>) {
    let bar = std::io::IsTerminal::is_terminal(&std::io::stderr()).then(|| bar(&state.what));
    let began = Instant::now();
    let (mut told, mut building) = (began, None);
    while !state.ended.load(Ordering::SeqCst) {
        let view = job.view();
        if view.is_some() && building.is_none() {
            building = Some(Instant::now());
        }
        let elapsed = began.elapsed();
        let left = view.as_ref().zip(building).and_then(|(view, at)| remaining(at.elapsed(), view.part, before));
        let stage = state.stage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let words = words(view.as_ref(), &stage, elapsed, left);
        if let Some(bar) = &bar {
            // Before TensorRT's work nothing is done, and after it nearly all.
            let part = view.map_or(f64::from(u8::from(building.is_some())), |view| view.part);
            bar.set_position((part * STEPS as f64) as u64);
            bar.set_message(words);
        } else if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            eprintln!("{}: {words}", state.what);
        }
        std::thread::park_timeout(LOOK_EVERY);
    }
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
}

fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr_with_hz(5));
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3}% {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

/// `Timing layers 14 of 60 (Conv /model/0), 38 %, 12 s so far, about 20 s left`
fn words(view: Option<&View>, stage: &str, elapsed: Duration, left: Option<Duration>) -> String {
    let mut words = match view {
        Some(View { phase, step, steps, detail, part }) => {
            let detail = detail.as_ref().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{phase} {step} of {steps}{detail}, {:.0} %", part * 100.0)
        }
        None => stage.to_owned(),
    };
    words += &format!(", {} so far", time(elapsed));
    if let Some(left) = left {
        words += &format!(", about {} left", time(left));
    }
    words
}

/// `0.4 s`, `48 s`, `12 min 5 s`
pub(super) fn time(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phase_layer_part_and_times_are_said() {
        let view = View {
            phase: "Timing layers".to_owned(),
            step: 14,
            steps: 60,
            detail: Some("Conv /model/0".to_owned()),
            part: 0.384,
        };
        let s = Duration::from_secs;
        assert_eq!(
            words(Some(&view), "building", s(72), Some(s(20))),
            "Timing layers 14 of 60 (Conv /model/0), 38 %, 1 min 12 s so far, about 20 s left"
        );
        assert_eq!(words(None, "measuring", s(3), None), "measuring, 3.0 s so far");
    }
}
