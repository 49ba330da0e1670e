//! `watchkeeper models`: what comes whole, what comes in parts, and everything that must not get in.

#![allow(clippy::unwrap_used)]

#[path = "models_pull/server.rs"]
mod server;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;
use server::{Connection, Request, Server};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

const DONE: i32 = 0;
const USAGE: i32 = 64;
const DATA: i32 = 65;
const LATER: i32 = 75;

/// Longer than any pull here takes: one that hangs fails.
const LIMIT: Duration = Duration::from_secs(30);

const V1: &str = "ETag: \"v1\"";

/// A real model, small.
fn blob() -> Vec<u8> {
    fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/engines/blob.onnx")).unwrap()
}

fn sum(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// A folder with a catalogue; models come into `engines` in it.
struct Desk(TempDir);

impl Desk {
    /// One model, `blob`, that is `file` and comes from `url`.
    fn new(url: &str, file: &[u8]) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.catalogue("blob", url, &sum(file), file.len());
        desk
    }

    fn catalogue(&self, name: &str, url: &str, sha256: &str, bytes: usize) {
        let text = format!(
            "schema = \"catalogue/1\"\n[[models]]\nname = {name:?}\nabout = \"finds bright blobs\"\ntask = \"detection\"\n\
             head = \"yolo\"\nlabels = [\"blob\"]\ninput_size_px = [320, 320]\n\
             input = {{ fit = \"letterbox\", channels = \"rgb\", pad = 0, mean = [0, 0, 0], std = [255, 255, 255] }}\n\
             min_score = 0.25\nnms_iou = 0.5\nurl = {url:?}\nsha256 = {sha256:?}\nbytes = {bytes}\nlicence = \"MIT\"\n\
             licence_url = \"https://example.org/licence\"\nproject = \"https://example.org/blob\"\n"
        );
        fs::write(self.path("catalogue.toml"), text).unwrap();
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn engines(&self, file: &str) -> PathBuf {
        self.path("engines/blob").join(file)
    }

    fn pull(&self, more: &[&str]) -> Ended {
        Ended::of(&mut self.command("blob", more))
    }

    fn command(&self, name: &str, more: &[&str]) -> Command {
        let mut command = watchkeeper();
        command.args(["models", "pull", name, "--catalogue"]).arg(self.path("catalogue.toml"));
        command.arg("--folder").arg(self.path("engines")).args(more);
        command
    }

    /// What lies in the model's folder.
    fn files(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("engines/blob")) else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The model is in its place, whole, with what belongs to it and nothing else.
    fn has(&self, file: &[u8]) {
        assert_eq!(self.files(), ["LICENCE", "model.onnx", "model.toml"]);
        assert!(fs::read(self.engines("model.onnx")).unwrap() == file, "another file than was served");
    }

    /// So many bytes wait to be gone on with.
    fn has_part(&self, bytes: usize) {
        assert_eq!(self.files(), ["model.onnx.part", "model.onnx.part.json"]);
        assert_eq!(fs::metadata(self.engines("model.onnx.part")).unwrap().len(), bytes as u64);
    }
}

fn watchkeeper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchkeeper"));
    // What is set where the tests run must not decide them.
    let decides = |name: &str| name.starts_with("WATCHKEEPER__") || name.to_ascii_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars_os().filter(|(name, _)| decides(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    command.env_remove("JOURNAL_STREAM").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[derive(Debug)]
struct Ended {
    /// -1 where a signal ended it.
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    /// Runs it to its end.
    fn of(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + LIMIT;
        while child.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    fn is(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for words in words {
            assert!(self.err.contains(words), "{words:?} is not in: {}", self.err);
        }
    }
}

/// The first answer stops in the middle; later ones give what is asked for.
fn half_then(later: impl Fn(&Request, &mut Connection) + Send + Sync + 'static) -> Server {
    let file = blob();
    Server::start(move |request, to| {
        if request.number > 0 {
            return later(request, to);
        }
        to.head("200 OK", &[format!("Content-Length: {}", file.len()), V1.to_owned()]);
        to.write(&file[..file.len() / 2]);
    })
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "it did not come to pass");
        std::thread::sleep(Duration::from_millis(10));
    }
}

// ------------------------------------------------------------------------------------------------ whole files

#[test]
fn a_model_is_put_in_its_place_and_a_configuration_takes_it() {
    let server = Server::start(|_, to| to.file(&blob(), &[V1]));
    let desk = Desk::new(&server.url("/blob.onnx"), &blob());
    let ended = desk.pull(&[]);
    ended.is(DONE, &["blob: ", "MIT", "https://example.org/licence"]);
    desk.has(&blob());
    let request = &server.requests()[0];
    assert_eq!((request.path.as_str(), request.header("range")), ("/blob.onnx", None));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
    let note = fs::read_to_string(desk.engines("LICENCE")).unwrap();
    for words in ["MIT", "https://example.org/licence", &server.url("/blob.onnx"), &sum(&blob())] {
        assert!(note.contains(words), "{words} is not in {note}");
    }
    assert!(ended.out.contains("[models.blob]\n"), "{}", ended.out);
    checks(&desk, &ended.out);
}

/// `check` takes the configuration that is printed.
#[track_caller]
fn checks(desk: &Desk, sections: &str) {
    let camera = "[[cameras]]\nid = \"gate\"\nurl = \"test://ball\"\n";
    let models = sections.lines().filter_map(|line| line.strip_prefix("[models.")?.strip_suffix(']'));
    let named: Vec<String> = models.take(1).map(|name| format!("{name:?}")).collect();
    let sink = "[[sinks]]\ntype = \"jsonl\"\npath = \"events.jsonl\"\n";
    let config = format!("[runtime]\npolicy = \"any\"\n{sections}\n{sink}{camera}models = [{}]\n", named.join(", "));
    fs::write(desk.path("watchkeeper.toml"), &config).unwrap();
    let check = Ended::of(watchkeeper().args(["check", "--config"]).arg(desk.path("watchkeeper.toml")));
    assert_eq!(check.code, DONE, "{check:?}\n{config}");
    // The manifest is read: the section does not say the head. And nothing of it is doubted.
    assert!(!check.out.contains("model.toml"), "{}", check.out);
}

#[test]
fn every_model_of_the_built_in_catalogue_gives_a_manifest_that_configurations_take() {
    let server = Server::start(|_, to| to.file(&blob(), &[]));
    let desk = Desk::new("http://127.0.0.1:1/", &blob());
    // Its own words, but for where the files come from.
    let built_in = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/engines/catalogue.toml")).unwrap();
    let here = |line: &str| match line.split(' ').next() {
        Some("url") => format!("url = {:?}", server.url("/x")),
        Some("sha256") => format!("sha256 = {:?}", sum(&blob())),
        Some("bytes") => format!("bytes = {}", blob().len()),
        _ => line.to_owned(),
    };
    fs::write(desk.path("catalogue.toml"), built_in.lines().map(here).collect::<Vec<_>>().join("\n")).unwrap();
    let list = watchkeeper().args(["models", "list", "--json"]).output().unwrap();
    let list: Vec<Value> = serde_json::from_slice(&list.stdout).unwrap();
    assert!(list.iter().any(|model| model["name"] == "yolox-nano"), "{list:?}");
    let mut sections = String::new();
    for model in &list {
        let ended = Ended::of(&mut desk.command(model["name"].as_str().unwrap(), &[]));
        ended.is(DONE, &[]);
        sections.push_str(&ended.out);
    }
    checks(&desk, &sections);
}

#[test]
fn a_model_that_is_there_is_not_asked_for_again() {
    let server = Server::start(|_, to| to.file(&blob(), &[]));
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DONE, &[]);
    // What a user changed stays, and is spoken of.
    fs::write(desk.engines("model.toml"), "# mine\n").unwrap();
    let again = desk.pull(&["--json"]);
    again.is(DONE, &["model.toml: differs", "--force"]);
    let answer: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!((&answer["downloaded"], &answer["sha256"]), (&Value::Bool(false), &Value::String(sum(&blob()))));
    assert_eq!(fs::read_to_string(desk.engines("model.toml")).unwrap(), "# mine\n");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn redirects_are_followed_up_to_five() {
    for (hops, code) in [(5, DONE), (6, DATA)] {
        let server = Server::start(move |request, to| match request.number {
            n if n < hops => to.head("302 Found", &[format!("Location: /hop{n}"), "Content-Length: 0".to_owned()]),
            _ => to.file(&blob(), &[]),
        });
        let desk = Desk::new(&server.url("/"), &blob());
        desk.pull(&[]).is(code, if code == DATA { &["more than 5 redirects"] } else { &[] });
        assert_eq!(server.requests().len(), 6, "{hops} redirects");
    }
}

// ------------------------------------------------------------------------------------------------ in parts

#[test]
fn a_short_read_is_kept_and_only_the_rest_is_asked_for() {
    let (file, middle) = (blob(), blob().len() / 2);
    let server = half_then(move |_, to| to.rest(&blob(), middle, &[V1]));
    let desk = Desk::new(&server.url("/"), &file);
    let counts = format!("ended after {middle} of {} bytes", file.len());
    desk.pull(&[]).is(DATA, &[&counts, "the same command goes on"]);
    desk.has_part(middle);
    desk.pull(&[]).is(DONE, &["blob: goes on after"]);
    desk.has(&file);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].header("range"), Some(format!("bytes={middle}-").as_str()));
    assert_eq!(requests[1].header("if-range"), Some("\"v1\""));
}

