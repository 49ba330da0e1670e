//! The Redis sink against a real redis-server; what it wrote is read with redis-cli.

#![allow(clippy::unwrap_used)]

#[path = "support/brokers.rs"]
mod brokers;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use brokers::{Broker, Certificates, deliver_all, events, failure, open, open_in, redis_server, redis_to, with_tracks};
use watchkeeper::config::{ClientCertificate, Credentials, Dialect, Redis, SinkKind, Tls};
use watchkeeper::outbox::sinks::{FailureKind, Stored, Target};
use watchkeeper::types::secret::Secret;

const LIMIT: Duration = Duration::from_secs(20);
const KEY: &str = "wk:events:jetson-07";

fn sink(config: Redis) -> Box<dyn Target> {
    open("jetson-07", SinkKind::Redis(Box::new(config))).unwrap()
}

fn cli(server: &Broker, words: &[&str]) -> String {
    let port = server.port().to_string();
    let done = Command::new("redis-cli").args(["-h", "127.0.0.1", "-p", &port]).args(words).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
}

/// Each entry's id and fields.
fn entries(server: &Broker, key: &str) -> Vec<Vec<String>> {
    let all = cli(server, &["XRANGE", key, "-", "+"]);
    let lines: Vec<_> = all.lines().map(str::to_owned).collect();
    // An id and four fields with their values, the camera's possibly empty.
    lines.chunks(9).map(<[String]>::to_vec).collect()
}

fn event_ids(server: &Broker) -> Vec<String> {
    entries(server, KEY).into_iter().map(|entry| entry[2].clone()).collect()
}

fn ids_of(events: &[Stored]) -> Vec<String> {
    events.iter().map(|event| event.id.clone()).collect()
}

fn login(port: u16, username: &str, password: &str) -> Redis {
    let mut config = redis_to(port);
    config.server.login = Some(Credentials { username: username.to_owned(), password: Secret::new(password) });
    config
}

