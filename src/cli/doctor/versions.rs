//! The version picture: one line for each part between the kernel and the decoder.

use std::path::Path;

use super::access::Opened;
use super::check::{self, Check, Then as _};
use super::facts::{Candidate, Facts};
use super::libraries::Library;
use crate::config::Policy;

/// The lines, in the order of the layers.
pub(super) fn checks(facts: &Facts, policy: Option<Policy>) -> Vec<Check> {
    let mut checks = vec![
        check::ok("watchkeeper", format!("{} for {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH)),
        system(facts),
        jetson(facts),
        kernel_module(facts),
        cuda_driver(facts),
    ];
    checks.extend(gpus(facts));
    // With a configuration this is the contract's.
    checks.extend(proof(facts).filter(|_| policy.is_none()));
    checks.push(libraries("CUDA runtime", &facts.cuda_runtime, "only ONNX Runtime's GPU providers need it"));
    checks.extend(tensorrt(facts));
    checks.push(libraries("cuDNN", &facts.cudnn, "only ONNX Runtime's GPU providers need it"));
    checks.push(onnxruntime(facts));
    checks.extend(facts.providers.iter().map(provider));
    checks.extend(gstreamer(facts, policy));
    checks.push(user(facts));
    checks.push(nodes(facts));
    checks
}

fn system(facts: &Facts) -> Check {
    let system = &facts.system;
    let part = |name: &str, version: Option<String>| version.map(|version| format!("{name}{version}"));
    let parts = [
        system.os.clone(),
        part("kernel ", system.kernel.clone()),
        part("glibc ", system.glibc.as_ref().map(ToString::to_string)),
        system.container.then(|| "in a container".to_owned()),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        check::skipped("system", "nothing says what it is")
    } else {
        check::ok("system", parts.join(", "))
    }
}

fn jetson(facts: &Facts) -> Check {
    let Some(jetson) = &facts.jetson else { return check::skipped("Jetson", "this is none") };
    let l4t = jetson.l4t.as_ref().map_or("L4T unknown".to_owned(), |l4t| format!("L4T {l4t}"));
    let jetpack = jetson.jetpack.as_ref().map_or("JetPack unknown".to_owned(), |jetpack| format!("JetPack {jetpack}"));
    let model = jetson.model.clone().unwrap_or_else(|| "a Tegra board".to_owned());
    check::ok("Jetson", format!("{model}, {l4t}, {jetpack}"))
}

fn kernel_module(facts: &Facts) -> Check {
    match &facts.kernel_module {
        Some(module) if module.open => check::ok("kernel module", format!("{} (open)", module.version)),
        Some(module) => check::ok("kernel module", module.version.clone()),
        None => check::skipped("kernel module", "no NVIDIA kernel module is loaded"),
    }
}

fn cuda_driver(facts: &Facts) -> Check {
    let name = "CUDA driver";
    let file = facts.driver.first().map(|library| {
        let version = if library.suffix.contains('.') { format!(" {}", library.suffix) } else { String::new() };
        format!("libcuda{version} at {}", library.path.display())
    });
    let cuda = match (&facts.cuda, file) {
        (None, None) => return check::skipped(name, "no libcuda.so.1"),
        (None, Some(file)) => return check::ok(name, file),
        (Some(Err(error)), _) => {
            return check::failed(name, format!("libcuda.so.1 {error}"))
                .then("reinstall the NVIDIA driver; look at the kernel's log (dmesg | grep -i nvrm)");
        }
        (Some(Ok(cuda)), None) if !cuda.there => {
            return check::skipped(name, "no libcuda.so.1")
                .then("for a GPU, install the NVIDIA driver, or start the container with the NVIDIA runtime");
        }
        (Some(Ok(cuda)), file) => (cuda, file),
    };
    match cuda {
        (cuda, _) if cuda.error.is_some() => failed_with_advice(name, cuda.error.as_deref().unwrap_or_default()),
        (cuda, file) => {
            let (major, minor) = cuda.version.unwrap_or_default();
            check::ok(name, format!("CUDA {major}.{minor}{}", file.map(|file| format!(", {file}")).unwrap_or_default()))
        }
    }
}

/// An error with what it is about, once.
fn named(what: &str, path: &Path, error: &str) -> String {
    if error.contains(&*path.to_string_lossy()) { error.to_owned() } else { format!("{what}: {error}") }
}

/// Errors of the crates end with what to do, behind a semicolon.
fn split_advice(error: &str) -> (&str, Option<&str>) {
    error.rsplit_once("; ").map_or((error, None), |(found, next)| (found, Some(next)))
}

pub(super) fn failed_with_advice(name: &str, error: &str) -> Check {
    let (found, next) = split_advice(error);
    Check { next: next.map(str::to_owned), ..check::failed(name, found) }
}

fn gpus(facts: &Facts) -> Vec<Check> {
    let devices = facts.cuda().map_or(&[][..], |cuda| &cuda.devices);
    let line = |(i, gpu): (usize, &super::answers::Gpu)| {
        let (major, minor) = gpu.compute_capability;
        let shared = if gpu.integrated { ", shared with the host" } else { "" };
        check::ok(
            &format!("GPU {i}"),
            format!("{}, compute capability {major}.{minor}, {} MB of memory{shared}", gpu.name, gpu.memory_mb),
        )
    };
    devices.iter().enumerate().map(line).collect()
}

fn proof(facts: &Facts) -> Option<Check> {
    Some(match facts.proof.as_ref()? {
        Ok(_) => check::ok("GPU computes", "a kernel ran on GPU 0 and its answer is right"),
        Err(error) => failed_with_advice("GPU computes", error),
    })
}

fn describe(library: &Library) -> String {
    let version = library.version.as_ref().map_or_else(|| library.suffix.clone(), ToString::to_string);
    let loader = if library.on_loader_path { "" } else { ", not on the loader's path" };
    format!("{version} at {}{loader}", library.path.display())
}

fn libraries(name: &str, found: &[Library], absent: &str) -> Check {
    let Some(first) = found.first() else { return check::skipped(name, format!("none; {absent}")) };
    if let Some((library, error)) = found.iter().find_map(|library| Some((library, library.error.as_ref()?))) {
        let found = named(&describe(library), &library.path, error);
        return check::failed(name, found).then("reinstall it, all its packages in one version, or take it out");
    }
    let list = found.iter().map(describe).collect::<Vec<_>>().join("; ");
    if found.iter().any(|library| library.on_loader_path) {
        return check::ok(name, list);
    }
    let folder = first.path.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let next = format!("to have it found, write {folder} into a file in /etc/ld.so.conf.d and run ldconfig");
    check::warning(name, list).then(next)
}

fn tensorrt(facts: &Facts) -> Vec<Check> {
    let all = &facts.tensorrt;
    let taken = all.taken().map(|candidate| &candidate.name);
    let there =
        all.full.iter().filter(|candidate| candidate.file.is_some() || candidate.version().is_some() || all.named);
    let mut checks: Vec<Check> = there.map(|candidate| libnvinfer(candidate, taken == Some(&candidate.name))).collect();
    if checks.is_empty() {
        checks.push(
            check::skipped("TensorRT", "no libnvinfer.so.10 or .11")
                .then("backend = \"tensorrt\" needs it; on a Jetson: apt install nvidia-tensorrt"),
        );
    }
    for (name, found) in [("TensorRT lean", &all.lean), ("TensorRT dispatch", &all.dispatch)] {
        if !found.is_empty() {
            checks.push(libraries(name, found, ""));
        }
    }
    checks.push(libraries("ONNX parser", &all.parser, "building plans on this machine needs libnvonnxparser"));
    checks
}

fn libnvinfer(candidate: &Candidate, taken: bool) -> Check {
    let name = "TensorRT";
    let place = candidate.file.as_ref().map_or_else(
        || candidate.name.display().to_string(),
        |file| if file.on_loader_path { file.path.display().to_string() } else { describe(file) },
    );
    let role = if taken { "taken" } else { "not taken" };
    match &candidate.answer {
        Some(Ok(told)) => {
            let build =
                told.build.filter(|build| *build > 0).map(|build| format!(" build {build}")).unwrap_or_default();
            let runs = if told.builder { "" } else { ", runs plans and builds none" };
            check::ok(name, format!("{}{build} at {place}{runs}, {role}", told.version))
        }
        Some(Err(error)) => check::failed(name, named(&place, &candidate.name, error))
            .then("reinstall TensorRT, or name a library that loads with runtime.tensorrt_library"),
        None if candidate.file.as_ref().and_then(Library::major).is_some_and(|major| major < 10) => {
            check::warning(name, format!("{}, too old", candidate.file.as_ref().map(describe).unwrap_or_default()))
                .then("install TensorRT 10 or 11 beside it; on a Jetson that is JetPack 6 or newer")
        }
        None => check::ok(name, format!("{}, {role}", candidate.file.as_ref().map_or(place, describe))),
    }
}

fn onnxruntime(facts: &Facts) -> Check {
    let name = "ONNX Runtime";
    match &facts.onnxruntime {
        None => check::skipped(name, "not asked: these are another system's files"),
        Some(Ok(told)) => {
            let version = told.version.as_deref().unwrap_or("of unknown version");
            check::ok(name, format!("{version} at {}, built for {}", told.path, told.providers.join(", ")))
        }
        Some(Err(error)) => {
            let next = "run scripts/setup.sh, or name the file with runtime.onnxruntime_library";
            // No file anywhere, or one that does not load.
            let absent = error.split("; ").all(|tried| tried.to_lowercase().contains("no such file"));
            let line = if absent { check::skipped(name, "no libonnxruntime.so") } else { check::failed(name, error) };
            line.then(next)
        }
    }
}

fn provider(provider: &super::facts::Provider) -> Check {
    let name = format!("provider {}", provider.name);
    let needs = if provider.needed.is_empty() { "nothing of NVIDIA's".to_owned() } else { provider.needed.join(", ") };
    if provider.missing.is_empty() {
        return check::ok(&name, format!("{}, needs {needs}: all there", provider.path.display()));
    }
    check::warning(&name, format!("{} cannot load: no {}", provider.path.display(), provider.missing.join(", ")))
        .then("install them or tell the loader where they are; needed for this provider only")
}

fn gstreamer(facts: &Facts, policy: Option<Policy>) -> Vec<Check> {
    let gstreamer = match &facts.gstreamer {
        None => return vec![check::skipped("GStreamer", "not asked: these are another system's files")],
        Some(Err(error)) => {
            return vec![check::failed("GStreamer", error).then("on Debian and Ubuntu run scripts/setup.sh")];
        }
        Some(Ok(gstreamer)) => gstreamer,
    };
    let mut checks = vec![check::ok("GStreamer", gstreamer.version.clone())];
    let some = gstreamer.decoders.iter().any(|decoder| decoder.gpu_only.is_ok());
    for decoder in &gstreamer.decoders {
        let name = format!("decoder {}", decoder.codec);
        let gpu_only = policy == Some(Policy::GpuOnly);
        checks.push(match (&decoder.any, &decoder.gpu_only) {
            (_, Ok(element)) => check::ok(&name, format!("{element}, hardware")),
            (Ok((_, hardware)), Err(refused)) if gpu_only || *hardware => {
                // One codec without hardware is the trouble of cameras that send it.
                let line =
                    if gpu_only && !some { check::failed(&name, refused) } else { check::warning(&name, refused) };
                line.then("install the vendor's GStreamer plugin; look at gst-inspect-1.0 and its blacklist (-b)")
            }
            (Ok((element, _)), _) => check::ok(&name, element),
            (Err(none), _) => check::warning(&name, none).then("install gstreamer1.0-libav or a hardware decoder"),
        });
    }
    checks
}

fn user(facts: &Facts) -> Check {
    let Some(user) = &facts.user else { return check::skipped("user", "not known: these are another system's files") };
    let name = user.name.clone().unwrap_or_else(|| "without a name".to_owned());
    check::ok("user", format!("{name} (uid {}), groups {}", user.uid, user.groups.join(", ")))
}

fn nodes(facts: &Facts) -> Check {
    let name = "device nodes";
    if facts.nodes.is_empty() {
        return check::skipped(name, "no /dev/nvidia*, /dev/nvhost-*, /dev/nvmap or /dev/dri/renderD*");
    }
    let closed: Vec<_> =
        facts.nodes.iter().filter(|node| !matches!(node.opened, Opened::Yes | Opened::NotTried)).collect();
    if closed.is_empty() {
        let tried = if facts.nodes.iter().any(|node| node.opened == Opened::NotTried) { "there" } else { "open" };
        return check::ok(name, format!("{} of {} {tried}", facts.nodes.len(), facts.nodes.len()));
    }
    let list: Vec<String> = closed
        .iter()
        .map(|node| format!("{} ({})", node.path.display(), node.error.as_deref().unwrap_or("closed")))
        .collect();
    let found = format!("{} of {} do not open: {}", closed.len(), facts.nodes.len(), list.join(", "));
    let mine = facts.user.as_ref().map_or(&[][..], |user| &user.groups);
    let mut groups: Vec<&str> = closed
        .iter()
        .filter(|node| node.opened == Opened::Denied)
        .filter_map(|node| {
            node.group.as_deref().filter(|group| *group != "root" && !mine.iter().any(|own| own == group))
        })
        .collect();
    groups.sort_unstable();
    groups.dedup();
    let user = facts.user.as_ref().and_then(|user| user.name.as_deref()).unwrap_or("USER");
    let next = if closed.iter().any(|node| node.opened == Opened::Forbidden) {
        "let the service or container use them: DeviceAllow= in the unit, the NVIDIA runtime or --device for a container"
            .to_owned()
    } else if !groups.is_empty() {
        format!("usermod --append --groups {} {user}, and start anew", groups.join(","))
    } else {
        "look at the kernel's log (dmesg | grep -i -e nvrm -e nvgpu) and at the nodes' modes (ls -l)".to_owned()
    };
    // Nodes of displays and debuggers may be closed and CUDA works all the same.
    let works = matches!(facts.proof, Some(Ok(_)));
    let line = if works { check::warning(name, found) } else { check::failed(name, found) };
    line.then(next)
}
