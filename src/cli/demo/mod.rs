//! `watchkeeper demo`: synthetic cameras, the daemon, and what it sees, in the terminal and in pictures.

mod cameras;
mod pictures;
mod screen;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;

use self::cameras::Cameras;
use self::pictures::Pictures;
use self::screen::{Board, Screen};
use super::Exit;
use crate::config::{Config, SourceKind};
use crate::daemon::{self, Outcome};
use crate::pipeline::{Observer, Publish, Report};
use crate::telemetry::log;
use crate::types::objects::FrameObjects;

/// Holds the password of the demo's cameras.
const PASSWORD: &str = "WATCHKEEPER_DEMO_PASSWORD";
/// The screen is drawn this often on a terminal, and a line is printed this often elsewhere.
const REDRAW: Duration = Duration::from_millis(500);
const TELL: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Configuration file; its cameras must be those that `streetscene serve` serves
    #[arg(long, short, value_name = "FILE", default_value = "configs/demo.toml")]
    config: PathBuf,
    /// Ends after this many seconds; default: Ctrl-C ends it
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: Option<u32>,
    /// Folder for the annotated pictures, one a camera, and the log; default: `state_dir` of the configuration
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> anyhow::Result<Exit> {
    // A password of this run only; the cameras get it the same way as the configuration.
    let password = cameras::password()?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name != PASSWORD)
        .chain([(PASSWORD.to_owned(), password.clone())]);
    let environment: Vec<(String, String)> = environment.collect();
    let load = || crate::config::load_with_env(&args.config, environment.iter().cloned());
    let state_dir = load()?.config.runtime.state_dir;
    let out = args.out.clone().unwrap_or_else(|| state_dir.clone());
    for folder in [&state_dir, &out] {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    // Once more, now that its folders are there: what it warns of is worth a look.
    let loaded = load()?;
    let mut config = loaded.config;
    let log_file = out.join("demo.log");
    let _log = log::init_file(&config.log, &log_file)?;
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }

    let cameras = Cameras::start(&config, &password)?;
    use_port(&mut config, cameras.port());
    let board = Arc::new(Mutex::new(Board::new(&config)));
    let mut screen = Screen::start(Arc::clone(&board), &out, &log_file)?;
    let observer = observer(&config, &out, Arc::clone(&board));
    if let Some(seconds) = args.seconds {
        end_after(Duration::from_secs(seconds.into()))?;
    }
    let outcome = daemon::run(&config, None, Some(observer));
    screen.stop();
    cameras.stop();
    Ok(match outcome? {
        Outcome::Drained => Exit::Done,
        Outcome::Overdue => Exit::TryAgain,
        Outcome::Broken => Exit::Internal,
        Outcome::DeviceLost => Exit::DeviceLost,
    })
}

/// The cameras may have had to take another port than the configuration names.
fn use_port(config: &mut Config, port: u16) {
    for camera in &mut config.cameras {
        let mut changed = crate::config::Camera::clone(camera);
        if let SourceKind::Rtsp { url } = &mut changed.source
            && let Ok(mut parsed) = url::Url::parse(url)
            && parsed.set_port(Some(port)).is_ok()
        {
            *url = parsed.to_string();
        }
        *camera = Arc::new(changed);
    }
}

/// Watches the daemon for the board and the pictures.
fn observer(config: &Config, out: &Path, board: Arc<Mutex<Board>>) -> Observer {
    let mut pictures = Pictures::new(config, out);
    let see = move |report: &Report| {
        let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
        match report {
            Report::Frame(result) => {
                board.frame(result);
                pictures.frame(result, board.identities());
            }
            Report::Event(draft) => board.event(draft),
            Report::Stop { .. } => {}
        }
    };
    Observer { publish: Publish::Pictures, see: Box::new(see) }
}

fn end_after(time: Duration) -> anyhow::Result<()> {
    std::thread::Builder::new().name("demo end".to_owned()).spawn(move || {
        std::thread::sleep(time);
        let _ = signal_hook::low_level::raise(signal_hook::consts::SIGTERM);
    })?;
    Ok(())
}

/// Counts of what further models gave: poses, masks, embeddings.
fn details(objects: &FrameObjects) -> [usize; 3] {
    let mut counts = [0; 3];
    for at in 0..objects.tracks().len() {
        counts[0] += usize::from(objects.pose(at).is_some());
        counts[1] += usize::from(objects.mask(at).is_some());
        counts[2] += usize::from(objects.embedding(at).is_some());
    }
    counts
}
