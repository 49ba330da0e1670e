//! Capture time: RTCP sender reports say what the camera's clock showed at an RTP time stamp (RFC 3550
//! 6.4.1). The jitter buffer's `handle-sync` signal pairs them with running time; it is there in every
//! GStreamer we support, while the newer reference-timestamp metadata is not.

use std::sync::Arc;

use gst::prelude::*;
use parking_lot::Mutex;

use super::liveness::StreamFacts;
use crate::types::time::{CaptureTime, Clock, Timestamp};

/// Seconds from 1900 (NTP) to 1970 (Unix).
const NTP_TO_UNIX_S: i128 = 2_208_988_800;
/// A camera whose clock is further off does not know the time; its frames carry our arrival time.
const MOST_SKEW_S: f64 = 10.0;

/// Relation of running time to the camera's clock.
#[derive(Debug, Default)]
pub(super) struct CaptureClock {
    /// Unix nanoseconds at running time 0.
    origin_ns: Mutex<Option<i128>>,
}

impl CaptureClock {
    /// Listens to the sender reports of `rtspsrc`.
    pub(super) fn listen(self: &Arc<Self>, rtspsrc: &gst::Element) {
        let clock = Arc::clone(self);
        rtspsrc.connect("new-manager", false, move |args| {
            let manager = args.get(1)?.get::<gst::Element>().ok()?;
            let clock = Arc::clone(&clock);
            manager.connect("new-jitterbuffer", false, move |args| {
                let jitterbuffer = args.get(1)?.get::<gst::Element>().ok()?;
                let clock = Arc::clone(&clock);
                jitterbuffer.connect("handle-sync", false, move |args| {
                    let report = args.get(1)?.get::<gst::Structure>().ok()?;
                    if let Some(origin) = origin(&report) {
                        *clock.origin_ns.lock() = Some(origin);
                    }
                    None
                });
                None
            });
            None
        });
    }

    /// Capture time of a frame at `running_time`, which arrived at `arrival`; and how far the camera's clock is ahead of
    /// ours, seconds.
    pub(super) fn capture(
        &self,
        running_time: gst::ClockTime,
        arrival: Timestamp,
        facts: &StreamFacts,
    ) -> (CaptureTime, Option<f32>) {
        let Some(origin) = *self.origin_ns.lock() else {
            return (CaptureTime { time: arrival, clock: Clock::Arrival }, None);
        };
        let time = Timestamp::from_nanos(origin + i128::from(running_time.nseconds()));
        let skew = time.seconds_since(arrival);
        *facts.clock_skew_ms.lock() = Some((skew * 1e3) as i64);
        let capture = if skew.abs() <= MOST_SKEW_S {
            CaptureTime { time, clock: Clock::Ntp }
        } else {
            CaptureTime { time: arrival, clock: Clock::Arrival }
        };
        (capture, Some(skew as f32))
    }
}

/// Unix nanoseconds at running time 0, from one `application/x-rtp-sync` structure.
fn origin(report: &gst::StructureRef) -> Option<i128> {
    let base_rtp = i128::from(report.get::<u64>("base-rtptime").ok()?);
    let base_time = i128::from(report.get::<u64>("base-time").ok()?);
    let rate = i128::from(report.get::<u32>("clock-rate").ok()?);
    let report_rtp = i128::from(report.get::<u64>("sr-ext-rtptime").ok()?);
    let buffer = report.get::<gst::Buffer>("sr-buffer").ok()?;
    let map = buffer.map_readable().ok()?;
    let ntp_ns = sender_report_time(&map)?;
    if rate == 0 {
        return None;
    }
    let running = base_time + (report_rtp - base_rtp) * 1_000_000_000 / rate;
    Some(ntp_ns - running)
}

/// Unix nanoseconds of the first sender report in an RTCP compound packet.
fn sender_report_time(packet: &[u8]) -> Option<i128> {
    let mut rest = packet;
    while let [first, kind, high, low, ..] = *rest {
        let bytes = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        if first >> 6 == 2 && kind == 200 {
            let seconds = u32::from_be_bytes(rest.get(8..12)?.try_into().ok()?);
            let fraction = u32::from_be_bytes(rest.get(12..16)?.try_into().ok()?);
            if seconds == 0 {
                // "May set it to zero where it has no notion of wall-clock time" (RFC 3550 6.4.1).
                return None;
            }
            let nanos = (i128::from(fraction) * 1_000_000_000) >> 32;
            return Some((i128::from(seconds) - NTP_TO_UNIX_S) * 1_000_000_000 + nanos);
        }
        rest = rest.get(bytes..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(seconds: u32, fraction: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 200, 0, 6, 1, 2, 3, 4];
        packet.extend(seconds.to_be_bytes());
        packet.extend(fraction.to_be_bytes());
        packet.extend([0; 12]);
        packet
    }

    #[test]
    fn ntp_time_of_a_sender_report_is_read() {
        // 3_900_000_000 s after 1900, and a half.
        let want = (3_900_000_000 - NTP_TO_UNIX_S) * 1_000_000_000 + 500_000_000;
        assert_eq!(sender_report_time(&report(3_900_000_000, 1 << 31)), Some(want));
    }

    #[test]
    fn a_report_behind_another_packet_is_found() {
        let mut packet = vec![0x80, 202, 0, 1, 0, 0, 0, 0];
        packet.extend(report(3_900_000_000, 0));
        assert!(sender_report_time(&packet).is_some());
    }

    #[test]
    fn a_camera_without_a_clock_and_short_packets_say_nothing() {
        assert_eq!(sender_report_time(&report(0, 0)), None);
        assert_eq!(sender_report_time(&report(3_900_000_000, 0)[..11]), None);
        assert_eq!(sender_report_time(&[]), None);
    }
}