#[test]
fn a_server_without_ranges_is_asked_from_the_beginning_and_what_was_here_does_not_count() {
    let server = half_then(|_, to| to.file(&blob(), &[V1]));
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DATA, &[]);
    desk.pull(&[]).is(DONE, &["begins again"]);
    desk.has(&blob());
}

#[test]
fn a_part_of_another_version_is_never_gone_on_with() {
    let middle = blob().len() / 2;
    let other: fn(&Request, &mut Connection) = |request, to| match request.header("range") {
        Some(_) => to.rest(&vec![7; blob().len()], blob().len() / 2, &["ETag: \"v2\""]),
        None => to.file(&blob(), &["ETag: \"v2\""]),
    };
    let elsewhere: fn(&Request, &mut Connection) = |request, to| match request.header("range") {
        Some(_) => to.rest(&blob(), 3, &[V1]),
        None => to.file(&blob(), &[V1]),
    };
    let none: fn(&Request, &mut Connection) = |request, to| match request.header("range") {
        Some(_) => to.head("416 Range Not Satisfiable", &["Content-Length: 0".to_owned()]),
        None => to.file(&blob(), &[V1]),
    };
    for later in [other, elsewhere, none] {
        let server = half_then(later);
        let desk = Desk::new(&server.url("/"), &blob());
        desk.pull(&[]).is(DATA, &[]);
        desk.has_part(middle);
        desk.pull(&[]).is(DONE, &[]);
        desk.has(&blob());
        let ranges: Vec<bool> = server.requests().iter().map(|request| request.header("range").is_some()).collect();
        assert_eq!(ranges, [false, true, false]);
    }
}

