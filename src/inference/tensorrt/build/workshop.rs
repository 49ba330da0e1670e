//! TensorRT's builder on this machine's GPU.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tensorrt_rs::enums::{MemoryPool, ProfilingVerbosity, Severity};
use tensorrt_rs::{
    Builder, BuilderConfig, BuilderFlag, Dims, Error, HostMemory, Library, Network, OnnxParser, OnnxParserLibrary,
    ProfileRange, Progress, TimingCache,
};

use super::super::{load, version};
use super::limits::Limits;
use super::phases::{Phases, View};
use super::{explain, profile};
use crate::config::Config;
use crate::inference::InferenceError;
use crate::inference::artefact::Platform;
use crate::inference::contract::ContractReport;
use crate::inference::device::{Gpu, refused};
use crate::inference::health::Health;

/// Builds plans. It stays on the thread that made it.
pub struct Workshop {
    library: Library,
    parsers: OnnxParserLibrary,
    platform: Platform,
    gpu: Arc<Gpu>,
}

/// Arithmetic that a plan may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// 32-bit floats, TF32 among them where the device has it, as is TensorRT's default.
    Fp32,
    /// 16-bit floats too.
    Fp16,
    /// The types are the model's own.
    Typed,
}

/// A deep-learning accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dla {
    /// Its number, from 0.
    pub core: u32,
    /// What it cannot run goes to the GPU.
    pub fallback: bool,
}

/// What is to be built.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Name of the engine.
    pub name: &'a str,
    /// The model.
    pub onnx: &'a [u8],
    /// Where it came from, for TensorRT's messages.
    pub path: &'a Path,
    /// What it may compute with.
    pub arithmetic: Arithmetic,
    /// The model has tensors of 8-bit integers (Q/DQ). Where types are not the model's own, TensorRT refuses such a model
    /// unless it is told, and any other where it is told: no ranges are known of that.
    pub quantised: bool,
    /// Most pictures in a run, where the model leaves that open.
    pub max_batch: usize,
    /// Limit of the workspace, bytes; `None`: TensorRT's.
    pub workspace: Option<u64>,
    /// Limits for a machine with little memory; one thread, too.
    pub limits: Option<Limits>,
    /// 0 to 5; `None`: TensorRT's.
    pub optimization_level: Option<u32>,
    /// What it runs on; `None`: the GPU.
    pub dla: Option<Dla>,
    /// Bytes of the timing cache of earlier builds, empty where there was none; `None`: without one.
    pub timing_cache: Option<&'a [u8]>,
}

/// What became of it.
#[derive(Debug)]
pub struct Built {
    /// The plan.
    pub plan: HostMemory,
    /// What TensorRT said.
    pub log: String,
    /// Lines of it that were warnings, and errors.
    pub warnings: u32,
    /// Errors that it got over.
    pub errors: u32,
    /// Shapes it takes, by profile and input.
    pub profiles: Vec<profile::Shapes>,
    /// Flags that were set, by TensorRT's names.
    pub flags: Vec<String>,
    /// Reading the model.
    pub parse: Duration,
    /// Building.
    pub build: Duration,
    /// The timing cache as it is now.
    pub timing_cache: Option<Vec<u8>>,
    /// Why the earlier one was not used, where it was not.
    pub cache_refused: Option<String>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Somebody asked for the end.
    #[error("cancelled")]
    Cancelled,
    /// The model is none that can be built so.
    #[error("{0}")]
    Model(String),
    /// TensorRT could not.
    #[error("{0}")]
    Failed(String),
    /// The device or TensorRT is not usable.
    #[error(transparent)]
    Device(#[from] InferenceError),
}

/// A build under way, for whoever watches it.
#[derive(Debug, Default)]
pub struct Job {
    phases: Mutex<Phases>,
    cancelled: AtomicBool,
}

impl Job {
    /// Asks for its end; TensorRT hears of it with its next step.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// Was its end asked for?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// How far it is; `None` where TensorRT says nothing.
    #[must_use]
    pub fn view(&self) -> Option<View> {
        self.phases().view()
    }

    fn phases(&self) -> std::sync::MutexGuard<'_, Phases> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// TensorRT's ear.
struct Ear(Arc<Job>);

impl Progress for Ear {
    fn phase_start(&self, phase: &str, parent: Option<&str>, steps: i32) {
        self.0.phases().start(phase, parent, steps);
    }

    fn step_complete(&self, phase: &str, step: i32) -> bool {
        self.0.phases().step(phase, step);
        !self.0.is_cancelled()
    }

