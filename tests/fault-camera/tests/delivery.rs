//! A healthy camera delivers exactly its clip.

mod client;

use client::{Client, Rtp, controls, synthetic, units};
use fault_camera::{Clip, Codec, FaultCamera, clips};

fn expected(clip: &Clip) -> Vec<Vec<Vec<u8>>> {
    clip.access_units.iter().map(|unit| unit.units.clone()).collect()
}

fn next_of(client: &mut Client) -> impl FnMut() -> Rtp {
    || loop {
        if let (0, packet) = client.packet().expect("a packet") {
            return Rtp::parse(&packet);
        }
    }
}

#[test]
fn tcp_and_udp_deliver_the_clip_and_begin_again() {
    for codec in [Codec::H264, Codec::H265] {
        let clip = synthetic("clip", codec);
        let twice = [expected(&clip), expected(&clip)].concat();
        let camera = FaultCamera::start([clip]);

        let mut client = Client::connect(&camera.url("clip"));
        client.play();
        assert_eq!(units(codec, next_of(&mut client), twice.len()), twice, "{codec:?} over TCP");

        let mut client = Client::connect(&camera.url("clip"));
        let (rtp, rtcp) = client.play_udp();
        let receive = |socket: &std::net::UdpSocket| {
            let mut bytes = vec![0; 2000];
            let len = socket.recv(&mut bytes).expect("a datagram");
            bytes[..len].to_vec()
        };
        assert_eq!(units(codec, || Rtp::parse(&receive(&rtp)), twice.len()), twice, "{codec:?} over UDP");
        assert_eq!(receive(&rtcp)[1], 200, "a sender report");
        assert_eq!(camera.sessions(), 2);
        assert!(camera.pictures() >= 2 * twice.len() as u64);
    }
}

#[test]
fn packets_are_numbered_and_timed() {
    let camera = FaultCamera::start([synthetic("clip", Codec::H264)]);
    let mut client = Client::connect(&camera.url("clip"));
    client.play();
    let mut next = next_of(&mut client);
    let packets: Vec<Rtp> = (0..200).map(|_| next()).collect();
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        let step = if pair[0].marker { 900 } else { 0 };
        assert!((pair[1].timestamp - pair[0].timestamp).abs_diff(step) <= 1, "{pair:?}");
        assert_eq!((pair[1].ssrc, pair[1].payload_type), (pair[0].ssrc, 96));
    }
}

#[test]
fn descriptions_carry_parameter_sets_and_tracks() {
    let camera = FaultCamera::start([synthetic("clip", Codec::H264), synthetic("hevc", Codec::H265)]);
    let describe = |path: &str| Client::connect(&camera.url(path)).describe().body;
    let plain = describe("clip");
    assert!(plain.contains("profile-level-id=42c01e;sprop-parameter-sets=Z0LAHg"), "{plain}");
    assert_eq!(controls(&plain).len(), 1);
    assert!(describe("hevc").contains("sprop-vps=QAEB;sprop-sps=QgEC;sprop-pps=RAED"));
    assert!(!describe("clip?nosprop").contains("sprop"));
    let position = |path: &str, what: &str| describe(path).find(what).expect("the track");
    assert!(position("clip?audio", "m=audio") > position("clip?audio", "m=video"));
    assert!(position("clip?audio=first", "m=audio") < position("clip?audio=first", "m=video"));
    assert!(describe("clip?meta").contains("vnd.onvif.metadata"));
    assert!(!describe("clip?novideo").contains("m="));
    assert!(!describe("clip?badsdp").contains("v=0"));
    assert!(describe("clip?hugesdp").len() > 9_000_000);
    assert!(describe("clip?control=other:554").contains("a=control:rtsp://other:554/session-"));
}

#[test]
fn audio_and_metadata_travel_beside_the_video() {
    let camera = FaultCamera::start([synthetic("clip", Codec::H264)]);
    let mut client = Client::connect(&camera.url("clip?audio=first&meta"));
    client.play();
    let audio = loop {
        if let (2, packet) = client.packet().expect("a packet") {
            break Rtp::parse(&packet);
        }
    };
    assert_eq!((audio.payload_type, audio.payload), (8, vec![0xd5; 160]));
}

#[test]
fn generated_clips_have_a_key_frame_every_second_and_are_delivered() {
    let list = [clips::h264_320x240(), clips::h264_640x480(), clips::mjpeg_320x240()];
    for clip in list.into_iter().chain(clips::h265_320x240()) {
        let keys: Vec<usize> = (0..60).filter(|&i| clip.access_units[i].key).collect();
        match clip.codec {
            Codec::Jpeg => assert_eq!(keys.len(), 60),
            _ => {
                assert_eq!(keys, [0, 15, 30, 45], "{}", clip.name);
                let sets = clip.parameter_sets().len();
                assert_eq!(sets, if clip.codec == Codec::H264 { 2 } else { 3 }, "{}", clip.name);
                let in_band = |&i: &usize| clip.access_units[i].units[..sets] == clip.access_units[0].units[..sets];
                assert!(keys.iter().all(in_band), "{}", clip.name);
            }
        }
        let camera = FaultCamera::start([clip.clone()]);
        let mut client = Client::connect(&camera.url(&format!("{}?fps=200", clip.name)));
        client.play();
        let mut got = units(clip.codec, next_of(&mut client), 60);
        let mut want = expected(&clip);
        if clip.codec == Codec::Jpeg {
            // The compressed data is the end of the image, but for its last marker.
            for (got, want) in got.iter_mut().flatten().zip(want.iter_mut().flatten()) {
                want.drain(..want.len() - 2 - got.len());
                got.extend([0xff, 0xd9]);
            }
        }
        assert!(got == want, "{}", clip.name);
    }
}
