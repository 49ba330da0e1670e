//! The GPU contract: what device, decoder and engines prove before a camera is opened, and the report of it.

use serde::{Deserialize, Serialize};

use super::InferenceError;
use crate::config::{Backend, Config, Policy};
use crate::types::time::Timestamp;

/// Version of the report's layout.
const SCHEMA: &str = "contract/1";

/// What the driver and the device prove, in this order, and what it means to have got past each.
pub(super) const OF_THE_DEVICE: [(&str, &str); 4] = [
    ("driver", "it loads and starts"),
    ("device", "it is there"),
    ("context", "the primary context is retained"),
    ("kernel", "the proof's answer is right"),
];
pub(super) const TENSORRT: &str = "tensorrt";
pub(super) const ONNXRUNTIME: &str = "onnxruntime";
pub(super) const DECODER: &str = "decoder";
pub(super) const MEMORY: &str = "memory";
pub(super) const TIME: &str = "time";

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Passed,
    /// It works, but somebody should look.
    Warning,
    /// It does not work.
    Failed,
    /// Not asked, or not reached.
    Skipped,
}

/// One check of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `driver`, `device`, `context`, `kernel`; `tensorrt`, `onnxruntime`, as models want them; `decoder`; per model
    /// `engine <model>`, `golden <model>`; `memory` and `time`, of all cameras together.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found, in words, one line.
    pub found: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Check {
    /// A check that ended so.
    #[must_use]
    pub fn new(name: &str, outcome: Outcome, found: &str, next: Option<&str>) -> Self {
        Self { name: name.to_owned(), outcome, found: one_line(found), next: next.map(one_line) }
    }

    /// The check `decoder`.
    #[must_use]
    pub fn decoder(outcome: Outcome, found: &str, next: Option<&str>) -> Self {
        Self::new(DECODER, outcome, found, next)
    }
}

/// What the device is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Its name.
    pub name: String,
    /// `GPU-` and 32 digits, as `nvidia-smi -L` has it.
    pub uuid: String,
    /// Such as `8.7`.
    pub compute_capability: String,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Host and device share their memory.
    pub integrated: bool,
    /// The driver's CUDA version, such as `12.6`.
    pub driver_cuda: String,
}

impl From<&gpu::DeviceInfo> for DeviceFacts {
    fn from(info: &gpu::DeviceInfo) -> Self {
        let version = |(major, minor): (u32, u32)| format!("{major}.{minor}");
        Self {
            name: info.name.clone(),
            uuid: info.uuid.clone(),
            compute_capability: version(info.compute_capability),
            memory_bytes: info.total_memory as u64,
            integrated: info.integrated,
            driver_cuda: version(info.driver),
        }
    }
}

/// The report: every check there is, whatever became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContractReport {
    /// `contract/1`.
    pub schema: String,
    /// When the checks began, RFC 3339 UTC.
    pub time: String,
    /// The policy they were made under.
    pub policy: Policy,
    /// The device; `None` where none was reached or none is used.
    pub device: Option<DeviceFacts>,
    /// TensorRT's version; `None` where it was not loaded.
    pub tensorrt: Option<String>,
    /// In the order in which they are made.
    pub checks: Vec<Check>,
    /// The check that is being made.
    #[serde(skip)]
    underway: Option<String>,
}

