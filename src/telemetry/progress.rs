//! Who is busy, and since when: the watchdog is fed only while every busy stage makes progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All stages of the process.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    stages: Mutex<Vec<Arc<Stage>>>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { began: Instant::now(), stages: Mutex::default() }
    }
}

/// One worker. Idle, or busy with one piece of work since some moment.
#[derive(Debug)]
pub struct Stage {
    name: String,
    began: Instant,
    /// Milliseconds since `began`, plus one; 0: idle.
    busy_since: AtomicU64,
}

impl Progress {
    /// A new stage, idle.
    pub fn stage(&self, name: impl Into<String>) -> Arc<Stage> {
        let stage = Arc::new(Stage { name: name.into(), began: self.began, busy_since: AtomicU64::new(0) });
        self.lock().push(Arc::clone(&stage));
        stage
    }

    /// The stage that has been busy with one piece of work for longer than `limit`, if any.
    #[must_use]
    pub fn stuck(&self, limit: Duration) -> Option<(String, Duration)> {
        let mut stages = self.lock();
        stages.retain(|stage| Arc::strong_count(stage) > 1);
        stages.iter().find_map(|stage| stage.busy_for().filter(|d| *d > limit).map(|d| (stage.name.clone(), d)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Stage>>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    /// Busy from now on, with a new piece of work.
    pub fn busy(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.busy_since.store(now + 1, Ordering::Relaxed);
    }

    /// Waiting for work.
    pub fn idle(&self) {
        self.busy_since.store(0, Ordering::Relaxed);
    }

    fn busy_for(&self) -> Option<Duration> {
        let since = self.busy_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.began.elapsed().saturating_sub(Duration::from_millis(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_busy_stage_can_be_stuck() {
        let progress = Progress::default();
        let stage = progress.stage("camera gate");
        assert_eq!(progress.stuck(Duration::ZERO), None);
        stage.busy();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(progress.stuck(Duration::from_millis(1)).map(|s| s.0).as_deref(), Some("camera gate"));
        assert_eq!(progress.stuck(Duration::from_secs(60)), None);
        stage.idle();
        assert_eq!(progress.stuck(Duration::ZERO), None);
    }

    #[test]
    fn a_stage_that_is_gone_is_not_stuck() {
        let progress = Progress::default();
        let stage = progress.stage("hub");
        stage.busy();
        drop(stage);
        assert_eq!(progress.stuck(Duration::ZERO), None);
    }
}
