//! One session: a pipeline from birth to teardown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gst::prelude::*;
use parking_lot::Mutex;

use super::branch::{self, Shared};
use super::capture::CaptureClock;
use super::fault::{Fault, FaultClass, classify};
use super::intake::{Due, Intake, Timeline};
use super::liveness::{Liveness, Step, StreamFacts};
use super::redirect::Hops;
use super::ring::Feed;
use super::teardown::Teardowns;
use super::{Delivery, Setup};
use crate::config::{Camera, SourceKind, Transport};

const POLL: Duration = Duration::from_millis(100);

/// How a session ended.
#[derive(Debug)]
pub(super) enum End {
    /// Asked to.
    Stopped,
    /// The recording is over.
    Finished,
    /// It failed.
    Failed(Fault),
}

/// What a session reports back.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) end: End,
    /// Frames it delivered.
    pub(super) frames: u64,
    /// Time from its first frame to its end.
    pub(super) streamed: Duration,
    /// Decoder it used and whether that is hardware; empty where it did not come so far.
    pub(super) decoder: (String, bool),
}

/// What lasts over all sessions of a camera.
pub(super) struct Context<'a> {
    pub(super) setup: &'a Setup,
    pub(super) stop: &'a AtomicBool,
    pub(super) facts: &'a Arc<StreamFacts>,
    pub(super) timeline: &'a Arc<Mutex<Timeline>>,
    pub(super) teardowns: &'a Teardowns,
    pub(super) quarantined: &'a std::collections::BTreeSet<String>,
    /// UDP or TCP, never both.
    pub(super) transport: Transport,
}

/// Runs one session. `online` is called once, at its first frame.
pub(super) fn run_once(context: &Context<'_>, run: u32, online: &mut dyn FnMut()) -> Report {
    let setup = context.setup;
    context.facts.restart();
    *context.facts.decoder.lock() = (String::new(), false);
    let liveness = Arc::new(Liveness::new());
    let open = Arc::new(AtomicBool::new(true));
    let fault = Arc::new(Mutex::new(None));
    let report = |end: End| Report {
        end,
        frames: liveness.frames(),
        streamed: Duration::ZERO,
        decoder: context.facts.decoder.lock().clone(),
    };
    if let Err(fault) = readable(&setup.camera) {
        return report(End::Failed(fault));
    }
    let feed = setup.ring.as_ref().map(|ring| ring.begin(run));
    let shared = Shared {
        camera: Arc::clone(&setup.camera),
        policy: setup.policy,
        transport: context.transport,
        metrics: Arc::clone(&setup.metrics),
        facts: Arc::clone(context.facts),
        liveness: Arc::clone(&liveness),
        quarantined: context.quarantined.clone(),
        fault: Arc::clone(&fault),
        feed: feed.clone(),
    };
    let intake = Intake {
        run,
        delivery: setup.delivery,
        live: !matches!(setup.camera.source, SourceKind::File { .. }) && setup.delivery == Delivery::Newest,
        slot: Arc::clone(&setup.slot),
        metrics: Arc::clone(&setup.metrics),
        facts: Arc::clone(context.facts),
        liveness: Arc::clone(&liveness),
        clock: Arc::new(CaptureClock::default()),
        notify: Arc::clone(&setup.notify),
        timeline: Arc::clone(context.timeline),
        open: Arc::clone(&open),
        feed: feed.clone(),
        due: Due::new(setup.camera.detect_fps),
        seq: 0,
        base: None,
        info: None,
    };
    let pipeline = gst::Pipeline::new();
    let Some(bus) = pipeline.bus() else {
        return report(End::Failed(Fault::new(FaultClass::Internal, "a pipeline without a bus")));
    };
    let pipeline_and_bus = Some((pipeline.clone(), bus.clone()));
    let mut ending = Ending { context, open: Arc::clone(&open), feed, pipeline: pipeline_and_bus };
    let hops = Arc::new(Hops::default());
    let mut first_frame: Option<Duration> = None;
    let end = match branch::build(&pipeline, &shared, intake) {
        Err(fault) => End::Failed(fault),
        Ok(source) => {
            if let SourceKind::Rtsp { url } = &setup.camera.source {
                hops.guard(&bus, &source, url);
            }
            let mut watch = Watch { context, liveness: &liveness, hops: &hops, pipeline: &pipeline, bus: &bus };
            watch.run(&mut || {
                first_frame.get_or_insert_with(|| liveness.age());
                online();
            })
        }
    };
    open.store(false, Ordering::Release);
    // A streaming thread that waits for the slot lets go of it, and of its pipeline, here.
    if setup.delivery == Delivery::Every && !matches!(end, End::Finished) {
        setup.slot.close();
    }
    // What a streaming thread found is more exact than what the bus says of it.
    let end = match (end, fault.lock().take()) {
        (End::Failed(_), Some(exact)) => End::Failed(exact),
        (end, _) => end,
    };
    let streamed = first_frame.map_or(Duration::ZERO, |first| liveness.age().saturating_sub(first));
    drop((pipeline, bus));
    ending.teardown();
    Report { end, frames: liveness.frames(), streamed, decoder: context.facts.decoder.lock().clone() }
}

