//! Frames in few bytes: what differs from the frame before, and of a track from where it was in that one.
//!
//! All differences wrap around, so that every value comes back, however wild.

use std::time::Duration;

use super::Damaged;
use super::bytes::{Bytes, put, put_signed};
use crate::types::observation::{Observation, Posture, SceneStats, Seen};
use crate::types::time::{CaptureTime, Clock, Timestamp};
use crate::types::track::EndReason;

/// Bits of a frame's first byte.
mod has {
    /// Run, size and clock are not those of the frame before.
    pub(super) const CONTEXT: u8 = 1;
    /// Its number is not the next one.
    pub(super) const SEQ: u8 = 2;
    /// Other tracks than in the frame before, or in another order.
    pub(super) const LIST: u8 = 4;
    pub(super) const ENDED: u8 = 8;
    pub(super) const SCENE: u8 = 16;
}

/// Bits of a track's first byte.
mod track {
    pub(super) const COASTED: u8 = 1;
    pub(super) const STATIONARY: u8 = 2;
    pub(super) const POSTURE: u8 = 4;
    /// Class and first sight are not what they were.
    pub(super) const WHO: u8 = 8;
    pub(super) const BOX: u8 = 16;
    pub(super) const SCORE: u8 = 32;
    pub(super) const TOP: u8 = 64;
    pub(super) const MEDIAN: u8 = 128;
}

/// Codes frames one after the other, or reads them; begins anew with each block.
#[derive(Debug)]
pub(super) struct FrameCoder {
    last: Observation,
    /// Between the last two frames, media time, microseconds.
    step: i64,
    /// The track that was new last.
    newest: u64,
}

impl Default for FrameCoder {
    fn default() -> Self {
        Self { last: Observation::with_capacity(64), step: 0, newest: 0 }
    }
}

impl FrameCoder {
    /// The next frame is the first.
    pub(super) fn restart(&mut self) {
        let mut tracks = std::mem::take(&mut self.last.tracks);
        tracks.clear();
        *self = Self { last: Observation { tracks, ..Observation::with_capacity(0) }, step: 0, newest: 0 };
    }

    /// Appends a frame.
    pub(super) fn encode(&mut self, frame: &Observation, out: &mut Vec<u8>) {
        let last = &self.last;
        let same_context = frame.run == last.run
            && frame.track_run == last.track_run
            && frame.size == last.size
            && frame.capture.clock == last.capture.clock;
        let same_list = frame.tracks.len() == last.tracks.len()
            && frame.tracks.iter().zip(&last.tracks).all(|(now, then)| now.number == then.number);
        let next = frame.seq == last.seq.wrapping_add(1);
        out.push(
            bit(has::CONTEXT, !same_context)
                | bit(has::SEQ, !next)
                | bit(has::LIST, !same_list)
                | bit(has::ENDED, !frame.ended.is_empty())
                | bit(has::SCENE, frame.scene.is_some()),
        );
        if !same_context {
            let (width, height) = frame.size;
            [frame.run, frame.track_run, width, height].into_iter().for_each(|value| put(out, u64::from(value)));
            out.push(frame.capture.clock as u8);
        }
        if !next {
            put_signed(out, frame.seq.wrapping_sub(last.seq) as i64);
        }
        let media = micros(frame.media_time);
        let step = media.wrapping_sub(micros(last.media_time)) as i64;
        let captured = frame.capture.time.0.wrapping_sub(last.capture.time.0);
        let arrived = frame.arrival.0.wrapping_sub(last.arrival.0);
        put_signed(out, step.wrapping_sub(self.step));
        put_signed(out, captured.wrapping_sub(step));
        put_signed(out, arrived.wrapping_sub(captured));
        self.step = step;
        if same_list {
            frame.tracks.iter().zip(&last.tracks).for_each(|(now, then)| put_track(now, then, out));
        } else {
            self.put_list(frame, out);
        }
        if !frame.ended.is_empty() {
            put(out, frame.ended.len() as u64);
            for (number, reason) in &frame.ended {
                put_signed(out, number.wrapping_sub(self.newest) as i64);
                out.push(end_code(*reason));
            }
        }
        if let Some(scene) = &frame.scene {
            scene_values(scene).iter().for_each(|value| out.extend_from_slice(&value.to_bits().to_le_bytes()));
        }
        self.remember(frame);
    }

