//! Brokers whose disk is really full. Needs the right to mount a small file system; left out, with a word, without it.

#![allow(clippy::unwrap_used)]

#[path = "support/brokers.rs"]
mod brokers;
#[path = "support/nats_client.rs"]
mod nats_client;
#[path = "support/small_disk.rs"]
mod small_disk;

use std::time::Duration;

use brokers::{deliver_all, events, nats_server_with, nats_to, open};
use nats_client::Client;
use small_disk::SmallDisk;
use watchkeeper::config::SinkKind;
use watchkeeper::outbox::sinks::{FailureKind, Stored};

#[test]
fn a_nats_server_whose_disk_is_full_is_told_and_takes_the_rest_when_there_is_room() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let store = disk.path().display();
    let jetstream = format!("jetstream {{ store_dir: \"{store}\", max_file_store: 1GB }}");
    let Some(server) = nats_server_with(&format!("listen: \"127.0.0.1:{{port}}\"\n{jetstream}")) else { return };
    let mut sink = open("jetson-07", SinkKind::Nats(Box::new(nats_to(server.port())))).unwrap();
    let sent: Vec<Stored> = events("jetson-07", 1, 600);
    assert_eq!(deliver_all(sink.as_mut(), &sent[..50], Duration::from_secs(20)), [""; 0]);
    let ballast = disk.fill();
    // What is written already may still have room for some.
    let (mut done, mut told) = (50, None);
    while told.is_none() && done < sent.len() {
        let (taken, result) = sink.deliver(&sent[done..(done + 50).min(sent.len())]);
        done += taken;
        told = result.err();
    }
    let told = told.expect("a full disk takes everything");
    assert_eq!(told.kind, FailureKind::Retry, "{told}");
    assert!(told.reason.contains("disk") || told.reason.contains("room"), "{told}");
    std::fs::remove_file(ballast).unwrap();
    let mut server = server;
    let rest = &sent[done..];
    deliver_all_or_restart(sink.as_mut(), rest, &mut server);
    let got = Client::connect(server.address()).consume("EVENTS", "all", "wk.events.>");
    let ids: std::collections::BTreeSet<&str> =
        got.iter().filter_map(|message| message.header("Nats-Msg-Id")).collect();
    assert_eq!(ids, sent.iter().map(|event| event.id.as_str()).collect());
}

/// Some versions stand still for good when their disk was full: an operator starts them again.
fn deliver_all_or_restart(
    sink: &mut dyn watchkeeper::outbox::sinks::Target,
    events: &[Stored],
    server: &mut brokers::Broker,
) {
    let (mut done, mut failures) = (0, 0);
    while done < events.len() {
        let (taken, result) = sink.deliver(&events[done..]);
        done += taken;
        let Err(failure) = result else { continue };
        assert!(failures < 40, "never delivered: {failure}");
        failures += 1;
        if failures == 8 {
            server.kill();
            server.start();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
