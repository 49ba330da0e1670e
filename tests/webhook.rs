//! The webhook sink against a real HTTP server: what it gets, and what comes of each answer.

#![allow(clippy::unwrap_used)]

#[path = "support/webhook_server.rs"]
mod webhook_server;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use watchkeeper::config::{self, ClientCertificate, Credentials, Dialect, Tls};
use watchkeeper::outbox::sinks::webhook::{Waits, Webhook};
use watchkeeper::outbox::sinks::{Failure, FailureKind, Stored, Target};
use watchkeeper::types::secret::Secret;
use webhook_server::{Act, Request, WebhookServer};

const PASSWORD: &str = "pass-7h3";
const TOKEN: &str = "token-9k2";
const SECRET: &str = "secret-4f1";
const PATH: &str = "/hooks/path-5m8?key=query-6n3";

fn settings(url: &str, batch: usize) -> config::Webhook {
    config::Webhook {
        url: url.to_owned(),
        login: None,
        tls: Tls::default(),
        secret: Some(Secret::new(SECRET)),
        bearer: Some(Secret::new(TOKEN)),
        batch,
        timeout: Duration::from_secs(5),
    }
}

fn sink(server: &WebhookServer, batch: usize) -> Webhook {
    Webhook::new(&settings(&server.url(PATH), batch), Dialect::Native).unwrap()
}

fn event(seq: u64) -> Stored {
    let id = format!("01JD5X0000000000000{seq:07}");
    let body = json!({"schema": "event/1", "event_id": id, "seq": seq, "type": "line.crossed", "camera": "gate"});
    Stored { seq, id, event_type: "line.crossed".to_owned(), camera: "gate".to_owned(), body: body.to_string().into() }
}

fn events(seqs: impl IntoIterator<Item = u64>) -> Vec<Stored> {
    seqs.into_iter().map(event).collect()
}

/// Numbers of the events in a request.
fn seqs(request: &Request) -> Vec<u64> {
    match serde_json::from_slice(&request.body).unwrap() {
        Value::Array(events) => events.iter().map(|event| event["seq"].as_u64().unwrap()).collect(),
        event => vec![event["seq"].as_u64().unwrap()],
    }
}

fn all_seqs(server: &WebhookServer) -> Vec<Vec<u64>> {
    server.requests().iter().map(seqs).collect()
}

fn say(status: u16) -> Act {
    Act::Say(status, Vec::new())
}

fn retry(delivered: (usize, Result<(), Failure>)) -> Failure {
    let failure = delivered.1.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Retry, "{failure}");
    for secret in [PASSWORD, TOKEN, SECRET, "path-5m8", "query-6n3"] {
        assert!(!failure.reason.contains(secret), "{failure}");
    }
    failure
}

