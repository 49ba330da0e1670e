//! The configuration from outside: every shipped file loads, every bad one is refused with the message it names, and
//! the reference says what the schema says.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use watchkeeper::config::{self, Config, Loaded, Location, Problems, SourceKind, Transport};
use watchkeeper::types::secret::Secret;

/// Stands for every password in these tests and in `configs/invalid`.
const CANARY: &str = "hunter2";

/// A small configuration that loads.
const BLOB: &str = r#"
[runtime]
policy = "any"

[models.blob]
onnx = "../engines/blob.onnx"
backend = "onnxruntime"
head = "yolo"
labels = "../engines/blob.txt"
"#;

/// A folder with a copy of `configs/`, and with the models and passwords that those files name.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("config-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        let _ = fs::remove_dir_all(&folder.0);
        copy(&repository().join("configs"), &folder.0.join("configs"));
        for (file, text) in [
            ("engines/blob.onnx", "stub"),
            ("engines/blob.txt", "ball\n"),
            ("engines/yolox_nano.onnx", "stub"),
            ("etc/gate.pass", "hunter2\n"),
            ("etc/mqtt.pass", "hunter2\n"),
            ("configs/invalid/secrets/good.pass", "hunter2\n"),
            ("configs/invalid/secrets/empty.pass", "\n"),
            ("configs/invalid/secrets/two-lines.pass", "hunter2\na\"b\n"),
        ] {
            folder.write(file, text);
        }
        for model in ["detection", "pose", "segmentation", "reid"] {
            let manifest = fs::read(repository().join(format!("engines/{model}/model.toml"))).unwrap();
            folder.write(&format!("engines/{model}/model.toml"), manifest);
            folder.write(&format!("engines/{model}/model.onnx"), "stub");
        }
        folder
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Loads `text` as `new/watchkeeper.toml`; an empty folder but for what a test put there.
    fn load(&self, text: &str) -> Result<Loaded, Problems> {
        load(&self.write("new/watchkeeper.toml", text), &[])
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Files that end in `.toml`, sorted.
fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "toml"));
    files.sort();
    files
}