/// Takes the pipeline down when the session ends, by a panic too.
struct Ending<'a> {
    context: &'a Context<'a>,
    open: Arc<AtomicBool>,
    feed: Option<Feed>,
    pipeline: Option<(gst::Pipeline, gst::Bus)>,
}

impl Ending<'_> {
    fn teardown(&mut self) {
        self.open.store(false, Ordering::Release);
        self.feed.iter().for_each(Feed::end);
        let Some((pipeline, bus)) = self.pipeline.take() else { return };
        if !self.context.teardowns.run(pipeline, bus) {
            self.context.setup.metrics.slow_teardowns.inc();
            tracing::warn!("the pipeline did not end in time and was left behind");
        }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.teardown();
    }
}

/// A file must be a regular file: opening a pipe without a writer would block for ever.
fn readable(camera: &Camera) -> Result<(), Fault> {
    let SourceKind::File { path, .. } = &camera.source else { return Ok(()) };
    let not_found = |what: String| Fault::new(FaultClass::NotFound, format!("{}: {what}", path.display()));
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(not_found("no such recording".to_owned())),
        Err(error) => Err(not_found(error.to_string())),
        Ok(meta) if !meta.is_file() => Err(not_found("is not a regular file".to_owned())),
        Ok(meta) if meta.len() == 0 => Err(not_found("is empty".to_owned())),
        Ok(_) => Ok(()),
    }
}

/// Watches a running pipeline.
struct Watch<'a> {
    context: &'a Context<'a>,
    liveness: &'a Liveness,
    hops: &'a Hops,
    pipeline: &'a gst::Pipeline,
    bus: &'a gst::Bus,
}

