//! Every row of the slot tables, called through the second floor: the compiler-made vtable behind it says
//! which method was reached.

mod common;

use std::collections::HashSet;
use std::ffi::{CStr, c_void};
use std::sync::Mutex;

use common::Fake;
use tensorrt_rs::enums::{
    AllocationStrategy, DeviceType, EngineStat, HardwareCompatibility, LayerInformationFormat, MemoryPool,
    ProfileSelector, ProfilingVerbosity, Severity, TensorFormat,
};
use tensorrt_rs::result::{builder, context, engine, network, onnx, runtime};
use tensorrt_rs::sys::callback::{Callback, LogSink, Rtti, logger};
use tensorrt_rs::sys::{Handle, Interface, Object, Row, slots};
use tensorrt_rs::{BuilderFlag, Dims, NetworkFlag, OnnxParserFlag, PreviewFeature, TacticSource, Version};

#[derive(Default)]
struct Lines(Mutex<Vec<(Severity, String)>>);

impl LogSink for Lines {
    fn log(&self, severity: Severity, line: &CStr) {
        self.0.lock().expect("the lines").push((severity, line.to_string_lossy().into_owned()));
    }
}

/// One library with what reached it.
struct Bench {
    fake: Fake,
    version: Version,
    logger: Callback<Lines>,
    reached: HashSet<(&'static str, &'static str)>,
}

impl Bench {
    fn new(fake: Fake) -> Self {
        let version = fake.library().version();
        let logger = logger(version.abi().expect("10 or 11"), Rtti::NONE, Lines::default());
        Self { fake, version, logger, reached: HashSet::new() }
    }

    /// An object from an exported function of two pointers and a number.
    fn create<I: Interface>(&self, function: &[u8], first: *mut c_void, second: *mut c_void) -> Handle<I> {
        // SAFETY: the types are those of fake.cpp; a runtime and a builder take their logger first and ignore what
        // follows the number.
        unsafe {
            let raw = libloading::Library::new(self.fake.path()).expect("the fake loads");
            let create: libloading::Symbol<unsafe extern "C" fn(*mut c_void, *mut c_void, i32) -> *mut Object> =
                raw.get(function).expect("exported");
            Handle::new(create(first, second, 0)).expect("an object")
        }
    }

    /// Runs `call` and asserts that it ended in the method of `row`.
    fn reach<T>(&mut self, row: Row, call: impl FnOnce(Version) -> Result<T, tensorrt_rs::Error>) -> T {
        self.fake.journal();
        let answer = call(self.version);
        let journal = self.fake.journal();
        let wanted = format!("{}::{}", row.interface, row.name);
        assert!(journal.contains(&wanted), "{}: {wanted} was called, {journal:?} was reached", self.version);
        assert!(journal.iter().all(|line| line.starts_with(row.interface)), "{wanted}: {journal:?}");
        self.reached.insert((row.interface, row.name));
        answer.unwrap_or_else(|error| panic!("{wanted}: {error}"))
    }
}

#[test]
fn every_method_reaches_the_method_of_its_name() {
    for fake in Fake::both() {
        let mut bench = Bench::new(fake);
        // SAFETY: all handles are live objects of the fake, of that version, used by this thread alone; the
        // addresses passed are kept by the fake and never followed.
        unsafe {
            execution(&mut bench);
            building(&mut bench);
        }
        let all: HashSet<_> = slots::all().iter().map(|row| (row.interface, row.name)).collect();
        let missing: Vec<_> = all.difference(&bench.reached).collect();
        assert!(missing.is_empty(), "never called: {missing:?}");
        bench.fake.assert_clean();
    }
}

