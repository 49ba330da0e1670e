//! What happens, in the terminal: cameras, frames per second, tracks, identities, the latest events.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::{REDRAW, TELL, details};
use crate::config::Config;
use crate::pipeline::FrameResult;
use crate::tracking::identity::{self, Gallery, Model, Settings, TrackKey};
use crate::types::event::{EventDraft, EventType};

/// Columns that every terminal has.
const COLUMNS: usize = 79;
/// Events shown.
const LATEST: usize = 10;

/// Who is probably the same on several cameras; `None` before the first embedding.
pub(super) type Identities = Option<Gallery>;

/// All that the screen shows.
pub(super) struct Board {
    models: String,
    cameras: BTreeMap<String, Row>,
    events: VecDeque<String>,
    event_count: u64,
    identities: Identities,
    began: Instant,
}

#[derive(Default)]
struct Row {
    online: bool,
    labels: Arc<[String]>,
    /// Frames since the last look, and the rate at it.
    frames: u64,
    fps: f64,
    /// Tracks in the latest frame, by class.
    now: Vec<usize>,
    /// Confirmed tracks so far.
    tracks: u64,
    /// Poses, masks and embeddings so far.
    details: [u64; 3],
}

impl Board {
    pub(super) fn new(config: &Config) -> Self {
        let models: Vec<_> =
            config.models.iter().map(|model| format!("{} ({})", model.name, model.task.name())).collect();
        let row = |camera: &crate::config::Camera| Row {
            labels: camera
                .models
                .first()
                .map_or_else(|| Arc::from([]), |index| Arc::clone(&config.models[*index].labels)),
            ..Row::default()
        };
        Self {
            models: models.join(", "),
            cameras: config.cameras.iter().map(|camera| (camera.id.clone(), row(camera))).collect(),
            events: VecDeque::with_capacity(LATEST),
            event_count: 0,
            identities: None,
            began: Instant::now(),
        }
    }

    pub(super) fn identities(&self) -> &Identities {
        &self.identities
    }

    pub(super) fn frame(&mut self, result: &FrameResult) {
        let Some(row) = self.cameras.get_mut(&*result.camera) else { return };
        row.frames += 1;
        row.now.clear();
        row.now.resize(row.labels.len(), 0);
        for track in result.objects.tracks() {
            if let Some(count) = row.now.get_mut(usize::from(track.class)) {
                *count += 1;
            }
        }
        row.details.iter_mut().zip(details(&result.objects)).for_each(|(sum, n)| *sum += n as u64);
        let tracks = result.objects.tracks();
        let embedding = |at| result.objects.embedding(at);
        if let (None, Some(first)) = (&self.identities, (0..tracks.len()).find_map(embedding)) {
            // They are never kept: any name does for the model.
            let model = Model { digest: String::new(), dim: first.len() };
            self.identities = Some(Gallery::new(Settings::default(), model));
        }
        if let Some(identities) = &mut self.identities {
            let time = result.meta.received.saturating_duration_since(self.began);
            let frame = identity::Frame {
                camera: &result.camera,
                run: result.track_run,
                time,
                media_time: result.meta.media_time,
                size: (result.meta.width, result.meta.height),
                tracks,
                labels: &row.labels,
            };
            identities.see_frame(&frame, embedding);
            identities.advance(time);
            identities.facts();
        }
    }

    pub(super) fn event(&mut self, draft: &EventDraft) {
        if let Some(row) = self.cameras.get_mut(&draft.camera) {
            match draft.event_type {
                EventType::CameraOnline => row.online = true,
                EventType::CameraOffline => row.online = false,
                EventType::ObjectStart => row.tracks += 1,
                _ => {}
            }
        }
        let track = draft.track.as_ref();
        if draft.event_type == EventType::ObjectEnd
            && let Some(identities) = &mut self.identities
            && let Some(key) = track.and_then(|track| key(&track.id))
        {
            identities.end(&key);
        }
        self.event_count += 1;
        if self.events.len() == LATEST {
            self.events.pop_front();
        }
        let what = match track {
            Some(track) => format!("{} {} ({:.2}, {:.1} s)", track.label, track.id, track.top_score, track.age_s),
            None => draft.camera.clone(),
        };
        let at = self.began.elapsed().as_secs_f64();
        self.events.push_back(format!("{at:7.1} s  {:<15} {what}", draft.event_type.name()));
    }

