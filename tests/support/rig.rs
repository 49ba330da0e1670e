//! One source without anything behind it: its frames are counted, its notices kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use watchkeeper::config::{Camera, Policy, Transport, camera_from_url};
use watchkeeper::source::slot::{FrameSlot, Take};
use watchkeeper::source::{self, Delivery, FaultClass, Notice, Setup, Source};
use watchkeeper::telemetry::metrics::CameraMetrics;
use watchkeeper::telemetry::progress::Progress;
use watchkeeper::types::frame::FrameMeta;
use watchkeeper::types::secret::Secret;

/// A source under test.
pub struct Rig {
    source: Option<Source>,
    slot: Arc<FrameSlot>,
    pub metrics: Arc<CameraMetrics>,
    notices: Arc<Mutex<Vec<(Duration, Notice)>>>,
    frames: Arc<Mutex<Vec<FrameMeta>>>,
    taker: Option<JoinHandle<()>>,
    done: Arc<AtomicBool>,
    pub began: Instant,
}

/// A camera with the shipped defaults.
pub fn camera(url: &str) -> Camera {
    camera_from_url(url, None, None).unwrap()
}

/// A camera with the shipped defaults, a user and a password.
pub fn camera_with_login(url: &str, username: &str, password: &str) -> Camera {
    camera_from_url(url, Some(username), Some(Secret::new(password))).unwrap()
}

/// The same over UDP.
pub fn udp(mut camera: Camera) -> Camera {
    camera.transport = Transport::Udp;
    camera.latency = Duration::from_millis(200);
    camera
}

impl Rig {
    pub fn start(camera: Camera) -> Self {
        Self::start_with(camera, Policy::Any)
    }

    pub fn start_with(camera: Camera, policy: Policy) -> Self {
        process::prepare(&[], &[]);
        source::init().unwrap();
        let slot = Arc::new(FrameSlot::new(Delivery::Newest));
        let metrics = Arc::new(CameraMetrics::new(&camera.id));
        let (notices, frames) = (Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let began = Instant::now();
        let told = Arc::clone(&notices);
        let source = Source::start(Setup {
            camera: Arc::new(camera),
            policy,
            delivery: Delivery::Newest,
            slot: Arc::clone(&slot),
            metrics: Arc::clone(&metrics),
            ring: None,
            stage: Progress::default().stage("test"),
            notify: Arc::new(move |notice| told.lock().unwrap().push((began.elapsed(), notice))),
        })
        .unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let (from, to, stop) = (Arc::clone(&slot), Arc::clone(&frames), Arc::clone(&done));
        let taker = std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                if let Take::Frame(frame) = from.take(Duration::from_millis(50)) {
                    to.lock().unwrap().push(frame.meta);
                }
            }
        });
        Self { source: Some(source), slot, metrics, notices, frames, taker: Some(taker), done, began }
    }

    /// The first failure and when it was told, since the start.
    pub fn first_fault(&self) -> Option<(Duration, FaultClass, String)> {
        self.notices.lock().unwrap().iter().find_map(|(at, notice)| match notice {
            Notice::Offline { fault, .. } => Some((*at, fault.class, fault.detail.clone())),
            _ => None,
        })
    }

    pub fn notices(&self) -> Vec<(Duration, Notice)> {
        self.notices.lock().unwrap().clone()
    }

    pub fn onlines(&self) -> usize {
        self.notices().iter().filter(|(_, notice)| matches!(notice, Notice::Online { .. })).count()
    }

    pub fn frames(&self) -> Vec<FrameMeta> {
        self.frames.lock().unwrap().clone()
    }

    pub fn facts(&self) -> Arc<source::StreamFacts> {
        Arc::clone(self.source.as_ref().unwrap().facts())
    }

    /// Stops it; answers how long that took.
    pub fn stop(mut self) -> Duration {
        self.stop_now()
    }

    fn stop_now(&mut self) -> Duration {
        let began = Instant::now();
        if let Some(source) = self.source.take() {
            source.stop();
            self.slot.close();
            source.join();
        }
        let took = began.elapsed();
        self.done.store(true, Ordering::SeqCst);
        if let Some(taker) = self.taker.take() {
            let _ = taker.join();
        }
        took
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop_now();
    }
}