unsafe fn execution(b: &mut Bench) {
    use slots::{context as c, engine as e, host_memory as h, inspector as i, runtime as r};
    let null = std::ptr::null_mut();
    let name = c"images";
    // SAFETY: see the caller.
    unsafe {
        let version = b.version;
        let rt = b.create::<r::Runtime>(b"createInferRuntime_INTERNAL\0", b.logger.as_ptr(), null);
        let own = b.logger.as_ptr();
        assert_eq!(b.reach(r::GET_LOGGER.row(), |v| runtime::logger(v, rt)), own);
        b.reach(r::SET_DLA_CORE.row(), |v| runtime::set_dla_core(v, rt, 1));
        let last = b.logger.state().0.lock().expect("the lines").last().cloned();
        assert_eq!(last, Some((Severity::Verbose, "core 1".to_owned())));
        b.reach(r::SET_MAX_THREADS.row(), |v| runtime::set_max_threads(v, rt, 7));
        assert_eq!(b.reach(r::GET_MAX_THREADS.row(), |v| runtime::max_threads(v, rt)), 7);
        b.reach(r::SET_TEMPORARY_DIRECTORY.row(), |v| runtime::set_temporary_directory(v, rt, c"/tmp"));
        let last = b.logger.state().0.lock().expect("the lines").last().cloned();
        assert_eq!(last, Some((Severity::Verbose, "temporary directory /tmp".to_owned())));
        b.reach(r::SET_ENGINE_HOST_CODE_ALLOWED.row(), |v| runtime::set_host_code_allowed(v, rt, true));
        assert!(b.reach(r::GET_ENGINE_HOST_CODE_ALLOWED.row(), |v| runtime::host_code_allowed(v, rt)));
        b.reach(r::SET_ERROR_RECORDER.row(), |v| runtime::set_error_recorder(v, rt, null));
        assert!(b.reach(r::GET_ERROR_RECORDER.row(), |v| runtime::error_recorder(v, rt)).is_null());
        let engine_ = b.reach(r::DESERIALIZE_CUDA_ENGINE.row(), |v| runtime::deserialize(v, rt, b"PLAN"));
        callbacks(b, rt);

        assert_eq!(b.reach(e::GET_NB_LAYERS.row(), |v| engine::layer_count(v, engine_)), 3);
        assert!(b.reach(e::IS_REFITTABLE.row(), |v| engine::is_refittable(v, engine_)));
        assert_eq!(b.reach(e::GET_NAME.row(), |v| engine::name(v, engine_)), "fake engine");
        assert_eq!(b.reach(e::GET_NB_OPTIMIZATION_PROFILES.row(), |v| engine::profile_count(v, engine_)), 2);
        b.reach(e::GET_PROFILING_VERBOSITY.row(), |v| engine::profiling_verbosity(v, engine_));
        let shape = b.reach(e::GET_TENSOR_SHAPE.row(), |v| engine::tensor_shape(v, engine_, c"scores"));
        assert_eq!(shape.as_slice(), [-1, 7, 1 << 33]);
        b.reach(e::GET_TENSOR_DATA_TYPE.row(), |v| engine::tensor_data_type(v, engine_, name));
        b.reach(e::GET_TENSOR_LOCATION.row(), |v| engine::tensor_location(v, engine_, name));
        b.reach(e::IS_SHAPE_INFERENCE_IO.row(), |v| engine::is_shape_inference_io(v, engine_, name));
        b.reach(e::GET_TENSOR_IO_MODE.row(), |v| engine::tensor_io_mode(v, engine_, name));
        let which = ProfileSelector::Max;
        let shape = b.reach(e::GET_PROFILE_SHAPE.row(), |v| engine::profile_shape(v, engine_, name, 1, which));
        assert_eq!(shape.as_slice(), [5, 3, 640, 640]);
        assert_eq!(b.reach(e::GET_NB_IO_TENSORS.row(), |v| engine::io_tensor_count(v, engine_)), 3);
        assert_eq!(&*b.reach(e::GET_IO_TENSOR_NAME.row(), |v| engine::io_tensor_name(v, engine_, 0)), name);
        assert!(engine::io_tensor_name(version, engine_, 3).is_err());
        b.reach(e::GET_HARDWARE_COMPATIBILITY_LEVEL.row(), |v| engine::hardware_compatibility(v, engine_));
        assert_eq!(b.reach(e::GET_NB_AUX_STREAMS.row(), |v| engine::aux_stream_count(v, engine_)), 4);
        b.reach(e::GET_TENSOR_BYTES_PER_COMPONENT.row(), |v| engine::bytes_per_component(v, engine_, name, 0));
        b.reach(e::GET_TENSOR_COMPONENTS_PER_ELEMENT.row(), |v| engine::components_per_element(v, engine_, name, 0));
        b.reach(e::GET_TENSOR_FORMAT.row(), |v| engine::tensor_format(v, engine_, name, 0));
        b.reach(e::GET_TENSOR_FORMAT_DESC.row(), |v| engine::tensor_format_desc(v, engine_, name, 0));
        b.reach(e::GET_TENSOR_VECTORIZED_DIM.row(), |v| engine::vectorized_dim(v, engine_, name, 0));
        let bytes = b.reach(e::GET_DEVICE_MEMORY_SIZE.row(), |v| engine::device_memory_size(v, engine_));
        assert_eq!(bytes, (1 << 33) + 5);
        b.reach(e::GET_DEVICE_MEMORY_SIZE_FOR_PROFILE.row(), |v| engine::device_memory_size_for_profile(v, engine_, 1));
        b.reach(e::GET_ENGINE_STAT.row(), |v| engine::stat(v, engine_, EngineStat::TotalWeightsSize));

        let memory = b.reach(e::SERIALIZE.row(), |v| engine::serialize(v, engine_));
        assert_eq!(b.reach(h::DATA.row(), |v| engine::host_memory(v, memory)), b"PLAN");
        b.reach(h::SIZE.row(), |v| engine::host_memory(v, memory));
        b.reach(h::TYPE.row(), |v| engine::host_memory_type(v, memory));
        memory.destroy(version);

        let strategy = AllocationStrategy::UserManaged;
        let ctx = b.reach(e::CREATE_EXECUTION_CONTEXT.row(), |v| engine::create_context(v, engine_, strategy));
        b.reach(c::SET_NAME.row(), |v| context::set_name(v, ctx, c"gate"));
        assert_eq!(b.reach(c::GET_NAME.row(), |v| context::name(v, ctx)), "gate");
        b.reach(c::SET_OPTIMIZATION_PROFILE_ASYNC.row(), |v| context::set_optimization_profile(v, ctx, 1, null));
        assert_eq!(b.reach(c::GET_OPTIMIZATION_PROFILE.row(), |v| context::optimization_profile(v, ctx)), 1);
        let dims = Dims::new(&[4, 3, 1 << 33]).expect("3 dimensions");
        b.reach(c::SET_INPUT_SHAPE.row(), |v| context::set_input_shape(v, ctx, name, &dims));
        assert_eq!(b.reach(c::GET_TENSOR_SHAPE.row(), |v| context::tensor_shape(v, ctx, name)), dims);
        assert!(context::tensor_shape(version, ctx, c"nobody").is_err());
        let specified = c::ALL_INPUT_DIMENSIONS_SPECIFIED.row();
        assert!(b.reach(specified, |v| context::all_input_dimensions_specified(v, ctx)));
        b.reach(c::GET_TENSOR_STRIDES.row(), |v| context::tensor_strides(v, ctx, name));
        let address = std::ptr::without_provenance_mut(0x1_0000_0000);
        b.reach(c::SET_TENSOR_ADDRESS.row(), |v| context::set_tensor_address(v, ctx, name, address));
        let set = b.reach(c::GET_TENSOR_ADDRESS.row(), |v| context::tensor_address(v, ctx, name));
        assert_eq!(set, address.cast_const());
        b.reach(c::INFER_SHAPES.row(), |v| context::infer_shapes(v, ctx));
        assert_eq!(b.reach(c::GET_MAX_OUTPUT_SIZE.row(), |v| context::max_output_size(v, ctx, c"scores")), 7777);
        assert_eq!(b.reach(c::UPDATE_DEVICE_MEMORY_SIZE.row(), |v| context::update_device_memory_size(v, ctx)), 1000);
        b.reach(c::SET_DEVICE_MEMORY_V2.row(), |v| context::set_device_memory(v, ctx, address, 1000));
        b.reach(c::ENQUEUE_V3.row(), |v| context::enqueue(v, ctx, null));

        let inspector = b.reach(e::CREATE_ENGINE_INSPECTOR.row(), |v| engine::create_inspector(v, engine_));
        let json = LayerInformationFormat::Json;
        b.reach(i::SET_EXECUTION_CONTEXT.row(), |v| engine::inspect_context(v, inspector, Some(ctx)));
        b.reach(i::GET_LAYER_INFORMATION.row(), |v| engine::layer_information(v, inspector, 2, json));
        b.reach(i::GET_ENGINE_INFORMATION.row(), |v| engine::engine_information(v, inspector, json));

        inspector.destroy(version);
        ctx.destroy(version);
        engine_.destroy(version);
        rt.destroy(version);
        b.fake.assert_clean();
    }
}

