//! For people.

use std::io::{self, Write};

use super::report::{CameraFacts, Report};
use crate::config::Concurrency;
use crate::inference::budget::{Basis, Line, Part, megabytes};

pub(super) fn all(report: &Report, out: &mut impl Write) -> io::Result<()> {
    head(report, out)?;
    memory(report, out)?;
    time(report, out)?;
    writeln!(out)?;
    report.why.iter().try_for_each(|why| writeln!(out, "{why}"))?;
    let verdict = match report.fits {
        Some(true) => "it fits",
        Some(false) => "it does not fit",
        None => "whether it fits is not known: the sums are lower bounds",
    };
    writeln!(out, "{verdict}")
}

fn head(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let device = &report.device;
    let memory = device.memory_bytes.map_or("memory not known".to_owned(), megabytes);
    let shared = if device.integrated { ", shared with the host, whose programs take their part of it" } else { "" };
    let from = match device.from {
        "manifest" => "the engines were built on it",
        "device" => "it is here",
        other => other,
    };
    writeln!(out, "device      {}, {memory}{shared} ({from})", device.name.as_deref().unwrap_or("not known"))?;
    for (cameras, camera) in alike(&report.cameras) {
        let CameraFacts { width, height, fps, models, .. } = camera;
        let assumed = |assumed: bool| if assumed { " (assumed)" } else { "" };
        writeln!(
            out,
            "cameras     {cameras}: {width}x{height} pixels{}, {fps} frames/s analysed{}; {}",
            assumed(camera.size_assumed),
            assumed(camera.fps_assumed),
            if models.is_empty() { "no model".to_owned() } else { models.join(", ") }
        )?;
    }
    let saves = megabytes(report.memory.serial_saves_bytes);
    match report.concurrency {
        Concurrency::Serial => writeln!(out, "concurrency serial: all contexts share one block for their activations"),
        mode => {
            let name = if mode == Concurrency::Auto { "auto" } else { "parallel" };
            writeln!(out, "concurrency {name}: each context has its own activations; \"serial\" would save {saves}")
        }
    }
}

/// Neighbours that differ in their names only: how many, and the first.
fn alike(cameras: &[CameraFacts]) -> Vec<(String, &CameraFacts)> {
    let same = |a: &&CameraFacts, b: &&CameraFacts| {
        (a.width, a.height, a.size_assumed, a.fps, a.fps_assumed, &a.models)
            == (b.width, b.height, b.size_assumed, b.fps, b.fps_assumed, &b.models)
    };
    let references: Vec<&CameraFacts> = cameras.iter().collect();
    let groups = references.chunk_by(|a, b| same(a, b));
    let named = |group: &[&CameraFacts]| match group {
        [] => String::new(),
        [one] => one.id.clone(),
        [first, .., last] => format!("{} to {}, {}", first.id, last.id, group.len()),
    };
    groups.filter_map(|group| Some((named(group), *group.first()?))).collect()
}

fn memory(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n{:<22} {:<34} {:>9} {:>9}  known", "memory, MB", "", "device", "host")?;
    let mut before: Option<(Vec<Row>, String, usize)> = None;
    let owners = report.memory.lines.chunk_by(|a, b| a.owner == b.owner);
    for lines in owners {
        let rows: Vec<Row> = lines.iter().map(Row::of).collect();
        match &mut before {
            // Cameras that are alike are told of once.
            Some((same, _, count)) if *same == rows && is_of_a_camera(lines) => *count += 1,
            _ => {
                write_group(before.take(), out)?;
                before = Some((rows, lines.first().map(|line| line.owner.clone()).unwrap_or_default(), 1));
            }
        }
    }
    write_group(before, out)?;
    let memory = &report.memory;
    let host: u64 = memory.lines.iter().map(|line| line.pinned + line.mapped).sum();
    let sum = memory.device_bytes + memory.estimated_bytes;
    let bound = if report.unknown.is_empty() { "" } else { ", at least" };
    writeln!(out, "{:<57} {:>9} {:>9}", format!("sum{bound}"), plain(sum), plain(host))?;
    if memory.estimated_bytes > 0 {
        writeln!(out, "{:<57} {:>9}", "of it estimates", plain(memory.estimated_bytes))?;
    }
    Ok(())
}

fn is_of_a_camera(lines: &[Line]) -> bool {
    lines.iter().all(|line| line.owner.starts_with("camera ") || line.owner.starts_with("decoder "))
}

/// A line without its owner.
#[derive(PartialEq)]
struct Row {
    what: String,
    device: u64,
    host: u64,
    basis: &'static str,
}

impl Row {
    fn of(line: &Line) -> Self {
        let what = match line.part {
            Part::Weights => "weights",
            Part::Activations => "activations",
            Part::Context => "context",
            Part::Tensors => "inputs and outputs",
            Part::Candidates => "candidates",
            Part::Pictures => "prepared pictures",
            Part::Frames => "frames on their way",
            Part::Surfaces => "decoder's surfaces",
            Part::Process => "CUDA context and libraries",
        };
        let of = line.model.as_ref().map(|model| format!(" of {model}")).unwrap_or_default();
        let basis = match line.basis {
            Basis::Measured => "measured",
            Basis::Computed => "computed",
            Basis::Estimate => "estimate",
        };
        Self { what: format!("{what}{of}"), device: line.device, host: line.pinned + line.mapped, basis }
    }
}

fn write_group(group: Option<(Vec<Row>, String, usize)>, out: &mut impl Write) -> io::Result<()> {
    let Some((rows, owner, count)) = group else { return Ok(()) };
    for (at, row) in rows.iter().enumerate() {
        let owner = match (at, count) {
            (0, _) => owner.clone(),
            (1, 2..) => format!("  and {} more", count - 1),
            _ => String::new(),
        };
        writeln!(out, "{owner:<22} {:<34} {:>9} {:>9}  {}", row.what, plain(row.device), plain(row.host), row.basis)?;
    }
    Ok(())
}

fn time(report: &Report, out: &mut impl Write) -> io::Result<()> {
    if report.time.models.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:<22} {:>9} {:>9} {:>9}", "time", "runs/s", "ms", "s per s")?;
    let known = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    for time in &report.time.models {
        let place = time.dla_core.map(|core| format!("  on DLA {core}")).unwrap_or_default();
        let ms = time.ms.map_or("-".to_owned(), |ms| format!("{ms:.2}"));
        writeln!(out, "{:<22} {:>9.1} {ms:>9} {:>9}{place}", time.model, time.runs_per_s, known(time.seconds))?;
    }
    let bound = if report.time.is_whole() { "sum" } else { "sum, at least" };
    writeln!(out, "{bound:<42} {:>9.3}", report.time.seconds)?;
    let people = report.people_per_camera;
    writeln!(out, "Runs back to back on an idle device, {people} tracks for each camera; decoding is not in it.")
}

fn plain(bytes: u64) -> String {
    if bytes == 0 { "-".to_owned() } else { format!("{:.1}", bytes as f64 / f64::from(1 << 20)) }
}
