//! Why a session ended: GStreamer's many errors in a few stable words.

use std::fmt;

use crate::telemetry::redact::redact;

/// Class of a failure; its words are stable in logs, metrics and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultClass {
    /// Refused, no route, no such host.
    Unreachable,
    /// No answer within the time-out.
    Timeout,
    /// User or password refused (401).
    Auth,
    /// Access refused (403).
    Forbidden,
    /// No such stream, file or device (404).
    NotFound,
    /// The camera has no session left (453, 503), or the device is in use.
    Busy,
    /// The camera failed (5xx).
    ServerError,
    /// The camera does not offer this transport (461).
    Transport,
    /// Sent on to another host, or round in circles.
    Redirected,
    /// The description has no video.
    NoVideo,
    /// No decoder for this codec, or none the policy allows.
    UnsupportedCodec,
    /// The connection ended.
    Disconnected,
    /// What came is not RTSP or RTP.
    Protocol,
    /// Connected, but no packet came.
    NoData,
    /// Packets came, then no more.
    Stall,
    /// Packets come, but no picture can be put together: no parameter sets.
    NoParameterSets,
    /// Pictures come, but none can be decoded.
    NoFrames,
    /// The decoder gave up.
    Decode,
    /// Anything else.
    Internal,
}

impl FaultClass {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Auth => "auth",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Busy => "busy",
            Self::ServerError => "server_error",
            Self::Transport => "transport",
            Self::Redirected => "redirected",
            Self::NoVideo => "no_video",
            Self::UnsupportedCodec => "unsupported_codec",
            Self::Disconnected => "disconnected",
            Self::Protocol => "protocol",
            Self::NoData => "no_data",
            Self::Stall => "stall",
            Self::NoParameterSets => "no_parameter_sets",
            Self::NoFrames => "no_frames",
            Self::Decode => "decode",
            Self::Internal => "internal",
        }
    }

    /// True where haste makes it worse: cameras lock accounts, and what is not there seldom appears.
    #[must_use]
    pub const fn retry_slowly(self) -> bool {
        matches!(self, Self::Auth | Self::Forbidden | Self::NotFound | Self::NoVideo | Self::UnsupportedCodec)
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => "check address, port, cable and firewall",
            Self::Timeout => "the host does not answer in time; check network and load of the camera",
            Self::Auth => "check username and password",
            Self::Forbidden => "give this user the right to view the stream",
            Self::NotFound => "check the path",
            Self::Busy => "the camera or device has no session left; close other viewers",
            Self::ServerError => "the camera failed; restart it",
            Self::Transport => "set transport = \"tcp\", \"udp\" or \"auto\"",
            Self::Redirected => "use the address that the camera sends us to",
            Self::NoVideo => "choose a stream that has video",
            Self::UnsupportedCodec => "install what the detail names, or choose another codec, decoder or policy",
            Self::Disconnected => "the camera closed the connection",
            Self::Protocol => "what comes is not valid RTSP; check that address and port are the camera's",
            Self::NoData => "the camera sends nothing; with transport = \"udp\" check the firewall, or use \"tcp\"",
            Self::Stall => "the camera stopped sending; check network and camera",
            Self::NoParameterSets => "the camera sends no SPS/PPS; restart it or change its codec settings",
            Self::NoFrames => "the decoder gives no picture; try another with decoder = \"...\"",
            Self::Decode => "the stream or file is damaged, or the decoder failed",
            Self::Internal => "see the details in the log",
        }
    }
}

impl fmt::Display for FaultClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its class.
    pub class: FaultClass,
    /// In words, without secrets.
    pub detail: String,
}

impl Fault {
    pub(super) fn new(class: FaultClass, detail: impl AsRef<str>) -> Self {
        Self { class, detail: one_line(&redact(detail.as_ref())) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.class, self.detail, self.class.advice())
    }
}

/// Camera strings must not forge log lines.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

/// An error message from the bus.
pub(super) fn classify(message: &gst::message::Error) -> Fault {
    let error = message.error();
    let debug = message.debug().map(|d| d.to_string()).unwrap_or_default();
    // The last line of the debug text is what the element wrote; before it stand file and function.
    let detail = match debug.lines().skip(1).last() {
        Some(words) => format!("{} [{words}]", error.message()),
        None => error.message().to_owned(),
    };
    let status = message.details().and_then(|details| {
        details.get::<u32>("rtsp-status-code").or_else(|_| details.get::<u32>("http-status-code")).ok()
    });
    if let Some(code) = status {
        return Fault::new(by_status(code), format!("the camera answered {code}: {detail}"));
    }
    Fault::new(by_domain(&error, &debug, &detail), detail)
}

fn by_status(code: u32) -> FaultClass {
    match code {
        401 | 407 => FaultClass::Auth,
        403 => FaultClass::Forbidden,
        404 | 410 => FaultClass::NotFound,
        453 | 503 => FaultClass::Busy,
        461 => FaultClass::Transport,
        300..=399 => FaultClass::Redirected,
        454 | 455 | 500..=599 => FaultClass::ServerError,
        _ => FaultClass::Protocol,
    }
}

/// Domain and code first; then the debug text, which is not translated (messages are).
fn by_domain(error: &gst::glib::Error, debug: &str, detail: &str) -> FaultClass {
    use gst::{CoreError, ResourceError, StreamError};
    if let Some(kind) = error.kind::<ResourceError>() {
        return match kind {
            ResourceError::NotFound => FaultClass::NotFound,
            ResourceError::NotAuthorized => FaultClass::Auth,
            // 1.20 says this of a plain 404, and has no details.
            ResourceError::OpenRead if debug.contains("authentication protocol") => FaultClass::NotFound,
            ResourceError::OpenRead | ResourceError::OpenReadWrite if debug.contains("Timeout") => FaultClass::Timeout,
            ResourceError::OpenRead | ResourceError::OpenReadWrite => FaultClass::Unreachable,
            ResourceError::Read if debug.contains("Timeout") => FaultClass::Timeout,
            ResourceError::Read if debug.contains("UDP packets") => FaultClass::NoData,
            ResourceError::Read if debug.contains("Parse error") => FaultClass::Protocol,
            ResourceError::Read => FaultClass::Disconnected,
            ResourceError::Write if detail.contains("(453)") || detail.contains("(503)") => FaultClass::Busy,
            ResourceError::Write => FaultClass::ServerError,
            ResourceError::Settings => FaultClass::NoVideo,
            ResourceError::Busy => FaultClass::Busy,
            _ => FaultClass::Internal,
        };
    }
    if let Some(kind) = error.kind::<StreamError>() {
        return match kind {
            StreamError::CodecNotFound if error.message().contains("transport protocol") => FaultClass::Transport,
            StreamError::CodecNotFound | StreamError::WrongType | StreamError::TypeNotFound => {
                FaultClass::UnsupportedCodec
            }
            StreamError::Format if detail.contains("transport") => FaultClass::Transport,
            // A depayloader that cannot read what came.
            StreamError::Format => FaultClass::Protocol,
            StreamError::Decode | StreamError::Demux => FaultClass::Decode,
            StreamError::Failed if debug.contains("not-linked") => FaultClass::Protocol,
            StreamError::Failed => FaultClass::Decode,
            _ => FaultClass::Internal,
        };
    }
    match error.kind::<CoreError>() {
        Some(CoreError::MissingPlugin) => FaultClass::UnsupportedCodec,
        _ => FaultClass::Internal,
    }
}
