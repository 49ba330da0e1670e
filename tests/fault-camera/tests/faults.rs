//! Each fault does what its documentation says.

mod client;

use std::io::ErrorKind;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use client::{Client, Rtp, controls, synthetic};
use fault_camera::{Codec, FaultCamera};

fn camera() -> FaultCamera {
    let mut slow = synthetic("slow", Codec::H264);
    slow.fps = 20.0;
    FaultCamera::start([synthetic("clip", Codec::H264), synthetic("other", Codec::H265), slow])
}

fn playing(camera: &FaultCamera, path: &str) -> Client {
    let mut client = Client::connect(&camera.url(path));
    client.play();
    client
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn describe_status(camera: &FaultCamera, path: &str) -> u16 {
    Client::connect(&camera.url(path)).describe().status
}

#[test]
fn a_stall_ends_when_it_should_and_requests_are_answered_meanwhile() {
    let camera = camera();
    let mut client = playing(&camera, "clip?stall=0.2:0.6");
    let before = client.rtp_for(millis(400));
    let silent = Instant::now();
    assert!(client.rtp_for(millis(200)).is_empty());
    assert_eq!(client.request("GET_PARAMETER", "*", "").status, 200);
    let after = loop {
        if let Ok((0, packet)) = client.packet() {
            break Rtp::parse(&packet);
        }
    };
    assert!(silent.elapsed() < millis(600), "{:?}", silent.elapsed());
    let gap = after.timestamp - before.last().expect("media before the stall").timestamp;
    assert!((45_000..72_000).contains(&gap), "{gap}");
}

#[test]
fn a_frozen_session_is_silent_but_open() {
    let camera = camera();
    let mut client = playing(&camera, "clip?freeze=0.2");
    client.rtp_for(millis(400));
    client.send("GET_PARAMETER", "*", "");
    assert!(client.rtp_for(millis(300)).is_empty());
    client.stream.set_read_timeout(Some(millis(100))).expect("a timeout");
    assert_eq!(client.response().expect_err("silence"), ErrorKind::WouldBlock);
}

#[test]
fn connections_end_politely_or_not() {
    let camera = camera();
    assert_eq!(playing(&camera, "clip?close=0.2").end(), ErrorKind::UnexpectedEof);
    assert_eq!(playing(&camera, "clip?rst=0.2").end(), ErrorKind::ConnectionReset);
    assert_eq!(playing(&camera, "clip?timeout=1").end(), ErrorKind::UnexpectedEof);
}

#[test]
fn bye_is_the_last_word() {
    let camera = camera();
    let mut client = playing(&camera, "clip?bye=0.3");
    let bye = loop {
        let packet = client.rtcp();
        if packet[1] != 200 {
            break packet;
        }
    };
    assert_eq!((bye[1], bye[9]), (201, 203));
    assert!(client.rtp_for(millis(200)).is_empty());
}

#[test]
fn garbage_and_half_frames_break_the_framing() {
    let camera = camera();
    for fault in ["garble=0.2", "halfframe=0.2"] {
        let mut client = playing(&camera, &format!("clip?nosr&{fault}"));
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            client.stream.set_read_timeout(Some(millis(500))).expect("a timeout");
            client.end()
        }));
        // Random bytes are no packet; a frame that never ends is silence.
        assert_eq!(outcome.is_err(), fault.starts_with("garble"), "{fault}");
    }
}

#[test]
fn sources_and_timestamps_change() {
    let camera = camera();
    let jump = |path: &str| {
        let packets = playing(&camera, path).rtp_for(millis(400));
        let pair = packets.windows(2).find(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) > 5000);
        pair.expect("a jump").to_vec()
    };
    let new_source = jump("clip?ssrc=0.2");
    assert_ne!(new_source[0].ssrc, new_source[1].ssrc);
    let forward = jump("clip?tsjump=0.2:10");
    assert!((forward[1].timestamp - forward[0].timestamp).abs_diff(900_900) <= 1);
    let back = jump("clip?tsjump=0.2:-1");
    assert!(back[1].timestamp.wrapping_sub(back[0].timestamp).wrapping_add(89_100) <= 1);
}

