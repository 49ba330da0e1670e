//! Who is probably the same on several cameras, through the daemon: told as events, kept over a restart, deleted when
//! it is switched off.

#![allow(clippy::unwrap_used)]

#[path = "support/street.rs"]
mod recorded;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use recorded::{SEED, Street};
use serde_json::Value;
use support::daemon::{Daemon, camera_section};
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(60);
const CAMERAS: [&str; 2] = ["plaza-1", "plaza-2"];

/// Two cameras that look at one plaza, played again and again at their own pace.
fn configure(street: &Street, identity: &str) -> PathBuf {
    street.config(&[("detection", ""), ("reid", "run_on = \"stale\"\nstale_s = 0.5")]);
    let path = street.path("config.toml");
    let mut text = fs::read_to_string(&path).unwrap();
    text += "[http]\nlisten = \"127.0.0.1:0\"\n[[sinks]]\ntype = \"jsonl\"\npath = \"events.jsonl\"\n";
    text += identity;
    for camera in CAMERAS {
        let video = street.path(&format!("street/seed-{SEED:06}/{camera}/video.mp4"));
        text += &camera_section(camera, video.to_str().unwrap(), "repeat = true\n");
    }
    fs::write(&path, text).unwrap();
    path
}

fn of_identities(daemon: &Daemon) -> Vec<Value> {
    let mut events = daemon.events();
    events.retain(|event| event["type"].as_str().unwrap().starts_with("identity."));
    events
}

/// Numbers of identities in events.
fn numbers(events: &[Value]) -> BTreeSet<u64> {
    events
        .iter()
        .flat_map(|event| [&event["data"]["identity"], &event["data"]["gone"]])
        .filter_map(Value::as_u64)
        .collect()
}

fn stop(mut daemon: Daemon) {
    assert_eq!(daemon.stop().0, Some(0), "{}", daemon.log());
}

#[test]
fn the_same_person_on_two_cameras_is_told_kept_and_forgotten() {
    let street = Street::new(60, 2);
    let stored = street.path("state/identities.bin");

    let config = configure(&street, "[identity]\n");
    let daemon = Daemon::start(&config);
    assert!(daemon.says(" ready ", LIMIT), "{}", daemon.log());
    let across = |event: &Value| {
        let with = event["data"]["with"].as_str().unwrap_or_default();
        let tracks =
            event["data"]["tracks"].as_array().cloned().unwrap_or_else(|| vec![event["data"]["track"].clone()]);
        let camera = |id: &str| id.split(':').next().unwrap().to_owned();
        !with.is_empty() && tracks.iter().any(|track| camera(track.as_str().unwrap()) != camera(with))
    };
    assert!(wait_for(LIMIT, || of_identities(&daemon).iter().any(across)), "{}", daemon.log());
    let metric = |name: &str| daemon.metric(&format!("watchkeeper_{name}")).unwrap();
    assert!(metric("identities") >= 1.0 && metric("identity_embeddings") >= 2.0);
    stop(daemon);
    let first = support::daemon::read_events(&street.path("events.jsonl"));
    let seqs: Vec<u64> = first.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
    let told: Vec<Value> = first.into_iter().filter(|event| event["type"] == "identity.probable_same").collect();
    for event in &told {
        let data = &event["data"];
        assert!((0.0..=1.0).contains(&data["score"].as_f64().unwrap()), "{event}");
        for reason in ["likeness", "gap_s", "path", "looks"] {
            assert!(!data["reasons"][reason].is_null(), "no {reason}: {event}");
        }
    }
    assert_eq!(fs::metadata(&stored).unwrap().permissions().mode() & 0o777, 0o600, "nobody else reads it");

    // What was known is known after a restart, and no number is given twice.
    fs::remove_file(street.path("events.jsonl")).unwrap();
    let daemon = Daemon::start(&config);
    assert!(daemon.says("identities restored", LIMIT), "{}", daemon.log());
    let old = numbers(&told);
    let again = || of_identities(&daemon).iter().any(|event| numbers(std::slice::from_ref(event)).is_subset(&old));
    assert!(wait_for(LIMIT, again), "nobody is known any more: {old:?}, {:?}", of_identities(&daemon));
    stop(daemon);

    // A file that is damaged is not believed, and the daemon starts all the same.
    let mut bytes = fs::read(&stored).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(&stored, &bytes).unwrap();
    let daemon = Daemon::start(&config);
    assert!(daemon.says("identities begin anew", LIMIT), "{}", daemon.log());
    assert!(daemon.says(" ready ", LIMIT), "{}", daemon.log());
    stop(daemon);

    // Switched off, nothing is left.
    assert!(stored.is_file());
    let config = configure(&street, "");
    let daemon = Daemon::start(&config);
    assert!(daemon.says("identities are switched off", LIMIT), "{}", daemon.log());
    assert!(daemon.says(" ready ", LIMIT), "{}", daemon.log());
    assert!(!stored.exists());
    stop(daemon);
}

#[test]
fn where_no_path_leads_nobody_is_the_same() {
    let street = Street::new(60, 2);
    // The only way takes longer than this test.
    let config = configure(
        &street,
        "[identity]\n[[identity.paths]]\nfrom = \"plaza-1\"\nto = \"plaza-2\"\nmin_s = 600\nmax_s = 900\n",
    );
    let daemon = Daemon::start(&config);
    assert!(daemon.says(" ready ", LIMIT), "{}", daemon.log());
    let seen = |daemon: &Daemon| daemon.metric("watchkeeper_identity_sightings_total").unwrap_or_default() >= 200.0;
    assert!(wait_for(LIMIT, || seen(&daemon)), "{}", daemon.log());
    for event in of_identities(&daemon) {
        let cameras: BTreeSet<&str> = [&event["data"]["with"], &event["data"]["track"]]
            .into_iter()
            .chain(event["data"]["tracks"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .map(|id| id.split(':').next().unwrap())
            .collect();
        assert!(cameras.len() <= 1, "nobody can be on both: {event}");
    }
    stop(daemon);
}
