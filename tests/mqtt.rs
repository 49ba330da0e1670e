//! The MQTT sink against a real broker, heard by clients that are not ours.

#![allow(clippy::unwrap_used)]

#[path = "support/mosquitto.rs"]
mod mosquitto;

#[path = "mqtt/bench.rs"]
mod bench;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchkeeper::config::{Credentials, Dialect, MqttVersion, Tls};
use watchkeeper::outbox::sinks::{FailureKind, Stored, Target};
use watchkeeper::types::secret::Secret;

use bench::{Bench, camera, deliver_all, event, events};
use mosquitto::{Cable, Mosquitto, free_port, wait_for};

const VERSIONS: [MqttVersion; 2] = [MqttVersion::V311, MqttVersion::V5];

fn seqs(payloads: &[String]) -> Vec<u64> {
    payloads.iter().map(|payload| serde_json::from_str::<Value>(payload).unwrap()["seq"].as_u64().unwrap()).collect()
}

#[test]
fn events_arrive_in_order_with_qos_1_in_both_versions() {
    for version in VERSIONS {
        let broker = Mosquitto::start();
        let listener = broker.listen(&["watchkeeper/events"]);
        let bench = Bench::new(broker.port).with(|mqtt| mqtt.version = version);
        let mut target = bench.open();
        deliver_all(&mut target, &events(1..=1000, 300));
        assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 1000), "{version:?}");
        let heard = listener.heard();
        assert!(heard.iter().all(|message| message.qos == 1 && !message.retained), "{:?}", heard[0]);
        assert_eq!(seqs(&listener.on("watchkeeper/events")), (1..=1000).collect::<Vec<_>>(), "{version:?}");
        target.close();
    }
}

#[test]
fn in_frigate_s_form_events_it_has_no_words_for_are_passed_over() {
    let broker = Mosquitto::start();
    let listener = broker.listen(&["frigate/events"]);
    let mut bench = Bench::new(broker.port).with(|mqtt| mqtt.prefix = "frigate".to_owned());
    bench.dialect = Dialect::Frigate;
    let mut target = bench.open();
    let mut all = events(1..=3, 10);
    let track = json!({"id": "gate:1:7", "label": "person", "score": 0.8, "top_score": 0.9, "median_score": 0.8,
        "box": [0.1, 0.2, 0.3, 0.4], "age_s": 0.5, "stationary": false});
    let body = json!({"schema": "event/1", "event_id": all[1].id, "seq": 2, "device": "test", "boot": "0",
        "type": "object.start", "phase": "start", "camera": "gate", "rule": "", "track": track,
        "time": {"capture": "2026-11-20T17:08:37.214Z", "clock": "ntp", "arrival": "2026-11-20T17:08:37.214Z",
            "emit": "2026-11-20T17:08:37.214Z"}});
    all[1].event_type = "object.start".to_owned();
    all[1].body = body.to_string().into();
    for (at, without) in [(0, "camera.offline"), (2, "engine.serial_mode")] {
        all[at].event_type = without.to_owned();
        all[at].body = all[at].body.replace("line.crossed", without).into();
    }
    deliver_all(&mut target, &all);
    assert!(wait_for(Duration::from_secs(5), || !listener.heard().is_empty()));
    let told: Value = serde_json::from_str(&listener.heard()[0].payload).unwrap();
    assert_eq!((&told["type"], &told["after"]["label"]), (&"new".into(), &"person".into()), "{told}");
    assert_eq!(listener.heard().len(), 1);
    // Nothing but such events: done at once, without a broker.
    drop(broker);
    assert!(matches!(target.deliver(&all[..1]), (1, Ok(()))));
}

