//! `watchkeeper demo` as a stranger runs it, for a few seconds.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Both programs of the demo lie in one folder.
fn build_streetscene() {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--locked", "--offline", "--package", "streetscene"]);
    // `target/debug/watchkeeper`: the same folder, wherever it is.
    command.arg("--target-dir").arg(Path::new(env!("CARGO_BIN_EXE_watchkeeper")).ancestors().nth(2).unwrap());
    let binary = Path::new(env!("CARGO_BIN_EXE_watchkeeper"));
    if binary.parent().unwrap().file_name().is_some_and(|profile| profile == "release") {
        command.arg("--release");
    }
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_demo_shows_four_cameras_and_leaves_annotated_pictures() {
    build_streetscene();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    // Its own folder and port: a demo may be running beside.
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/demo.toml")).unwrap();
    let engines = Path::new(env!("CARGO_MANIFEST_DIR")).join("engines");
    let text = text.replace("../var/demo", "state").replace("../engines", engines.to_str().unwrap());
    let text = text.replace("[http] ", "# [http] ").replace(":8554/", &format!(":{}/", free_port()));
    fs::write(folder.path().join("demo.toml"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    command.args(["demo", "--config", "demo.toml", "--seconds", "15", "--out"]).arg(&out);
    let output = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    let (words, log) = (String::from_utf8_lossy(&output.stdout), fs::read_to_string(out.join("demo.log")));
    let said = format!("{words}{}{}", String::from_utf8_lossy(&output.stderr), log.unwrap_or_default());
    assert_eq!(output.status.code(), Some(0), "{said}");
    for camera in 1..=4 {
        assert!(words.contains(&format!("plaza-{camera}    online")), "{said}");
        let picture =
            fs::read(out.join(format!("plaza-{camera}.jpg"))).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert_eq!(picture[..3], [0xff, 0xd8, 0xff], "no JPEG");
    }
    let events = fs::read_to_string(folder.path().join("state/events.jsonl")).unwrap();
    assert!(events.contains("\"camera.online\"") && events.contains("\"object.start\""), "{events}");
}

#[test]
fn a_demo_without_its_cameras_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("watchkeeper");
    fs::copy(env!("CARGO_BIN_EXE_watchkeeper"), &alone).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(&alone);
    command.args(["demo", "--config"]).arg(root.join("configs/demo.toml")).arg("--out").arg(folder.path().join("out"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(65), "{words}");
    assert!(words.contains("streetscene: not there") && words.contains("make demo"), "{words}");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
