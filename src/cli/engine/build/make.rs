//! One engine: built, tried, put into the store, judged, installed.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::calibrate::Subject;
use super::derive::{self, Derived};
use super::interrupt::{Interrupt, Interrupted};
use super::judge::{self, Verdict};
use super::meter::Meter;
use super::summary::Made;
use super::wish::NO_INTEGERS;
use super::{Args, timing_cache, turn};
use crate::cli::engine::stores;
use crate::cli::engine::verify::Data;
use crate::cli::exit::{BadInput, NotBuilt};
use crate::config::{Concurrency, Config, Model, Policy, Precision};
use crate::inference::artefact::{Log, Manifest, ModelFile, Options, PlanFile, Store, Timings, sha256_of_bytes};
use crate::inference::budget::megabytes;
use crate::inference::build::{BuildError, Built, Examined, Request, Workshop};
use crate::inference::{ContractReport, InferenceError, ModelManager, Outcome, Proofs, settings_sha256};
use crate::pipeline;
use crate::telemetry::metrics::Metrics;
use crate::types::time::Timestamp;

/// Room for a log, manifests and the timing cache.
const SPARE: u64 = 32 << 20;

/// What is asked for, for every model.
pub(super) struct Job<'a> {
    pub(super) args: &'a Args,
    /// Pictures to compare engine and model file on; `None`: they are not compared.
    pub(super) data: Option<&'a Data>,
}

