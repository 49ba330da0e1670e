//! Which lock keeps Myelin alive where overlapping executions kill it, on the crates that the daemon uses: one for all
//! models, held from enqueue until the stream has finished. The simulated GPU must tell that from its look-alikes.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};

use gpu::{Device, DeviceBuffer, Stream};
use support::camera::{Camera, MAJORS, device, engine};
use support::{control, library, misuse};
use tensorrt_rs::{Engine, Scratch, is_myelin_failure};

const SIDE: usize = 64;
const CAMERAS: usize = 3;
/// Rounds that a discipline which is right must survive, and in which one that is wrong must fail.
const ROUNDS: u32 = 6;

/// Which lock a camera takes, and when it lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Discipline {
    /// One lock for all, from enqueue until the stream has finished.
    Serial,
    /// Each camera its own lock, from enqueue until the stream has finished.
    PerContext,
    /// A lock for each engine, from enqueue until the stream has finished; every camera has an engine to itself.
    PerEngine,
    /// One lock for all, until enqueue has returned.
    EnqueueOnly,
    /// No lock, but one block of activation memory for all contexts.
    SharedScratch,
}

/// Faults are the process's, so tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn picture(camera: usize) -> Vec<f32> {
    let bright = |i: usize| (20 + 4 * camera..40).contains(&(i % SIDE)) && (24..40).contains(&(i / SIDE % SIDE));
    (0..3 * SIDE * SIDE).map(|i| if bright(i) { 1.0 } else { 0.2 }).collect()
}

/// Cameras with the engines that they share, or do not.
fn cameras(device: &Device, major: (&'static str, &str), discipline: Discipline) -> Vec<Camera> {
    let engine = || engine(device, major, test_models::blob_detector(SIDE as u32, SIDE as u32, 32));
    let shared = engine();
    let scratch = (discipline == Discipline::SharedScratch).then(|| {
        let stream = Stream::new(device).expect("a stream");
        let bytes = usize::try_from(shared.device_memory_size().expect("a size")).expect("it fits");
        let block = DeviceBuffer::<f32>::new(&stream, &device.owner("scratch"), bytes.div_ceil(4)).expect("memory");
        Scratch::new(block).expect("a block")
    });
    let of = |number: usize| {
        let own: Arc<Engine> =
            if discipline == Discipline::PerEngine && number > 0 { engine() } else { Arc::clone(&shared) };
        Camera::with(device, &own, &format!("camera {number}"), scratch.clone())
    };
    (0..CAMERAS).map(of).collect()
}

/// A frame under a discipline.
fn frame<'a>(
    camera: &'a mut Camera,
    picture: &[f32],
    discipline: Discipline,
    all: &Mutex<()>,
    own: &Mutex<()>,
) -> Result<&'a [f32], tensorrt_rs::Error> {
    match discipline {
        Discipline::Serial => {
            let _held = lock(all);
            camera.run(picture)
        }
        Discipline::PerContext | Discipline::PerEngine => {
            let _held = lock(own);
            camera.run(picture)
        }
        Discipline::EnqueueOnly => {
            let running = {
                let _held = lock(all);
                camera.enqueue(picture)?
            };
            running.wait()
        }
        Discipline::SharedScratch => camera.run(picture),
    }
}

/// All cameras, each on its thread, give a frame at the same moment, round after round until Myelin fails. Says how
/// many frames came well and how many failed; frames that came well are checked.
fn rounds(major: (&'static str, &str), discipline: Discipline) -> (u32, u32) {
    let tensorrt = library(major.0);
    let device = device();
    let mut cameras = cameras(&device, major, discipline);
    let pictures: Vec<_> = (0..CAMERAS).map(picture).collect();
    control(tensorrt, r#"{"tensorrt":{"reset":true}}"#);
    let alone = |(camera, picture): (&mut Camera, &Vec<f32>)| camera.run(picture).expect("it runs alone").to_vec();
    let expected: Vec<_> = cameras.iter_mut().zip(&pictures).map(alone).collect();
    assert!(expected[0] != expected[1], "answers that cannot be mixed up");
    // Long beside the moments between a barrier and the enqueues after it, so that what may overlap does.
    control(tensorrt, r#"{"tensorrt":{"myelin_overlap":true,"slow_ms":30}}"#);

    let (all, together) = (Mutex::new(()), Barrier::new(CAMERAS));
    let (well, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    // Told at the end: a thread that panics would leave the others at their barrier.
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for ((camera, picture), expected) in cameras.iter_mut().zip(&pictures).zip(&expected) {
            let (device, all, together, well, failed, wrong) = (&device, &all, &together, &well, &failed, &wrong);
            scope.spawn(move || {
                device.bind().expect("a context");
                let own = Mutex::new(());
                for _ in 0..ROUNDS {
                    together.wait();
                    // Read between two barriers, where nobody writes.
                    if failed.load(Ordering::SeqCst) > 0 {
                        break;
                    }
                    together.wait();
                    let result = catch_unwind(AssertUnwindSafe(|| {
                        frame(camera, picture, discipline, all, &own).map(<[f32]>::to_vec)
                    }));
                    match result {
                        Ok(Ok(answer)) if answer == *expected => {
                            well.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(Err(error)) if is_myelin_failure(&error) => {
                            failed.fetch_add(1, Ordering::SeqCst);
                        }
                        Ok(Ok(_)) => lock(wrong).push("a wrong answer".to_owned()),
                        Ok(Err(error)) => lock(wrong).push(error.to_string()),
                        Err(_) => lock(wrong).push("a panic".to_owned()),
                    }
                }
            });
        }
    });
    let misused = misuse(tensorrt, "context-in-flight") + misuse(tensorrt, "scratch-shared");
    control(tensorrt, r#"{"tensorrt":{"reset":true}}"#);
    assert!(lock(&wrong).is_empty(), "{discipline:?}: {wrong:?}");
    assert_eq!(misused, 0, "{discipline:?}");
    (well.into_inner(), failed.into_inner())
}

fn never_fails(discipline: Discipline) {
    let _turn = lock(&TURN);
    for major in MAJORS {
        assert_eq!(rounds(major, discipline), (ROUNDS * CAMERAS as u32, 0), "{discipline:?}, {}", major.0);
    }
}

fn fails(discipline: Discipline) {
    let _turn = lock(&TURN);
    for major in MAJORS {
        let (_, failed) = rounds(major, discipline);
        assert!(failed > 0, "{discipline:?} was never found out, {}", major.0);
    }
}

#[test]
fn one_lock_until_the_stream_has_finished_never_lets_myelin_fail() {
    never_fails(Discipline::Serial);
}

#[test]
fn a_shared_block_of_activation_memory_is_as_good_as_that_lock() {
    never_fails(Discipline::SharedScratch);
}

#[test]
fn a_lock_for_each_context_lets_myelin_fail() {
    fails(Discipline::PerContext);
}

#[test]
fn a_lock_for_each_engine_lets_myelin_fail() {
    fails(Discipline::PerEngine);
}

#[test]
fn one_lock_released_when_enqueue_returned_lets_myelin_fail() {
    fails(Discipline::EnqueueOnly);
}