#[test]
fn a_part_is_gone_on_with_only_where_the_server_named_its_version_and_the_catalogue_still_means_that_file() {
    // A weak tag promises nothing about bytes.
    let file = blob();
    let server = Server::start(move |request, to| match request.number {
        0 => {
            to.head("200 OK", &[format!("Content-Length: {}", file.len()), "ETag: W/\"v1\"".to_owned()]);
            to.write(&file[..9]);
        }
        _ => to.file(&file, &[]),
    });
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DATA, &[]);
    desk.pull(&[]).is(DONE, &[]);
    assert_eq!(server.requests()[1].header("range"), None);

    let server = half_then(|_, to| to.file(&blob(), &[]));
    let desk = Desk::new(&server.url("/a"), &blob());
    desk.pull(&[]).is(DATA, &[]);
    desk.catalogue("blob", &server.url("/b"), &sum(&blob()), blob().len());
    desk.pull(&[]).is(DONE, &[]);
    assert_eq!(server.requests()[1].header("range"), None);
    desk.has(&blob());
}

#[test]
fn what_was_gone_on_with_is_summed_whole() {
    let middle = blob().len() / 2;
    let server = half_then(move |_, to| to.rest(&blob(), middle, &[V1]));
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DATA, &[]);
    let mut part = fs::read(desk.engines("model.onnx.part")).unwrap();
    part[0] ^= 1;
    fs::write(desk.engines("model.onnx.part"), part).unwrap();
    desk.pull(&[]).is(DATA, &["its sha256 is", "what came is deleted"]);
    assert!(desk.files().is_empty(), "{:?}", desk.files());
}