pub(super) fn make(
    workshop: &Workshop,
    config: &Config,
    model: &Arc<Model>,
    asked: &Job<'_>,
    interrupt: &Interrupt,
) -> anyhow::Result<Made> {
    let began = Instant::now();
    let (args, wish) = (asked.args, &asked.args.wish);
    let bad = |words: String| BadInput(format!("model {:?}: {}: {words}", model.name, model.onnx.display()));
    let precision = wish.precision(model);
    let arithmetic = wish.arithmetic(precision, workshop.is_strongly_typed()).map_err(bad)?;
    let mut onnx = read_model(model)?;
    let store = Store::of(&model.plan);
    let lock = turn::of_store(&store, interrupt)?;
    room(&store, &model.plan, onnx.len() as u64)?;

    let platform = workshop.platform();
    eprintln!(
        "{}: building {} from {} ({}) for {} with TensorRT {}",
        model.name,
        precision.name(),
        model.onnx.display(),
        megabytes(onnx.len() as u64),
        platform.gpu.name,
        platform.tensorrt
    );
    let cache_path = timing_cache::path(&store, platform);
    let cache = (!wish.no_timing_cache).then(|| timing_cache::read(&cache_path));
    let limits = wish.low_memory.then(|| workshop.limits()).transpose()?;
    if wish.low_memory {
        process::forget_cached(&model.onnx);
        process::trim_memory();
    }
    let before = Manifest::read(&model.plan).ok().flatten();
    let job = interrupt.job();
    let took = before.as_ref().filter(|before| before.options.precision == precision.name());
    let meter =
        Meter::start(&model.name, &job, took.and_then(|it| Duration::try_from_secs_f64(it.timings.build_s).ok()));
    meter.stage("reading the model");
    let onnx_sha256 = sha256_of_bytes(&onnx);
    let onnx_bytes = onnx.len() as u64;
    let typed = workshop.is_strongly_typed();
    let (mut remarks, mut calibration, mut derived_sha256) = (Vec::new(), None, None);
    let mut calibrate_s = 0.0;
    let derives = matches!(precision, Precision::Int8 | Precision::Best) || (typed && precision == Precision::Fp16);
    let parsed = match onnx::Model::from_bytes(&onnx) {
        Ok(parsed) => Some(parsed),
        // No digest would know of them.
        Err(error @ onnx::Error::OtherFile { .. }) => {
            let file = model.onnx.display();
            return Err(bad(format!(
                "{error}: python3 -c 'import onnx; onnx.save(onnx.load(\"{file}\"), \"one.onnx\")', and name that in \
                 models.{}.onnx",
                model.name
            ))
            .into());
        }
        Err(error) if derives => return Err(bad(error.to_string()).into()),
        // TensorRT's parser says it with node and operator.
        Err(_) => None,
    };
    let mut quantised = parsed.as_ref().is_some_and(|parsed| parsed.facts().has_quantised_tensors());
    let without_integers = wish.is_without_integers(typed);
    if quantised && without_integers {
        return Err(bad(NO_INTEGERS.to_owned()).into());
    }
    if let Some(parsed) = parsed.filter(|_| derives) {
        let subject = Subject {
            config,
            model,
            onnx: &parsed,
            onnx_sha256: &onnx_sha256,
            store: &store,
            lock: &lock,
            low_memory: wish.low_memory,
        };
        let at = Instant::now();
        let integers = if without_integers { Precision::Fp16 } else { precision };
        let ranges = args.calibration.ranges_for(integers, &subject, &meter, interrupt)?;
        calibrate_s = at.elapsed().as_secs_f64();
        let ranges = ranges.map(|(ranges, from)| {
            calibration = Some(from);
            ranges
        });
        let derived = derive::derive(&parsed, precision, ranges.as_ref(), typed).map_err(bad)?;
        let Derived { bytes, quantised: is, remarks: told } = derived;
        quantised = is;
        remarks.extend(told);
        if let Some(bytes) = bytes {
            derived_sha256 = Some(sha256_of_bytes(&bytes));
            onnx = bytes;
        }
    }
    let request = Request {
        name: &model.name,
        onnx: &onnx,
        path: &model.onnx,
        arithmetic,
        quantised,
        max_batch: wish.max_batch(model),
        workspace: wish.workspace_mb.map(|mb| mb << 20),
        limits,
        optimization_level: wish.optimization_level,
        dla: wish.dla(),
        timing_cache: cache.as_deref(),
    };
    let built = workshop.build(&request, &job).map_err(|error| told(error, model))?;
    if let Some(reason) = &built.cache_refused {
        remarks.push(format!("{} was not used, and is replaced: {reason}", cache_path.display()));
    }
    if let Some(limits) = limits {
        let mb = |bytes: u64| bytes >> 20;
        let (workspace, tactics) = (mb(limits.workspace), mb(limits.tactics));
        remarks.push(format!("low memory: workspace {workspace} MiB, tactics {tactics} MiB, one thread"));
    }
    let mut manifest = Manifest {
        schema: Manifest::schema(),
        model: model.name.clone(),
        built_at: Timestamp::now().to_string(),
        watchkeeper: env!("CARGO_PKG_VERSION").to_owned(),
        onnx: ModelFile {
            file: model.onnx.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: onnx_sha256,
            bytes: onnx_bytes,
            derived_sha256,
        },
        // The store's to fill in.
        plan: PlanFile { sha256: String::new(), bytes: 0 },
        platform: platform.clone(),
        options: Options {
            precision: precision.name().to_owned(),
            strongly_typed: typed,
            low_memory: wish.low_memory,
            workspace_mb: wish.workspace_mb,
            optimization_level: wish.optimization_level,
            dla_core: wish.dla().map(|dla| dla.core),
            flags: built.flags.clone(),
        },
        profiles: built.profiles.clone(),
        calibration,
        timings: Timings {
            calibrate_s,
            parse_s: built.parse.as_secs_f64(),
            build_s: built.build.as_secs_f64(),
            total_s: 0.0,
            timing_cache: cache.as_ref().is_some_and(|cache| !cache.is_empty()) && built.cache_refused.is_none(),
        },
        log: Some(Log {
            sha256: sha256_of_bytes(built.log.as_bytes()),
            warnings: built.warnings,
            errors: built.errors,
        }),
        placement: None,
        memory: None,
        speed: Vec::new(),
        golden: None,
        verified: None,
    };
    let Built { plan, log, timing_cache: learnt, .. } = built;
    drop(onnx);

    meter.stage("loading and measuring it");
    let unusable = |error: io::Error| stores::unusable(&store, &error);
    let trial = Trial::write(&store, &plan, &manifest).map_err(unusable)?;
    // Only the file from here on: the engine needs the memory.
    drop(plan);
    let examined = examine(config, model, precision, wish.max_batch(model), &trial.0).map_err(|error| {
        match error.downcast::<InferenceError>() {
            // Whose fault it is does not matter: there is no engine.
            Ok(InferenceError::Run { model, reason }) => {
                NotBuilt(format!("model {model:?}: the new engine is of no use: {reason}")).into()
            }
            Ok(error) => error.into(),
            Err(error) => error,
        }
    })?;
    interrupt.check()?;
    manifest.placement = examined.placement;
    manifest.memory = examined.memory.clone();
    manifest.speed.clone_from(&examined.speed);
    manifest.golden = Some(examined.golden.clone());
    manifest.timings.total_s = began.elapsed().as_secs_f64();

    let plan = process::MappedFile::open(&trial.0).map_err(unusable)?;
    keep_verification(&store, &mut manifest, plan.bytes(), model);
    let staged = store.put(&lock, plan.bytes(), &log, &mut manifest).map_err(unusable)?;
    drop(plan);
    drop(trial);
    if let Some(learnt) = learnt {
        timing_cache::write(&store, &lock, &cache_path, &learnt);
    }
    if wish.low_memory {
        process::forget_cached(&staged.plan);
    }

    let kept = |reason: &str| {
        let (name, at) = (&model.name, staged.plan.display());
        format!("model {name:?}: the new engine is not installed: {reason} (it is kept in {at})")
    };
    // The comparison has a bar of its own.
    drop(meter);
    if let Some(data) = asked.data {
        let tried = Arc::new(tried(model, precision, wish.max_batch(model)));
        let verdict = judge::judge(config, &tried, &staged.plan, data, args.min_agreement, interrupt)?;
        if let Verdict::Agrees(verified) | Verdict::Refused(verified, _) = &verdict {
            manifest.verified = Some(verified.clone());
            store.update(&lock, &staged.sha256, &manifest).map_err(unusable)?;
        }
        match verdict {
            Verdict::Agrees(_) => {}
            Verdict::Refused(_, reason) => {
                // The next build is not to take ranges that were found to be wrong.
                if let Some(calibration) = &manifest.calibration {
                    let _ = fs::remove_file(store.folder().join(format!("{}.ranges.json", calibration.id)));
                }
                return Err(BadInput(kept(&reason)).into());
            }
            Verdict::Unproven(reason) => {
                let asked = args.min_agreement.or(config.runtime.require_verified).is_some();
                // Though nobody asked for a number: ranges can be wrong, floats are the model's own.
                if asked || quantised {
                    return Err(BadInput(kept(&format!("{reason}, or --no-verify"))).into());
                }
                remarks.push(format!("not verified: {reason}"));
            }
        }
    }
    let check = &examined.check;
    if check.outcome == Outcome::Failed {
        let next = check.next.as_ref().map(|next| format!("; {next}")).unwrap_or_default();
        return Err(NotBuilt(kept(&format!("{}{next}", check.found))).into());
    }
    interrupt.check()?;
    let (led_to, had_plan) = (store.current(), model.plan.exists());
    if !args.no_install {
        store.point_to(&lock, &staged, "build").map_err(unusable)?;
    }
    let golden = check.found.clone();
    Ok(Made {
        manifest,
        staged,
        plan: model.plan.clone(),
        installed: !args.no_install,
        before: led_to,
        had_plan,
        golden,
        remarks,
    })
}

