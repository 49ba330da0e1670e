//! From the picture to the far end with the real program and real brokers: whatever is killed, stopped, frozen or full
//! meanwhile, every event that anybody was told of is kept, and every event that is kept arrives.

#![allow(clippy::unwrap_used)]

mod support;

#[path = "support/brokers.rs"]
mod brokers;
#[path = "delivery/check.rs"]
mod check;
#[path = "support/mosquitto.rs"]
mod mosquitto;
#[path = "support/nats_client.rs"]
mod nats_client;
#[allow(dead_code, reason = "the server can do more than it must here")]
#[path = "support/webhook_server.rs"]
mod webhook_server;
#[path = "delivery/world.rs"]
mod world;

use std::time::{Duration, Instant};

use check::{all_is_there, of_the_last_start};
use support::daemon::Daemon;
use support::wait_for;
use world::{Follow, SOON, Settings, SmallDisk, World};

/// How often it is killed; more: `WATCHKEEPER_TEST_KILLS=50`.
const KILLS: u64 = 10;
/// Bytes of events that are certainly tens of them.
const SOME: u64 = 20_000;

fn metric(daemon: &Daemon, name: &str, sink: &str) -> f64 {
    daemon.metric(&format!("watchkeeper_{name}{{sink=\"{sink}\"}}")).unwrap_or_else(|| panic!("no {name} of {sink}"))
}

/// Ends it as a service manager does, with time enough to deliver everything.
fn drain(daemon: &mut Daemon) {
    daemon.signal("TERM");
    let status = daemon.wait(Duration::from_secs(30));
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", daemon.log());
    assert!(daemon.log().contains("lost=0 waiting=0"), "{}", daemon.log());
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn killed_at_any_moment_and_started_again_nothing_is_missing_anywhere() {
    let kills = std::env::var("WATCHKEEPER_TEST_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let Some(mut world) = World::new(&Settings { cameras: 3, ..Settings::default() }) else { return };
    let began = Instant::now();
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ u64::from(std::process::id()) << 20);
    println!("random numbers begin with {:#x}", random.0);
    let mut follow = None;
    let (mut with_events, mut memory) = (0, Vec::new());
    for kill in 0..kills {
        let before = world.written();
        let daemon = world.start();
        // Two of three while events flow, the others at any moment of the start.
        let flowing = kill == 0 || !random.next().is_multiple_of(3);
        if flowing {
            assert!(world.flows(SOME), "no events: {}", daemon.log());
            memory.push(daemon.resources().0);
        }
        follow = follow.or_else(|| flowing.then(|| Follow::start(&world)));
        // Now and then a far end is not well either: it begins again, or has not answered yet at the end.
        match kill % 3 {
            1 if flowing => {
                world.freeze_one(random.next());
                assert!(world.flows(SOME), "{}", daemon.log());
            }
            2 if flowing => world.restart_one(random.next()),
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(random.next() % 1500));
        let log = daemon.log();
        assert!(world.events(&["stats"]).output().unwrap().status.success() || !flowing, "{log}");
        // Killed, not asked.
        drop(daemon);
        world.thaw();
        with_events += u64::from(world.written() > before);
    }
    let mut daemon = world.start();
    assert!(world.flows(2 * SOME), "{}", daemon.log());
    memory.push(daemon.resources().0);
    drain(&mut daemon);

    let report = all_is_there(&world);
    let crossings = of_the_last_start(&world, "line.crossed");
    println!(
        "{kills} kills, {with_events} of them with events, in {:?}: {} events, 0 gaps, repeated {:?}; {} to {} KiB",
        began.elapsed(),
        report.events,
        report.repeated,
        memory.iter().min().unwrap(),
        memory.iter().max().unwrap(),
    );
    assert_eq!(report.lost, 0);
    assert!(report.events as u64 > 20 * kills && with_events * 2 >= kills, "{} events", report.events);
    assert!(crossings >= 10, "the last start told of {crossings} crossings only");
    // Who knows what it has gets nothing twice.
    let repeated = |name: &str| report.repeated.iter().find(|(known, _)| *known == name).unwrap().1;
    assert_eq!([repeated("jsonl"), repeated("nats"), repeated("redis")], [0; 3]);
    // Whoever followed on the command line saw the same, once.
    let (stored, follow) = (world.stored(), follow.unwrap());
    wait_for(SOON, || follow.lines().len() >= stored.len());
    assert!(follow.lines().iter().eq(stored.values()), "{} of {} followed", follow.lines().len(), stored.len());
}

#[test]
fn brokers_that_are_down_for_a_while_get_everything_and_the_daemon_ends_in_time_meanwhile() {
    let Some(mut world) = World::new(&Settings { drain_s: 4, ..Settings::default() }) else { return };
    let mut daemon = world.start();
    assert!(world.flows(SOME), "{}", daemon.log());
    world.mosquitto.stop();
    world.nats.kill();
    world.redis.kill();
    assert!(world.flows(SOME), "{}", daemon.log());
    for sink in ["mqtt", "nats", "redis"] {
        assert!(wait_for(SOON, || metric(&daemon, "sink_waiting", sink) >= 20.0), "{sink}: {}", daemon.log());
    }
    assert!(wait_for(SOON, || metric(&daemon, "sink_waiting", "webhook") < 10.0), "{}", daemon.log());
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(5), "{took:?}: {}", daemon.log());
    let log = daemon.log();
    for sink in ["mqtt", "nats", "redis"] {
        let told = |line: &&str| line.contains("not all is delivered") && line.contains(&format!("sink={sink}"));
        assert!(log.lines().any(|line| told(&line)), "{sink}: {log}");
    }
    let drained = log.lines().find(|line| line.contains(" drained ")).unwrap();
    assert!(drained.contains("lost=0") && !drained.contains("waiting=0") && !log.contains("events lost"), "{drained}");

    // It starts without them, too.
    let mut daemon = world.start();
    assert!(world.flows(SOME), "{}", daemon.log());
    world.mosquitto.run();
    world.nats.start();
    world.redis.start();
    for sink in ["mqtt", "nats", "redis"] {
        assert!(wait_for(SOON, || metric(&daemon, "sink_waiting", sink) < 10.0), "{sink}: {}", daemon.log());
    }
    drain(&mut daemon);
    let report = all_is_there(&world);
    println!("brokers down: {} events, repeated {:?}", report.events, report.repeated);
    assert!(report.events > 60 && report.lost == 0, "{} events", report.events);
}

