//! The threads, each with a lane and a context of every engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::super::workbench::ModelUser;
use super::reference::{Reference, batch};
use super::tally::Tallies;
use crate::inference::{FrameRef, InferenceError, ModelManager};

/// After a failure: engines that are to be loaded anew are not asked for more often.
const AFTER_FAILURE: Duration = Duration::from_millis(10);
/// A run that has not come back this long after the end hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Contexts of all models in a lane of their own.
pub(super) fn users(models: &ModelManager, count: usize, lane: &str) -> Result<Vec<ModelUser>, InferenceError> {
    let lane = models.lane(lane)?;
    (0..count).filter_map(|index| models.model(index)).map(|model| ModelUser::new(models, &lane, &model)).collect()
}

/// What threads share.
pub(super) struct Work {
    pub(super) reference: Reference,
    pub(super) tallies: Tallies,
    pub(super) tolerance: f64,
    pub(super) stop: AtomicBool,
}

/// Starts a thread.
pub(super) fn start(number: usize, users: Vec<ModelUser>, work: &Arc<Work>) -> std::io::Result<JoinHandle<()>> {
    let work = Arc::clone(work);
    std::thread::Builder::new().name(format!("stress {number}")).spawn(move || run(number, users, &work))
}

fn run(number: usize, mut users: Vec<ModelUser>, work: &Work) {
    let Work { reference, tallies, tolerance, stop } = work;
    let pictures = reference.images.len();
    let mut started = vec![false; users.len()];
    for round in 1_usize.. {
        if stop.load(Ordering::Relaxed) || tallies.lost().is_some() {
            return;
        }
        // Neighbours look at different pictures, so an answer that went to the wrong one shows.
        let picture = (number + round) % pictures;
        let frame = FrameRef { tag: (1, round as u64), picture: reference.images[picture].picture() };
        let mut failures = false;
        for (model, (user, started)) in users.iter_mut().zip(&mut started).enumerate() {
            let prepared = user.prepare(&frame, batch(user, picture));
            *started = prepared.is_ok();
            match prepared {
                Ok(()) => user.submit(),
                Err(error) => {
                    failures = true;
                    tallies.failed(model, &error);
                }
            }
        }
        for (model, (user, _)) in users.iter_mut().zip(&started).enumerate().filter(|(_, (_, started))| **started) {
            match user.wait() {
                Ok(()) => tallies.ran(model, reference.answer(picture, model).difference(user), *tolerance),
                Err(error) => {
                    failures = true;
                    tallies.failed(model, &error);
                }
            }
        }
        if failures {
            std::thread::sleep(AFTER_FAILURE);
        }
    }
}

/// Waits for threads that were told to end; how many did not.
pub(super) fn join(threads: Vec<JoinHandle<()>>) -> Joined {
    join_within(threads, PATIENCE)
}

/// How threads ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    /// They have not come back.
    pub(super) hung: usize,
    /// They panicked.
    pub(super) panicked: usize,
}

fn join_within(threads: Vec<JoinHandle<()>>, patience: Duration) -> Joined {
    let until = Instant::now() + patience;
    let mut joined = Joined::default();
    for thread in threads {
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(2));
        }
        match thread.is_finished() {
            true => joined.panicked += usize::from(thread.join().is_err()),
            false => joined.hung += 1,
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_does_not_come_back_is_told_of() {
        let (stay, never) = std::sync::mpsc::channel::<()>();
        let threads = vec![
            std::thread::spawn(move || {
                let _ = never.recv();
            }),
            std::thread::spawn(|| {}),
            std::thread::spawn(|| std::panic::resume_unwind(Box::new("a panic"))),
        ];
        assert_eq!(join_within(threads, Duration::from_millis(200)), Joined { hung: 1, panicked: 1 });
        drop(stay);
    }
}
