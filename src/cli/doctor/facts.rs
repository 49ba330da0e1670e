//! Everything that was found, before anybody judges it.

use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::access::{self, Node, User};
use super::answers::{Cuda, GStreamer, OnnxRuntime, Question, TensorRt};
use super::ask::ask;
use super::jetson::Jetson;
use super::kernel_module::KernelModule;
use super::libraries::{Folders, Library};
use super::machine::Machine;
use super::system::System;
use super::version::Version;

/// What the configuration says about libraries.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    /// `runtime.tensorrt_library`.
    pub(super) tensorrt: Option<PathBuf>,
    /// `runtime.onnxruntime_library`.
    pub(super) onnxruntime: Option<PathBuf>,
}

/// A machine, described. `None` in an answer: not asked, since the files are another system's.
#[derive(Debug, Default, Serialize)]
pub(super) struct Facts {
    pub(super) system: System,
    pub(super) jetson: Option<Jetson>,
    pub(super) kernel_module: Option<KernelModule>,
    pub(super) user: Option<User>,
    pub(super) nodes: Vec<Node>,
    /// `libcuda` on the disk.
    pub(super) driver: Vec<Library>,
    #[serde(serialize_with = "answer")]
    pub(super) cuda: Option<Result<Cuda, String>>,
    /// Name of GPU 0, once a kernel ran on it and its answer was right.
    #[serde(serialize_with = "answer")]
    pub(super) proof: Option<Result<String, String>>,
    pub(super) cuda_runtime: Vec<Library>,
    pub(super) cudnn: Vec<Library>,
    pub(super) tensorrt: TensorRts,
    #[serde(serialize_with = "answer")]
    pub(super) onnxruntime: Option<Result<OnnxRuntime, String>>,
    pub(super) providers: Vec<Provider>,
    #[serde(serialize_with = "answer")]
    pub(super) gstreamer: Option<Result<GStreamer, String>>,
}

/// TensorRT's libraries.
#[derive(Debug, Default, Serialize)]
pub(super) struct TensorRts {
    /// `libnvinfer`, in the order in which the daemon tries them.
    pub(super) full: Vec<Candidate>,
    /// True where the configuration names the library.
    pub(super) named: bool,
    pub(super) lean: Vec<Library>,
    pub(super) dispatch: Vec<Library>,
    pub(super) parser: Vec<Library>,
    /// Libraries that `libnvinfer` needs and no folder has.
    pub(super) missing: Vec<String>,
}

/// A `libnvinfer` that the daemon would try to load.
#[derive(Debug, Serialize)]
pub(super) struct Candidate {
    /// As the loader is asked for it.
    pub(super) name: PathBuf,
    /// The file, where one was found.
    pub(super) file: Option<Library>,
    #[serde(serialize_with = "answer")]
    pub(super) answer: Option<Result<TensorRt, String>>,
}

/// A provider of ONNX Runtime that is a library of its own.
#[derive(Debug, Serialize)]
pub(super) struct Provider {
    /// `cuda`, `tensorrt`.
    pub(super) name: &'static str,
    pub(super) path: PathBuf,
    /// Names of NVIDIA's libraries that it needs.
    pub(super) needed: Vec<String>,
    /// Those of them that no folder of the loader has.
    pub(super) missing: Vec<String>,
}

/// The answer itself, `{"error": ...}` where there is none, null where nobody asked.
fn answer<T: Serialize, S: Serializer>(answer: &Option<Result<T, String>>, serializer: S) -> Result<S::Ok, S::Error> {
    match answer {
        Some(Ok(told)) => told.serialize(serializer),
        Some(Err(error)) => serializer.collect_map([("error", error)]),
        None => serializer.serialize_none(),
    }
}

impl Candidate {
    /// As the library says, or as its file is named.
    pub(super) fn version(&self) -> Option<Version> {
        match &self.answer {
            Some(Ok(told)) => Version::parse(&told.version),
            Some(Err(_)) => None,
            None => self.file.as_ref().filter(|file| file.on_loader_path)?.version.clone(),
        }
    }
}

impl TensorRts {
    /// The one that the daemon takes: the first that loads.
    pub(super) fn taken(&self) -> Option<&Candidate> {
        self.full.iter().find(|candidate| candidate.version().is_some())
    }
}