#[test]
fn another_clip_begins_with_its_first_picture() {
    let camera = camera();
    let packets = playing(&camera, "clip?switch=0.2:other").rtp_for(millis(400));
    let first = packets.iter().find(|packet| packet.payload[0] == 0x40).expect("a VPS");
    assert_eq!(first.payload, [0x40, 1, 1]);
}

#[test]
fn lossy_networks_lose_the_same_packets_every_time() {
    let camera = camera();
    let sequence = |path: &str| {
        let packets = playing(&camera, path).rtp_for(millis(500));
        packets.iter().take(100).map(|packet| packet.sequence - 100).collect::<Vec<_>>()
    };
    let lossy = sequence("clip?drop=0.2");
    assert!((115..140).contains(lossy.last().expect("packets")), "{lossy:?}");
    assert_eq!(lossy, sequence("clip?drop=0.2"));
    let doubled = sequence("clip?dup=1");
    assert_eq!(doubled[..6], [0, 0, 1, 1, 2, 2]);
    let swapped = sequence("clip?reorder=1");
    assert_eq!(swapped[..6], [1, 0, 3, 2, 5, 4]);
}

#[test]
fn corruption_spares_what_it_should() {
    let camera = camera();
    let clean = playing(&camera, "clip").rtp_for(millis(300));
    let payloads = playing(&camera, "clip?corrupt=1").rtp_for(millis(300));
    let headers = playing(&camera, "clip?corrupthdr=1").rtp_for(millis(300));
    let pairs = |others: Vec<Rtp>| clean.clone().into_iter().zip(others);
    assert!(
        pairs(payloads)
            .filter(|(a, _)| a.payload.len() > 100)
            .all(|(a, b)| { a.sequence == b.sequence && a.payload != b.payload && a.payload[..3] == b.payload[..3] })
    );
    assert!(pairs(headers).all(|(a, b)| a.payload == b.payload));
}

#[test]
fn pictures_come_late_but_none_is_missing() {
    let camera = camera();
    let packets = playing(&camera, "clip?jitter=30&fps=50").rtp_for(millis(700));
    let pictures = packets.iter().filter(|packet| packet.marker).count();
    assert!((30..37).contains(&pictures), "{pictures}");
}

#[test]
fn parameter_sets_and_key_frames_can_be_missing() {
    let camera = camera();
    let first = |path: &str| playing(&camera, path).rtp_for(millis(150))[0].payload[0];
    assert_eq!(first("clip"), 0x67);
    assert_eq!(first("clip?midgop"), 0x40 | 28, "a fragment of a delta picture");
    let packets = playing(&camera, "clip?noinband").rtp_for(millis(300));
    assert!(packets.iter().all(|packet| !matches!(packet.payload[0] & 0x1f, 7 | 8)));
}

#[test]
fn sender_reports_tell_the_time() {
    let camera = camera();
    for (path, skew) in [("slow", 0.0), ("slow?skew=-3600", -3600.0), ("slow?skew=3000000000", 3e9)] {
        let mut client = playing(&camera, path);
        let start = client.packet().expect("a packet");
        let first = Rtp::parse(&start.1);
        for _ in 0..2 {
            let report = client.rtcp();
            let word =
                |at: usize| f64::from(u32::from_be_bytes([report[at], report[at + 1], report[at + 2], report[at + 3]]));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs_f64();
            let ntp = word(8) + word(12) / 4_294_967_296.0;
            let expected = (now + 2_208_988_800.0 + skew).rem_euclid(4_294_967_296.0);
            assert!((ntp - expected).abs() < 0.2, "{path}: {}", ntp - expected);
            // The report's RTP time says how long ago, by its clock, the first picture was taken.
            let age = (word(16) - f64::from(first.timestamp)) / 90_000.0;
            assert!((-0.05..1.3).contains(&age), "{path}: {age}");
            assert!(word(20) > 0.0 && word(24) > 0.0);
        }
    }
    let mut client = playing(&camera, "clip?nosr");
    client.stream.set_read_timeout(Some(millis(20))).expect("a timeout");
    let start = Instant::now();
    while start.elapsed() < millis(1200) {
        assert!(!matches!(client.packet(), Ok((1, _))), "a report");
    }
}

