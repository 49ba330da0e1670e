//! Tracks as files in `MOTChallenge`'s form.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;

use super::runner::Tracked;
use crate::cli::mot;

/// Writes `folder/tracker/sequence.txt`, beside it first.
pub(super) fn tracks(folder: &Path, tracker: &str, sequence: &str, tracked: &Tracked) -> anyhow::Result<()> {
    let path = folder.join(tracker).join(format!("{sequence}.txt"));
    let mut text = String::new();
    for (frame, tracks) in &tracked.frames {
        for track in tracks {
            let (id, bbox, score, class) = (Some(track.number), track.bbox, track.score, track.class);
            let _ = writeln!(text, "{}", mot::Line { frame: *frame, id, bbox, score, class });
        }
    }
    let part = path.with_extension("txt.part");
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(&part, &text)?;
        std::fs::rename(&part, &path)
    };
    write().with_context(|| format!("{}: cannot be written", path.display()))
}
