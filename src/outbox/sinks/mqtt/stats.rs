//! Figures of the daemon and its cameras.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Instant;

use serde_json::json;

use crate::telemetry::metrics::{CameraMetrics, Metrics};

/// Frames per second since the last time.
pub(super) struct Rates {
    since: Instant,
    /// Received and inferred, by camera.
    frames: BTreeMap<String, [u64; 2]>,
}

impl Rates {
    pub(super) fn new() -> Self {
        started();
        Self { since: Instant::now(), frames: BTreeMap::new() }
    }

    /// The figures, JSON.
    pub(super) fn stats(&mut self, metrics: &Metrics) -> Vec<u8> {
        let seconds = self.since.elapsed().as_secs_f64().max(1.0);
        self.since = Instant::now();
        let mut cameras = serde_json::Map::new();
        let mut online = 0;
        for camera in metrics.cameras() {
            let frames = [camera.received.get(), camera.inferred.get()];
            let before = self.frames.insert(camera.id.clone(), frames).unwrap_or_default();
            let [fps, inferred] =
                [0, 1].map(|at| (frames[at].saturating_sub(before[at]) as f64 / seconds * 10.0).round() / 10.0);
            online += u32::from(camera.status().online);
            let figures = json!({
                "status": status(&camera),
                "fps": fps,
                "inferred_fps": inferred,
                "inferred": frames[1],
                "replaced": camera.replaced.get(),
            });
            cameras.insert(camera.id.clone(), figures);
        }
        let stats = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_s": started().elapsed().as_secs(),
            "cameras_online": online,
            "events": metrics.events_total(),
            "cameras": cameras,
        });
        stats.to_string().into_bytes()
    }
}

/// When the first sink of this kind was opened: about when the daemon began.
fn started() -> Instant {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    *STARTED.get_or_init(Instant::now)
}

/// What a camera does, in one word.
pub(super) fn status(camera: &CameraMetrics) -> &'static str {
    let status = camera.status();
    match (status.online, status.fault.is_empty()) {
        (false, _) => "offline",
        (true, true) => "online",
        (true, false) => "degraded",
    }
}