#[test]
fn opening_does_not_wait_for_a_broker_that_comes_later() {
    let mut broker = Mosquitto::prepare("allow_anonymous true");
    let bench = Bench::new(broker.port);
    let began = Instant::now();
    let mut target = bench.open();
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    let (done, result) = target.deliver(&events(1..=3, 10));
    let failure = result.unwrap_err();
    assert_eq!((done, failure.kind), (0, FailureKind::Retry));
    for word in ["127.0.0.1", "connection refused", "is the broker running"] {
        assert!(failure.reason.contains(word), "{word} is missing: {}", failure.reason);
    }
    broker.run();
    let listener = broker.listen(&["watchkeeper/events"]);
    deliver_all(&mut target, &events(1..=3, 10));
    assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 3));
    assert_eq!(seqs(&listener.on("watchkeeper/events")), [1, 2, 3]);
}

#[test]
fn nothing_is_missing_after_the_broker_was_restarted_in_the_middle() {
    for version in VERSIONS {
        let mut broker = Mosquitto::start_with("allow_anonymous true\nmax_queued_messages 0");
        let listener = broker.listen_with(&["watchkeeper/events"], &["-c", "-i", "consumer"]);
        let bench = Bench::new(broker.port).with(|mqtt| mqtt.version = version);
        let mut target = bench.open();
        let sender = std::thread::spawn(move || {
            for start in (1..4000).step_by(200) {
                deliver_all(&mut target, &events(start..=start + 199, 300));
                std::thread::sleep(Duration::from_millis(20));
            }
            target.close();
        });
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(400));
            broker.restart();
        }
        sender.join().unwrap();
        let all: BTreeSet<u64> = (1..=4000).collect();
        let missing = || {
            let heard: BTreeSet<u64> = seqs(&listener.on("watchkeeper/events")).into_iter().collect();
            all.difference(&heard).copied().collect::<Vec<_>>()
        };
        assert!(wait_for(Duration::from_secs(15), || missing().is_empty()), "{version:?}: {:?}", missing());
    }
}

#[test]
fn a_broker_that_stands_still_is_a_time_out_and_then_it_goes_on() {
    for version in VERSIONS {
        let broker = Mosquitto::start();
        let listener = broker.listen(&["watchkeeper/#"]);
        let bench = Bench::new(broker.port).with(|mqtt| {
            mqtt.version = version;
            mqtt.server.timeout = Duration::from_secs(1);
        });
        let mut target = bench.open();
        deliver_all(&mut target, &events(1..=10, 50));
        broker.freeze();
        let began = Instant::now();
        let (done, result) = target.deliver(&events(11..=20, 50));
        let (took, failure) = (began.elapsed(), result.unwrap_err());
        assert_eq!((done, failure.kind), (0, FailureKind::Retry), "{}", failure.reason);
        assert!(failure.reason.contains("acknowledged nothing for 1 s"), "{}", failure.reason);
        assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&took), "{took:?}");
        broker.thaw();
        deliver_all(&mut target, &events(11..=20, 50));
        assert!(wait_for(Duration::from_secs(10), || listener.on("watchkeeper/events").len() >= 20));
        let heard: BTreeSet<u64> = seqs(&listener.on("watchkeeper/events")).into_iter().collect();
        assert_eq!(heard, (1..=20).collect());
    }
}

#[test]
fn over_a_slow_way_all_arrives_once_and_in_order() {
    for version in VERSIONS {
        let broker = Mosquitto::start();
        let listener = broker.listen(&["watchkeeper/events"]);
        let cable = Cable::to(broker.port);
        cable.slow_ms.store(20, std::sync::atomic::Ordering::SeqCst);
        let bench = Bench::new(cable.port).with(|mqtt| {
            mqtt.version = version;
            mqtt.server.timeout = Duration::from_secs(2);
        });
        let mut target = bench.open();
        assert!(wait_for(Duration::from_secs(5), || target.deliver(&events(0..=0, 10)).1.is_ok()));
        // 250 packets of 4 KiB: five seconds, longer than an answer may take.
        let all = events(1..=250, 4000);
        let (mut left, mut deliveries) = (&all[..], 0);
        while !left.is_empty() {
            let (done, result) = target.deliver(left);
            result.unwrap_or_else(|failure| panic!("{version:?}: {failure}"));
            left = &left[done..];
            deliveries += 1;
        }
        assert!(deliveries > 1, "a delivery comes back while there is more to do");
        assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 251));
        assert_eq!(seqs(&listener.on("watchkeeper/events")), (0..=250).collect::<Vec<_>>());
    }
}

