//! `watchkeeper demo` as a stranger runs it, for a few seconds.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use streetscene::{Options, World};

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

/// `UPDATE=1 cargo test --test demo` writes the cameras of the configuration anew.
#[test]
fn zones_and_lines_of_the_demo_are_those_of_its_street() {
    const BEGIN: &str = "\n[[cameras]]";
    const END: &str = "\n[[sinks]]";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/demo.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once(BEGIN).unwrap();
    let (_, after) = text.split_once(END).unwrap();
    let mut cameras = String::new();
    for camera in World::new(&Options { seed: 7, ..Options::default() }).cameras() {
        let id = &camera.id;
        let _ = write!(
            cameras,
            "\n[[cameras]]\nid = \"{id}\"\nurl = \"rtsp://127.0.0.1:8554/{id}\"\nusername = \"viewer\"\n\
             password_env = \"WATCHKEEPER_DEMO_PASSWORD\"\n"
        );
        for zone in &camera.zones {
            let corners: Vec<String> = zone.polygon.iter().map(point).collect();
            let _ = write!(cameras, "\n[[cameras.zones]]\nid = \"{}\"\npolygon = [{}]\n", zone.id, corners.join(", "));
        }
        for line in &camera.lines {
            let (from, to) = (point(&line.from), point(&line.to));
            let _ = write!(cameras, "\n[[cameras.lines]]\nid = \"{}\"\nfrom = {from}\nto = {to}\n", line.id);
        }
    }
    let wanted = format!("{before}{cameras}{END}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    } else {
        assert!(text == wanted, "configs/demo.toml is out of date; run: UPDATE=1 cargo test --test demo");
    }
}

/// `[0.5, 1]`: three decimals at most.
fn point(point: &[f64; 2]) -> String {
    let [x, y] = point.map(|share| (share.clamp(0.0, 1.0) * 1e3).round() / 1e3);
    format!("[{x}, {y}]")
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