#[test]
fn nothing_comes_after_play() {
    let camera = camera();
    assert!(playing(&camera, "clip?nodata").rtp_for(millis(300)).is_empty());
}

#[test]
fn statuses() {
    let camera = camera();
    assert_eq!([0; 4].map(|_| describe_status(&camera, "clip?status=503:2")), [503, 503, 200, 200]);
    assert_eq!([0; 3].map(|_| describe_status(&camera, "clip?status=454")), [454; 3]);
    let mut client = Client::connect(&camera.url("clip?setup=453"));
    let control = controls(&client.describe().body).remove(0);
    assert_eq!(client.request("SETUP", &control, "Transport: RTP/AVP/TCP\r\n").status, 453);
}

#[test]
fn transports_can_be_refused() {
    let camera = camera();
    for (path, transport) in
        [("clip?tcponly", "RTP/AVP;unicast;client_port=5000-5001"), ("clip?udponly", "RTP/AVP/TCP;interleaved=0-1")]
    {
        let mut client = Client::connect(&camera.url(path));
        let control = controls(&client.describe().body).remove(0);
        assert_eq!(client.request("SETUP", &control, &format!("Transport: {transport}\r\n")).status, 461);
    }
}

#[test]
fn redirects() {
    let camera = camera();
    let location = |path: &str| {
        let response = Client::connect(&camera.url(path)).describe();
        assert_eq!(response.status, 302);
        response.header("Location").expect("a location").to_owned()
    };
    assert_eq!(location("clip?redir=1234"), "rtsp://127.0.0.1:1234/clip");
    assert_eq!(location("clip?nosr&redir=localhost:99&meta"), "rtsp://localhost:99/clip?nosr&meta");
    assert_eq!(location("clip?redir=self"), camera.url("clip?redir=self"));
    assert_eq!(location("clip?redir=file"), "file:///etc/hostname");
    assert_eq!(describe_status(&camera, "clip?auth=basic&redir=1234"), 401);
}

#[test]
fn methods_hang_and_answers_are_late() {
    let camera = camera();
    let mut client = Client::connect(&camera.url("clip?hang=describe"));
    let url = client.url.clone();
    assert_eq!(client.request("OPTIONS", &url, "").status, 200);
    client.send("DESCRIBE", &url, "");
    client.stream.set_read_timeout(Some(millis(300))).expect("a timeout");
    assert_eq!(client.response().expect_err("silence"), ErrorKind::WouldBlock);

    let start = Instant::now();
    assert_eq!(describe_status(&camera, "clip?delay=0.3"), 200);
    assert!(start.elapsed() >= millis(300));

    let start = Instant::now();
    assert_eq!(describe_status(&camera, "clip?trickle=1"), 200);
    assert!(start.elapsed() >= millis(300));
}

#[test]
fn content_lengths_lie() {
    let camera = camera();
    for length in ["-1", "9223372036854775808"] {
        let mut client = Client::connect(&camera.url(&format!("clip?length={length}")));
        let url = client.url.clone();
        let response = client.request("DESCRIBE", &url, "");
        assert_eq!(response.header("Content-Length"), Some(length));
    }
}

#[test]
fn sessions_announce_their_timeout() {
    let camera = camera();
    let mut client = Client::connect(&camera.url("clip?timeout=30"));
    let control = controls(&client.describe().body).remove(0);
    let setup = client.request("SETUP", &control, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n");
    assert!(setup.header("Session").is_some_and(|session| session.ends_with(";timeout=30")), "{}", setup.head);
}