#[test]
fn a_standing_broker_is_noticed_by_pings_while_no_events_flow() {
    let broker = Mosquitto::start();
    let bench = Bench::new(broker.port).with(|mqtt| {
        mqtt.keep_alive = Duration::from_secs(1);
        mqtt.server.timeout = Duration::from_secs(1);
    });
    let mut target = bench.open();
    deliver_all(&mut target, &events(1..=1, 10));
    broker.freeze();
    std::thread::sleep(Duration::from_secs(3));
    let failure = target.deliver(&events(2..=2, 10)).1.unwrap_err();
    assert!(!failure.reason.contains("acknowledged nothing"), "it was noticed only now: {}", failure.reason);
    broker.thaw();
    deliver_all(&mut target, &events(2..=2, 10));
}

#[test]
fn over_tls_events_reach_a_broker_whose_authority_is_believed() {
    let broker = Mosquitto::prepare("");
    let pki = bench::Pki::in_folder(broker.dir.path(), "localhost");
    broker.configure(&pki.listener("require_certificate true\nuse_identity_as_username true"));
    let mut broker = broker;
    broker.run();
    for version in VERSIONS {
        let bench = Bench::new(broker.port).with(|mqtt| {
            mqtt.version = version;
            mqtt.server.host = "localhost".to_owned();
            mqtt.server.tls = Some(Tls { ca_file: Some(pki.authority()), client: Some(pki.client()) });
        });
        broker.client = pki.arguments();
        let listener = broker.listen(&["watchkeeper/events"]);
        let mut target = bench.open();
        deliver_all(&mut target, &events(1..=300, 3000));
        assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 300));
        assert_eq!(seqs(&listener.on("watchkeeper/events")), (1..=300).collect::<Vec<_>>());
        target.close();
    }
}

#[test]
fn a_broker_that_cannot_be_believed_gets_nothing_and_the_reason_is_clear() {
    let mut broker = Mosquitto::prepare("");
    let pki = bench::Pki::in_folder(broker.dir.path(), "localhost");
    let other = tempfile::tempdir().unwrap();
    let stranger = bench::Pki::in_folder(other.path(), "localhost");
    broker.configure(&pki.listener("allow_anonymous true"));
    broker.run();
    let port = broker.port;
    let refused = |host: &str, tls: Tls, words: &[&str]| {
        let bench = Bench::new(port).with(|mqtt| {
            mqtt.server.host = host.to_owned();
            mqtt.server.tls = Some(tls.clone());
        });
        let mut target = bench.open();
        let (done, result) = target.deliver(&events(1..=3, 10));
        let failure = result.unwrap_err();
        assert_eq!((done, failure.kind), (0, FailureKind::Retry));
        for word in words {
            assert!(failure.reason.contains(word), "{word:?} is missing: {}", failure.reason);
        }
    };
    let believe = |pki: &bench::Pki| Tls { ca_file: Some(pki.authority()), client: None };
    refused("localhost", believe(&stranger), &["not trusted", "ca_file", "localhost:"]);
    refused("localhost", Tls::default(), &["not trusted", "name the certificate of its authority as ca_file"]);
    refused("127.0.0.1", believe(&pki), &["not for \"127.0.0.1\""]);
    assert!(!broker.log().contains("PUBLISH"), "{}", broker.log());
    broker.stop();
    broker.configure(&pki.listener("require_certificate true"));
    broker.run();
    refused("localhost", believe(&pki), &["wants a certificate of ours", "certificate_file"]);
    let unknown = Tls { ca_file: Some(pki.authority()), client: Some(stranger.client()) };
    refused("localhost", unknown, &["does not accept our certificate", "client.pem"]);
    assert!(!broker.log().contains("PUBLISH"), "{}", broker.log());
    broker.stop();
    broker.configure(&pki.listener("allow_anonymous true"));
    broker.run();
    // The same place with the right authority: only trust was missing.
    let bench = Bench::new(broker.port).with(|mqtt| {
        mqtt.server.host = "localhost".to_owned();
        mqtt.server.tls = Some(believe(&pki));
    });
    deliver_all(&mut bench.open(), &events(1..=3, 10));
}

