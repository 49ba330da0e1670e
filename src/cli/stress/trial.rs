//! One mode: models loaded, answers taken, threads let loose on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::super::workbench::{self, About, Mode, ModelUser, OpenDevice, Progress, sequence};
use super::hammer::{self, Work};
use super::reference::Reference;
use super::report::{Failures, ModeReport, ModelReport, Words};
use super::tally::Tallies;
use crate::config::Config;
use crate::inference::{InferenceError, ModelManager};
use crate::telemetry::metrics::Metrics;

/// Pictures: 5, so that threads that take one after the other do not fall into step with batches of 1, 2, 4 and 8.
const PICTURES: usize = 5;
/// Their size, pixels.
const SIZE: (usize, usize) = (640, 360);
/// Time between them in the scene: nobody stands where somebody stood.
const STEP_S: f32 = 1.7;

/// What is asked for.
pub(super) struct Settings {
    pub(super) contexts: usize,
    pub(super) span: Duration,
    pub(super) tolerance: f64,
}

/// How a mode ended, and what it ran on.
pub(super) type Outcome = (About, ModeReport);

/// Runs one mode.
///
/// # Errors
/// Where the models cannot be loaded. What goes wrong from then on is in the report.
pub(super) fn run(
    mode: Mode,
    config: &Config,
    device: &mut Option<OpenDevice>,
    settings: &Settings,
) -> Result<Outcome, InferenceError> {
    let (config, metrics) = (mode.of(config), Metrics::default());
    let models = workbench::models(&config, &metrics)?;
    *device = device.take().or_else(|| OpenDevice::of(&models));
    let about = About::new(&config, &models);
    let report = match prepare(&models, config.models.len(), settings) {
        Ok((work, users)) => measure(mode, &models, &metrics, work, users, settings),
        Err(error) => {
            let mut report = ModeReport::new(mode);
            report.device_lost = matches!(error, InferenceError::DeviceLost { .. });
            report.not_safe(format!("it could not begin: {error}"));
            report
        }
    };
    Ok((about, report))
}

type Users = Vec<ModelUser>;

/// Contexts of all threads, and the answers that they are to give.
fn prepare(
    models: &ModelManager,
    count: usize,
    settings: &Settings,
) -> Result<(Arc<Work>, Vec<Users>), InferenceError> {
    let mut alone = hammer::users(models, count, "stress-reference")?;
    let reference = Reference::take(&mut alone, sequence(SIZE.0, SIZE.1, PICTURES, STEP_S))?;
    // Its memory is the threads' from here on.
    drop(alone);
    let lanes = 1..=settings.contexts;
    let users = lanes.map(|number| hammer::users(models, count, &format!("stress-{number}")));
    let users = users.collect::<Result<Vec<_>, _>>()?;
    let (tallies, stop) = (Tallies::new(count), AtomicBool::new(false));
    Ok((Arc::new(Work { reference, tallies, tolerance: settings.tolerance, stop }), users))
}

fn measure(
    mode: Mode,
    models: &ModelManager,
    metrics: &Metrics,
    work: Arc<Work>,
    users: Vec<Users>,
    settings: &Settings,
) -> ModeReport {
    let mut report = ModeReport::new(mode);
    let mut progress = Progress::new(mode.name().to_owned(), settings.span);
    let began = Instant::now();
    let mut threads = Vec::with_capacity(users.len());
    for (number, users) in users.into_iter().enumerate() {
        match hammer::start(number, users, &work) {
            Ok(thread) => threads.push(thread),
            Err(error) => report.not_safe(format!("a thread could not be started: {error}")),
        }
    }
    while began.elapsed() < settings.span && work.tallies.lost().is_none() {
        std::thread::sleep(Duration::from_millis(20));
        progress.step(|| format!("{} runs, {} failed or wrong", work.tallies.runs(), work.tallies.trouble()));
    }
    work.stop.store(true, Ordering::Relaxed);
    let seconds = began.elapsed();
    drop(progress);
    let joined = hammer::join(threads);
    count(&mut report, models, metrics, &work, seconds);
    report.device_lost |= work.tallies.lost().is_some() || models.device_lost().is_some();
    report.hung = joined.hung > 0;
    judge(&mut report, &work, models, joined.panicked);
    report
}

/// Figures, by model and in all.
fn count(report: &mut ModeReport, models: &ModelManager, metrics: &Metrics, work: &Work, seconds: Duration) {
    let counters = metrics.models();
    let per_s = |runs: u64| runs as f64 / seconds.as_secs_f64().max(1e-9);
    for (index, tally) in work.tallies.models().into_iter().enumerate() {
        let name = models.model(index).map(|model| model.model.name.clone()).unwrap_or_default();
        let counted = counters.iter().find(|model| model.name == name);
        let myelin = counted.map_or(0, |model| model.myelin.get());
        report.models.push(ModelReport {
            runs: tally.runs,
            runs_per_s: per_s(tally.runs),
            different: tally.different,
            wrong: tally.wrong,
            largest_difference: tally.worst,
            largest_difference_alone: work.reference.alone[index],
            failures: Failures { myelin, other: tally.failed.saturating_sub(myelin), refused: tally.refused },
            reloads: counted.map_or(0, |model| model.reloads.get()),
            name,
        });
    }
    report.seconds = seconds.as_secs_f64();
    report.outputs_not_compared = work.reference.unread();
    report.words = work.tallies.words().into_iter().map(|(text, count)| Words { text, count }).collect();
}

/// Why the mode is not safe, where it is not.
fn judge(report: &mut ModeReport, work: &Work, models: &ModelManager, panicked: usize) {
    let lost = work.tallies.lost().or_else(|| models.device_lost().map(str::to_owned));
    if let Some(reason) = lost {
        report.not_safe(format!("the device failed for good: {reason}"));
    }
    if report.hung {
        report.not_safe("runs did not come back".to_owned());
    }
    if panicked > 0 {
        report.not_safe(format!("{panicked} threads ended in a panic"));
    }
    report.judge_figures();
}
