//! What consumers of each dialect read. The shapes they expect are written here from the documented formats.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use watchkeeper::config::Dialect;
use watchkeeper::outbox::sinks::Stored;
use watchkeeper::outbox::sinks::dialects::{DEEPSTREAM_FRAME, Dialects, FRIGATE_FRAME, FRIGATE_MAX_TRACKS};
use watchkeeper::types::event::{Event, EventMedia, EventModel, EventTime, EventTrack, EventType, Phase};
use watchkeeper::types::time::{Clock, Timestamp};

const START: i64 = 1_795_194_517_214_000;

fn track(number: u64) -> EventTrack {
    EventTrack {
        id: format!("gate:3:{number}"),
        label: "person".to_owned(),
        score: 0.83,
        top_score: 0.91,
        median_score: 0.8,
        bbox: [0.41, 0.22, 0.47, 0.55],
        age_s: 0.5,
        zones: Vec::new(),
        stationary: false,
        keypoints: Some(vec![[0.4, 0.3, 0.9]]),
        mask: None,
        embedding: None,
    }
}

/// The event with this number, as the daemon writes it.
fn event(seq: u64, event_type: EventType, track: Option<EventTrack>) -> Event {
    let capture = Timestamp(START + i64::try_from(seq).unwrap() * 1_000_000);
    Event {
        schema: "event/1",
        event_id: format!("01JD5X0000000000000{seq:07}"),
        seq,
        device: "jetson-07".to_owned(),
        boot: "5f2c".to_owned(),
        event_type,
        phase: Phase::Instant,
        rule: if event_type == EventType::LineCrossed { "door".to_owned() } else { String::new() },
        camera: "gate".to_owned(),
        time: EventTime { capture, clock: Clock::Ntp, arrival: capture, emit: capture },
        track,
        data: serde_json::Map::new(),
        model: Some(EventModel { id: "detection".to_owned(), engine: "sha256:9c1".to_owned(), precision: None }),
        media: None,
    }
}

fn stored(event: &Event) -> Stored {
    Stored {
        seq: event.seq,
        id: event.event_id.clone(),
        event_type: event.event_type.name().to_owned(),
        camera: event.camera.clone(),
        body: serde_json::to_string(event).unwrap().into(),
    }
}

fn tell(dialects: &mut Dialects, event: &Event) -> Option<Value> {
    let mut out = Vec::new();
    dialects.render(&stored(event), &mut out);
    assert!(out.len() <= 1 && out.iter().all(|message| message.topic == "events"));
    out.pop().map(|message| serde_json::from_slice(&message.body).unwrap())
}

// ------------------------------------------------------------------------------------------------------- native

#[test]
fn native_is_the_event_byte_for_byte() {
    let mut dialects = Dialects::new(Dialect::Native);
    for event in [event(1, EventType::ObjectStart, Some(track(7))), event(2, EventType::CameraOffline, None)] {
        let (stored, mut out) = (stored(&event), Vec::new());
        dialects.render(&stored, &mut out);
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].body, stored.body.as_bytes());
    }
}

// --------------------------------------------------------------------------------------------------- DeepStream

#[test]
fn deepstream_has_the_fields_of_the_minimal_schema() {
    let mut dialects = Dialects::new(Dialect::Deepstream);
    let told = tell(&mut dialects, &event(184_233, EventType::LineCrossed, Some(track(8812)))).unwrap();
    let expected = json!({
        "version": "4.0",
        "id": "184233",
        "@timestamp": Timestamp(START + 184_233_000_000).to_string(),
        "sensorId": "gate",
        "objects": ["12884910700|787|238|902|594|person|#|line.crossed|door|0.83"],
    });
    assert_eq!(told, expected);
}

