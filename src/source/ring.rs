//! The last seconds of a camera's coded video, held so that a clip can begin before its event.
//!
//! Units are taken where they go into the decoder, and a unit and the frame decoded from it have the same running time:
//! a frame's `media_time` leads back to it by where the session began on the camera's time line ([`Feed::began`]). They
//! are copied: coded video is some half a megabyte a second, what is held is known to the byte, and no pool of an
//! element waits for a clip. What is dropped goes by whole groups of pictures, so that the oldest unit is a key frame.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::decoder::Codec;
use crate::telemetry::metrics::Counter;

/// What a unit takes beside its bytes, about.
const OVERHEAD: u64 = size_of::<Unit>() as u64 + 32;

/// How much is held at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes.
    pub bytes: u64,
    /// What came longer ago is dropped, but for the rest of a group of pictures.
    pub span: Duration,
}

/// The coded video of one camera; see the module.
#[derive(Debug)]
pub struct Ring {
    limits: Limits,
    held: Mutex<Held>,
    bytes: Counter,
    dropped: Counter,
}

/// A moment of a camera, with what is wanted of the time around it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Session.
    pub run: u32,
    /// The frame's place on the camera's time line.
    pub at: Duration,
    /// So long before it.
    pub before: Duration,
    /// So long after it.
    pub after: Duration,
}

/// Is all of a span there?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ripe {
    /// All of it, or no more will come or be held.
    Yes,
    /// More will come.
    NotYet,
    /// Not even its moment is held any more.
    Gone,
}

/// Coded video that begins with a key frame and is all of one stream.
#[derive(Debug)]
pub struct Cut {
    pub(super) codec: Codec,
    pub(super) caps: gst::Caps,
    /// In the order of decoding.
    pub(super) units: Vec<Unit>,
}

/// A coded picture.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) bytes: Arc<[u8]>,
    /// Running time at which it is to be shown.
    pub(super) time: Duration,
    pub(super) key: bool,
    arrival: Instant,
}

#[derive(Debug, Default)]
struct Held {
    groups: VecDeque<Group>,
    bytes: u64,
    session: Option<Arc<Session>>,
}

/// A key frame and what depends on it.
#[derive(Debug)]
struct Group {
    of: Arc<Stretch>,
    units: Vec<Unit>,
    bytes: u64,
}

/// A part of a session during which the stream is described by the same words.
#[derive(Debug)]
struct Stretch {
    session: Arc<Session>,
    codec: Codec,
    caps: gst::Caps,
}

#[derive(Debug)]
struct Session {
    run: u32,
    /// Running time and place on the camera's time line of one and the same frame.
    began: OnceLock<(Duration, Duration)>,
    over: AtomicBool,
}

impl Session {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Running time of what is there on the camera's time line.
    fn running(&self, media: Duration) -> Option<Duration> {
        let (running, began) = self.began.get()?;
        (*running + media).checked_sub(*began)
    }
}

impl Ring {
    /// An empty one.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, held: Mutex::default(), bytes: Counter::default(), dropped: Counter::default() }
    }

    /// Bytes that are held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Bytes dropped before their time because there was no room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Is the span's moment held, so that there can be a clip of it?
    #[must_use]
    pub fn covers(&self, span: &Span) -> bool {
        self.held.lock().locate(span).is_some()
    }

    /// Is all of it there?
    #[must_use]
    pub fn ripe(&self, span: &Span) -> Ripe {
        let held = self.held.lock();
        let Some(place) = held.locate(span) else { return Ripe::Gone };
        let newest = held.groups[place.last].units.iter().map(|unit| unit.time).max().unwrap_or_default();
        let followed = place.last + 1 < held.groups.len();
        // The next to go: better a clip that ends early than one that begins late.
        let endangered = place.first == 0 && held.bytes >= self.limits.bytes - self.limits.bytes / 10;
        if newest >= place.to || followed || endangered || held.groups[place.last].of.session.is_over() {
            Ripe::Yes
        } else {
            Ripe::NotYet
        }
    }

    /// What is held of it, from the last key frame before it on. Nothing is copied.
    #[must_use]
    pub fn cut(&self, span: &Span) -> Option<Cut> {
        let held = self.held.lock();
        let place = held.locate(span)?;
        let of = &held.groups[place.last].of;
        let groups = held.groups.range(place.first..=place.last);
        let mut units: Vec<Unit> = groups.flat_map(|group| group.units.iter().cloned()).collect();
        // In the order of decoding: what is shown by then may need what is shown later.
        let end = units.iter().rposition(|unit| unit.time <= place.to)?;
        units.truncate(end + 1);
        Some(Cut { codec: of.codec, caps: of.caps.clone(), units })
    }

    /// A session begins; whatever was before is over.
    pub(super) fn begin(self: &Arc<Self>, run: u32) -> Feed {
        let session = Arc::new(Session { run, began: OnceLock::new(), over: AtomicBool::new(false) });
        if let Some(before) = self.held.lock().session.replace(Arc::clone(&session)) {
            before.over.store(true, Ordering::Release);
        }
        Feed { ring: Arc::clone(self), session }
    }

    fn put(&self, of: &Arc<Stretch>, unit: Unit) {
        let mut held = self.held.lock();
        if of.session.is_over() {
            // A pipeline that was left behind.
            return;
        }
        let (now, size) = (unit.arrival, unit.bytes.len() as u64 + OVERHEAD);
        if unit.key {
            held.groups.push_back(Group { of: Arc::clone(of), units: Vec::new(), bytes: 0 });
        }
        // Without its key frame it is of no use.
        let Some(group) = held.groups.back_mut().filter(|group| Arc::ptr_eq(&group.of, of)) else { return };
        group.units.push(unit);
        group.bytes += size;
        held.bytes += size;
        while let Some(next) = held.groups.get(1).and_then(|group| group.units.first())
            && now.saturating_duration_since(next.arrival) >= self.limits.span
        {
            held.pop();
        }
        while held.bytes > self.limits.bytes {
            self.dropped.add(held.pop());
        }
        self.bytes.set(held.bytes);
    }
}