impl Facts {
    /// Reads and asks. `proof` is what is known already of whether GPU 0 computes; otherwise it is asked.
    pub(super) fn gather(machine: &Machine, wanted: &Wanted, proof: Option<Result<String, String>>) -> Self {
        let live = machine.is_this_one();
        let dpkg = machine.text("/var/lib/dpkg/status").unwrap_or_default();
        let folders = Folders::of(machine);
        let find = |stem| folders.find(machine, stem);
        let mut facts = Self {
            system: System::read(machine, &dpkg),
            jetson: Jetson::read(machine, &dpkg),
            kernel_module: KernelModule::read(machine),
            user: User::read(machine),
            nodes: access::nodes(machine),
            driver: find("libcuda"),
            cuda: live.then(|| ask(Question::Cuda, None)),
            cuda_runtime: find("libcudart"),
            cudnn: find("libcudnn"),
            tensorrt: tensorrt(machine, &folders, wanted.tensorrt.as_deref()),
            onnxruntime: live.then(|| ask(Question::Onnxruntime, wanted.onnxruntime.as_deref())),
            gstreamer: live.then(|| ask(Question::Gstreamer, None)),
            proof,
            ..Self::default()
        };
        if facts.proof.is_none() && facts.cuda().is_some_and(|cuda| cuda.error.is_none() && !cuda.devices.is_empty()) {
            facts.proof = Some(ask(Question::Proof, None));
        }
        if live {
            tell(&mut facts.cudnn, |path| ask(Question::Cudnn, Some(path)).map(Version::from_cudnn));
            tell(&mut facts.cuda_runtime, |path| ask(Question::CudaRuntime, Some(path)).map(Version::from_cuda));
        }
        if let Some(Ok(runtime)) = &facts.onnxruntime {
            facts.providers = providers(machine, &folders, Path::new(&runtime.path));
        } else if let Some(library) = find("libonnxruntime").first() {
            facts.providers = providers(machine, &folders, &library.path);
        }
        facts
    }

    /// What the driver says, where it was asked and answered.
    pub(super) fn cuda(&self) -> Option<&Cuda> {
        self.cuda.as_ref()?.as_ref().ok()
    }

    /// True where a node of this name is in `/dev`.
    pub(super) fn has_node(&self, name: &str) -> bool {
        self.nodes.iter().any(|node| node.path == Path::new("/dev").join(name))
    }
}

/// Asks the libraries that the loader finds; a file's name may tell less than the library, or more.
fn tell(libraries: &mut [Library], ask: impl Fn(&Path) -> Result<Option<Version>, String>) {
    for library in libraries.iter_mut().filter(|library| library.on_loader_path) {
        match ask(&library.path) {
            Ok(told) => {
                let longer =
                    library.version.take().zip(told.as_ref()).filter(|(named, told)| named.begins_with(told.all()));
                library.version = longer.map(|(named, _)| named).or(told);
            }
            Err(error) => library.error = Some(error),
        }
    }
}

fn tensorrt(machine: &Machine, folders: &Folders, named: Option<&Path>) -> TensorRts {
    let found = folders.find(machine, "libnvinfer");
    // In the order of the daemon's own search.
    let names = match named {
        Some(path) => vec![path.to_owned()],
        None => ["libnvinfer.so.10", "libnvinfer.so.11"].map(PathBuf::from).to_vec(),
    };
    let mut full: Vec<Candidate> = Vec::new();
    for name in names {
        let major =
            name.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("libnvinfer.so."));
        let major = major.and_then(Version::parse).map(|version| version.major());
        let file = found.iter().find(|library| library.path == name || (named.is_none() && library.major() == major));
        let answer = machine.is_this_one().then(|| ask(Question::Tensorrt, Some(&name)));
        full.push(Candidate { name, file: file.cloned(), answer });
    }
    // Older ones are worth a word, though the daemon does not try them.
    for library in found.iter().filter(|library| library.major().is_some_and(|major| major < 10)) {
        full.push(Candidate { name: library.path.clone(), file: Some(library.clone()), answer: None });
    }
    let needed = full.iter().filter_map(|candidate| candidate.file.as_ref()).flat_map(|file| &file.needed);
    let mut missing: Vec<String> = needed.filter(|name| !folders.has(machine, name)).cloned().collect();
    missing.dedup();
    let find = |stem| folders.find(machine, stem);
    TensorRts {
        full,
        named: named.is_some(),
        lean: find("libnvinfer_lean"),
        dispatch: find("libnvinfer_dispatch"),
        parser: find("libnvonnxparser"),
        missing,
    }
}

/// The libraries beside `libonnxruntime` that bring the GPU.
fn providers(machine: &Machine, folders: &Folders, onnxruntime: &Path) -> Vec<Provider> {
    // A bare name was found by the loader, which does not say where.
    let real = machine.resolve(onnxruntime).filter(|_| onnxruntime.is_absolute());
    let Some(folder) = real.as_deref().and_then(Path::parent) else { return Vec::new() };
    let names = [("cuda", "libonnxruntime_providers_cuda.so"), ("tensorrt", "libonnxruntime_providers_tensorrt.so")];
    let found = names.into_iter().filter_map(|(name, file)| {
        let path = folder.join(file);
        let elf = super::elf::read(&mut machine.file(&path)?)?;
        let vendor = |name: &String| ["libcu", "libnv"].iter().any(|prefix| name.starts_with(prefix));
        let needed: Vec<String> = elf.needed.into_iter().filter(vendor).collect();
        let here = |name: &String| folders.has(machine, name) || machine.exists(folder.join(name));
        let missing = needed.iter().filter(|name| !here(name)).cloned().collect();
        Some(Provider { name, path, needed, missing })
    });
    found.collect()
}