/// As readers of the minimal schema do it: by bars, with the part behind `#` as attributes and the score last.
#[test]
fn deepstream_objects_can_be_split_at_their_bars_whatever_the_label() {
    let mut dialects = Dialects::new(Dialect::Deepstream);
    let named = EventTrack { label: "a|b".to_owned(), bbox: [0.0, 0.0, 1.0, 1.0], ..track(8812) };
    let told = tell(&mut dialects, &event(1, EventType::ObjectStart, Some(named))).unwrap();
    let object = told["objects"][0].as_str().unwrap();
    let fields: Vec<&str> = object.split('|').collect();
    let edges: Vec<f64> = fields[1..5].iter().map(|edge| edge.parse().unwrap()).collect();
    assert_eq!(edges, [0.0, 0.0, f64::from(DEEPSTREAM_FRAME[0]), f64::from(DEEPSTREAM_FRAME[1])]);
    assert_eq!(fields[5..], ["a_b", "#", "object.start", "", "0.83"]);
    assert_eq!(fields[0].parse::<u64>().unwrap(), (3 << 32) + 8812);
}

// ------------------------------------------------------------------------------------------------------ Frigate

/// Key and kind of every field of `TrackedObject.to_dict` that Frigate 0.16 publishes.
const FIELDS: [(&str, &str); 31] = [
    ("id", "string"),
    ("camera", "string"),
    ("frame_time", "number"),
    ("snapshot", "object?"),
    ("label", "string"),
    ("sub_label", "null"),
    ("top_score", "number"),
    ("false_positive", "bool"),
    ("start_time", "number"),
    ("end_time", "number?"),
    ("score", "number"),
    ("box", "array"),
    ("area", "integer"),
    ("ratio", "number"),
    ("region", "array"),
    ("active", "bool"),
    ("stationary", "bool"),
    ("motionless_count", "integer"),
    ("position_changes", "integer"),
    ("current_zones", "array"),
    ("entered_zones", "array"),
    ("has_clip", "bool"),
    ("has_snapshot", "bool"),
    ("attributes", "object?"),
    ("current_attributes", "array"),
    ("pending_loitering", "bool"),
    ("current_estimated_speed", "number"),
    ("average_estimated_speed", "number"),
    ("velocity_angle", "number"),
    ("path_data", "array"),
    ("recognized_license_plate", "null"),
];

fn is_of_kind(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "number?" => value.is_number() || value.is_null(),
        "bool" => value.is_boolean(),
        "array" => value.is_array(),
        "object?" => value.is_object() || value.is_null(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    }
}

fn assert_is_frigates(told: &Value) {
    assert!(["new", "update", "end"].contains(&told["type"].as_str().unwrap()));
    for side in ["before", "after"] {
        for (key, kind) in FIELDS {
            let value = told[side].get(key).unwrap_or_else(|| panic!("{side}.{key} is missing"));
            assert!(is_of_kind(value, kind), "{side}.{key} is {value}, not {kind}");
        }
        if let Some(snapshot) = told[side]["snapshot"].as_object() {
            for key in ["frame_time", "box", "area", "region", "score", "attributes"] {
                assert!(snapshot.contains_key(key), "{side}.snapshot.{key}");
            }
        }
    }
}

#[test]
fn frigate_tells_a_track_as_new_updates_and_end() {
    let mut dialects = Dialects::new(Dialect::Frigate);
    let zones = |zones: &[&str]| zones.iter().map(|&zone| zone.to_owned()).collect::<Vec<_>>();
    let told: Vec<Value> = [
        event(1, EventType::ObjectStart, Some(track(7))),
        event(2, EventType::ZoneEnter, Some(EventTrack { zones: zones(&["yard"]), ..track(7) })),
        event(3, EventType::ZoneEnter, Some(EventTrack { zones: zones(&["steps", "yard"]), ..track(7) })),
        event(4, EventType::ZoneExit, Some(EventTrack { zones: zones(&["steps"]), stationary: true, ..track(7) })),
        event(5, EventType::LineCrossed, Some(EventTrack { zones: zones(&["steps"]), score: 0.95, ..track(7) })),
        event(6, EventType::ObjectEnd, Some(track(7))),
    ]
    .iter()
    .map(|event| tell(&mut dialects, event).unwrap())
    .collect();
    told.iter().for_each(assert_is_frigates);
    let each = |pointer: &str| told.iter().map(|told| told.pointer(pointer).unwrap().clone()).collect::<Value>();
    assert_eq!(each("/type"), json!(["new", "update", "update", "update", "update", "end"]));
    let current = json!([[], ["yard"], ["steps", "yard"], ["steps"], ["steps"], ["steps"]]);
    assert_eq!(each("/after/current_zones"), current);
    assert_eq!(each("/after/entered_zones")[5], json!(["yard", "steps"]));
    assert_eq!(each("/after/position_changes"), json!([1, 1, 1, 1, 2, 2]));
    assert_eq!(each("/after/motionless_count"), json!([0, 0, 0, 51, 0, 0]));
    assert_eq!(each("/after/snapshot/score"), json!([0.83, 0.83, 0.83, 0.83, 0.95, 0.95]));
    // What was told last is what was before.
    for pair in told.windows(2) {
        assert_eq!(pair[1]["before"], pair[0]["after"]);
    }
    let ids = each("/after/id");
    assert!(ids.as_array().unwrap().iter().all(|id| *id == ids[0]));
}

