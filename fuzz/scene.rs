// A scene for a tracker, out of any bytes or written down, and what must hold of every tracker in every scene.
//
// Included by the fuzz target and by tests/tracking_properties.rs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use watchkeeper::config::{TrackerKind, Tracking};
use watchkeeper::tracking::{self, Input, Tracker};
use watchkeeper::types::camera_motion::CameraMotion;
use watchkeeper::types::detection::Detection;
use watchkeeper::types::embedding::{Embeddings, normalise};
use watchkeeper::types::geometry::BBox;
use watchkeeper::types::track::{EndReason, Track};

/// What somebody looks like.
pub type Look = Option<[f32; 4]>;

/// One frame of a scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// The run before it is over.
    pub reset: bool,
    /// Media time; may go back.
    pub time: Duration,
    /// Each with what it looks like, where somebody looked.
    pub detections: Vec<(Detection, Look)>,
    /// Somebody looked.
    pub appearance: bool,
    /// How the camera moved.
    pub camera_motion: CameraMotion,
    /// Of the picture.
    pub size: Option<(u32, u32)>,
}

/// Numbers that are likely to break something.
pub const HOSTILE: [f32; 14] = [
    f32::NAN,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    1e-45,
    -1e6,
    1e6,
    1e9,
    -0.0,
    0.0,
    1.0,
    100.0,
];

/// Bytes, taken from the front; zeros once there are none.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Mostly an ordinary number of pixels; else a hostile one, or any.
    fn number(&mut self) -> f32 {
        match self.next() {
            250.. => f32::from_le_bytes([self.next(), self.next(), self.next(), self.next()]),
            kind @ 236..250 => HOSTILE[usize::from(kind - 236)],
            pixels => f32::from(pixels) * 4.0,
        }
    }

    /// On a coarse grid, so that boxes of several frames meet.
    fn detection(&mut self) -> Detection {
        let (kind, place, wobble) = (self.next(), self.next(), self.next());
        let score = f32::from(self.next()) / 240.0;
        let class = u16::from(kind & 1);
        let bbox = if kind >= 240 {
            BBox::new(self.number(), self.number(), self.number(), self.number())
        } else {
            let (column, row) = (f32::from(place & 15), f32::from(place >> 4));
            let (dx, dy) = (f32::from(wobble & 15), f32::from(wobble >> 4));
            BBox::from_centre(40.0 * column + dx, 60.0 * row + dy, 40.0, 100.0)
        };
        let score = if kind == 255 { self.number() } else { score };
        Detection { bbox, score, class }
    }

    fn frame(&mut self, before: Duration) -> Frame {
        let (flags, pace, count) = (self.next(), self.next(), self.next());
        let time = match pace {
            0..=199 => before.saturating_add(Duration::from_millis(u64::from(pace))),
            200..=229 => before.saturating_add(Duration::from_millis(u64::from(pace - 200) * 200)),
            230..=249 => before / 2,
            250..=254 => before,
            255 => before.saturating_add(Duration::from_secs(u64::from(self.next()) << self.next().min(40))),
        };
        let camera_motion = match flags & 6 {
            2 => CameraMotion { tx: self.number() / 40.0, ty: self.number() / 40.0, ..CameraMotion::NONE },
            4 => CameraMotion { a: self.number(), b: self.number(), tx: self.number(), ty: self.number() },
            _ => CameraMotion::NONE,
        };
        let detections = (0..count % 24).map(|_| {
            let look = self.next();
            let look = (look & 1 == 1).then(|| [0, 2, 4, 6].map(|shift| f32::from(look >> shift & 3) - 1.4));
            (self.detection(), look)
        });
        Frame {
            reset: flags >= 252,
            time,
            detections: detections.collect(),
            appearance: flags & 8 == 8,
            camera_motion,
            size: (flags & 16 == 16).then_some((640, 480)),
        }
    }
}

/// The scene that some bytes are.
pub fn decode(bytes: &[u8]) -> Vec<Frame> {
    let mut bytes = Bytes(bytes);
    let (mut scene, mut time) = (vec![], Duration::ZERO);
    while !bytes.0.is_empty() {
        let frame = bytes.frame(time);
        time = frame.time;
        scene.push(frame);
    }
    scene
}

/// What a tracker of a kind makes of a scene: the tracks of each frame, and what was over in it.
pub type Story = Vec<(Vec<Track>, Vec<(u64, EndReason)>)>;

