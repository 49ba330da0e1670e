//! The production configuration through the binary, on a simulated GPU: four cameras, four models, hardware decoders.

#![allow(clippy::unwrap_used)]

#[path = "support/production.rs"]
mod production;
#[path = "support/street.rs"]
mod recorded;
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use production::{CAMERAS, MODELS, Production, STARTED, alone, assert_gapless, inferred};
use recorded::{SEED, Street};
use serde_json::Value;
use support::daemon::Daemon;
use support::wait_for;

/// The value of a field in lines of the log that hold `words`, and how often each occurs.
fn said(daemon: &Daemon, words: &str, fields: &[&str]) -> BTreeMap<Vec<String>, usize> {
    let mut counts = BTreeMap::new();
    for line in daemon.log().lines().filter(|line| line.contains(words)) {
        let value = |field: &&str| {
            let after = line.split(&format!(" {field}=")).nth(1).unwrap_or_else(|| panic!("no {field}: {line}"));
            after.split(' ').next().unwrap().trim_matches('"').to_owned()
        };
        *counts.entry(fields.iter().map(value).collect()).or_insert(0) += 1;
    }
    counts
}

fn of(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Runs until every camera has subjects, and drains.
fn run(concurrency: &str) {
    let _alone = alone();
    let production = Production::with_cameras(5.0);
    let mut daemon = production.start(concurrency, "{}");
    assert!(daemon.says(" ready ", STARTED), "{}", daemon.log());
    let seen = || {
        let starts = daemon.events_of("object.start");
        CAMERAS.iter().all(|camera| starts.iter().any(|event| event["camera"] == *camera))
    };
    assert!(wait_for(STARTED, seen), "{}", daemon.log());
    for camera in CAMERAS {
        let before = inferred(&daemon, camera);
        assert!(wait_for(STARTED, || inferred(&daemon, camera) >= before + 5), "{camera}: {}", daemon.log());
        assert_eq!(daemon.metric(&format!("watchkeeper_camera_up{{camera=\"{camera}\"}}")), Some(1.0));
        let lost = ["failed", "corrupted"].map(|outcome| production::frames(&daemon, camera, outcome));
        assert_eq!(lost, [0, 0], "{camera}: {}", daemon.log());
    }
    let ready = daemon.get("/readyz");
    let ready: Value = serde_json::from_str(ready.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    for camera in CAMERAS {
        let status = &ready["cameras"][camera];
        assert_eq!((&status["decoder"], &status["hardware_decoder"]), (&"nvh264dec".into(), &true.into()), "{ready}");
    }
    let serial = concurrency == "serial";
    assert_eq!(daemon.metric("watchkeeper_serial_mode"), Some(f64::from(u8::from(serial))));
    // In serial mode all contexts share one block of activation memory.
    let shared = daemon.metric("watchkeeper_device_memory_bytes{owner=\"activations\"}");
    assert_eq!(shared.is_some_and(|bytes| bytes > 0.0), serial, "{shared:?}");
    for model in MODELS {
        assert_eq!(daemon.metric(&format!("watchkeeper_contexts{{model=\"{model}\"}}")), Some(4.0), "{model}");
        let runs = format!("watchkeeper_infer_duration_seconds_count{{model=\"{model}\"}}");
        assert!(daemon.metric(&runs) >= Some(4.0), "{model} hardly ran");
    }

    let (code, _) = daemon.stop();
    let log = daemon.log();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("GPU proven device=Simulated GPU (CPU)"), "{log}");
    let once = MODELS.map(|model| (of(&[model, "tensorrt"]), 1));
    assert_eq!(said(&daemon, "engine loaded", &["model", "provider"]), once.into(), "{log}");
    let contexts = CAMERAS.iter().flat_map(|camera| MODELS.map(|model| (of(&[camera, model]), 1))).collect();
    assert_eq!(said(&daemon, "context created", &["camera", "model"]), contexts, "{log}");
    // The library is in the process all the same: the simulator computes with it.
    assert!(!log.contains("ONNX Runtime loaded"), "{log}");
    assert!(!log.contains(" ERROR "), "{log}");
    assert_eq!(production.misuse(), Vec::<String>::new());

    let events = daemon.events();
    assert_gapless(&events);
    for camera in CAMERAS {
        let of_camera = |kind: &str| daemon.events_of(kind).iter().filter(|event| event["camera"] == camera).count();
        assert_eq!(of_camera("camera.online"), 1, "{camera}");
        assert_eq!(of_camera("camera.offline"), 0, "{camera}");
        assert_eq!(of_camera("object.start"), of_camera("object.end"), "{camera}");
    }
    assert_eq!(daemon.events_of("engine.serial_mode").len(), 0);
}

#[test]
fn it_runs_in_parallel_and_drains() {
    run("parallel");
}

#[test]
fn it_runs_serially_and_drains() {
    run("serial");
}

#[test]
fn it_runs_by_itself_in_parallel_and_drains() {
    run("auto");
}

/// Frames as `analyze` wrote them.
fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The same tracks: ids, labels, and boxes to the pixel.
fn assert_same_tracks(found: &[Value], wanted: &[Value], words: &str) {
    assert_eq!(found.len(), wanted.len(), "{words}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found["frame"], wanted["frame"], "{words}");
        let (found, wanted) = (found["tracks"].as_array().unwrap(), wanted["tracks"].as_array().unwrap());
        assert_eq!(found.len(), wanted.len(), "{words}: {found:?}, and not {wanted:?}");
        for (found, wanted) in found.iter().zip(wanted) {
            assert_eq!((&found["id"], &found["label"]), (&wanted["id"], &wanted["label"]), "{words}");
            for edge in 0..4 {
                let [found, wanted] = [found, wanted].map(|track| track["box"][edge].as_f64().unwrap());
                assert!((found - wanted).abs() < 1.0, "{words}: {found}, and not {wanted}");
            }
        }
    }
}

#[test]
fn every_camera_has_the_tracks_that_it_has_on_the_cpu() {
    let _alone = alone();
    let street = Street::new(12, CAMERAS.len());
    street.config(&[("detection", ""), ("pose", ""), ("segmentation", ""), ("reid", "stale_s = 0.5")]);
    let production = Production::new();
    for camera in CAMERAS {
        let video = format!("street/seed-{SEED:06}/{camera}/video.mp4");
        street.run(&["analyze", &video, "--out", "cpu.jsonl"]);
        let on_cpu = lines(&street.path("cpu.jsonl"));
        let tracks = on_cpu.iter().map(|line| line["tracks"].as_array().unwrap().len()).sum::<usize>();
        assert!(tracks >= 10, "{camera}: {tracks} tracks prove little");
        for concurrency in ["parallel", "serial", "auto"] {
            let output = production.analyze(&street.path(&video), concurrency, "{}");
            let words = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{camera}, {concurrency}: {words}");
            assert!(words.contains("nvh264dec"), "{words}");
            let on_gpu = lines(&production.path("tracks.jsonl"));
            assert_same_tracks(&on_gpu, &on_cpu, &format!("{camera}, {concurrency}"));
            assert_eq!(production.misuse(), Vec::<String>::new());
        }
    }
}