/// What the outbox does with a sink: hands over, leaves out what is refused, tries again. Answers what was refused.
fn pump(sink: &mut Webhook, events: &[Stored]) -> Vec<u64> {
    let (mut at, mut refused) = (0, Vec::new());
    let until = Instant::now() + Duration::from_secs(20);
    while at < events.len() {
        assert!(Instant::now() < until, "no end: {at} of {}", events.len());
        let (done, result) = sink.deliver(&events[at..]);
        at += done;
        match result {
            Ok(()) => assert!(done > 0, "no progress"),
            Err(failure) if failure.kind == FailureKind::Refused => {
                refused.push(events[at].seq);
                at += 1;
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    refused
}

// --------------------------------------------------------------------------------------------------- what is sent

#[test]
fn one_event_is_posted_as_it_is_with_headers_that_name_it() {
    let server = WebhookServer::start([]);
    let mut sink = sink(&server, 1);
    assert!(sink.deliver(&events([17, 18])).1.is_ok());
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let (request, sent) = (&requests[0], event(17));
    assert_eq!(request.line, format!("POST {PATH} HTTP/1.1"));
    assert_eq!(request.body, sent.body.as_bytes());
    let header = |name: &str| request.headers[name].as_str();
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("user-agent"), concat!("watchkeeper/", env!("CARGO_PKG_VERSION")));
    assert_eq!([header("webhook-id"), header("idempotency-key")], [sent.id.as_str(); 2]);
    assert_eq!(header("x-watchkeeper-seq"), "17");
    assert_eq!(header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(server.connections(), 1, "the connection is used again");
}

#[test]
fn a_batch_is_an_array_even_of_one_event() {
    let server = WebhookServer::start([]);
    let mut sink = sink(&server, 3);
    assert_eq!(sink.deliver(&events([5, 6, 9, 10])).0, 4);
    assert_eq!(all_seqs(&server), [vec![5, 6, 9], vec![10]]);
    let requests = server.requests();
    assert_eq!(requests[0].headers["x-watchkeeper-seq"], "5-9");
    assert_eq!(requests[0].headers["webhook-id"], format!("{}-{}", event(5).id, event(9).id));
    assert_eq!(requests[1].headers["webhook-id"], event(10).id);
    let last: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert!(last.is_array());
}

#[test]
fn a_login_is_sent_as_basic_authentication() {
    let server = WebhookServer::start([]);
    let login = Credentials { username: "me".to_owned(), password: Secret::new(PASSWORD) };
    let settings = config::Webhook { login: Some(login), bearer: None, ..settings(&server.url("/"), 1) };
    let mut sink = Webhook::new(&settings, Dialect::Native).unwrap();
    assert!(sink.deliver(&[event(1)]).1.is_ok());
    let expected = format!("Basic {}", STANDARD.encode(format!("me:{PASSWORD}")));
    assert_eq!(server.requests()[0].headers["authorization"], expected);
}

#[test]
fn the_signature_is_of_id_time_and_body() {
    for (secret, key) in [(SECRET.to_owned(), SECRET.as_bytes()), (format!("whsec_{}", STANDARD.encode("k3y")), b"k3y")]
    {
        let server = WebhookServer::start([]);
        let settings = config::Webhook { secret: Some(Secret::new(&secret)), ..settings(&server.url("/"), 2) };
        let mut sink = Webhook::new(&settings, Dialect::Native).unwrap();
        assert!(sink.deliver(&events([1, 2])).1.is_ok());
        let Request { headers, body, .. } = &server.requests()[0];
        let (id, time) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(time.parse::<u64>().unwrap().abs_diff(now) < 60, "{time}");
        let signed = [id.as_bytes(), b".", time.as_bytes(), b".", body].concat();
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        let signature = headers["webhook-signature"].strip_prefix("v1,").unwrap();
        ring::hmac::verify(&key, &signed, &STANDARD.decode(signature).unwrap()).unwrap();
    }
    let server = WebhookServer::start([]);
    let settings = config::Webhook { secret: None, ..settings(&server.url("/"), 1) };
    assert!(Webhook::new(&settings, Dialect::Native).unwrap().deliver(&[event(1)]).1.is_ok());
    assert!(!server.requests()[0].headers.contains_key("webhook-signature"));
}

/// The example in the documentation, run as it stands there.
#[test]
fn the_documented_python_verifies_what_is_sent_and_nothing_else() {
    if Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var_os("CI").is_none(), "python3 is not here; run: apt install python3");
        eprintln!("not tried: there is no python3");
        return;
    }
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/outbox/sinks/webhook/mod.rs");
    let source = std::fs::read_to_string(source).unwrap();
    let lines =
        source.lines().skip_while(|line| *line != "//! ```python").skip(1).take_while(|line| *line != "//! ```");
    let mut program: String = lines
        .map(|line| line.trim_start_matches("//!").strip_prefix(' ').unwrap_or_default().to_owned() + "\n")
        .collect();
    let server = WebhookServer::start([]);
    assert!(sink(&server, 1).deliver(&[event(1)]).1.is_ok());
    let Request { headers, body, .. } = &server.requests()[0];
    let body = String::from_utf8(body.clone()).unwrap();
    let (headers, body) = (serde_json::to_string(headers).unwrap(), serde_json::to_string(&body).unwrap());
    program += &format!(
        "import json\nheaders, body = json.loads({headers:?}), json.loads({body:?}).encode()\n\
         print(verify({SECRET:?}, headers, body), verify({SECRET:?}, headers, body + b' '), verify('other', headers, body))"
    );
    let output = Command::new("python3").arg("-c").arg(&program).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(told.trim(), "True False False", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn other_dialects_post_what_they_have_words_for() {
    let server = WebhookServer::start([]);
    let with_track = |seq: u64| Stored {
        body: json!({
            "device": "d", "boot": "b", "time": {"capture": "2026-11-20T17:08:37.214Z"},
            "track": {"id": "gate:1:2", "label": "person", "score": 0.5, "top_score": 0.5, "box": [0.0, 0.0, 1.0, 1.0]},
        })
        .to_string()
        .into(),
        ..event(seq)
    };
    let handed = [event(1), with_track(2), event(3), with_track(4), event(5), event(6)];
    let mut sink = Webhook::new(&settings(&server.url("/"), 10), Dialect::Frigate).unwrap();
    assert_eq!(sink.deliver(&handed).0, 6, "those without a form are done with too");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].headers["x-watchkeeper-seq"], "2-4");
    let told: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!((told.as_array().unwrap().len(), &told[0]["type"]), (2, &json!("update")));
    assert_eq!(sink.deliver(&[event(7)]).0, 1);
    assert_eq!(server.requests().len(), 1);
}

// ----------------------------------------------------------------------------------------------- what is answered

#[test]
fn what_fails_for_a_while_is_delivered_afterwards_in_order_and_once() {
    let server = WebhookServer::start([say(503), say(500), say(502), say(408)]);
    let mut sink = sink(&server, 2);
    for status in ["503", "500", "502", "408"] {
        let failure = retry(sink.deliver(&events([1, 2, 3])));
        assert!(failure.reason.contains(status) && failure.reason.contains("127.0.0.1"), "{failure}");
    }
    assert_eq!(sink.deliver(&events([1, 2, 3])).0, 3);
    let all = all_seqs(&server);
    assert_eq!(all[4..], [vec![1, 2], vec![3]]);
}

#[test]
fn retry_after_is_honoured() {
    let server = WebhookServer::start([Act::Say(429, vec![("retry-after", "1".to_owned())])]);
    let mut sink = sink(&server, 1);
    let asked = Instant::now();
    let failure = retry(sink.deliver(&[event(1)]));
    assert!(failure.reason.contains("429 Too Many Requests") && failure.reason.contains("wait 1 s"), "{failure}");
    while sink.deliver(&[event(1)]).0 == 0 {
        assert!(asked.elapsed() < Duration::from_secs(10));
        assert_eq!(server.requests().len(), 1, "asked again too early");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(asked.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.requests().len(), 2);
}

/// A server that is being redeployed must not cost events.
#[test]
fn a_server_that_does_not_let_us_in_or_knows_nothing_of_us_is_asked_slowly() {
    for status in [401, 403, 404, 405, 410, 302] {
        let server = WebhookServer::start([say(status)]);
        let mut sink = sink(&server, 1);
        let failure = retry(sink.deliver(&[event(1)]));
        assert!(failure.reason.contains(&status.to_string()) && failure.reason.contains("; events wait"), "{failure}");
        for _ in 0..3 {
            assert_eq!(retry(sink.deliver(&[event(1)])).reason, failure.reason);
        }
        assert_eq!(server.requests().len(), 1, "{status}: not again at once");
    }
    let server = WebhookServer::start([Act::Say(404, vec![("retry-after", "0".to_owned())])]);
    let mut sink = sink(&server, 1);
    retry(sink.deliver(&[event(1)]));
    assert_eq!(sink.deliver(&[event(1)]).0, 1, "and when it is back, it gets the event");
}

#[test]
fn a_batch_that_is_too_large_becomes_smaller_ones() {
    let limit = event(1).body.len() * 5;
    let too_large = move |request: &Request| (request.body.len() > limit).then(|| say(413));
    let server = WebhookServer::deciding([], None, too_large);
    let mut sink = sink(&server, 16);
    assert_eq!(pump(&mut sink, &events(1..=32)), Vec::<u64>::new());
    let (taken, turned_down): (Vec<_>, Vec<_>) = server.requests().into_iter().partition(|r| r.body.len() <= limit);
    assert_eq!(taken.iter().flat_map(seqs).collect::<Vec<_>>(), (1..=32).collect::<Vec<_>>());
    assert_eq!(turned_down.len(), 2, "16, 8, and then it knows");
}

#[test]
fn one_event_that_is_too_large_alone_is_refused_and_the_others_are_delivered() {
    let mut handed = events(1..=8);
    handed[4].body = format!("{{\"seq\":5,\"much\":\"{}\"}}", "x".repeat(10_000)).into();
    let too_large = |request: &Request| (request.body.len() > 5000).then(|| say(413));
    let server = WebhookServer::deciding([], None, too_large);
    assert_eq!(pump(&mut sink(&server, 8), &handed), [5]);
    let taken = server.requests().into_iter().filter(|r| r.body.len() <= 5000);
    assert_eq!(taken.flat_map(|r| seqs(&r)).collect::<Vec<_>>(), [1, 2, 3, 4, 6, 7, 8]);
}

#[test]
fn events_that_are_called_bad_are_found_in_their_batch_and_only_they_are_refused() {
    for (bad, batch) in
        [(vec![6], 16), (vec![1], 16), (vec![16], 16), (vec![3, 4, 11], 16), (vec![2, 5], 1), (vec![5], 2)]
    {
        let calls_bad: BTreeSet<u64> = bad.iter().copied().collect();
        let judge = move |request: &Request| seqs(request).iter().any(|seq| calls_bad.contains(seq)).then(|| say(422));
        let server = WebhookServer::deciding([], None, judge.clone());
        assert_eq!(pump(&mut sink(&server, batch), &events(1..=20)), bad, "batches of {batch}");
        let taken = server.requests().into_iter().filter(|request| judge(request).is_none());
        let taken: Vec<u64> = taken.flat_map(|request| seqs(&request)).collect();
        assert_eq!(taken, (1..=20).filter(|seq| !bad.contains(seq)).collect::<Vec<_>>());
        let most = 20_usize.div_ceil(batch) + bad.len() * 2 * 5;
        assert!(server.requests().len() <= most, "{} requests, not {most}", server.requests().len());
    }
}

#[test]
fn a_server_that_calls_everything_bad_does_not_cost_everything() {
    let server = WebhookServer::deciding([], None, |_| Some(say(400)));
    let mut sink = sink(&server, 1);
    for seq in 1..=5 {
        let (done, result) = sink.deliver(&events(seq..=100));
        assert_eq!((done, result.unwrap_err().kind), (0, FailureKind::Refused));
    }
    let failure = retry(sink.deliver(&events(6..=100)));
    assert!(failure.reason.contains("is this the address?"), "{failure}");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn an_event_the_server_always_fails_over_is_left_out_once_another_is_taken() {
    let waits = Waits { failing: Duration::from_millis(600), ..Waits::default() };
    for batch in [1, 8] {
        let fails = |request: &Request| seqs(request).contains(&6).then(|| say(500));
        let server = WebhookServer::deciding([], None, fails);
        let mut sink = Webhook::with_waits(&settings(&server.url(PATH), batch), Dialect::Native, waits).unwrap();
        let began = Instant::now();
        assert_eq!(pump(&mut sink, &events(1..=20)), [6], "batches of {batch}");
        assert!(began.elapsed() >= waits.failing, "{:?}", began.elapsed());
        let taken: BTreeSet<u64> = server.requests().iter().filter(|r| fails(r).is_none()).flat_map(seqs).collect();
        assert_eq!(taken, (1..=20).filter(|seq| *seq != 6).collect(), "batches of {batch}");
    }
}

#[test]
fn a_server_that_fails_over_everything_costs_nothing_however_long() {
    let waits = Waits { failing: Duration::from_millis(300), ..Waits::default() };
    let (since, broken) = (Instant::now(), Duration::from_secs(2));
    let server = WebhookServer::deciding([], None, move |_| (since.elapsed() < broken).then(|| say(500)));
    let mut sink = Webhook::with_waits(&settings(&server.url(PATH), 4), Dialect::Native, waits).unwrap();
    assert_eq!(pump(&mut sink, &events(1..=20)), [0_u64; 0]);
    // Nor does one that is not there: nobody has failed over an event.
    let server = WebhookServer::deciding([], None, move |r| seqs(r).contains(&1).then_some(Act::Drop));
    let mut sink = Webhook::with_waits(&settings(&server.url(PATH), 1), Dialect::Native, waits).unwrap();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        retry(sink.deliver(&events(1..=3)));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let server = WebhookServer::start([Act::Hang]);
    let settings = config::Webhook { timeout: Duration::from_millis(300), ..settings(&server.url(PATH), 1) };
    let mut sink = Webhook::new(&settings, Dialect::Native).unwrap();
    let asked = Instant::now();
    let failure = retry(sink.deliver(&[event(1)]));
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert!(failure.reason.contains("no answer within 0.3 s"), "{failure}");
    assert_eq!(sink.deliver(&[event(1)]).0, 1);
}

#[test]
fn an_answer_without_an_end_is_read_to_a_bound() {
    let server = WebhookServer::start([Act::Flood]);
    let mut sink = sink(&server, 1);
    let asked = Instant::now();
    assert_eq!(sink.deliver(&[event(1)]).0, 1);
    assert!(asked.elapsed() < Duration::from_secs(4), "not until the time-out");
    assert_eq!(sink.deliver(&[event(2)]).0, 1);
    assert!(server.flooded() < 16_000_000, "{} bytes", server.flooded());
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_request_whose_answer_was_lost_is_made_again_the_same() {
    let server = WebhookServer::start([Act::Drop]);
    let mut sink = sink(&server, 10);
    retry(sink.deliver(&events([1, 2])));
    // Meanwhile there are more.
    assert_eq!(sink.deliver(&events([1, 2, 3])).0, 3);
    let requests = server.requests();
    assert_eq!(all_seqs(&server), [vec![1, 2], vec![1, 2], vec![3]]);
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
}

#[test]
fn a_server_that_is_not_there_yet_gets_everything_when_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("http://127.0.0.1:{port}{PATH}");
    let mut sink = Webhook::new(&settings(&url, 1), Dialect::Native).unwrap();
    let failure = retry(sink.deliver(&[event(1)]));
    assert!(failure.reason.contains(&format!("http://127.0.0.1:{port}: ")), "{failure}");
    assert!(failure.reason.contains("refused"), "{failure}");
    let server = WebhookServer::on(TcpListener::bind(("127.0.0.1", port)).unwrap(), [], None, |_| None);
    assert_eq!(sink.deliver(&events([1, 2])).0, 2);
    assert_eq!(all_seqs(&server), [[1], [2]]);
}

#[test]
fn what_is_no_http_server_is_said_to_be_none() {
    let server = WebhookServer::start([Act::Babble]);
    let failure = retry(sink(&server, 1).deliver(&[event(1)]));
    assert!(failure.reason.contains("no HTTP server"), "{failure}");
}

/// Whatever a server does for a while: each event is taken, in order, or refused for its own sake.
#[test]
fn nothing_is_lost_to_a_server_that_fails_at_random() {
    for seed in 0..12_u64 {
        let random = Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let bad = move |seq: u64| (seq * 7 + seed).is_multiple_of(23);
        let limit = event(1).body.len() * (3 + usize::try_from(seed).unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let shelf = Arc::clone(&taken);
        let decide = move |request: &Request| {
            let mut random = random.lock().unwrap();
            *random = random.rotate_left(9).wrapping_mul(0xd134_2543_de82_ef95) | 1;
            let luck = *random >> 60;
            let act = match luck {
                0..=2 => say(503),
                3 => Act::Drop,
                _ if request.body.len() > limit => say(413),
                _ if seqs(request).into_iter().any(bad) => say(400),
                4 => Act::Leave,
                _ => say(200),
            };
            if matches!(act, Act::Say(200, _) | Act::Leave) {
                shelf.lock().unwrap().extend(seqs(request));
            }
            Some(act)
        };
        let server = WebhookServer::deciding([], None, decide);
        let refused = pump(&mut sink(&server, 16), &events(1..=60));
        assert_eq!(refused, (1..=60).filter(|seq| bad(*seq)).collect::<Vec<_>>(), "{seed}");
        let taken = taken.lock().unwrap();
        let first_seen: BTreeSet<u64> = taken.iter().copied().filter(|seq| !bad(*seq)).collect();
        assert_eq!(first_seen, (1..=60).filter(|seq| !bad(*seq)).collect(), "{seed}");
        let mut latest = 0;
        for seq in taken.iter() {
            assert!(!(latest + 1..*seq).any(|passed| !bad(passed)), "{seed}: {seq} came before others");
            latest = latest.max(*seq);
        }
    }
}

/// Servers close connections that nothing comes over, and do not say when.
#[test]
fn a_connection_that_was_closed_meanwhile_is_no_failure() {
    let server = WebhookServer::start([Act::Leave, Act::Leave, Act::Leave]);
    let mut sink = sink(&server, 1);
    for seq in 1..=4 {
        assert!(sink.deliver(&[event(seq)]).1.is_ok(), "{seq}");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!((server.connections(), server.requests().len()), (4, 4));
}

/// Some servers close, or stop reading, where others answer 413.
#[test]
fn a_batch_that_is_never_answered_becomes_smaller_ones() {
    let limit = event(1).body.len() * 3;
    let too_large = move |request: &Request| (request.body.len() > limit).then_some(Act::Drop);
    let server = WebhookServer::deciding([], None, too_large);
    assert_eq!(pump(&mut sink(&server, 16), &events(1..=32)), Vec::<u64>::new());
    let taken = server.requests().into_iter().filter(|r| r.body.len() <= limit);
    assert_eq!(taken.flat_map(|r| seqs(&r)).collect::<Vec<_>>(), (1..=32).collect::<Vec<_>>());
}

#[test]
fn batches_are_whole_again_after_a_while_without_trouble() {
    for at_once in [1, 16] {
        let server = WebhookServer::start(vec![Act::Drop; 3]);
        let mut sink = sink(&server, 16);
        pump(&mut sink, &events(1..=at_once));
        pump(&mut sink, &events(at_once + 1..=1000));
        let sizes: Vec<usize> = all_seqs(&server)[3..].iter().map(Vec::len).collect();
        assert_eq!(sizes[0], if at_once == 1 { 1 } else { 8 });
        assert_eq!(sizes[sizes.len() - 2], 16);
    }
}

// ------------------------------------------------------------------------------------------------------ redirects

#[test]
fn a_redirect_is_followed_at_home_with_body_and_signature() {
    let moved = |request: &Request| {
        request.line.contains("/hooks/").then(|| Act::Say(308, vec![("location", "/new?a=b".to_owned())]))
    };
    let server = WebhookServer::deciding([], None, moved);
    assert_eq!(sink(&server, 1).deliver(&[event(1)]).0, 1);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].line, "POST /new?a=b HTTP/1.1");
    assert_eq!(requests[1].body, event(1).body.as_bytes());
    assert_eq!(requests[1].headers["authorization"], format!("Bearer {TOKEN}"));
}

#[test]
fn nothing_goes_to_another_host_and_a_circle_ends() {
    let other = WebhookServer::start([]);
    let to = other.url("/stolen");
    let server = WebhookServer::start([Act::Say(307, vec![("location", to)])]);
    let failure = retry(sink(&server, 1).deliver(&[event(1)]));
    assert!(failure.reason.contains("a redirect that is not followed"), "{failure}");
    assert!(!failure.reason.contains("stolen"), "{failure}");
    assert_eq!(other.connections(), 0);

    let server = WebhookServer::deciding([], None, |_| Some(Act::Say(307, vec![("location", "/".to_owned())])));
    retry(sink(&server, 1).deliver(&[event(1)]));
    assert_eq!(server.requests().len(), 4);
}

// ------------------------------------------------------------------------------------------------------------ TLS

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn key_pem(key: &KeyPair) -> String {
    pem("PRIVATE KEY", &key.serialize_der())
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    fn certify(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap(), key)
    }

    fn serve(&self, name: &str, clients: Option<&Self>) -> WebhookServer {
        let (certificate, key) = self.certify(name);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let builder = match clients {
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                builder.unwrap().with_client_cert_verifier(verifier)
            }
            None => builder.unwrap().with_no_client_auth(),
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        WebhookServer::deciding([], Some(Arc::new(config)), |_| None)
    }
}

fn over_tls(server: &WebhookServer, tls: Tls) -> config::Webhook {
    config::Webhook { tls, ..settings(&server.url(PATH), 1) }
}

#[test]
fn a_certificate_of_the_named_authority_is_believed_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("One"), Authority::new("Two"));
    let [right, wrong] = ["right.pem", "wrong.pem"].map(|name| dir.path().join(name));
    std::fs::write(&right, ours.pem()).unwrap();
    std::fs::write(&wrong, theirs.pem()).unwrap();
    let server = ours.serve("127.0.0.1", None);
    let open = |server: &WebhookServer, ca_file: Option<&Path>| {
        let tls = Tls { ca_file: ca_file.map(Path::to_owned), client: None };
        Webhook::new(&over_tls(server, tls), Dialect::Native).unwrap()
    };
    assert_eq!(open(&server, Some(&right)).deliver(&[event(1)]).0, 1);
    assert_eq!(server.requests().len(), 1);
    for ca_file in [Some(wrong.as_path()), None] {
        let failure = retry(open(&server, ca_file).deliver(&[event(2)]));
        assert!(failure.reason.contains("UnknownIssuer") && failure.reason.contains("`ca_file`"), "{failure}");
    }
    let elsewhere = ours.serve("elsewhere.example", None);
    let failure = retry(open(&elsewhere, Some(&right)).deliver(&[event(2)]));
    assert!(failure.reason.contains("not valid for name"), "{failure}");
    assert_eq!((server.requests().len(), elsewhere.requests().len()), (1, 0), "nothing was sent");
}

