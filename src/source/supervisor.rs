//! The outer loop of a camera: try, warn, wait, for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, Hasher};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::fault::{Fault, FaultClass};
use super::intake::Timeline;
use super::liveness::StreamFacts;
use super::reach;
use super::session::{self, Context, End, Report};
use super::teardown::Teardowns;
use super::{Delivery, Notice, Setup};
use crate::config::{Camera, SourceKind, Transport};

/// A session that streamed this long was a good one: the next wait is short again.
const STABLE: Duration = Duration::from_secs(10);
/// Sessions without a frame before a hardware decoder is given up for this camera.
const DECODER_CHANCES: u32 = 2;
/// A camera that stays down is told of again this often.
const REMINDER: Duration = Duration::from_secs(600);

pub(super) fn start(setup: Setup, stop: Arc<AtomicBool>, facts: Arc<StreamFacts>) -> std::io::Result<JoinHandle<()>> {
    let span = tracing::info_span!("camera", id = %setup.camera.id);
    std::thread::Builder::new().name(format!("source {}", setup.camera.id)).spawn(move || {
        let _entered = span.entered();
        run(&setup, &stop, &facts);
        setup.stage.idle();
        if setup.delivery == Delivery::Every {
            setup.slot.close();
        }
    })
}

fn run(setup: &Setup, stop: &AtomicBool, facts: &Arc<StreamFacts>) {
    let timeline = Arc::new(Mutex::new(Timeline::default()));
    let teardowns = Teardowns::default();
    let mut quarantine = Quarantine::default();
    let mut backoff = Backoff::new(&setup.camera);
    let mut trouble = Trouble::default();
    let mut transport = setup.camera.transport;
    if transport == Transport::Auto {
        transport = Transport::Udp;
    }
    // Sessions without a frame are attempts, not runs.
    let mut run = 1;
    let mut repeating = false;
    while !stop.load(Ordering::SeqCst) {
        while teardowns.exhausted() && !stop.load(Ordering::SeqCst) {
            sleep(Duration::from_secs(1), setup, stop);
        }
        let context = Context {
            setup,
            stop,
            facts,
            timeline: &timeline,
            teardowns: &teardowns,
            quarantined: &quarantine.decoders,
            transport,
        };
        let mut online = || {
            trouble.over(repeating);
            setup.metrics.update_status(|status| {
                status.online = true;
                status.run = run;
                status.fault.clear();
                status.detail.clear();
            });
        };
        // A panic in here is this camera's trouble; it is counted and the session built anew.
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| session::run_once(&context, run, &mut online)));
        let report = caught.unwrap_or_else(|_| {
            setup.metrics.panics.inc();
            Report {
                end: End::Failed(Fault::new(FaultClass::Internal, "panic in the source; see the log")),
                frames: 0,
                streamed: Duration::ZERO,
                decoder: (String::new(), false),
            }
        });
        // Closing the slot ends the stream: not a fault when we did it.
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let this_run = run;
        run += u32::from(report.frames > 0);
        let mut fault = match report.end {
            End::Stopped => break,
            End::Finished => {
                setup.metrics.update_status(|status| status.online = false);
                (setup.notify)(Notice::Ended);
                break;
            }
            // A repeated recording begins again at once, and without a word.
            End::Failed(_) if repeats(setup, &report) => {
                repeating = true;
                continue;
            }
            End::Failed(ref fault) => fault.clone(),
        };
        setup.metrics.reconnects.inc();
        if fault.class == FaultClass::Unreachable
            && trouble.class != Some(FaultClass::Unreachable)
            && let Some(why) = reach::explain(&setup.camera.source)
        {
            fault.detail = why;
        }
        process::trim_memory();
        let rtsp = matches!(setup.camera.source, SourceKind::Rtsp { .. });
        if rtsp && let Some(reason) = quarantine.learn(&report) {
            tracing::warn!("{reason}");
            (setup.notify)(Notice::Degraded { reason });
        }
        if setup.camera.transport == Transport::Auto && report.frames == 0 && blames_transport(fault.class) {
            transport = if transport == Transport::Udp { Transport::Tcp } else { Transport::Udp };
            tracing::info!(class = %fault.class, ?transport, "the other transport is tried next");
            if transport == Transport::Tcp {
                continue;
            }
        }
        let wait = backoff.next(report.streamed >= STABLE, fault.class);
        setup.metrics.update_status(|status| {
            status.online = false;
            status.run = this_run;
            fault.class.name().clone_into(&mut status.fault);
            status.detail.clone_from(&fault.detail);
        });
        if setup.delivery == Delivery::Newest {
            trouble.tell(&fault, wait);
        }
        (setup.notify)(Notice::Offline { fault, retry_in: wait });
        if setup.delivery == Delivery::Every {
            break;
        }
        sleep(wait, setup, stop);
    }
}

/// True where another transport may help: nothing arrived, or this one was refused.
fn blames_transport(class: FaultClass) -> bool {
    matches!(class, FaultClass::NoData | FaultClass::Transport)
}

fn repeats(setup: &Setup, report: &Report) -> bool {
    matches!(setup.camera.source, SourceKind::File { repeat: true, .. })
        && report.frames > 0
        && matches!(&report.end, End::Failed(fault) if fault.class == FaultClass::Disconnected && fault.detail.is_empty())
}