impl Watch<'_> {
    fn run(&mut self, online: &mut dyn FnMut()) -> End {
        if self.pipeline.set_state(gst::State::Playing).is_err() {
            // The element's own words wait on the bus.
            let message = self.bus.timed_pop_filtered(gst::ClockTime::from_mseconds(500), &[gst::MessageType::Error]);
            return End::Failed(match message.as_ref().map(|m| m.view()) {
                Some(gst::MessageView::Error(error)) => classify(error),
                _ => Fault::new(FaultClass::Internal, "the pipeline does not start"),
            });
        }
        let kinds = [
            gst::MessageType::Error,
            gst::MessageType::Eos,
            gst::MessageType::Latency,
            gst::MessageType::Element,
            gst::MessageType::Progress,
        ];
        let mut is_online = false;
        loop {
            self.context.setup.stage.busy();
            if self.context.stop.load(Ordering::SeqCst) {
                return End::Stopped;
            }
            let poll = gst::ClockTime::from_nseconds(u64::try_from(POLL.as_nanos()).unwrap_or(0));
            let message = self.bus.timed_pop_filtered(poll, &kinds);
            // Before the message: it may be the end of a session that did deliver.
            if !is_online && self.liveness.frames() > 0 {
                is_online = true;
                self.learn_duration();
                online();
            }
            if let Some(end) = message.as_ref().and_then(|message| self.message(message)) {
                return end;
            }
            // A flood of messages must not keep the deadlines from being looked at.
            if let Some(fault) = self.overdue() {
                return End::Failed(fault);
            }
        }
    }

    fn message(&self, message: &gst::Message) -> Option<End> {
        match message.view() {
            gst::MessageView::Error(error) => Some(End::Failed(self.explained(classify(error)))),
            gst::MessageView::Eos(_) => self.end_of_stream(),
            gst::MessageView::Latency(_) => {
                let _ = self.pipeline.recalculate_latency();
                None
            }
            gst::MessageView::Element(element) => element
                .structure()
                .is_some_and(|s| s.name() == "GstRTSPSrcTimeout")
                .then(|| End::Failed(Fault::new(FaultClass::Stall, "no RTCP from the camera"))),
            gst::MessageView::Progress(progress) => {
                let (kind, code, _) = progress.get();
                match (kind, code) {
                    // The first of these comes after the connection, "start" before it.
                    (gst::ProgressType::Continue, "open") => {
                        self.context.facts.reach(Step::Reached);
                    }
                    (gst::ProgressType::Complete, "request") => {
                        self.context.facts.reach(Step::Playing);
                        self.liveness.playing();
                    }
                    _ => {}
                }
                None
            }
            _ => None,
        }
    }

    /// What went before may explain a failure better than its own words.
    fn explained(&self, fault: Fault) -> Fault {
        let http = matches!(self.context.setup.camera.source, SourceKind::Http { .. });
        if http && fault.class == FaultClass::Decode && self.liveness.packet_age().is_none() {
            return Fault::new(FaultClass::Timeout, "the server sends nothing");
        }
        if self.hops.foreign() && fault.class == FaultClass::Auth {
            let detail = "the camera sends us to another host, which asks for a password; none was sent there";
            return Fault::new(FaultClass::Redirected, detail);
        }
        fault
    }

    fn end_of_stream(&self) -> Option<End> {
        let SourceKind::File { repeat, .. } = &self.context.setup.camera.source else {
            return Some(End::Failed(Fault::new(FaultClass::Disconnected, "the stream ended")));
        };
        if self.liveness.frames() == 0 {
            return Some(End::Failed(Fault::new(
                FaultClass::NoFrames,
                "the recording has no video that can be decoded",
            )));
        }
        if *repeat && self.context.setup.delivery == Delivery::Newest {
            return Some(End::Failed(Fault::new(FaultClass::Disconnected, "")));
        }
        Some(End::Finished)
    }

    /// The first deadline that has passed.
    fn overdue(&self) -> Option<Fault> {
        let camera = &self.context.setup.camera;
        let live = self.liveness;
        if self.hops.too_many() {
            return Some(Fault::new(FaultClass::Redirected, "the camera sends us round in circles"));
        }
        // Whoever takes every frame of a recording sets the pace.
        if self.context.setup.delivery == Delivery::Every && live.frames() > 0 {
            return None;
        }
        if matches!(camera.source, SourceKind::File { .. }) {
            // A recording may hold gaps, and its pictures wait for their time. Only before the first one
            // there is a deadline: the end of a file whose index is missing reaches nobody.
            let silent = live.packet_age().is_none_or(|age| age > camera.stall_timeout);
            let hopeless = silent && live.picture_age().is_none() && live.age() > camera.stall_timeout;
            let detail = "the recording gives no picture; it is damaged or incomplete";
            return hopeless.then(|| Fault::new(FaultClass::Decode, detail));
        }
        let Some(playing) = live.playing_for().or_else(|| live.packet_age().map(|_| live.age())) else {
            // Each step has its own time-out; a server that trickles bytes passes them all.
            let limit = camera.connect_timeout * 3;
            return (live.age() > limit)
                .then(|| Fault::new(FaultClass::Timeout, format!("not connected after {} s", limit.as_secs_f32())));
        };
        let Some(packet_age) = live.packet_age() else {
            return (playing > camera.first_frame_timeout).then(|| {
                let seconds = camera.first_frame_timeout.as_secs_f32();
                Fault::new(FaultClass::NoData, format!("connected, but nothing came for {seconds} s"))
            });
        };
        // A stream in parts (HLS) is fetched by elements whose packets nobody counts.
        let packet_age = [Some(packet_age), live.picture_age(), live.frame_age()].into_iter().flatten().min();
        let packet_age = packet_age.unwrap_or_default();
        let interval = live.frame_interval().unwrap_or(Duration::ZERO);
        let stall = camera.stall_timeout.max(interval * 3);
        if packet_age > stall {
            return Some(Fault::new(FaultClass::Stall, format!("nothing came for {:.1} s", packet_age.as_secs_f32())));
        }
        let seconds = camera.first_frame_timeout.as_secs_f32();
        let late = |age: Option<Duration>| age.unwrap_or(playing) > camera.first_frame_timeout.max(interval * 3);
        if live.frames() == 0 && playing > camera.first_frame_timeout && live.picture_age().is_none() {
            let detail = format!("packets come, but no whole picture in {seconds} s");
            // Only coded RTP has parameter sets that could be missing.
            let rtsp = matches!(camera.source, SourceKind::Rtsp { .. });
            return Some(Fault::new(if rtsp { FaultClass::NoParameterSets } else { FaultClass::NoFrames }, detail));
        }
        if late(live.picture_age()) && live.frames() > 0 {
            return Some(Fault::new(FaultClass::Stall, format!("packets come, but no picture for {seconds} s")));
        }
        if playing > camera.first_frame_timeout && late(live.frame_age()) {
            return Some(Fault::new(FaultClass::NoFrames, format!("pictures come, but none decoded in {seconds} s")));
        }
        None
    }

    fn learn_duration(&self) {
        if let Some(time) = self.pipeline.query_duration::<gst::ClockTime>() {
            *self.context.facts.duration.lock() = Some(Duration::from_nanos(time.nseconds()));
        }
    }
}
