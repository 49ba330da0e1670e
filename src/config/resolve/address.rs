//! Camera URLs. What is said about one never repeats it: the part that is wrong may be a password.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::config::words;

/// A camera's URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    Rtsp(String),
    Http(String),
    File(PathBuf),
    V4l2(PathBuf),
    Csi(u32),
    Test(String),
}

const SCHEMES: [&str; 8] = ["rtsp", "rtsps", "http", "https", "file", "v4l2", "csi", "test"];

/// Patterns of GStreamer's `videotestsrc`.
const PATTERNS: [&str; 26] = [
    "ball",
    "smpte",
    "smpte75",
    "smpte100",
    "smpte-rp-219",
    "snow",
    "black",
    "white",
    "red",
    "green",
    "blue",
    "checkers-1",
    "checkers-2",
    "checkers-4",
    "checkers-8",
    "circular",
    "blink",
    "zone-plate",
    "gamut",
    "chroma-zone-plate",
    "solid-color",
    "bar",
    "pinwheel",
    "spokes",
    "gradient",
    "colors",
];

/// Query keys, and in some cameras' paths, too, that carry a login.
const LOGIN_KEYS: [&str; 8] = ["user", "usr", "username", "password", "pwd", "pass", "passwd", "token"];

pub(super) const LOGIN: &str = "holds a user name, password or token, and URLs are logged; take it out and use username with one \
                     of password_file, password_env, password_credential";

/// Takes a URL apart, or says what is wrong without repeating any of it but a scheme.
pub(super) fn parse(text: &str) -> Result<Address, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        // `admin:secret@host/stream`: a URL without its scheme rather than a file.
        if holds_colon_before_at(text) {
            return Err(format!("{LOGIN}; a URL starts with its scheme, as \"rtsp://\""));
        }
        return Ok(Address::File(text.into()));
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "file" && holds_login(rest) {
        return Err(LOGIN.to_owned());
    }
    match scheme.as_str() {
        "rtsp" | "rtsps" => network(text, &scheme).map(Address::Rtsp),
        "http" | "https" => network(text, &scheme).map(Address::Http),
        "file" => file(text)
            .ok_or_else(|| "is not a file; write file:///folder/name, or the path alone".to_owned())
            .map(Address::File),
        "v4l2" if rest.starts_with("/dev/") => Ok(Address::V4l2(rest.into())),
        "v4l2" => Err("is not a device; write v4l2:///dev/video0".to_owned()),
        "csi" => rest.parse().map(Address::Csi).map_err(|_| "is not a sensor; write csi://0".to_owned()),
        "test" if PATTERNS.contains(&rest) => Ok(Address::Test(rest.to_owned())),
        "test" => Err(format!("no such test pattern{}", words::suggestion(rest, PATTERNS))),
        _ => Err(unknown(&scheme)),
    }
}

fn unknown(scheme: &str) -> String {
    let shown = scheme.len() <= 16 && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let shown = if shown { words::quoted(scheme) } else { "what stands before \"://\"".to_owned() };
    format!("{shown} is not a scheme for cameras{}", words::suggestion(scheme, SCHEMES))
}

pub(super) fn network(text: &str, scheme: &str) -> Result<String, String> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("holds a space or control character; write it as %20".to_owned());
    }
    let url = Url::parse(text).map_err(|e| format!("is not a URL ({e}); write {scheme}://host/path"))?;
    match url.host() {
        None => Err(format!("names no host; write {scheme}://host/path")),
        // A password with a slash in it ends the host early, and leaves a colon and no port behind.
        Some(Host::Domain(host)) if host.is_empty() || host.contains(['%', '@', ':']) => {
            Err(format!("names no valid host; write {scheme}://host/path"))
        }
        Some(_) if url.fragment().is_some() => Err("holds a \"#\"; write it as %23, or take it out".to_owned()),
        Some(_) => Ok(text.to_owned()),
    }
}

fn file(text: &str) -> Option<PathBuf> {
    let url = Url::parse(text).ok()?;
    let local = url.host_str().is_none() && url.query().is_none() && url.fragment().is_none();
    local.then(|| url.to_file_path().ok()).flatten()
}