    fn phase_finish(&self, phase: &str) {
        self.0.phases().finish(phase);
    }
}

impl Workshop {
    /// Opens the first GPU and the TensorRT that the configuration names, or else the first of the usual ones, with its
    /// ONNX parser.
    ///
    /// # Errors
    /// Where one of them is not usable, with what to do.
    pub fn open(config: &Config) -> Result<Self, InferenceError> {
        let health = Arc::new(Health::new(&config.runtime.state_dir, false));
        let gpu = Gpu::open(config.runtime.concurrency, &health, &mut ContractReport::new(config))?;
        let library = load(config.runtime.tensorrt_library.as_deref())?;
        if !library.has_builder() {
            let reason = format!(
                "{} only runs plans; building needs TensorRT's full library, libnvinfer.so.{}",
                library.path().display(),
                library.version().major
            );
            return Err(InferenceError::Gpu { reason });
        }
        let path = parser_of(&library);
        let parsers = OnnxParserLibrary::load(&path, &library).map_err(|error| {
            let reason = format!(
                "{error}; it is TensorRT's ONNX parser: install the one of TensorRT {} (JetPack: libnvonnxparsers10)",
                library.version()
            );
            InferenceError::Gpu { reason }
        })?;
        gpu.device.bind().map_err(|error| refused(&error))?;
        let platform = Platform::here(gpu.device.info(), &version(&library));
        Ok(Self { library, parsers, platform, gpu })
    }

    /// What plans are built for.
    #[must_use]
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// Types are the model's own here: TensorRT 11 has no flags for precision.
    #[must_use]
    pub fn is_strongly_typed(&self) -> bool {
        self.library.version().major > 10
    }

    /// Limits for a build with little memory, from what is free now.
    ///
    /// # Errors
    /// The driver's.
    pub fn limits(&self) -> Result<Limits, InferenceError> {
        let (free, _) = self.gpu.device.free_memory().map_err(|error| refused(&error))?;
        Ok(Limits::of(free as u64, process::available_memory(), self.gpu.device.info().integrated))
    }

    /// Builds. That takes seconds to many minutes.
    ///
    /// # Errors
    /// Where the model or the device do not allow it, TensorRT fails, or `job` is cancelled.
    pub fn build(&self, request: &Request<'_>, job: &Arc<Job>) -> Result<Built, BuildError> {
        self.gpu.device.bind().map_err(|error| refused(&error))?;
        let log = self.library.collect_log();
        self.run(request, job)
            .map(|mut built| {
                let lines = log.lines();
                let of = |bad: &[Severity]| lines.iter().filter(|(severity, _)| bad.contains(severity)).count() as u32;
                built.warnings = of(&[Severity::Warning]);
                built.errors = of(&[Severity::Error, Severity::InternalError]);
                built.log = lines.iter().map(|(severity, line)| format!("{} {line}\n", letter(*severity))).collect();
                built
            })
            .map_err(|broken| self.judge(broken, job))
    }

    fn run(&self, request: &Request<'_>, job: &Arc<Job>) -> Result<Built, Broken> {
        let mut builder = Builder::new(&self.library, None)?;
        let mut network = builder.create_network(&[])?;
        let began = Instant::now();
        OnnxParser::new(&self.parsers, &mut network)?.parse(request.onnx, Some(request.path))?;
        network.set_name(request.name)?;
        let parse = began.elapsed();
        if job.is_cancelled() {
            return Err(Broken::Ours(BuildError::Cancelled));
        }
        let mut config = builder.create_config()?;
        let flags = self.configure(&mut builder, &mut config, request)?;
        let shapes = add_profile(&builder, &network, &mut config, request.max_batch)?;
        let (cache, cache_refused) = timing_cache(&mut config, request.timing_cache)?;
        config.set_progress_monitor(Ear(Arc::clone(job)))?;
        let began = Instant::now();
        let plan = builder.build(&network, &config)?;
        let build = began.elapsed();
        if job.is_cancelled() {
            return Err(Broken::Ours(BuildError::Cancelled));
        }
        let timing_cache = cache.map(|cache| cache.serialize()).transpose()?.map(|bytes| bytes.to_vec());
        Ok(Built {
            plan,
            log: String::new(),
            warnings: 0,
            errors: 0,
            profiles: vec![shapes],
            flags,
            parse,
            build,
            timing_cache,
            cache_refused,
        })
    }