fn load(path: &Path, env: &[(&str, &str)]) -> Result<Loaded, Problems> {
    config::load_with_env(path, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn one_problem(result: Result<Loaded, Problems>) -> String {
    let problems = result.unwrap_err();
    assert_eq!(problems.0.len(), 1, "{problems}");
    problems.0[0].to_string()
}

#[test]
fn every_shipped_file_loads() {
    let folder = Folder::new();
    let files = toml_files(&folder.path("configs"));
    assert!(files.len() >= 3, "{files:?}");
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let mut text = text.replace("/etc/watchkeeper", folder.path("etc").to_str().unwrap());
        // Its engines are built on the device, its cameras are in files of their own.
        let installed = path.ends_with("production.toml");
        if installed {
            text = text.replace("/usr/share/watchkeeper", repository().to_str().unwrap());
            text = text.replace("/var/cache/watchkeeper/engines", folder.path("etc").to_str().unwrap());
            for model in ["detection", "pose", "segmentation", "reid"] {
                fs::write(folder.path("etc").join(model).with_extension("plan"), "a plan").unwrap();
            }
        }
        fs::write(&path, text).unwrap();
        let loaded =
            load(&path, &[("WATCHKEEPER_DEMO_PASSWORD", CANARY)]).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(loaded.config.cameras.is_empty() == installed && !loaded.config.models.is_empty(), "{path:?}");
        assert!(!format!("{loaded:?}").contains(CANARY));
    }
}

#[test]
fn every_bad_file_gives_the_messages_it_names() {
    let folder = Folder::new();
    let invalid = folder.path("configs/invalid");
    let mut cases = toml_files(&invalid);
    cases.extend(fs::read_dir(&invalid).unwrap().map(|e| e.unwrap().path().join("watchkeeper.toml")));
    cases.retain(|path| path.is_file());
    assert!(cases.len() >= 60, "{}", cases.len());
    for path in cases {
        let text = fs::read_to_string(&path).unwrap();
        let header = |prefix| text.lines().filter_map(move |line| line.strip_prefix(prefix));
        let env: Vec<(&str, &str)> = header("# env: ").map(|line| line.split_once('=').unwrap()).collect();
        let expected: Vec<&str> = header("# expect: ").collect();
        let Err(problems) = load(&path, &env) else { panic!("{path:?} loads") };
        let beside = format!("{}/", path.parent().unwrap().display());
        let text = problems.to_string().replace(&beside, "");
        let mut found: Vec<&str> = text.lines().collect();
        let count = found.pop().unwrap();
        assert_eq!(found, expected, "{path:?}");
        assert!(count.starts_with(&format!("{} problem", found.len())), "{count}");
        assert!(!text.contains(CANARY) && !format!("{problems:?}").contains(CANARY), "{path:?}");
    }
}

#[test]
fn files_that_are_no_configuration_say_so() {
    let folder = Folder::new();
    for (file, bytes, problem) in [
        ("latin1.toml", b"[runtime]\ndevice = \"caf\xe9\"".to_vec(), "latin1.toml:2:14: not UTF-8"),
        ("video.toml", vec![b'#'; (1 << 20) + 1], "video.toml: larger than 1 MB; is it the right file?"),
        ("binary.toml", vec![0; 64], "binary.toml:1:1: not TOML: "),
    ] {
        let path = folder.write(&format!("new/{file}"), bytes);
        let found = one_problem(load(&path, &[])).replace(&format!("{}/", folder.path("new").display()), "");
        assert!(found.starts_with(problem), "{found}");
    }
    let missing = one_problem(load(&folder.path("new/none.toml"), &[]));
    assert!(missing.ends_with("none.toml: no such file; create it or correct the path"), "{missing}");
    let directory = one_problem(load(&folder.path("new"), &[]));
    assert!(directory.ends_with("new: a folder, not a file; name a file in it"), "{directory}");
}

#[test]
fn hostile_text_is_refused_without_harm() {
    let folder = Folder::new();
    for text in [
        format!("{}a = 1", "a.".repeat(200_000)),
        format!("a = {}", "[".repeat(500_000)),
        format!("a = {}", "{a=".repeat(200_000)),
        format!("\"{}\" = 1", "k".repeat(900_000)),
        format!("[[cameras]]\nid = \"{}\"\nurl = \"test://ball\"", "i".repeat(900_000)),
        format!("[[cameras]]\nid = \"a\"\nurl = \"{}\"", "u".repeat(900_000)),
        format!("[log]\nformat = \"{}\"", "w".repeat(900_000)),
    ] {
        let problems = folder.load(&text).unwrap_err().to_string();
        assert!(problems.len() < 2000, "{} bytes", problems.len());
    }
    let many: String = (0..20_000).map(|i| format!("k{i} = 1\n")).collect();
    assert_eq!(folder.load(&many).unwrap_err().0.len(), 20_000);
}

#[test]
fn an_empty_file_is_the_defaults_with_warnings() {
    let folder = Folder::new();
    let Loaded { config, warnings } = folder.load("").unwrap();
    assert_eq!(config.runtime.state_dir, Path::new("/var/lib/watchkeeper"));
    assert_eq!(config.runtime.drain, Duration::from_secs(4));
    assert_eq!((config.log.filter.as_str(), config.http), ("info", None));
    assert_eq!(config.tracking, config::Tracking::default());
    let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["cameras: there is none; add [[cameras]]", "sinks: there is none, so events go nowhere; add [[sinks]]"]
    );
}