/// A raw `@` counts wherever it stands, since a raw `/`, `?` or `#` in a password moves it out of the host's part.
pub(super) fn holds_login(rest: &str) -> bool {
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if rest.contains(['@', '\u{ff20}']) || decoded(authority).contains('@') {
        return true;
    }
    decoded(rest)
        .split(['/', '?', '&', ';', '#', ',', '_'])
        .filter_map(|part| part.split_once('='))
        .any(|(name, _)| LOGIN_KEYS.contains(&name.trim().to_lowercase().as_str()))
}

fn holds_colon_before_at(text: &str) -> bool {
    let text = decoded(text);
    text.find('@').is_some_and(|at| text[..at].contains(':'))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_source() {
        for (text, address) in [
            ("rtsp://192.0.2.1:554/a?channel=1", Address::Rtsp("rtsp://192.0.2.1:554/a?channel=1".into())),
            ("RTSPS://[2001:db8::1]/a%40b", Address::Rtsp("RTSPS://[2001:db8::1]/a%40b".into())),
            ("http://camera/video.mjpg", Address::Http("http://camera/video.mjpg".into())),
            ("file:///a/b%20c@2.mp4", Address::File("/a/b c@2.mp4".into())),
            ("clip@2.mp4", Address::File("clip@2.mp4".into())),
            ("v4l2:///dev/video0", Address::V4l2("/dev/video0".into())),
            ("csi://1", Address::Csi(1)),
            ("test://ball", Address::Test("ball".into())),
        ] {
            assert_eq!(parse(text), Ok(address), "{text}");
        }
    }

    #[test]
    fn a_login_is_refused_however_it_is_spelt_and_never_repeated() {
        for text in [
            "rtsp://canary@host/a",
            "rtsp://canary:canary@host/a",
            "rtsp://:canary@host/a",
            "rtsp://u:can@ary@host/a",
            "rtsp://u:can:ary@host/a",
            "rtsp://u:can/ary@host/a",
            "rtsp://u:12/canary@host/a",
            "rtsp://u:can?ary@host/a",
            "rtsp://u:can#ary@host/a",
            "rtsp://u:can\\ary@host/a",
            "rtsp://u%3Acanary%40host/a",
            "rtsp://u:canary%40host/a",
            "http://u:canary\u{ff20}host/a",
            "rtmp://u:canary@host/a",
            "canary:canary@host/a",
            "rtsp:/u:canary@host/a",
            "rtsp//u:canary@host/a",
            "u%3Acanary%40host",
            "rtsp://host/a?user=canary",
            "rtsp://host/a?x=1&PassWord=canary",
            "rtsp://host/a?x=1;pwd=canary",
            "rtsp://host/a?p%61ssword=canary",
            "rtsp://host/a?access_token=canary",
            "rtsp://host/a#token=canary",
            "rtsp://host/user=admin_password=canary_channel=1_stream=0.sdp?real_stream",
            "http://host/cgi?usr=canary&pwd=canary",
            "test://u:canary@host",
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(LOGIN), "{text}: {message}");
            assert!(!message.contains("canary"), "{text}: {message}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for (text, problem) in [
            ("rstp://canary/a", "\"rstp\" is not a scheme for cameras; did you mean \"rtsp\"?"),
            ("canary canary://a", "what stands before \"://\" is not a scheme for cameras; known: "),
            ("rtsp://", "names no host"),
            ("rtsp:///canary", "names no host"),
            ("rtsp://u:canary/ary", "is not a URL (invalid port number)"),
            ("rtsp://host:99999/canary", "is not a URL (invalid port number)"),
            ("rtsp://ho%20st/canary", "names no valid host"),
            ("rtsp://host/can ary", "holds a space"),
            ("rtsp://host/canary#x", "holds a \"#\""),
            ("file://canary/a.mp4", "is not a file"),
            ("v4l2://canary", "is not a device"),
            ("csi://canary", "is not a sensor"),
            ("test://bal", "no such test pattern; did you mean \"ball\"?"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(problem), "{text}: {message}");
            assert!(!message.contains("canary"), "{text}: {message}");
        }
    }
}
