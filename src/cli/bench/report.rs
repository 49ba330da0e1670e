//! The table, and the same as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::super::workbench::{About, Mode};
use super::latency::Latency;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) schema: &'static str,
    pub(super) about: About,
    /// Of each measurement.
    pub(super) seconds: f64,
    /// Asked for; `null`: as fast as they are taken.
    pub(super) fps: Option<f64>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rows: Vec<Row>,
}

/// So many cameras in one mode.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) mode: Mode,
    pub(super) cameras: usize,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(flatten)]
    pub(super) figure: Option<Figure>,
}

#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub(super) seconds: f64,
    pub(super) frames: u64,
    pub(super) fps: f64,
    pub(super) fps_per_camera: f64,
    pub(super) slowest_camera_fps: f64,
    pub(super) latency_ms: Latency,
    /// Of one core.
    pub(super) cpu_percent: f64,
    pub(super) cpu_ms_per_frame: f64,
    /// Part of the above that is inference on the CPU.
    pub(super) model_cpu_ms_per_frame: f64,
    pub(super) resident_bytes: Option<u64>,
    #[serde(flatten)]
    pub(super) memory: Memory,
    /// Frames a second of the same engines without a pipeline; `null` with `--fps`, or where they failed.
    pub(super) bare_fps: Option<f64>,
    /// `fps / bare_fps`.
    pub(super) ratio: Option<f64>,
    pub(super) objects_per_frame: f64,
    /// By model.
    pub(super) runs_per_frame: BTreeMap<String, f64>,
    /// Frames that a newer one replaced before they were looked at.
    pub(super) replaced: u64,
    /// Frames whose analysis failed.
    pub(super) failed: u64,
    /// Answers that further models failed to give.
    pub(super) unanswered: u64,
}

/// Memory on the device, and of the host where it is locked for the device.
#[derive(Debug, Serialize)]
pub(super) struct Memory {
    pub(super) device_bytes: u64,
    /// By owner.
    pub(super) device_memory: BTreeMap<String, u64>,
    /// On the device in all: with what libraries keep for themselves, and other processes.
    pub(super) device_used_bytes: Option<u64>,
}

impl Memory {
    pub(super) fn new(owners: Vec<(String, u64)>, device_used_bytes: Option<u64>) -> Self {
        let device_bytes = owners.iter().map(|(_, bytes)| bytes).sum();
        Self { device_bytes, device_memory: owners.into_iter().collect(), device_used_bytes }
    }

    /// In one line, cameras together.
    fn line(&self) -> String {
        let (mut parts, mut cameras, mut sum) = (Vec::new(), 0_u64, 0);
        for (owner, bytes) in &self.device_memory {
            if owner.starts_with("camera ") {
                cameras += 1;
                sum += bytes;
            } else {
                parts.push(format!("{owner} {}", megabytes(*bytes)));
            }
        }
        if let Some(each) = sum.checked_div(cameras) {
            parts.push(format!("cameras {} ({} each)", megabytes(sum), megabytes(each)));
        }
        let used = self.device_used_bytes.map(|used| format!("; the device's in use, all told: {}", megabytes(used)));
        parts.join(", ") + &used.unwrap_or_default()
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Above the rows.
pub(super) fn head(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{:<9} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>8} {:>9} {:>9} {:>6}",
        "mode",
        "cameras",
        "frames/s",
        "/camera",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "max ms",
        "CPU %",
        "RAM MB",
        "device MB",
        "bare /s",
        "ratio"
    )
}

impl Row {
    /// True where all that was asked for was measured.
    pub(super) fn is_whole(&self) -> bool {
        self.figure.as_ref().is_some_and(|figure| figure.failed + figure.unanswered == 0)
    }

    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (mode, cameras) = (self.mode.name(), self.cameras);
        let Some(figure) = &self.figure else {
            return writeln!(out, "{mode:<9} {cameras:>7} {}", self.error.as_deref().unwrap_or("not measured"));
        };
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let Latency { p50, p95, p99, max } = figure.latency_ms;
        let ram = or_dash(figure.resident_bytes.map(|bytes| (bytes >> 20).to_string()));
        let device = or_dash((figure.memory.device_bytes > 0).then(|| megabytes(figure.memory.device_bytes)));
        let bare = or_dash(figure.bare_fps.map(|fps| format!("{fps:.1}")));
        let ratio = or_dash(figure.ratio.map(|ratio| format!("{ratio:.3}")));
        let Figure { fps, fps_per_camera, cpu_percent, .. } = figure;
        writeln!(
            out,
            "{mode:<9} {cameras:>7} {fps:>9.1} {fps_per_camera:>8.1} {p50:>8.2} {p95:>8.2} {p99:>8.2} {max:>8.2} \
             {cpu_percent:>6.0} {ram:>8} {device:>9} {bare:>9} {ratio:>6}"
        )?;
        if figure.replaced > 0 {
            let share = 100.0 * figure.replaced as f64 / (figure.replaced + figure.frames) as f64;
            writeln!(out, "{:17} {} frames ({share:.0} %) were replaced by newer ones", "", figure.replaced)?;
        }
        if !self.is_whole() {
            let (failed, unanswered) = (figure.failed, figure.unanswered);
            writeln!(
                out,
                "{:17} {failed} frames failed, {unanswered} answers were not given: see the log, and run watchkeeper stress",
                ""
            )?;
        }
        Ok(())
    }
}

impl Report {
    /// Below the rows.
    pub(super) fn foot(&self, out: &mut impl Write) -> io::Result<()> {
        let figures = || self.rows.iter().filter_map(|row| Some((row, row.figure.as_ref()?)));
        if figures().any(|(_, figure)| figure.memory.device_bytes > 0) {
            writeln!(out, "\ndevice memory, MB")?;
            for (row, figure) in figures() {
                let (mode, cameras) = (row.mode.name(), row.cameras);
                writeln!(out, "{mode:<9} {cameras:>7} {}", figure.memory.line())?;
            }
        }
        let Some((_, last)) = figures().next_back() else { return Ok(()) };
        let runs: Vec<_> = last.runs_per_frame.iter().map(|(name, runs)| format!("{name} {runs:.2}")).collect();
        writeln!(out, "\nruns a frame: {}; objects a frame: {:.1}", runs.join(", "), last.objects_per_frame)?;
        let idle: Vec<_> =
            last.runs_per_frame.iter().filter(|(_, runs)| **runs == 0.0).map(|(name, _)| name.as_str()).collect();
        if !idle.is_empty() {
            writeln!(out, "{} never ran: nothing that they are for was found in the drawn pictures", idle.join(", "))?;
        }
        Ok(())
    }
}
