//! The NATS sink against a real nats-server.

#![allow(clippy::unwrap_used)]

#[path = "support/brokers.rs"]
mod brokers;
#[path = "support/nats_accounts.rs"]
mod nats_accounts;
#[path = "support/nats_client.rs"]
mod nats_client;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use brokers::{
    Certificates, deliver_all, events, failure, nats_server, nats_server_plain, nats_server_with, nats_to, open,
    open_in, with_tracks,
};
use nats_accounts::operator_and_user;
use nats_client::{Client, Message};
use serde_json::json;
use watchkeeper::config::{ClientCertificate, Credentials, Dialect, Nats, SinkKind, Tls};
use watchkeeper::outbox::sinks::{FailureKind, Stored, Target};
use watchkeeper::telemetry::redact::redact;
use watchkeeper::types::secret::Secret;

const LIMIT: Duration = Duration::from_secs(20);

fn sink(config: Nats) -> Box<dyn Target> {
    open("jetson-07", SinkKind::Nats(Box::new(config))).unwrap()
}

fn ids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.header("Nats-Msg-Id").unwrap()).collect()
}

fn ids_of(events: &[Stored]) -> Vec<&str> {
    events.iter().map(|event| event.id.as_str()).collect()
}

#[test]
fn events_arrive_in_order_each_with_its_subject_id_and_number() {
    let Some(server) = nats_server("") else { return };
    let mut sink = sink(nats_to(server.port()));
    let sent = events("jetson-07", 1, 1000);
    for batch in sent.chunks(300) {
        assert_eq!(sink.deliver(batch).0, batch.len());
    }
    let mut client = Client::connect(server.address());
    let got = client.consume("EVENTS", "all", "wk.events.>");
    assert_eq!(ids(&got), ids_of(&sent));
    for (event, message) in sent.iter().zip(&got) {
        let camera = if event.camera.is_empty() { "_" } else { &event.camera };
        assert_eq!(message.subject, format!("wk.events.jetson-07.{camera}.{}", event.event_type));
        assert_eq!(message.seq(), event.seq);
        assert_eq!(message.body, event.body.as_ref());
        assert_eq!(message.header("Nats-Expected-Stream"), Some("EVENTS"));
    }
}

#[test]
fn the_stream_is_made_on_disk_without_limits_and_drops_duplicates_for_ten_minutes() {
    let Some(server) = nats_server("") else { return };
    deliver_all(sink(nats_to(server.port())).as_mut(), &events("jetson-07", 1, 1), LIMIT);
    let made = Client::connect(server.address()).stream("EVENTS");
    let config = &made["config"];
    assert_eq!(config["subjects"], json!(["wk.events.>"]));
    assert_eq!((&config["storage"], &config["retention"]), (&json!("file"), &json!("limits")));
    assert_eq!(config["duplicate_window"], json!(600_000_000_000_u64));
    assert_eq!((&config["max_msgs"], &config["max_bytes"]), (&json!(-1), &json!(-1)));
}

#[test]
fn a_batch_that_comes_again_is_in_the_stream_once() {
    let Some(server) = nats_server("") else { return };
    let sent = events("jetson-07", 1, 100);
    deliver_all(sink(nats_to(server.port())).as_mut(), &sent, LIMIT);
    let mut again = sink(nats_to(server.port()));
    assert_eq!(again.deliver(&sent[40..]).0, 60);
    let got = Client::connect(server.address()).consume("EVENTS", "all", "wk.events.>");
    assert_eq!(ids(&got), ids_of(&sent));
}

#[test]
fn opening_waits_for_nobody_and_the_server_may_come_later() {
    let Some(mut server) = nats_server("") else { return };
    // One that takes connections, but says nothing.
    server.freeze();
    let begun = Instant::now();
    let mut sink = sink(nats_to(server.port()));
    assert!(begun.elapsed() < Duration::from_millis(900));
    server.kill();
    let sent = events("jetson-07", 1, 10);
    let (taken, failure) = failure(sink.as_mut(), &sent);
    assert_eq!((taken, failure.kind), (0, FailureKind::Retry));
    assert!(failure.reason.contains(&format!("127.0.0.1:{}", server.port())), "{failure}");
    assert!(failure.reason.contains("is it running"), "{failure}");
    server.start();
    deliver_all(sink.as_mut(), &sent, LIMIT);
    let got = Client::connect(server.address()).consume("EVENTS", "all", "wk.events.>");
    assert_eq!(ids(&got), ids_of(&sent));
}

