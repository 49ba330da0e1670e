//! `[[cameras]]` as meant.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::config::environment::Variables;
use crate::config::file::{self, File};
use crate::config::meaning::{Camera, Config, Credentials, Model, RunOn, SourceKind, Task, Transport};
use crate::config::problem::Problem;
use crate::config::report::Report;
use crate::config::words;
use crate::types::secret::Secret;

use super::address::{self, Address};
use super::rules::{self, Reading};
use super::{beside, secrets};

/// All cameras in order of the files.
pub(super) fn resolve(
    file: &File,
    models: &[Arc<Model>],
    variables: &Variables,
    time_zone: &TimeZone,
    report: &mut Report,
) -> Vec<Arc<Camera>> {
    let cameras: Vec<Arc<Camera>> = file
        .cameras
        .iter()
        .enumerate()
        .map(|(i, written)| {
            Arc::new(camera(written, &format!("cameras[{i}]"), file, models, variables, time_zone, report))
        })
        .collect();
    for (i, camera) in cameras.iter().enumerate().filter(|(_, camera)| !camera.id.is_empty()) {
        if let Some(first) = cameras[..i].iter().position(|other| other.id == camera.id) {
            let id = words::quoted(&camera.id);
            let message = format!("{id} is the id of cameras[{first}] too; give each camera its own");
            report.problem(format!("cameras[{i}].id"), message);
        }
    }
    cameras
}

fn camera(
    written: &file::Camera,
    key: &str,
    file: &File,
    known: &[Arc<Model>],
    variables: &Variables,
    time_zone: &TimeZone,
    report: &mut Report,
) -> Camera {
    let transport = written.transport.unwrap_or(Transport::Tcp);
    if written.retry_min_s > written.retry_max_s && !report.has(&format!("{key}.retry_max_s")) {
        let (min, max) = (written.retry_min_s, written.retry_max_s);
        let message = format!("{min} is above retry_max_s = {max}; lower it, or raise retry_max_s");
        report.problem(format!("{key}.retry_min_s"), message);
    }
    let models = models(written, key, file, known, report);
    let labels = models.first().map(|index| &*known[*index].labels).filter(|labels| !labels.is_empty());
    let poses = models.iter().any(|index| known[*index].task == Task::Pose);
    let (zones, lines, rules) = Reading { base: key, labels, poses, time_zone, report }.all(written);
    let password = [&written.password_file, &written.password_env, &written.password_credential].map(Option::as_deref);
    Camera {
        id: written.id.clone().unwrap_or_default(),
        source: source(written, key, report),
        credentials: secrets::login(written.username.as_deref(), password, key, variables, report),
        models,
        zones,
        lines,
        rules,
        scene: rules::scene(&file.scene, written.scene_ignore.as_deref().unwrap_or_default()),
        detect_fps: written.detect_fps.map(|fps| fps as f32),
        transport,
        latency: Duration::from_millis(written.latency_ms.unwrap_or_else(|| latency_ms(transport)).into()),
        decoder: written.decoder.clone(),
        connect_timeout: Duration::from_secs_f64(written.connect_timeout_s),
        first_frame_timeout: Duration::from_secs_f64(written.first_frame_timeout_s),
        stall_timeout: Duration::from_secs_f64(written.stall_timeout_s),
        retry_min: Duration::from_secs_f64(written.retry_min_s),
        retry_max: Duration::from_secs_f64(written.retry_max_s),
        retry_refused: Duration::from_secs_f64(written.retry_refused_s),
    }
}

/// Datagrams arrive out of order, and need longer to be put right.
fn latency_ms(transport: Transport) -> u32 {
    if transport == Transport::Tcp { 100 } else { 200 }
}

/// The models of a camera, the one that feeds the tracker first.
fn models(written: &file::Camera, base: &str, file: &File, known: &[Arc<Model>], report: &mut Report) -> Vec<usize> {
    let mut models = Vec::new();
    for (i, name) in written.models.iter().flatten().enumerate() {
        let key = format!("{base}.models[{i}]");
        match file.models.keys().position(|known| known == name) {
            Some(index) if models.contains(&index) => report.problem(key, "named twice; take one out"),
            Some(index) => models.push(index),
            // Its section was refused whole.
            None if report.has(&format!("models.{name}")) => {}
            None => {
                let near = words::suggestion(name, file.models.keys().map(String::as_str));
                report.problem(key, format!("no model {}{near}", words::quoted(name)));
            }
        }
    }
    if written.models.is_none() {
        models = (0..file.models.len()).collect();
    }
    // What a model that was refused is for is anybody's guess.
    let sound = |index: &usize| !report.has(&format!("models.{}.onnx", known[*index].name));
    let models: Vec<usize> = models.into_iter().filter(sound).collect();
    let (models, problem) = in_order(known, models);
    if let Some(problem) = problem {
        report.problem(format!("{base}.models"), problem);
    }
    models
}

