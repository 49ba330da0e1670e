//! Passwords never leave the process but on the wire to their own camera: planted ones are looked for, in every
//! spelling, in everything else that comes out of it, with every fault on and every log line there is.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fault_camera::{FaultCamera, USER, clips};
use tempfile::TempDir;
use watchkeeper::telemetry::redact;
use watchkeeper::types::secret::Secret;

// ------------------------------------------------------------------------------------------------ canaries

/// A planted password.
#[derive(Clone, Debug)]
struct Canary {
    password: String,
    /// The part of it that every spelling has as it is: letters and digits, like no other.
    core: String,
}

impl Canary {
    /// Odd characters round a core that belongs to `name` alone.
    fn new(name: &str, before: &str, after: &str) -> Self {
        let core = format!("Kz7{}Qx9", name.replace(|c: char| !c.is_ascii_alphanumeric(), ""));
        Self { password: format!("{before}{core}{after}"), core }
    }

    /// Where `text` holds it, with what stands around.
    fn find(&self, text: &str) -> Option<String> {
        // Without the last characters, which depend on what follows.
        let token = |text: &str| STANDARD.encode(text).trim_end_matches('=').to_owned();
        let pair = token(&format!("{USER}:{}", self.password));
        let alone = token(&self.password);
        let hex: String = self.core.bytes().map(|byte| format!("{byte:02x}")).collect();
        let spellings = [&self.core, &pair[..pair.len() - 2], &alone[..alone.len() - 2], &hex];
        let (at, spelling) = spellings.into_iter().find_map(|spelling| Some((text.find(spelling)?, spelling)))?;
        let from = text[..at].char_indices().rev().nth(160).map_or(0, |(at, _)| at);
        let to = (at + spelling.len()..text.len()).find(|end| text.is_char_boundary(*end) && end - at > 80);
        Some(text[from..to.unwrap_or(text.len())].to_owned())
    }
}

/// Everything that came out, by where it did.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, bytes: impl AsRef<[u8]>) {
        self.0.push((place.into(), String::from_utf8_lossy(bytes.as_ref()).into_owned()));
    }

    fn get(&self, place: &str) -> &str {
        self.0.iter().find(|(name, _)| name == place).map(|(_, text)| text.as_str()).unwrap()
    }

    /// Every canary in every place where it is not to be.
    fn leaks(&self, canaries: &[Canary]) -> String {
        let mut leaks = String::new();
        for (place, text) in &self.0 {
            for canary in canaries {
                if let Some(found) = canary.find(text) {
                    let _ = writeln!(leaks, "{:?} in {place}: {found}", canary.password);
                }
            }
        }
        leaks
    }
}

#[test]
fn the_search_finds_every_spelling() {
    let canary = Canary::new("gate", "p@/% \"'", "?token=\\x");
    let password = "p@/% \"'Kz7gateQx9?token=\\x";
    assert_eq!(canary.password, password);
    for text in [
        format!("password is {password}."),
        format!("rtsp://admin:{password}@192.0.2.1/"),
        "rtsp://admin:p%40%2F%25%20%22%27Kz7gateQx9%3Ftoken%3D%5Cx@192.0.2.1/".to_owned(),
        "user-pw=(string)\"p\\@/\\%\\ \\\"\\'Kz7gateQx9\\?token\\=\\\\x\"".to_owned(),
        serde_json::json!({ "message": password }).to_string(),
        format!("{password:?}"),
        format!("Authorization: Basic {}", STANDARD.encode(format!("admin:{password}"))),
        format!("Authorization: Basic {}\r\n", STANDARD.encode(password)),
        format!("x{}", STANDARD.encode(format!("admin:{password} and more"))),
        "Kz7gateQx9".bytes().map(|byte| format!("{byte:02x}")).collect(),
    ] {
        assert!(canary.find(&text).is_some(), "{text}");
        let mut seen = Seen::default();
        seen.add("here", &text);
        assert!(seen.leaks(std::slice::from_ref(&canary)).contains("in here: "), "{text}");
    }
    for text in
        ["", "rtsp://***@192.0.2.1/", "Kz7yardQx9", &STANDARD.encode("admin:another password, as long as it is")]
    {
        assert_eq!(canary.find(text), None, "{text}");
    }
}

// ------------------------------------------------------------------------------------------------ an HTTP camera

/// An HTTP server that gives nothing away: it asks for a password for ever, or sends clients to another one.
struct HttpCamera {
    port: u16,
    authorizations: Arc<Mutex<Vec<String>>>,
}