    /// How many, then of each how many tracks of the frame before to go on by (from 1), or 0 for a new one.
    fn put_list(&mut self, frame: &Observation, out: &mut Vec<u8>) {
        put(out, frame.tracks.len() as u64);
        let mut at = 0;
        for now in &frame.tracks {
            let (before, after) = self.last.tracks.split_at(at);
            let is_it = |then: &Seen| then.number == now.number;
            let found = after.iter().position(is_it).or_else(|| Some(before.iter().position(is_it)? + after.len()));
            match found {
                Some(ahead) => {
                    put(out, ahead as u64 + 1);
                    let place = (at + ahead) % self.last.tracks.len();
                    put_track(now, &self.last.tracks[place], out);
                    at = place + 1;
                }
                None => {
                    put(out, 0);
                    put_signed(out, now.number.wrapping_sub(self.newest) as i64);
                    self.newest = now.number;
                    put_track(now, &unknown(now.number, frame.media_time), out);
                }
            }
        }
    }

    fn remember(&mut self, frame: &Observation) {
        let tracks = std::mem::take(&mut self.last.tracks);
        self.last = Observation { tracks, ended: Vec::new(), scene: None, ..*frame };
        self.last.tracks.clear();
        self.last.tracks.extend_from_slice(&frame.tracks);
    }

    /// Reads a frame into `frame`.
    pub(super) fn decode(&mut self, bytes: &mut Bytes<'_>, frame: &mut Observation) -> Result<(), Damaged> {
        let flags = bytes.byte()?;
        let is = |flag: u8| flags & flag != 0;
        let last = &self.last;
        (frame.run, frame.track_run, frame.size) = (last.run, last.track_run, last.size);
        frame.capture.clock = last.capture.clock;
        if is(has::CONTEXT) {
            (frame.run, frame.track_run) = (bytes.number()?, bytes.number()?);
            frame.size = (bytes.number()?, bytes.number()?);
            frame.capture.clock = clock(bytes.byte()?)?;
        }
        let ahead = if is(has::SEQ) { bytes.signed()? } else { 1 };
        frame.seq = last.seq.wrapping_add(ahead as u64);
        let step = self.step.wrapping_add(bytes.signed()?);
        let captured = step.wrapping_add(bytes.signed()?);
        let arrived = captured.wrapping_add(bytes.signed()?);
        frame.media_time = Duration::from_micros(micros(last.media_time).wrapping_add(step as u64));
        frame.capture.time = Timestamp(last.capture.time.0.wrapping_add(captured));
        frame.arrival = Timestamp(last.arrival.0.wrapping_add(arrived));
        self.step = step;
        frame.tracks.clear();
        if is(has::LIST) {
            self.take_list(bytes, frame)?;
        } else {
            for then in &self.last.tracks {
                frame.tracks.push(take_track(bytes, then)?);
            }
        }
        frame.ended.clear();
        if is(has::ENDED) {
            for _ in 0..bytes.unsigned()? {
                let number = self.newest.wrapping_add(bytes.signed()? as u64);
                frame.ended.push((number, end_reason(bytes.byte()?)?));
            }
        }
        frame.scene = if is(has::SCENE) { Some(take_scene(bytes)?) } else { None };
        self.remember(frame);
        Ok(())
    }

    fn take_list(&mut self, bytes: &mut Bytes<'_>, frame: &mut Observation) -> Result<(), Damaged> {
        let mut at = 0_usize;
        for _ in 0..bytes.unsigned()? {
            let seen = match bytes.number::<usize>()? {
                0 => {
                    self.newest = self.newest.wrapping_add(bytes.signed()? as u64);
                    take_track(bytes, &unknown(self.newest, frame.media_time))?
                }
                ahead => {
                    let tracks = &self.last.tracks;
                    let place = at.checked_add(ahead - 1).and_then(|place| place.checked_rem(tracks.len()));
                    let place = place.ok_or(Damaged)?;
                    at = place + 1;
                    take_track(bytes, &tracks[place])?
                }
            };
            frame.tracks.push(seen);
        }
        Ok(())
    }
}

