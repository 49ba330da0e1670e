//! The description of a session.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::clip::{Clip, Codec};
use crate::faults::{Audio, Faults};

const HEAD: &str =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=fault-camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=range:npt=now-\r\n";
const HUGE: usize = 10_000_000;

/// What a track of a session carries. The number is its place in the control URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    Video = 0,
    Audio = 1,
    Metadata = 2,
}

impl Medium {
    pub(crate) fn from_control(path: &str) -> Option<Self> {
        match path.rsplit_once("/track-")?.1 {
            "0" => Some(Self::Video),
            "1" => Some(Self::Audio),
            "2" => Some(Self::Metadata),
            _ => None,
        }
    }

    pub(crate) fn payload_type(self, codec: Codec) -> u8 {
        match (self, codec) {
            (Self::Video, Codec::Jpeg) => 26,
            (Self::Video, _) => 96,
            (Self::Audio, _) => 8,
            (Self::Metadata, _) => 107,
        }
    }

    pub(crate) fn clock_rate(self) -> f64 {
        if self == Self::Audio { 8000.0 } else { 90_000.0 }
    }
}

/// The description of a clip; `base` is the URL of the session.
pub(crate) fn describe(clip: &Clip, faults: &Faults, base: &str) -> String {
    if faults.bad_sdp {
        return "<html>not a description</html>".to_owned();
    }
    let mut sdp = HEAD.to_owned();
    let mut media = Vec::new();
    if !faults.no_video {
        media.push((Medium::Video, video(clip, faults)));
        let audio = (Medium::Audio, "m=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n".to_owned());
        match faults.audio {
            Some(Audio::BeforeVideo) => media.insert(0, audio),
            Some(Audio::AfterVideo) => media.push(audio),
            None => {}
        }
        if faults.metadata {
            let text = "m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\n";
            media.push((Medium::Metadata, text.to_owned()));
        }
    }
    for (medium, text) in media {
        let _ = write!(sdp, "{text}a=control:{base}/track-{}\r\n", medium as u8);
    }
    if faults.huge_sdp {
        let line = format!("a=x-filler:{}\r\n", "x".repeat(200));
        sdp.push_str(&line.repeat(HUGE / line.len()));
    }
    sdp
}

fn video(clip: &Clip, faults: &Faults) -> String {
    let sets = if faults.no_sprop { Vec::new() } else { clip.parameter_sets() };
    let encoded: Vec<String> = sets.iter().map(|set| STANDARD.encode(set)).collect();
    match (clip.codec, &sets[..]) {
        (Codec::Jpeg, _) => "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\n".to_owned(),
        (Codec::H264, [[_, a, b, c, ..], _, ..]) => format!(
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
             a=fmtp:96 packetization-mode=1;profile-level-id={a:02x}{b:02x}{c:02x};sprop-parameter-sets={}\r\n",
            encoded.join(",")
        ),
        (Codec::H264, _) => {
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n".to_owned()
        }
        (Codec::H265, [_, _, _, ..]) => format!(
            "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\na=fmtp:96 sprop-vps={};sprop-sps={};sprop-pps={}\r\n",
            encoded[0], encoded[1], encoded[2]
        ),
        (Codec::H265, _) => "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H265/90000\r\n".to_owned(),
    }
}