fn sleep(time: Duration, setup: &Setup, stop: &AtomicBool) {
    setup.stage.idle();
    let until = Instant::now() + time;
    while !stop.load(Ordering::SeqCst) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// Exponential waits with jitter, so that cameras behind one switch do not come back as a herd.
struct Backoff {
    min: Duration,
    max: Duration,
    refused: Duration,
    next: Duration,
    random: u64,
}

impl Backoff {
    fn new(camera: &Camera) -> Self {
        let seed = std::collections::hash_map::RandomState::new().build_hasher().finish() | 1;
        Self {
            min: camera.retry_min,
            max: camera.retry_max,
            refused: camera.retry_refused,
            next: camera.retry_min,
            random: seed,
        }
    }

    fn next(&mut self, was_stable: bool, class: FaultClass) -> Duration {
        if was_stable {
            self.next = self.min;
        }
        let base = if class.retry_slowly() { self.next.max(self.refused) } else { self.next };
        self.next = (self.next * 2).min(self.max);
        // xorshift64* (Vigna, 2016): 0.75 to 1.25 times the wait.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let random = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D);
        base.mul_f64(0.75 + 0.5 * (random >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// Hardware decoders that gave this camera no picture.
#[derive(Default)]
struct Quarantine {
    decoders: BTreeSet<String>,
    failures: BTreeMap<String, u32>,
}

impl Quarantine {
    fn learn(&mut self, report: &Report) -> Option<String> {
        let (decoder, hardware) = &report.decoder;
        let End::Failed(fault) = &report.end else { return None };
        if report.frames > 0 {
            self.failures.remove(decoder);
            return None;
        }
        let blames_decoder = matches!(fault.class, FaultClass::NoFrames | FaultClass::Decode);
        if !hardware || decoder.is_empty() || decoder == "none" || !blames_decoder {
            return None;
        }
        let failures = self.failures.entry(decoder.clone()).or_default();
        *failures += 1;
        if *failures < DECODER_CHANCES {
            return None;
        }
        let first = self.decoders.insert(decoder.clone());
        first
            .then(|| format!("decoder {decoder} gave no picture in {failures} sessions; the next one in line is tried"))
    }
}

/// One line when a camera goes down and one when it is back, not one per attempt.
#[derive(Default)]
struct Trouble {
    class: Option<FaultClass>,
    since: Option<Instant>,
    told: Option<Instant>,
    attempts: u64,
}

impl Trouble {
    fn tell(&mut self, fault: &Fault, wait: Duration) {
        self.attempts += 1;
        let since = *self.since.get_or_insert_with(Instant::now);
        let retry_in_s = (wait.as_secs_f64() * 10.0).round() / 10.0;
        if self.class != Some(fault.class) {
            self.class = Some(fault.class);
            self.told = Some(Instant::now());
            tracing::warn!(class = %fault.class, retry_in_s, "camera offline: {} ({})", fault.detail, fault.class.advice());
        } else if self.told.is_none_or(|told| told.elapsed() >= REMINDER) {
            self.told = Some(Instant::now());
            let down_s = since.elapsed().as_secs();
            tracing::warn!(class = %fault.class, attempts = self.attempts, down_s, "camera still offline: {}", fault.detail);
        } else {
            tracing::debug!(class = %fault.class, retry_in_s, "camera offline: {}", fault.detail);
        }
    }

    fn over(&mut self, repeating: bool) {
        match self.since {
            None if repeating => {}
            Some(since) => {
                tracing::info!(down_s = since.elapsed().as_secs(), attempts = self.attempts, "camera online again")
            }
            None => tracing::info!("camera online"),
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backoff() -> Backoff {
        Backoff {
            min: Duration::from_millis(500),
            max: Duration::from_secs(30),
            refused: Duration::from_secs(60),
            next: Duration::from_millis(500),
            random: 42,
        }
    }

    #[test]
    fn waits_double_up_to_the_maximum_with_a_quarter_of_jitter() {
        let mut backoff = backoff();
        let mut want = 0.5;
        for _ in 0..12 {
            let wait = backoff.next(false, FaultClass::Stall).as_secs_f64();
            assert!((want * 0.75..=want * 1.25).contains(&wait), "{wait} is not {want} +- 25 %");
            want = f64::min(want * 2.0, 30.0);
        }
        let wait = backoff.next(true, FaultClass::Stall).as_secs_f64();
        assert!(wait <= 0.625, "after a good session it begins anew");
    }

    #[test]
    fn a_refused_password_waits_long_from_the_first_time() {
        assert!(backoff().next(false, FaultClass::Auth) >= Duration::from_secs(45));
    }

    #[test]
    fn jitter_differs_between_cameras() {
        let (mut a, mut b) = (backoff(), Backoff { random: 43, ..backoff() });
        assert_ne!(a.next(false, FaultClass::Stall), b.next(false, FaultClass::Stall));
    }

    #[test]
    fn a_hardware_decoder_without_a_picture_is_quarantined_after_two_sessions() {
        let failed = |class, frames| Report {
            end: End::Failed(Fault::new(class, "")),
            frames,
            streamed: Duration::ZERO,
            decoder: ("nvh264dec".to_owned(), true),
        };
        let mut quarantine = Quarantine::default();
        assert_eq!(quarantine.learn(&failed(FaultClass::NoFrames, 0)), None);
        assert_eq!(quarantine.learn(&failed(FaultClass::Stall, 0)), None, "a stall is not the decoder's fault");
        assert!(quarantine.learn(&failed(FaultClass::NoFrames, 0)).is_some());
        assert!(quarantine.decoders.contains("nvh264dec"));
    }
}