#[test]
fn tls_towards_a_port_without_it_and_the_reverse_are_told_apart() {
    let broker = Mosquitto::start();
    let bench = Bench::new(broker.port).with(|mqtt| mqtt.server.tls = Some(Tls::default()));
    let failure = bench.open().deliver(&events(1..=1, 10)).1.unwrap_err();
    assert!(failure.reason.contains("port for TLS"), "{}", failure.reason);

    let mut broker = Mosquitto::prepare("");
    let pki = bench::Pki::in_folder(broker.dir.path(), "localhost");
    broker.configure(&pki.listener("allow_anonymous true"));
    broker.run();
    let failure = Bench::new(broker.port).open().deliver(&events(1..=1, 10)).1.unwrap_err();
    assert!(failure.reason.contains("TLS"), "{}", failure.reason);
}

#[test]
fn an_unreadable_certificate_is_named_at_once() {
    let bench = Bench::new(free_port())
        .with(|mqtt| mqtt.server.tls = Some(Tls { ca_file: Some("/nowhere/ca.pem".into()), client: None }));
    let failure = bench.try_open().err().unwrap();
    assert!(failure.reason.contains("ca_file /nowhere/ca.pem cannot be read"), "{}", failure.reason);
}

#[test]
fn a_wrong_password_is_told_without_the_password_and_not_tried_in_haste() {
    for version in VERSIONS {
        let broker = Mosquitto::prepare("allow_anonymous false\npassword_file {dir}/users");
        let users = broker.dir.path().join("users");
        let made = std::process::Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&users)
            .args(["wk", "right"])
            .status();
        assert!(made.unwrap().success());
        let mut broker = broker;
        broker.run();
        let login = |password: &str| Some(Credentials { username: "wk".to_owned(), password: Secret::new(password) });
        let bench = Bench::new(broker.port).with(|mqtt| {
            mqtt.version = version;
            mqtt.server.login = login("hunter2");
        });
        let mut target = bench.open();
        let failure = target.deliver(&events(1..=1, 10)).1.unwrap_err();
        assert!(failure.reason.contains("password_file") && !failure.reason.contains("hunter2"), "{}", failure.reason);
        std::thread::sleep(Duration::from_secs(2));
        let attempts =
            broker.log().matches("New client connected").count() + broker.log().matches("not authorised").count();
        assert!(attempts <= 1, "{attempts} attempts: {}", broker.log());
        let bench = Bench::new(broker.port).with(|mqtt| {
            mqtt.version = version;
            mqtt.server.login = login("right");
        });
        deliver_all(&mut bench.open(), &events(1..=1, 10));
    }
}

#[test]
fn a_topic_that_is_not_allowed_is_told_and_waits() {
    let mut broker = Mosquitto::prepare("allow_anonymous true\nacl_file {dir}/acl");
    std::fs::write(broker.dir.path().join("acl"), "topic readwrite other/#\n").unwrap();
    broker.run();
    let bench = Bench::new(broker.port).with(|mqtt| mqtt.version = MqttVersion::V5);
    let (done, result) = bench.open().deliver(&events(1..=3, 10));
    let failure = result.unwrap_err();
    assert_eq!((done, failure.kind), (0, FailureKind::Retry));
    assert!(failure.reason.contains("watchkeeper/events") && failure.reason.contains("ACL"), "{}", failure.reason);
}

