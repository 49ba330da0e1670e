//! Cameras and recordings over HTTP.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use fault_camera::clips;
use support::rig::{Rig, camera, camera_with_login};
use support::wait_for;
use watchkeeper::source::FaultClass;

/// Answers each connection on a thread of its own; `answer` gets the request's head.
fn serve(answer: impl Fn(&str, TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
                    head.push(byte[0]);
                }
                answer(&String::from_utf8_lossy(&head), stream);
            });
        }
    });
    port
}

/// A camera that pushes JPEG pictures, as many web cameras do.
fn mjpeg(mut stream: TcpStream) {
    let clip = clips::mjpeg_320x240();
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n");
    for unit in clip.access_units.iter().cycle() {
        let image: Vec<u8> = unit.units.concat();
        let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", image.len());
        let sent = stream
            .write_all(head.as_bytes())
            .and_then(|()| stream.write_all(&image))
            .and_then(|()| stream.write_all(b"\r\n"));
        if sent.is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(66));
    }
}

#[test]
fn live_mjpeg_over_http_comes_online_and_stays() {
    let port = serve(|_, stream| mjpeg(stream));
    let rig = Rig::start(camera(&format!("http://127.0.0.1:{port}/video")));
    assert!(wait_for(Duration::from_secs(10), || rig.onlines() == 1), "{:?}", rig.first_fault());
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(rig.first_fault(), None);
    let frames = rig.frames();
    assert!(frames.len() > 30, "{} frames", frames.len());
    assert_eq!((frames[0].width, frames[0].height), (320, 240));
}

#[test]
fn refusals_over_http_keep_their_meaning_and_the_login_is_sent_when_asked_for() {
    let rows = [
        ("401 Unauthorized", FaultClass::Auth),
        ("403 Forbidden", FaultClass::Forbidden),
        ("404 Not Found", FaultClass::NotFound),
    ];
    for (status, want) in rows {
        let port = serve(move |_, mut stream| {
            let challenge = "WWW-Authenticate: Basic realm=\"camera\"\r\n";
            let _ = write!(stream, "HTTP/1.1 {status}\r\n{challenge}Content-Length: 0\r\nConnection: close\r\n\r\n");
        });
        let rig = Rig::start(camera(&format!("http://127.0.0.1:{port}/video")));
        assert!(wait_for(Duration::from_secs(10), || rig.first_fault().is_some()), "{status}");
        assert_eq!(rig.first_fault().unwrap().1, want, "{status}: {:?}", rig.first_fault());
    }
    let port = serve(|head, mut stream| {
        // admin:s3cret
        if head.contains("Basic YWRtaW46czNjcmV0") {
            mjpeg(stream);
        } else {
            let challenge = "WWW-Authenticate: Basic realm=\"camera\"\r\n";
            let _ = write!(
                stream,
                "HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    });
    let rig = Rig::start(camera_with_login(&format!("http://127.0.0.1:{port}/video"), "admin", "s3cret"));
    assert!(wait_for(Duration::from_secs(10), || rig.onlines() == 1), "{:?}", rig.first_fault());
}