#[test]
fn an_interrupted_pull_leaves_its_bytes_to_go_on_with() {
    let (file, middle) = (blob(), blob().len() / 2);
    let server = Server::start(move |request, to| match request.number {
        0 => {
            to.head("200 OK", &[format!("Content-Length: {}", file.len()), V1.to_owned()]);
            to.write(&file[..middle]);
            to.hang();
        }
        _ => to.rest(&file, middle, &[V1]),
    });
    let desk = Desk::new(&server.url("/"), &blob());
    let child = desk.command("blob", &[]).spawn().unwrap();
    let part = desk.engines("model.onnx.part");
    wait_for(|| fs::metadata(&part).is_ok_and(|part| part.len() == middle as u64));
    let ended = interrupt(child);
    assert_eq!(ended.status.signal(), Some(2), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("the same command goes on from there"), "{ended:?}");
    desk.has_part(middle);
    desk.pull(&[]).is(DONE, &["goes on after"]);
    desk.has(&blob());
}

fn interrupt(child: Child) -> Output {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    child.wait_with_output().unwrap()
}

// ------------------------------------------------------------------------------------------------ bad servers

#[test]
fn a_wrong_sum_deletes_what_came_and_names_both() {
    let mut other = blob();
    other[0] ^= 1;
    let served = other.clone();
    let server = Server::start(move |_, to| to.file(&served, &[V1]));
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DATA, &[&sum(&other), &sum(&blob()), "what came is deleted"]);
    assert!(!desk.path("engines/blob").exists(), "{:?}", desk.files());
}

#[test]
fn a_refusal_is_named_with_what_it_means() {
    for (status, code, words) in [
        ("404 Not Found", DATA, "is not there any more; see https://example.org/blob"),
        ("403 Forbidden", DATA, "answers 403 (Forbidden)"),
        ("500 Internal Server Error", LATER, "try again later"),
        ("503 Service Unavailable", LATER, "try again later"),
        ("429 Too Many Requests", LATER, "try again later"),
    ] {
        let server = Server::start(move |_, to| to.head(status, &["Content-Length: 0".to_owned()]));
        let desk = Desk::new(&server.url("/"), &blob());
        desk.pull(&[]).is(code, &[words, &server.url("/")]);
        assert!(!desk.path("engines/blob").exists(), "{status}");
    }
}

#[test]
fn a_server_that_is_away_is_asked_later() {
    let gone = Server::start(|_, _| {}).url("/");
    let desk = Desk::new(&gone, &blob());
    desk.pull(&[]).is(LATER, &[&gone, "try again"]);
}

#[test]
fn what_is_no_web_server_is_said_to_be_none() {
    let server = Server::start(|_, to| to.write("SSH-2.0-OpenSSH_9.6\r\n\r\n"));
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DATA, &["no HTTP server"]);
}