impl ContractReport {
    /// All checks of a configuration, none of them made.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut report = Self::bare(config.runtime.policy);
        let on_gpu = on_gpu(config);
        let why = if on_gpu { "not reached" } else { "no model runs on a GPU" };
        let of_the_device = OF_THE_DEVICE.map(|(name, _)| name);
        of_the_device.iter().for_each(|name| report.will(name, why));
        if config.models.iter().any(|model| model.backend == Backend::Tensorrt) {
            report.will(TENSORRT, "not reached");
        }
        if onnxruntime_on_gpu(config) {
            report.will(ONNXRUNTIME, "not reached");
        }
        report.will(DECODER, "not asked");
        for model in &config.models {
            report.will(&engine(&model.name), "not reached");
            report.will(&golden(&model.name), "not reached");
        }
        report.will(MEMORY, why);
        report.will(TIME, why);
        report
    }

    /// Without any check.
    pub(super) fn bare(policy: Policy) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            time: Timestamp::now().to_string(),
            policy,
            device: None,
            tensorrt: None,
            checks: Vec::new(),
            underway: None,
        }
    }

    /// A check by its name.
    #[must_use]
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }

    /// The check that failed, where one did.
    #[must_use]
    pub fn failed(&self) -> Option<&Check> {
        self.checks.iter().find(|check| check.outcome == Outcome::Failed)
    }

    fn will(&mut self, name: &str, why: &str) {
        self.checks.push(Check::new(name, Outcome::Skipped, why, None));
    }

    /// What fails from here on fails in this check.
    pub(super) fn begin(&mut self, name: &str) {
        self.underway = Some(name.to_owned());
    }

    pub(super) fn set(&mut self, check: Check) {
        match self.checks.iter_mut().find(|known| known.name == check.name) {
            Some(known) => *known = check,
            None => self.checks.push(check),
        }
    }

    pub(super) fn passed(&mut self, name: &str, found: &str) {
        self.set(Check::new(name, Outcome::Passed, found, None));
    }

    /// The driver's and the device's checks were passed before this one.
    pub(super) fn got_to(&mut self, name: &str) {
        for (before, found) in OF_THE_DEVICE.iter().take_while(|(before, _)| *before != name) {
            if self.check(before).is_some_and(|check| check.outcome == Outcome::Skipped) {
                self.passed(before, found);
            }
        }
        self.begin(name);
    }

    /// The check under way failed with `error`: under `gpu-only` the error says so.
    pub(super) fn fail(&mut self, error: InferenceError) -> InferenceError {
        let check = match (error, self.underway.take()) {
            // It names its check.
            (InferenceError::Contract(check), _) => check,
            (error, Some(name)) => {
                let check = Box::new(failed(&name, &error));
                if self.policy != Policy::GpuOnly || matches!(error, InferenceError::DeviceLost { .. }) {
                    self.set(*check);
                    return error;
                }
                check
            }
            (error, None) => return error,
        };
        self.set(Check::clone(&check));
        InferenceError::Contract(check)
    }
}

pub(super) fn engine(model: &str) -> String {
    format!("engine {model}")
}

pub(super) fn golden(model: &str) -> String {
    format!("golden {model}")
}

/// Has the GPU something to prove?
pub(super) fn on_gpu(config: &Config) -> bool {
    config.runtime.policy == Policy::GpuOnly
        || config.models.iter().any(|model| model.backend != Backend::OnnxruntimeCpu)
}

/// Does ONNX Runtime run a model on the GPU?
pub(super) fn onnxruntime_on_gpu(config: &Config) -> bool {
    config.models.iter().any(|model| !matches!(model.backend, Backend::Tensorrt | Backend::OnnxruntimeCpu))
}

/// The check that a device fails with this error.
pub(super) const fn of(error: &gpu::OpenError) -> &'static str {
    use gpu::OpenError;
    match error {
        OpenError::Library { .. } | OpenError::Function { .. } | OpenError::Init { .. } | OpenError::Old { .. } => {
            "driver"
        }
        OpenError::NoDevice | OpenError::NoSuchDevice { .. } | OpenError::Query { .. } => "device",
        OpenError::Context { .. } => "context",
        OpenError::Kernels { .. } | OpenError::Proof { .. } | OpenError::Wrong { .. } => "kernel",
    }
}

/// Our sentences end with what to do, behind a semicolon; those of others (TensorRT) do not.
fn failed(name: &str, error: &InferenceError) -> Check {
    const REBUILD: &str = "build the plan anew, on this device and with this TensorRT, from the model's ONNX file";
    let split = |words: &str| match words.rsplit_once("; ") {
        Some((found, next)) => Check::new(name, Outcome::Failed, found, Some(next)),
        None => Check::new(name, Outcome::Failed, words, Some(advice(name))),
    };
    match error {
        InferenceError::Gpu { reason } | InferenceError::Head { reason, .. } => split(reason),
        InferenceError::Plan { path, reason, .. } => {
            let found = format!("{} is not a usable TensorRT plan: {reason}", path.display());
            Check::new(name, Outcome::Failed, &found, Some(REBUILD))
        }
        InferenceError::Library { .. } => {
            let next = "name the library's GPU build with runtime.onnxruntime_library";
            Check::new(name, Outcome::Failed, &error.to_string(), Some(next))
        }
        InferenceError::DeviceLost { .. } => Check::new(
            name,
            Outcome::Failed,
            &error.to_string(),
            Some("start it again; if it stays, restart the machine"),
        ),
        other => split(&other.to_string()),
    }
}

fn advice(name: &str) -> &'static str {
    match name {
        "driver" | "device" | "context" | "kernel" => {
            "look at `nvidia-smi` and at the kernel's log (`dmesg | grep -i nvrm`)"
        }
        TENSORRT => "look at what it logged before, and at `watchkeeper doctor`",
        _ => "look at the model's section in the configuration, and at the log",
    }
}

fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `name: found; next`.
impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.found)?;
        self.next.as_ref().map_or(Ok(()), |next| write!(f, "; {next}"))
    }
}
