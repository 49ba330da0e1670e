//! Execution in safe code: nothing is freed, changed or reused while the device may be at work.

mod common;

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::Fake;
use tensorrt_rs::enums::AllocationStrategy;
use tensorrt_rs::{
    BoundContext, DeviceBuffer, Engine, Error, Runtime, RuntimeOptions, Scratch, Stream, is_myelin_failure,
};

/// "Device memory" that notes when it is freed.
struct Block {
    memory: Arc<[Aligned]>,
    len: usize,
    skew: usize,
    shared: bool,
    log: Arc<Mutex<Vec<&'static str>>>,
}

#[repr(align(256))]
#[derive(Clone)]
struct Aligned(#[allow(dead_code)] [u8; 256]);

impl Block {
    fn new(len: usize, log: &Arc<Mutex<Vec<&'static str>>>) -> Self {
        Self { memory: vec![Aligned([0; 256]); 4].into(), len, skew: 0, shared: false, log: Arc::clone(log) }
    }
}

// SAFETY: the fake never follows addresses, so any length will do.
unsafe impl DeviceBuffer for Block {
    fn device_ptr(&self) -> *mut c_void {
        self.memory.as_ptr().cast_mut().wrapping_byte_add(self.skew).cast()
    }

    fn byte_len(&self) -> usize {
        self.len
    }

    fn is_shared(&self) -> bool {
        self.shared
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.log.lock().expect("the log").push("free");
    }
}

#[derive(Debug, thiserror::Error)]
#[error("CUDA error 719")]
struct Sticky;

/// A stream that finishes when asked to, and can fail.
#[derive(Default)]
struct Work {
    waits: AtomicUsize,
    finished: AtomicBool,
    broken: AtomicBool,
    log: Arc<Mutex<Vec<&'static str>>>,
}

// SAFETY: the fake queues nothing.
unsafe impl Stream for Work {
    type Error = Sticky;

    fn raw(&self) -> *mut c_void {
        std::ptr::null_mut()
    }

    fn synchronize(&self) -> Result<(), Sticky> {
        self.waits.fetch_add(1, Ordering::SeqCst);
        self.log.lock().expect("the log").push("wait");
        if self.broken.load(Ordering::SeqCst) { Err(Sticky) } else { Ok(()) }
    }

    fn is_finished(&self) -> Result<bool, Sticky> {
        Ok(self.finished.load(Ordering::SeqCst))
    }
}

type Bound = BoundContext<Block, Arc<Work>>;

struct Bench {
    fake: Fake,
    engine: Arc<Engine>,
    work: Arc<Work>,
}

impl Bench {
    fn both() -> Vec<Self> {
        let make = |fake: Fake| {
            fake.set("tensors", 3);
            let runtime = Runtime::new(&fake.library(), &RuntimeOptions::default()).expect("a runtime");
            let engine = runtime.deserialize(b"PLAN").expect("an engine");
            Self { fake, engine, work: Arc::default() }
        };
        Fake::both().into_iter().map(make).collect()
    }

    fn buffers(&self) -> Vec<(String, Block)> {
        let sizes = [("images", 4 * 3 * 640 * 640 * 4), ("scores", usize::MAX >> 8), ("features", 4 * 8 * 4)];
        sizes.map(|(name, len)| (name.to_owned(), Block::new(len, &self.work.log))).into()
    }

    fn bound(&self) -> Bound {
        let context = self.engine.create_context().expect("a context");
        let mut bound = Bound::new(context, Arc::clone(&self.work), self.buffers(), None).expect("all bound");
        bound.set_input_shape("images", &[2, 3, 640, 640]).expect("in the profile");
        bound
    }

    fn take_log(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.work.log.lock().expect("the log"))
    }
}

#[test]
fn an_execution_is_waited_for_once_by_whoever_comes_first() {
    for bench in Bench::both() {
        let mut bound = bench.bound();
        bound.enqueue().expect("queued").wait().expect("done");
        assert_eq!(bench.take_log(), ["wait"]);
        // Dropping the guard waits.
        drop(bound.enqueue().expect("queued"));
        assert_eq!(bench.take_log(), ["wait"]);
        // Forgetting it leaves the waiting to the next use.
        std::mem::forget(bound.enqueue().expect("queued"));
        assert_eq!(bench.take_log(), [""; 0]);
        bound.buffer_mut("images").expect("a buffer");
        assert_eq!(bench.take_log(), ["wait"]);
        std::mem::forget(bound.enqueue().expect("queued"));
        drop(bound);
        assert_eq!(bench.take_log(), ["wait", "free", "free", "free"]);
        drop(bench.engine);
        bench.fake.assert_clean();
    }
}

