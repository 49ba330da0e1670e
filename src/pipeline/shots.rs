//! Pictures of events: of the frame in which a rule fired, and the best view of a track at its end; and who asks for a
//! rule's clip.
//!
//! Where people are to be hidden, a picture shows only the person whom a rule's event is about; at the end of a track
//! of whom no rule had anything to say, nobody is shown. Only whom the tracker has confirmed can be hidden: in the
//! first frames in which somebody is seen he stays as he is.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use ulid::Ulid;

use super::clips::ClipDesk;
use super::quality::quality;
use crate::media::{Desk, Job, Pixels};
use crate::source::{Frame, Ring};
use crate::types::event::{EventMedia, EventType};
use crate::types::frame::{FrameMeta, Picture, Planes};
use crate::types::geometry::BBox;
use crate::types::track::Track;

/// A view of a track shows so much around its box, in sides of the box.
const AROUND: f32 = 0.6;
/// A cut-out shows so much around the box, in sides of the box.
const MARGIN: f32 = 0.08;
/// What these labels name, in whatever case, is people.
const PEOPLE: [&str; 5] = ["person", "pedestrian", "people", "head", "face"];
/// A hidden box is larger than found, in sides of the box: boxes are seldom exact.
const VEIL: f32 = 0.1;
/// Numbers of tracks that are remembered at most because a rule fired for them.
const REMEMBERED: usize = 4096;
/// Longest side of a track's view, pixels, or up to twice that.
const VIEW_PX: usize = 480;
/// A view replaces one that is worse by this much: each costs a copy.
const BETTER: f32 = 1.15;
/// Tracks whose views are held at most: beyond, the newest have none.
const MOST: usize = 128;
/// Variance of the Laplacian at which a box is half as sharp as can be.
const SHARP: f32 = 150.0;

/// A frame by run and number, and its pixels.
type Copied = ((u32, u64), Arc<Pixels>);

/// Takes pictures for the events of one camera.
pub(super) struct Shots {
    desk: Option<Desk>,
    clips: Option<(ClipDesk, Arc<Ring>)>,
    /// By class: is it people, who may be hidden?
    people: Vec<bool>,
    views: Vec<View>,
    /// Tracks that somebody was told of.
    told: BTreeSet<u64>,
    /// The last frame that was copied, for all events of it.
    copied: RefCell<Option<Copied>>,
}

/// The best view of a track so far.
struct View {
    number: u64,
    quality: f32,
    pixels: Pixels,
    /// The subject, pixels of the view.
    subject: BBox,
    /// Other people in it.
    hide: Vec<BBox>,
    /// The subject is a person who may be hidden.
    person: bool,
}

impl Shots {
    pub(super) fn new(desk: Option<Desk>, clips: Option<(ClipDesk, Arc<Ring>)>) -> Self {
        let (people, views, told) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { desk, clips, people, views, told, copied: RefCell::default() }
    }