/// The model file, where it is what was promised.
fn read_model(model: &Model) -> Result<Vec<u8>, InferenceError> {
    let wrong = |reason| InferenceError::File { model: model.name.clone(), path: model.onnx.clone(), reason };
    let onnx = fs::read(&model.onnx).map_err(|error| wrong(error.to_string()))?;
    let sha256 = sha256_of_bytes(&onnx);
    if let Some(manifest) = &model.manifest
        && manifest.sha256.as_ref().is_some_and(|promised| *promised != sha256)
    {
        let path = manifest.path.display();
        return Err(wrong(format!(
            "sha256 is {sha256}, and {path} promises another; take both from the same place, or correct it"
        )));
    }
    Ok(onnx)
}

/// Is there room for the plan, and may it be put there? Better said now than after the build.
fn room(store: &Store, plan: &Path, onnx: u64) -> anyhow::Result<()> {
    let above = store.folder().parent().unwrap_or(Path::new("."));
    for folder in [store.folder(), above] {
        if !process::is_writable(folder) {
            let error = io::Error::from(io::ErrorKind::PermissionDenied);
            return Err(BadInput(format!(
                "{}: {error}: {} is to lead to the engine; run it as the user that owns the folder, or as root",
                folder.display(),
                plan.display()
            ))
            .into());
        }
    }
    // Twice: the trial's file and the store's, for a while.
    let needed = 2 * onnx + SPARE;
    let free = process::free_space(store.folder()).unwrap_or(u64::MAX);
    if free < needed {
        let mb = |bytes: u64| bytes.div_ceil(1_000_000);
        return Err(BadInput(format!(
            "{}: {} MB are free, and building {} may take {} MB; make room (`watchkeeper engine gc`)",
            store.folder().display(),
            mb(free),
            plan.display(),
            mb(needed)
        ))
        .into());
    }
    Ok(())
}

