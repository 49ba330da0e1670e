//! `rtspsrc` follows a redirect to any host and takes the password along. The only place that tells in
//! time is the progress message "Connecting to ...", which is posted before the connection is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use gst::prelude::*;

/// A camera may redirect us this often within one session.
const MOST_HOPS: u32 = 5;

/// What the guard saw.
#[derive(Debug, Default)]
pub(super) struct Hops {
    connects: AtomicU32,
    foreign: AtomicBool,
}

impl Hops {
    /// True where the camera sends us round in circles.
    pub(super) fn too_many(&self) -> bool {
        self.connects.load(Ordering::Relaxed) > MOST_HOPS
    }

    /// True where we were sent to another host.
    pub(super) fn foreign(&self) -> bool {
        self.foreign.load(Ordering::Relaxed)
    }

    /// Watches `bus`; takes user and password from `source` when it is about to connect elsewhere.
    pub(super) fn guard(self: &Arc<Self>, bus: &gst::Bus, source: &gst::Element, url: &str) {
        let hops = Arc::clone(self);
        let source = source.downgrade();
        let home = host(url);
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Progress(progress) = message.view() {
                let (_, code, text) = progress.get();
                if code == "connect"
                    && let Some(target) = text.strip_prefix("Connecting to ")
                {
                    hops.connects.fetch_add(1, Ordering::Relaxed);
                    if host(target) != home {
                        hops.foreign.store(true, Ordering::Relaxed);
                        if let Some(source) = source.upgrade() {
                            source.set_property("user-id", None::<&str>);
                            source.set_property("user-pw", None::<&str>);
                        }
                    }
                }
            }
            gst::BusSyncReply::Pass
        });
    }
}

/// Host and port of a URL, lower case, without userinfo.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', ' ']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
    host.strip_suffix(":554").map(str::to_owned).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn hosts_compare_without_userinfo_case_and_default_port() {
        assert_eq!(host("rtsp://u:p@Cam.local:554/x?y"), "cam.local");
        assert_eq!(host("rtsp://cam.local/x"), "cam.local");
        assert_eq!(host("rtsp://cam.local:8554/x"), "cam.local:8554");
        assert_ne!(host("rtsp://evil/cam.local"), host("rtsp://cam.local/"));
    }
}