#[test]
fn certificates_that_were_renewed_are_read_anew_after_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new("Old"), Authority::new("New"));
    let ca_file = dir.path().join("ca.pem");
    std::fs::write(&ca_file, old.pem()).unwrap();
    let server = new.serve("127.0.0.1", None);
    let short = Duration::from_millis(50);
    let waits = Waits { slow: short, renew: short, ..Waits::default() };
    let tls = Tls { ca_file: Some(ca_file.clone()), client: None };
    let mut sink = Webhook::with_waits(&over_tls(&server, tls), Dialect::Native, waits).unwrap();
    retry(sink.deliver(&[event(1)]));
    std::fs::write(&ca_file, "half of a file").unwrap();
    std::thread::sleep(short * 2);
    retry(sink.deliver(&[event(1)]));
    std::fs::write(&ca_file, new.pem()).unwrap();
    assert_eq!(pump(&mut sink, &[event(1)]), [0_u64; 0]);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn our_own_certificate_is_shown_to_a_server_that_asks() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (servers, clients) = (Authority::new("One"), Authority::new("Two"));
    let (certificate, key) = clients.certify("camera-box");
    let ca_file = Some(file("ca.pem", servers.pem()));
    let certificate_file = file("client.pem", pem("CERTIFICATE", certificate.der()));
    let key_file = file("client.key", key_pem(&key));
    let server = servers.serve("127.0.0.1", Some(&clients));
    let client = ClientCertificate { certificate_file: certificate_file.clone(), key_file };
    let with = Tls { ca_file: ca_file.clone(), client: Some(client) };
    assert_eq!(Webhook::new(&over_tls(&server, with), Dialect::Native).unwrap().deliver(&[event(1)]).0, 1);

    let without = Tls { ca_file: ca_file.clone(), client: None };
    let failure = retry(Webhook::new(&over_tls(&server, without), Dialect::Native).unwrap().deliver(&[event(2)]));
    assert!(failure.reason.contains("a certificate of ours"), "{failure}");
    assert_eq!(server.requests().len(), 1);

    // The key of somebody else is found before anything is sent.
    let key_file = file("other.key", key_pem(&KeyPair::generate().unwrap()));
    let client = ClientCertificate { certificate_file, key_file };
    let wrong = Tls { ca_file, client: Some(client) };
    let failure = Webhook::new(&over_tls(&server, wrong), Dialect::Native).err().unwrap();
    assert!(failure.reason.contains("other.key") && failure.reason.contains("client.pem"), "{failure}");
}

#[test]
fn what_cannot_be_used_is_said_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let [none, empty] = ["none.pem", "empty.pem"].map(|name| dir.path().join(name));
    std::fs::write(&empty, "nothing").unwrap();
    let base = || settings("https://127.0.0.1/", 1);
    let with_ca = |path: &Path| config::Webhook { tls: Tls { ca_file: Some(path.to_owned()), client: None }, ..base() };
    let cases = [
        (with_ca(&none), "none.pem: No such file"),
        (with_ca(&empty), "empty.pem: there is no certificate"),
        (config::Webhook { secret: Some(Secret::new("whsec_?")), ..base() }, "no base64"),
        (config::Webhook { secret: Some(Secret::new("")), ..base() }, "the secret is empty"),
        (config::Webhook { bearer: Some(Secret::new("a\nb")), ..base() }, "line break"),
        (config::Webhook { url: "ftp://127.0.0.1/".to_owned(), ..base() }, "`url` is no http"),
    ];
    for (settings, expected) in cases {
        let failure = Webhook::new(&settings, Dialect::Native).err().unwrap();
        assert!(failure.reason.contains(expected), "{failure}, not {expected}");
    }
}