#[test]
fn frigate_tells_places_and_times_in_pixels_and_seconds() {
    let mut dialects = Dialects::new(Dialect::Frigate);
    let start = event(1, EventType::ObjectStart, Some(track(7)));
    let told = tell(&mut dialects, &start).unwrap();
    let after = &told["after"];
    assert_eq!(FRIGATE_FRAME, [1280, 720]);
    assert_eq!(after["box"], json!([525, 158, 602, 396]));
    assert_eq!(after["area"], json!(77 * 238));
    assert_eq!(after["ratio"], json!(0.323529));
    assert_eq!(after["region"], json!([0, 0, 1280, 720]));
    assert_eq!(after["frame_time"], json!(1_795_194_518.214));
    assert_eq!(after["start_time"], json!(1_795_194_517.714));
    assert_eq!(after["end_time"], Value::Null);
    assert_eq!(told["before"]["false_positive"], json!(true));
    assert_eq!(told["before"]["snapshot"], Value::Null);
    assert_eq!(after["false_positive"], json!(false));
    let end = tell(&mut dialects, &event(9, EventType::ObjectEnd, Some(track(7)))).unwrap();
    assert_eq!(end["after"]["end_time"], json!(1_795_194_526.214));
    // Not that of the end less the age that is told there.
    assert_eq!(end["after"]["start_time"], json!(1_795_194_517.714));
}

#[test]
fn frigate_tells_of_pictures_for_as_long_as_the_track_lives() {
    let mut dialects = Dialects::new(Dialect::Frigate);
    let media = EventMedia { snapshot: true, clip: true, ..EventMedia::default() };
    let with = Event { media: Some(media.into()), ..event(1, EventType::ObjectStart, Some(track(7))) };
    let told = tell(&mut dialects, &with).unwrap();
    assert_eq!([&told["before"]["has_snapshot"], &told["after"]["has_snapshot"]], [&json!(false), &json!(true)]);
    let told = tell(&mut dialects, &event(2, EventType::ObjectEnd, Some(track(7)))).unwrap();
    assert_eq!([&told["after"]["has_clip"], &told["after"]["has_snapshot"]], [&json!(true), &json!(true)]);
}

#[test]
fn frigate_tells_the_speed_that_was_told() {
    let mut dialects = Dialects::new(Dialect::Frigate);
    let mut speeding = event(2, EventType::ObjectSpeeding, Some(track(7)));
    speeding.data.insert("kmh".to_owned(), json!(52.4));
    let start = event(1, EventType::ObjectStart, Some(track(7)));
    let end = event(3, EventType::ObjectEnd, Some(track(7)));
    let told = [&start, &speeding, &end].map(|event| tell(&mut dialects, event).unwrap());
    let speeds =
        told.map(|told| ["current", "average"].map(|key| told["after"][format!("{key}_estimated_speed")].clone()));
    assert_eq!(json!(speeds), json!([[0.0, 0.0], [52.4, 52.4], [0.0, 52.4]]));
}