fn bit(bit: u8, set: bool) -> u8 {
    if set { bit } else { 0 }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What a new track is told apart from.
fn unknown(number: u64, first_seen: Duration) -> Seen {
    Seen {
        number,
        class: 0,
        bbox: [0; 4],
        score: 0,
        top_score: 0,
        median_score: 0,
        first_seen,
        coasted: false,
        stationary: false,
        posture: None,
    }
}

fn put_track(now: &Seen, then: &Seen, out: &mut Vec<u8>) {
    let who = now.class != then.class || now.first_seen != then.first_seen;
    out.push(
        bit(track::COASTED, now.coasted)
            | bit(track::STATIONARY, now.stationary)
            | bit(track::POSTURE, now.posture.is_some())
            | bit(track::WHO, who)
            | bit(track::BOX, now.bbox != then.bbox)
            | bit(track::SCORE, now.score != then.score)
            | bit(track::TOP, now.top_score != then.top_score)
            | bit(track::MEDIAN, now.median_score != then.median_score),
    );
    if who {
        put(out, u64::from(now.class));
        put_signed(out, micros(now.first_seen).wrapping_sub(micros(then.first_seen)) as i64);
    }
    if now.bbox != then.bbox {
        // A box that moves moves as a whole: its far edges are told by how its size changes.
        let [x1, y1, x2, y2] = std::array::from_fn(|at| i64::from(now.bbox[at]) - i64::from(then.bbox[at]));
        [x1, y1, x2 - x1, y2 - y1].into_iter().for_each(|change| put_signed(out, change));
    }
    for (now, then) in [(now.score, then.score), (now.top_score, then.top_score), (now.median_score, then.median_score)]
    {
        if now != then {
            put_signed(out, i64::from(now) - i64::from(then));
        }
    }
    if let Some(posture) = now.posture {
        out.extend([posture.trunk_deg, posture.aspect_16]);
    }
}

fn take_track(bytes: &mut Bytes<'_>, then: &Seen) -> Result<Seen, Damaged> {
    let flags = bytes.byte()?;
    let is = |flag: u8| flags & flag != 0;
    let mut now = Seen { coasted: is(track::COASTED), stationary: is(track::STATIONARY), posture: None, ..*then };
    if is(track::WHO) {
        now.class = bytes.number()?;
        now.first_seen = Duration::from_micros(micros(then.first_seen).wrapping_add(bytes.signed()? as u64));
    }
    if is(track::BOX) {
        let (x1, y1) = (bytes.signed()?, bytes.signed()?);
        let changes = [x1, y1, x1.wrapping_add(bytes.signed()?), y1.wrapping_add(bytes.signed()?)];
        for (edge, change) in now.bbox.iter_mut().zip(changes) {
            *edge = i16::try_from(i64::from(*edge).wrapping_add(change)).map_err(|_| Damaged)?;
        }
    }
    let scores =
        [(track::SCORE, &mut now.score), (track::TOP, &mut now.top_score), (track::MEDIAN, &mut now.median_score)];
    for (flag, score) in scores {
        if is(flag) {
            *score = u16::try_from(i64::from(*score).wrapping_add(bytes.signed()?)).map_err(|_| Damaged)?;
        }
    }
    if is(track::POSTURE) {
        let [trunk_deg, aspect_16] = bytes.array()?;
        now.posture = Some(Posture { trunk_deg, aspect_16 });
    }
    Ok(now)
}

/// When a frame was taken, in full: at a [`Reset`](crate::types::observation::Input::Reset).
pub(super) fn put_capture(capture: CaptureTime, out: &mut Vec<u8>) {
    out.push(capture.clock as u8);
    put_signed(out, capture.time.0);
}

pub(super) fn take_capture(bytes: &mut Bytes<'_>) -> Result<CaptureTime, Damaged> {
    let clock = clock(bytes.byte()?)?;
    Ok(CaptureTime { clock, time: Timestamp(bytes.signed()?) })
}

fn clock(code: u8) -> Result<Clock, Damaged> {
    let all = [Clock::Ntp, Clock::Arrival, Clock::Free];
    all.into_iter().find(|clock| *clock as u8 == code).ok_or(Damaged)
}

const END_REASONS: [EndReason; 4] = [EndReason::Left, EndReason::NotSeen, EndReason::Duplicate, EndReason::Reset];

fn end_code(reason: EndReason) -> u8 {
    match reason {
        EndReason::Left => 0,
        EndReason::NotSeen => 1,
        EndReason::Duplicate => 2,
        EndReason::Reset => 3,
    }
}

fn end_reason(code: u8) -> Result<EndReason, Damaged> {
    END_REASONS.get(usize::from(code)).copied().ok_or(Damaged)
}

fn scene_values(scene: &SceneStats) -> [f32; 7] {
    // Taken apart by name, so that a new field cannot be forgotten.
    let SceneStats { mean, deviation, difference, sharpness, likeness, covered, clock_skew_s } = *scene;
    [mean, deviation, difference, sharpness, likeness, covered, clock_skew_s]
}

fn take_scene(bytes: &mut Bytes<'_>) -> Result<SceneStats, Damaged> {
    let mut value = || bytes.array().map(|bits| f32::from_bits(u32::from_le_bytes(bits)));
    Ok(SceneStats {
        mean: value()?,
        deviation: value()?,
        difference: value()?,
        sharpness: value()?,
        likeness: value()?,
        covered: value()?,
        clock_skew_s: value()?,
    })
}