#[test]
fn later_layers_win_and_lists_of_sections_grow() {
    let folder = Folder::new();
    folder.write("new/conf.d/20-b.toml", "[[cameras]]\nid = \"c\"\nurl = \"b.mp4\"\n[runtime]\ndevice = \"twenty\"\n");
    folder.write(
        "new/conf.d/10-a.toml",
        "[[cameras]]\nid = \"b\"\nurl = \"test://snow\"\n[runtime]\ndevice = \"ten\"\ndrain_s = 1\nstate_dir = \"s\"\n",
    );
    folder.write("new/conf.d/.30-c.toml", "not read");
    folder.write("new/conf.d/40.toml~", "not read");
    let path = folder.write(
        "new/watchkeeper.toml",
        "[runtime]\ndevice = \"main\"\ndrain_s = 2\n[http]\n[[cameras]]\nid = \"a\"\nurl = \"test://ball\"\n",
    );
    let env = [
        ("WATCHKEEPER__RUNTIME__DRAIN_S", "3.5"),
        ("WATCHKEEPER__HTTP__LISTEN", "[::1]:80"),
        ("WATCHKEEPER__LOG__FORMAT", "json"),
        ("WATCHKEEPER__RUNTIME__ONNXRUNTIME_LIBRARY", "../engines/blob.onnx"),
        ("OTHER", "x"),
    ];
    let config = load(&path, &env).unwrap().config;
    assert_eq!(config.runtime.device, "twenty");
    assert_eq!(config.runtime.drain, Duration::from_millis(3500));
    assert_eq!(config.http.unwrap().listen.to_string(), "[::1]:80");
    assert_eq!(config.log.format, config::LogFormat::Json);
    let ids: Vec<&str> = config.cameras.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    // Relative paths start beside the file that names them; those of the environment beside the main file.
    assert_eq!(config.runtime.state_dir, folder.path("new/conf.d/s"));
    assert_eq!(config.runtime.onnxruntime_library, Some(folder.path("new/../engines/blob.onnx")));
    assert_eq!(config.cameras[2].source, SourceKind::File { path: folder.path("new/conf.d/b.mp4"), repeat: false });
}

#[test]
fn onnx_runtime_on_the_gpu_meets_the_default_policy_and_needs_no_plan() {
    use config::{Backend, Policy, Precision};
    let folder = Folder::new();
    let model = |more: &str| {
        let text = format!(
            "[models.m]\nonnx = \"../engines/blob.onnx\"\nbackend = \"onnxruntime\"\nhead = \"yolo\"\n{more}\n"
        );
        folder.load(&text)
    };
    for (more, backend, precision) in [
        ("provider = \"cuda\"", Backend::OnnxruntimeCuda, None),
        ("provider = \"cuda\"\nprecision = \"fp32\"", Backend::OnnxruntimeCuda, Some(Precision::Fp32)),
        ("provider = \"tensorrt\"", Backend::OnnxruntimeTensorrt, None),
        ("provider = \"tensorrt\"\nprecision = \"fp16\"", Backend::OnnxruntimeTensorrt, Some(Precision::Fp16)),
    ] {
        let config = model(more).unwrap().config;
        assert_eq!(config.runtime.policy, Policy::GpuOnly);
        let model = &config.models[0];
        assert_eq!((model.backend, model.precision), (backend, precision), "{more}");
        assert_eq!(model.plan, Path::new(""), "{more}");
    }
    assert!(model("provider = \"cpu\"").is_err(), "the CPU does not");
}

#[test]
fn the_environment_reaches_into_models_by_type() {
    let folder = Folder::new();
    let path = folder.write("new/watchkeeper.toml", BLOB);
    let env = [
        ("WATCHKEEPER__MODELS__BLOB__CLASSES", "ball"),
        ("WATCHKEEPER__MODELS__BLOB__NMS_ACROSS_CLASSES", "true"),
        ("WATCHKEEPER__MODELS__BLOB__INPUT__MEAN", "1, 2.5,3"),
        ("WATCHKEEPER__RUNTIME__DEVICE", "007"),
    ];
    let config = load(&path, &env).unwrap().config;
    let model = &config.models[0];
    assert_eq!(
        (model.classes.as_slice(), model.nms_across_classes, model.input.mean),
        (&[0][..], true, [1.0, 2.5, 3.0])
    );
    assert_eq!(config.runtime.device, "007");
}