/// Shows a scene to a tracker, and asserts at each frame what must hold.
///
/// # Panics
/// Where it does not.
pub fn play(tracker: &mut dyn Tracker, scene: &[Frame]) -> Story {
    let mut story = vec![];
    let mut run = Run::default();
    let (mut wanted, mut looks, mut detections) = (vec![], Embeddings::default(), vec![]);
    for (i, frame) in scene.iter().enumerate() {
        let mut over = vec![];
        if frame.reset {
            tracker.reset();
            over.extend(tracker.ended().iter().map(|ended| (ended.track.number, ended.reason)));
            run.end(tracker, i);
            assert_eq!(run.alive.len(), 0, "frame {i}: a reset ends every track");
            run = Run::default();
        }
        detections.clear();
        detections.extend(frame.detections.iter().map(|(detection, _)| *detection));
        // Begun as the pipeline does it: the length of a row does not hang on who comes first.
        looks.begin(4, frame.detections.len());
        for (i, (_, look)) in frame.detections.iter().enumerate() {
            if let Some(mut look) = *look
                && normalise(&mut look)
            {
                looks.set_copy(i, &look);
            }
        }
        let input = Input {
            time: frame.time,
            detections: &detections,
            appearance: frame.appearance.then_some(&looks),
            camera_motion: frame.camera_motion,
            size: frame.size,
        };
        tracker.wants(&input, &mut wanted);
        let distinct: BTreeSet<usize> = wanted.iter().copied().collect();
        assert!(distinct.len() == wanted.len() && distinct.iter().all(|&i| i < detections.len()), "{wanted:?}");
        let tracks = tracker.update(&input).to_vec();
        run.check(i, frame.time, &tracks, &detections);
        over.extend(tracker.ended().iter().map(|ended| (ended.track.number, ended.reason)));
        run.end(tracker, i);
        story.push((tracks, over));
    }
    story
}

/// What was seen of one run.
#[derive(Default)]
struct Run {
    now: Duration,
    highest: u64,
    alive: BTreeMap<u64, Track>,
    over: BTreeSet<u64>,
}

impl Run {
    fn check(&mut self, frame: usize, time: Duration, tracks: &[Track], detections: &[Detection]) {
        self.now = self.now.max(time);
        let order: Vec<_> = tracks.iter().map(|track| (track.coasted, track.number)).collect();
        assert!(order.is_sorted_by(|a, b| a < b), "frame {frame}: seen first, each part by number: {order:?}");
        let distinct: BTreeSet<u64> = tracks.iter().map(|track| track.number).collect();
        assert_eq!(distinct.len(), tracks.len(), "frame {frame}: two boxes with one number: {order:?}");
        for track in tracks {
            let said = format!("frame {frame}: {track:?}");
            assert!(track.number > 0 && !self.over.contains(&track.number), "{said}: over, and there again");
            assert!(track.bbox.is_valid(), "{said}: no box");
            assert!(track.score.is_finite() && track.score <= track.top_score, "{said}: its scores");
            assert!(track.median_score <= track.top_score, "{said}: its median score");
            assert!(track.first_seen <= track.last_seen && track.last_seen <= self.now, "{said}: its times");
            if !track.coasted {
                assert_eq!(track.last_seen, self.now, "{said}: seen now");
                // Its box may be one that is filtered.
                let is_it = |d: &Detection| d.score.min(1.0) == track.score.min(1.0);
                assert!(detections.iter().any(is_it), "{said}: seen without a detection");
            }
            match self.alive.insert(track.number, *track) {
                Some(before) => assert_eq!(before.first_seen, track.first_seen, "{said}: another one"),
                None => assert!(track.number > self.highest, "{said}: a number from before, {}", self.highest),
            }
        }
        self.highest = self.highest.max(distinct.last().copied().unwrap_or(0));
    }

    fn end(&mut self, tracker: &dyn Tracker, frame: usize) {
        for ended in tracker.ended() {
            let number = ended.track.number;
            assert!(self.alive.remove(&number).is_some(), "frame {frame}: {number} ended, and was not there");
            assert!(self.over.insert(number), "frame {frame}: {number} ended twice");
        }
    }
}

/// A scene with each frame's detections in another order.
pub fn reordered(scene: &[Frame], by: usize) -> Vec<Frame> {
    let mut scene = scene.to_vec();
    for frame in &mut scene {
        frame.detections.reverse();
        let n = frame.detections.len().max(1);
        frame.detections.rotate_left(by % n);
    }
    scene
}

/// A tracker of a kind, as it is without a config.
pub fn tracker(kind: TrackerKind) -> Box<dyn Tracker> {
    tracking::new(&Tracking { tracker: kind, ..Tracking::default() })
}

/// Shows a scene made of bytes to every tracker, in two orders of detections.
///
/// # Panics
/// Where something does not hold that must.
pub fn drive(bytes: &[u8]) {
    let scene = decode(bytes);
    let other = reordered(&scene, bytes.len());
    for &kind in TrackerKind::ALL {
        let (one, two) = (play(&mut *tracker(kind), &scene), play(&mut *tracker(kind), &other));
        assert_eq!(one, two, "{kind:?}: the order of detections changed something");
    }
}
