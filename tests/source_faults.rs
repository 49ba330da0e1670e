//! Every fault that a camera can have, against a camera that has it: the class it is given and the
//! time it takes, with the shipped deadlines.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::TcpListener;
use std::time::Duration;

use fault_camera::{FaultCamera, PASSWORD, USER, clips};
use support::rig::{Rig, camera, camera_with_login, udp};
use support::wait_for;
use watchkeeper::config::Policy;
use watchkeeper::source::FaultClass::{
    self, Auth, Busy, Disconnected, Forbidden, NoData, NoParameterSets, NoVideo, NotFound, Protocol, Redirected,
    ServerError, Stall, Timeout, Unreachable,
};

/// The machine may be busy; a class that takes longer than this is a deadline that was missed.
const SLACK: f64 = 4.0;

fn server() -> FaultCamera {
    FaultCamera::start([clips::h264_320x240(), clips::h264_640x480()])
}

/// One row: what the camera does, how RTP travels, the class, seconds until it is told.
type Row = (&'static str, &'static str, &'static [FaultClass], f64);

/// Starts all rows at once, so that their deadlines pass together.
fn check(rows: &[Row]) {
    let server = server();
    let rigs: Vec<Rig> = rows
        .iter()
        .map(|(query, transport, ..)| {
            let camera = camera(&server.url(&format!("h264_320x240?{query}")));
            Rig::start(if *transport == "udp" { udp(camera) } else { camera })
        })
        .collect();
    let mut wrong = Vec::new();
    for ((query, transport, classes, seconds), rig) in rows.iter().zip(&rigs) {
        let limit = Duration::from_secs_f64(seconds + SLACK).saturating_sub(rig.began.elapsed());
        wait_for(limit, || rig.first_fault().is_some());
        match rig.first_fault() {
            Some((at, class, _)) if classes.contains(&class) && at.as_secs_f64() <= seconds + SLACK => {}
            other => wrong.push(format!("{query} ({transport}): want {classes:?} within {seconds} s, got {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_connection_that_ends_is_noticed_at_once() {
    check(&[
        ("close=2", "tcp", &[Disconnected], 2.0),
        ("rst=2", "tcp", &[Disconnected], 2.0),
        ("bye=2", "tcp", &[Disconnected], 2.0),
        // The media path is another one: only the silence tells.
        ("close=2", "udp", &[Stall, Disconnected], 7.0),
        ("garble=2", "tcp", &[Protocol, Disconnected], 4.0),
        ("ssrc=2", "tcp", &[Protocol], 3.0),
    ]);
}

#[test]
fn silence_is_noticed_within_the_stall_timeout() {
    check(&[
        ("stall=2", "tcp", &[Stall], 7.0),
        ("stall=2", "udp", &[Stall], 7.0),
        ("stall=2&nosr", "tcp", &[Stall], 7.0),
        ("freeze=2", "tcp", &[Stall], 7.0),
        ("halfframe=2", "tcp", &[Stall], 7.0),
    ]);
}

#[test]
fn a_camera_that_plays_but_sends_nothing_usable_is_noticed() {
    check(&[
        ("nodata", "tcp", &[NoData], 10.0),
        ("nodata", "udp", &[NoData], 10.0),
        ("nosprop&noinband", "tcp", &[NoParameterSets], 10.5),
    ]);
}

#[test]
fn an_answer_that_does_not_come_is_a_timeout() {
    check(&[
        ("hang=OPTIONS", "tcp", &[Timeout], 5.0),
        ("hang=DESCRIBE", "tcp", &[Timeout], 5.0),
        ("hang=SETUP", "tcp", &[Timeout], 5.0),
        ("hang=PLAY", "tcp", &[Timeout], 5.5),
        // A byte a second passes every single read's time-out.
        ("trickle", "tcp", &[Timeout], 15.0),
    ]);
}

#[test]
fn refusals_keep_their_meaning() {
    check(&[
        ("status=403", "tcp", &[Forbidden], 0.5),
        ("status=404", "tcp", &[NotFound], 0.5),
        ("status=453", "tcp", &[Busy], 0.5),
        ("status=454", "tcp", &[ServerError], 0.5),
        ("status=461", "tcp", &[FaultClass::Transport], 0.5),
        ("status=500", "tcp", &[ServerError], 0.5),
        ("status=503", "tcp", &[Busy], 0.5),
        ("setup=461", "tcp", &[FaultClass::Transport], 0.5),
        ("setup=453", "tcp", &[Busy], 0.5),
        ("setup=500", "tcp", &[ServerError], 0.5),
        ("udponly", "tcp", &[FaultClass::Transport], 0.5),
        ("tcponly", "udp", &[FaultClass::Transport], 0.5),
        ("auth=basic", "tcp", &[Auth], 0.5),
        ("auth=digest", "tcp", &[Auth], 0.5),
        ("badsdp", "tcp", &[NoVideo], 0.5),
        ("novideo", "tcp", &[NoVideo], 0.5),
    ]);
}

#[test]
fn hostile_descriptions_and_redirects_end_in_a_fault_not_in_a_crash() {
    let any: &[FaultClass] = &[
        NoVideo,
        Protocol,
        Timeout,
        Disconnected,
        Redirected,
        NotFound,
        Unreachable,
        ServerError,
        NoData,
        FaultClass::Internal,
        FaultClass::UnsupportedCodec,
        FaultClass::Transport,
        Stall,
    ];
    check(&[
        ("redir=self", "tcp", &[Redirected], 5.0),
        ("redir=file", "tcp", any, 15.0),
        ("length=-1", "tcp", any, 15.0),
        ("length=9223372036854775808", "tcp", any, 15.0),
    ]);
}

#[test]
fn a_host_that_cannot_be_reached_is_told_apart_from_one_that_does_not_answer() {
    // Nobody listens on a port that was just freed.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = Rig::start(camera(&format!("rtsp://127.0.0.1:{port}/x")));
    // The queue of this listener is full, so the next SYN is dropped.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    full.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    full.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let _ = socket.connect(&address);
        waiting.push(socket);
    }
    let silent = Rig::start(camera(&format!("rtsp://127.0.0.1:{}/x", address.as_socket().unwrap().port())));
    assert!(wait_for(Duration::from_secs(3), || refused.first_fault().is_some()));
    let (_, class, detail) = refused.first_fault().unwrap();
    assert_eq!(class, Unreachable);
    assert!(detail.contains("refuses the connection: nothing listens on port"), "{detail}");
    assert!(wait_for(Duration::from_secs(9), || silent.first_fault().is_some()));
    assert_eq!(silent.first_fault().unwrap().1, Timeout, "{:?}", silent.first_fault());
}

#[test]
fn what_a_camera_may_do_costs_no_session() {
    let server = server();
    let rows = [
        "stall=1:3",
        "tsjump=1:500",
        "tsjump=1:-500",
        "corrupt=0.05",
        "corrupt=0.3",
        "audio",
        "audio=first",
        "meta",
        "midgop",
        "nosr",
        "noinband",
        "jitter=40",
        "dup=0.01",
        "reorder=0.01",
        "delay=1",
        "status=503:0",
        "hugesdp",
    ];
    let rigs: Vec<(&str, Rig)> = rows
        .iter()
        .map(|query| (*query, Rig::start(camera(&server.url(&format!("h264_320x240?{query}"))))))
        .chain([("drop=0.01 over UDP", Rig::start(udp(camera(&server.url("h264_320x240?drop=0.01")))))])
        .collect();
    std::thread::sleep(Duration::from_secs(9));
    for (query, rig) in &rigs {
        assert_eq!(rig.first_fault(), None, "{query}");
        let frames = rig.frames();
        assert!(frames.len() >= 40, "{query}: only {} frames", frames.len());
        assert!(frames.windows(2).all(|pair| pair[0].media_time <= pair[1].media_time), "{query}: time goes back");
        assert!(frames.windows(2).all(|pair| pair[0].seq < pair[1].seq), "{query}: numbers go back");
    }
}

#[test]
fn a_picture_size_that_changes_mid_stream_is_followed_in_both_directions() {
    let server = server();
    let up = Rig::start(camera(&server.url("h264_320x240?switch=2:h264_640x480")));
    let down = Rig::start(camera(&server.url("h264_640x480?switch=2:h264_320x240")));
    for (rig, want) in [(&up, 640), (&down, 320)] {
        let changed = || rig.frames().last().is_some_and(|meta| meta.width == want);
        assert!(wait_for(Duration::from_secs(8), changed), "never {want} wide: {:?}", rig.first_fault());
        assert_eq!(rig.first_fault(), None);
    }
}

#[test]
fn passwords_open_the_stream_and_wrong_ones_wait_long_before_the_next_try() {
    let server = server();
    for kind in ["basic", "digest"] {
        let url = server.url(&format!("h264_320x240?auth={kind}"));
        let good = Rig::start(camera_with_login(&url, USER, PASSWORD));
        assert!(wait_for(Duration::from_secs(5), || good.onlines() == 1), "{kind}: {:?}", good.first_fault());
        let bad = Rig::start(camera_with_login(&url, USER, "wrong"));
        assert!(wait_for(Duration::from_secs(5), || bad.first_fault().is_some()));
        let notices = bad.notices();
        let Some((_, watchkeeper::source::Notice::Offline { fault, retry_in })) = notices.first() else {
            panic!("{kind}: {notices:?}")
        };
        assert_eq!(fault.class, Auth);
        assert!(*retry_in >= Duration::from_secs(45), "{kind}: would try again in {retry_in:?}");
        assert!(!format!("{notices:?}").contains("wrong"), "the password is in {notices:?}");
    }
}

#[test]
fn a_redirect_to_another_host_gets_no_password() {
    let elsewhere = server();
    let home = server();
    let query = format!("h264_320x240?auth=basic&redir=localhost:{}", elsewhere.port());
    let rig = Rig::start(camera_with_login(&home.url(&query), USER, PASSWORD));
    assert!(wait_for(Duration::from_secs(8), || rig.first_fault().is_some()));
    let (_, class, detail) = rig.first_fault().unwrap();
    assert_eq!(class, Redirected, "{detail}");
    assert_eq!(elsewhere.authorizations(), Vec::<String>::new(), "the password was sent to another host");
}

#[test]
fn a_camera_that_is_busy_for_a_while_is_taken_back_by_itself() {
    let server = server();
    let rig = Rig::start(camera(&server.url("h264_320x240?status=503:2")));
    assert!(wait_for(Duration::from_secs(10), || rig.onlines() == 1), "{:?}", rig.notices());
    assert_eq!(rig.first_fault().unwrap().1, Busy);
}

#[test]
fn a_server_that_goes_away_and_comes_back_gets_all_its_cameras_back() {
    let server = server();
    let rigs: Vec<Rig> = (0..8).map(|_| Rig::start(camera(&server.url("h264_320x240")))).collect();
    assert!(wait_for(Duration::from_secs(8), || rigs.iter().all(|rig| rig.onlines() == 1)));
    server.stop();
    std::thread::sleep(Duration::from_secs(3));
    server.restart();
    // Waits double from 0.5 s: after 3 s of outage the next attempt is at most 5 s away.
    assert!(wait_for(Duration::from_secs(10), || rigs.iter().all(|rig| rig.onlines() == 2)));
    for rig in &rigs {
        let frames = rig.frames();
        let last = frames.last().unwrap();
        assert_eq!(last.run, 2);
        assert!(last.media_time >= Duration::from_secs(3), "the outage is on the time line");
    }
}

#[test]
fn one_camera_cut_disturbs_no_other() {
    let server = FaultCamera::start([clips::h264_320x240(), clips::h264_320x240().named("other")]);
    let cut = Rig::start(camera(&server.url("h264_320x240")));
    let others: Vec<Rig> = (0..3).map(|_| Rig::start(camera(&server.url("other")))).collect();
    assert!(wait_for(Duration::from_secs(8), || cut.onlines() == 1 && others.iter().all(|rig| rig.onlines() == 1)));
    assert!(server.abort("h264_320x240"));
    assert!(wait_for(Duration::from_secs(8), || cut.onlines() == 2));
    for rig in &others {
        assert_eq!(rig.first_fault(), None);
        let frames = rig.frames();
        let longest = frames.windows(2).map(|p| p[1].arrival.seconds_since(p[0].arrival)).fold(0.0, f64::max);
        assert!(longest < 1.0, "another camera had a gap of {longest} s");
    }
}

#[test]
fn any_state_can_be_left_within_a_second() {
    let server = server();
    let states = ["", "?hang=DESCRIBE", "?hang=PLAY", "?nodata", "?stall=0.5", "?status=401", "?freeze=0.5"];
    let rigs: Vec<(&str, Rig)> =
        states.iter().map(|query| (*query, Rig::start(camera(&server.url(&format!("h264_320x240{query}")))))).collect();
    std::thread::sleep(Duration::from_secs(2));
    for (query, rig) in rigs {
        let took = rig.stop();
        assert!(took < Duration::from_secs(1), "{query}: {took:?}");
    }
}

#[test]
fn under_a_gpu_only_policy_a_software_decoder_is_refused() {
    let server = server();
    let rig = Rig::start_with(camera(&server.url("h264_320x240")), Policy::GpuOnly);
    assert!(wait_for(Duration::from_secs(5), || rig.first_fault().is_some()));
    let (_, class, detail) = rig.first_fault().unwrap();
    assert_eq!(class, FaultClass::UnsupportedCodec);
    assert!(detail.contains("policy = \"gpu-only\" refuses"), "{detail}");
    assert_eq!(rig.frames().len(), 0);
}

#[test]
fn capture_time_comes_from_the_cameras_sender_reports() {
    let server = server();
    let rigs = [("", "ntp", 0.0), ("?skew=3", "ntp", 3.0), ("?skew=4000", "arrival", 0.0), ("?nosr", "arrival", 0.0)]
        .map(|(query, clock, skew)| {
            (query, clock, skew, Rig::start(camera(&server.url(&format!("h264_320x240{query}")))))
        });
    std::thread::sleep(Duration::from_secs(6));
    for (query, clock, skew, rig) in &rigs {
        let frames = rig.frames();
        let last = frames.last().unwrap();
        assert_eq!(serde_json::to_value(last.capture.clock).unwrap(), *clock, "{query}");
        let measured = last.capture.time.seconds_since(last.arrival);
        assert!((measured - skew).abs() < 0.5, "{query}: capture is {measured} s from arrival, want about {skew}");
    }
}

#[test]
fn h265_and_mjpeg_are_read_too() {
    let mut clips = vec![clips::mjpeg_320x240()];
    clips.extend(clips::h265_320x240());
    let names: Vec<String> = clips.iter().map(|clip| clip.name.clone()).collect();
    let server = FaultCamera::start(clips);
    for name in names {
        let rig = Rig::start(camera(&server.url(&name)));
        assert!(wait_for(Duration::from_secs(8), || rig.frames().len() > 10), "{name}: {:?}", rig.first_fault());
        let meta = rig.frames()[5];
        assert_eq!((meta.width, meta.height), (320, 240), "{name}");
    }
}

#[test]
fn a_test_picture_flows_beyond_every_deadline() {
    let rig = Rig::start(camera("test://ball"));
    std::thread::sleep(Duration::from_secs(14));
    assert_eq!(rig.first_fault(), None);
    assert!(rig.frames().len() > 150);
}

#[test]
fn auto_goes_over_to_tcp_where_udp_is_refused_or_brings_nothing() {
    let server = server();
    let auto = |query: &str| {
        let mut camera = camera(&server.url(&format!("h264_320x240{query}")));
        camera.transport = watchkeeper::config::Transport::Auto;
        Rig::start(camera)
    };
    let plain = auto("");
    assert!(wait_for(Duration::from_secs(5), || plain.onlines() == 1), "{:?}", plain.first_fault());
    let refused = auto("?tcponly");
    assert!(wait_for(Duration::from_secs(5), || refused.onlines() == 1), "{:?}", refused.first_fault());
    assert_eq!(refused.first_fault(), None, "changing over is no fault");
    drop((plain, refused));
    let before = server.requests_for("PLAY");
    let silent = auto("?nodata");
    assert!(wait_for(Duration::from_secs(20), || silent.first_fault().is_some()));
    assert_eq!(silent.first_fault().unwrap().1, NoData);
    assert!(server.requests_for("PLAY") >= before + 2, "TCP was not tried after UDP");
}

#[test]
fn the_key_frame_interval_is_counted_between_two_key_frames_only() {
    let server = server();
    // 15 pictures from key frame to key frame; begun in the middle, the first stretch is shorter.
    for query in ["", "?midgop"] {
        let rig = Rig::start(camera(&server.url(&format!("h264_320x240{query}"))));
        let interval = || rig.facts().key_interval.load(std::sync::atomic::Ordering::Relaxed);
        assert!(wait_for(Duration::from_secs(8), || interval() != 0));
        assert_eq!(interval(), 15, "{query}");
    }
}