#[test]
fn a_server_that_falls_silent_is_given_up_and_what_came_is_kept() {
    let (file, middle) = (blob(), blob().len() / 2);
    let server = Server::start(move |request, to| {
        if request.number == 0 {
            to.head("200 OK", &[format!("Content-Length: {}", file.len()), V1.to_owned()]);
            to.write(&file[..middle]);
        }
        to.hang();
    });
    let desk = Desk::new(&server.url("/"), &blob());
    let begun = Instant::now();
    desk.pull(&["--stall-s", "0.5"]).is(LATER, &["no byte within 0.5 s", &format!("after {middle} of")]);
    desk.has_part(middle);
    desk.pull(&["--stall-s", "0.5"]).is(LATER, &["no answer within 0.5 s"]);
    desk.has_part(middle);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_server_that_keeps_sending_is_waited_for() {
    let file = blob();
    let server = Server::start(move |_, to| {
        to.head("200 OK", &[format!("Content-Length: {}", file.len())]);
        for piece in file.chunks(file.len().div_ceil(8)) {
            to.write(piece);
            std::thread::sleep(Duration::from_millis(250));
        }
    });
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&["--stall-s", "1.5"]).is(DONE, &[]);
    desk.has(&blob());
}

#[test]
fn more_bytes_than_the_catalogue_knows_are_cut_off() {
    let mut long = blob();
    long.push(0);
    // Announced; and not announced, so that only counting helps.
    let announced = long.clone();
    let server = Server::start(move |_, to| to.file(&announced, &[]));
    let desk = Desk::new(&server.url("/"), &blob());
    let counts = format!("has {} bytes, and the catalogue says {}", long.len(), blob().len());
    desk.pull(&[]).is(DATA, &[&counts]);
    assert!(desk.files().is_empty(), "{:?}", desk.files());

    let server = Server::start(move |_, to| {
        to.head("200 OK", &[]);
        to.write(&long);
        to.hang();
    });
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DATA, &["sends more than"]);
    assert!(desk.files().is_empty(), "{:?}", desk.files());
}

#[test]
fn a_coding_that_was_not_asked_for_is_refused() {
    let server = Server::start(|_, to| to.file(&blob(), &["Content-Encoding: gzip"]));
    let desk = Desk::new(&server.url("/"), &blob());
    desk.pull(&[]).is(DATA, &["\"gzip\""]);
}

#[test]
fn nothing_is_fetched_without_tls_from_another_machine_and_no_address_gives_away_its_query() {
    for location in ["http://192.0.2.1/x?signature=s3cret", "http://me:s3cret@127.0.0.1/x", "file:///etc/s3cret?s3cret"]
    {
        let server = Server::start(move |_, to| {
            to.head("302 Found", &[format!("Location: {location}"), "Content-Length: 0".to_owned()]);
        });
        let desk = Desk::new(&server.url("/"), &blob());
        let ended = desk.pull(&[]);
        ended.is(DATA, &["redirects to where it is not followed"]);
        assert!(!ended.err.replace("/etc/s3cret", "").contains("s3cret"), "{}", ended.err);
    }
    let desk = Desk::new("http://192.0.2.1/x", &blob());
    desk.pull(&[]).is(DATA, &["http://192.0.2.1/x is not over https"]);
}

/// A server's certificate, and the file that makes it trusted.
fn certificate(desk: &Desk) -> (Arc<rustls::ServerConfig>, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let identity = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let identity = identity.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key.into()).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
    let file = desk.path("trusted.pem");
    fs::write(&file, format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")).unwrap();
    (Arc::new(identity), file)
}

#[test]
fn a_certificate_is_trusted_where_the_system_is_told_to_and_nowhere_else() {
    let desk = Desk::new("https://127.0.0.1:1/", &blob());
    let (identity, trusted) = certificate(&desk);
    let server = Server::over_tls(identity, |_, to| to.file(&blob(), &[V1]));
    desk.catalogue("blob", &server.url("/"), &sum(&blob()), blob().len());
    let refused = Ended::of(desk.command("blob", &[]).env_remove("SSL_CERT_FILE"));
    refused.is(LATER, &["certificate", "is the date of this machine right"]);
    assert_eq!((desk.files().len(), server.requests().len()), (0, 0));
    Ended::of(desk.command("blob", &[]).env("SSL_CERT_FILE", trusted)).is(DONE, &[]);
    desk.has(&blob());
}

