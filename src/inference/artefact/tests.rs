#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use super::*;

fn manifest(plan: &[u8]) -> Manifest {
    Manifest {
        schema: Manifest::schema(),
        model: "detection".to_owned(),
        built_at: "2026-01-02T03:04:05Z".to_owned(),
        watchkeeper: "0.1.0".to_owned(),
        onnx: ModelFile { file: "model.onnx".to_owned(), sha256: "ab".repeat(32), bytes: 7, derived_sha256: None },
        plan: PlanFile { sha256: sha256_of_bytes(plan), bytes: plan.len() as u64 },
        platform: platform(),
        options: Options {
            precision: "fp16".to_owned(),
            strongly_typed: false,
            low_memory: false,
            workspace_mb: None,
            optimization_level: None,
            dla_core: None,
            flags: vec!["FP16".to_owned()],
        },
        profiles: Vec::new(),
        calibration: None,
        timings: Timings { calibrate_s: 0.0, parse_s: 0.1, build_s: 2.0, total_s: 2.5, timing_cache: false },
        log: None,
        placement: None,
        memory: None,
        speed: Vec::new(),
        golden: None,
        verified: None,
    }
}

fn platform() -> Platform {
    Platform {
        tensorrt: "10.3.0.30".to_owned(),
        cuda: "12.6".to_owned(),
        driver: Some("540.4.0".to_owned()),
        l4t: Some("36.4.3".to_owned()),
        gpu: GpuModel {
            name: "Orin".to_owned(),
            uuid_class: "GPU".to_owned(),
            compute_capability: "8.7".to_owned(),
            multiprocessors: 16,
            memory_bytes: 64 << 30,
            integrated: true,
        },
    }
}

/// Builds and installs a plan of these bytes.
fn install(link: &Path, plan: &[u8]) -> Staged {
    let store = Store::of(link);
    let lock = store.lock(|| true).unwrap();
    let staged = store.put(&lock, plan, "said", &mut manifest(b"filled in by the store")).unwrap();
    store.point_to(&lock, &staged, "build").unwrap();
    staged
}

#[test]
fn the_configured_path_leads_to_the_newest_plan_and_back_step_by_step() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("detection.plan");
    let [one, two, three] = [b"one", b"two", b"333"].map(|plan| install(&link, plan));
    assert_eq!(fs::read(&link).unwrap(), b"333");
    let store = Store::of(&link);
    assert_eq!(store.current(), Some(three.sha256.clone()));
    assert_eq!(back(&store, None).unwrap(), two);
    assert_eq!(back(&store, None).unwrap(), one);
    assert_eq!(fs::read(&link).unwrap(), b"one");
    assert!(back(&store, None).unwrap_err().to_string().contains("no other plan before"));
    assert_eq!(back(&store, Some(&three.sha256[..10])).unwrap(), three);
    assert_eq!(fs::read(&link).unwrap(), b"333");
    assert!(back(&store, Some("zz")).is_err());
}

#[test]
fn a_plan_that_was_rolled_back_from_is_not_gone_back_to_after_the_next_build() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("detection.plan");
    let store = Store::of(&link);
    let [good, _bad] = [b"good", b"bad!"].map(|plan| install(&link, plan));
    assert_eq!(back(&store, None).unwrap(), good);
    install(&link, b"next");
    assert_eq!(back(&store, None).unwrap(), good);
}

/// Goes back, as the command does.
fn back(store: &Store, to: Option<&str>) -> std::io::Result<Staged> {
    let lock = store.lock(|| true)?;
    let staged = store.before(&lock, to)?;
    store.roll_back(&lock, &staged)?;
    Ok(staged)
}

#[test]
fn a_manifest_lies_beside_its_plan_behind_links_and_comes_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("detection.plan");
    assert_eq!(Manifest::read(&link).unwrap(), None);
    install(&link, b"plan");
    assert_eq!(Manifest::read(&link).unwrap(), Some(manifest(b"plan")));
    let store = Store::of(&link);
    let lock = store.lock(|| true).unwrap();
    let mut better = manifest(b"plan");
    better.speed.push(Speed { batch: 1, median_ms: 1.5, p99_ms: 2.0, runs: 100 });
    store.update(&lock, &better.plan.sha256, &better).unwrap();
    assert_eq!(Manifest::read(&link).unwrap(), Some(better));
    fs::write(Manifest::path(&link), "{\"schema\": \"engine/9\"}").unwrap();
    assert!(Manifest::read(&link).unwrap_err().to_string().contains("engine/9"));
}