#[test]
fn frigate_ids_are_the_same_after_a_restart_and_different_in_another_boot() {
    let start = event(1, EventType::ObjectStart, Some(track(8812)));
    let end = event(2, EventType::ObjectEnd, Some(track(8812)));
    let first = tell(&mut Dialects::new(Dialect::Frigate), &start).unwrap();
    let again = tell(&mut Dialects::new(Dialect::Frigate), &end).unwrap();
    assert_eq!(first["after"]["id"], again["after"]["id"]);
    assert_is_frigates(&again);
    assert_eq!([&again["type"], &again["before"]], [&json!("end"), &again["after"]]);
    let id = first["after"]["id"].as_str().unwrap();
    // As Frigate's: a number, a dash, letters and digits; safe in a path.
    let (number, letters) = id.split_once('-').unwrap();
    assert_eq!(number, "3.008812");
    assert!(letters.len() == 12 && letters.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{id}");
    for other in [Event { boot: "5f2d".to_owned(), ..start.clone() }, Event { device: "x".to_owned(), ..start.clone() }]
    {
        let other = tell(&mut Dialects::new(Dialect::Frigate), &other).unwrap();
        assert_ne!(other["after"]["id"], id);
        assert!(other["after"]["id"].as_str().unwrap().starts_with("3.008812-"));
    }
}

/// A delivery that failed is tried again from its first event on.
#[test]
fn frigate_tells_the_same_bytes_when_events_come_again() {
    let mut dialects = Dialects::new(Dialect::Frigate);
    let events = [
        event(1, EventType::ObjectStart, Some(track(7))),
        event(2, EventType::ZoneEnter, Some(EventTrack { zones: vec!["yard".to_owned()], ..track(7) })),
        event(3, EventType::CameraOffline, None),
        event(4, EventType::ObjectEnd, Some(track(7))),
        event(5, EventType::ZoneExit, Some(track(7))),
    ];
    let mut from = |at: usize| {
        let mut out = Vec::new();
        events[at..].iter().for_each(|event| dialects.render(&stored(event), &mut out));
        out
    };
    let first = from(0);
    assert_eq!(first.len(), 3, "the camera's event has no form, and after its end a track is not told");
    assert_eq!([from(4), from(3), from(1), from(0)], [&first[3..], &first[2..], &first[1..], &first[..]]);
}

#[test]
fn frigate_begins_anew_when_the_cursor_is_set_far_back() {
    let mut dialects = Dialects::new(Dialect::Frigate);
    tell(&mut dialects, &event(100, EventType::ObjectEnd, Some(track(7)))).unwrap();
    let told = tell(&mut dialects, &event(2, EventType::ZoneEnter, Some(track(7)))).unwrap();
    assert_eq!(told["type"], "update");
    assert_eq!(told["before"], told["after"]);
}

#[test]
fn frigate_remembers_a_bounded_number_of_tracks_and_the_latest_of_them() {
    let mut dialects = Dialects::new(Dialect::Frigate);
    let many = u64::try_from(FRIGATE_MAX_TRACKS).unwrap() * 2;
    for number in 0..many {
        tell(&mut dialects, &event(number, EventType::ObjectStart, Some(track(number)))).unwrap();
    }
    let zone = |number| EventTrack { zones: vec!["yard".to_owned()], ..track(number) };
    let late = tell(&mut dialects, &event(many, EventType::ZoneEnter, Some(zone(many - 1)))).unwrap();
    assert_eq!(late["before"]["current_zones"], json!([]));
    let early = tell(&mut dialects, &event(many + 1, EventType::ZoneEnter, Some(zone(0)))).unwrap();
    assert_eq!(early["before"], early["after"], "it is forgotten");
}

// ---------------------------------------------------------------------------------------------------------- all

#[test]
fn events_without_a_track_have_no_form_in_other_dialects() {
    for dialect in [Dialect::Frigate, Dialect::Deepstream] {
        let mut dialects = Dialects::new(dialect);
        assert_eq!(tell(&mut dialects, &event(1, EventType::CameraOffline, None)), None);
        assert_eq!(tell(&mut dialects, &event(2, EventType::CrowdStart, None)), None);
        let broken = Stored { body: "{".into(), ..stored(&event(3, EventType::ObjectStart, Some(track(1)))) };
        let mut out = Vec::new();
        dialects.render(&broken, &mut out);
        assert_eq!(out, []);
    }
}