#[test]
fn a_server_that_is_killed_and_comes_back_gets_each_event_once_and_in_order() {
    let Some(mut server) = nats_server("") else { return };
    let mut sink = sink(nats_to(server.port()));
    let sent = events("jetson-07", 1, 900);
    deliver_all(sink.as_mut(), &sent[..300], LIMIT);
    server.kill();
    let (taken, failure) = failure(sink.as_mut(), &sent[300..]);
    assert_eq!((taken, failure.kind), (0, FailureKind::Retry));
    server.start();
    deliver_all(sink.as_mut(), &sent[300..600], LIMIT);
    server.stop();
    server.start();
    deliver_all(sink.as_mut(), &sent[600..], LIMIT);
    let got = Client::connect(server.address()).consume("EVENTS", "all", "wk.events.>");
    assert_eq!(ids(&got), ids_of(&sent));
}

#[test]
fn a_server_that_was_restarted_while_nothing_was_delivered_is_no_failure() {
    let Some(mut server) = nats_server("") else { return };
    let mut sink = sink(nats_to(server.port()));
    let sent = events("jetson-07", 1, 20);
    deliver_all(sink.as_mut(), &sent[..10], LIMIT);
    server.stop();
    server.start();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(deliver_all(sink.as_mut(), &sent[10..], LIMIT), [""; 0]);
    assert_eq!(ids(&Client::connect(server.address()).consume("EVENTS", "all", "wk.events.>")), ids_of(&sent));
}

#[test]
fn a_server_that_stands_still_is_given_up_in_time_and_gets_each_event_once() {
    let Some(server) = nats_server("") else { return };
    let mut sink = sink(nats_to(server.port()));
    let sent = events("jetson-07", 1, 600);
    deliver_all(sink.as_mut(), &sent[..100], LIMIT);
    server.freeze();
    for _ in 0..2 {
        let begun = Instant::now();
        let (taken, failure) = failure(sink.as_mut(), &sent[100..400]);
        assert_eq!((taken, failure.kind), (0, FailureKind::Retry));
        assert!(failure.reason.contains("no answer within 1 s"), "{failure}");
        assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    }
    server.thaw();
    deliver_all(sink.as_mut(), &sent[100..], LIMIT);
    let got = Client::connect(server.address()).consume("EVENTS", "all", "wk.events.>");
    assert_eq!(ids(&got), ids_of(&sent));
}

#[test]
fn the_servers_pings_are_answered_while_there_is_nothing_to_deliver() {
    let Some(server) = nats_server("ping_interval: \"200ms\"\nping_max: 1\ndebug: true") else { return };
    let mut sink = sink(nats_to(server.port()));
    deliver_all(sink.as_mut(), &events("jetson-07", 1, 1), LIMIT);
    std::thread::sleep(Duration::from_secs(2));
    assert!(server.log().contains("Ping Timer"), "the server does not ping:\n{}", server.log());
    assert!(!server.log().contains("Stale"), "{}", server.log());
    let (taken, result) = sink.deliver(&events("jetson-07", 2, 2));
    assert_eq!(taken, 1);
    result.unwrap();
}

#[test]
fn in_a_dialect_what_it_has_no_words_for_counts_as_delivered() {
    let Some(server) = nats_server("") else { return };
    let sent = with_tracks("jetson-07");
    deliver_all(sink(nats_to(server.port())).as_mut(), &sent, LIMIT);
    // Beside the native one in the same stream: another message, not a duplicate.
    let kind = SinkKind::Nats(Box::new(Nats { prefix: "wk.events.deepstream".to_owned(), ..nats_to(server.port()) }));
    let mut other = open_in(Dialect::Deepstream, "jetson-07", kind).unwrap();
    assert_eq!(other.deliver(&sent).0, 4);
    let got = Client::connect(server.address()).consume("EVENTS", "all", "wk.events.deepstream.>");
    assert_eq!(got.iter().map(Message::seq).collect::<Vec<_>>(), [2, 4]);
    assert!(got.iter().all(|message| message.body.contains("\"4.0\"")), "{got:?}");
}

fn tls_server(ours: &Certificates, more: &str) -> Option<brokers::Broker> {
    let (cert, key, ca) = (ours.quoted("server.pem"), ours.quoted("server.key"), ours.quoted("ca.pem"));
    nats_server(&format!("tls {{ cert_file: {cert}, key_file: {key}, ca_file: {ca}, {more} }}"))
}

