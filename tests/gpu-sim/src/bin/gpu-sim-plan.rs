//! `gpu-sim-plan IN.onnx OUT.plan` wraps an ONNX model into a plan of the simulated TensorRT;
//! `gpu-sim-plan --stage FOLDER` links the simulator's libraries there under the names that programs load;
//! `gpu-sim-plan --all ENGINES FOLDER` does that, wraps all models of a folder, and writes the environment to use them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use gpu_sim::plan::{Plan, Profile, Range, Target};

const USAGE: &str = "\
usage: gpu-sim-plan IN.onnx OUT.plan [--profile NAME=MIN..OPT..MAX[,NAME=...]]... [--name NAME]
                    [--tensorrt 10.16.1] [--compute-capability 8.7] [--precision fp16]
       gpu-sim-plan --stage FOLDER
       gpu-sim-plan --all ENGINES FOLDER [--tensorrt ...] [--compute-capability ...] [--precision ...]
a shape is written 1x3x640x640; NAME=SHAPE fixes it";

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let mut files = Vec::new();
    let mut profiles = Vec::new();
    let mut name = None;
    let mut all = false;
    let mut target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} wants a value\n{USAGE}"));
        match word.as_str() {
            "--profile" => profiles.push(profile(&value()?)?),
            "--name" => name = Some(value()?),
            "--tensorrt" => target.tensorrt = value()?,
            "--compute-capability" => target.compute_capability = value()?,
            "--precision" => target.precision = value()?,
            "--stage" => {
                for link in gpu_sim::stage::stage(Path::new(&value()?))? {
                    println!("{}", link.display());
                }
                return Ok(());
            }
            "--all" => all = true,
            _ if word.starts_with('-') => bail!("{word} is not known\n{USAGE}"),
            _ => files.push(PathBuf::from(word)),
        }
    }
    let [input, output] = files.as_slice() else {
        bail!("{USAGE}");
    };
    if all {
        ensure!(
            profiles.is_empty() && name.is_none(),
            "--all names the plans itself and gives each its profile\n{USAGE}"
        );
        return everything(input, output, &target);
    }
    let model = std::fs::read(input).with_context(|| format!("{} cannot be read", input.display()))?;
    let stem = input.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let plan = Plan::build(&name.unwrap_or(stem), model, &profiles, &target)
        .map_err(|reason| anyhow::anyhow!("{}: {reason}", input.display()))?;
    std::fs::write(output, plan.to_bytes()).with_context(|| format!("{} cannot be written", output.display()))
}

fn everything(engines: &Path, folder: &Path, target: &Target) -> anyhow::Result<()> {
    let models = gpu_sim::engines::plans(engines, folder, target)?;
    for path in gpu_sim::stage::stage(folder)?.iter().chain(models.iter().map(|(_, _, plan)| plan)) {
        println!("{}", path.display());
    }
    let environment = folder.join("environment");
    std::fs::write(&environment, gpu_sim::engines::environment(folder, &models, target)?)
        .with_context(|| format!("{} cannot be written", environment.display()))?;
    println!("{}", environment.display());
    Ok(())
}

fn profile(text: &str) -> anyhow::Result<Profile> {
    let mut profile = Profile::new();
    for part in text.split(',') {
        let (name, range) = part.split_once('=').with_context(|| format!("{part:?} is not NAME=SHAPES\n{USAGE}"))?;
        let shapes = range.split("..").map(shape).collect::<anyhow::Result<Vec<_>>>()?;
        let range = match shapes.as_slice() {
            [fixed] => Range { min: fixed.clone(), opt: fixed.clone(), max: fixed.clone() },
            [min, opt, max] => Range { min: min.clone(), opt: opt.clone(), max: max.clone() },
            _ => bail!("{range:?} is neither SHAPE nor MIN..OPT..MAX\n{USAGE}"),
        };
        profile.insert(name.to_owned(), range);
    }
    Ok(profile)
}

fn shape(text: &str) -> anyhow::Result<Vec<i64>> {
    text.split('x').map(|extent| extent.parse().with_context(|| format!("{text:?} is not a shape\n{USAGE}"))).collect()
}
