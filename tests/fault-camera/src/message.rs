//! RTSP requests from a client that is not trusted to write them well.

const MAX_HEAD: usize = 16 * 1024;
const MAX_BODY: usize = 64 * 1024;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Request(Request),
    /// A packet inside the connection, such as a receiver report.
    Interleaved,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    headers: Vec<(String, String)>,
}

/// The input cannot be understood, and neither can what follows it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn parse(head: &str) -> Result<Self, Malformed> {
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
        let (Some(method), Some(url), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Malformed);
        };
        if !version.starts_with("RTSP/") || method.len() > 32 {
            return Err(Malformed);
        }
        let header = |line: &str| {
            let (key, value) = line.split_once(':').ok_or(Malformed)?;
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        };
        let headers = lines.map(header).collect::<Result<_, _>>()?;
        Ok(Self { method: method.to_owned(), url: url.to_owned(), headers })
    }
}

/// Takes the first message out of the buffer; none if more input is needed.
pub(crate) fn take(buffer: &mut Vec<u8>) -> Result<Option<Message>, Malformed> {
    let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    buffer.drain(..blank);
    if buffer.first() == Some(&b'$') {
        let Some(&[_, _, high, low]) = buffer.first_chunk() else { return Ok(None) };
        let end = 4 + usize::from(u16::from_be_bytes([high, low]));
        return Ok((buffer.len() >= end).then(|| {
            buffer.drain(..end);
            Message::Interleaved
        }));
    }
    let Some(head_end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if buffer.len() > MAX_HEAD { Err(Malformed) } else { Ok(None) };
    };
    let request = Request::parse(&String::from_utf8_lossy(&buffer[..head_end]))?;
    let body = match request.header("Content-Length") {
        Some(length) => length.parse().ok().filter(|&length| length <= MAX_BODY).ok_or(Malformed)?,
        None => 0,
    };
    let end = head_end + 4 + body;
    if buffer.len() < end {
        return Ok(None);
    }
    buffer.drain(..end);
    Ok(Some(Message::Request(request)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const GOOD: &[u8] = b"SETUP rtsp://h/c RTSP/1.0\r\nCSeq: 3\r\nTransport: RTP/AVP;unicast\r\n\r\n";

    #[test]
    fn requests_and_packets_in_pieces() {
        let input =
            [GOOD, b"$\x01\0\x02ab\r\n", b"PLAY rtsp://h/c RTSP/1.0\r\ncontent-length:2\r\n\r\nxy", GOOD].concat();
        let mut buffer = Vec::new();
        let mut messages = Vec::new();
        for byte in input {
            buffer.push(byte);
            messages.extend(take(&mut buffer).expect("well formed"));
        }
        let [Message::Request(setup), Message::Interleaved, Message::Request(play), Message::Request(_)] =
            &messages[..]
        else {
            panic!("{messages:?}")
        };
        assert_eq!((setup.method.as_str(), setup.url.as_str()), ("SETUP", "rtsp://h/c"));
        assert_eq!((setup.header("cseq"), setup.header("Session")), (Some("3"), None));
        assert_eq!(play.method, "PLAY");
        assert!(buffer.is_empty());
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "\0\x01\x02 x\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "PLAY rtsp://h/c RTSP/1.0\r\nno colon\r\n\r\n",
            "PLAY rtsp://h/c RTSP/1.0\r\nContent-Length: -1\r\n\r\n",
            "PLAY rtsp://h/c RTSP/1.0\r\nContent-Length: 9223372036854775808\r\n\r\n",
        ] {
            assert_eq!(take(&mut bad.as_bytes().to_vec()), Err(Malformed), "{bad:?}");
        }
        assert_eq!(take(&mut vec![b'x'; MAX_HEAD + 1]), Err(Malformed));
    }

    #[test]
    fn mutations_never_panic() {
        let mut random = Random::seeded("mutations");
        for _ in 0..20_000 {
            let mut buffer = [GOOD, GOOD].concat();
            for _ in 0..1 + random.below(6) {
                let at = random.below(buffer.len());
                random.flip(&mut buffer[at]);
            }
            buffer.truncate(1 + random.below(buffer.len()));
            while let Ok(Some(_)) = take(&mut buffer) {}
        }
    }
}