#[test]
fn nobody_leads_from_tls_to_what_this_machine_serves_without() {
    let plain = Server::start(|_, to| to.file(&blob(), &[]));
    let desk = Desk::new("https://127.0.0.1:1/", &blob());
    let (identity, trusted) = certificate(&desk);
    let location = format!("Location: {}", plain.url("/"));
    let server = Server::over_tls(identity, move |_, to| {
        to.head("302 Found", &[location.clone(), "Content-Length: 0".to_owned()]);
    });
    desk.catalogue("blob", &server.url("/"), &sum(&blob()), blob().len());
    let ended = Ended::of(desk.command("blob", &[]).env("SSL_CERT_FILE", trusted));
    ended.is(DATA, &["is on this machine, and not over https"]);
    assert_eq!(plain.requests().len(), 0);
}

// ------------------------------------------------------------------------------------------------ the folder

#[test]
fn another_file_in_the_place_is_kept_until_force() {
    let server = Server::start(|_, to| to.file(&blob(), &[]));
    let desk = Desk::new(&server.url("/"), &blob());
    fs::create_dir_all(desk.path("engines/blob")).unwrap();
    fs::write(desk.engines("model.onnx"), "mine").unwrap();
    desk.pull(&[]).is(DATA, &[&sum(b"mine"), &sum(&blob()), "it is kept", "--force"]);
    assert_eq!((fs::read(desk.engines("model.onnx")).unwrap(), server.requests().len()), (b"mine".to_vec(), 0));
    fs::write(desk.engines("model.toml"), "mine").unwrap();
    desk.pull(&["--force"]).is(DONE, &[]);
    desk.has(&blob());
    assert!(fs::read_to_string(desk.engines("model.toml")).unwrap().contains("model/1"));
    fs::remove_file(desk.engines("model.onnx")).unwrap();
    fs::write(desk.engines("model.toml"), "mine").unwrap();
    desk.pull(&[]).is(DATA, &["model.toml: is another model's"]);
    assert_eq!(fs::read_to_string(desk.engines("model.toml")).unwrap(), "mine");
}

