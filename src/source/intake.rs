//! The end of a session's pipeline: every decoded frame passes here on the decoder's thread, which must
//! not be held up (except for recordings that are read whole).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::capture::CaptureClock;
use super::liveness::{Liveness, Step, StreamFacts};
use super::ring::Feed;
use super::slot::{FrameSlot, Put};
use super::{Delivery, Frame, Notice, Notify};
use crate::telemetry::metrics::CameraMetrics;
use crate::types::frame::FrameMeta;
use crate::types::time::{CaptureTime, Clock, Timestamp};

/// A camera's time line over all its runs; zero is the first frame of the first run.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    epoch: Option<Instant>,
    latest: Duration,
}

impl Timeline {
    /// Where a run begins whose first frame is here now.
    fn begin_run(&mut self) -> Duration {
        match self.epoch {
            Some(epoch) => epoch.elapsed().max(self.latest),
            None => {
                self.epoch = Some(Instant::now());
                Duration::ZERO
            }
        }
    }
}

/// One session's intake.
pub(super) struct Intake {
    pub(super) run: u32,
    pub(super) delivery: Delivery,
    /// A camera, whose pictures have a place in wall-clock time; a recording's have none.
    pub(super) live: bool,
    pub(super) slot: Arc<FrameSlot>,
    pub(super) metrics: Arc<CameraMetrics>,
    pub(super) facts: Arc<StreamFacts>,
    pub(super) liveness: Arc<Liveness>,
    pub(super) clock: Arc<CaptureClock>,
    pub(super) notify: Notify,
    pub(super) timeline: Arc<Mutex<Timeline>>,
    /// False once the session is over: a pipeline that was left behind must not deliver.
    pub(super) open: Arc<AtomicBool>,
    /// Has to know how running time and the time line belong together.
    pub(super) feed: Option<Feed>,
    pub(super) due: Due,
    pub(super) seq: u64,
    /// Running time of the first frame and the run's place on the time line.
    pub(super) base: Option<(gst::ClockTime, Duration)>,
    pub(super) info: Option<(gst::Caps, gst_video::VideoInfo)>,
}

impl Intake {
    /// Recordings and test pictures play at their own pace, except where each frame is wanted.
    pub(super) fn live_pace(&self) -> bool {
        self.delivery == Delivery::Newest
    }

    /// Builds the appsink that feeds it.
    pub(super) fn into_sink(mut self, sync: bool) -> gst_app::AppSink {
        let every = self.delivery == Delivery::Every;
        gst_app::AppSink::builder()
            .name("intake")
            .caps(
                &gst::Caps::builder("video/x-raw")
                    .field("format", gst::List::new(["I420", "NV12", "Y42B", "Y444"]))
                    .build(),
            )
            .sync(sync)
            .max_buffers(1)
            .drop(!every)
            .enable_last_sample(false)
            .callbacks(
                gst_app::AppSinkCallbacks::builder()
                    .new_sample(move |sink| {
                        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                        self.sample(&sample)
                    })
                    .build(),
            )
            .build()
    }