/// Models of one camera, the one that feeds the tracker first; and what keeps them from working together.
fn in_order(known: &[Arc<Model>], mut models: Vec<usize>) -> (Vec<usize>, Option<String>) {
    models.sort_by_key(|index| known[*index].task);
    let twice = models.windows(2).find(|pair| known[pair[0]].task == known[pair[1]].task);
    let problem = match (twice, models.first().map(|index| &known[*index])) {
        (Some(pair), _) => {
            let [a, b] = [pair[0], pair[1]].map(|index| &known[index]);
            Some(format!("{:?} and {:?} are both of task {}; name the one to use", a.name, b.name, a.task.name()))
        }
        (None, Some(first)) if first.task == Task::Reid => {
            Some("reid alone finds nothing; name a model of task detection, pose or segmentation too".to_owned())
        }
        // A detector has been told so where it is configured.
        (None, Some(first))
            if first.task != Task::Detection
                && (first.cadence.every_n_frames > 1 || first.cadence.run_on != RunOn::Frames) =>
        {
            Some(format!(
                "{:?} feeds the tracker with every analysed frame here, so every_n_frames and run_on are not for it; \
                 add a detector, or take them out",
                first.name
            ))
        }
        _ => None,
    };
    (models, problem)
}

/// The models of a camera by their names, in the order that [`Camera::models`] wants; `None`: all of the
/// configuration. Where a model is named that would feed the tracker, its own cadence does not count.
///
/// # Errors
/// A name that is none, or what keeps them from working together.
pub fn models_by_name(config: &Config, names: Option<&[String]>) -> Result<Vec<usize>, String> {
    let find = |name: &String| {
        let known = config.models.iter().map(|model| model.name.as_str());
        let near = words::suggestion(name, known);
        config
            .models
            .iter()
            .position(|model| model.name == *name)
            .ok_or(format!("no model {}{near}", words::quoted(name)))
    };
    let indices = match names {
        Some(names) => names.iter().map(find).collect::<Result<Vec<_>, _>>()?,
        None => (0..config.models.len()).collect(),
    };
    let mut known = config.models.clone();
    for model in &mut known {
        let mut free = Model::clone(model);
        free.cadence.every_n_frames = 1;
        free.cadence.run_on = RunOn::Frames;
        *model = Arc::new(free);
    }
    match in_order(&known, indices) {
        (models, None) => Ok(models),
        (_, Some(problem)) => Err(problem),
    }
}

/// Kinds of sources that some keys are for.
const RTSP: u8 = 1;
const HTTP: u8 = 2;
const FILE: u8 = 4;
const LOCAL: u8 = 8;

fn source(written: &file::Camera, key: &str, report: &mut Report) -> SourceKind {
    let nowhere = SourceKind::Rtsp { url: String::new() };
    let url_key = format!("{key}.url");
    let Some(url) = &written.url else { return nowhere };
    let address = match address::parse(url) {
        Ok(address) => address,
        Err(message) => {
            report.problem(url_key, message);
            return nowhere;
        }
    };
    for name in misplaced(written, kind(&address)) {
        let message = match name {
            "transport" | "latency_ms" => "is for RTSP, which this url is not; take it out",
            "repeat" => "is for files, which this url is not; take it out",
            "width_px" | "height_px" | "fps" => {
                "is for v4l2, csi and test, which this url is not; take it out (for fewer analysed frames: detect_fps)"
            }
            _ => "is for RTSP and HTTP, which this url is not; take it out",
        };
        report.problem(format!("{key}.{name}"), message);
    }
    if written.width_px.is_some() != written.height_px.is_some() {
        let [set, missing] =
            if written.width_px.is_some() { ["width_px", "height_px"] } else { ["height_px", "width_px"] };
        if !report.has(&format!("{key}.{missing}")) {
            report.problem(format!("{key}.{set}"), format!("needs {missing}; add it"));
        }
    }
    if let Address::File(path) = &address {
        let like_a_host = first_part_is_a_host(path);
        let path = report.folder(&url_key).join(path);
        // Recordings may lie on a volume that is mounted later.
        if !path.is_file() {
            let message = if like_a_host {
                "no such file now; if a camera is meant, its address begins with rtsp:// or http://"
            } else {
                "no such file now; the camera stays offline until it is there"
            };
            report.warn(&url_key, message);
        }
    }
    let folder = beside("", &url_key, report);
    meant(written, address, &folder)
}