#[test]
fn input_follows_the_head() {
    let folder = Folder::new();
    let text: String = ["yolo", "yolov5", "yolox", "yolo-end2end", "detr"]
        .map(|head| {
            format!("[models.{head}]\nonnx = \"../engines/blob.onnx\"\nbackend = \"onnxruntime\"\nhead = \"{head}\"\n")
        })
        .concat();
    let config = folder.load(&format!("[runtime]\npolicy = \"any\"\n{text}")).unwrap().config;
    let inputs: BTreeMap<&str, (config::Fit, bool, f32)> = config
        .models
        .iter()
        .map(|m| (m.name.as_str(), (m.input.fit, m.input.bgr, (1.0 / m.input.scale[1]).round())))
        .collect();
    for (head, fit, bgr, std) in [
        ("yolo", config::Fit::Letterbox, false, 255.0),
        ("yolov5", config::Fit::Letterbox, false, 255.0),
        ("yolox", config::Fit::LetterboxTopLeft, true, 1.0),
        ("yolo-end2end", config::Fit::Letterbox, false, 255.0),
        ("detr", config::Fit::Stretch, false, 255.0),
    ] {
        assert_eq!(inputs[head], (fit, bgr, std), "{head}");
    }
    assert_eq!(config.models[0].labels.len(), 80);
    assert_eq!((config.models[0].labels[0].as_str(), config.models[0].labels[79].as_str()), ("person", "toothbrush"));
}

#[test]
fn passwords_come_from_three_places() {
    let folder = Folder::new();
    let text: String = ["file = \"../etc/gate.pass\"", "env = \"GATE\"", "credential = \"gate.pass\""]
        .iter()
        .enumerate()
        .map(|(i, key)| {
            format!("[[cameras]]\nid = \"c{i}\"\nurl = \"rtsp://192.0.2.1/\"\nusername = \"v\"\npassword_{key}\n")
        })
        .collect();
    let path = folder.write("new/watchkeeper.toml", text);
    let etc = folder.path("etc");
    let env = [("GATE", CANARY), ("CREDENTIALS_DIRECTORY", etc.to_str().unwrap())];
    let loaded = load(&path, &env).unwrap();
    let secrets = loaded.config.secrets();
    assert_eq!(secrets.iter().map(Secret::expose).collect::<Vec<_>>(), [CANARY; 3]);
    assert!(!format!("{loaded:?}").contains(CANARY));
}

#[test]
fn a_password_that_everybody_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let text = "[[cameras]]\nid = \"a\"\nurl = \"rtsp://192.0.2.1/\"\nusername = \"v\"\npassword_file = \"a.pass\"\n\
                [[sinks]]\ntype = \"jsonl\"\npath = \"-\"";
    let password = folder.write("new/a.pass", CANARY);
    for (mode, warned) in [(0o644, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&password, fs::Permissions::from_mode(mode)).unwrap();
        let warnings = folder.load(text).unwrap().warnings;
        assert_eq!(warnings.len(), usize::from(warned), "{mode:o}: {warnings:?}");
        if warned {
            assert_eq!(warnings[0].key, "cameras[0].password_file");
            assert!(matches!(warnings[0].location, Some(Location::File { line: 5, column: 1, .. })));
        }
    }
}