#[test]
fn a_plan_from_elsewhere_is_kept_when_a_build_takes_its_place() {
    for linked in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("detection.plan");
        let elsewhere = if linked { folder.path().join("trtexec.engine") } else { link.clone() };
        fs::write(&elsewhere, b"from elsewhere").unwrap();
        if linked {
            std::os::unix::fs::symlink("trtexec.engine", &link).unwrap();
        }
        install(&link, b"built");
        assert_eq!(fs::read(&link).unwrap(), b"built");
        back(&Store::of(&link), None).unwrap();
        assert_eq!(fs::read(&link).unwrap(), b"from elsewhere");
    }
}

#[test]
fn garbage_is_what_no_link_and_no_recent_history_names() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one.plan"), folder.path().join("two.plan"));
    let first = install(&one, b"1");
    let second = install(&one, b"2");
    let third = install(&one, b"3");
    let shared = install(&two, b"3");
    assert_eq!(third.sha256, shared.sha256);
    let store = Store::of(&two);
    let names = |store: &Store| store.list().unwrap().into_iter().map(|entry| entry.sha256).collect::<Vec<_>>();
    let used = store.list().unwrap().into_iter().find(|entry| entry.sha256 == third.sha256).unwrap();
    assert_eq!(used.used_by, ["one.plan", "two.plan"]);
    let lock = store.lock(|| true).unwrap();
    let would = store.collect_garbage(&lock, 2, true).unwrap();
    assert_eq!(would.iter().map(|(sha256, _)| sha256).collect::<Vec<_>>(), [&first.sha256]);
    assert_eq!(names(&store).len(), 3);
    store.collect_garbage(&lock, 2, false).unwrap();
    assert!(!names(&store).contains(&first.sha256) && names(&store).contains(&second.sha256));
    assert!(!first.plan.with_extension("json").exists() && !first.plan.with_extension("log").exists());
    fs::write(first.plan.with_extension("json"), "a process was killed here").unwrap();
    store.collect_garbage(&lock, 0, false).unwrap();
    assert_eq!(names(&store), [third.sha256]);
    assert!(!first.plan.with_extension("json").exists());
}

#[test]
fn one_holder_at_a_time_and_the_next_cleans_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::of(&folder.path().join("a.plan"));
    let held = store.lock(|| true).unwrap();
    fs::write(store.folder().join(".new-half"), b"half").unwrap();
    assert_eq!(store.lock(|| false).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(held);
    drop(store.lock(|| false).unwrap());
    assert!(!store.folder().join(".new-half").exists());
}

#[test]
fn a_plan_of_another_machine_or_model_is_refused_with_both_values() {
    let (manifest, here) = (manifest(b"plan"), platform());
    let (onnx, plan) = (&manifest.onnx.sha256, &manifest.plan.sha256);
    assert_eq!(manifest.mismatches(&here, onnx, plan), []);
    let shown = |here: &Platform, onnx: &str, plan: &str| Shown(&manifest.mismatches(here, onnx, plan)).to_string();
    let nx = GpuModel { name: "Orin NX".to_owned(), multiprocessors: 8, memory_bytes: 16 << 30, ..here.gpu.clone() };
    assert_eq!(
        shown(&Platform { gpu: nx, ..here.clone() }, onnx, plan),
        "GPU: built on Orin, 16 SMs, compute capability 8.7, 64.0 GB, here is Orin NX, 8 SMs, compute capability 8.7, 16.0 GB"
    );
    let newer = Platform { tensorrt: "10.3.0.31".to_owned(), ..here.clone() };
    assert_eq!(shown(&newer, onnx, plan), "TensorRT: built 10.3.0.30, here 10.3.0.31");
    assert!(
        shown(&here, &"cd".repeat(32), plan).starts_with("model file: built sha256 abababababab, here sha256 cdcd")
    );
    assert!(shown(&here, onnx, &"cd".repeat(32)).starts_with("plan file: "));
    let driver = Platform { driver: Some("550.1".to_owned()), ..here };
    assert_eq!((shown(&driver, onnx, plan).as_str(), manifest.remarks(&driver).len()), ("", 1));
}
