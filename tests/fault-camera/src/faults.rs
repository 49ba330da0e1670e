//! What can go wrong, chosen by the query of the URL: `rtsp://127.0.0.1:8554/clip?stall=3&nosr`.
//!
//! `T` is seconds after PLAY, `P` a probability per packet, `S` seconds, `N` a number. Random faults are the same on
//! every run with the same URL. A query with an unknown name or an unreadable value is answered `400 Bad Request`.
//!
//! | media | |
//! |---|---|
//! | `stall=T[:S]` | nothing is sent from T on, for S seconds or for ever; requests are still answered |
//! | `freeze=T` | nothing is sent and nothing is answered any more; the socket stays open |
//! | `close=T`, `rst=T` | the connection ends, politely (FIN) or not (RST) |
//! | `bye=T` | an RTCP BYE, and no media after it |
//! | `garble=T` | 5000 random bytes between the interleaved frames, or as datagrams |
//! | `halfframe=T` | an interleaved frame that announces 65535 bytes and never ends |
//! | `ssrc=T` | a new SSRC, sequence number and timestamp |
//! | `tsjump=T:S` | RTP timestamps jump by S seconds |
//! | `switch=T:clip` | another clip, from its first picture |
//! | `corrupt=P`, `corrupthdr=P` | flipped bits in payloads, in RTP headers |
//! | `drop=P`, `dup=P`, `reorder=P` | packets lost, sent twice, swapped with the next one |
//! | `jitter=MS` | every picture is up to MS milliseconds late |
//! | `fps=N` | pictures per second, in place of the clip's own |
//! | `nodata` | PLAY is answered, and that is all |
//! | `midgop` | starts in the middle of a group of pictures |
//! | `noinband` | no parameter sets in the stream |
//! | `nosr` | no RTCP sender reports |
//! | `skew=S` | the clock in the sender reports is S seconds fast |
//!
//! | session | |
//! |---|---|
//! | `auth=basic`, `auth=digest` | [`USER`](crate::USER) and the camera's password are asked for, except by OPTIONS |
//! | `status=N[:K]` | DESCRIBE is answered with status N, always or the first K times |
//! | `setup=N` | SETUP is answered with status N |
//! | `redir=[HOST:]PORT` | DESCRIBE is redirected to there, the other faults still in the URL |
//! | `redir=self`, `redir=file` | ... to the same URL again; to `file:///etc/hostname` |
//! | `hang=METHOD` | the method is never answered, and nothing after it |
//! | `delay=S` | DESCRIBE is answered late |
//! | `trickle[=MS]` | replies are sent byte by byte, one a second or every MS milliseconds |
//! | `length=N` | `Content-Length: N` with the description, whatever N is |
//! | `tcponly`, `udponly` | the other transport is refused with 461 |
//! | `timeout=S` | sessions time out: without a request for 1.5 S the connection is closed |
//!
//! | description | |
//! |---|---|
//! | `nosprop` | no parameter sets |
//! | `audio`, `audio=first` | a PCMA track after, or before, the video |
//! | `meta` | an ONVIF metadata track |
//! | `control=HOST:PORT` | the tracks' control URLs name another host |
//! | `novideo`, `badsdp`, `hugesdp` | no media at all; not SDP; 10 MB |

use std::str::FromStr;
use std::time::Duration;