/// The setters whose arguments are objects of ours.
unsafe fn callbacks(b: &mut Bench, rt: Handle<slots::runtime::Runtime>) {
    use tensorrt_rs::sys::callback::{GpuAllocator, StreamReader, gpu_allocator, stream_reader};

    struct Nothing;
    // SAFETY: it has no memory and reads nothing.
    unsafe impl GpuAllocator for Nothing {
        fn allocate(&self, _: u64, _: u64, _: u32) -> *mut c_void {
            std::ptr::null_mut()
        }
        unsafe fn deallocate(&self, _: *mut c_void) -> bool {
            false
        }
    }
    struct Plan(usize);
    // SAFETY: it writes what it counts.
    unsafe impl StreamReader for Plan {
        unsafe fn read(&mut self, target: *mut c_void, size: u64, _: *mut c_void) -> i64 {
            let rest = &b"PLAN in pieces"[self.0..];
            let count = rest.len().min(usize::try_from(size).expect("small"));
            // SAFETY: the fake's buffer has that room.
            unsafe { std::ptr::copy_nonoverlapping(rest.as_ptr(), target.cast(), count) };
            self.0 += count;
            i64::try_from(count).expect("small")
        }
        fn seek(&mut self, offset: i64, position: tensorrt_rs::enums::SeekPosition) -> bool {
            offset == 0 && position.raw() <= 2
        }
    }
    let reader = stream_reader(Rtti::NONE, Plan(0));
    // SAFETY: see the caller; both objects live as long as the calls, and the runtime's other engine was made before.
    unsafe {
        let loaded = b.reach(slots::runtime::DESERIALIZE_CUDA_ENGINE_V2.row(), |v| {
            runtime::deserialize_stream(v, rt, reader.as_ptr())
        });
        loaded.destroy(b.version);
        // The fake asks what kind of object it is, which needs type information.
        let typed = Rtti::of(&libloading::Library::new(b.fake.path()).expect("the fake loads"));
        let typed = gpu_allocator(typed, Nothing);
        b.reach(slots::runtime::SET_GPU_ALLOCATOR.row(), |v| runtime::set_gpu_allocator(v, rt, typed.as_ptr()));
    }
}

