//! GStreamer's own RTSP server on loopback, playing a recording: not our code, so an outside witness.

use std::path::Path;
use std::thread::JoinHandle;

use gst::glib;
use gst_rtsp_server::prelude::*;

/// A running server.
pub struct RtspServer {
    port: u16,
    main_loop: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
}

impl RtspServer {
    /// Serves `file` (H.264 in MP4) at `/stream`, a media of its own for each client.
    pub fn start(port: u16, file: &Path) -> Self {
        Self::start_launch(
            port,
            &format!("( filesrc location={file:?} ! qtdemux ! h264parse ! rtph264pay name=pay0 config-interval=-1 )"),
        )
    }

    /// Serves what `launch` describes.
    pub fn start_launch(port: u16, launch: &str) -> Self {
        gst::init().unwrap();
        let (ready, started) = crossbeam_channel::bounded(1);
        let launch = launch.to_owned();
        let thread = std::thread::spawn(move || {
            let context = glib::MainContext::new();
            let main_loop = glib::MainLoop::new(Some(&context), false);
            let server = gst_rtsp_server::RTSPServer::new();
            server.set_address("127.0.0.1");
            server.set_service(&port.to_string());
            let factory = gst_rtsp_server::RTSPMediaFactory::new();
            factory.set_launch(&launch);
            server.mount_points().unwrap().add_factory("/stream", factory);
            let source = server.create_source(gst_rtsp_server::gio::Cancellable::NONE).unwrap();
            source.attach(Some(&context));
            ready.send((u16::try_from(server.bound_port()).unwrap(), main_loop.clone())).unwrap();
            main_loop.run();
            source.destroy();
            server.client_filter(Some(&mut |_, _| gst_rtsp_server::RTSPFilterResult::Remove));
            // Closed connections say goodbye in here.
            while context.pending() {
                context.iteration(false);
            }
        });
        let (port, main_loop) = started.recv().unwrap();
        Self { port, main_loop, thread: Some(thread) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/stream", self.port)
    }

    /// Cuts all clients off and frees the port.
    pub fn stop(mut self) {
        self.stop_now();
    }

    fn stop_now(&mut self) {
        self.main_loop.quit();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for RtspServer {
    fn drop(&mut self) {
        self.stop_now();
    }
}
