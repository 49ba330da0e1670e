//! GStreamer's RTSP server with one mount for each camera.

use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;

use super::Login;
use crate::video::{TO_I420, frame_caps, require};

/// Bits for each pixel: street scenes stay clean at it with the encoder's fastest settings.
const BITS_PER_PIXEL: f64 = 0.6;

/// Frames that may wait for a camera's encoder.
const WAITING: u64 = 2;

/// Role of everyone who has the password.
const ROLE: &str = "viewer";

/// Way into a camera's encoder while somebody watches it.
#[derive(Clone, Default)]
pub(super) struct Watched(Arc<Mutex<Option<gst_app::AppSrc>>>);

/// Why a frame was not taken.
pub(super) enum Refusal {
    /// Nobody watches, or not yet.
    Idle,
    /// The encoder is behind.
    Full,
}

impl Watched {
    fn open(&self, source: gst_app::AppSrc) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    /// Forgets `source`, but not the next watcher's, which may have come before this one's end was told.
    fn close(&self, source: &gst_app::AppSrc) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take_if(|open| open == source);
    }

    /// The encoder's input, where it can take a frame now.
    pub(super) fn ready(&self) -> Result<Ready, Refusal> {
        let source = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(Refusal::Idle)?;
        if source.current_state() != gst::State::Playing {
            return Err(Refusal::Idle);
        }
        if source.current_level_buffers() >= WAITING {
            return Err(Refusal::Full);
        }
        let (clock, base) = source.clock().zip(source.base_time()).ok_or(Refusal::Idle)?;
        Ok(Ready { source, clock, base })
    }
}

/// An encoder that waits for a frame.
pub(super) struct Ready {
    source: gst_app::AppSrc,
    clock: gst::Clock,
    base: gst::ClockTime,
}

impl Ready {
    /// Hands over the frame taken at `taken`. False where the watcher left meanwhile.
    pub(super) fn push(&self, rgba: &[u8], taken: Instant) -> bool {
        let age = gst::ClockTime::from_nseconds(u64::try_from(taken.elapsed().as_nanos()).unwrap_or(u64::MAX));
        let running = self.clock.time().checked_sub(age).and_then(|time| time.checked_sub(self.base));
        // Taken before the watcher's stream began.
        let Some(pts) = running else { return false };
        let mut buffer = gst::Buffer::from_slice(rgba.to_vec());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
        }
        self.source.push_buffer(buffer).is_ok()
    }
}

/// The server and its thread.
pub(super) struct Mounts {
    port: u16,
    watched: Vec<Watched>,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
}

