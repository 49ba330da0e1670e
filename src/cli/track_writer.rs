//! Tracks of a recording, written as JSON Lines or MOTChallenge text.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::json;

use super::exit::BadInput;
use crate::pipeline::FrameResult;
use crate::types::event::CompressedRle;

/// How tracks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One object a frame.
    Jsonl,
    /// MOTChallenge text.
    Mot,
}

/// Writes tracks in one of the formats, with fixed decimals.
pub(super) struct TrackWriter {
    out: BufWriter<Box<dyn Write>>,
    path: PathBuf,
    /// Where it is written until it is finished.
    beside: Option<PathBuf>,
    format: Format,
    labels: Arc<[String]>,
    /// Frames so far.
    pub(super) frames: u64,
    /// Tracks so far.
    pub(super) tracks: u64,
    highest: u64,
    line: String,
}

impl TrackWriter {
    /// Writes beside `path` until it is finished, so that an earlier result lasts as long as there is no
    /// new one. What is no regular file (a pipe, a device, `-`) is written as it is.
    pub(super) fn create(path: &Path, inputs: &[&Path], format: Format, labels: Arc<[String]>) -> anyhow::Result<Self> {
        let cannot = |error: std::io::Error| BadInput(format!("{}: cannot be written: {error}", path.display()));
        if let Some(input) = inputs.iter().find(|input| same_file(path, input)) {
            return Err(BadInput(format!("--out {}: is what is read ({})", path.display(), input.display())).into());
        }
        let mut beside = None;
        let out: Box<dyn Write> = if path.as_os_str() == "-" {
            Box::new(std::io::stdout())
        } else if std::fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            Box::new(OpenOptions::new().write(true).open(path).map_err(cannot)?)
        } else {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".{}.part", std::process::id()));
            let part = PathBuf::from(name);
            let file = File::create(&part).map_err(cannot)?;
            beside = Some(part);
            Box::new(file)
        };
        let (out, path) = (BufWriter::with_capacity(64 * 1024, out), path.to_owned());
        let line = String::with_capacity(4096);
        Ok(Self { out, path, beside, format, labels, frames: 0, tracks: 0, highest: 0, line })
    }

    pub(super) fn frame(&mut self, result: &FrameResult) -> anyhow::Result<()> {
        use std::fmt::Write as _;
        self.frames += 1;
        for track in result.objects.tracks() {
            if track.number > self.highest {
                self.highest = track.number;
                self.tracks += 1;
            }
        }
        self.line.clear();
        match self.format {
            Format::Mot => {
                for track in result.objects.tracks().iter().filter(|track| !track.coasted) {
                    let b = track.bbox;
                    writeln!(
                        self.line,
                        "{},{},{:.2},{:.2},{:.2},{:.2},{:.4},{},-1,-1",
                        result.meta.seq,
                        track.number,
                        b.x1,
                        b.y1,
                        b.width(),
                        b.height(),
                        track.score,
                        u32::from(track.class) + 1,
                    )?;
                }
            }
            Format::Jsonl => {
                let time = result.meta.media_time.as_secs_f64();
                write!(self.line, "{{\"frame\":{},\"time_s\":{time:.6},\"tracks\":[", result.meta.seq)?;
                for (at, track) in result.objects.tracks().iter().enumerate() {
                    let b = track.bbox;
                    let label = self.labels.get(usize::from(track.class)).map_or("", String::as_str);
                    write!(
                        self.line,
                        "{}{{\"id\":{},\"label\":{},\"score\":{:.4},\"box\":[{:.2},{:.2},{:.2},{:.2}],\"coasted\":{}",
                        if at > 0 { "," } else { "" },
                        track.number,
                        json!(label),
                        track.score,
                        b.x1,
                        b.y1,
                        b.x2,
                        b.y2,
                        track.coasted,
                    )?;
                    self.details(result, at)?;
                    self.line.push('}');
                }
                self.line.push_str("]}\n");
            }
        }
        self.out.write_all(self.line.as_bytes()).with_context(|| format!("{}: cannot be written", self.path.display()))
    }

    /// What further models say of a track in this frame.
    fn details(&mut self, result: &FrameResult, at: usize) -> std::fmt::Result {
        use std::fmt::Write as _;
        if let Some(keypoints) = result.objects.pose(at) {
            self.line.push_str(",\"keypoints\":");
            for (i, point) in keypoints.iter().enumerate() {
                let comma = if i == 0 { '[' } else { ',' };
                write!(self.line, "{comma}[{:.2},{:.2},{:.3}]", point.x, point.y, point.score)?;
            }
            self.line.push(']');
        }
        if let Some(mask) = result.objects.mask(at) {
            let rle = CompressedRle::from(&mask.rle(result.meta.width, result.meta.height));
            write!(self.line, ",\"mask\":{}", json!(rle))?;
        }
        if let Some(embedding) = result.objects.embedding(at) {
            self.line.push_str(",\"embedding\":");
            for (i, value) in embedding.iter().enumerate() {
                write!(self.line, "{}{value:.5}", if i == 0 { '[' } else { ',' })?;
            }
            self.line.push(']');
        }
        Ok(())
    }

    /// Writes what is left and puts the file in its place.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let cannot = || format!("{}: cannot be written", self.path.display());
        self.out.flush().with_context(cannot)?;
        if let Some(part) = self.beside.take() {
            std::fs::rename(part, &self.path).with_context(cannot)?;
        }
        Ok(())
    }
}

impl Drop for TrackWriter {
    fn drop(&mut self) {
        if let Some(part) = &self.beside {
            let _ = std::fs::remove_file(part);
        }
    }
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (std::fs::metadata(a), std::fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
