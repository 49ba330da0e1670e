#![allow(clippy::unwrap_used)]

use super::*;

const KB: usize = 1000;

/// A camera of ten pictures a second and a key frame each second, whose running time begins at 100 s and whose place on
/// the time line at 7 s.
struct Camera {
    ring: Arc<Ring>,
    feed: Feed,
    of: Arc<Stretch>,
    began: Instant,
    sent: u32,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn stretch(session: &Arc<Session>, width: i32) -> Arc<Stretch> {
    let caps = gst::Caps::builder("video/x-h264").field("width", width).build();
    Arc::new(Stretch { session: Arc::clone(session), codec: Codec::H264, caps })
}

impl Camera {
    fn new(bytes: usize, span: Duration) -> Self {
        crate::source::init().unwrap();
        let ring = Arc::new(Ring::new(Limits { bytes: bytes as u64, span }));
        let feed = ring.begin(1);
        feed.began(ms(100_000), ms(7_000));
        let of = stretch(&feed.session, 640);
        Self { ring, feed, of, began: Instant::now(), sent: 0 }
    }

    fn send(&mut self, pictures: u32, size: usize) {
        for _ in 0..pictures {
            let passed = ms(u64::from(self.sent) * 100);
            let unit = Unit {
                bytes: vec![0; size - OVERHEAD as usize].into(),
                time: ms(100_000) + passed,
                key: self.sent.is_multiple_of(10),
                arrival: self.began + passed,
            };
            self.ring.put(&self.of, unit);
            self.sent += 1;
        }
    }

    /// Of the picture with this number.
    fn span(picture: u64, before: u64, after: u64) -> Span {
        Span { run: 1, at: ms(7_000 + picture * 100), before: ms(before), after: ms(after) }
    }

    /// First and last picture of what is cut.
    fn cut(&self, span: &Span) -> Option<(u128, u128)> {
        let cut = self.ring.cut(span)?;
        assert!(cut.units[0].key, "it begins with a key frame");
        let number = |unit: &Unit| (unit.time - ms(100_000)).as_millis() / 100;
        Some((number(cut.units.first()?), number(cut.units.last()?)))
    }
}

#[test]
fn a_clip_begins_with_the_key_frame_before_and_ends_when_asked() {
    let mut camera = Camera::new(10_000 * KB, ms(60_000));
    camera.send(100, KB);
    assert_eq!(camera.cut(&Camera::span(55, 2_000, 1_000)), Some((30, 65)));
    assert_eq!(camera.cut(&Camera::span(50, 2_000, 0)), Some((30, 50)), "a key frame at the very moment is the one");
    assert_eq!(camera.cut(&Camera::span(5, 2_000, 500)), Some((0, 10)), "there is nothing before the first");
    assert_eq!(camera.cut(&Span { run: 2, ..Camera::span(50, 0, 0) }), None, "another session");
}

#[test]
fn it_is_ripe_when_the_last_picture_is_there_or_will_never_be() {
    let mut camera = Camera::new(10_000 * KB, ms(60_000));
    camera.send(50, KB);
    let span = Camera::span(45, 1_000, 1_000);
    assert_eq!(camera.ring.ripe(&span), Ripe::NotYet);
    camera.send(6, KB);
    assert_eq!(camera.ring.ripe(&span), Ripe::Yes);
    let later = Camera::span(55, 1_000, 1_000);
    assert_eq!(camera.ring.ripe(&later), Ripe::NotYet);
    camera.feed.end();
    assert_eq!(camera.ring.ripe(&later), Ripe::Yes);
    assert_eq!(camera.cut(&later), Some((40, 55)), "what there is of it");
}

#[test]
fn what_is_held_is_bounded_by_time_in_whole_groups() {
    let mut camera = Camera::new(10_000 * KB, ms(3_000));
    camera.send(99, KB);
    assert_eq!(camera.cut(&Camera::span(95, 60_000, 60_000)), Some((60, 98)));
    assert_eq!((camera.ring.bytes(), camera.ring.dropped()), (39 * KB as u64, 0));
}

#[test]
fn what_is_held_is_bounded_by_bytes_whatever_comes() {
    let mut camera = Camera::new(25 * KB, ms(60_000));
    for _ in 0..100 {
        camera.send(1, KB);
        assert!(camera.ring.bytes() <= 25 * KB as u64);
    }
    assert_eq!(camera.cut(&Camera::span(95, 60_000, 60_000)), Some((80, 99)));
    assert_eq!(camera.ring.dropped(), 80 * KB as u64);
    assert_eq!(camera.ring.ripe(&Camera::span(45, 0, 0)), Ripe::Gone);
    // One group alone is more than there is room for: it is given up, and the next key frame begins anew.
    let mut camera = Camera::new(5 * KB, ms(60_000));
    camera.send(8, KB);
    assert_eq!(camera.ring.bytes(), 0);
    camera.send(4, KB);
    assert_eq!((camera.ring.bytes(), camera.cut(&Camera::span(11, 60_000, 60_000))), (2 * KB as u64, Some((10, 11))));
}

#[test]
fn where_room_is_short_a_clip_ends_early_rather_than_begins_late() {
    let mut camera = Camera::new(35 * KB, ms(60_000));
    camera.send(22, KB);
    let span = Camera::span(20, 2_000, 10_000);
    assert_eq!(camera.ring.ripe(&span), Ripe::NotYet);
    camera.send(10, KB);
    assert_eq!(camera.ring.ripe(&span), Ripe::Yes, "its beginning goes next");
    assert_eq!(camera.cut(&span), Some((0, 31)));
}

#[test]
fn a_clip_never_goes_over_a_new_session_or_another_stream() {
    let mut camera = Camera::new(10_000 * KB, ms(60_000));
    camera.send(33, KB);
    let waiting = Camera::span(30, 1_000, 5_000);
    // Another picture size: what comes before its key frame is of no use.
    camera.of = stretch(&camera.feed.session, 320);
    camera.send(20, KB);
    assert_eq!(camera.ring.ripe(&waiting), Ripe::Yes);
    assert_eq!(camera.cut(&waiting), Some((20, 32)));
    assert_eq!(camera.cut(&Camera::span(45, 3_000, 100)), Some((40, 46)));
    // Another session; the one before is left behind and goes on sending.
    let feed = camera.ring.begin(2);
    feed.began(ms(100_000), ms(50_000));
    let bytes = camera.ring.bytes();
    camera.send(20, KB);
    assert_eq!(camera.ring.bytes(), bytes);
    camera.of = stretch(&feed.session, 320);
    camera.send(17, KB);
    assert_eq!(camera.cut(&Camera::span(50, 3_000, 9_000)), Some((40, 52)));
    let in_second = Span { run: 2, at: ms(58_500), before: ms(9_000), after: ms(9_000) };
    assert_eq!(camera.cut(&in_second), Some((80, 89)));
}

#[test]
fn before_the_first_frame_nothing_is_promised() {
    crate::source::init().unwrap();
    let ring = Arc::new(Ring::new(Limits { bytes: 1000 * KB as u64, span: ms(60_000) }));
    let feed = ring.begin(1);
    let of = stretch(&feed.session, 640);
    let now = Instant::now();
    ring.put(&of, Unit { bytes: vec![0; 10].into(), time: ms(5), key: true, arrival: now });
    let span = Span { run: 1, at: ms(0), before: ms(0), after: ms(0) };
    assert!(!ring.covers(&span));
    feed.began(ms(5), ms(0));
    assert!(ring.covers(&span));
}