#[test]
fn a_recording_that_is_not_there_yet_is_a_warning() {
    let folder = Folder::new();
    let text =
        "[[cameras]]\nid = \"a\"\nurl = \"a.mp4\"\nrepeat = true\n[[sinks]]\ntype = \"jsonl\"\npath = \"e.jsonl\"";
    let Loaded { config, warnings } = folder.load(text).unwrap();
    assert!(warnings[0].to_string().ends_with(
        "watchkeeper.toml:3:1: cameras[0].url: no such file now; the camera stays offline until it is there"
    ));
    assert_eq!(config.cameras[0].source, SourceKind::File { path: folder.path("new/a.mp4"), repeat: true });
    let config::SinkKind::Jsonl { path, rotate_bytes, keep } = &config.sinks[0].kind else { panic!() };
    assert_eq!((path, *rotate_bytes, *keep), (&Some(folder.path("new/e.jsonl")), 100_000_000, 5));
}

#[test]
fn a_camera_comes_from_a_url_alone() {
    let camera = config::camera_from_url("rtsp://192.0.2.1/a", Some("v"), Some(Secret::new(CANARY))).unwrap();
    assert_eq!((camera.id.as_str(), camera.transport, camera.models.len()), ("camera", Transport::Tcp, 0));
    assert_eq!(camera.latency, Duration::from_millis(100));
    assert_eq!(camera.credentials.unwrap().password.expose(), CANARY);
    let clip = config::camera_from_url("clips/a.mp4", None, None).unwrap();
    assert_eq!(clip.source, SourceKind::File { path: "clips/a.mp4".into(), repeat: false });
    for (url, username, password, key) in [
        ("rtsp://v:hunter2@192.0.2.1/a", None, None, "url"),
        ("hunter2:hunter2@192.0.2.1/a", None, None, "url"),
        ("rtsp://192.0.2.1/a", Some("v"), None, "username"),
        ("rtsp://192.0.2.1/a", None, Some(CANARY), "password"),
        ("a.mp4", Some("v"), Some(CANARY), "username"),
    ] {
        let problem = config::camera_from_url(url, username, password.map(Secret::new)).unwrap_err();
        assert_eq!((problem.key.as_str(), &problem.location), (key, &None), "{problem}");
        assert!(!problem.to_string().contains(CANARY), "{problem}");
    }
}

#[test]
fn real_environment_is_read() {
    let folder = Folder::new();
    let loaded: Config = config::load(&folder.write("new/watchkeeper.toml", BLOB)).unwrap().config;
    assert_eq!(loaded.models[0].labels.as_ref(), ["ball"]);
}

/// A key of the schema.
struct Key {
    section: String,
    name: String,
    node: Value,
    required: bool,
}

/// Every key, in the order of sections below.
fn keys() -> Vec<(String, Vec<Key>)> {
    let schema = config::schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let sections = &schema["properties"];
    let model = &sections["models"]["additionalProperties"];
    let camera = &sections["cameras"]["items"];
    let found = [
        ("[runtime]", &sections["runtime"]),
        ("[log]", &sections["log"]),
        ("[http]", &sections["http"]),
        ("[models.<name>]", model),
        ("[models.<name>.input]", &model["properties"]["input"]),
        ("[tracking]", &sections["tracking"]),
        ("[identity]", &sections["identity"]),
        ("[[identity.paths]]", &sections["identity"]["properties"]["paths"]["items"]),
        ("[scene]", &sections["scene"]),
        ("[outbox]", &sections["outbox"]),
        ("[track_log]", &sections["track_log"]),
        ("[media]", &sections["media"]),
        ("[[cameras]]", camera),
        ("[[cameras.zones]]", &camera["properties"]["zones"]["items"]),
        ("[[cameras.lines]]", &camera["properties"]["lines"]["items"]),
        ("[[cameras.rules]]", &camera["properties"]["rules"]["items"]),
        ("[[sinks]]", &sections["sinks"]["items"]),
    ];
    assert_eq!(sections.as_object().unwrap().len(), 12, "a section is missing here");
    found.into_iter().map(|(section, node)| (section.to_owned(), section_keys(section, node))).collect()
}

