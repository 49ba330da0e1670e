//! Plans.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Args, Target};
use crate::cli::Exit;
use crate::cli::exit::BadInput;
use crate::inference::InferenceError;
use crate::inference::artefact::{Manifest, Range, Shown, sha256_of_file};
use crate::inference::budget::megabytes;
use crate::inference::inspection::{Inspected, Inspection, Placement, TensorFacts, inspect};

/// What could be found out.
struct Found {
    manifest: Option<Manifest>,
    inspected: Option<Inspected>,
    /// Why the plan was not asked itself.
    not_loaded: Option<String>,
}

pub(super) fn show(target: &Target, args: &Args) -> anyhow::Result<Exit> {
    let found = look(target)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&as_json(target, &found, args.layers)?)?)?;
    } else {
        print(target, &found, args.layers, &mut out)?;
    }
    Ok(Exit::Done)
}

fn look(target: &Target) -> anyhow::Result<Found> {
    let plan = &target.plan;
    let unreadable = |error: &io::Error| BadInput(format!("{}: {error}", plan.display()));
    std::fs::metadata(plan).map_err(|error| unreadable(&error))?;
    let beside = Manifest::path(plan);
    let manifest = Manifest::read(plan).map_err(|error| BadInput(format!("{}: {error}", beside.display())))?;
    let onnx = target
        .onnx
        .as_ref()
        .map(|onnx| sha256_of_file(onnx).map_err(|error| BadInput(format!("{}: {error}", onnx.display()))));
    let onnx = onnx.transpose()?;
    let next = target.command.as_ref().map(|command| format!("; build it here: {command}")).unwrap_or_default();
    match inspect(plan, manifest.as_ref(), onnx.as_deref(), target.library.as_deref()) {
        Ok(inspected) => {
            let not_loaded = (!inspected.mismatches.is_empty())
                .then(|| format!("it is not for here: {}{next}", Shown(&inspected.mismatches)));
            Ok(Found { manifest, inspected: Some(inspected), not_loaded })
        }
        // What the manifest says is known without a device.
        Err(InferenceError::Gpu { reason }) if manifest.is_some() => {
            let words = format!("{reason}; only its manifest is shown");
            Ok(Found { manifest, inspected: None, not_loaded: Some(words) })
        }
        Err(error) => Err(error.into()),
    }
}

fn as_json(target: &Target, found: &Found, layers: bool) -> anyhow::Result<Value> {
    let inspected = found.inspected.as_ref();
    let inspection = inspected.and_then(|inspected| inspected.inspection.as_ref());
    let mut plan = serde_json::to_value(inspection)?;
    if let Some(of_plan) = plan.pointer_mut("/layers").and_then(Value::as_object_mut) {
        of_plan.insert("placement".to_owned(), json!(inspection.map(placements)));
        if !layers {
            of_plan.remove("list");
        }
    }
    Ok(json!({
        "schema": "inspect/1",
        "kind": "plan",
        "file": target.plan,
        "model": target.model,
        "manifest": found.manifest,
        "here": inspected.map(|inspected| &inspected.platform),
        "mismatches": inspected.map(|inspected| &inspected.mismatches),
        "remarks": inspected.map(|inspected| &inspected.remarks),
        "not_loaded": found.not_loaded,
        "plan": plan,
    }))
}

/// Layers by what they run on; empty: the engine does not tell.
fn placements(inspection: &Inspection) -> BTreeMap<&'static str, usize> {
    let both = [("gpu", Placement::Gpu), ("dla", Placement::Dla)];
    both.into_iter().filter_map(|(name, placement)| Some((name, inspection.layers.on(placement)?))).collect()
}

fn print(target: &Target, found: &Found, layers: bool, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "plan        {}", target.plan.display())?;
    match &found.manifest {
        Some(manifest) => summary(manifest, out)?,
        None => writeln!(out, "manifest    none: it was not built by `watchkeeper engine build`")?,
    }
    if let Some(why) = &found.not_loaded {
        writeln!(out, "not loaded  {why}")?;
    }
    let Some(inspected) = &found.inspected else { return Ok(()) };
    if found.manifest.is_some() && inspected.mismatches.is_empty() {
        writeln!(out, "matches     this machine: {}", inspected.platform.gpu.words())?;
    }
    if !inspected.remarks.is_empty() {
        writeln!(out, "but         {}", Shown(&inspected.remarks))?;
    }
    inspected.inspection.as_ref().map_or(Ok(()), |inspection| details(inspection, layers, out))
}