#[test]
fn the_last_will_is_heard_when_the_cable_is_cut_and_goodbye_when_it_is_closed() {
    for version in VERSIONS {
        let broker = Mosquitto::start();
        let cable = Cable::to(broker.port);
        let listener = broker.listen(&["watchkeeper/available"]);
        let bench = Bench::new(cable.port).with(|mqtt| mqtt.version = version);
        let mut target = bench.open();
        assert!(listener.hears("watchkeeper/available", "online"));
        cable.cut(true);
        assert!(listener.hears("watchkeeper/available", "offline"), "{version:?}");
        assert_eq!(broker.retained("watchkeeper/available")["watchkeeper/available"], "offline");
        cable.cut(false);
        let online = || listener.on("watchkeeper/available") == ["online", "offline", "online"];
        assert!(wait_for(Duration::from_secs(15), online), "{:?}", listener.on("watchkeeper/available"));
        target.close();
        let offline = || listener.on("watchkeeper/available").len() == 4;
        assert!(wait_for(Duration::from_secs(5), offline), "{:?}", listener.on("watchkeeper/available"));
        assert_eq!(broker.retained("watchkeeper/available")["watchkeeper/available"], "offline");
    }
}

#[test]
fn closing_is_quick_with_and_without_a_broker() {
    let mut broker = Mosquitto::start();
    for _ in 0..2 {
        let mut target = Bench::new(broker.port).open();
        let _ = target.deliver(&events(1..=1, 10));
        let began = Instant::now();
        target.close();
        drop(target);
        assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
        if broker.log().contains("PUBLISH") {
            broker.stop();
            std::fs::remove_file(broker.dir.path().join("log")).unwrap();
        }
    }
    broker.run();
}

#[test]
fn two_daemons_with_one_client_id_are_told_of_each_other() {
    for version in VERSIONS {
        let broker = Mosquitto::start();
        let bench = Bench::new(broker.port).with(|mqtt| mqtt.version = version);
        let mut targets = [bench.open(), bench.open()];
        let mut number = 0;
        let mut told = || {
            targets.iter_mut().any(|target| {
                number += 1;
                target.deliver(&events(number..=number, 10)).1.is_err_and(|failure| {
                    failure.reason.contains("client_id") && failure.reason.contains("another client logs in as")
                })
            })
        };
        assert!(wait_for(Duration::from_secs(30), &mut told), "{version:?}");
    }
}

/// What the outbox does: hands over, leaves out what is refused, tries again. Answers what was refused.
fn deliver_or_leave_out(target: &mut Box<dyn Target>, all: &[Stored]) -> Vec<u64> {
    let (mut refused, mut left, until) = (Vec::new(), all, Instant::now() + Duration::from_secs(40));
    while !left.is_empty() {
        let (done, result) = target.deliver(left);
        left = &left[done..];
        let Err(failure) = result else { continue };
        assert!(Instant::now() < until, "stuck before {}: {failure}", left[0].seq);
        if failure.kind == FailureKind::Refused {
            assert!(failure.reason.contains("max_packet_size"), "{}", failure.reason);
            refused.push(left[0].seq);
            left = &left[1..];
        }
    }
    refused
}

#[test]
fn an_event_too_large_for_the_broker_is_refused_and_the_rest_arrives() {
    // MQTT 5 is told the limit of packets; 3.1.1 is cut off; that of messages is an answer no engine expects.
    for (version, limit) in [
        (MqttVersion::V5, "max_packet_size"),
        (MqttVersion::V311, "max_packet_size"),
        (MqttVersion::V5, "message_size_limit"),
    ] {
        let broker = Mosquitto::start_with(&format!("allow_anonymous true\n{limit} 5000"));
        let listener = broker.listen(&["watchkeeper/events"]);
        let bench = Bench::new(broker.port).with(|mqtt| mqtt.version = version);
        let mut target = bench.open();
        let mut all = events(1..=20, 100);
        all[9] = event(10, 6000);
        let refused = deliver_or_leave_out(&mut target, &all);
        assert_eq!(refused, [10], "{version:?}");
        assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 19));
        let heard: BTreeSet<u64> = seqs(&listener.on("watchkeeper/events")).into_iter().collect();
        assert_eq!(heard, (1..=20).filter(|seq| *seq != 10).collect());
    }
}