    /// Does it need frames?
    pub(super) fn is_on(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.settings().snapshots || desk.settings().crops)
    }

    /// Classes have these names.
    pub(super) fn heed(&mut self, labels: &[String]) {
        let person = |label: &String| PEOPLE.iter().any(|people| label.trim().eq_ignore_ascii_case(people));
        self.people = labels.iter().map(person).collect();
    }

    /// Looks at a frame's tracks: is one of them seen better than before?
    pub(super) fn see(&mut self, frame: &Frame, tracks: &[Track]) {
        if !self.is_on() {
            return;
        }
        self.copied.take();
        let Some(picture) = frame.picture() else { return };
        let size = (frame.meta.width, frame.meta.height);
        for (at, track) in tracks.iter().enumerate() {
            let Some(plain) = quality(tracks, at, size) else { continue };
            let held = self.views.iter().position(|view| view.number == track.number);
            let enough = held.map_or(0.0, |held| self.views[held].quality * BETTER);
            // Sharpness only takes away: most are decided without it.
            if plain <= enough || (held.is_none() && self.views.len() >= MOST) {
                continue;
            }
            let quality = plain * sharpness(&picture, &track.bbox);
            if quality <= enough {
                continue;
            }
            let memory = match held {
                Some(held) => self.views.swap_remove(held).pixels.into_memory(),
                None => Vec::new(),
            };
            if let Some(view) = self.view(&picture, tracks, track, quality, memory) {
                self.views.push(view);
            }
        }
    }

    fn view(
        &self,
        picture: &Picture<'_>,
        tracks: &[Track],
        track: &Track,
        quality: f32,
        memory: Vec<u8>,
    ) -> Option<View> {
        let around = grown(&track.bbox, AROUND).clip(picture.width as f32, picture.height as f32);
        // `part` begins at even pixels.
        let (x1, y1) = ((around.x1 as usize) & !1, (around.y1 as usize) & !1);
        let part = picture.part(x1, y1, around.x2.ceil() as usize, around.y2.ceil() as usize)?;
        let pixels = Pixels::copy(&part, VIEW_PX, memory)?;
        let within = |bbox: &BBox| moved(bbox, (x1 as f32, y1 as f32), pixels.step() as f32);
        let hide = self.hidden(tracks, Some(track.number)).map(|bbox| within(&bbox)).collect();
        let person = self.hides(track.class);
        Some(View { number: track.number, quality, subject: within(&track.bbox), hide, person, pixels })
    }

    /// Is this class hidden?
    fn hides(&self, class: u16) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.settings().blur)
            && self.people.get(usize::from(class)).copied().unwrap_or(false)
    }

    /// Boxes of people but one, where they are to be hidden.
    fn hidden(&self, tracks: &[Track], but: Option<u64>) -> impl Iterator<Item = BBox> {
        let of = move |track: &&Track| self.hides(track.class) && Some(track.number) != but;
        tracks.iter().filter(of).map(|track| grown(&track.bbox, VEIL))
    }

    /// A rule fired for a track, or for a place: the frame is its picture, and the time around it its clip.
    pub(super) fn fired(
        &mut self,
        meta: &FrameMeta,
        frame: Option<&Frame>,
        tracks: &[Track],
        (about, what): (Option<u64>, EventType),
    ) -> Option<EventMedia> {
        self.told.extend(about);
        if self.told.len() > REMEMBERED {
            self.told.pop_first();
        }
        let id = Ulid::generate();
        let (snapshot, crop) = self.shown(id, frame, tracks, about).unwrap_or_default();
        // Counts come every so often, whether there is something to see or not.
        let clips = self.clips.as_ref().filter(|_| what != EventType::ZoneCount);
        let clip = clips.is_some_and(|(clips, ring)| clips.ask(ring, id, meta));
        (snapshot || crop || clip).then_some(EventMedia { id, snapshot, crop, clip })
    }

    /// Takes the picture; answers whether there will be a snapshot, and a crop.
    fn shown(&self, id: Ulid, frame: Option<&Frame>, tracks: &[Track], about: Option<u64>) -> Option<(bool, bool)> {
        let desk = self.desk.as_ref().filter(|_| self.is_on())?;
        let settings = desk.settings();
        let pixels = self.copy(desk, frame?)?;
        let within = |bbox: &BBox| moved(bbox, (0.0, 0.0), pixels.step() as f32);
        let subject = tracks.iter().find(|track| Some(track.number) == about);
        let crop = subject.filter(|_| settings.crops);
        let crop = crop.and_then(|track| inside(&within(&grown(&track.bbox, MARGIN)), &pixels));
        let plain = subject.filter(|track| self.hides(track.class)).map(|track| within(&track.bbox));
        let hide = self.hidden(tracks, about).map(|bbox| within(&bbox)).collect();
        let (snapshot, cropped) = (settings.snapshots, crop.is_some());
        let job = Job { id, pixels, snapshot, crop, hide, plain };
        ((snapshot || cropped) && desk.take(job)).then_some((snapshot, cropped))
    }

    /// The frame, copied once for all of its events.
    fn copy(&self, desk: &Desk, frame: &Frame) -> Option<Arc<Pixels>> {
        let which = (frame.meta.run, frame.meta.seq);
        let mut copied = self.copied.borrow_mut();
        if let Some((_, pixels)) = copied.as_ref().filter(|(of, _)| *of == which) {
            return Some(Arc::clone(pixels));
        }
        let pixels = desk.copy(&frame.picture()?)?;
        *copied = Some((which, Arc::clone(&pixels)));
        Some(pixels)
    }

    /// A track is over: its best view is its picture.
    pub(super) fn ended(&mut self, number: u64) -> Option<EventMedia> {
        let told = self.told.remove(&number);
        let at = self.views.iter().position(|view| view.number == number)?;
        let View { pixels, subject, mut hide, person, .. } = self.views.swap_remove(at);
        let desk = self.desk.as_ref()?;
        let settings = desk.settings();
        let shown = !person || told;
        if !shown {
            hide.push(grown(&subject, VEIL));
        }
        let crop = (settings.crops && shown).then(|| inside(&grown(&subject, MARGIN), &pixels)).flatten();
        let (snapshot, plain) = (settings.snapshots, (person && shown).then_some(subject));
        let media = EventMedia { id: Ulid::generate(), snapshot, crop: crop.is_some(), clip: false };
        let job = Job { id: media.id, pixels: Arc::new(pixels), snapshot, crop, hide, plain };
        ((media.snapshot || media.crop) && desk.take(job)).then_some(media)
    }

    /// Tracks are counted anew.
    pub(super) fn forget(&mut self) {
        self.views.clear();
        self.told.clear();
        self.copied.take();
    }
}