fn tls(port: u16, ca: &Certificates, client: Option<&Certificates>) -> Nats {
    let mut config = nats_to(port);
    config.server.tls = Some(Tls {
        ca_file: Some(ca.path("ca.pem")),
        client: client
            .map(|of| ClientCertificate { certificate_file: of.path("client.pem"), key_file: of.path("client.key") }),
    });
    config
}

#[test]
fn tls_is_spoken_with_the_right_authority_and_refused_with_a_wrong_one() {
    let (ours, foreign) = (Certificates::new(&["127.0.0.1"]), Certificates::new(&["127.0.0.1"]));
    let Some(server) = tls_server(&ours, "") else { return };
    let sent = events("jetson-07", 1, 10);
    let mut wrong = sink(tls(server.port(), &foreign, None));
    let (taken, failure) = failure(wrong.as_mut(), &sent);
    assert_eq!((taken, failure.kind), (0, FailureKind::Retry));
    assert!(failure.reason.contains("certificate is not trusted"), "{failure}");
    let mut right = sink(tls(server.port(), &ours, None));
    assert_eq!(deliver_all(right.as_mut(), &sent, LIMIT), [""; 0]);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let ours = Certificates::new(&["elsewhere.example"]);
    let Some(server) = tls_server(&ours, "") else { return };
    let (_, failure) = failure(sink(tls(server.port(), &ours, None)).as_mut(), &events("jetson-07", 1, 1));
    assert!(failure.reason.contains("is not for \"127.0.0.1\""), "{failure}");
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_gets_it() {
    let ours = Certificates::new(&["127.0.0.1"]);
    let Some(server) = tls_server(&ours, "verify: true") else { return };
    let sent = events("jetson-07", 1, 10);
    let (_, failure) = failure(sink(tls(server.port(), &ours, None)).as_mut(), &sent);
    assert!(failure.reason.contains("certificate"), "{failure}");
    let mut right = sink(tls(server.port(), &ours, Some(&ours)));
    assert_eq!(deliver_all(right.as_mut(), &sent, LIMIT), [""; 0]);
}

#[test]
fn a_wrong_password_is_told_without_telling_it() {
    let Some(server) = nats_server("authorization { user: wk, password: right-one }") else { return };
    let login = |password: &str| {
        let mut config = nats_to(server.port());
        config.server.login = Some(Credentials { username: "wk".to_owned(), password: Secret::new(password) });
        sink(config)
    };
    let sent = events("jetson-07", 1, 10);
    let (taken, wrong) = failure(login("wrong-one").as_mut(), &sent);
    assert_eq!((taken, wrong.kind), (0, FailureKind::Retry));
    assert!(wrong.reason.contains("does not accept user \"wk\""), "{wrong}");
    assert!(!wrong.reason.contains("wrong-one"), "{wrong}");
    let (_, none) = failure(sink(nats_to(server.port())).as_mut(), &sent);
    assert!(none.reason.contains("wants a login"), "{none}");
    assert_eq!(deliver_all(login("right-one").as_mut(), &sent, LIMIT), [""; 0]);
}

#[test]
fn a_full_stream_is_told_and_takes_the_rest_when_there_is_room() {
    let Some(server) = nats_server("") else { return };
    let mut client = Client::connect(server.address());
    client.make_stream("EVENTS", json!({"max_msgs": 40, "discard": "new"}));
    let mut sink = sink(nats_to(server.port()));
    let sent = events("jetson-07", 1, 100);
    let mut got = Vec::new();
    let mut done = 0;
    for expected in [40, 40, 20] {
        let (taken, result) = sink.deliver(&sent[done..]);
        assert_eq!(taken, expected);
        done += taken;
        if done < sent.len() {
            let failure = result.unwrap_err();
            assert_eq!(failure.kind, FailureKind::Retry);
            assert!(failure.reason.contains("stream \"EVENTS\" is full"), "{failure}");
            assert_eq!(sink.deliver(&sent[done..]).0, 0);
        }
        got.extend(client.consume("EVENTS", "all", "wk.events.>"));
        client.ask("STREAM.PURGE.EVENTS", &json!({}));
    }
    assert_eq!(ids(&got), ids_of(&sent));
}

#[test]
fn a_server_whose_storage_is_used_up_is_told_and_takes_the_rest_when_there_is_room() {
    let lines = "listen: \"127.0.0.1:{port}\"\njetstream { store_dir: \"{dir}/js\", max_file_store: 64KB }";
    let Some(server) = nats_server_with(lines) else { return };
    let mut sink = sink(nats_to(server.port()));
    let mut sent = events("jetson-07", 1, 100);
    for event in &mut sent {
        event.body = format!("{{\"x\":\"{}\"}}", "x".repeat(1000)).into();
    }
    let (taken, told) = failure(sink.as_mut(), &sent);
    assert!((30..70).contains(&taken), "{taken}");
    assert_eq!(told.kind, FailureKind::Retry);
    assert!(told.reason.contains("has no room left for stream \"EVENTS\""), "{told}");
    let mut client = Client::connect(server.address());
    let mut got = client.consume("EVENTS", "all", "wk.events.>");
    client.ask("STREAM.PURGE.EVENTS", &json!({}));
    deliver_all(sink.as_mut(), &sent[taken..], LIMIT);
    got.extend(client.consume("EVENTS", "all", "wk.events.>"));
    assert_eq!(ids(&got), ids_of(&sent));
}

#[test]
fn what_the_stream_took_after_one_it_refused_is_not_sent_again() {
    let Some(server) = nats_server("") else { return };
    let mut client = Client::connect(server.address());
    let limits = json!({
        "max_msgs_per_subject": 1, "discard": "new", "discard_new_per_subject": true, "duplicate_window": 100_000_000,
    });
    client.make_stream("EVENTS", limits);
    let mut sent = events("jetson-07", 1, 4);
    for (event, camera) in sent.iter_mut().zip(["a", "a", "b", "c"]) {
        event.camera = camera.to_owned();
        event.event_type = "zone.enter".to_owned();
    }
    let mut sink = sink(nats_to(server.port()));
    assert_eq!(failure(sink.as_mut(), &sent).0, 1);
    let mut got = client.consume("EVENTS", "all", "wk.events.>");
    client.ask("STREAM.PURGE.EVENTS", &json!({}));
    // Longer than the stream remembers ids.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(sink.deliver(&sent[1..]).0, 3);
    got.extend(client.consume("EVENTS", "all", "wk.events.>"));
    let mut ids = ids(&got);
    assert_eq!(ids, [&sent[0], &sent[2], &sent[3], &sent[1]].map(|event| event.id.as_str()));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn an_event_that_is_too_large_is_refused_and_the_others_arrive() {
    let Some(server) = nats_server("max_payload: 4096") else { return };
    let mut sink = sink(nats_to(server.port()));
    let mut sent = events("jetson-07", 1, 10);
    sent[4].body = format!("{{\"x\":\"{}\"}}", "x".repeat(5000)).into();
    let (taken, refused) = failure(sink.as_mut(), &sent);
    assert_eq!((taken, refused.kind), (4, FailureKind::Refused));
    assert!(refused.reason.contains("max_payload"), "{refused}");
    assert_eq!(sink.deliver(&sent[5..]).0, 5);
    Client::connect(server.address()).ask("STREAM.DELETE.EVENTS", &json!({}));
    Client::connect(server.address()).make_stream("EVENTS", json!({"max_msg_size": 500}));
    let mut sent = events("jetson-07", 11, 20);
    sent[2].body = format!("{{\"x\":\"{}\"}}", "x".repeat(1000)).into();
    let (taken, refused) = failure(sink.as_mut(), &sent);
    assert_eq!((taken, refused.kind), (2, FailureKind::Refused));
    assert!(refused.reason.contains("max_msg_size"), "{refused}");
    assert_eq!(sink.deliver(&sent[3..]).0, 7);
    let got = Client::connect(server.address()).consume("EVENTS", "all", "wk.events.>");
    assert_eq!(got.iter().map(Message::seq).collect::<Vec<_>>(), [11, 12, 14, 15, 16, 17, 18, 19, 20]);
}

#[test]
fn a_stream_that_is_there_is_left_as_it_is_but_must_take_our_subjects() {
    let Some(server) = nats_server("") else { return };
    let mut client = Client::connect(server.address());
    client.make_stream("EVENTS", json!({"subjects": ["other.>", "wk.events.another-device.>"]}));
    let before = client.stream("EVENTS")["config"].clone();
    let sent = events("jetson-07", 1, 5);
    let (_, leaves_out) = failure(sink(nats_to(server.port())).as_mut(), &sent);
    assert!(leaves_out.reason.contains("\"wk.events.jetson-07.>\""), "{leaves_out}");
    assert_eq!(client.stream("EVENTS")["config"], before);
    // Another stream has a part of what we would make.
    let (_, overlaps) = failure(sink(Nats { stream: "MINE".to_owned(), ..nats_to(server.port()) }).as_mut(), &sent);
    assert!(overlaps.reason.contains("another one takes"), "{overlaps}");
    client.ask("STREAM.DELETE.EVENTS", &json!({}));
    client.make_stream("EVENTS", json!({"subjects": ["wk.events.jetson-07.>"], "max_age": 60_000_000_000_u64}));
    let before = client.stream("EVENTS")["config"].clone();
    deliver_all(sink(nats_to(server.port())).as_mut(), &sent, LIMIT);
    assert_eq!(client.stream("EVENTS")["config"], before);
}

#[test]
fn a_stream_that_was_deleted_meanwhile_is_made_again() {
    let Some(server) = nats_server("") else { return };
    let mut sink = sink(nats_to(server.port()));
    deliver_all(sink.as_mut(), &events("jetson-07", 1, 5), LIMIT);
    let mut client = Client::connect(server.address());
    client.ask("STREAM.DELETE.EVENTS", &json!({}));
    let sent = events("jetson-07", 6, 10);
    let failures = deliver_all(sink.as_mut(), &sent, LIMIT);
    assert!(failures[0].contains("is gone"), "{failures:?}");
    assert_eq!(ids(&client.consume("EVENTS", "all", "wk.events.>")), ids_of(&sent));
}

#[test]
fn a_server_without_jetstream_is_told() {
    let Some(server) = nats_server_plain("") else { return };
    let (_, failure) = failure(sink(nats_to(server.port())).as_mut(), &events("jetson-07", 1, 1));
    assert!(failure.reason.contains("has no JetStream"), "{failure}");
}

#[test]
fn a_user_who_may_not_publish_is_told_what_to_allow() {
    let rights = "authorization { users: [{ user: wk, password: pw, permissions: { \
                  publish: [\"$JS.API.STREAM.*.EVENTS\"], subscribe: [\"_INBOX.>\"] } }] }";
    let Some(server) = nats_server(rights) else { return };
    let mut config = nats_to(server.port());
    config.server.login = Some(Credentials { username: "wk".to_owned(), password: Secret::new("pw") });
    config.server.timeout = Duration::from_secs(8);
    let begun = Instant::now();
    let (taken, failure) = failure(sink(config).as_mut(), &events("jetson-07", 1, 3));
    assert_eq!(taken, 0);
    assert!(failure.reason.contains("let the user publish to \"wk.events.>\""), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(6), "an answer was waited for: {:?}", begun.elapsed());
}

#[test]
fn a_credentials_file_lets_its_user_in_and_no_other() {
    let (lines, creds) = operator_and_user();
    let (_, of_another) = operator_and_user();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site.creds");
    let Some(server) = nats_server(&lines) else { return };
    let mut sink = sink(Nats { credentials_file: Some(path.clone()), ..nats_to(server.port()) });
    let sent = events("jetson-07", 1, 10);
    std::fs::write(&path, of_another).unwrap();
    let (_, refused) = failure(sink.as_mut(), &sent);
    assert!(refused.reason.contains("does not accept the user of credentials_file"), "{refused}");
    // The file is read anew at each attempt.
    std::fs::write(&path, &creds).unwrap();
    assert_eq!(deliver_all(sink.as_mut(), &sent, LIMIT), [""; 0]);
    for secret in creds.lines().filter(|line| !line.is_empty() && !line.starts_with("---")) {
        let said = redact(&format!("the server says {secret}")).into_owned();
        assert!(!said.contains(secret), "it would stand in the log");
    }
}

#[test]
fn a_file_that_holds_no_credentials_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site.creds");
    let Some(server) = nats_server("") else { return };
    let mut sink = sink(Nats { credentials_file: Some(path.clone()), ..nats_to(server.port()) });
    let sent = events("jetson-07", 1, 1);
    let (_, missing) = failure(sink.as_mut(), &sent);
    assert!(missing.reason.contains(path.to_str().unwrap()) && missing.reason.contains("cannot be read"), "{missing}");
    std::fs::write(&path, "SUAM-not-a-seed").unwrap();
    let (_, bad) = failure(sink.as_mut(), &sent);
    assert!(bad.reason.contains("is not a .creds file") && !bad.reason.contains("SUAM"), "{bad}");
}

#[test]
fn the_sample_server_for_a_site_takes_the_events_of_its_devices() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/nats/nats-server.conf");
    let sample = std::fs::read_to_string(path).unwrap();
    let lines = ["listen: \"0.0.0.0:4222\"", "http: \"127.0.0.1:8222\"", "store_dir: \"/var/lib/nats\""];
    let here = ["listen: \"127.0.0.1:{port}\"", "", "store_dir: \"{dir}/js\""];
    let lines = lines.iter().zip(here).fold(sample, |text, (line, here)| {
        assert!(text.contains(line), "{line}");
        text.replace(line, here)
    });
    let lines = lines.replace("$DEVICE_PASSWORD", "of-device").replace("$CONSUMER_PASSWORD", "of-consumer");
    let Some(server) = nats_server_with(&lines) else { return };
    let mut config = nats_to(server.port());
    (config.stream, config.prefix) = ("watchkeeper".to_owned(), "watchkeeper".to_owned());
    config.server.login = Some(Credentials { username: "device".to_owned(), password: Secret::new("of-device") });
    let sent = events("jetson-07", 1, 10);
    assert_eq!(deliver_all(sink(config).as_mut(), &sent, LIMIT), [""; 0]);
    let mut consumer = Client::connect_as(server.address(), "consumer", "of-consumer");
    assert_eq!(ids(&consumer.consume("watchkeeper", "all", "watchkeeper.events.jetson-07.>")), ids_of(&sent));
}