#[test]
fn a_second_execution_asks_tensorrt_nothing_but_to_execute() {
    for bench in Bench::both() {
        let mut bound = bench.bound();
        bound.enqueue().expect("queued").wait().expect("done");
        bench.fake.journal();
        bound.enqueue().expect("queued").wait().expect("done");
        assert_eq!(bench.fake.journal(), ["VExecutionContext::enqueueV3"]);
        // The same shape again changes nothing, another one is checked.
        bound.set_input_shape("images", &[2, 3, 640, 640]).expect("in the profile");
        bench.fake.journal();
        bound.enqueue().expect("queued").wait().expect("done");
        assert_eq!(bench.fake.journal().len(), 1);
    }
}

#[test]
fn completion_can_be_polled() {
    for bench in Bench::both() {
        let mut bound = bench.bound();
        let mut run = bound.enqueue().expect("queued");
        assert!(!run.is_finished().expect("no error"));
        assert_eq!(run.buffer("features").expect("a buffer").byte_len(), 128);
        bench.work.finished.store(true, Ordering::SeqCst);
        assert!(run.is_finished().expect("no error"));
        drop(run);
        assert_eq!(bench.take_log(), [""; 0], "nothing left to wait for");
    }
}

#[test]
fn what_does_not_fit_is_refused_before_it_runs() {
    for bench in Bench::both() {
        let context = || bench.engine.create_context().expect("a context");
        let work = || Arc::clone(&bench.work);
        let refused = |buffers: Vec<(String, Block)>| {
            Bound::new(context(), work(), buffers, None).expect_err("does not fit").to_string()
        };
        let mut buffers = bench.buffers();
        buffers.pop();
        assert_eq!(refused(buffers), "tensor \"features\" is given no buffer");
        let mut buffers = bench.buffers();
        buffers.push(("images".to_owned(), Block::new(1, &bench.work.log)));
        assert_eq!(refused(buffers), "tensor \"images\" is given two buffers");
        let mut buffers = bench.buffers();
        buffers[0].0 = "image".to_owned();
        assert!(refused(buffers).starts_with("tensor \"image\" is not in the engine"));

        let mut buffers = bench.buffers();
        buffers[0].1.skew = 8;
        let mut bound = Bound::new(context(), work(), buffers, None).expect("names fit");
        let error = bound.enqueue().expect_err("no shape yet");
        assert!(error.to_string().contains("inferShapes lacks the shape"), "{error}");
        bound.set_input_shape("images", &[1, 3, 640, 640]).expect("in the profile");
        let error = bound.enqueue().expect_err("misaligned");
        assert!(error.to_string().contains("aligned to 256 bytes"), "{error}");

        let mut buffers = bench.buffers();
        buffers[2].1.len = 63;
        let mut bound = Bound::new(context(), work(), buffers, None).expect("names fit");
        bound.set_input_shape("images", &[2, 3, 640, 640]).expect("in the profile");
        let error = bound.enqueue().expect_err("too small");
        assert_eq!(error.to_string(), "tensor \"features\" is 2x5x2x2 and needs 64 bytes, its buffer has 63");
        assert!(!bench.fake.journal().contains(&"VExecutionContext::enqueueV3".to_owned()));
    }
}

#[test]
fn a_buffer_exchanged_through_a_reference_is_checked_and_bound_anew() {
    for bench in Bench::both() {
        let mut bound = bench.bound();
        bound.enqueue().expect("queued").wait().expect("done");
        let mut other = Block::new(64, &bench.work.log);
        let address = other.device_ptr();
        std::mem::swap(bound.buffer_mut("features").expect("a buffer"), &mut other);
        drop(other);
        bound.enqueue().expect("large enough for 2").wait().expect("done");
        assert_eq!(bound.context().tensor_address("features").expect("an address"), address.cast_const());
        *bound.buffer_mut("features").expect("a buffer") = Block::new(1, &bench.work.log);
        assert!(matches!(bound.enqueue(), Err(Error::Tensor { .. })));
    }
}

#[test]
fn a_myelin_failure_is_recognised_and_leaves_nothing_under_way() {
    for bench in Bench::both() {
        let mut bound = bench.bound();
        bench.fake.set("myelin", 1);
        let error = bound.enqueue().map(drop).expect_err("Myelin");
        assert!(is_myelin_failure(&error), "{error}");
        assert!(error.to_string().contains("Called with an already loaded binary graph"), "{error}");
        assert_eq!(bench.take_log(), ["wait"]);
        bench.fake.set("myelin", 0);
        let error = bench.engine.tensor("nobody").expect_err("no such tensor");
        assert!(!is_myelin_failure(&error));
    }
}