#[test]
fn events_arrive_in_order_under_their_numbers_with_all_fields() {
    let Some(server) = redis_server("") else { return };
    let mut sink = sink(redis_to(server.port()));
    let sent = events("jetson-07", 1, 1000);
    assert_eq!(sink.deliver(&sent[..300]).0, 300);
    assert_eq!(sink.deliver(&sent[300..]).0, 700);
    let got = entries(&server, KEY);
    let expected = |event: &Stored| {
        let (id, body) = (format!("{}-0", event.seq), event.body.to_string());
        let fields = ["event_id", &event.id, "type", &event.event_type, "camera", &event.camera, "body", &body];
        std::iter::once(id.as_str()).chain(fields).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(got, sent.iter().map(expected).collect::<Vec<_>>());
}

#[test]
fn numbers_that_were_filtered_out_are_left_out() {
    let Some(server) = redis_server("") else { return };
    let mut sent = events("jetson-07", 1, 9);
    sent.retain(|event| event.seq % 3 == 0);
    deliver_all(sink(redis_to(server.port())).as_mut(), &sent, LIMIT);
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn a_batch_that_comes_again_is_in_the_stream_once() {
    let Some(server) = redis_server("") else { return };
    let sent = events("jetson-07", 1, 120);
    deliver_all(sink(redis_to(server.port())).as_mut(), &sent[..100], LIMIT);
    let mut again = sink(redis_to(server.port()));
    assert_eq!(again.deliver(&sent[40..]).0, 80);
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn opening_waits_for_nobody_and_the_server_may_come_later() {
    let Some(mut server) = redis_server("") else { return };
    // One that takes connections, but says nothing.
    server.freeze();
    let begun = Instant::now();
    let mut sink = sink(redis_to(server.port()));
    assert!(begun.elapsed() < Duration::from_millis(900));
    server.kill();
    let sent = events("jetson-07", 1, 10);
    let (taken, failure) = failure(sink.as_mut(), &sent);
    assert_eq!((taken, failure.kind), (0, FailureKind::Retry));
    assert!(failure.reason.contains(&format!("127.0.0.1:{}", server.port())), "{failure}");
    assert!(failure.reason.contains("is it running"), "{failure}");
    server.start();
    deliver_all(sink.as_mut(), &sent, LIMIT);
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn a_server_that_is_killed_and_comes_back_gets_each_event_once_and_in_order() {
    let Some(mut server) = redis_server("") else { return };
    let mut sink = sink(redis_to(server.port()));
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
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn a_server_that_was_restarted_while_nothing_was_delivered_is_no_failure() {
    let Some(mut server) = redis_server("") else { return };
    let mut sink = sink(redis_to(server.port()));
    let sent = events("jetson-07", 1, 20);
    deliver_all(sink.as_mut(), &sent[..10], LIMIT);
    server.stop();
    server.start();
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(deliver_all(sink.as_mut(), &sent[10..], LIMIT), [""; 0]);
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn a_server_that_stands_still_is_given_up_in_time_and_gets_each_event_once() {
    let Some(server) = redis_server("") else { return };
    let mut sink = sink(redis_to(server.port()));
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
    assert_eq!(event_ids(&server), ids_of(&sent));
}

/// One that answers each command, but takes its time over each.
#[test]
fn a_server_that_answers_in_drops_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let (mut answers, mut lines) = (socket.try_clone().unwrap(), BufReader::new(socket).lines());
        // Each command is an array: `*2`, and then a length and a line for each word.
        while let Some(Ok(head)) = lines.next() {
            let Some(words) = head.strip_prefix('*').and_then(|words| words.parse().ok()) else { continue };
            let words: Vec<_> = (0..words).filter_map(|_| lines.nth(1)?.ok()).collect();
            let answer = match words[0].as_str() {
                "XINFO" => "-ERR no such key\r\n",
                "GET" => "$-1\r\n",
                "MULTI" => "+OK\r\n",
                _ => {
                    std::thread::sleep(Duration::from_millis(300));
                    "+QUEUED\r\n"
                }
            };
            if answers.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    });
    let begun = Instant::now();
    let (taken, failure) = failure(sink(redis_to(port)).as_mut(), &events("jetson-07", 1, 100));
    assert_eq!((taken, failure.kind), (0, FailureKind::Retry));
    assert!(failure.reason.contains("no answer within 2 s"), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[test]
fn in_a_dialect_what_it_has_no_words_for_counts_as_delivered() {
    let Some(server) = redis_server("") else { return };
    let sent = with_tracks("jetson-07");
    let open =
        || open_in(Dialect::Deepstream, "jetson-07", SinkKind::Redis(Box::new(redis_to(server.port())))).unwrap();
    assert_eq!(open().deliver(&sent).0, 4);
    assert_eq!(open().deliver(&sent).0, 4);
    let got = entries(&server, KEY);
    assert_eq!(got.iter().map(|entry| entry[0].as_str()).collect::<Vec<_>>(), ["2-0", "4-0"]);
    assert!(got.iter().all(|entry| entry[8].contains("\"4.0\"")), "{got:?}");
}

fn tls_server(ours: &Certificates, clients: &str) -> Option<Broker> {
    let (cert, key, ca) = (ours.quoted("server.pem"), ours.quoted("server.key"), ours.quoted("ca.pem"));
    redis_server(&format!(
        "port 0\ntls-port {{port}}\ntls-cert-file {cert}\ntls-key-file {key}\ntls-ca-cert-file {ca}\ntls-auth-clients {clients}"
    ))
}

fn tls(port: u16, ca: &Certificates, client: Option<&Certificates>) -> Redis {
    let mut config = redis_to(port);
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
    let Some(server) = tls_server(&ours, "no") else { return };
    let sent = events("jetson-07", 1, 10);
    let (taken, wrong) = failure(sink(tls(server.port(), &foreign, None)).as_mut(), &sent);
    assert_eq!((taken, wrong.kind), (0, FailureKind::Retry));
    assert!(wrong.reason.contains("certificate is not trusted"), "{wrong}");
    let (_, plain) = failure(sink(redis_to(server.port())).as_mut(), &sent);
    assert!(plain.reason.contains("wants TLS"), "{plain}");
    assert_eq!(deliver_all(sink(tls(server.port(), &ours, None)).as_mut(), &sent, LIMIT), [""; 0]);
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_gets_it() {
    let ours = Certificates::new(&["127.0.0.1"]);
    let Some(server) = tls_server(&ours, "yes") else { return };
    let sent = events("jetson-07", 1, 10);
    let (_, failure) = failure(sink(tls(server.port(), &ours, None)).as_mut(), &sent);
    assert!(failure.reason.contains("certificate"), "{failure}");
    assert_eq!(deliver_all(sink(tls(server.port(), &ours, Some(&ours))).as_mut(), &sent, LIMIT), [""; 0]);
}

#[test]
fn a_wrong_password_is_told_without_telling_it() {
    let Some(server) = redis_server("requirepass right-one\nuser wk on >of-wk ~wk:* +@all") else { return };
    let sent = events("jetson-07", 1, 10);
    for (name, told) in [("wk", "does not accept user \"wk\""), ("", "does not accept the password")] {
        let (taken, wrong) = failure(sink(login(server.port(), name, "wrong-one")).as_mut(), &sent);
        assert_eq!((taken, wrong.kind), (0, FailureKind::Retry));
        assert!(wrong.reason.contains(told), "{wrong}");
        assert!(!wrong.reason.contains("wrong-one"), "{wrong}");
    }
    let (_, none) = failure(sink(redis_to(server.port())).as_mut(), &sent);
    assert!(none.reason.contains("wants a login"), "{none}");
    assert_eq!(deliver_all(sink(login(server.port(), "", "right-one")).as_mut(), &sent[..5], LIMIT), [""; 0]);
    assert_eq!(deliver_all(sink(login(server.port(), "wk", "of-wk")).as_mut(), &sent[5..], LIMIT), [""; 0]);
}

#[test]
fn a_user_needs_no_more_than_what_is_told() {
    let rights = "+multi +exec +xadd +xrange +xrevrange +xinfo +get +set";
    let Some(server) = redis_server(&format!("user wk on >pw ~wk:* {rights}\nuser few on >pw ~wk:* +get +xinfo"))
    else {
        return;
    };
    let sent = events("jetson-07", 1, 10);
    let (_, few) = failure(sink(login(server.port(), "few", "pw")).as_mut(), &sent);
    assert!(few.reason.contains(rights), "{few}");
    deliver_all(sink(login(server.port(), "wk", "pw")).as_mut(), &sent, LIMIT);
    // Also where numbers are looked up.
    deliver_all(sink(login(server.port(), "wk", "pw")).as_mut(), &sent, LIMIT);
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn a_server_without_memory_is_told_and_takes_the_rest_when_there_is_some() {
    let Some(server) = redis_server("maxmemory-policy noeviction") else { return };
    let mut sink = sink(redis_to(server.port()));
    let sent = events("jetson-07", 1, 300);
    deliver_all(sink.as_mut(), &sent[..100], LIMIT);
    cli(&server, &["CONFIG", "SET", "maxmemory", "1mb"]);
    for _ in 0..3 {
        let (taken, full) = failure(sink.as_mut(), &sent[100..]);
        assert_eq!((taken, full.kind), (0, FailureKind::Retry));
        assert!(full.reason.contains("memory is full"), "{full}");
    }
    assert_eq!(event_ids(&server).len(), 100);
    cli(&server, &["CONFIG", "SET", "maxmemory", "0"]);
    deliver_all(sink.as_mut(), &sent[100..], LIMIT);
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn a_server_that_cannot_save_to_its_disk_is_told_and_takes_the_rest_when_it_can() {
    let Some(server) = redis_server("appendonly no\nsave 3600 1") else { return };
    let mut sink = sink(redis_to(server.port()));
    let sent = events("jetson-07", 1, 20);
    deliver_all(sink.as_mut(), &sent[..10], LIMIT);
    let saved = |wanted: &str| {
        let until = Instant::now() + LIMIT;
        while !cli(&server, &["INFO", "persistence"]).contains(&format!("rdb_last_bgsave_status:{wanted}")) {
            cli(&server, &["BGSAVE"]);
            assert!(Instant::now() < until, "never {wanted}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    // A folder in the way of the file stands for a disk that takes nothing.
    let file = server.dir().join("dump.rdb");
    std::fs::create_dir(&file).unwrap();
    saved("err");
    let (taken, told) = failure(sink.as_mut(), &sent[10..]);
    assert_eq!((taken, told.kind), (0, FailureKind::Retry));
    assert!(told.reason.contains("cannot save to its disk"), "{told}");
    std::fs::remove_dir(&file).unwrap();
    saved("ok");
    deliver_all(sink.as_mut(), &sent[10..], LIMIT);
    assert_eq!(event_ids(&server), ids_of(&sent));
}

#[test]
fn memory_that_comes_and_goes_leaves_no_event_behind() {
    let Some(server) = redis_server("maxmemory-policy noeviction") else { return };
    let port = server.port();
    let sent = events("jetson-07", 1, 20_000);
    let writer = std::thread::spawn(move || {
        let mut sink = sink(redis_to(port));
        let mut failures = 0;
        for batch in sent.chunks(500) {
            failures += deliver_all(sink.as_mut(), batch, LIMIT).len();
        }
        (ids_of(&sent), failures)
    });
    while !writer.is_finished() {
        cli(&server, &["CONFIG", "SET", "maxmemory", "1mb"]);
        std::thread::sleep(Duration::from_millis(3));
        cli(&server, &["CONFIG", "SET", "maxmemory", "0"]);
        std::thread::sleep(Duration::from_millis(30));
    }
    let (ids, failures) = writer.join().unwrap();
    assert!(failures > 0, "memory was never short");
    assert_eq!(event_ids(&server), ids);
}

#[test]
fn the_stream_is_kept_at_about_the_length_asked_for() {
    let Some(server) = redis_server("") else { return };
    let sent = events("jetson-07", 1, 2000);
    deliver_all(sink(Redis { max_len: Some(300), ..redis_to(server.port()) }).as_mut(), &sent, LIMIT);
    let got = event_ids(&server);
    assert!((300..500).contains(&got.len()), "{}", got.len());
    assert_eq!(got, ids_of(&sent[2000 - got.len()..]));
}

#[test]
fn what_was_trimmed_or_consumed_counts_as_delivered_when_it_comes_again() {
    let Some(server) = redis_server("") else { return };
    let sent = events("jetson-07", 1, 60);
    // Trimmed, all but the last ten.
    deliver_all(sink(redis_to(server.port())).as_mut(), &sent[..50], LIMIT);
    cli(&server, &["XTRIM", KEY, "MAXLEN", "10"]);
    assert_eq!(deliver_all(sink(redis_to(server.port())).as_mut(), &sent[..20], LIMIT), [""; 0]);
    // Consumed, all of them.
    cli(&server, &["XTRIM", KEY, "MAXLEN", "0"]);
    assert_eq!(deliver_all(sink(redis_to(server.port())).as_mut(), &sent[30..], LIMIT), [""; 0]);
    assert_eq!(event_ids(&server), ids_of(&sent[50..]));
    // Also what was taken just before an end that left no time to note it.
    let mut ends = sink(redis_to(server.port()));
    let more = events("jetson-07", 61, 70);
    assert_eq!(ends.deliver(&more).0, 10);
    drop(ends);
    cli(&server, &["XTRIM", KEY, "MAXLEN", "0"]);
    assert_eq!(deliver_all(sink(redis_to(server.port())).as_mut(), &more, LIMIT), [""; 0]);
    assert_eq!(event_ids(&server).len(), 0);
}

#[test]
fn a_far_repetition_of_what_was_consumed_counts_as_delivered_whatever_the_age_of_ids() {
    let Some(server) = redis_server("") else { return };
    let mut sent = events("jetson-07", 1, 1000);
    // The id of the last one was made long before it was numbered.
    let mut last = events("jetson-07", 1000, 1000);
    last[0].id = ulid::Ulid::from_parts(1_700_000_000_000, 7).to_string();
    sent.splice(999.., last);
    for run in sent.chunks(500) {
        deliver_all(sink(redis_to(server.port())).as_mut(), run, LIMIT);
    }
    cli(&server, &["XTRIM", KEY, "MAXLEN", "0"]);
    let mut again = sink(redis_to(server.port()));
    for batch in sent.chunks(100) {
        assert_eq!(deliver_all(again.as_mut(), batch, LIMIT), [""; 0]);
    }
    assert_eq!(event_ids(&server).len(), 0);
}

#[test]
fn numbers_that_begin_anew_are_told_and_no_event_is_swallowed() {
    for (trim, what) in [(None, "entries there"), (Some("5"), "trimmed"), (Some("0"), "consumed")] {
        let Some(server) = redis_server("") else { return };
        deliver_all(sink(redis_to(server.port())).as_mut(), &events("jetson-07", 1, 50), LIMIT);
        if let Some(left) = trim {
            cli(&server, &["XTRIM", KEY, "MAXLEN", left]);
        }
        std::thread::sleep(Duration::from_millis(5));
        let before = cli(&server, &["XLEN", KEY]);
        // More than the stream has: nothing of it is added to the old numbers.
        let anew = events("jetson-07", 1, 80);
        let mut sink = sink(redis_to(server.port()));
        for _ in 0..2 {
            let (taken, told) = failure(sink.as_mut(), &anew);
            assert_eq!((taken, told.kind), (0, FailureKind::Retry), "{what}");
            assert!(told.reason.contains("goes up to number 50"), "{what}: {told}");
            assert!(told.reason.contains("numbers anew"), "{what}: {told}");
            assert_eq!(cli(&server, &["XLEN", KEY]), before, "{what}");
        }
        cli(&server, &["RENAME", KEY, "wk:old"]);
        deliver_all(sink.as_mut(), &anew, LIMIT);
        assert_eq!(event_ids(&server), ids_of(&anew), "{what}");
    }
}

#[test]
fn a_stream_of_somebody_else_is_told() {
    let Some(server) = redis_server("") else { return };
    cli(&server, &["XADD", KEY, "*", "temperature", "21"]);
    let (_, foreign) = failure(sink(redis_to(server.port())).as_mut(), &events("jetson-07", 1, 3));
    assert!(foreign.reason.contains("is not this device's event"), "{foreign}");
    cli(&server, &["DEL", KEY]);
    cli(&server, &["SET", KEY, "no stream"]);
    let (_, other) = failure(sink(redis_to(server.port())).as_mut(), &events("jetson-07", 1, 3));
    assert!(other.reason.contains("is not a stream"), "{other}");
}

#[test]
fn the_data_base_asked_for_is_used() {
    let Some(server) = redis_server("") else { return };
    deliver_all(sink(Redis { database: 3, ..redis_to(server.port()) }).as_mut(), &events("jetson-07", 1, 3), LIMIT);
    assert_eq!(cli(&server, &["-n", "3", "XLEN", KEY]), "3");
    assert_eq!(cli(&server, &["XLEN", KEY]), "0");
    let (_, none) =
        failure(sink(Redis { database: 99, ..redis_to(server.port()) }).as_mut(), &events("jetson-07", 1, 3));
    assert!(none.reason.contains("database"), "{none}");
}

#[test]
fn a_replica_is_told() {
    let Some(primary) = redis_server("") else { return };
    let Some(server) = redis_server(&format!("replicaof 127.0.0.1 {}", primary.port())) else { return };
    let sent = events("jetson-07", 1, 3);
    let (_, failure) = failure(sink(redis_to(server.port())).as_mut(), &sent);
    assert!(failure.reason.contains("replica"), "{failure}");
}

#[test]
fn each_device_has_a_stream_of_its_own() {
    let Some(server) = redis_server("") else { return };
    for device in ["jetson-07", "yard 1.lan"] {
        let mut sink = open(device, SinkKind::Redis(Box::new(redis_to(server.port())))).unwrap();
        deliver_all(sink.as_mut(), &events(device, 1, 10), LIMIT);
    }
    for device in ["jetson-07", "yard 1.lan"] {
        let got = entries(&server, &format!("wk:events:{device}"));
        assert_eq!(
            got.iter().map(|entry| entry[0].clone()).collect::<Vec<_>>(),
            (1..=10).map(|n| format!("{n}-0")).collect::<Vec<_>>()
        );
        assert!(got.iter().all(|entry| entry[8].contains(device)));
    }
}
