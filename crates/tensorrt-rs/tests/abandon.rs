//! Leaving after a sticky error. One test: what it does holds for its whole process.

mod common;

use std::convert::Infallible;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::Fake;
use tensorrt_rs::{
    BoundContext, Builder, DeviceBuffer, Engine, ExecutionContext, HostMemory, OnnxParser, OnnxParserLibrary, Runtime,
    RuntimeOptions, Stream, lifecycle,
};

/// What is freed and waited for, by whom ever.
#[derive(Debug, Default)]
struct Seen {
    freed: AtomicUsize,
    waited: AtomicUsize,
}

struct Block(Arc<Seen>);

// SAFETY: the fake never follows addresses.
unsafe impl DeviceBuffer for Block {
    fn device_ptr(&self) -> *mut c_void {
        std::ptr::without_provenance_mut(256)
    }

    fn byte_len(&self) -> usize {
        usize::MAX >> 8
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.0.freed.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Work(Arc<Seen>);

// SAFETY: the fake queues nothing.
unsafe impl Stream for Work {
    type Error = Infallible;

    fn raw(&self) -> *mut c_void {
        std::ptr::null_mut()
    }

    fn synchronize(&self) -> Result<(), Infallible> {
        self.0.waited.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn is_finished(&self) -> Result<bool, Infallible> {
        Ok(true)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.0.freed.fetch_add(1, Ordering::SeqCst);
    }
}

struct Everything {
    bound: BoundContext<Block, Work>,
    context: ExecutionContext,
    engine: Arc<Engine>,
    plan: HostMemory,
    builder: Builder,
}

fn everything(fake: &Fake, seen: &Arc<Seen>) -> Everything {
    fake.set("tensors", 3);
    let library = fake.library();
    let options = RuntimeOptions { record_errors: true, ..RuntimeOptions::default() };
    let engine = Runtime::new(&library, &options).expect("a runtime").deserialize(b"PLAN").expect("an engine");
    let names = engine.tensors().iter().map(|tensor| tensor.name.clone());
    let buffers: Vec<_> = names.map(|name| (name, Block(Arc::clone(seen)))).collect();
    let context = engine.create_context().expect("a context");
    let mut bound = BoundContext::new(context, Work(Arc::clone(seen)), buffers, None).expect("all bound");
    bound.set_input_shape("images", &[2, 3, 640, 640]).expect("in the profile");
    let context = engine.create_context().expect("a context");
    let plan = engine.serialize().expect("a plan");
    Everything { bound, context, plan, engine, builder: Builder::new(&library, None).expect("a builder") }
}

/// With an execution under way, and everything that a build makes.
fn drop_all(fake: &Fake, everything: Everything, abandon: bool) {
    let Everything { mut bound, context, engine, plan, builder } = everything;
    let parsers = OnnxParserLibrary::load(fake.path(), &fake.library()).expect("the fake is a parser too");
    let mut network = builder.create_network(&[]).expect("a network");
    OnnxParser::new(&parsers, &mut network).expect("a parser, which the network keeps");
    let config = builder.create_config().expect("a configuration");
    let running = bound.enqueue().expect("queued");
    if abandon {
        lifecycle::abandon();
    }
    let _ = fake.journal();
    drop(running);
    drop((network, config, builder));
    drop((bound, context, plan, engine));
}

#[test]
fn what_drops_after_it_calls_neither_tensorrt_nor_the_stream() {
    let seen = Arc::new(Seen::default());
    let count = || (seen.freed.load(Ordering::SeqCst), seen.waited.load(Ordering::SeqCst));
    let fakes = Fake::both();
    for fake in &fakes {
        let all = everything(fake, &seen);
        drop_all(fake, all, false);
        assert!(fake.journal().len() >= 8, "as long as nothing is abandoned, what drops is ended");
        fake.assert_clean();
    }
    let before = count();
    assert_eq!(before, (8, 2), "three buffers and a stream freed, one execution waited for, in either major");

    let all: Vec<_> = fakes.iter().map(|fake| everything(fake, &seen)).collect();
    assert!(!lifecycle::is_abandoned());
    for (fake, all) in fakes.iter().zip(all) {
        drop_all(fake, all, true);
        assert_eq!(fake.journal(), [""; 0]);
    }

    assert!(lifecycle::is_abandoned());
    assert_eq!(count(), before);
}
