//! Plays a clip to one session, in real time, until the session ends.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::camera::Shared;
use crate::clip::Clip;
use crate::faults::{Event, Faults};
use crate::payload::payloads;
use crate::random::Random;
use crate::session::Session;
use crate::track::Track;

const REPORT_EVERY: f64 = 1.0;
const AUDIO_PACKET: f64 = 0.02;
const A_LAW_SILENCE: [u8; 160] = [0xd5; 160];

pub(crate) struct Stream {
    pub(crate) camera: Arc<Shared>,
    pub(crate) session: Arc<Session>,
    pub(crate) clip: Arc<Clip>,
    pub(crate) faults: Faults,
    pub(crate) video: Track,
    pub(crate) audio: Option<Track>,
}

/// When the next thing of each kind is due, in seconds after the start.
struct Due {
    picture: f64,
    report: f64,
    audio: f64,
}

impl Stream {
    /// Plays until the session ends, by a fault or by the client.
    pub(crate) fn run(mut self) {
        self.session.set_playing(true);
        let _ = self.play();
        self.session.set_playing(false);
    }

    fn play(&mut self) -> io::Result<()> {
        let mut random = Random::seeded(&self.session.target());
        let mut events = std::mem::take(&mut self.faults.events).into_iter().peekable();
        let mut next = if self.faults.mid_gop { mid_gop(&self.clip) } else { 0 };
        let mut due = Due { picture: 0.0, report: 0.0, audio: 0.0 };
        let mut time = 0.0;
        let start = Instant::now();

        while !self.session.ended() {
            let now = start.elapsed().as_secs_f64();
            while let Some((_, event)) = events.next_if(|(time, _)| *time <= now) {
                match event {
                    Event::Freeze => self.session.freeze(),
                    Event::Close => self.session.close(),
                    Event::Reset => self.session.reset(),
                    Event::Bye => return self.video.send_bye(),
                    Event::Garble => {
                        let noise: Vec<u8> = (0..5000).map(|_| random.next() as u8).collect();
                        self.video.send_raw(&noise)?;
                    }
                    Event::HalfFrame => return self.video.send_half_frame(),
                    Event::NewSource => self.video.become_new_source(&mut random),
                    Event::TimestampJump(seconds) => self.video.jump(seconds),
                    Event::Switch(name) => {
                        if let Some(clip) = self.camera.clip(&name) {
                            (self.clip, next) = (clip, 0);
                        }
                    }
                }
                if self.session.ended() {
                    return Ok(());
                }
            }
            let silent = self.faults.stalled(now);
            if now >= due.picture {
                let fps = self.faults.fps.unwrap_or(self.clip.fps);
                if !silent {
                    self.send_picture(next % self.clip.access_units.len(), time, &mut random)?;
                }
                next += 1;
                time += 1.0 / fps;
                due.picture = time + random.unit() * self.faults.jitter_ms / 1000.0;
            }
            while self.audio.is_some() && now >= due.audio {
                if let Some(audio) = self.audio.as_mut().filter(|_| !silent) {
                    audio.send(due.audio, false, &A_LAW_SILENCE, &Faults::default(), &mut random)?;
                }
                due.audio += AUDIO_PACKET;
            }
            if now >= due.report {
                if !silent && !self.faults.no_sender_reports {
                    for track in std::iter::once(&self.video).chain(&self.audio) {
                        track.send_report(start.elapsed().as_secs_f64(), self.faults.clock_skew)?;
                    }
                }
                due.report += REPORT_EVERY;
            }
            let audio = if self.audio.is_some() { due.audio } else { f64::INFINITY };
            let event = events.peek().map_or(f64::INFINITY, |(time, _)| *time);
            let until = due.picture.min(due.report).min(audio).min(event);
            self.session.sleep(Duration::from_secs_f64((until - start.elapsed().as_secs_f64()).max(0.0)));
        }
        Ok(())
    }

    fn send_picture(&mut self, index: usize, time: f64, random: &mut Random) -> io::Result<()> {
        let units = &self.clip.access_units[index].units;
        let wanted = units.iter().filter(|unit| !(self.faults.no_in_band && self.clip.is_parameter_set(unit)));
        let packets: Vec<Vec<u8>> = wanted.flat_map(|unit| payloads(self.clip.codec, unit)).collect();
        for (i, payload) in packets.iter().enumerate() {
            self.video.send(time, i + 1 == packets.len(), payload, &self.faults, random)?;
        }
        if !self.session.muted() {
            self.camera.count_picture();
        }
        Ok(())
    }
}

/// A picture about half-way between the first two key frames.
fn mid_gop(clip: &Clip) -> usize {
    let gop = clip.access_units.iter().skip(1).position(|unit| unit.key).map_or(clip.access_units.len(), |i| i + 1);
    gop / 2
}