unsafe fn building(b: &mut Bench) {
    use slots::{
        builder as s, config as c, network as n, parser as p, parser_error as pe, profile as op, tensor as t,
        timing_cache as tc,
    };
    let null = std::ptr::null_mut();
    // SAFETY: see the caller.
    unsafe {
        let version = b.version;
        let bld = b.create::<s::Builder>(b"createInferBuilder_INTERNAL\0", b.logger.as_ptr(), null);
        let own = b.logger.as_ptr();
        assert_eq!(b.reach(s::GET_LOGGER.row(), |v| builder::logger(v, bld)), own);
        b.reach(s::SET_MAX_THREADS.row(), |v| builder::set_max_threads(v, bld, 2));
        assert_eq!(b.reach(s::GET_NB_DLA_CORES.row(), |v| builder::dla_core_count(v, bld)), 2);
        b.reach(s::SET_GPU_ALLOCATOR.row(), |v| builder::set_gpu_allocator(v, bld, null));
        b.reach(s::SET_ERROR_RECORDER.row(), |v| builder::set_error_recorder(v, bld, null));
        let flags = [NetworkFlag::StronglyTyped];
        let net = b.reach(s::CREATE_NETWORK.row(), |v| builder::create_network(v, bld, &flags));
        let cfg = b.reach(s::CREATE_BUILDER_CONFIG.row(), |v| builder::create_config(v, bld));
        let prf = b.reach(s::CREATE_OPTIMIZATION_PROFILE.row(), |v| builder::create_profile(v, bld));

        let par = b.create::<p::Parser>(b"createNvOnnxParser_INTERNAL\0", net.as_ptr(), b.logger.as_ptr());
        b.reach(p::SET_FLAG.row(), |v| onnx::set_flag(v, par, OnnxParserFlag::NativeInstanceNorm));
        assert!(b.reach(p::GET_FLAG.row(), |v| onnx::flag(v, par, OnnxParserFlag::NativeInstanceNorm)));
        let bad = |v| onnx::parse_file(v, par, c"bad.onnx", Severity::Warning);
        assert!(!b.reach(p::PARSE_FROM_FILE.row(), bad));
        b.fake.journal();
        assert_eq!(onnx::errors(version, par).expect("a list").len(), 1);
        let journal = b.fake.journal();
        for row in [p::ROWS, pe::ROWS].concat() {
            if journal.contains(&format!("{}::{}", row.interface, row.name)) {
                b.reached.insert((row.interface, row.name));
            }
        }
        b.reach(p::CLEAR_ERRORS.row(), |v| onnx::clear_errors(v, par));
        assert!(b.reach(p::PARSE.row(), |v| onnx::parse(v, par, b"good", None)));

        assert_eq!(b.reach(n::GET_NB_LAYERS.row(), |v| network::layer_count(v, net)), 9);
        assert_eq!(b.reach(n::GET_NB_INPUTS.row(), |v| network::input_count(v, net)), 1);
        assert_eq!(b.reach(n::GET_NB_OUTPUTS.row(), |v| network::output_count(v, net)), 1);
        let input = b.reach(n::GET_INPUT.row(), |v| network::input(v, net, 0));
        b.reach(n::GET_OUTPUT.row(), |v| network::output(v, net, 0));
        b.reach(n::SET_NAME.row(), |v| network::set_name(v, net, c"detection"));
        assert_eq!(b.reach(n::GET_NAME.row(), |v| network::name(v, net)), "detection");
        assert_eq!(b.reach(t::GET_NAME.row(), |v| network::tensor_name(v, input)), "images");
        let shape = b.reach(t::GET_DIMENSIONS.row(), |v| network::tensor_dimensions(v, input));
        assert_eq!(shape.as_slice(), [-1, 3, 640, 640]);
        b.reach(t::GET_TYPE.row(), |v| network::tensor_type(v, input));
        let formats = [TensorFormat::Linear, TensorFormat::Chw4];
        b.reach(t::SET_ALLOWED_FORMATS.row(), |v| network::set_allowed_formats(v, input, &formats));

        let (which, dims) = (ProfileSelector::Min, Dims::new(&[1, 3, 1 << 33]).expect("3 dimensions"));
        b.reach(op::SET_DIMENSIONS.row(), |v| network::set_profile_dimensions(v, prf, c"images", which, &dims));
        let back = b.reach(op::GET_DIMENSIONS.row(), |v| network::profile_dimensions(v, prf, c"images", which));
        assert_eq!(back, dims);
        b.reach(op::SET_EXTRA_MEMORY_TARGET.row(), |v| network::set_extra_memory_target(v, prf, 0.25));
        assert!(!b.reach(op::IS_VALID.row(), |v| network::is_profile_valid(v, prf)));

        b.reach(c::SET_FLAG.row(), |v| builder::set_flag(v, cfg, BuilderFlag::Refit, true));
        assert!(b.reach(c::GET_FLAG.row(), |v| builder::flag(v, cfg, BuilderFlag::Refit)));
        b.reach(c::CLEAR_FLAG.row(), |v| builder::set_flag(v, cfg, BuilderFlag::Refit, false));
        assert_eq!(b.reach(c::ADD_OPTIMIZATION_PROFILE.row(), |v| builder::add_profile(v, cfg, prf)), 0);
        assert_eq!(b.reach(c::GET_NB_OPTIMIZATION_PROFILES.row(), |v| builder::profile_count(v, cfg)), 1);
        let verbosity = ProfilingVerbosity::Detailed;
        b.reach(c::SET_PROFILING_VERBOSITY.row(), |v| builder::set_profiling_verbosity(v, cfg, verbosity));
        let sources = [TacticSource::EdgeMaskConvolutions, TacticSource::JitConvolutions];
        b.reach(c::SET_TACTIC_SOURCES.row(), |v| builder::set_tactic_sources(v, cfg, &sources));
        let pool = MemoryPool::Workspace;
        b.reach(c::SET_MEMORY_POOL_LIMIT.row(), |v| builder::set_memory_pool_limit(v, cfg, pool, 1 << 33));
        assert_eq!(b.reach(c::GET_MEMORY_POOL_LIMIT.row(), |v| builder::memory_pool_limit(v, cfg, pool)), 1 << 33);
        let feature = PreviewFeature::AliasedPluginIo;
        b.reach(c::SET_PREVIEW_FEATURE.row(), |v| builder::set_preview_feature(v, cfg, feature, true));
        b.reach(c::SET_BUILDER_OPTIMIZATION_LEVEL.row(), |v| builder::set_optimization_level(v, cfg, 3));
        let level = HardwareCompatibility::AmperePlus;
        b.reach(c::SET_HARDWARE_COMPATIBILITY_LEVEL.row(), |v| builder::set_hardware_compatibility(v, cfg, level));
        b.reach(c::SET_DLA_CORE.row(), |v| builder::set_dla_core(v, cfg, 1));
        let device = DeviceType::Dla;
        b.reach(c::SET_DEFAULT_DEVICE_TYPE.row(), |v| builder::set_default_device_type(v, cfg, device));
        b.reach(c::SET_MAX_AUX_STREAMS.row(), |v| builder::set_max_aux_streams(v, cfg, 0));
        let monitor = tensorrt_rs::sys::callback::progress_monitor(Rtti::NONE, Silent);
        b.reach(c::SET_PROGRESS_MONITOR.row(), |v| builder::set_progress_monitor(v, cfg, monitor.as_ptr()));
        let cache = b.reach(c::CREATE_TIMING_CACHE.row(), |v| builder::create_timing_cache(v, cfg, b"bytes"));
        b.reach(c::SET_TIMING_CACHE.row(), |v| builder::set_timing_cache(v, cfg, cache, false));
        b.reach(tc::COMBINE.row(), |v| builder::combine_timing_caches(v, cache, cache, true));
        let bytes = b.reach(tc::SERIALIZE.row(), |v| builder::serialize_timing_cache(v, cache));
        b.reach(tc::RESET.row(), |v| builder::reset_timing_cache(v, cache));

        assert!(b.reach(s::IS_NETWORK_SUPPORTED.row(), |v| builder::is_network_supported(v, bld, net, cfg)));
        let plan = b.reach(s::BUILD_SERIALIZED_NETWORK.row(), |v| builder::build(v, bld, net, cfg));
        for memory in [plan, bytes] {
            memory.destroy(version);
        }
        par.destroy(version);
        cache.destroy(version);
        net.destroy(version);
        cfg.destroy(version);
        bld.destroy(version);
    }
}

struct Silent;

impl tensorrt_rs::Progress for Silent {
    fn phase_start(&self, _: &str, _: Option<&str>, _: i32) {}
    fn step_complete(&self, _: &str, _: i32) -> bool {
        true
    }
    fn phase_finish(&self, _: &str) {}
}
