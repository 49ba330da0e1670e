//! Libraries and runtimes: what is refused, and in which words.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use common::Fake;
use tensorrt_rs::{
    Error, GpuAllocator, Library, PlanReader, PluginLibrary, Runtime, RuntimeOptions, Upload, Version,
    is_myelin_failure,
};

const PLAN: &[u8] = b"PLAN of a model";

fn runtime(fake: &Fake) -> Arc<Runtime> {
    Runtime::new(&fake.library(), &RuntimeOptions::default()).expect("a runtime")
}

#[test]
fn other_majors_are_refused_before_anything_is_called() {
    for version in [Version::new(9, 3, 0), Version::new(12, 0, 0), Version::new(8, 6, 1)] {
        let fake = Fake::new(10);
        fake.set_version(version);
        let error = Library::load(fake.path()).expect_err("an unknown major");
        assert!(matches!(error, Error::Version { .. }));
        let text = error.to_string();
        assert!(
            text.ends_with(&format!("is TensorRT {version}; this program knows 10.x and 11.x: install one of them"))
        );
        assert_eq!(fake.journal(), [""; 0]);
    }
}

#[test]
fn what_is_no_tensorrt_is_named() {
    let error = Library::load("/nonexistent/libnvinfer.so.10").expect_err("no such file");
    assert!(error.to_string().starts_with("/nonexistent/libnvinfer.so.10: "));
    let error = Library::load("libm.so.6").expect_err("another library");
    assert_eq!(error.to_string(), "libm.so.6 has no getInferLibVersion: it is not TensorRT 10 or newer");
}

#[test]
fn the_same_file_is_the_same_library() {
    for fake in Fake::both() {
        let library = fake.library();
        assert_eq!(library.build(), Some(42));
        assert!(library.has_builder());
        // A second logger would not be taken: runtimes of both must agree.
        let again = Library::load(fake.path().canonicalize().expect("exists")).expect("loads again");
        let first = Runtime::new(&library, &RuntimeOptions::default()).expect("a runtime");
        let second = Runtime::new(&again, &RuntimeOptions::default()).expect("another one");
        drop((first, second));
        fake.assert_clean();
    }
}

#[test]
fn no_more_than_the_known_version_is_announced() {
    for (major, newer) in [(10, Version::new(10, 99, 0)), (11, Version::new(11, 99, 0))] {
        let fake = Fake::new(major);
        fake.set_version(newer);
        drop(runtime(&fake));
        let announced = if major == 10 { Version::NEWEST_10 } else { Version::NEWEST_11 };
        assert_eq!(fake.journal()[0], format!("createInferRuntime::{}", announced.number()));
    }
}

#[test]
fn a_runtime_inside_the_first_page_is_a_failure_in_tensorrts_words() {
    for fake in Fake::both() {
        fake.set("no-cuda", 1);
        let error = Runtime::new(&fake.library(), &RuntimeOptions::default()).expect_err("no CUDA");
        assert_eq!(
            error.to_string(),
            "TensorRT::createInferRuntime made no runtime; TensorRT says: createInferRuntime: Error Code 6: API Usage \
             Error (CUDA initialization failure with error: 35)"
        );
        // Nothing was called on the small number.
        assert_eq!(fake.journal().len(), 1);
    }
}

#[test]
fn a_library_that_answers_otherwise_than_its_table_is_refused() {
    for fake in Fake::both() {
        fake.set("wrong-logger", 1);
        let error = Runtime::new(&fake.library(), &RuntimeOptions::default()).expect_err("a wrong table");
        assert!(matches!(error, Error::Table { .. }), "{error}");
        assert!(error.to_string().contains("its runtime does not answer with the logger it was given"), "{error}");
        let error = tensorrt_rs::Builder::new(&fake.library(), None).expect_err("a wrong table");
        assert!(error.to_string().contains("its builder does not answer"), "{error}");
    }
}

#[test]
fn a_logger_that_another_part_of_the_process_set_is_no_wrong_table() {
    for fake in Fake::both() {
        fake.set("wrong-logger", 1);
        fake.set("foreign-logger", 1);
        drop(runtime(&fake));
        fake.assert_clean();
    }
}

#[test]
fn a_damaged_plan_is_refused_in_tensorrts_words_from_any_thread() {
    for fake in Fake::both() {
        let runtime = runtime(&fake);
        for from_worker in [0, 1] {
            fake.set("from-worker", from_worker);
            let error = runtime.deserialize(b"garbage").expect_err("no plan");
            assert_eq!(
                error.to_string(),
                "VRuntime::deserializeCudaEngine could not load the plan (7 bytes); TensorRT says: \
                 IRuntime::deserializeCudaEngine: Error Code 1: Serialization (magic tag does not match)"
            );
            assert!(!is_myelin_failure(&error));
        }
        assert_eq!(runtime.library().recent_lines().len(), 2);
        drop(runtime);
        fake.assert_clean();
    }
}

#[test]
fn recorded_errors_have_numbers_and_are_quoted_all_the_same() {
    for fake in Fake::both() {
        let options = RuntimeOptions { record_errors: true, ..RuntimeOptions::default() };
        let runtime = Runtime::new(&fake.library(), &options).expect("a runtime");
        let error = runtime.deserialize(b"garbage").expect_err("no plan");
        assert_eq!(error.vendor_lines().len(), 1);
        let recorded = runtime.recorded_errors();
        assert_eq!((recorded.len(), recorded[0].code), (1, 1));
        assert_eq!(recorded[0].description, error.vendor_lines()[0]);
        assert_eq!(runtime.recorder_references(), 1);
        let engine = runtime.deserialize(PLAN).expect("an engine");
        let context = engine.create_context().expect("a context");
        assert_eq!(runtime.recorder_references(), 3);
        drop((context, engine));
        assert_eq!(runtime.recorder_references(), 1);
        runtime.clear_recorded_errors();
        assert!(runtime.recorded_errors().is_empty());
        drop(runtime);
        fake.assert_clean();
    }
}