#[test]
fn the_broker_s_receive_maximum_is_kept_to() {
    let broker = Mosquitto::start_with("allow_anonymous true\nmax_inflight_messages 3");
    let listener = broker.listen(&["watchkeeper/events"]);
    let bench = Bench::new(broker.port).with(|mqtt| mqtt.version = MqttVersion::V5);
    deliver_all(&mut bench.open(), &events(1..=500, 100));
    assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 500));
    assert_eq!(seqs(&listener.on("watchkeeper/events")), (1..=500).collect::<Vec<_>>());
}

#[test]
fn states_and_counts_are_retained_and_follow_what_happens() {
    for version in VERSIONS {
        let broker = Mosquitto::start();
        let listener = broker.listen(&["watchkeeper/#"]);
        let bench = Bench::new(broker.port)
            .with(|mqtt| mqtt.version = version)
            .cameras(vec![camera("gate", &[("yard", &[])], &["door"]), camera("hall", &[], &[])]);
        let gate = bench.metrics.camera("gate");
        gate.set_labels(&["person".to_owned(), "traffic light".to_owned(), "status".to_owned()]);
        gate.counts.set_labels(&["person".to_owned(), "traffic light".to_owned(), "status".to_owned()]);
        gate.counts.set_places(vec!["yard".to_owned()], vec!["door".to_owned()]);
        gate.update_status(|status| status.online = true);
        let mut target = bench.open();
        assert!(listener.hears("watchkeeper/gate/status", "online"));
        assert!(listener.hears("watchkeeper/hall/status", "disabled"), "it is in the config and does not run");
        assert!(listener.hears("watchkeeper/gate/lines/door/in", "0"));
        assert!(listener.on("watchkeeper/gate/person").is_empty(), "never seen, not told");

        gate.set_tracks(&bench::tracks(&[0, 0, 1, 2]));
        gate.counts.set_inside(0, &[1, 0, 0]);
        gate.counts.set_crossed(0, [3, 1]);
        for (topic, payload) in [
            ("gate/person", "2"),
            ("gate/traffic_light", "1"),
            ("gate/status_", "1"),
            ("gate/yard/person", "1"),
            ("gate/yard/traffic_light", "0"),
            ("gate/lines/door/in", "3"),
            ("gate/lines/door/out", "1"),
        ] {
            assert!(listener.hears(&format!("watchkeeper/{topic}"), payload), "{topic}");
        }
        gate.update_status(|status| status.online = false);
        gate.set_tracks(&[]);
        assert!(listener.hears("watchkeeper/gate/status", "offline"));
        assert!(listener.hears("watchkeeper/gate/person", "0"));
        let retained = broker.retained("watchkeeper/#");
        assert_eq!(retained["watchkeeper/gate/status"], "offline");
        assert_eq!(retained["watchkeeper/gate/lines/door/in"], "3");
        assert_eq!(retained["watchkeeper/available"], "online");
        assert!(!retained.contains_key("watchkeeper/stats"), "figures are not retained");
        let stats: Value = serde_json::from_str(listener.on("watchkeeper/stats").first().unwrap()).unwrap();
        for path in
            ["/version", "/uptime_s", "/cameras_online", "/events", "/cameras/gate/fps", "/cameras/gate/replaced"]
        {
            assert!(stats.pointer(path).is_some(), "{path} is missing in {stats}");
        }
        // What does not change is not said again.
        let before = listener.heard().len();
        std::thread::sleep(Duration::from_secs(2));
        let said: Vec<_> = listener.heard().drain(before..).filter(|m| m.topic != "watchkeeper/stats").collect();
        assert!(said.is_empty(), "{said:?}");
        target.close();
    }
}

