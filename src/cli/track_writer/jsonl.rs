//! JSON Lines: one object a frame.

use std::fmt::{self, Write as _};

use serde_json::json;

use super::Recording;
use crate::pipeline::FrameResult;
use crate::types::event::CompressedRle;

pub(super) fn frame(line: &mut String, result: &FrameResult, recording: &Recording) -> fmt::Result {
    let time = result.meta.media_time.as_secs_f64();
    write!(line, "{{\"frame\":{},\"time_s\":{time:.6},\"tracks\":[", result.meta.seq)?;
    for (at, track) in result.objects.tracks().iter().enumerate() {
        let b = track.bbox;
        write!(
            line,
            "{}{{\"id\":{},\"label\":{},\"score\":{:.4},\"box\":[{:.2},{:.2},{:.2},{:.2}],\"coasted\":{}",
            if at > 0 { "," } else { "" },
            track.number,
            json!(recording.label(track.class)),
            track.score,
            b.x1,
            b.y1,
            b.x2,
            b.y2,
            track.coasted,
        )?;
        details(line, result, at)?;
        line.push('}');
    }
    line.push(']');
    changes(line, result)?;
    line.push_str("}\n");
    Ok(())
}

/// How states changed in this frame; nothing where none did.
fn changes(line: &mut String, result: &FrameResult) -> fmt::Result {
    for (at, change) in result.changes.iter().enumerate() {
        line.push_str(if at == 0 { ",\"changes\":[" } else { "," });
        let (state, reason) = (change.state.name(), change.reason.name());
        let number = change.number.unwrap_or_default();
        write!(line, "{{\"id\":{number},\"state\":\"{state}\",\"reason\":\"{reason}\"}}")?;
    }
    if !result.changes.is_empty() {
        line.push(']');
    }
    Ok(())
}

/// What further models say of a track in this frame.
fn details(line: &mut String, result: &FrameResult, at: usize) -> fmt::Result {
    if let Some(keypoints) = result.objects.pose(at) {
        line.push_str(",\"keypoints\":");
        for (i, point) in keypoints.iter().enumerate() {
            let comma = if i == 0 { '[' } else { ',' };
            write!(line, "{comma}[{:.2},{:.2},{:.3}]", point.x, point.y, point.score)?;
        }
        line.push(']');
    }
    if let Some(mask) = result.objects.mask(at) {
        let rle = CompressedRle::from(&mask.rle(result.meta.width, result.meta.height));
        write!(line, ",\"mask\":{}", json!(rle))?;
    }
    if let Some(embedding) = result.objects.embedding(at) {
        line.push_str(",\"embedding\":");
        vector(line, embedding)?;
    }
    Ok(())
}

/// Numbers in brackets.
pub(super) fn vector(line: &mut String, values: &[f32]) -> fmt::Result {
    for (i, value) in values.iter().enumerate() {
        write!(line, "{}{value:.5}", if i == 0 { '[' } else { ',' })?;
    }
    line.push(']');
    Ok(())
}
