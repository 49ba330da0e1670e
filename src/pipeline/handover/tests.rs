//! A camera thread with engines that fail, hang or panic as they are told, and whoever changes them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{EngineFor, Handover, Proof, Setback};
use crate::config::{Config, Task};
use crate::inference::fake::{self, Mood, Moods, Room};
use crate::inference::{LoadedModel, ModelManager};
use crate::pipeline::camera::Worker;
use crate::pipeline::{Publish, channel};
use crate::source::slot::FrameSlot;
use crate::source::{self, Delivery, Frame};
use crate::telemetry::metrics::{CameraMetrics, Metrics};
use crate::telemetry::progress::Progress;

const SOON: Duration = Duration::from_secs(20);

/// A camera whose frames come when a test lets them, and an engine for it.
struct Site {
    config: Config,
    models: Arc<ModelManager>,
    room: Arc<Room>,
    /// What it starts with.
    first: Arc<LoadedModel>,
    mood: Moods,
    handover: Arc<Handover>,
    slot: Arc<FrameSlot>,
    metrics: Arc<CameraMetrics>,
    feeding: Arc<AtomicBool>,
    readable: Arc<AtomicBool>,
    /// One frame in so many that leave the decoder is analysed.
    every: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Site {
    /// With room for so many contexts.
    fn new(contexts: usize) -> Self {
        source::init().unwrap();
        let config = fake::configuration();
        let none = Config { models: Vec::new(), ..config.clone() };
        let models = Arc::new(ModelManager::load(&none, &Metrics::default(), &|_, _| Ok(None)).unwrap());
        let room = Room::new(contexts);
        let (first, mood) = fake::loaded(&config.models[0], "first", &room);
        let metrics = Metrics::default().camera("gate");
        let handover = Arc::new(Handover::new("gate", &[0], &[Arc::clone(&first)], 1, &metrics));
        Self {
            config,
            models,
            room,
            first,
            mood,
            handover,
            slot: Arc::new(FrameSlot::new(Delivery::Newest)),
            metrics,
            feeding: Arc::new(AtomicBool::new(true)),
            readable: Arc::new(AtomicBool::new(true)),
            every: Arc::new(AtomicU64::new(1)),
            threads: Vec::new(),
        }
    }

    /// The same, and the camera runs.
    fn running(contexts: usize) -> Self {
        let mut site = Self::new(contexts);
        let (reports, incoming) = channel();
        site.threads.push(std::thread::spawn(move || while incoming.recv().is_ok() {}));
        let worker = Worker {
            camera: Arc::clone(&site.config.cameras[0]),
            media: None,
            clips: None,
            track_log: None,
            id: Arc::from("gate"),
            slot: Arc::clone(&site.slot),
            task: Task::Detection,
            handover: Arc::clone(&site.handover),
            models: Arc::clone(&site.models),
            tracking: site.config.tracking,
            depth: 1,
            live: true,
            reports,
            publish: Publish::Events,
            metrics: Arc::clone(&site.metrics),
            stage: Progress::default().stage("camera gate"),
        };
        site.threads.push(worker.start().unwrap());
        let (slot, metrics) = (Arc::clone(&site.slot), Arc::clone(&site.metrics));
        let (feeding, readable, every) =
            (Arc::clone(&site.feeding), Arc::clone(&site.readable), Arc::clone(&site.every));
        site.threads.push(std::thread::spawn(move || {
            for seq in 1.. {
                if slot.is_closed() {
                    return;
                }
                if feeding.load(Ordering::SeqCst) {
                    metrics.frame_received();
                    if seq % every.load(Ordering::SeqCst) == 0 {
                        slot.put(Frame::black(seq, (64, 64), readable.load(Ordering::SeqCst)).unwrap());
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }));
        // Without a frame yet it would count as silent.
        site.assert_analyses();
        site
    }

    /// Another engine for the same model.
    fn engine(&self, sha256: &str, mood: Mood) -> (EngineFor, Moods) {
        let (loaded, moods) = fake::loaded(&self.config.models[0], sha256, &self.room);
        *moods.lock() = mood;
        ((0, loaded), moods)
    }

    fn old(&self) -> [EngineFor; 1] {
        [(0, Arc::clone(&self.first))]
    }

    fn move_to(&self, engine: &EngineFor) -> Result<Proof, Setback> {
        self.handover.move_to(&self.models, std::slice::from_ref(engine), &|| true)
    }

    fn move_back(&self) -> Result<(), Setback> {
        self.handover.move_back(&self.models, &self.old(), &|| true)
    }

    fn assert_analyses(&self) {
        let before = self.metrics.inferred.get();
        assert!(wait_for(|| self.metrics.inferred.get() > before + 2), "no frame is analysed");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.slot.close();
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn wait_for(condition: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while !condition() {
        if began.elapsed() > SOON {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

fn words<T>(result: Result<T, Setback>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn an_engine_that_answers_is_taken() {
    let site = Site::running(2);
    let (new, _) = site.engine("new", Mood::Answers);
    assert_eq!(site.move_to(&new).unwrap(), Proof::Answered);
    assert!(site.handover.uses_all(&[new]));
    assert_eq!(Arc::strong_count(&site.first), 1, "something of the old engine is left");
    site.assert_analyses();
}

#[test]
fn an_engine_with_which_the_thread_panics_is_taken_back() {
    let site = Site::running(2);
    let (new, _) = site.engine("new", Mood::Panics);
    assert!(words(site.move_to(&new)).contains("its thread panicked"));
    assert_eq!(site.metrics.panics.get(), 1);
    site.move_back().unwrap();
    assert!(site.handover.uses_all(&site.old()));
    site.assert_analyses();
    assert_eq!(site.metrics.panics.get(), 1);
    assert_eq!(Arc::strong_count(&new.1), 1, "something of the new engine is left");
}

/// A thread that panics while the old engine lies in its mailbox, or is in its hands, gets it all the same.
#[test]
fn the_way_back_is_not_lost_in_a_panic() {
    for in_hand in [false, true] {
        let site = Site::new(4);
        let (new, _) = site.engine("new", Mood::Answers);
        // As it is after a change: this test is the camera thread.
        let handover = Handover::new("gate", &[0], &[Arc::clone(&new.1)], 1, &site.metrics);
        let lane = Arc::new(site.models.lane("gate").unwrap());
        assert!(handover.begins(&lane, &[Arc::clone(&new.1)]));
        std::thread::scope(|scope| {
            let back = scope.spawn(|| handover.move_back(&site.models, &site.old(), &|| true));
            assert!(wait_for(|| handover.is_waiting()));
            let parcel = in_hand.then(|| handover.collect());
            drop(parcel);
            handover.panicked();
            back.join().unwrap().unwrap();
        });
        assert!(handover.uses_all(&site.old()) && !handover.uses(&[new]), "in hand: {in_hand}");
        assert!(!handover.is_waiting());
        // Contexts that were just made of the other engine are none that it works with.
        assert!(!handover.begins(&lane, &[Arc::clone(&site.engine("third", Mood::Answers).0.1)]));
        assert!(handover.begins(&lane, &[Arc::clone(&site.first)]));
    }
}

#[test]
fn a_thread_that_cannot_begin_anew_gets_other_engines_at_once() {
    let site = Site::running(2);
    *site.mood.lock() = Mood::Panics;
    assert!(wait_for(|| site.metrics.panics.get() == 1));
    *site.mood.lock() = Mood::Refuses;
    let (new, _) = site.engine("new", Mood::Answers);
    // Nothing can be proven, and it is no reason to go back.
    assert_eq!(site.move_to(&new).unwrap(), Proof::NotAsked);
    site.assert_analyses();
    assert!(site.handover.uses_all(&[new]));
}

#[test]
fn a_stuck_camera_takes_the_old_engine_when_it_goes_on() {
    let site = Site::running(2);
    let (new, mood) = site.engine("new", Mood::Answers);
    site.move_to(&new).unwrap();
    *mood.lock() = Mood::Hangs;
    let inferred = || site.metrics.inferred.get();
    assert!(wait_for(|| {
        let before = inferred();
        std::thread::sleep(Duration::from_millis(200));
        inferred() == before
    }));
    let told = words(site.move_back());
    assert!(told.contains("is stuck in a frame, and takes the old engine when it goes on"), "{told}");
    assert!(!site.handover.uses_all(&site.old()));
    *mood.lock() = Mood::Answers;
    site.assert_analyses();
    assert!(site.handover.uses_all(&site.old()));
    // Nobody waits for what is left of it, and nobody keeps it.
    assert!(wait_for(|| Arc::strong_count(&new.1) == 1), "the rejected engine is still there");
}

#[test]
fn an_engine_that_hangs_or_fails_does_not_pass() {
    let site = Site::running(2);
    let (hangs, mood) = site.engine("hangs", Mood::Hangs);
    let told = words(site.move_to(&hangs));
    assert!(told.contains("a frame had no answer within"), "{told}");
    *mood.lock() = Mood::Answers;
    site.move_back().unwrap();
    let (fails, _) = site.engine("fails", Mood::Fails);
    let told = words(site.move_to(&fails));
    assert!(told.contains("a failure that was asked for"), "{told}");
    site.move_back().unwrap();
    site.assert_analyses();
}

#[test]
fn a_camera_that_gives_no_frames_or_is_rarely_analysed_is_no_veto() {
    let site = Site::running(2);
    // Frames leave the decoder, and none is due.
    site.every.store(u64::MAX, Ordering::SeqCst);
    let (new, _) = site.engine("new", Mood::Fails);
    assert_eq!(site.move_to(&new).unwrap(), Proof::NotAsked);
    site.feeding.store(false, Ordering::SeqCst);
    assert_eq!(site.move_to(&site.engine("newer", Mood::Fails).0).unwrap(), Proof::NotAsked);
}

#[test]
fn a_camera_in_trouble_of_its_own_is_no_veto() {
    let site = Site::running(2);
    let failed = || site.metrics.failed.get();
    let in_trouble = || {
        let before = failed();
        assert!(wait_for(|| failed() > before + 2));
    };
    // The engine before it failed, too.
    *site.mood.lock() = Mood::Fails;
    in_trouble();
    assert_eq!(site.move_to(&site.engine("no better", Mood::Fails).0).unwrap(), Proof::NotAsked);
    assert_eq!(site.move_to(&site.engine("better", Mood::Answers).0).unwrap(), Proof::Answered);
    site.assert_analyses();
    // It begins with the first frame of the new engine, and is none of its fault.
    let (new, mood) = site.engine("new", Mood::Hangs);
    std::thread::scope(|scope| {
        let moved = scope.spawn(|| site.move_to(&new));
        assert!(wait_for(|| site.handover.uses(std::slice::from_ref(&new))));
        site.readable.store(false, Ordering::SeqCst);
        let before = site.metrics.received.get();
        assert!(wait_for(|| site.metrics.received.get() > before + 2));
        *mood.lock() = Mood::Fails;
        assert_eq!(moved.join().unwrap().unwrap(), Proof::NotAsked);
    });
}

#[test]
fn without_room_for_both_the_camera_gives_up_what_it_has_and_its_old_engine_comes_back() {
    let site = Site::running(2);
    let (new, _) = site.engine("new", Mood::Answers);
    site.move_to(&new).unwrap();
    site.room.shrink(1);
    site.move_back().unwrap();
    assert!(site.handover.uses_all(&site.old()));
    site.assert_analyses();
    assert_eq!(Arc::strong_count(&new.1), 1, "something of the new engine is left");
    // On the way there nothing is given up.
    let Some(Setback::Contexts(error)) = site.move_to(&new).err() else { panic!("there was room") };
    assert!(error.lacks_memory(), "{error}");
    assert!(site.handover.uses_all(&site.old()));
    site.assert_analyses();
}

#[test]
fn where_the_old_engine_makes_no_contexts_the_camera_goes_on_as_it_is() {
    let site = Site::running(2);
    let (new, _) = site.engine("new", Mood::Answers);
    site.move_to(&new).unwrap();
    *site.mood.lock() = Mood::Refuses;
    assert!(matches!(site.move_back(), Err(Setback::Contexts(_))));
    assert!(site.handover.uses_all(&[new]));
    site.assert_analyses();
}

#[test]
fn a_change_ends_with_the_camera() {
    let site = Site::running(2);
    let (new, mood) = site.engine("new", Mood::Hangs);
    std::thread::scope(|scope| {
        let moved = scope.spawn(|| site.move_to(&new));
        assert!(wait_for(|| site.handover.uses(std::slice::from_ref(&new))));
        site.slot.close();
        *mood.lock() = Mood::Fails;
        assert!(matches!(moved.join().unwrap(), Err(Setback::Interrupted)));
    });
    assert!(matches!(site.move_back(), Err(Setback::Interrupted)));
}