/// What of a box there are pixels of.
fn inside(bbox: &BBox, pixels: &Pixels) -> Option<BBox> {
    let picture = pixels.picture();
    Some(bbox.clip(picture.width as f32, picture.height as f32)).filter(BBox::is_valid)
}

/// A box with so many of its sides added around it.
fn grown(bbox: &BBox, by: f32) -> BBox {
    let (dx, dy) = (bbox.width() * by, bbox.height() * by);
    BBox::new(bbox.x1 - dx, bbox.y1 - dy, bbox.x2 + dx, bbox.y2 + dy)
}

/// The same box in a part of the picture that begins at `origin` and has `step` pixels in one.
fn moved(bbox: &BBox, (x, y): (f32, f32), step: f32) -> BBox {
    BBox::new((bbox.x1 - x) / step, (bbox.y1 - y) / step, (bbox.x2 - x) / step, (bbox.y2 - y) / step)
}

/// How sharp a box is, 0.5..1, by the variance of the Laplacian of its luma (Pech-Pacheco et al., ICPR 2000), on some of
/// its pixels.
fn sharpness(picture: &Picture<'_>, bbox: &BBox) -> f32 {
    let (Planes::Planar { y: luma, .. } | Planes::Nv12 { y: luma, .. }) = picture.planes;
    let inside = bbox.clip(picture.width as f32, picture.height as f32);
    let (x1, y1) = ((inside.x1 as usize).max(1), (inside.y1 as usize).max(1));
    let x2 = (inside.x2 as usize).min(picture.width.saturating_sub(1));
    let y2 = (inside.y2 as usize).min(picture.height.saturating_sub(1));
    let (dx, dy) = (x2.saturating_sub(x1).div_ceil(48).max(1), y2.saturating_sub(y1).div_ceil(48).max(1));
    let row = |y: usize| luma.data.get(y * luma.stride..y * luma.stride + picture.width);
    let (mut count, mut sum, mut squares) = (0_u32, 0_f32, 0_f32);
    for y in (y1..y2).step_by(dy) {
        let (Some(above), Some(here), Some(below)) = (row(y - 1), row(y), row(y + 1)) else { break };
        for x in (x1..x2).step_by(dx) {
            let around = [above[x], below[x], here[x - 1], here[x + 1]].map(i32::from).iter().sum::<i32>();
            let laplacian = (around - 4 * i32::from(here[x])) as f32;
            (count, sum, squares) = (count + 1, sum + laplacian, squares + laplacian * laplacian);
        }
    }
    if count == 0 {
        return 0.5;
    }
    let mean = sum / count as f32;
    let variance = (squares / count as f32 - mean * mean).max(0.0);
    0.5 + 0.5 * variance / (variance + SHARP)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::media::Media;
    use crate::telemetry::metrics::Metrics;
    use crate::types::frame::{Colour, Matrix, Plane, Range};
    use crate::types::time::{CaptureTime, Clock, Timestamp};

    /// A view of track 7, whose class is `label`, and what is promised of it at its end.
    fn promised(label: &str, blur: bool, told: bool, subject: BBox) -> (bool, bool) {
        let dir = tempfile::tempdir().unwrap();
        let settings = crate::config::Media {
            dir: dir.path().to_owned(),
            snapshots: true,
            crops: true,
            clips: false,
            pre_roll: Duration::ZERO,
            post_roll: Duration::ZERO,
            buffer_bytes: 0,
            keep: Duration::from_secs(86_400),
            max_bytes: u64::MAX,
            jpeg_quality: 90,
            snapshot_px: 640,
            blur,
        };
        let media = Media::start(&settings, &Metrics::default()).unwrap();
        let mut shots = Shots::new(media.desk(), None);
        shots.heed(&["car".to_owned(), label.to_owned()]);
        let (y, uv) = (Plane { data: &[90; 64 * 64], stride: 64 }, Plane { data: &[128; 64 * 32], stride: 64 });
        let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
        let picture = Picture { width: 64, height: 64, planes: Planes::Nv12 { y, uv }, colour };
        let pixels = Pixels::copy(&picture, 640, Vec::new()).unwrap();
        let person = shots.hides(1);
        shots.views.push(View { number: 7, quality: 1.0, pixels, subject, hide: Vec::new(), person });
        if told {
            let meta = FrameMeta {
                run: 1,
                seq: 1,
                width: 64,
                height: 64,
                capture: CaptureTime { time: Timestamp(0), clock: Clock::Ntp },
                clock_skew_s: None,
                arrival: Timestamp(0),
                received: Instant::now(),
                media_time: Duration::ZERO,
            };
            let _ = shots.fired(&meta, None, &[], (Some(7), EventType::ZoneEnter));
        }
        let promised = shots.ended(7).unwrap();
        (promised.snapshot, promised.crop)
    }

    #[test]
    fn at_its_end_only_a_person_whom_a_rule_was_about_is_cut_out() {
        let subject = BBox::new(20.0, 20.0, 40.0, 40.0);
        for label in ["person", "Pedestrian", "FACE"] {
            assert_eq!(promised(label, true, false, subject), (true, false), "{label}");
            assert_eq!(promised(label, true, true, subject), (true, true), "{label}");
            assert_eq!(promised(label, false, false, subject), (true, true), "{label}");
        }
        assert_eq!(promised("truck", true, false, subject), (true, true));
    }

    #[test]
    fn a_box_outside_the_picture_is_not_promised() {
        assert_eq!(promised("truck", false, false, BBox::new(80.0, 20.0, 90.0, 40.0)), (true, false));
    }

    #[test]
    fn a_sharp_box_counts_more_than_a_blurred_one() {
        let (side, stride) = (64_usize, 64_usize);
        let sharp: Vec<u8> =
            (0..side * stride).map(|i| if (i / 4 + i / stride / 4) % 2 == 0 { 40 } else { 200 }).collect();
        let soft: Vec<u8> = (0..side * stride).map(|i| (i % stride) as u8 * 2).collect();
        let chroma = vec![128; side * side / 2];
        let of = |luma: &[u8]| {
            let y = Plane { data: luma, stride };
            let planes = Planes::Nv12 { y, uv: Plane { data: &chroma, stride } };
            let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
            sharpness(&Picture { width: side, height: side, planes, colour }, &BBox::new(4.0, 4.0, 60.0, 60.0))
        };
        assert!(of(&sharp) > 0.9 && of(&soft) < 0.55, "{} {}", of(&sharp), of(&soft));
    }
}
