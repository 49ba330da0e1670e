//! What the owner of a camera can do, and who is let in.

mod client;

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use client::{Client, synthetic};
use fault_camera::{Codec, FaultCamera, PASSWORD, USER};

fn camera() -> FaultCamera {
    FaultCamera::start([synthetic("clip", Codec::H264), synthetic("other", Codec::H264)])
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(5), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn passwords() {
    for kind in ["basic", "digest"] {
        let camera = camera();
        let describe = |password: &str| {
            let mut client = Client::connect(&camera.url(&format!("clip?auth={kind}")));
            client.credentials = Some((USER.to_owned(), password.to_owned()));
            client.describe().status
        };
        assert_eq!(Client::connect(&camera.url(&format!("clip?auth={kind}"))).describe().status, 401);
        assert!(camera.authorizations().is_empty());
        assert_eq!(describe("wrong"), 401);
        assert_eq!(describe(PASSWORD), 200);
        camera.set_password("p@ss, word");
        assert_eq!(describe(PASSWORD), 401);
        assert_eq!(describe("p@ss, word"), 200);
        let seen = camera.authorizations();
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(|header| header.to_lowercase().starts_with(kind)), "{seen:?}");
    }
}

#[test]
fn a_digest_is_good_for_its_method_only() {
    let camera = camera();
    let mut client = Client::connect(&camera.url("clip?auth=digest"));
    client.credentials = Some((USER.to_owned(), PASSWORD.to_owned()));
    let url = client.url.clone();
    let challenge = client.request("DESCRIBE", &url, "").header("WWW-Authenticate").expect("a challenge").to_owned();
    let header = client.authorization("SETUP", &url, &challenge);
    assert_eq!(client.request("DESCRIBE", &url, &header).status, 401);
    assert_eq!(client.request("OPTIONS", &url, "").status, 200);
}

#[test]
fn stop_and_restart_on_the_same_port() {
    let camera = camera();
    let url = camera.url("clip");
    let mut clients: Vec<Client> = (0..5).map(|_| Client::connect(&url)).collect();
    for client in &mut clients {
        client.play();
    }
    wait_for("five sessions", || camera.sessions() == 5);
    let start = Instant::now();
    camera.stop();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(camera.sessions(), 0);
    for client in &mut clients {
        assert!(matches!(client.end(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset));
    }
    let refused = TcpStream::connect(("127.0.0.1", camera.port())).expect_err("a stopped camera");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    camera.stop();
    for _ in 0..20 {
        camera.restart();
        Client::connect(&url).play();
    }
    assert_eq!(camera.connections(), 25);
    assert_eq!(camera.requests_for("PLAY"), 25);
    assert_eq!(camera.requests(), 75);
}

#[test]
fn dropping_a_camera_ends_its_threads_and_sockets() {
    // Other tests run in this process, so only a leak larger than what they use at a time shows.
    let open = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let before = (open(), threads());
    for _ in 0..100 {
        let camera = camera();
        Client::connect(&camera.url("clip?hang=play")).send("DESCRIBE", "*", "");
        Client::connect(&camera.url("clip")).play();
    }
    let after = (open(), threads());
    assert!(after.0 < before.0 + 80 && after.1 < before.1 + 80, "{before:?} {after:?}");
}

#[test]
fn abort_cuts_one_session() {
    let camera = camera();
    let mut clients: Vec<Client> =
        ["clip", "other", "clip?nosr"].iter().map(|path| Client::connect(&camera.url(path))).collect();
    for client in &mut clients {
        client.play();
    }
    assert!(camera.abort("clip?nosr"));
    assert_eq!(clients[2].end(), ErrorKind::ConnectionReset);
    assert!(camera.abort("clip"));
    assert_eq!(clients[0].end(), ErrorKind::ConnectionReset);
    assert!(!camera.abort("clip") && !camera.abort("nothing"));
    assert!(!clients[1].rtp_for(Duration::from_millis(200)).is_empty());
}

#[test]
fn a_paused_camera_is_silent_and_answers_later() {
    let camera = camera();
    let mut client = Client::connect(&camera.url("clip"));
    client.play();
    camera.pause(true);
    client.rtp_for(Duration::from_millis(100));
    assert!(client.rtp_for(Duration::from_millis(300)).is_empty());
    let mut second = Client::connect(&camera.url("clip"));
    let url = second.url.clone();
    second.send("OPTIONS", &url, "");
    second.stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    assert_eq!(second.response().expect_err("silence"), ErrorKind::WouldBlock);
    camera.pause(false);
    second.stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    assert_eq!(second.response().expect("an answer").status, 200);
    let packets = client.rtp_for(Duration::from_millis(300));
    assert!(!packets.is_empty());
}

#[test]
fn malformed_requests_end_their_connection_only() {
    let camera = camera();
    let url = camera.url("clip");
    let mut healthy = Client::connect(&url);
    healthy.play();
    for garbage in [
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        format!("DESCRIBE {url} RTSP/1.0\r\nContent-Length: -5\r\n\r\n"),
        format!("DESCRIBE {url} RTSP/1.0\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        format!("DESCRIBE {}\r\n\r\n", "x".repeat(100_000)),
        "\u{0}\u{1}\u{2}\r\n\r\n".to_owned(),
    ] {
        let mut client = Client::connect(&url);
        let _ = client.stream.write_all(garbage.as_bytes());
        if let Ok(response) = client.response() {
            assert_eq!(response.status, 400, "{garbage:.60}");
        }
    }
    let mut client = Client::connect(&url);
    for (method, url, headers, status) in [
        ("PLAY", url.as_str(), "", 455),
        ("SETUP", &url, "Transport: RTP/AVP;unicast;client_port=1-2\r\n", 404),
        ("DESCRIBE", &camera.url("missing"), "", 404),
        ("DESCRIBE", &format!("{url}?stal=1"), "", 400),
        ("RECORD", &url, "", 501),
        ("DESCRIBE", &url, "", 200),
        ("SETUP", "rtsp://h/session-1/track-0", "Transport: RTP/AVP;unicast;client_port=x-99999\r\n", 461),
        ("SETUP", "rtsp://h/session-1/track-0", "Transport: RTP/AVP;multicast;client_port=1-2\r\n", 461),
        ("SETUP", "rtsp://h/session-1/track-7", "Transport: RTP/AVP/TCP\r\n", 404),
    ] {
        assert_eq!(client.request(method, url, headers).status, status, "{method} {url} {headers}");
    }
    assert!(!healthy.rtp_for(Duration::from_millis(200)).is_empty());
}

#[test]
#[should_panic(expected = "no such fault: stal=3")]
fn a_misspelt_fault_fails_the_test_that_asks_for_it() {
    let _ = camera().url("clip?stal=3");
}