    /// One line a camera, and the latest events.
    fn lines(&mut self, elapsed: f64, with_events: bool) -> String {
        let (mut text, mut sums) = (String::new(), [0; 3]);
        for (id, row) in &mut self.cameras {
            row.fps = row.frames as f64 / elapsed.max(1e-3);
            row.frames = 0;
            let now: Vec<_> =
                row.labels.iter().zip(&row.now).map(|(label, count)| format!("{count} {label}")).collect();
            let state = if row.online { "online" } else { "offline" };
            let now = now.join(", ");
            let _ = writeln!(text, "{id:<10} {state:<8} {:>4.1} fps  {now:<32} {:>4} tracks", row.fps, row.tracks);
            sums.iter_mut().zip(row.details).for_each(|(sum, n)| *sum += n);
        }
        let [poses, masks, embeddings] = sums;
        let people = self.identities.as_ref().map_or(0, |identities| identities.counters().identities);
        let events = self.event_count;
        let _ = writeln!(
            text,
            "{people} people told apart, {events} events, {poses} poses, {masks} masks, {embeddings} embeddings"
        );
        if with_events {
            text.push('\n');
            for event in &self.events {
                let _ = writeln!(text, "{event}");
            }
        }
        text
    }
}

/// `camera:run:number`.
fn key(id: &str) -> Option<TrackKey> {
    let mut parts = id.rsplitn(3, ':');
    let number = parts.next()?.parse().ok()?;
    let run = parts.next()?.parse().ok()?;
    Some(TrackKey { camera: parts.next()?.to_owned(), run, number })
}

/// Draws the board until it is stopped.
pub(super) struct Screen {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    out: PathBuf,
}

impl Screen {
    pub(super) fn start(board: Arc<Mutex<Board>>, out: &Path, log: &Path) -> std::io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let words = format!("pictures in {}, log in {}; Ctrl-C ends it", out.display(), log.display());
        let models = board.lock().unwrap_or_else(PoisonError::into_inner).models.clone();
        let mut stdout = std::io::stdout();
        writeln!(
            stdout,
            "watchkeeper demo: synthetic cameras over RTSP, inference on the CPU\nmodels: {models}\n{words}"
        )?;
        let thread = std::thread::Builder::new().name("screen".to_owned()).spawn(move || draw(&board, &end))?;
        Ok(Self { ended, thread: Some(thread), out: out.to_owned() })
    }

    pub(super) fn stop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
            let _ = writeln!(std::io::stdout(), "\nthe last annotated pictures: {}/*.jpg", self.out.display());
        }
    }
}

fn draw(board: &Mutex<Board>, ended: &AtomicBool) {
    let terminal = std::io::stdout().is_terminal();
    let every = if terminal { REDRAW * 2 } else { TELL };
    let mut drawn = 0;
    let mut last = Instant::now();
    loop {
        let over = ended.load(Ordering::Relaxed);
        if !over && last.elapsed() < every {
            std::thread::sleep(REDRAW / 5);
            continue;
        }
        let text =
            board.lock().unwrap_or_else(PoisonError::into_inner).lines(last.elapsed().as_secs_f64(), terminal || over);
        last = Instant::now();
        let mut screen = String::new();
        if terminal && drawn > 0 {
            // Up to the first line of what was drawn before, and clear from there.
            let _ = write!(screen, "\x1b[{drawn}A\x1b[J");
        }
        for line in text.lines() {
            // A line that wraps would be two to go up.
            screen.extend(line.chars().take(if terminal { COLUMNS } else { usize::MAX }));
            screen.push('\n');
        }
        drawn = text.lines().count();
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(screen.as_bytes()).and_then(|()| stdout.flush());
        if over {
            return;
        }
    }
}
