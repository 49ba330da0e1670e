//! `[[cameras]]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::{Line, Rule, SceneFault, Zone};
use crate::config::meaning;
use crate::config::words::NAME;

/// A camera.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["id", "url"]))]
pub(in crate::config) struct Camera {
    /// Name in events, metrics and logs: lower-case letters, digits, `_` and `-`, at most 64. Unique.
    #[schemars(regex(pattern = NAME))]
    pub id: Option<String>,
    /// Where frames come from: `rtsp://`, `rtsps://`, `http://`, `https://`, `file:///` or the path of a file,
    /// `v4l2:///dev/video0`, `csi://0`, `test://ball`. Without user name and password.
    #[schemars(length(min = 1, max = 4096))]
    pub url: Option<String>,
    /// User name. RTSP and HTTP only; needs exactly one of the three `password_` keys.
    #[schemars(length(min = 1, max = 256))]
    pub username: Option<String>,
    /// File that holds the password; one newline at its end is left out.
    #[schemars(length(min = 1))]
    pub password_file: Option<String>,
    /// Environment variable that holds the password.
    #[schemars(length(min = 1))]
    pub password_env: Option<String>,
    /// systemd credential that holds the password: the name in the unit's `LoadCredential=`.
    #[schemars(length(min = 1, max = 255))]
    pub password_credential: Option<String>,
    /// How RTP travels: `tcp` (inside the RTSP connection), `udp`, or `auto` (UDP first, then TCP). RTSP only.
    #[schemars(extend("default" = "tcp"))]
    pub transport: Option<meaning::Transport>,
    /// The models that look at this camera, by name, at most one of each task; one of them finds boxes: `detection`
    /// feeds the tracker, else `pose`, else `segmentation`. Default: all there are.
    #[schemars(length(min = 1))]
    pub models: Option<Vec<String>>,
    /// Frames per second that are analysed at most. Default: all.
    #[schemars(range(min = 0.01, max = 1000))]
    pub detect_fps: Option<f64>,
    /// Longest wait for a missing RTP packet, milliseconds. Default: 100; with `transport = "udp"` or `"auto"` 200.
    /// RTSP only.
    #[schemars(range(min = 0, max = 10_000))]
    pub latency_ms: Option<u32>,
    /// Decoder element of GStreamer, by name. Default: the best one there is.
    #[schemars(regex(pattern = NAME))]
    pub decoder: Option<String>,
    /// Begin again at the end. Files only.
    #[schemars(extend("default" = false))]
    pub repeat: Option<bool>,
    /// Width of the picture, pixels; together with `height_px`. `v4l2`, `csi` and `test` only. Default: the camera's
    /// own choice; for `test` 640.
    #[schemars(range(min = 16, max = 8192))]
    pub width_px: Option<u32>,
    /// Height of the picture, pixels; together with `width_px`. `v4l2`, `csi` and `test` only. Default: the camera's
    /// own choice; for `test` 480.
    #[schemars(range(min = 16, max = 8192))]
    pub height_px: Option<u32>,
    /// Frames per second asked of the camera. `v4l2`, `csi` and `test` only. Default: the camera's own choice; for
    /// `test` 15.
    #[schemars(range(min = 1, max = 240))]
    pub fps: Option<u32>,
    /// Longest wait in each step of connecting, seconds.
    #[schemars(range(min = 0.1, max = 3600))]
    pub connect_timeout_s: f64,
    /// Longest wait from connected to the first decoded frame, seconds.
    #[schemars(range(min = 0.1, max = 3600))]
    pub first_frame_timeout_s: f64,
    /// Longest silence once frames flow, seconds.
    #[schemars(range(min = 0.1, max = 3600))]
    pub stall_timeout_s: f64,
    /// First wait before a reconnect, seconds; doubles up to `retry_max_s`.
    #[schemars(range(min = 0.1, max = 3600))]
    pub retry_min_s: f64,
    /// Longest wait before a reconnect, seconds.
    #[schemars(range(min = 0.1, max = 3600))]
    pub retry_max_s: f64,
    /// First wait after a refused password and other refusals that haste would make worse, seconds.
    #[schemars(range(min = 0.1, max = 86_400))]
    pub retry_refused_s: f64,
    /// Parts of the picture with a name, 64 at most.
    #[schemars(length(max = 64))]
    pub zones: Vec<Zone>,
    /// Lines across the picture with a name, 64 at most.
    #[schemars(length(max = 64))]
    pub lines: Vec<Line>,
    /// What else is watched for, 64 at most.
    #[schemars(length(max = 64))]
    pub rules: Vec<Rule>,
    /// What its picture may do without being told of: `frozen`, `black`, `blurred`, `covered`, `moved` (a pan-tilt
    /// head), `fps`, `clock`. Default: nothing.
    #[schemars(length(min = 1))]
    pub scene_ignore: Option<Vec<SceneFault>>,
}

impl Default for Camera {
    fn default() -> Self {
        Self {
            id: None,
            url: None,
            username: None,
            password_file: None,
            password_env: None,
            password_credential: None,
            transport: None,
            models: None,
            detect_fps: None,
            latency_ms: None,
            decoder: None,
            repeat: None,
            width_px: None,
            height_px: None,
            fps: None,
            connect_timeout_s: 5.0,
            first_frame_timeout_s: 10.0,
            stall_timeout_s: 5.0,
            retry_min_s: 0.5,
            retry_max_s: 30.0,
            retry_refused_s: 60.0,
            zones: Vec::new(),
            lines: Vec::new(),
            rules: Vec::new(),
            scene_ignore: None,
        }
    }
}