impl HttpCamera {
    fn start(redirect_to: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let authorizations = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&authorizations);
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut request) = (stream.unwrap(), Vec::new());
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let mut byte = [0];
                while !request.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                    request.push(byte[0]);
                }
                let request = String::from_utf8_lossy(&request).into_owned();
                let header = request.lines().find(|line| line.to_ascii_lowercase().starts_with("authorization:"));
                kept.lock().unwrap().extend(header.map(str::to_owned));
                let head = match &redirect_to {
                    Some(url) => format!("302 Found\r\nLocation: {url}"),
                    None => "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"camera\"".to_owned(),
                };
                let _ = write!(stream, "HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
        });
        Self { port, authorizations }
    }

    /// `127.0.0.1` and `localhost` are two hosts to whoever compares names.
    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/video.mjpg", self.port)
    }

    fn authorizations(&self) -> Vec<String> {
        self.authorizations.lock().unwrap().clone()
    }
}

fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{password}")))
}

/// True where one of the headers is the password itself, as HTTP Basic has it.
fn was_told(authorizations: &[String], password: &str) -> bool {
    authorizations.iter().any(|header| header.ends_with(&basic(password)))
}

// ------------------------------------------------------------------------------------------------ the cameras

/// Cameras that do all that cameras do to a password.
struct Site {
    cameras: Vec<(String, FaultCamera, Canary)>,
    http: HttpCamera,
    http_redirects: HttpCamera,
    http_elsewhere: HttpCamera,
    http_canaries: [Canary; 2],
    elsewhere: FaultCamera,
    folder: TempDir,
    config: String,
}

