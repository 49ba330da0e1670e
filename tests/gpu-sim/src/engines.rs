//! Plans of all models of a folder, and the environment in which the daemon runs them on the simulator.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::onnx;
use crate::plan::{Plan, Profile, Range, Target};

/// Most pictures in a batch, where a model leaves that open: the daemon's own limit unless `max_batch` says otherwise.
pub const MOST: i64 = 8;

/// Writes `out/<name>.plan` for each `engines/<name>/model.onnx`; a model that leaves its batch open gets one profile
/// from 1 to [`MOST`]. Answers name, model and plan of each, by name.
///
/// # Errors
/// Where a folder cannot be read or written, there is no model, or one leaves more than its batch open.
pub fn plans(engines: &Path, out: &Path, target: &Target) -> anyhow::Result<Vec<(String, PathBuf, PathBuf)>> {
    let folders = fs::read_dir(engines).with_context(|| format!("{} cannot be read", engines.display()))?;
    let mut models: Vec<_> = folders.flatten().map(|entry| entry.path().join("model.onnx")).collect();
    models.retain(|model| model.is_file());
    models.sort();
    ensure!(!models.is_empty(), "{} has no <name>/model.onnx; name the folder of the models", engines.display());
    fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
    models.into_iter().map(|model| write(model, out, target)).collect()
}

fn write(model: PathBuf, out: &Path, target: &Target) -> anyhow::Result<(String, PathBuf, PathBuf)> {
    let broken = |reason: String| anyhow::anyhow!("{}: {reason}", model.display());
    let name = model.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    let bytes = fs::read(&model).with_context(|| format!("{} cannot be read", model.display()))?;
    let profile = any_batch(&onnx::read(&bytes).map_err(broken)?.inputs);
    let plan = Plan::build(&name, bytes, &[profile], target).map_err(broken)?;
    let file = out.join(format!("{name}.plan"));
    fs::write(&file, plan.to_bytes()).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok((name, model, file))
}

/// Ranges of the inputs that leave their first dimension open and no other.
fn any_batch(inputs: &[onnx::Tensor]) -> Profile {
    let open = inputs.iter().filter(|input| input.shape.first() == Some(&-1));
    let range = |input: &onnx::Tensor| {
        let of = |pictures: i64| [&[pictures], &input.shape[1..]].concat();
        Range { min: of(1), opt: of(MOST), max: of(MOST) }
    };
    open.map(|input| (input.name.clone(), range(input))).collect()
}

/// A shell's lines that make a program find the libraries staged in `folder`, and the daemon these models and plans.
///
/// # Errors
/// Where a path is not UTF-8 or cannot be made absolute.
pub fn environment(folder: &Path, models: &[(String, PathBuf, PathBuf)], target: &Target) -> anyhow::Result<String> {
    let quoted = |path: &Path| -> anyhow::Result<String> {
        let path = std::path::absolute(path).with_context(|| format!("{} has no full path", path.display()))?;
        let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
        Ok(format!("'{}'", text.replace('\'', r"'\''")))
    };
    let mut lines = format!(
        "export LD_LIBRARY_PATH={}\"${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"\n\
         export GST_PLUGIN_PATH={}\"${{GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}}\"\n\
         export GST_REGISTRY={}\n\
         export WATCHKEEPER_SIM_TENSORRT='{}'\n\
         export WATCHKEEPER__RUNTIME__STATE_DIR={}\n\
         export WATCHKEEPER__RUNTIME__TENSORRT_LIBRARY={}\n",
        quoted(folder)?,
        quoted(&folder.join("gstreamer"))?,
        quoted(&folder.join("registry.bin"))?,
        target.tensorrt,
        quoted(&folder.join("state"))?,
        quoted(&folder.join(format!("libnvinfer.so.{}", target.tensorrt.split('.').next().unwrap_or_default())))?,
    );
    for (name, model, plan) in models {
        let key = name.to_uppercase();
        lines += &format!("export WATCHKEEPER__MODELS__{key}__ONNX={}\n", quoted(model)?);
        lines += &format!("export WATCHKEEPER__MODELS__{key}__PLAN={}\n", quoted(plan)?);
    }
    Ok(lines)
}
