//! What `runtime.policy` allows.

use crate::config::file::{Backend, File, Provider};
use crate::config::meaning::Policy;
use crate::config::report::Report;
use crate::config::words;

/// Refuses models on the CPU under `gpu-only`, in one line however many there are.
pub(super) fn check(file: &File, report: &mut Report) {
    if file.runtime.policy != Policy::GpuOnly {
        return;
    }
    let on_cpu: Vec<&str> = file
        .models
        .iter()
        .filter(|(_, m)| m.backend == Backend::Onnxruntime && m.provider.unwrap_or(Provider::Cpu) == Provider::Cpu)
        .map(|(name, _)| name.as_str())
        .filter(|name| !report.has(&format!("models.{name}.provider")))
        .collect();
    let Some(first) = on_cpu.first() else { return };
    let (key, default) = if report.written("runtime.policy") {
        ("runtime.policy".to_owned(), "")
    } else {
        (format!("models.{first}.backend"), ", the default,")
    };
    let message = format!(
        "runtime.policy = \"gpu-only\"{default} refuses backend = \"onnxruntime\" with provider = \"cpu\" (models: {}); \
         on a machine without a GPU set runtime.policy = \"any\"",
        words::list(on_cpu.iter().copied())
    );
    report.problem(key, message);
}
