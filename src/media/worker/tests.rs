#![allow(clippy::unwrap_used)]

use crossbeam_channel::{Sender, bounded};

use super::*;
use crate::media::{Desk, Order, Pixels};
use crate::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};

const SIDE: usize = 240;

fn settings(dir: &Path) -> config::Media {
    config::Media {
        dir: dir.to_owned(),
        snapshots: true,
        crops: true,
        clips: false,
        pre_roll: Duration::ZERO,
        post_roll: Duration::ZERO,
        buffer_bytes: 0,
        keep: Duration::from_secs(86_400),
        max_bytes: u64::MAX,
        jpeg_quality: 95,
        snapshot_px: 1000,
        blur: true,
    }
}

fn worker(dir: &Path) -> (Desk, Worker) {
    let (settings, counts, state) = (Arc::new(settings(dir)), Arc::new(Counts::default()), Arc::new(State::default()));
    let ((orders, incoming), (give_back, free)): ((Sender<Order>, _), _) = (bounded(4), bounded(4));
    let worker = Worker::new(Arc::clone(&settings), incoming, Arc::clone(&state), Arc::clone(&counts));
    (Desk { settings, orders, free, give_back, state, counts }, worker)
}

/// Stripes of two pixels, dark and bright.
fn pixels(desk: &Desk) -> Arc<Pixels> {
    let luma: Vec<u8> = (0..SIDE * SIDE).map(|i| if (i % SIDE / 2).is_multiple_of(2) { 20 } else { 230 }).collect();
    let chroma = vec![128; SIDE * SIDE / 2];
    let planes = Planes::Nv12 { y: Plane { data: &luma, stride: SIDE }, uv: Plane { data: &chroma, stride: SIDE } };
    let colour = Colour { matrix: Matrix::Bt601, range: Range::Full };
    desk.copy(&Picture { width: SIDE, height: SIDE, planes, colour }).unwrap()
}

fn next(worker: &Worker) -> Job {
    let Order::Job(job) = worker.orders.recv().unwrap() else { panic!("no job") };
    job
}

fn job(pixels: &Arc<Pixels>) -> Job {
    let id = ulid::Ulid::generate();
    Job { id, pixels: Arc::clone(pixels), snapshot: true, crop: None, hide: Vec::new(), plain: None }
}

/// Are there stripes around this point?
fn sharp(image: &RgbImage, (x, y): (u32, u32)) -> bool {
    let row: Vec<u8> = (x - 6..x + 6).map(|x| image.get_pixel(x, y).0[0]).collect();
    row.iter().max().unwrap() - row.iter().min().unwrap() > 100
}

#[test]
fn a_bystander_is_hidden_in_the_crop_too_and_the_subject_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let (desk, mut worker) = worker(dir.path());
    let subject = BBox::new(60.0, 60.0, 120.0, 180.0);
    let job = Job {
        crop: Some(BBox::new(40.0, 40.0, 140.0, 200.0)),
        hide: vec![BBox::new(100.0, 60.0, 180.0, 180.0)],
        plain: Some(subject),
        ..job(&pixels(&desk))
    };
    let id = job.id;
    worker.work(job);
    let of = |kind| image::open(path(dir.path(), id, kind)).unwrap().to_rgb8();
    let (whole, crop) = (of(Kind::Snapshot), of(Kind::Crop));
    assert_eq!(crop.dimensions(), (100, 160));
    for (at, shown) in [((80, 120), true), ((110, 120), true), ((130, 120), false), ((50, 120), true)] {
        assert_eq!(sharp(&whole, at), shown, "{at:?}");
        assert_eq!(sharp(&crop, (at.0 - 40, at.1 - 40)), shown, "{at:?}");
    }
    assert!(!sharp(&whole, (160, 120)));
}

#[test]
fn while_the_disk_takes_nothing_no_picture_is_promised() {
    let dir = tempfile::tempdir().unwrap();
    let (desk, mut worker) = worker(dir.path());
    let shared = pixels(&desk);
    let first = job(&shared);
    let day = path(dir.path(), first.id, Kind::Snapshot).parent().unwrap().to_owned();
    fs::write(&day, "in the way").unwrap();
    assert!(desk.take(first));
    let taken = next(&worker);
    worker.work(taken);
    assert!(!desk.take(job(&shared)));
    worker.probe();
    assert!(!desk.take(job(&shared)), "it still takes nothing");
    fs::remove_file(&day).unwrap();
    worker.probe();
    assert!(desk.take(job(&shared)));
    assert_eq!((desk.counts.failed.get(), desk.counts.dropped.get()), (1, 2));
    assert_eq!(fs::read_dir(&day).map_or(0, Iterator::count), 0, "nothing is left of the probe");
}

#[test]
fn events_of_a_frame_share_its_pixels_and_the_last_gives_the_memory_back() {
    let dir = tempfile::tempdir().unwrap();
    let (desk, mut worker) = worker(dir.path());
    let shared = pixels(&desk);
    assert!(desk.take(job(&shared)) && desk.take(job(&shared)));
    let waiting = || desk.state.waiting.load(Ordering::Relaxed);
    assert_eq!(waiting(), (SIDE * SIDE * 3 / 2) as u64, "counted once");
    drop(shared);
    for left in [1, 0] {
        assert!(desk.free.is_empty());
        let taken = next(&worker);
        worker.work(taken);
        assert_eq!(desk.free.is_empty(), left == 1);
    }
    assert_eq!(waiting(), 0);
}