/// A fault that happens once, at its time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Freeze,
    Close,
    Reset,
    Bye,
    Garble,
    HalfFrame,
    NewSource,
    TimestampJump(f64),
    Switch(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    Basic,
    Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audio {
    BeforeVideo,
    AfterVideo,
}

/// The faults of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) events: Vec<(f64, Event)>,
    pub(crate) stall: Option<(f64, f64)>,
    pub(crate) corrupt: f64,
    pub(crate) corrupt_header: f64,
    pub(crate) drop: f64,
    pub(crate) duplicate: f64,
    pub(crate) reorder: f64,
    pub(crate) jitter_ms: f64,
    pub(crate) fps: Option<f64>,
    pub(crate) no_data: bool,
    pub(crate) mid_gop: bool,
    pub(crate) no_in_band: bool,
    pub(crate) no_sender_reports: bool,
    pub(crate) clock_skew: f64,

    pub(crate) auth: Option<Auth>,
    pub(crate) describe_status: Option<(u16, u32)>,
    pub(crate) setup_status: Option<u16>,
    pub(crate) redirect: Option<String>,
    pub(crate) hang: Option<String>,
    pub(crate) delay: Duration,
    pub(crate) trickle: Option<Duration>,
    pub(crate) content_length: Option<String>,
    pub(crate) tcp_only: bool,
    pub(crate) udp_only: bool,
    pub(crate) timeout: Option<u32>,

    pub(crate) no_sprop: bool,
    pub(crate) audio: Option<Audio>,
    pub(crate) metadata: bool,
    pub(crate) control_host: Option<String>,
    pub(crate) no_video: bool,
    pub(crate) bad_sdp: bool,
    pub(crate) huge_sdp: bool,
}

impl Faults {
    /// Reads the query of a URL; the error says what is wrong with it.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut faults = Self::default();
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            faults.set(name, value).ok_or_else(|| format!("no such fault: {part}"))?;
        }
        faults.events.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(faults)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "stall" => self.stall = Some(pair(value, f64::INFINITY)?),
            "freeze" => self.at(value, Event::Freeze)?,
            "close" => self.at(value, Event::Close)?,
            "rst" => self.at(value, Event::Reset)?,
            "bye" => self.at(value, Event::Bye)?,
            "garble" => self.at(value, Event::Garble)?,
            "halfframe" => self.at(value, Event::HalfFrame)?,
            "ssrc" => self.at(value, Event::NewSource)?,
            "tsjump" => {
                let (time, jump) = pair(value, 1000.0)?;
                self.events.push((time, Event::TimestampJump(jump)));
            }
            "switch" => {
                let (time, clip) = value.split_once(':')?;
                self.at(time, Event::Switch(clip.to_owned()))?;
            }
            "corrupt" => self.corrupt = number(value)?,
            "corrupthdr" => self.corrupt_header = number(value)?,
            "drop" => self.drop = number(value)?,
            "dup" => self.duplicate = number(value)?,
            "reorder" => self.reorder = number(value)?,
            "jitter" => self.jitter_ms = number(value)?,
            "fps" => self.fps = Some(number(value).filter(|&fps| fps > 0.0)?),
            "nodata" => self.no_data = flag(value)?,
            "midgop" => self.mid_gop = flag(value)?,
            "noinband" => self.no_in_band = flag(value)?,
            "nosr" => self.no_sender_reports = flag(value)?,
            "skew" => self.clock_skew = value.parse().ok().filter(|skew: &f64| skew.is_finite())?,
            "auth" => {
                self.auth = Some(match value {
                    "basic" => Auth::Basic,
                    "digest" => Auth::Digest,
                    _ => return None,
                });
            }
            "status" => {
                self.describe_status = Some(match value.split_once(':') {
                    Some((status, times)) => (parse(status)?, parse(times)?),
                    None => (parse(value)?, u32::MAX),
                });
            }
            "setup" => self.setup_status = Some(parse(value)?),
            "redir" => self.redirect = Some(text(value)?),
            "hang" => self.hang = Some(text(value)?.to_ascii_uppercase()),
            "delay" => self.delay = Duration::from_secs_f64(number(value)?.min(1e6)),
            "trickle" => {
                self.trickle = Some(Duration::from_millis(if value.is_empty() { 1000 } else { parse(value)? }))
            }
            "length" => self.content_length = Some(text(value)?),
            "tcponly" => self.tcp_only = flag(value)?,
            "udponly" => self.udp_only = flag(value)?,
            "timeout" => self.timeout = Some(parse(value)?),
            "nosprop" => self.no_sprop = flag(value)?,
            "audio" if value == "first" => self.audio = Some(Audio::BeforeVideo),
            "audio" => self.audio = flag(value)?.then_some(Audio::AfterVideo),
            "meta" => self.metadata = flag(value)?,
            "control" => self.control_host = Some(text(value)?),
            "novideo" => self.no_video = flag(value)?,
            "badsdp" => self.bad_sdp = flag(value)?,
            "hugesdp" => self.huge_sdp = flag(value)?,
            _ => return None,
        }
        Some(())
    }

    fn at(&mut self, time: &str, event: Event) -> Option<()> {
        self.events.push((number(time)?, event));
        Some(())
    }

    /// True while the media is held back, `time` seconds after PLAY.
    pub(crate) fn stalled(&self, time: f64) -> bool {
        self.stall.is_some_and(|(start, length)| time >= start && time < start + length)
    }
}