/// `192.0.2.10/stream1`, `camera:554/x`: somebody forgot the scheme.
fn first_part_is_a_host(path: &std::path::Path) -> bool {
    let first =
        path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
    let host = first.split(':').next().unwrap_or_default();
    first.contains(':') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn meant(written: &file::Camera, address: Address, folder: &std::path::Path) -> SourceKind {
    let (width, height, fps) = (written.width_px, written.height_px, written.fps);
    match address {
        Address::Rtsp(url) => SourceKind::Rtsp { url },
        Address::Http(url) => SourceKind::Http { url },
        Address::File(path) => SourceKind::File { path: folder.join(path), repeat: written.repeat.unwrap_or(false) },
        Address::V4l2(device) => SourceKind::V4l2 { device, width, height, fps },
        Address::Csi(sensor) => SourceKind::Csi { sensor, width, height, fps },
        Address::Test(pattern) => SourceKind::Test {
            pattern,
            width: width.unwrap_or(640),
            height: height.unwrap_or(480),
            fps: fps.unwrap_or(15),
        },
    }
}

fn kind(address: &Address) -> u8 {
    match address {
        Address::Rtsp(_) => RTSP,
        Address::Http(_) => HTTP,
        Address::File(_) => FILE,
        Address::V4l2(_) | Address::Csi(_) | Address::Test(_) => LOCAL,
    }
}

/// Keys that are set and do nothing for this kind of source.
fn misplaced(written: &file::Camera, kind: u8) -> Vec<&'static str> {
    [
        ("transport", written.transport.is_some(), RTSP),
        ("latency_ms", written.latency_ms.is_some(), RTSP),
        ("username", written.username.is_some(), RTSP | HTTP),
        ("password_file", written.password_file.is_some(), RTSP | HTTP),
        ("password_env", written.password_env.is_some(), RTSP | HTTP),
        ("password_credential", written.password_credential.is_some(), RTSP | HTTP),
        ("repeat", written.repeat.is_some(), FILE),
        ("width_px", written.width_px.is_some(), LOCAL),
        ("height_px", written.height_px.is_some(), LOCAL),
        ("fps", written.fps.is_some(), LOCAL),
    ]
    .into_iter()
    .filter(|(_, set, kinds)| *set && kind & kinds == 0)
    .map(|(name, ..)| name)
    .collect()
}

/// A camera with the default settings and no models, for a URL from the command line. Its id is `camera`; a relative
/// path starts in the working folder.
///
/// # Errors
/// Where the URL is none, or holds a login, or the login is incomplete. The message repeats no part of the URL but
/// its scheme.
pub fn camera_from_url(url: &str, username: Option<&str>, password: Option<Secret>) -> Result<Camera, Problem> {
    let problem =
        |key: &str, message: &str| Problem { location: None, key: key.to_owned(), message: message.to_owned() };
    let address = address::parse(url).map_err(|message| problem("url", &message))?;
    let credentials = match (username, password) {
        (None, None) => None,
        (Some(username), Some(password)) => Some(Credentials { username: username.to_owned(), password }),
        (Some(_), None) => return Err(problem("username", "has no password; give it too")),
        (None, Some(_)) => return Err(problem("password", "has no user name; give it too")),
    };
    if credentials.is_some() && kind(&address) & (RTSP | HTTP) == 0 {
        return Err(problem("username", "is for RTSP and HTTP, which this url is not; leave it out"));
    }
    let (written, file) = (file::Camera::default(), File::default());
    let camera = camera(&written, "camera", &file, &[], &Variables::new(), &TimeZone::UTC, &mut Report::new());
    let source = meant(&written, address, std::path::Path::new(""));
    Ok(Camera { id: "camera".to_owned(), source, credentials, ..camera })
}
