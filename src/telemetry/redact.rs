//! Secrets are removed at the log's edge: whoever wrote the line, the known values do not pass.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, RwLock};

use base64::Engine as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::types::secret::Secret;

const MASK: &str = "***";

/// Characters that URLs may hold as they are (RFC 3986 2.3).
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

static NEEDLES: LazyLock<RwLock<Arc<Vec<String>>>> = LazyLock::new(|| RwLock::new(Arc::new(Vec::new())));

/// Makes a password known, in every spelling a library might print: as it is, percent-encoded, with
/// GStreamer's backslashes, and as the token of an HTTP Basic header.
pub fn register(username: &str, password: &Secret) {
    let plain = password.expose();
    if plain.is_empty() {
        return;
    }
    let pair = format!("{username}:{plain}");
    let json = serde_json::to_string(plain).unwrap_or_default();
    let debug = format!("{plain:?}");
    let percent = [NON_ALPHANUMERIC, &UNRESERVED].map(|set| utf8_percent_encode(plain, set).to_string());
    let mut spellings = vec![
        plain.to_owned(),
        lower_hex(&percent[0]),
        lower_hex(&percent[1]),
        gstreamer_escape(plain),
        json.trim_matches('"').to_owned(),
        debug.trim_matches('"').to_owned(),
        // Unpadded, so that the needle is found whatever follows.
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(pair),
    ];
    spellings.extend(percent);
    let mut needles = NEEDLES.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut all = (**needles).clone();
    for spelling in spellings {
        if !all.contains(&spelling) {
            all.push(spelling);
        }
    }
    // Longest first: a short password that is part of a longer one must not break the longer needle.
    all.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    *needles = Arc::new(all);
}

/// As `gst_value_serialize` writes strings: a backslash before ASCII that is no word character, other
/// bytes in octal.
fn gstreamer_escape(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len() * 2);
    for byte in plain.bytes() {
        match byte {
            b if b.is_ascii_alphanumeric() || b"_-+/:.".contains(&b) => out.push(char::from(b)),
            b if (0x20..0x7f).contains(&b) => out.extend(['\\', char::from(b)]),
            b => out.push_str(&format!("\\{b:03o}")),
        }
    }
    out
}

/// `%2F` as `%2f`.
fn lower_hex(percent: &str) -> String {
    let mut hex = 0;
    let lower = |c: char| {
        hex = if c == '%' { 3 } else { i32::max(hex - 1, 0) };
        if hex > 0 { c.to_ascii_lowercase() } else { c }
    };
    percent.chars().map(lower).collect()
}

/// `text` without known secrets and without userinfo in URLs.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let needles = Arc::clone(&NEEDLES.read().unwrap_or_else(std::sync::PoisonError::into_inner));
    let mut out = Cow::Borrowed(text);
    for needle in needles.iter() {
        if out.contains(needle.as_str()) {
            out = Cow::Owned(out.replace(needle.as_str(), MASK));
        }
    }
    if out.contains("://") && out.contains('@') { Cow::Owned(without_userinfo(&out)) } else { out }
}

/// Replaces `user:pass@` in every URL of `text`. A password may hold `@`, `/` and `?`, so everything up
/// to the last `@` of the word goes.
fn without_userinfo(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let word = tail.find(|c: char| c.is_whitespace() || c == '"' || c == '\'').unwrap_or(tail.len());
        match tail[..word].rfind('@') {
            Some(userinfo) => {
                out.push_str(MASK);
                rest = &tail[userinfo..];
            }
            None => {
                out.push_str(&tail[..word]);
                rest = &tail[word..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn userinfo_never_passes_whatever_the_password_holds() {
        for (input, want) in [
            ("rtsp://u:p@h/x", "rtsp://***@h/x"),
            ("rtsp://u:p@w@h:554/x?a=b", "rtsp://***@h:554/x?a=b"),
            ("open rtsp://u:p/w@h/x and http://a:b@c/", "open rtsp://***@h/x and http://***@c/"),
            ("rtsp://h/x?y=1", "rtsp://h/x?y=1"),
            ("rtsp://u@h/x", "rtsp://***@h/x"),
            ("rtsp://u:p?q#r@h/x", "rtsp://***@h/x"),
            ("x \"rtsp://u:p@h/a\" y", "x \"rtsp://***@h/a\" y"),
            ("rtsp://admin.cam:secret@h/x", "rtsp://***@h/x"),
            ("rtsp://user%40corp:secret@h/x", "rtsp://***@h/x"),
            ("no url, a@b", "no url, a@b"),
        ] {
            assert_eq!(redact(input), want);
        }
    }

    #[test]
    fn a_registered_secret_is_masked_in_every_spelling() {
        register("viewer", &Secret::new("pa$s w@rd/7Q"));
        let basic = base64::engine::general_purpose::STANDARD.encode("viewer:pa$s w@rd/7Q");
        for line in ["pw pa$s w@rd/7Q end", "pw pa%24s%20w%40rd%2F7Q end", &format!("Authorization: Basic {basic}")] {
            let out = redact(line).into_owned();
            assert!(!out.contains("7Q") && !out.contains(&basic[..20]), "{out}");
            assert!(out.contains(MASK));
        }
    }
}