#[test]
fn brokers_that_stand_still_hold_up_nobody_and_get_everything_when_they_go_on() {
    let Some(world) = World::new(&Settings { drain_s: 4, ..Settings::default() }) else { return };
    let mut daemon = world.start();
    assert!(world.flows(SOME), "{}", daemon.log());
    world.freeze();
    let posts = world.posts();
    std::thread::sleep(Duration::from_secs(6));
    assert!(world.flows(SOME) && world.posts() > posts + 2, "{}", daemon.log());
    for sink in ["mqtt", "nats", "redis"] {
        assert!(metric(&daemon, "sink_waiting", sink) >= 20.0, "{sink}: {}", daemon.log());
    }
    world.thaw();
    for sink in ["mqtt", "nats", "redis"] {
        assert!(wait_for(SOON, || metric(&daemon, "sink_waiting", sink) < 10.0), "{sink}: {}", daemon.log());
    }
    // Nor do they hold up the end.
    world.freeze();
    assert!(world.flows(SOME), "{}", daemon.log());
    let (code, took) = daemon.stop();
    assert_eq!(code, Some(0), "{}", daemon.log());
    assert!(took < Duration::from_secs(6), "{took:?}: {}", daemon.log());
    assert!(!daemon.log().contains("events lost"), "{}", daemon.log());
    world.thaw();
    let mut daemon = world.start();
    assert!(world.flows(SOME), "{}", daemon.log());
    for sink in ["mqtt", "nats", "redis"] {
        assert!(wait_for(SOON, || metric(&daemon, "sink_waiting", sink) < 10.0), "{sink}: {}", daemon.log());
    }
    drain(&mut daemon);
    let report = all_is_there(&world);
    println!("frozen brokers: {} events, repeated {:?}", report.events, report.repeated);
    assert_eq!(report.lost, 0);
}