/// Id, faults, right password, and what stands round its core.
const CAMERAS: [(&str, &str, bool, &str, &str); 11] = [
    ("basic", "auth=basic", true, "a@", "/b"),
    ("digest", "auth=digest", true, "q\"", "'\\ %40"),
    ("plain", "auth=basic", true, "", ""),
    ("wrong-basic", "auth=basic", false, "%", " x"),
    ("wrong-digest", "auth=digest", false, "<0>", "#"),
    ("redirected", "auth=basic", true, "://", "@"),
    ("stall", "auth=basic&stall=1", true, "x?token=", "&"),
    ("close", "auth=basic&close=1", true, "ü ", "ß"),
    ("garble", "auth=digest&garble=1", true, "$(x)", "`*"),
    ("env", "auth=basic", true, "\"", "\""),
    ("credential", "auth=basic", true, " ", " "),
];

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clip = clips::h264_320x240();
        let elsewhere = FaultCamera::start([clip.clone()]);
        let mut cameras = Vec::new();
        let mut config = String::new();
        let mut section = |id: &str, url: &str, canary: &Canary| {
            let file = folder.path().join(format!("{id}.pass"));
            fs::write(&file, format!("{}\n", canary.password)).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let key = match id {
                "env" => "password_env = \"CAMERA_PASSWORD\"".to_owned(),
                "credential" => format!("password_credential = \"{id}.pass\""),
                _ => format!("password_file = \"{id}.pass\""),
            };
            let _ = write!(
                config,
                "[[cameras]]\nid = \"{id}\"\nurl = \"{url}\"\nusername = \"{USER}\"\n{key}\nretry_min_s = 0.3\n\
                 retry_max_s = 1\nretry_refused_s = 1\nstall_timeout_s = 1\n"
            );
        };
        for (id, faults, right, before, after) in CAMERAS {
            let canary = Canary::new(id, before, after);
            let camera = FaultCamera::start([clip.clone()]);
            if right {
                camera.set_password(&canary.password);
            }
            let redirect =
                if id == "redirected" { format!("&redir=localhost:{}", elsewhere.port()) } else { String::new() };
            section(id, &camera.url(&format!("h264_320x240?{faults}{redirect}")), &canary);
            cameras.push((id.to_owned(), camera, canary));
        }
        let http_elsewhere = HttpCamera::start(None);
        let http = HttpCamera::start(None);
        let http_redirects = HttpCamera::start(Some(http_elsewhere.url("localhost")));
        let http_canaries = [Canary::new("http", "h@", "/ %41"), Canary::new("httpredirect", "r:", "?token=")];
        section("http", &http.url("127.0.0.1"), &http_canaries[0]);
        section("http-redirect", &http_redirects.url("127.0.0.1"), &http_canaries[1]);
        Self { cameras, http, http_redirects, http_elsewhere, http_canaries, elsewhere, folder, config }
    }

    fn canaries(&self) -> Vec<Canary> {
        self.cameras.iter().map(|(_, _, canary)| canary).chain(&self.http_canaries).cloned().collect()
    }

    fn camera(&self, id: &str) -> (&FaultCamera, &Canary) {
        let (_, camera, canary) = self.cameras.iter().find(|(name, ..)| name == id).unwrap();
        (camera, canary)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// The program with whatever might make it talk.
    fn command(&self, gst_debug: Option<&str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WATCHKEEPER__")) {
            command.env_remove(name);
        }
        let (_, env) = self.camera("env");
        command.env("CAMERA_PASSWORD", &env.password).env("CREDENTIALS_DIRECTORY", self.folder.path());
        command.env_remove("JOURNAL_STREAM").env_remove("GST_DEBUG").stdin(Stdio::null());
        if let Some(level) = gst_debug {
            fs::create_dir_all(self.path("dots")).unwrap();
            command.env("GST_DEBUG", level).env("GST_DEBUG_NO_COLOR", "1");
            command.env("GST_DEBUG_DUMP_DOT_DIR", self.path("dots")).env("G_MESSAGES_DEBUG", "all");
            command.env("SOUP_DEBUG", "3");
        }
        command
    }

    /// Runs the daemon until every camera has done its worst, and gathers all that came out.
    fn run(&self, format: &str, gst_debug: Option<&str>) -> Seen {
        let text = format!(
            "[runtime]\npolicy = \"any\"\nstate_dir = \"state\"\n[log]\nfilter = \"trace\"\nformat = \"{format}\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n[[sinks]]\ntype = \"jsonl\"\npath = \"events.jsonl\"\n\
             [[sinks]]\ntype = \"jsonl\"\npath = \"-\"\n{}",
            self.config
        );
        fs::write(self.path("watchkeeper.toml"), text).unwrap();
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        let mut command = self.command(gst_debug);
        command.args(["run", "--config"]).arg(self.path("watchkeeper.toml"));
        command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
        let mut daemon = Daemon(command.spawn().unwrap());
        let mut seen = Seen::default();
        // Each camera, and its second attempt where it fails.
        let heard = || {
            let twice = ["wrong-basic", "wrong-digest", "redirected", "stall", "close", "garble"];
            let rtsp = self.cameras.iter().all(|(id, camera, _)| {
                camera.requests_for("DESCRIBE") >= if twice.contains(&id.as_str()) { 4 } else { 2 }
            });
            rtsp && self.http.authorizations().len() >= 2
        };
        let playing = || ["basic", "digest", "plain", "env", "credential"].map(|id| self.camera(id).0.sessions());
        let until = Instant::now() + Duration::from_secs(40);
        while !(heard() && playing().iter().all(|sessions| *sessions > 0)) {
            assert!(daemon.0.try_wait().unwrap().is_none(), "{}", fs::read_to_string(&err).unwrap());
            assert!(Instant::now() < until, "playing: {:?}; {}", playing(), self.state());
            std::thread::sleep(Duration::from_millis(100));
        }
        // The log line of the listener, as text or JSON.
        let log = String::from_utf8_lossy(&fs::read(&err).unwrap()).into_owned();
        let line = log.lines().find(|line| line.contains("HTTP listens")).unwrap();
        let (_, port) = line.split_once("127.0.0.1:").unwrap();
        let port: u16 = port.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
        for path in ["/metrics", "/readyz", "/healthz", "/none"] {
            seen.add(path, get(port, path));
        }
        seen.add("cmdline", fs::read(format!("/proc/{}/cmdline", daemon.0.id())).unwrap());
        daemon.end();
        seen.add("stdout", fs::read(out).unwrap());
        seen.add("stderr", fs::read(err).unwrap());
        seen.add("JSONL", fs::read(self.path("events.jsonl")).unwrap());
        let mut folders = ["state", "dots"].map(|folder| self.path(folder)).to_vec();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    seen.add(path.display().to_string(), fs::read(&path).unwrap());
                }
            }
        }
        seen
    }

    fn state(&self) -> String {
        let mut text = String::new();
        for (id, camera, _) in &self.cameras {
            let _ = write!(text, "{id}: {} DESCRIBE, {} playing; ", camera.requests_for("DESCRIBE"), camera.sessions());
        }
        text + &format!("http: {:?}", self.http.authorizations().len())
    }

    /// The cameras were really told, or there would be nothing to find.
    fn was_on_the_wire(&self) {
        for id in ["basic", "plain", "wrong-basic", "stall", "close", "env", "credential"] {
            let (camera, canary) = self.camera(id);
            assert!(was_told(&camera.authorizations(), &canary.password), "{id}: {:?}", camera.authorizations());
            let mut wire = Seen::default();
            wire.add("the wire", camera.authorizations().join("\n"));
            assert!(!wire.leaks(&self.canaries()).is_empty(), "{id}: the search does not find it on the wire");
        }
        for id in ["digest", "wrong-digest", "garble"] {
            let headers = self.camera(id).0.authorizations();
            assert!(headers.iter().any(|header| header.starts_with("Digest username=\"admin\"")), "{id}: {headers:?}");
        }
        assert!(was_told(&self.http.authorizations(), &self.http_canaries[0].password));
    }
}