    /// Sets all but profiles and cache; answers the flags.
    fn configure(
        &self,
        builder: &mut Builder,
        config: &mut BuilderConfig,
        request: &Request<'_>,
    ) -> Result<Vec<String>, Broken> {
        let mut flags = match request.arithmetic {
            Arithmetic::Fp32 | Arithmetic::Typed => vec![],
            Arithmetic::Fp16 => vec![BuilderFlag::Fp16],
        };
        flags.extend((request.quantised && request.arithmetic != Arithmetic::Typed).then_some(BuilderFlag::Int8));
        if let Some(Dla { core, fallback }) = request.dla {
            let there = u32::try_from(builder.dla_core_count()?).unwrap_or(0);
            if core >= there {
                let gpu = &self.platform.gpu.name;
                let words = match there {
                    0 => format!("{gpu} has no deep-learning accelerator; leave --dla-core out"),
                    _ => format!("{gpu} has DLA cores 0 to {}; there is no {core}", there - 1),
                };
                return Err(Broken::Ours(BuildError::Model(words)));
            }
            config.use_dla(i32::try_from(core).unwrap_or(0))?;
            flags.extend(fallback.then_some(BuilderFlag::GpuFallback));
        }
        flags.extend(request.timing_cache.is_none().then_some(BuilderFlag::DisableTimingCache));
        for flag in &flags {
            config.set_flag(*flag, true)?;
        }
        // So that `engine inspect` can say what runs where; it costs no time.
        config.set_profiling_verbosity(ProfilingVerbosity::Detailed)?;
        if let Some(level) = request.optimization_level {
            config.set_optimization_level(i32::try_from(level).unwrap_or(i32::MAX))?;
        }
        let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        if let Some(limits) = request.limits {
            config.set_memory_pool_limit(MemoryPool::Workspace, bytes(limits.workspace))?;
            config.set_memory_pool_limit(MemoryPool::TacticDram, bytes(limits.tactics))?;
            builder.set_max_threads(1)?;
        }
        if let Some(workspace) = request.workspace {
            config.set_memory_pool_limit(MemoryPool::Workspace, bytes(workspace))?;
        }
        Ok(flags.iter().map(|flag| flag.name().to_owned()).collect())
    }

    fn judge(&self, broken: Broken, job: &Job) -> BuildError {
        let failed = match broken {
            Broken::Ours(error) => error,
            Broken::TensorRt(Error::Onnx { errors, .. }) => BuildError::Model(explain::refused(&errors)),
            Broken::TensorRt(_) if job.is_cancelled() => BuildError::Cancelled,
            Broken::TensorRt(error) => BuildError::Failed(error.to_string()),
        };
        let InferenceError::DeviceLost { reason } = self.gpu.unless_lost_now(refused(&failed)) else { return failed };
        BuildError::Device(InferenceError::DeviceLost { reason })
    }
}

impl std::fmt::Debug for Workshop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workshop").field("library", &self.library).finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Broken {
    TensorRt(Error),
    Ours(BuildError),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::TensorRt(error)
    }
}

/// The parser that lies where the library does, or that the loader finds.
fn parser_of(library: &Library) -> PathBuf {
    let name = format!("libnvonnxparser.so.{}", library.version().major);
    let folder = library.path().parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name))
}

/// Adds a profile where an input is open; answers the shapes of all inputs.
fn add_profile(
    builder: &Builder,
    network: &Network,
    config: &mut BuilderConfig,
    max_batch: usize,
) -> Result<profile::Shapes, Broken> {
    let inputs = network.inputs()?;
    let shapes: Vec<_> = inputs.iter().map(|input| (input.name.clone(), input.shape.as_slice().to_vec())).collect();
    let ranges = profile::of(&shapes, max_batch).map_err(|words| Broken::Ours(BuildError::Model(words)))?;
    let open: Vec<_> = shapes.iter().filter(|(_, shape)| shape.iter().any(|extent| *extent < 0)).collect();
    if !open.is_empty() {
        let mut profile = builder.create_profile()?;
        for (name, _) in open {
            let Some(range) = ranges.get(name) else { continue };
            let dims = |extents: &[i64]| Dims::new(extents).ok_or_else(|| Broken::Ours(too_many(name)));
            let (min, opt, max) = (dims(&range.min)?, dims(&range.opt)?, dims(&range.max)?);
            profile.set_range(name, &ProfileRange { min, opt, max })?;
        }
        config.add_profile(&profile)?;
    }
    Ok(ranges)
}

fn too_many(name: &str) -> BuildError {
    BuildError::Model(format!("input {name:?} has more dimensions than TensorRT takes"))
}

/// Has the build use and fill a timing cache; one that does not fit is replaced by an empty one, and the reason told.
fn timing_cache(
    config: &mut BuilderConfig,
    bytes: Option<&[u8]>,
) -> Result<(Option<TimingCache>, Option<String>), Error> {
    let Some(bytes) = bytes else { return Ok((None, None)) };
    let mut set = |bytes: &[u8]| {
        let cache = config.create_timing_cache(bytes)?;
        config.set_timing_cache(&cache, false).map(|()| cache)
    };
    match set(bytes) {
        Ok(cache) => Ok((Some(cache), None)),
        Err(error) if !bytes.is_empty() => Ok((Some(set(&[])?), Some(error.to_string()))),
        Err(error) => Err(error),
    }
}

fn letter(severity: Severity) -> char {
    match severity {
        Severity::InternalError => 'F',
        Severity::Error => 'E',
        Severity::Warning => 'W',
        _ => 'I',
    }
}