#[test]
fn a_broker_with_a_certificate_of_somebody_else_gets_nothing_until_it_is_believed() {
    let (theirs, others) = (brokers::Certificates::new(&["127.0.0.1"]), brokers::Certificates::new(&["127.0.0.1"]));
    let port = mosquitto::free_port();
    let mut settings = Settings {
        mosquitto: format!(
            "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}",
            theirs.path("ca.pem").display(),
            theirs.path("server.pem").display(),
            theirs.path("server.key").display()
        ),
        tls: Some((port, others.path("ca.pem"))),
        ..Settings::default()
    };
    let Some(mut world) = World::new(&settings) else { return };
    let mut daemon = world.start();
    assert!(world.flows(2 * SOME), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(5));
    assert!(world.heard().is_empty());
    assert_eq!(metric(&daemon, "sink_delivered_total", "mqtt"), 0.0);
    assert!(metric(&daemon, "sink_waiting", "mqtt") >= 40.0);
    assert!(metric(&daemon, "sink_retries_total", "mqtt") >= 1.0);
    for sink in ["jsonl-events", "nats", "redis", "webhook"] {
        assert!(metric(&daemon, "sink_delivered_total", sink) >= 40.0, "{sink}: {}", daemon.log());
    }
    assert_eq!(daemon.stop().0, Some(0));
    let log = daemon.log();
    // The webhook has its own troubles.
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR") && !line.contains("webhook")).collect();
    assert!(errors.len() == 1 && errors[0].contains("mqtt") && errors[0].contains("certificate"), "{errors:#?}");

    settings.tls = Some((port, theirs.path("ca.pem")));
    world.configure(&settings);
    let mut daemon = world.start();
    assert!(wait_for(SOON, || metric(&daemon, "sink_waiting", "mqtt") < 10.0), "{}", daemon.log());
    drain(&mut daemon);
    assert_eq!(all_is_there(&world).lost, 0);
}

#[test]
fn a_full_disk_costs_nothing_while_it_runs_and_what_an_end_meanwhile_costs_is_told() {
    let Some(world) = World::new(&Settings { drain_s: 3, ..Settings::default() }) else { return };
    let Some(disk) = SmallDisk::mount(&world.state(), 24) else { return };
    // Nothing can begin there: the service manager is to try again.
    disk.fill();
    let mut daemon = world.start();
    let status = daemon.wait(SOON);
    assert_eq!(status.and_then(|status| status.code()), Some(75), "{}", daemon.log());
    assert!(daemon.log().contains("free disk space"), "{}", daemon.log());
    disk.make_room();

    let mut daemon = world.start();
    assert!(world.flows(SOME), "{}", daemon.log());
    disk.fill();
    assert!(daemon.says("they wait in memory", SOON), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(4));
    let before = world.written();
    disk.make_room();
    assert!(daemon.says("events are written again", SOON), "{}", daemon.log());
    assert!(wait_for(SOON, || world.written() >= before + SOME), "{}", daemon.log());
    assert_eq!(daemon.metric("watchkeeper_outbox_dropped_total"), Some(0.0));

    // An end that leaves no time to make room.
    disk.fill();
    let full = || daemon.log().matches("they wait in memory").count() == 2;
    assert!(wait_for(SOON, full), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(1));
    let (code, took) = daemon.stop();
    assert!(code.is_some_and(|code| code != 0) && took < Duration::from_secs(6), "{code:?} {took:?} {}", daemon.log());
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("events lost: not written before the end"));
    let lost: u64 = line.unwrap().split("events=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    assert!(lost >= 10, "{log}");
    disk.make_room();
    let daemon = world.start();
    assert!(world.flows(SOME), "{}", daemon.log());

    // Killed while it is full: nobody was told of what was in memory, and its numbers are free. What has begun once
    // begins again although the disk is full.
    disk.fill();
    assert!(daemon.says("they wait in memory", SOON), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(1));
    drop(daemon);
    let mut daemon = world.start();
    assert!(daemon.says("they wait in memory", SOON), "{}", daemon.log());
    std::thread::sleep(Duration::from_secs(1));
    disk.make_room();
    assert!(daemon.says("events are written again", SOON) && world.flows(SOME), "{}", daemon.log());
    drain(&mut daemon);
    let report = all_is_there(&world);
    println!("full disk: {} events, {lost} told as lost", report.events);
    assert_eq!(report.lost, lost, "told: {}; in the log: {lost}", report.lost);
    assert!(of_the_last_start(&world, "line.crossed") >= 10);
}