/// Killed with the test.
struct Daemon(Child);

impl Daemon {
    /// Asks it to end, and waits.
    fn end(&mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        let until = Instant::now() + Duration::from_secs(15);
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A whole HTTP answer.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

// ------------------------------------------------------------------------------------------------ what must hold

#[test]
fn the_daemon_keeps_every_password_to_itself_in_text_logs() {
    let site = Site::new();
    let seen = site.run("text", None);
    site.was_on_the_wire();
    let leaks = site_leaks(&site, &seen);
    assert!(leaks.is_empty(), "\n{leaks}");
}

#[test]
fn the_daemon_keeps_every_password_to_itself_in_json_logs_with_all_that_gstreamer_can_say() {
    let site = Site::new();
    let seen = site.run("json", Some("6"));
    site.was_on_the_wire();
    let leaks = site_leaks(&site, &seen);
    assert!(leaks.is_empty(), "\n{leaks}");
    // It did have passwords to say.
    let log = seen.get("stderr");
    assert!(log.contains("'Authorization', value: 'Basic ***"), "RTSP: no header was redacted");
    assert!(log.contains("Authorization\\\\=\\\\(string\\\\)"), "HTTP: no header was seen");
}

fn site_leaks(site: &Site, seen: &Seen) -> String {
    // The places are not empty, and the faults happened.
    for (place, word) in [
        ("cmdline", "run"),
        ("/metrics", "watchkeeper_camera_up"),
        ("JSONL", "camera.offline"),
        ("stdout", "camera.online"),
    ] {
        assert!(seen.get(place).contains(word), "{place}: {}", seen.get(place));
    }
    for (id, ..) in CAMERAS {
        assert!(seen.get("/readyz").contains(&format!("\"{id}\"")), "{id}: {}", seen.get("/readyz"));
    }
    assert!(seen.get("stderr").contains("camera online"), "{}", seen.get("stderr"));
    seen.leaks(&site.canaries())
}

#[test]
fn another_host_is_never_told_the_password() {
    let site = Site::new();
    let _ = site.run("text", None);
    assert_eq!(site.elsewhere.authorizations(), Vec::<String>::new(), "RTSP: told to another host");
    assert!(!site.http_redirects.authorizations().iter().any(|header| header.contains("Digest")));
    let told = site.http_elsewhere.authorizations();
    assert_eq!(told, Vec::<String>::new(), "HTTP: told to another host, {:?}", site.http_canaries[1].password);
}

#[test]
fn probe_keeps_the_password_to_itself() {
    let site = Site::new();
    let file = |id: &str| site.path(&format!("{id}.pass")).to_str().unwrap().to_owned();
    fs::write(site.path("watchkeeper.toml"), format!("[runtime]\npolicy = \"any\"\n{}", site.config)).unwrap();
    let mut seen = Seen::default();
    for (id, code) in
        [("basic", 0), ("digest", 0), ("wrong-basic", 65), ("wrong-digest", 65), ("redirected", 65), ("http", 65)]
    {
        let section = site.config.split("[[cameras]]").find(|s| s.contains(&format!("id = \"{id}\""))).unwrap();
        let url = section.lines().find_map(|line| line.strip_prefix("url = ")).unwrap().trim_matches('"');
        for (json, gst_debug) in [(true, None), (false, Some("6"))] {
            for by_url in [true, false] {
                let mut command = site.command(gst_debug);
                command.env("WATCHKEEPER__LOG__FILTER", "trace").args(["probe", "--watch", "0.3"]);
                if by_url {
                    command.args([url, "--username", USER, "--password-file", &file(id)]);
                } else {
                    command.args([id, "--config"]).arg(site.path("watchkeeper.toml"));
                }
                if json {
                    command.arg("--json");
                }
                let output = command.output().unwrap();
                let err = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(code), "{id}: {}", err.chars().take(2000).collect::<String>());
                seen.add(format!("stdout of probe {id}"), &output.stdout);
                seen.add(format!("stderr of probe {id}"), &output.stderr);
            }
        }
    }
    for id in ["basic", "wrong-basic"] {
        let (camera, canary) = site.camera(id);
        assert!(was_told(&camera.authorizations(), &canary.password), "{id}");
    }
    assert!(seen.get("stdout of probe wrong-basic").contains("auth"), "{}", seen.get("stdout of probe wrong-basic"));
    let leaks = seen.leaks(&site.canaries());
    assert!(leaks.is_empty(), "\n{leaks}");
}

#[test]
fn messages_about_a_misplaced_password_do_not_repeat_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |file: &str| folder.path().join(file);
    let mut seen = Seen::default();
    let mut run = |name: String, args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
        command.env_remove("JOURNAL_STREAM").env("CAMERA_PASSWORD", "Kz7twolinesQx9\nx").args(args);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_ne!(output.status.code(), Some(0), "{name}: this is a mistake");
        assert!(!output.stderr.is_empty() || !output.stdout.is_empty(), "{name}: says nothing");
        seen.add(format!("stdout of {name}"), &output.stdout);
        seen.add(format!("stderr of {name}"), &output.stderr);
    };
    let twice = Canary::new("twolines", "", "");
    let mut canaries = vec![twice.clone()];
    fs::write(path("two-lines.pass"), format!("{}\nand more\n", twice.password)).unwrap();
    for (n, (before, after)) in [
        ("", ""),
        ("a@", "/b"),
        ("a/", "@b"),
        ("a%40", "%2f"),
        ("a ", " b"),
        ("a?token=", "#"),
        ("<", ">"),
        ("a:", ":b"),
    ]
    .iter()
    .enumerate()
    {
        let canary = Canary::new(&format!("misplaced{n}"), before, after);
        let password = &canary.password;
        // In the configuration.
        for (what, lines) in [
            ("url", format!("url = 'rtsp://admin:{password}@192.0.2.1/stream'")),
            ("http url", format!("url = 'http://admin:{password}@192.0.2.1/stream'")),
            ("url without scheme", format!("url = 'admin:{password}@192.0.2.1/stream'")),
            ("query", format!("url = 'rtsp://192.0.2.1/stream?user=admin&password={password}'")),
            ("password", format!("url = 'rtsp://192.0.2.1/'\nusername = \"admin\"\npassword = '{password}'")),
            ("password_file", format!("url = 'rtsp://192.0.2.1/'\nusername = \"admin\"\npassword_file = '{password}'")),
            ("password_env", format!("url = 'rtsp://192.0.2.1/'\nusername = \"admin\"\npassword_env = '{password}'")),
            (
                "password_credential",
                format!("url = 'rtsp://192.0.2.1/'\nusername = \"admin\"\npassword_credential = '{password}'"),
            ),
            ("syntax error", format!("url = 'rtsp://192.0.2.1/'\nusername = \"admin\"\npassword = {password}")),
        ] {
            let config = path("watchkeeper.toml");
            fs::write(&config, format!("[[cameras]]\nid = \"gate\"\n{lines}\n")).unwrap();
            let config = config.to_str().unwrap();
            run(format!("check, {what}"), &["check", "--config", config]);
            run(format!("check --json, {what}"), &["check", "--json", "--config", config]);
            run(format!("run, {what}"), &["run", "--config", config]);
        }
        // On the command line.
        let good = path("good.toml");
        let model = "[models.m]\nonnx = \"m.onnx\"\nbackend = \"onnxruntime\"\nhead = \"yolo\"\nlabels = \"m.txt\"\n";
        fs::write(path("m.onnx"), "stub").unwrap();
        fs::write(path("m.txt"), "ball\n").unwrap();
        fs::write(&good, format!("[runtime]\npolicy = \"any\"\n{model}")).unwrap();
        let good = good.to_str().unwrap();
        let url = format!("rtsp://admin:{password}@127.0.0.1:1/");
        run("probe URL".into(), &["probe", &url]);
        run("probe URL --json".into(), &["probe", &url, "--json"]);
        run("probe URL --username".into(), &["probe", &url, "--username", USER]);
        run("probe without scheme".into(), &["probe", &format!("admin:{password}@127.0.0.1"), "--config", good]);
        run("analyze URL".into(), &["analyze", &url, "--config", good, "--out", "-"]);
        // Where a URL with a space ends, nobody can tell who does not know that it is one.
        if !password.contains(' ') {
            run("probe, one URL too many".into(), &["probe", "gate", &url]);
            run("a URL as command".into(), &[&url]);
        }
        canaries.push(canary);
    }
    for keys in ["password_file = \"two-lines.pass\"", "password_env = \"CAMERA_PASSWORD\""] {
        let config = path("watchkeeper.toml");
        let text = format!("[[cameras]]\nid = \"gate\"\nurl = \"rtsp://192.0.2.1/\"\nusername = \"admin\"\n{keys}\n");
        fs::write(&config, text).unwrap();
        run(format!("check, {keys}"), &["check", "--config", config.to_str().unwrap()]);
    }
    let file = path("two-lines.pass");
    let file = file.to_str().unwrap();
    run("probe, two lines".into(), &["probe", "rtsp://127.0.0.1:1/", "--username", USER, "--password-file", file]);
    let leaks = seen.leaks(&canaries);
    assert!(leaks.is_empty(), "\n{leaks}");
}

