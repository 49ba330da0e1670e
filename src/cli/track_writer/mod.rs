//! What `analyze` writes of a recording: one file a format, whole or not at all.

mod coco;
mod crops;
mod jsonl;
mod path;
mod place;
mod summary;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;

use super::mot;
use crate::pipeline::{FrameResult, Publish};
pub(super) use crops::Crops;
use place::Place;

/// How tracks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One object a frame
    Jsonl,
    /// MOTChallenge text
    Mot,
    /// COCO's annotations with videos and tracks (CocoVID, TAO)
    Coco,
    /// One object a track, when it has ended
    Summary,
    /// MOTChallenge text of what the tracker was given, for `eval tracking`
    Detections,
}

impl Format {
    /// What it takes to write it.
    pub(super) const fn needs(self) -> Publish {
        match self {
            Self::Jsonl | Self::Mot | Self::Coco | Self::Summary => Publish::Objects,
            Self::Detections => Publish::Found,
        }
    }
}

/// What is known of a recording before it is played.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    /// Its file's name.
    pub(super) name: String,
    /// Of the model that feeds the tracker.
    pub(super) labels: Arc<[String]>,
}

impl Recording {
    /// What a class is called; empty for one without a name.
    fn label(&self, class: u16) -> &str {
        self.labels.get(usize::from(class)).map_or("", String::as_str)
    }
}

/// Writes one file in one of the formats, with fixed decimals.
pub(super) struct TrackWriter {
    place: Place,
    form: Form,
    line: String,
}

enum Form {
    Jsonl,
    Mot,
    Coco(coco::Document),
    Summary(summary::Summaries),
    Detections,
}

impl TrackWriter {
    /// Writes beside `path` until it is finished, so that an earlier result lasts as long as there is no
    /// new one. What is no regular file (a pipe, a device, `-`) is written as it is.
    pub(super) fn create(path: &Path, inputs: &[&Path], format: Format) -> anyhow::Result<Self> {
        let form = match format {
            Format::Jsonl => Form::Jsonl,
            Format::Mot => Form::Mot,
            Format::Coco => Form::Coco(coco::Document::new()),
            Format::Summary => Form::Summary(summary::Summaries::default()),
            Format::Detections => Form::Detections,
        };
        Ok(Self { place: Place::create(path, inputs)?, form, line: String::with_capacity(4096) })
    }

    /// Takes in a frame, after [`Crops::frame`] has.
    pub(super) fn frame(
        &mut self,
        result: &FrameResult,
        recording: &Recording,
        crops: Option<&Crops>,
    ) -> anyhow::Result<()> {
        self.line.clear();
        let (line, frame) = (&mut self.line, result.meta.seq);
        match &mut self.form {
            Form::Jsonl => jsonl::frame(line, result, recording)?,
            Form::Mot => {
                for track in result.objects.tracks().iter().filter(|track| !track.coasted) {
                    let (id, bbox, score, class) = (Some(track.number), track.bbox, track.score, track.class);
                    writeln!(line, "{}", mot::Line { frame, id, bbox, score, class })?;
                }
            }
            Form::Detections => {
                for found in result.found.first().iter().flat_map(|(_, found)| &found.detections) {
                    let (bbox, score, class) = (found.bbox, found.score, found.class);
                    writeln!(line, "{}", mot::Line { frame, id: None, bbox, score, class })?;
                }
            }
            Form::Coco(document) => document.frame(line, result)?,
            Form::Summary(summaries) => summaries.frame(line, result, recording, crops),
        }
        self.place.write(self.line.as_bytes())
    }

    /// Writes what is left and puts the file in its place. `Crops` must have been finished.
    pub(super) fn finish(mut self, recording: &Recording, crops: Option<&Crops>) -> anyhow::Result<()> {
        self.line.clear();
        match &mut self.form {
            Form::Coco(document) => document.finish(&mut self.line, recording)?,
            Form::Summary(summaries) => summaries.finish(&mut self.line, recording, crops),
            Form::Jsonl | Form::Mot | Form::Detections => {}
        }
        self.place.write(self.line.as_bytes())?;
        self.place.finish()
    }
}