fn parse<T: FromStr>(value: &str) -> Option<T> {
    value.parse().ok()
}

fn number(value: &str) -> Option<f64> {
    parse::<f64>(value).filter(|number| number.is_finite() && *number >= 0.0)
}

fn pair(value: &str, default: f64) -> Option<(f64, f64)> {
    match value.split_once(':') {
        Some((first, second)) => Some((number(first)?, parse::<f64>(second).filter(|number| number.is_finite())?)),
        None => Some((number(value)?, default)),
    }
}

fn flag(value: &str) -> Option<bool> {
    matches!(value, "" | "1").then_some(true)
}

fn text(value: &str) -> Option<String> {
    (!value.is_empty() && !value.contains(['\r', '\n'])).then(|| value.to_owned())
}

/// The path, without slashes at its ends, and the query of an RTSP URL.
pub(crate) fn path_and_query(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.split_once('/').map_or("", |(_, path)| path);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    (path.trim_matches('/'), query.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_in_the_documentation_is_understood() {
        for query in [
            "stall=3",
            "stall=3:2",
            "freeze=1",
            "close=1",
            "rst=1.5",
            "bye=1",
            "garble=1",
            "halfframe=1",
            "ssrc=1",
            "tsjump=1:-500",
            "switch=1:other",
            "corrupt=0.1",
            "corrupthdr=0.1",
            "drop=0.01",
            "dup=1",
            "reorder=0.5",
            "jitter=30",
            "fps=0.5",
            "nodata",
            "midgop",
            "noinband",
            "nosr",
            "skew=-3600",
            "auth=basic",
            "auth=digest",
            "status=503",
            "status=503:2",
            "setup=453",
            "redir=8554",
            "redir=localhost:8554",
            "redir=self",
            "hang=play",
            "delay=1",
            "trickle",
            "trickle=5",
            "length=-1",
            "length=9223372036854775808",
            "tcponly",
            "udponly",
            "timeout=4",
            "nosprop",
            "audio",
            "audio=first",
            "meta",
            "control=other:554",
            "novideo",
            "badsdp",
            "hugesdp",
        ] {
            assert!(Faults::parse(query).is_ok(), "{query}");
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for query in
            ["stal=3", "stall", "stall=x", "close=-1", "auth=ntlm", "fps=0", "nodata=2", "switch=1", "drop=NaN"]
        {
            assert_eq!(Faults::parse(query).err(), Some(format!("no such fault: {query}")));
        }
    }

    #[test]
    fn events_come_in_order() {
        let faults = Faults::parse("rst=3&ssrc=1&stall=2:1").expect("a good query");
        assert_eq!(faults.events, [(1.0, Event::NewSource), (3.0, Event::Reset)]);
        assert_eq!([1.9, 2.0, 2.9, 3.0].map(|time| faults.stalled(time)), [false, true, true, false]);
    }

    #[test]
    fn paths_and_queries() {
        assert_eq!(path_and_query("rtsp://127.0.0.1:8554/clip?stall=3&nosr"), ("clip", "stall=3&nosr"));
        assert_eq!(path_and_query("rtsp://127.0.0.1/session-3/track-0"), ("session-3/track-0", ""));
        assert_eq!(path_and_query("rtsp://127.0.0.1"), ("", ""));
        assert_eq!(path_and_query("*"), ("", ""));
    }
}