impl Mounts {
    /// Serves `/ID` for each of `ids` at `port` of 127.0.0.1 (0: a free one); pictures of `size` (width, height).
    pub(super) fn start(ids: &[String], size: (u32, u32), fps: f64, port: u16, login: Option<&Login>) -> Result<Self> {
        require(&["appsrc", "videoconvert", "capsfilter", "x264enc", "h264parse", "rtph264pay", "rtpbin", "udpsink"])?;
        let caps = frame_caps(size.0, size.1, fps)?;
        let kbit = (f64::from(size.0) * f64::from(size.1) * fps * BITS_PER_PIXEL / 1000.0).clamp(100.0, 50_000.0);
        let launch = format!(
            "( appsrc name=source format=time is-live=true max-buffers={WAITING} max-bytes=0 ! {TO_I420} \
             ! x264enc tune=zerolatency speed-preset=ultrafast threads=1 bframes=0 bitrate={} key-int-max={} \
             ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )",
            kbit as u32,
            (fps * 2.0).round().max(1.0) as u32
        );
        let server = gst_rtsp_server::RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        if let Some(login) = login {
            server.set_auth(Some(&digest(login)));
        }
        let points = server.mount_points().context("the RTSP server has no mount points")?;
        let watched: Vec<Watched> = ids.iter().map(|_| Watched::default()).collect();
        for (id, watched) in ids.iter().zip(&watched) {
            points.add_factory(&format!("/{id}"), factory(&launch, &caps, watched.clone(), login.is_some()));
        }
        let context = glib::MainContext::new();
        let main_loop = glib::MainLoop::new(Some(&context), false);
        let (ready, started) = mpsc::channel();
        let running = main_loop.clone();
        let thread = std::thread::Builder::new()
            .name("rtsp".to_owned())
            .spawn(move || serve(&server, &context, &running, &ready))
            .context("the RTSP server's thread cannot be started")?;
        match started.recv() {
            Ok(Ok(port)) => Ok(Self { port, watched, main_loop, thread: Some(thread) }),
            Ok(Err(e)) => bail!("127.0.0.1:{port} cannot be opened: {e}"),
            Err(_) => bail!("the RTSP server's thread ended at once"),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Ways into the encoders, in the order of the ids.
    pub(super) fn watched(&self) -> Vec<Watched> {
        self.watched.clone()
    }

    /// Cuts all watchers off and frees the port.
    pub(super) fn stop(&mut self) {
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's work: accepts connections until the loop is told to quit.
fn serve(
    server: &gst_rtsp_server::RTSPServer,
    context: &glib::MainContext,
    main_loop: &glib::MainLoop,
    ready: &mpsc::Sender<Result<u16, glib::Error>>,
) {
    let source = match server.create_source(gst_rtsp_server::gio::Cancellable::NONE) {
        Ok(source) => source,
        Err(e) => {
            let _ = ready.send(Err(e));
            return;
        }
    };
    source.attach(Some(context));
    // Sessions of watchers over UDP that left without a word.
    let pool = server.session_pool();
    let cleaning = glib::timeout_source_new(Duration::from_secs(10), None, glib::Priority::DEFAULT, move || {
        if let Some(pool) = &pool {
            pool.cleanup();
        }
        glib::ControlFlow::Continue
    });
    cleaning.attach(Some(context));
    // Told from within the loop: a request to quit that came before `run` would be lost.
    let (ready, port) = (ready.clone(), u16::try_from(server.bound_port()).unwrap_or_default());
    context.invoke(move || {
        let _ = ready.send(Ok(port));
    });
    main_loop.run();
    cleaning.destroy();
    source.destroy();
    server.client_filter(Some(&mut |_, _| gst_rtsp_server::RTSPFilterResult::Remove));
    // Closed connections say goodbye in here.
    while context.pending() {
        context.iteration(false);
    }
}

/// Asks for the password by digest; basic authentication would send it in the clear.
fn digest(login: &Login) -> gst_rtsp_server::RTSPAuth {
    let auth = gst_rtsp_server::RTSPAuth::new();
    auth.set_supported_methods(gst_rtsp_server::gst_rtsp::RTSPAuthMethod::Digest);
    let token =
        gst_rtsp_server::RTSPToken::builder().field(gst_rtsp_server::RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE).build();
    auth.add_digest(&login.username, &login.password, &token);
    auth
}

/// One camera's pipeline, shared by all its watchers, there only while it has any.
fn factory(launch: &str, caps: &gst::Caps, watched: Watched, guarded: bool) -> gst_rtsp_server::RTSPMediaFactory {
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(launch);
    factory.set_shared(true);
    if guarded {
        let role = gst::Structure::builder(ROLE)
            .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_ACCESS, true)
            .field(gst_rtsp_server::RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, true)
            .build();
        factory.add_role_from_structure(&role);
    }
    let caps = caps.clone();
    factory.connect_media_configure(move |_, media| {
        let element = media.element();
        let source = element.downcast_ref::<gst::Bin>().and_then(|bin| bin.by_name("source"));
        let Some(source) = source.and_then(|s| s.downcast::<gst_app::AppSrc>().ok()) else { return };
        source.set_caps(Some(&caps));
        watched.open(source.clone());
        let watched = watched.clone();
        media.connect_unprepared(move |_| watched.close(&source));
    });
    factory
}