fn told(error: BuildError, model: &Model) -> anyhow::Error {
    let place = format!("model {:?}: {}", model.name, model.onnx.display());
    match error {
        BuildError::Cancelled => Interrupted.into(),
        BuildError::Model(words) => BadInput(format!("{place}: {words}")).into(),
        BuildError::Failed(words) => NotBuilt(format!("{place}: TensorRT built no engine: {words}")).into(),
        BuildError::Device(error) => error.into(),
    }
}

/// The plan in a file that is gone when it has been tried, or with the next holder of the store's lock.
struct Trial(PathBuf);

impl Trial {
    fn write(store: &Store, plan: &[u8], manifest: &Manifest) -> io::Result<Self> {
        let trial = Self(store.unfinished("trial.plan"));
        fs::File::create(&trial.0)?.write_all(plan)?;
        // Whoever loads it finds there which accelerator it is for.
        if manifest.options.dla_core.is_some() {
            let plan = PlanFile { sha256: sha256_of_bytes(plan), bytes: plan.len() as u64 };
            let manifest = Manifest { plan, ..manifest.clone() };
            fs::write(Manifest::path(&trial.0), manifest.to_bytes()?)?;
        }
        Ok(trial)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = fs::remove_file(Manifest::path(&self.0));
        let _ = fs::remove_file(&self.0);
    }
}

/// The model as it was built.
fn tried(model: &Model, precision: Precision, max_batch: usize) -> Model {
    Model { precision: Some(precision), max_batch, ..Model::clone(model) }
}

/// Loads the plan as the daemon would, and has it answer.
fn examine(
    config: &Config,
    model: &Arc<Model>,
    precision: Precision,
    max_batch: usize,
    plan: &Path,
) -> anyhow::Result<Examined> {
    let mut config = config.clone();
    config.cameras.clear();
    config.runtime.policy = Policy::Any;
    config.runtime.concurrency = Concurrency::Parallel;
    config.runtime.require_verified = None;
    let tried = Model { plan: plan.to_owned(), engine_copies: 1, ..tried(model, precision, max_batch) };
    config.models = vec![Arc::new(tried)];
    let proofs = pipeline::proofs();
    let mut report = ContractReport::new(&config);
    // It is compared with the recording later, when it can be kept.
    let bare = Proofs { decoder: None, prepare: None, ..proofs };
    let models = ModelManager::load_with(&config, &Metrics::default(), &bare, &mut report)?;
    let (Some(loaded), Some(prepare)) = (models.model(0), proofs.prepare) else {
        anyhow::bail!("model {:?} was not loaded", model.name);
    };
    Ok(models.examine(&loaded, prepare)?)
}

/// The same plan of the same model with the same settings was verified before: that still holds.
fn keep_verification(store: &Store, manifest: &mut Manifest, plan: &[u8], model: &Model) {
    let same = store.staged(&sha256_of_bytes(plan)).plan;
    if let Ok(Some(before)) = Manifest::read(&same)
        && before.onnx.sha256 == manifest.onnx.sha256
    {
        manifest.verified = before.verified.filter(|verified| verified.settings_sha256 == settings_sha256(model));
    }
}
