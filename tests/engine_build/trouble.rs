//! What goes wrong, and what then is as it was.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::builds::{Site, onnx, sha256, words};

/// A site with one small model, and an engine of it.
fn with_engine() -> Site {
    let site = Site::new("10.16.1");
    site.config(&[("reid", onnx("reid"), "")]);
    let output = site.build(&["reid", "--precision", "fp32", "--no-verify"], "{}");
    assert!(output.status.success(), "{}", words(&output));
    site
}

/// All that matters of a folder: files with their bytes, links with where they lead.
fn state(site: &Site) -> Vec<(String, Vec<u8>)> {
    let mut state = Vec::new();
    for folder in ["", "store"] {
        for entry in fs::read_dir(site.path(folder)).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(site.folder.path()).unwrap().display().to_string();
            if let Ok(to) = fs::read_link(&path) {
                state.push((name, to.into_os_string().into_encoded_bytes()));
            } else if path.is_file() && name != "report.jsonl" {
                state.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    state.sort();
    state
}

/// The configured path leads to a whole plan with the manifest of that plan. Answers its digest.
fn is_sound(site: &Site) -> String {
    let plan = fs::read(site.path("reid.plan")).unwrap();
    let found = gpu_sim::plan::Plan::from_bytes(&plan).expect("a whole plan");
    let target = fs::canonicalize(site.path("reid.plan")).unwrap();
    let manifest: Value = serde_json::from_slice(&fs::read(target.with_extension("json")).unwrap()).unwrap();
    assert_eq!(manifest["plan"]["sha256"], sha256(&plan));
    let precision = manifest["options"]["precision"].as_str().unwrap();
    assert_eq!(found.header.precision, precision);
    sha256(&plan)
}

fn start(site: &Site, args: &[&str], faults: &str) -> Child {
    let mut command = site.command(&[&["engine", "build"], args].concat(), faults);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads the child's words until one of them says so.
fn wait_until_it_says(child: &mut Child, wanted: &str) -> BufReader<std::process::ChildStderr> {
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    let mut all = String::new();
    while !line.contains(wanted) {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it never said {wanted:?}: {all}");
        all += &line;
    }
    said
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn ctrl_c_ends_a_build_and_nothing_is_changed() {
    let site = with_engine();
    let before = state(&site);
    for name in ["-INT", "-TERM"] {
        let mut child =
            start(&site, &["reid", "--precision", "fp16", "--no-timing-cache"], r#"{"tensorrt":{"build_ms":60000}}"#);
        let mut said = wait_until_it_says(&mut child, "reid: building fp16");
        // Into the midst of TensorRT's work.
        std::thread::sleep(Duration::from_millis(800));
        let at = Instant::now();
        signal(&child, name);
        let status = child.wait().unwrap();
        assert!(at.elapsed() < Duration::from_secs(20), "{:?}", at.elapsed());
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
        assert_eq!(status.code(), Some(130), "{rest}");
        assert!(rest.contains("stopping") && rest.contains("the engine in use is as it was"), "{rest}");
        assert_eq!(state(&site), before);
        assert_eq!(site.misuse(), Vec::<String>::new());
    }
    let output = site.build(&["reid", "--precision", "fp16"], "{}");
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn ctrl_c_is_heard_while_engine_and_model_file_are_compared() {
    let site = with_engine();
    let before = (is_sound(&site), site.store());
    fs::create_dir(site.path("many")).unwrap();
    let picture = image::RgbImage::from_fn(640, 360, |x, y| image::Rgb([x as u8, y as u8, (x ^ y) as u8]));
    picture.save(site.path("many/0.png")).unwrap();
    for number in 1..600 {
        fs::hard_link(site.path("many/0.png"), site.path(&format!("many/{number}.png"))).unwrap();
    }
    let mut child = start(&site, &["reid", "--precision", "fp16", "--pictures", "many"], "{}");
    let said = wait_until_it_says(&mut child, "reid: building fp16");
    let new = || {
        let fresh = |name: &String| name.ends_with(".json") && !name.starts_with('.') && !before.1.contains(name);
        site.store().into_iter().find(fresh)
    };
    let began = Instant::now();
    let manifest = loop {
        assert!(began.elapsed() < Duration::from_secs(60), "no engine came into the store");
        match new() {
            Some(name) => break site.path("store").join(name),
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(said);
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    assert!(manifest["verified"].is_null(), "the comparison was not waited for: {manifest}");
    assert_eq!(is_sound(&site), before.0);
}

#[test]
fn a_second_ctrl_c_leaves_at_once() {
    let site = with_engine();
    // TensorRT asks between steps only, and these are long.
    let mut child =
        start(&site, &["reid", "--precision", "fp16", "--no-timing-cache"], r#"{"tensorrt":{"build_ms":3600000}}"#);
    let said = wait_until_it_says(&mut child, "reid: building fp16");
    std::thread::sleep(Duration::from_millis(800));
    signal(&child, "-INT");
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "the first waits for TensorRT's step");
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(said);
    is_sound(&site);
    // The lock went with the process.
    assert!(site.build(&["reid"], "{}").status.success());
}

#[test]
fn killed_at_any_moment_a_build_leaves_the_old_engine_or_the_new_one() {
    let site = with_engine();
    let began = Instant::now();
    let output = site.build(&["reid", "--precision", "fp16", "--no-timing-cache"], r#"{"tensorrt":{"build_ms":600}}"#);
    assert!(output.status.success(), "{}", words(&output));
    let whole = began.elapsed();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut killed, mut seen) = (0, std::collections::BTreeSet::from([is_sound(&site)]));
    for round in 0..10 {
        // Xorshift: the same moments each time, as parts of a whole build.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let part = (seed >> 11) as f64 / (1_u64 << 53) as f64;
        let precision = if round % 2 == 0 { "fp32" } else { "fp16" };
        let args = ["reid", "--precision", precision, "--no-timing-cache"];
        let mut child = start(&site, &args, r#"{"tensorrt":{"build_ms":600}}"#);
        std::thread::sleep(whole.mul_f64(part));
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        killed += u32::from(output.status.signal() == Some(9));
        seen.insert(is_sound(&site));
    }
    assert!(killed >= 5, "{killed} of 10 were killed before they were done");
    let output = site.build(&["reid", "--precision", "fp16"], "{}");
    assert!(output.status.success(), "{}", words(&output));
    is_sound(&site);
    assert!(!site.store().iter().any(|name| name.starts_with(".new-")), "{:?}", site.store());
    let run = site.run(&["check"], "{}");
    assert!(run.status.success(), "{}", words(&run));
}

#[test]
fn two_builders_take_turns() {
    let (one, other) = (with_engine(), with_engine());
    let slow = r#"{"tensorrt":{"build_ms":4000}}"#;
    let mut first = start(&one, &["reid", "--precision", "fp16", "--no-timing-cache"], slow);
    let said = wait_until_it_says(&mut first, "reid: building fp16");
    // Of the same store, and of another.
    for site in [&one, &other] {
        let mut second = start(site, &["reid", "--precision", "fp32"], "{}");
        let rest =
            wait_until_it_says(&mut second, "waiting: another `watchkeeper engine build` is at work on this GPU");
        if std::ptr::eq(site, &other) {
            assert!(first.wait().unwrap().success());
        } else {
            // It would wait for the first one's end.
            signal(&second, "-INT");
            assert_eq!(second.wait().unwrap().code(), Some(130));
            continue;
        }
        assert!(second.wait().unwrap().success());
        drop(rest);
    }
    drop(said);
    is_sound(&one);
    is_sound(&other);
}

#[test]
fn a_store_that_somebody_else_changes_is_waited_for() {
    let site = with_engine();
    let lock = fs::File::open(site.path("store/lock")).unwrap();
    lock.lock().unwrap();
    let mut child = start(&site, &["reid", "--precision", "fp16"], "{}");
    let said = wait_until_it_says(&mut child, "waiting: another `watchkeeper engine` command");
    drop(lock);
    assert!(child.wait().unwrap().success());
    drop(said);
}

#[test]
fn a_full_disk_costs_the_new_engine_and_not_the_old_one() {
    let site = with_engine();
    let before = (is_sound(&site), fs::read_link(site.path("reid.plan")).unwrap());
    let args = ["reid", "--precision", "fp16", "--no-timing-cache"];
    let mut child = start(&site, &args, r#"{"tensorrt":{"build_ms":3000}}"#);
    let mut rest = wait_until_it_says(&mut child, "reid: building fp16");
    // From now on files may not be larger than this, which is less than the plan; a full disk is no other error.
    let limited = Command::new("prlimit").args(["--fsize=500000", "--pid", &child.id().to_string()]).status();
    assert!(limited.is_ok_and(|status| status.success()), "prlimit (util-linux) is needed");
    let status = child.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut rest, &mut said).unwrap();
    assert_eq!(status.code(), Some(65), "{said}");
    assert!(said.contains("store: ") && said.to_lowercase().contains("file too large"), "{said}");
    assert_eq!((is_sound(&site), fs::read_link(site.path("reid.plan")).unwrap()), before);
    assert!(!site.store().iter().any(|name| name.starts_with(".new-")), "{:?}", site.store());
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_the_build() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = with_engine();
    let store = site.path("store");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o555)).unwrap();
    if fs::File::create(store.join("probe")).is_ok() {
        eprintln!("skipped: this user may write everywhere");
        return;
    }
    let output = site.build(&["reid"], "{}");
    let said = words(&output);
    fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(output.status.code(), Some(65), "{said}");
    assert!(said.contains("run it as the user that owns the folder"), "{said}");
}

#[test]
fn without_onnx_runtime_it_says_so_before_it_builds() {
    let site = with_engine();
    let text = fs::read_to_string(site.path("config.toml")).unwrap();
    fs::write(site.path("none.so"), "no library").unwrap();
    fs::write(site.path("config.toml"), text.replace("[runtime]\n", "[runtime]\nonnxruntime_library = \"none.so\"\n"))
        .unwrap();
    let output = site.build(&["reid"], "{}");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("--no-verify") && said.contains("none.so") && !said.contains("building"), "{said}");
    let output = site.build(&["reid", "--no-verify"], "{}");
    assert!(output.status.success(), "{}", words(&output));
}

#[test]
fn a_build_that_tensorrt_cannot_do_leaves_everything_as_it_was() {
    let site = with_engine();
    let before = state(&site);
    let output = site.build(&["reid", "--precision", "fp16"], r#"{"tensorrt":{"fail_build":1}}"#);
    let said = words(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("Could not find any implementation for node"), "{said}");
    assert_eq!(state(&site), before);
    let output = site.build(&["reid", "--precision", "fp16"], r#"{"tensorrt":{"fail_deserialize":1}}"#);
    let said = words(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("is not a usable TensorRT plan"), "{said}");
    assert_eq!(state(&site), before);
    // One that loads and computes wrongly.
    let output = site.build(&["reid", "--precision", "fp16"], r#"{"tensorrt":{"wrong_outputs":true}}"#);
    let said = words(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(said.contains("the new engine is of no use: the model gives values that are no numbers"), "{said}");
    assert_eq!(state(&site), before);
}

#[test]
fn what_the_parser_refuses_is_told_with_node_operator_and_what_to_do() {
    let site = Site::new("10.16.1");
    let broken = site.path("broken.onnx");
    fs::write(&broken, "no model at all").unwrap();
    let odd = site.path("odd.onnx");
    fs::write(&odd, renamed(&fs::read(onnx("reid")).unwrap(), b"Relu", b"relu")).unwrap();
    for (file, wanted) in [
        (&broken, &["the file is damaged or no ONNX model"][..]),
        (&odd, &["node ", "(relu): TensorRT says: ", "no such operator"][..]),
    ] {
        site.config(&[("reid", file.clone(), "")]);
        let output = site.build(&["reid"], "{}");
        let said = words(&output);
        assert_eq!(output.status.code(), Some(65), "{said}");
        for wanted in wanted {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        assert!(!site.path("reid.plan").exists());
    }
}

#[test]
fn weights_in_a_file_of_their_own_are_refused_in_every_precision_with_what_to_do() {
    let field = |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8][..], content].concat();
    let place = field(13, &[field(1, b"location"), field(2, b"weights.bin")].concat());
    let weights = field(5, &[field(8, b"w"), place, vec![14 << 3, 1]].concat());
    let site = Site::new("10.16.1");
    fs::write(site.path("split.onnx"), field(7, &[weights, field(12, &field(1, b"y"))].concat())).unwrap();
    site.config(&[("reid", site.path("split.onnx"), "")]);
    for precision in ["fp32", "fp16", "int8"] {
        let output = site.build(&["reid", "--precision", precision], "{}");
        let said = words(&output);
        assert_eq!(output.status.code(), Some(65), "{said}");
        assert!(said.contains("\"weights.bin\"") && said.contains("onnx.save(onnx.load("), "{said}");
    }
}

/// The model with every operator of that name called otherwise.
fn renamed(model: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut model = model.to_vec();
    // Field 4 of a node, a string of that length.
    let needle = |name: &[u8]| [&[0x22, name.len() as u8][..], name].concat();
    let (from, to) = (needle(from), needle(to));
    let places: Vec<usize> = (0..model.len() - from.len()).filter(|at| model[*at..].starts_with(&from)).collect();
    assert!(!places.is_empty());
    for at in places {
        model[at..at + to.len()].copy_from_slice(&to);
    }
    model
}

#[test]
fn a_broken_timing_cache_is_ignored_and_replaced() {
    let site = with_engine();
    let cache = site.store().into_iter().find(|name| name.starts_with("timing-10.16.1")).unwrap();
    let cache = Path::new("store").join(cache);
    let whole = fs::read(site.path(cache.to_str().unwrap())).unwrap();
    fs::write(site.path(cache.to_str().unwrap()), b"garbage").unwrap();
    let output = site.build(&["reid", "--precision", "fp32", "--json"], "{}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let engine = &answer["engines"][0];
    assert_eq!(engine["manifest"]["timings"]["timing_cache"], false);
    assert!(engine["remarks"][0].as_str().unwrap().contains("was not used, and is replaced"), "{engine}");
    assert_eq!(fs::read(site.path(cache.to_str().unwrap())).unwrap(), whole);
}

#[test]
fn options_reach_tensorrt_and_the_manifest() {
    let site = with_engine();
    let args =
        ["reid", "--json", "--low-memory", "--workspace-mb", "64", "--optimization-level", "1", "--max-batch", "4"];
    let output = site.build(&[&args[..], &["--no-install"]].concat(), "{}");
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(site.misuse(), Vec::<String>::new());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let engine = &answer["engines"][0];
    let options = &engine["manifest"]["options"];
    assert_eq!((&options["low_memory"], &options["workspace_mb"]), (&true.into(), &64.into()));
    assert_eq!((&options["optimization_level"], &options["flags"]), (&1.into(), &serde_json::json!(["FP16"])));
    assert_eq!(engine["manifest"]["profiles"][0]["images"]["max"][0], 4);
    assert!(engine["remarks"].as_array().unwrap().iter().any(|remark| remark.as_str().unwrap().contains("low memory")));
    assert_eq!(engine["installed"], false);
    assert!(site.path("store").join(format!("{}.plan", engine["sha256"].as_str().unwrap())).exists());
    assert_ne!(is_sound(&site), engine["sha256"].as_str().unwrap());

    let output = site.build(&["reid", "--json", "--precision", "best", "--no-install", "--no-verify"], "{}");
    let best: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(best["engines"][0]["manifest"]["options"]["flags"], serde_json::json!(["FP16"]), "no ranges: {best}");
    assert_eq!(best["engines"][0]["manifest"]["log"]["warnings"], 0, "{best}");

    for args in
        [&[][..], &["--all", "reid"][..], &["reid", "--optimization-level", "6"][..], &["reid", "--gpu-fallback"][..]]
    {
        assert_eq!(site.build(args, "{}").status.code(), Some(64), "{args:?}");
    }
}

#[test]
fn an_engine_for_an_accelerator_has_one_shape_runs_there_and_says_what_the_gpu_does() {
    let site = with_engine();
    let dla = r#"{"tensorrt":{"dla_cores":2}}"#;
    let args = ["reid", "--json", "--dla-core", "1", "--gpu-fallback"];
    let output = site.build(&args, dla);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(site.misuse(), Vec::<String>::new(), "loaded for the core that it was built for");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let manifest = &answer["engines"][0]["manifest"];
    assert_eq!(manifest["options"]["flags"], serde_json::json!(["FP16", "GPU_FALLBACK"]));
    assert_eq!(manifest["options"]["dla_core"], 1);
    for shape in ["min", "opt", "max"] {
        assert_eq!(manifest["profiles"][0]["images"][shape][0], 1, "{manifest}");
    }
    let placement = &manifest["placement"];
    assert!(placement["dla"] == 1 && placement["gpu"].as_u64().unwrap() > 0, "{placement}");
    // By the daemon's way and by inspect's, too.
    for args in [&["engine", "verify", "reid"][..], &["engine", "inspect", "reid"][..], &["bench", "reid"][..]] {
        let output = site.run(args, dla);
        assert_eq!(site.misuse(), Vec::<String>::new(), "{args:?}: {}", words(&output));
    }
    for (args, faults, wanted) in [
        (&["--dla-core", "0"][..], dla, "cannot run on DLA, and GPU fallback is not enabled"),
        (&["--dla-core", "0", "--precision", "int8"][..], dla, "takes no quantised model"),
        (&["--dla-core", "0", "--max-batch", "4"][..], dla, "leave --max-batch out"),
        (&["--dla-core", "2"][..], dla, "has DLA cores 0 to 1; there is no 2"),
        (&["--dla-core", "0"][..], "{}", "has no deep-learning accelerator"),
        (&["--dla-core", "0", "--precision", "fp32"][..], dla, "has no 32-bit floats"),
    ] {
        let output = site.build(&[&["reid"], args].concat(), faults);
        let said = words(&output);
        assert!(matches!(output.status.code(), Some(65 | 69)), "{said}");
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn a_slow_build_tells_now_and_then_how_far_it_is() {
    let site = with_engine();
    let output =
        site.build(&["reid", "--precision", "fp16", "--no-timing-cache"], r#"{"tensorrt":{"build_ms":11500}}"#);
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    let line = said.lines().find(|line| line.contains("so far")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.starts_with("reid: ") && line.contains(" of ") && line.contains(" left"), "{line}");
}