#[test]
fn names_that_cannot_stand_in_a_subject_are_refused_at_once() {
    for (stream, prefix) in [("EV.ENTS", "wk"), ("", "wk"), ("EVENTS", "w k"), ("EVENTS", "wk.>")] {
        let config = Nats { stream: stream.to_owned(), prefix: prefix.to_owned(), ..nats_to(1) };
        assert!(open("a", SinkKind::Nats(Box::new(config))).is_err(), "{stream:?} {prefix:?}");
    }
}

#[test]
fn a_consumer_of_one_stream_sees_the_numbers_of_many_devices_each_without_a_gap() {
    let Some(mut server) = nats_server("") else { return };
    let port = server.port();
    let devices = ["jetson-07", "yard 1.lan"];
    let writers = devices.map(|device| {
        std::thread::spawn(move || {
            let mut sink = open(device, SinkKind::Nats(Box::new(nats_to(port)))).unwrap();
            let mut failures = 0;
            for batch in events(device, 1, 2000).chunks(50) {
                failures += deliver_all(sink.as_mut(), batch, LIMIT).len();
                std::thread::sleep(Duration::from_millis(20));
            }
            failures
        })
    });
    // The consumer goes away and comes back, and so does the server.
    std::thread::sleep(Duration::from_millis(300));
    let mut got = Client::connect(server.address()).consume_some("EVENTS", "site", "wk.events.>", 500);
    server.kill();
    std::thread::sleep(Duration::from_millis(300));
    server.start();
    let failures = writers.map(|writer| writer.join().unwrap());
    assert!(failures.iter().all(|failures| *failures > 0), "they were done before the server was killed");
    let mut client = Client::connect(server.address());
    assert_eq!(client.stream("EVENTS")["state"]["messages"], json!(4000));
    got.extend(client.consume("EVENTS", "site", "wk.events.>"));
    // What a consumer had not acknowledged for good when the server was killed comes to it again, under the same id.
    let mut seen = HashSet::new();
    got.retain(|message| seen.insert(message.header("Nats-Msg-Id").unwrap().to_owned()));
    for (device, token) in devices.into_iter().zip(["jetson-07", "yard%201%2Elan"]) {
        let of_device = |message: &&Message| {
            let body: serde_json::Value = serde_json::from_str(&message.body).unwrap();
            body["device"] == device
        };
        let of_device: Vec<_> = got.iter().filter(of_device).collect();
        assert!(of_device.iter().all(|message| message.subject.starts_with(&format!("wk.events.{token}."))));
        let misplaced = of_device.iter().zip(1..).find(|(message, seq)| message.seq() != *seq);
        assert!(misplaced.is_none(), "{device}: {misplaced:?}");
        assert_eq!(of_device.len(), 2000, "{device}");
    }
}