fn section_keys(section: &str, node: &Value) -> Vec<Key> {
    let is_section = |node: &Value| node["type"] == "object" || node["items"]["type"] == "object";
    let properties = node["properties"].as_object().unwrap().iter().filter(|(_, node)| !is_section(node));
    let mut keys: Vec<Key> = properties
        .map(|(name, key)| Key {
            section: section.to_owned(),
            name: name.clone(),
            node: key.clone(),
            required: node["required"].as_array().is_some_and(|r| r.contains(&name.as_str().into())),
        })
        .collect();
    keys.sort_by(|a, b| (!a.required, &a.name).cmp(&(!b.required, &b.name)));
    keys
}

fn default(node: &Value) -> Option<String> {
    (!node["default"].is_null()).then(|| node["default"].to_string())
}

#[test]
fn the_full_file_has_every_key_with_its_default() {
    let full = fs::read_to_string(repository().join("configs/full.toml")).unwrap();
    let mut section = String::new();
    let mut lines: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for line in full.lines() {
        let code = line.strip_prefix("# ").unwrap_or(line);
        if code.starts_with('[') {
            section = code.split_inclusive(']').take_while(|part| part.ends_with(']')).collect();
            section = section.replace("detection", "<name>");
        } else if let Some((key, _)) = code.split_once(" = ") {
            lines.entry((section.clone(), key.to_owned())).or_default().push(code);
        }
    }
    for Key { section, name: key, node, .. } in keys().into_iter().flat_map(|(_, keys)| keys) {
        let written =
            lines.get(&(section.clone(), key.clone())).unwrap_or_else(|| panic!("{section} {key} is missing"));
        if let Some(default) = default(&node) {
            let as_value = format!("{key} = {default}");
            let as_remark = format!("default: {default}");
            let shown = |line: &&str| line.starts_with(&as_value) || line.contains(&as_remark);
            assert!(written.iter().any(shown), "{section} {key}: the default is {default}");
        }
    }
}

/// The tables of the reference, from the schema.
fn tables() -> String {
    let mut text = String::new();
    for (section, keys) in keys() {
        let _ = writeln!(text, "### `{section}`\n\n| key | type | default | meaning |\n|---|---|---|---|");
        for Key { name, node, required, .. } in keys {
            let default = if required {
                "required".to_owned()
            } else {
                default(&node).map_or_else(String::new, |d| format!("`{d}`"))
            };
            let meaning = node["description"].as_str().unwrap().replace('|', "\\|");
            let _ = writeln!(text, "| `{name}` | {} | {default} | {meaning} |", kind(&node));
        }
        text.push('\n');
    }
    text
}

fn kind(node: &Value) -> String {
    if let Some(choices) = node["oneOf"].as_array() {
        return choices.iter().map(|c| format!("`{}`", c["const"])).collect::<Vec<_>>().join(", ");
    }
    let name = match node["type"].as_str().unwrap() {
        "integer" => "whole number",
        "array" if node["items"]["type"] == "array" => "list of `[x, y]`",
        "array" if node["items"]["type"] == "string" || node["items"]["oneOf"].is_array() => "list of strings",
        "array" => &format!("list of {}", node["minItems"]),
        "boolean" => "`true`, `false`",
        other => other,
    };
    match (&node["minimum"], &node["maximum"]) {
        (Value::Null, Value::Null) => name.to_owned(),
        (least, most) => format!("{name}, {least} to {most}"),
    }
}

/// `UPDATE=1 cargo test --test config` writes the tables anew.
#[test]
fn the_reference_says_what_the_schema_says() {
    const BEGIN: &str = "<!-- keys, made from the schema -->\n";
    const END: &str = "<!-- end of keys -->";
    let path = repository().join("configs/README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}\n{}{END}{after}", tables());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    } else {
        assert!(text == wanted, "configs/README.md is out of date; run: UPDATE=1 cargo test --test config");
    }
}