    fn sample(&mut self, sample: &gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> {
        if !self.open.load(Ordering::Acquire) {
            return Err(gst::FlowError::Eos);
        }
        let (Some(buffer), Some(caps)) = (sample.buffer_owned(), sample.caps_owned()) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            self.metrics.corrupted.inc();
            return Ok(gst::FlowSuccess::Ok);
        }
        let (arrival, received) = (Timestamp::now(), Instant::now());
        let running = sample
            .segment()
            .and_then(|segment| segment.downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts()?))
            .or(buffer.pts());
        let media_time = self.media_time(running);
        let Some(info) = self.video_info(caps) else { return Err(gst::FlowError::NotNegotiated) };
        self.seq += 1;
        self.liveness.frame();
        self.facts.reach(Step::Frames);
        self.metrics.frame_received();
        if self.seq == 1 {
            // Before the frame itself, so that nothing is told of a camera that is not online yet.
            (self.notify)(Notice::Online { run: self.run });
            self.metrics.update_status(|status| {
                status.width = info.width();
                status.height = info.height();
            });
        }
        if !self.due.is_due(media_time) {
            self.metrics.skipped.inc();
            return Ok(gst::FlowSuccess::Ok);
        }
        let (capture, clock_skew_s) = match (self.live, running) {
            (true, Some(running)) => self.clock.capture(running, arrival, &self.facts),
            (true, None) => (CaptureTime { time: arrival, clock: Clock::Arrival }, None),
            (false, _) => (CaptureTime { time: Timestamp(as_micros(media_time)), clock: Clock::Free }, None),
        };
        let meta = FrameMeta {
            run: self.run,
            seq: self.seq,
            width: info.width(),
            height: info.height(),
            capture,
            clock_skew_s,
            arrival,
            received,
            media_time,
        };
        let Some(frame) = Frame::map(meta, buffer, &info) else { return Err(gst::FlowError::Error) };
        match self.slot.put(frame) {
            Put::Stored => Ok(gst::FlowSuccess::Ok),
            Put::Replaced => {
                self.metrics.replaced.inc();
                Ok(gst::FlowSuccess::Ok)
            }
            Put::Closed => Err(gst::FlowError::Eos),
        }
    }

    /// Place on the camera's time line; never goes back.
    fn media_time(&mut self, running: Option<gst::ClockTime>) -> Duration {
        let mut timeline = self.timeline.lock();
        let time = match (self.base, running) {
            (Some((first, start)), Some(now)) => start + Duration::from_nanos(now.saturating_sub(first).nseconds()),
            (None, Some(first)) => {
                let start = timeline.begin_run();
                self.base = Some((first, start));
                if let Some(feed) = &self.feed {
                    feed.began(Duration::from_nanos(first.nseconds()), start);
                }
                start
            }
            // No time stamp: a recording must not depend on how fast it is read.
            (_, None) if !self.live => timeline.latest,
            (_, None) => timeline.begin_run(),
        };
        timeline.latest = timeline.latest.max(time);
        timeline.latest
    }

    /// Caps are parsed when they change, not for every frame.
    fn video_info(&mut self, caps: gst::Caps) -> Option<gst_video::VideoInfo> {
        if let Some((known, info)) = &self.info
            && *known == caps
        {
            return Some(info.clone());
        }
        let info = gst_video::VideoInfo::from_caps(&caps).ok()?;
        let fps = info.fps();
        *self.facts.promised_fps.lock() =
            (fps.numer() > 0 && fps.denom() > 0).then(|| f64::from(fps.numer()) / f64::from(fps.denom()));
        self.metrics.update_status(|status| {
            status.width = info.width();
            status.height = info.height();
        });
        self.info = Some((caps, info.clone()));
        Some(info)
    }
}

fn as_micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// Thins frames out to a rate without drifting from it.
#[derive(Debug)]
pub(super) struct Due {
    period: Option<Duration>,
    next: Duration,
    last: Duration,
}

impl Due {
    pub(super) fn new(fps: Option<f32>) -> Self {
        let period = fps.filter(|fps| *fps > 0.0).map(|fps| Duration::from_secs_f64(1.0 / f64::from(fps)));
        Self { period, next: Duration::ZERO, last: Duration::ZERO }
    }

    fn is_due(&mut self, time: Duration) -> bool {
        let Some(period) = self.period else { return true };
        let interval = time.saturating_sub(std::mem::replace(&mut self.last, time));
        // Time stamps jitter: a frame a little early is the one that was meant, unless another is nearer.
        if time + (period / 5).min(interval / 2) < self.next {
            return false;
        }
        self.next = (self.next + period).max(time + period / 2);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analysed(fps: f32, camera_fps: u64, jitter_ms: u64) -> usize {
        let mut due = Due::new(Some(fps));
        (0..camera_fps * 10)
            .filter(|n| {
                due.is_due(Duration::from_millis(n * 1000 / camera_fps + if n % 2 == 0 { jitter_ms } else { 0 }))
            })
            .count()
    }

    #[test]
    fn frames_are_thinned_to_the_rate_without_drift() {
        assert_eq!(analysed(5.0, 30, 0), 50);
        assert_eq!(analysed(15.0, 15, 5), 150, "jitter costs no frame");
        assert!((98..=102).contains(&analysed(10.0, 25, 0)));
        assert_eq!(analysed(60.0, 15, 0), 150, "there are no more frames than the camera sends");
    }

    #[test]
    fn after_a_gap_it_does_not_catch_up() {
        let mut due = Due::new(Some(1.0));
        assert!(due.is_due(Duration::ZERO));
        assert!(due.is_due(Duration::from_secs(60)));
        assert!(!due.is_due(Duration::from_millis(60_100)));
    }
}