fn summary(manifest: &Manifest, out: &mut impl Write) -> io::Result<()> {
    let Manifest { model, onnx, platform, options, .. } = manifest;
    writeln!(
        out,
        "manifest    {model}, {}, built {} by watchkeeper {}",
        options.precision, manifest.built_at, manifest.watchkeeper
    )?;
    writeln!(out, "built of    {}, sha256 {}", onnx.file, onnx.sha256)?;
    writeln!(out, "built on    {}, TensorRT {}, CUDA {}", platform.gpu.words(), platform.tensorrt, platform.cuda)?;
    if let Some(core) = options.dla_core {
        writeln!(out, "runs on     DLA core {core}")?;
    }
    for speed in &manifest.speed {
        writeln!(
            out,
            "speed       {:.2} ms for {} in a run (99 % under {:.2} ms)",
            speed.median_ms, speed.batch, speed.p99_ms
        )?;
    }
    if let Some(calibration) = &manifest.calibration {
        writeln!(
            out,
            "calibrated  with {} pictures of {}, {}",
            calibration.pictures, calibration.source, calibration.method
        )?;
    }
    match &manifest.verified {
        Some(verified) => writeln!(
            out,
            "verified    agreement {:.3} on {} pictures of {}, {}",
            verified.agreement, verified.pictures, verified.data, verified.at
        ),
        None => writeln!(out, "verified    no: `watchkeeper engine verify` does it"),
    }
}

fn details(inspection: &Inspection, layers: bool, out: &mut impl Write) -> io::Result<()> {
    let memory = &inspection.memory;
    writeln!(out, "file        {}, sha256 {}", megabytes(inspection.bytes), inspection.sha256)?;
    let weights = inspection.weights_bytes.map(|bytes| format!(", weights {}", mb(bytes))).unwrap_or_default();
    writeln!(out, "memory      engine {}{weights}, once for each copy", mb(memory.engine))?;
    let by_profile = inspection.activations_by_profile.iter().enumerate();
    let by_profile: Vec<_> = by_profile.map(|(profile, bytes)| format!("profile {profile} {}", mb(*bytes))).collect();
    writeln!(out, "            each context: activations {}; besides {}", by_profile.join(", "), mb(memory.context))?;
    writeln!(
        out,
        "streams     {} beside its own; weights can{} be replaced; hardware compatibility {}",
        inspection.aux_streams,
        if inspection.refittable { "" } else { "not" },
        inspection.hardware_compatibility
    )?;
    writeln!(out, "\n{:<7} {:<24} {:<6} {:<22} {:<7} format", "tensor", "name", "type", "shape", "memory")?;
    for tensor in &inspection.tensors {
        print_tensor(tensor, out)?;
    }
    let of = &inspection.layers;
    let placed = placements(inspection);
    let placed: Vec<_> = placed.iter().filter(|(_, count)| **count > 0).collect();
    let placed: Vec<_> = placed.iter().map(|(name, count)| format!("{count} on {}", name.to_uppercase())).collect();
    let placed = if placed.is_empty() {
        format!("the engine does not tell what they run on (verbosity {})", of.verbosity)
    } else {
        placed.join(", ")
    };
    writeln!(out, "\nlayers      {}: {placed}", of.count)?;
    if !layers {
        return Ok(());
    }
    for layer in &of.list {
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let place = match layer.placement {
            Some(Placement::Gpu) => "GPU",
            Some(Placement::Dla) => "DLA",
            None => "-",
        };
        writeln!(out, "  {place:<4} {:<12} {:<20} {}", dash(&layer.precision), dash(&layer.kind), layer.name)?;
    }
    Ok(())
}

fn print_tensor(tensor: &TensorFacts, out: &mut impl Write) -> io::Result<()> {
    let side = if tensor.input { "input" } else { "output" };
    let TensorFacts { name, element, location, format, .. } = tensor;
    let own = dims(&tensor.shape);
    writeln!(out, "{side:<7} {name:<24} {element:<6} {own:<22} {location:<7} {format}")?;
    for (profile, Range { min, opt, max }) in
        tensor.profiles.iter().enumerate().filter(|(_, range)| range.min != range.max)
    {
        writeln!(out, "          profile {profile}: {} to {}, tuned for {}", dims(min), dims(max), dims(opt))?;
    }
    Ok(())
}

fn dims(shape: &[i64]) -> String {
    let dim = |dim: &i64| if *dim < 0 { "?".to_owned() } else { dim.to_string() };
    shape.iter().map(dim).collect::<Vec<_>>().join("x")
}

fn mb(bytes: u64) -> String {
    crate::inference::budget::megabytes(bytes)
}