/// Host memory, counted.
#[derive(Default)]
struct Counting(AtomicI64);

// SAFETY: every block is its own allocation of that size, aligned to 256 bytes.
unsafe impl GpuAllocator for Counting {
    fn allocate(&self, size: u64, alignment: u64, _flags: u32) -> *mut std::ffi::c_void {
        assert!(alignment <= 256);
        self.0.fetch_add(1, Ordering::SeqCst);
        let size = usize::try_from(size).expect("small") + 256;
        let layout = std::alloc::Layout::from_size_align(size, 256).expect("a layout");
        // SAFETY: the size is not zero.
        let block = unsafe { std::alloc::alloc(layout) };
        // SAFETY: there is room for a word, which says how to free the block.
        unsafe { block.cast::<usize>().write(size) };
        block.wrapping_add(256).cast()
    }

    unsafe fn deallocate(&self, memory: *mut std::ffi::c_void) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst);
        let block = memory.cast::<u8>().wrapping_sub(256);
        // SAFETY: written by `allocate`, freed once.
        unsafe {
            let size = block.cast::<usize>().read();
            std::alloc::dealloc(block, std::alloc::Layout::from_size_align_unchecked(size, 256));
        }
        true
    }
}

#[test]
fn memory_of_engines_and_contexts_comes_from_the_allocator_and_goes_back() {
    for fake in Fake::both() {
        let allocator = Arc::new(Counting::default());
        let options = RuntimeOptions {
            gpu_allocator: Some(Arc::clone(&allocator) as Arc<dyn GpuAllocator>),
            max_threads: Some(2),
            temporary_directory: Some("/tmp".into()),
            ..RuntimeOptions::default()
        };
        let runtime = Runtime::new(&fake.library(), &options).expect("a runtime");
        let engine = runtime.deserialize(PLAN).expect("an engine");
        assert_eq!(allocator.0.load(Ordering::SeqCst), 1);
        let context = engine.create_context().expect("a context");
        assert_eq!(allocator.0.load(Ordering::SeqCst), 2);
        drop((runtime, engine, context));
        assert_eq!(allocator.0.load(Ordering::SeqCst), 0);
        fake.assert_clean();
    }
}

/// Copies to host memory.
struct ToHost;

// SAFETY: a copy within host memory is finished at once.
unsafe impl Upload for ToHost {
    unsafe fn upload(&mut self, target: *mut std::ffi::c_void, bytes: &[u8], _: *mut std::ffi::c_void) -> bool {
        // SAFETY: the fake reads into its own host memory.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target.cast(), bytes.len()) };
        true
    }
}

#[test]
fn a_plan_can_arrive_in_pieces() {
    for fake in Fake::both() {
        let runtime = runtime(&fake);
        let plan = b"PLAN that is longer than one piece of the reader".to_vec();
        let reader = PlanReader::new(std::io::Cursor::new(plan.clone()), ToHost);
        let engine = runtime.deserialize_stream(reader).expect("an engine");
        assert_eq!(*engine.serialize().expect("a plan"), *plan);
        let reader = PlanReader::new(std::io::Cursor::new(b"short".to_vec()), ToHost);
        assert!(runtime.deserialize_stream(reader).is_err());
        drop((runtime, engine));
        fake.assert_clean();
    }
}

/// A reader that panics: the load fails, the process goes on.
struct Panicking;

// SAFETY: it never answers a count.
unsafe impl tensorrt_rs::StreamReader for Panicking {
    unsafe fn read(&mut self, _: *mut std::ffi::c_void, _: u64, _: *mut std::ffi::c_void) -> i64 {
        panic!("a reader in trouble");
    }

    fn seek(&mut self, _: i64, _: tensorrt_rs::enums::SeekPosition) -> bool {
        true
    }
}

#[test]
fn a_panic_in_a_callback_stays_there() {
    for fake in Fake::both() {
        let runtime = runtime(&fake);
        assert!(runtime.deserialize_stream(Panicking).is_err());
        drop(runtime);
        fake.assert_clean();
    }
}

#[test]
fn what_an_older_version_lacks_is_not_called() {
    let fake = Fake::new(10);
    fake.set_version(Version::new(10, 3, 0));
    let runtime = runtime(&fake);
    let engine = runtime.deserialize(PLAN).expect("10.3 loads plans");
    fake.journal();
    let reader = PlanReader::new(std::io::Cursor::new(PLAN.to_vec()), ToHost);
    let error = runtime.deserialize_stream(reader).expect_err("10.3 has no reader");
    assert!(matches!(error, Error::Unsupported { .. }));
    assert!(matches!(engine.stat(tensorrt_rs::enums::EngineStat::TotalWeightsSize), Err(Error::Unsupported { .. })));
    assert_eq!(fake.journal(), [""; 0]);
}

#[test]
fn plugins_register_or_say_why_not() {
    for fake in Fake::both() {
        let library = fake.library();
        PluginLibrary::load(fake.path(), &library).expect("plugins");
        fake.set("no-plugins", 1);
        let error = PluginLibrary::load(fake.path(), &library).expect_err("no plugins");
        assert!(error.to_string().contains("registered nothing"), "{error}");
    }
}
