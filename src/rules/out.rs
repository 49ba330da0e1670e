//! From what a rule saw to an event.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::gate::{Answer, Gate};
use super::succession::Heir;
use super::{Firing, Model};
use crate::config;
use crate::types::event::{EventDraft, EventTrack, EventType, Phase};
use crate::types::observation::{Observation, SCORE_UNIT, Seen};
use crate::types::time::{CaptureTime, Clock, Timestamp};

/// Where rules put what fires.
pub(super) struct Out {
    camera: String,
    zones: Vec<String>,
    model: Arc<Model>,
    run: u32,
    now: CaptureTime,
    arrival: Timestamp,
    media_time: Duration,
    pub(super) fired: Vec<Firing>,
    /// By rule: what `max_per_hour` held back so far.
    pub(super) held_back: Vec<(String, u64)>,
}

impl Out {
    pub(super) fn new(camera: &config::Camera) -> Self {
        Self {
            camera: camera.id.clone(),
            zones: camera.zones.iter().map(|zone| zone.common.id.clone()).collect(),
            model: Arc::new(Model::default()),
            run: 0,
            now: CaptureTime { time: Timestamp(0), clock: Clock::Free },
            arrival: Timestamp(0),
            media_time: Duration::ZERO,
            fired: Vec::new(),
            held_back: Vec::new(),
        }
    }

    pub(super) fn heed(&mut self, model: &Arc<Model>) {
        self.model = Arc::clone(model);
    }

    pub(super) fn at(&mut self, seen: &Observation) {
        (self.run, self.now, self.arrival) = (seen.track_run, seen.capture, seen.arrival);
        self.media_time = seen.media_time;
    }

    pub(super) fn at_the_end(&mut self, capture: CaptureTime, arrival: Timestamp) {
        (self.now, self.arrival) = (capture, arrival);
    }

    /// When the frame was taken.
    pub(super) fn now(&self) -> Timestamp {
        self.now.time
    }

    /// May the rule fire now about a track (by number; 0: the place; `None`: cool-downs do not matter)? Where the
    /// answer is [`Answer::Open`] it must be [told](Self::tell); what is held back is counted.
    pub(super) fn asks(&mut self, gate: &mut Gate, about: Option<u64>) -> Answer {
        let about = about.map(|number| self.whom(number));
        let answer = gate.opens(about, self.now, self.media_time);
        if answer == Answer::HeldBack {
            let id = &gate.common().id;
            match self.held_back.iter_mut().find(|(rule, _)| rule == id) {
                Some((_, count)) => *count += 1,
                None => self.held_back.push((id.clone(), 1)),
            }
        }
        answer
    }

    /// A track's number as gates know it: numbers begin anew with each run. 0: the place.
    fn whom(&self, number: u64) -> u64 {
        if number == 0 { 0 } else { (u64::from(self.run) << 40) ^ number }
    }

    /// The cool-downs of tracks that were lost are their heirs' now.
    pub(super) fn hand_over(&self, gate: &mut Gate, heirs: &[Heir]) {
        for heir in heirs {
            gate.hand_over(self.whom(heir.of), self.whom(heir.number));
        }
    }

    /// When the frame was taken, with its clock.
    pub(super) fn capture(&self) -> CaptureTime {
        self.now
    }

    /// Fires whatever the gate says: the end of what was told to have begun.
    pub(super) fn tell(
        &mut self,
        gate: &Gate,
        event_type: EventType,
        phase: Phase,
        track: Option<&Seen>,
        data: Map<String, Value>,
    ) {
        let common = gate.common();
        self.fired.push(Firing {
            track: track.map(|track| track.number),
            shadow: common.shadow,
            draft: EventDraft {
                event_type,
                phase,
                rule: common.id.clone(),
                camera: self.camera.clone(),
                capture: self.now.time,
                clock: self.now.clock,
                arrival: self.arrival,
                track: track.map(|track| self.track(track)),
                data,
                model: track.and(self.model.event.clone()),
                media: None,
            },
        });
    }

    /// A track's name in events.
    pub(super) fn track_id(&self, number: u64) -> String {
        format!("{}:{}:{number}", self.camera, self.run)
    }

    /// A track as it stands in events.
    fn track(&self, track: &Seen) -> EventTrack {
        let bbox = track.bbox();
        let score = |fixed: u16| f32::from(fixed) / SCORE_UNIT;
        EventTrack {
            id: self.track_id(track.number),
            label: self.model.labels.get(usize::from(track.class)).cloned().unwrap_or_default(),
            score: score(track.score),
            top_score: score(track.top_score),
            median_score: score(track.median_score),
            bbox: [bbox.x1, bbox.y1, bbox.x2, bbox.y2].map(|edge| (edge.clamp(0.0, 1.0) * 1e4).round() / 1e4),
            age_s: seconds(self.media_time.saturating_sub(track.first_seen)),
            zones: Vec::new(),
            stationary: track.stationary,
            keypoints: None,
            mask: None,
            embedding: None,
        }
    }

    /// Writes into what fired in this frame which zones its tracks are in.
    pub(super) fn tell_zones(&mut self, seen: &Observation, inside: &[u64]) {
        let Self { fired, zones, .. } = self;
        for Firing { draft, track, .. } in fired {
            let Some(told) = &mut draft.track else { continue };
            let at = seen.tracks.iter().position(|seen| Some(seen.number) == *track);
            let Some(bits) = at.and_then(|at| inside.get(at)) else { continue };
            let there = zones.iter().take(64).enumerate().filter(|(zone, _)| bits >> zone & 1 == 1);
            told.zones = there.map(|(_, id)| id.clone()).collect();
        }
    }
}

/// Seconds as they stand in events.
pub(super) fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}