#[test]
fn counts_that_change_all_the_time_are_told_twice_a_second_at_most() {
    let broker = Mosquitto::start();
    let listener = broker.listen(&["watchkeeper/gate/person"]);
    let bench = Bench::new(broker.port).cameras(vec![camera("gate", &[], &[])]);
    let gate = bench.metrics.camera("gate");
    gate.set_labels(&["person".to_owned()]);
    let _target = bench.open();
    let until = Instant::now() + Duration::from_secs(4);
    let mut count = 0;
    while Instant::now() < until {
        count += 1;
        gate.set_tracks(&bench::tracks(&vec![0; count % 50 + 1]));
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = listener.heard().len();
    assert!((4..=9).contains(&told), "{told} times in 4 s");
}

#[test]
fn home_assistant_finds_every_thing_and_things_that_are_gone_are_taken_back() {
    let broker = Mosquitto::start();
    let yard: (&str, &[&str]) = ("yard", &["person"]);
    let both = vec![camera("gate", &[yard], &["door"]), camera("hall", &[], &[])];
    let bench = Bench::new(broker.port).with(|mqtt| mqtt.discovery = Some("homeassistant".to_owned())).cameras(both);
    for id in ["gate", "hall"] {
        let camera = bench.metrics.camera(id);
        camera.set_labels(&["person".to_owned(), "car".to_owned()]);
        camera.set_tracks(&bench::tracks(&[1]));
        camera.update_status(|status| status.online = true);
    }
    let found = || broker.retained("homeassistant/#");
    let mut target = bench.open();
    assert!(wait_for(Duration::from_secs(10), || found().len() >= 4 + 2 * 2 + 2 * 2 + 2 + 2), "{:#?}", found());
    let messages = found();
    let mut ids = BTreeSet::new();
    for (topic, payload) in &messages {
        let parts: Vec<_> = topic.split('/').collect();
        let config: Value = serde_json::from_str(payload).unwrap();
        assert!(matches!(parts[..], ["homeassistant", "sensor" | "binary_sensor", _, "config"]), "{topic}");
        assert_eq!(config["unique_id"], parts[2], "{topic}");
        assert!(parts[2].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{topic}");
        assert!(ids.insert(parts[2].to_owned()), "{topic} twice");
        for key in ["/name", "/state_topic", "/device/name", "/device/identifiers/0", "/origin/name"] {
            assert!(config.pointer(key).is_some_and(Value::is_string), "{topic}: {key} is missing in {payload}");
        }
        assert!(config["state_topic"].as_str().unwrap().starts_with("watchkeeper/"), "{topic}");
    }
    let config = |id: &str| -> Value {
        let (_, payload) = messages
            .iter()
            .find(|(topic, _)| topic.contains(&format!("/{id}/")))
            .unwrap_or_else(|| panic!("{id}: {ids:?}"));
        serde_json::from_str(payload).unwrap()
    };
    assert_eq!(config("watchkeeper__gate__status")["device_class"], "connectivity");
    let occupancy = config("watchkeeper__gate__zone__yard__person__occupancy");
    assert_eq!(
        (&occupancy["device_class"], &occupancy["state_topic"]),
        (&"occupancy".into(), &"watchkeeper/gate/yard/person".into())
    );
    assert_eq!(occupancy["availability"][0]["topic"], "watchkeeper/available");
    assert_eq!(config("watchkeeper__gate__car__count")["state_class"], "measurement");
    let line = config("watchkeeper__gate__line__door__in");
    assert_eq!(
        (&line["state_class"], &line["state_topic"]),
        (&"total_increasing".into(), &"watchkeeper/gate/lines/door/in".into())
    );
    assert_eq!(config("watchkeeper__gate__status")["device"]["via_device"], "watchkeeper");

    // Home Assistant starts: all of it is said again.
    let listener = broker.listen(&["homeassistant/+/+/config"]);
    let before = listener.heard().len();
    broker.publish("homeassistant/status", "online", &[]);
    assert!(wait_for(Duration::from_secs(5), || listener.heard().len() >= before + messages.len()));
    target.close();

    // The next run has one camera less, and the zone is gone.
    let bench = Bench::new(broker.port)
        .with(|mqtt| mqtt.discovery = Some("homeassistant".to_owned()))
        .cameras(vec![camera("gate", &[], &["door"])]);
    bench.metrics.camera("gate");
    let mut target = bench.open();
    let gone = || !found().keys().any(|topic| topic.contains("hall") || topic.contains("yard"));
    assert!(wait_for(Duration::from_secs(10), gone), "{:#?}", found());
    let retained = broker.retained("watchkeeper/#");
    assert!(!retained.keys().any(|topic| topic.contains("/hall/") || topic.contains("/yard/")), "{retained:#?}");
    assert!(found().keys().any(|topic| topic.contains("gate__car__count")), "seen by an earlier run, still possible");
    assert_eq!(retained["watchkeeper/gate/car"], "0");
    target.close();

    // And the last one knows nothing of discovery.
    let bench = Bench::new(broker.port).cameras(vec![camera("gate", &[], &["door"])]);
    let mut target = bench.open();
    assert!(wait_for(Duration::from_secs(10), || found().is_empty()), "{:#?}", found());
    target.close();
}

#[test]
fn what_others_publish_under_discovery_is_left_alone() {
    let broker = Mosquitto::start();
    let theirs = [
        ("homeassistant/sensor/watchkeeper__attic__status/config", "{}"),
        ("watchkeeper/attic/status", "online"),
        (
            "watchkeeper/discovery",
            "{\"client\":\"somebody-else\",\"discovery\":[\"homeassistant\"],\"cameras\":{\"attic\":{}}}",
        ),
    ];
    for (topic, payload) in theirs {
        broker.publish(topic, payload, &["-r"]);
    }
    let listener = broker.listen(&["watchkeeper/gate/status"]);
    let bench = Bench::new(broker.port)
        .with(|mqtt| mqtt.discovery = Some("homeassistant".to_owned()))
        .cameras(vec![camera("gate", &[], &[])]);
    let _target = bench.open();
    assert!(listener.hears("watchkeeper/gate/status", "disabled"));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(broker.retained("watchkeeper/attic/status").len(), 1);
    assert_eq!(broker.retained("homeassistant/sensor/watchkeeper__attic__status/config").len(), 1);
}

#[test]
fn an_event_too_large_is_found_though_nothing_was_taken_before_it() {
    let broker = Mosquitto::start_with("allow_anonymous true\nmax_packet_size 5000");
    let listener = broker.listen(&["watchkeeper/events"]);
    // As after a restart: the first is the one that was never taken, and so is the next.
    let mut all = events(1..=20, 100);
    (all[0], all[1]) = (event(1, 6000), event(2, 7000));
    let refused = deliver_or_leave_out(&mut Bench::new(broker.port).open(), &all);
    assert_eq!(refused, [1, 2]);
    assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 18));
    let heard: BTreeSet<u64> = seqs(&listener.on("watchkeeper/events")).into_iter().collect();
    assert_eq!(heard, (3..=20).collect());
}

#[test]
fn no_event_is_given_up_because_connections_end_for_other_reasons() {
    let broker = Mosquitto::start();
    let listener = broker.listen(&["watchkeeper/events"]);
    let cable = Cable::to(broker.port);
    let mut target = Bench::new(cable.port).open();
    deliver_all(&mut target, &events(1..=5, 100));
    // Larger than any before, and the first on its way whenever the connection ends.
    cable.flaps.store(4, Ordering::SeqCst);
    cable.cut(false);
    let mut all = events(6..=9, 100);
    all[0] = event(6, 6000);
    assert_eq!(deliver_or_leave_out(&mut target, &all), [0_u64; 0]);
    assert_eq!(cable.flaps.load(Ordering::SeqCst), 0);
    assert!(wait_for(Duration::from_secs(10), || listener.heard().len() >= 9));
    let heard: BTreeSet<u64> = seqs(&listener.on("watchkeeper/events")).into_iter().collect();
    assert_eq!(heard, (1..=9).collect());
}