#[test]
fn links_in_the_place_are_not_followed() {
    let server = Server::start(|_, to| to.file(&blob(), &[]));
    for (link, to_a_folder) in [("", true), ("model.onnx", false), ("model.onnx.part", false), ("model.toml", false)] {
        let desk = Desk::new(&server.url("/"), &blob());
        let outside = desk.path("outside");
        if to_a_folder {
            fs::create_dir_all(&outside).unwrap();
            fs::create_dir_all(desk.path("engines")).unwrap();
            symlink(&outside, desk.path("engines/blob")).unwrap();
        } else {
            fs::write(&outside, "mine").unwrap();
            fs::create_dir_all(desk.path("engines/blob")).unwrap();
            symlink(&outside, desk.engines(link)).unwrap();
        }
        for more in [&[][..], &["--force"]] {
            desk.pull(more).is(DATA, &["is a symbolic link, which is not followed"]);
        }
        let untouched = match to_a_folder {
            true => fs::read_dir(&outside).unwrap().count() == 0,
            false => fs::read(&outside).unwrap() == b"mine",
        };
        assert!(untouched, "{link:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn names_that_lead_out_of_the_folder_are_refused() {
    for name in ["../x", "/tmp/x", "..", "a/b", "a\\b", "", "A", "a b", "x\u{0}y"] {
        let desk = Desk::new("https://example.org/x", &blob());
        desk.catalogue(name, "https://example.org/x", &sum(&blob()), blob().len());
        let ended = Ended::of(&mut desk.command("blob", &[]));
        ended.is(DATA, &["catalogue.toml"]);
        assert!(ended.err.contains("the name is not") || name.contains('\u{0}'), "{name:?}: {}", ended.err);
        assert!(!desk.path("engines").exists() && !desk.path("x").exists(), "{name:?}");
    }
}

#[test]
fn of_two_pulls_at_once_the_second_is_sent_away() {
    let file = blob();
    let server = Server::start(move |_, to| {
        to.head("200 OK", &[format!("Content-Length: {}", file.len()), V1.to_owned()]);
        to.write(&file[..9]);
        to.hang();
    });
    let desk = Desk::new(&server.url("/"), &blob());
    let first = desk.command("blob", &[]).spawn().unwrap();
    wait_for(|| fs::metadata(desk.engines("model.onnx.part")).is_ok_and(|part| part.len() == 9));
    desk.pull(&[]).is(LATER, &["another pull is at work there"]);
    desk.has_part(9);
    interrupt(first);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_disk_that_takes_no_more_is_named_and_what_came_is_kept() {
    // A limit on the size of files stands for a full disk.
    let file: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let served = file.clone();
    let server = Server::start(move |request, to| match request.header("range") {
        Some(range) => to.rest(&served, range["bytes=".len()..range.len() - 1].parse().unwrap(), &[V1]),
        None => to.file(&served, &[V1]),
    });
    let desk = Desk::new(&server.url("/"), &file);
    let pull = desk.command("blob", &[]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -f 64; exec \"$0\" \"$@\""]).arg(pull.get_program()).args(pull.get_args());
    let limited = Ended::of(limited.stdout(Stdio::piped()).stderr(Stdio::piped()));
    limited.is(LATER, &["model.onnx.part", "make room"]);
    desk.has_part(64 * 512);
    desk.pull(&[]).is(DONE, &["goes on after"]);
    desk.has(&file);
}

#[test]
fn a_folder_that_cannot_be_written_is_named_with_the_way_out() {
    let desk = Desk::new("http://127.0.0.1:1/", &blob());
    fs::write(desk.path("engines"), "a file").unwrap();
    desk.pull(&[]).is(DATA, &[desk.path("engines").to_str().unwrap()]);
    let read_only = Path::new("/proc/watchkeeper");
    let mut command = watchkeeper();
    command.args(["models", "pull", "blob", "--catalogue"]).arg(desk.path("catalogue.toml"));
    let ended = Ended::of(command.arg("--folder").arg(read_only));
    ended.is(DATA, &["/proc/watchkeeper"]);
}

// ------------------------------------------------------------------------------------------------ words

#[test]
fn a_name_that_is_not_there_is_a_usage_error_that_helps() {
    let desk = Desk::new("https://example.org/x", &blob());
    for (name, words) in
        [("blobb", "did you mean \"blob\"?"), ("yolov8n", "AGPL-3.0"), ("zebra", "`watchkeeper models list` names all")]
    {
        Ended::of(&mut desk.command(name, &[])).is(USAGE, &[words]);
    }
    assert!(!desk.path("engines").exists());
}

#[test]
fn the_list_names_each_model_with_its_licence_and_says_what_is_missing_and_why() {
    let list = Ended::of(watchkeeper().args(["models", "list"]));
    list.is(DONE, &[]);
    for words in ["yolox-nano", "Apache-2.0", "416x416", "3.7 MB", "Ultralytics", "AGPL-3.0"] {
        assert!(list.out.contains(words), "{words} is not in {}", list.out);
    }
}

#[test]
fn a_catalogue_that_is_wrong_is_named_with_the_place() {
    let desk = Desk::new("https://example.org/x", &blob());
    let good = fs::read_to_string(desk.path("catalogue.toml")).unwrap();
    for (from, to, words) in [
        ("licence = \"MIT\"", "", "missing field `licence`"),
        ("head = \"yolo\"", "head = \"yola\"", "line 6"),
        ("bytes = ", "bytes = 0 # ", "bytes is 0"),
        ("sha256 = \"", "sha256 = \"x", "sha256 is not 64 hexadecimal digits"),
        ("nms_iou", "nms_iuo", "unknown field"),
        ("https://example.org/x", "https://me:s3cret@example.org/x", "has a user name or a password in it"),
        ("[[models]]", "[[models]]\nname = \"a\"\n[[models]]", "missing field"),
    ] {
        fs::write(desk.path("catalogue.toml"), good.replacen(from, to, 1)).unwrap();
        let ended = desk.pull(&[]);
        ended.is(DATA, &["catalogue.toml", words]);
        assert!(!ended.err.contains("s3cret"), "{}", ended.err);
    }
}