#[test]
fn a_broken_stream_poisons_the_context_and_frees_nothing() {
    for bench in Bench::both() {
        let mut bound = bench.bound();
        let run = bound.enqueue().expect("queued");
        bench.work.broken.store(true, Ordering::SeqCst);
        let error = run.wait().expect_err("the stream failed");
        assert_eq!(error.to_string(), "the stream of the execution failed: CUDA error 719");
        assert!(matches!(bound.enqueue(), Err(Error::Poisoned)));
        assert!(matches!(bound.buffer_mut("images"), Err(Error::Poisoned)));
        bench.take_log();
        bench.fake.journal();
        drop(bound);
        assert_eq!((bench.take_log(), bench.fake.journal()), (vec![], vec![]), "all leaked");
    }
}

#[test]
fn contexts_that_share_activation_memory_take_turns() {
    for bench in Bench::both() {
        let scratch = Scratch::new(Block::new(1000, &bench.work.log)).expect("aligned");
        let bound = |scratch: &Scratch| {
            let context = bench.engine.create_context_with(AllocationStrategy::UserManaged).expect("a context");
            let work = Arc::new(Work::default());
            let mut bound = Bound::new(context, work, bench.buffers(), Some(scratch.clone())).expect("all bound");
            bound.set_input_shape("images", &[1, 3, 640, 640]).expect("in the profile");
            bound
        };
        let (mut first, mut second) = (bound(&scratch), bound(&scratch));
        let executing = AtomicUsize::new(0);
        let executing = &executing;
        std::thread::scope(|scope| {
            for bound in [&mut first, &mut second] {
                scope.spawn(move || {
                    for _ in 0..50 {
                        let run = bound.enqueue().expect("queued");
                        assert_eq!(executing.fetch_add(1, Ordering::SeqCst), 0, "two at a time");
                        std::thread::yield_now();
                        executing.fetch_sub(1, Ordering::SeqCst);
                        run.wait().expect("done");
                    }
                });
            }
        });
        let small = Scratch::new(Block::new(999, &bench.work.log)).expect("aligned");
        let error = bound(&small).enqueue().map(drop).expect_err("one byte short");
        assert!(error.to_string().contains("has 999 bytes, engine \"fake engine\" needs 1000"), "{error}");
        let context = bench.engine.create_context_with(AllocationStrategy::UserManaged).expect("a context");
        assert!(Bound::new(context, Arc::clone(&bench.work), bench.buffers(), None).is_err());
    }
}

#[test]
fn shared_memory_is_for_inputs_or_for_one_output_and_not_for_activations() {
    for bench in Bench::both() {
        let shared = || {
            let mut block = Block::new(4 * 3 * 640 * 640 * 4, &bench.work.log);
            block.shared = true;
            block
        };
        let error = Scratch::new(shared()).map(drop).expect_err("contexts of other streams would meet in it");
        assert_eq!(error.to_string(), "activation memory must be nobody else's, and this is a shared buffer");

        for name in ["images", "features"] {
            let mut bound = bench.bound();
            *bound.buffer_mut(name).expect("a buffer") = shared();
            bound.enqueue().expect("either by itself").wait().expect("done");
        }
        let mut bound = bench.bound();
        // Not the same place, but within the other.
        let (mut images, mut features) = (shared(), shared());
        features.memory = Arc::clone(&images.memory);
        (images.skew, features.skew) = (0, 512);
        *bound.buffer_mut("images").expect("a buffer") = images;
        *bound.buffer_mut("features").expect("a buffer") = features;
        let error = bound.enqueue().map(drop).expect_err("it would read what it writes");
        assert_eq!(error.to_string(), "tensor \"features\" is written to memory that tensor \"images\" has too");
    }
}

#[test]
fn another_profile_wants_its_shapes_anew() {
    for bench in Bench::both() {
        let mut bound = bench.bound();
        bound.set_optimization_profile(1).expect("profile 1");
        assert_eq!(bench.take_log(), ["wait"]);
        assert!(bound.enqueue().map(drop).is_err());
        bound.set_input_shape("images", &[1, 3, 640, 640]).expect("in the profile");
        bound.enqueue().expect("queued").wait().expect("done");
        assert!(bound.set_optimization_profile(2).is_err());
    }
}

#[test]
fn tensors_on_the_host_are_left_to_the_unsafe_floor() {
    for fake in Fake::both() {
        fake.set("host-tensors", 1);
        let runtime = Runtime::new(&fake.library(), &RuntimeOptions::default()).expect("a runtime");
        let engine = runtime.deserialize(b"PLAN").expect("an engine");
        let bench = Bench { fake, engine, work: Arc::default() };
        let context = bench.engine.create_context().expect("a context");
        let error = Bound::new(context, Arc::clone(&bench.work), bench.buffers(), None).expect_err("host memory");
        assert!(error.to_string().contains("lives in host memory"), "{error}");
    }
}
