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
        let here = home(url);
        bus.set_sync_handler(move |_, message| {
            if let gst::MessageView::Progress(progress) = message.view() {
                let (_, code, text) = progress.get();
                if code == "connect"
                    && let Some(target) = text.strip_prefix("Connecting to ")
                {
                    hops.connects.fetch_add(1, Ordering::Relaxed);
                    if here.is_none() || home(target) != here {
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

/// Scheme, host and port of a URL; `None` where it has userinfo: libraries do not agree where that ends,
/// so such a target is never home.
fn home(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
    if rest.contains('@') && rest.split(['/', ' ']).next().is_some_and(|part| part.contains('@')) {
        return None;
    }
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let default_port = if scheme == "rtsps" { ":322" } else { ":554" };
    let authority = authority.strip_suffix(default_port).map(str::to_owned).unwrap_or(authority);
    Some((scheme, authority))
}

#[cfg(test)]
mod tests {
    use super::home;

    #[test]
    fn homes_compare_without_case_and_default_port() {
        assert_eq!(home("rtsp://Cam.local:554/x?y"), home("rtsp://cam.local/z"));
        assert_eq!(home("rtsps://cam.local:322/x"), home("rtsps://cam.local/z"));
        assert_ne!(home("rtsp://cam.local:8554/x"), home("rtsp://cam.local/x"));
        assert_ne!(home("rtsp://evil/cam.local"), home("rtsp://cam.local/"));
        assert_ne!(home("rtsp://cam.local:7/"), home("rtsps://cam.local:7/"), "a password in clear is not home");
    }

    #[test]
    fn a_target_with_userinfo_is_nobodys_home() {
        assert_eq!(home("rtsp://a:b@evil:1@cam.local/x"), None);
        assert_eq!(home("rtsp://u@cam.local/"), None);
        assert_eq!(home("rtsp://u?p@cam.local/"), None);
    }
}