/// Where a span lies: groups, and running time of its end.
struct Place {
    first: usize,
    last: usize,
    to: Duration,
}

impl Held {
    fn pop(&mut self) -> u64 {
        let bytes = self.groups.pop_front().map_or(0, |group| group.bytes);
        self.bytes -= bytes.min(self.bytes);
        bytes
    }

    fn locate(&self, span: &Span) -> Option<Place> {
        let begins = |group: &Group| group.units.first().map(|unit| unit.time);
        let holds = |group: &Group| {
            let session = &group.of.session;
            session.run == span.run && session.running(span.at).is_some_and(|at| begins(group) <= Some(at))
        };
        let at = self.groups.iter().rposition(holds)?;
        let of = &self.groups[at].of;
        let moment = of.session.running(span.at)?;
        let from = moment.saturating_sub(span.before);
        let same = |group: &Group| Arc::ptr_eq(&group.of, of);
        let last = self.groups.iter().rposition(same)?;
        let oldest = self.groups.iter().position(same)?;
        let first = (oldest..=at).rev().find(|n| begins(&self.groups[*n]) <= Some(from)).unwrap_or(oldest);
        Some(Place { first, last, to: moment + span.after })
    }
}

/// Where one session puts its coded video.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    ring: Arc<Ring>,
    session: Arc<Session>,
}

impl Feed {
    /// A frame of this running time has this place on the camera's time line, and all others in step with it.
    pub(super) fn began(&self, running: Duration, media: Duration) {
        let _ = self.session.began.set((running, media));
    }

    /// Nothing more will come of this session.
    pub(super) fn end(&self) {
        self.session.over.store(true, Ordering::Release);
    }

    /// Takes all that passes this pad, a decoder's. Put in place before a probe that drops buffers.
    pub(super) fn listen(&self, pad: &gst::Pad) {
        let ear = Mutex::new(Ear { feed: self.clone(), segment: None, of: None, latest: Duration::ZERO });
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        gst::prelude::PadExtManual::add_probe(pad, kinds, move |_, info| {
            match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => ear.lock().buffer(buffer),
                Some(gst::PadProbeData::Event(event)) => ear.lock().event(event),
                _ => {}
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Hears what passes a pad.
struct Ear {
    feed: Feed,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    of: Option<Arc<Stretch>>,
    latest: Duration,
}

impl Ear {
    fn event(&mut self, event: &gst::EventRef) {
        match event.view() {
            gst::EventView::Segment(segment) => self.segment = segment.segment().downcast_ref().cloned(),
            gst::EventView::Caps(caps) => self.caps(caps.caps()),
            _ => {}
        }
    }

    fn caps(&mut self, caps: &gst::CapsRef) {
        let Some(codec) = codec_of(caps) else {
            self.of = None;
            return;
        };
        // A parser says more of a stream as it learns more; that does not make it another one.
        if self.of.as_ref().is_some_and(|of| of.codec == codec && is_same(&of.caps, caps)) {
            return;
        }
        self.of = Some(Arc::new(Stretch { session: Arc::clone(&self.feed.session), codec, caps: caps.to_owned() }));
    }

    fn buffer(&mut self, buffer: &gst::BufferRef) {
        let Some(of) = &self.of else { return };
        let running = buffer.pts().or(buffer.dts()).and_then(|time| match &self.segment {
            Some(segment) => segment.to_running_time(time),
            None => Some(time),
        });
        let time = running.map_or(self.latest, |time| Duration::from_nanos(time.nseconds()));
        self.latest = time;
        let Ok(map) = buffer.map_readable() else { return };
        let key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let unit = Unit { bytes: Arc::from(map.as_slice()), time, key, arrival: Instant::now() };
        self.feed.ring.put(of, unit);
    }
}

/// H.264 or H.265 by whole pictures; anything else is not held.
fn codec_of(caps: &gst::CapsRef) -> Option<Codec> {
    let structure = caps.structure(0)?;
    let codec = match structure.name().as_str() {
        "video/x-h264" => Codec::H264,
        "video/x-h265" => Codec::H265,
        _ => return None,
    };
    (structure.get::<&str>("alignment").ok() == Some("au")).then_some(codec)
}

/// The same picture size and parameter sets, in the same form.
fn is_same(a: &gst::CapsRef, b: &gst::CapsRef) -> bool {
    let (Some(a), Some(b)) = (a.structure(0), b.structure(0)) else { return false };
    let number = |of: &gst::StructureRef, name: &str| of.get::<i32>(name).ok();
    let bytes = |of: &gst::StructureRef| {
        let buffer = of.get::<gst::Buffer>("codec_data").ok()?;
        Some(buffer.map_readable().ok()?.to_vec())
    };
    ["width", "height"].into_iter().all(|name| number(a, name) == number(b, name))
        && a.get::<&str>("stream-format").ok() == b.get::<&str>("stream-format").ok()
        && bytes(a) == bytes(b)
}

#[cfg(test)]
#[path = "ring/tests.rs"]
mod tests;
