//! What is known of a camera's frames before any has come.

use crate::config::{Camera, SourceKind};

/// Pixels of a camera's pictures where nobody says.
pub const ASSUMED_SIZE: (u32, u32) = (1920, 1080);

/// Frames a second of a camera where nobody says.
pub const ASSUMED_FPS: f64 = 25.0;

/// A camera's frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frames {
    /// Width and height, pixels.
    pub size: (u32, u32),
    /// It is [`ASSUMED_SIZE`].
    pub size_guessed: bool,
    /// Those that are analysed in a second.
    pub fps: f64,
    /// Nobody limits them, and they are [`ASSUMED_FPS`].
    pub fps_guessed: bool,
}

/// What the configuration says of them, and else what is assumed.
#[must_use]
pub fn frames(camera: &Camera) -> Frames {
    let (size, fps) = match camera.source {
        SourceKind::Test { width, height, fps, .. } => (Some((width, height)), Some(fps)),
        SourceKind::V4l2 { width, height, fps, .. } | SourceKind::Csi { width, height, fps, .. } => {
            (width.zip(height), fps)
        }
        SourceKind::Rtsp { .. } | SourceKind::Http { .. } | SourceKind::File { .. } => (None, None),
    };
    let given = fps.map_or(ASSUMED_FPS, f64::from);
    Frames {
        size: size.unwrap_or(ASSUMED_SIZE),
        size_guessed: size.is_none(),
        fps: camera
            .detect_fps
            .map_or(given, |limit| if fps.is_some() { given.min(f64::from(limit)) } else { f64::from(limit) }),
        fps_guessed: fps.is_none() && camera.detect_fps.is_none(),
    }
}