#[test]
fn redaction_knows_every_spelling_that_a_log_may_have() {
    watchkeeper::source::init().unwrap();
    let mut canaries = Vec::new();
    for (n, (before, after)) in [
        ("", ""),
        ("a@b", "/c"),
        ("a-b_c.d", "~e f"),
        ("q\"", "'"),
        ("\\", "\\x"),
        ("ü", "ß"),
        ("%40", "?token="),
        ("<0>", "&=#"),
    ]
    .iter()
    .enumerate()
    {
        let canary = Canary::new(&format!("redacted{n}"), before, after);
        redact::register(USER, &Secret::new(&canary.password));
        canaries.push(canary);
    }
    let mut seen = Seen::default();
    for Canary { password, .. } in &canaries {
        let percent = |kept: &str, upper: bool| -> String {
            let encode = |byte: u8| match char::from(byte) {
                c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
                _ if upper => format!("%{byte:02X}"),
                _ => format!("%{byte:02x}"),
            };
            password.bytes().map(encode).collect()
        };
        let structure = gst::Structure::builder("login").field("user-pw", password.as_str()).build();
        for (how, text) in [
            ("plain", password.clone()),
            ("percent-encoded", percent("", true)),
            ("percent-encoded but for unreserved characters", percent("-._~", true)),
            ("percent-encoded in lower case", percent("-._~", false)),
            ("as GStreamer writes structures", structure.to_string()),
            ("in JSON, as log.format = \"json\" has it", serde_json::json!({ "message": password }).to_string()),
            ("as Debug", format!("{password:?}")),
            ("as HTTP Basic", basic(password)),
        ] {
            let line = format!("before {text} after");
            let redacted = redact::redact(&line);
            assert!(redacted.starts_with("before ") && redacted.ends_with(" after"), "{redacted}");
            seen.add(how, redacted.as_bytes());
        }
    }
    let leaks = seen.leaks(&canaries);
    assert!(leaks.is_empty(), "\n{leaks}");
}

#[test]
fn debug_output_of_the_configuration_holds_no_password() {
    let site = Site::new();
    fs::write(site.path("watchkeeper.toml"), &site.config).unwrap();
    let (_, env) = site.camera("env");
    let variables = [
        ("CAMERA_PASSWORD".to_owned(), env.password.clone()),
        ("CREDENTIALS_DIRECTORY".to_owned(), folder_text(site.folder.path())),
    ];
    let loaded = watchkeeper::config::load_with_env(&site.path("watchkeeper.toml"), variables.into_iter()).unwrap();
    let secrets = loaded.config.secrets();
    // What is looked for is there.
    let planted = site.canaries();
    assert_eq!(secrets.len(), planted.len());
    assert!(planted.iter().all(|canary| secrets.iter().any(|secret| secret.expose() == canary.password)));
    let mut seen = Seen::default();
    seen.add("Debug", format!("{loaded:?}\n{loaded:#?}\n{secrets:?}"));
    let leaks = seen.leaks(&planted);
    assert!(leaks.is_empty(), "\n{leaks}");
}

fn folder_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
