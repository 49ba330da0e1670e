//! Scores of trackers on sequences, as a table and as JSON.

use std::io::Write as _;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::contender::Contender;
use super::runner::Scored;
use crate::eval::sequence::Sequence;
use crate::eval::tracking::{Scores, Summary};

/// Of a comparison of trackers, and of a sweep.
pub(super) const SCHEMA: &str = "eval-tracking/1";

/// One row of the table.
#[derive(Clone, Copy, Debug, Serialize)]
struct Row {
    hota: f64,
    deta: f64,
    assa: f64,
    mota: f64,
    idf1: f64,
    idsw: u64,
    tracks: u64,
    /// Median over frames.
    us_per_frame: f64,
}

impl Row {
    fn of(scored: &Scored) -> Self {
        let Summary { hota, deta, assa, mota, idf1, idsw, .. } = scored.summary;
        let us_per_frame = (scored.per_frame.as_secs_f64() * 1e7).round() / 10.0;
        Self { hota, deta, assa, mota, idf1, idsw, tracks: scored.tracks, us_per_frame }
    }

    /// Means of shares and times, sums of counts.
    fn mean(scored: &[Scored]) -> Self {
        let rows: Vec<Self> = scored.iter().map(Self::of).collect();
        let mean = |value: fn(&Self) -> f64| rows.iter().map(value).sum::<f64>() / rows.len().max(1) as f64;
        Self {
            hota: mean(|row| row.hota),
            deta: mean(|row| row.deta),
            assa: mean(|row| row.assa),
            mota: mean(|row| row.mota),
            idf1: mean(|row| row.idf1),
            idsw: rows.iter().map(|row| row.idsw).sum(),
            tracks: rows.iter().map(|row| row.tracks).sum(),
            us_per_frame: mean(|row| row.us_per_frame),
        }
    }

    fn cells(&self) -> [String; 8] {
        let share = |value: f64| format!("{value:.4}");
        let Self { hota, deta, assa, mota, idf1, idsw, tracks, us_per_frame } = *self;
        let [hota, deta, assa, mota, idf1] = [hota, deta, assa, mota, idf1].map(share);
        [hota, deta, assa, mota, idf1, idsw.to_string(), tracks.to_string(), format!("{us_per_frame:.1}")]
    }
}

const COLUMNS: [&str; 10] =
    ["sequence", "tracker", "hota", "deta", "assa", "mota", "idf1", "idsw", "tracks", "us/frame"];

pub(super) fn print(
    sequences: &[Sequence],
    contenders: &[Contender],
    results: &[Vec<Scored>],
    json: bool,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&document(sequences, contenders, results)?)?)?;
        return Ok(());
    }
    let mut lines = vec![COLUMNS.map(str::to_owned).to_vec()];
    let line = |sequence: &str, contender: &Contender, row: Row| {
        [sequence.to_owned(), contender.name.clone()].into_iter().chain(row.cells()).collect::<Vec<_>>()
    };
    for (at, sequence) in sequences.iter().enumerate() {
        for (contender, scored) in contenders.iter().zip(results) {
            lines.push(line(&sequence.name, contender, Row::of(&scored[at])));
        }
    }
    for (contender, scored) in contenders.iter().zip(results) {
        lines.push(line("mean", contender, Row::mean(scored)));
    }
    write!(out, "{}", table(&lines, 2))?;
    Ok(())
}

fn document(sequences: &[Sequence], contenders: &[Contender], results: &[Vec<Scored>]) -> anyhow::Result<Value> {
    let mut trackers = Vec::new();
    for (contender, scored) in contenders.iter().zip(results) {
        let mut rows = Vec::new();
        for (sequence, scored) in sequences.iter().zip(scored) {
            let mut row = Map::new();
            row.insert("sequence".to_owned(), json!(sequence.name));
            if let Value::Object(summary) = serde_json::to_value(scored.summary)? {
                row.extend(summary);
            }
            let Row { tracks, us_per_frame, .. } = Row::of(scored);
            row.insert("tracks".to_owned(), json!(tracks));
            row.insert("us_per_frame".to_owned(), json!(us_per_frame));
            rows.push(Value::Object(row));
        }
        let all = scored.iter().fold(Scores::default(), |all, scored| all.and(&scored.scores));
        trackers.push(json!({
            "tracker": contender.name,
            "set": overrides(&contender.overrides),
            "sequences": rows,
            "mean": Row::mean(scored),
            "combined": all.summary(),
        }));
    }
    Ok(json!({ "schema": SCHEMA, "sequences": facts(sequences), "trackers": trackers }))
}

/// What was read.
pub(super) fn facts(sequences: &[Sequence]) -> Vec<Value> {
    let of_one = |sequence: &Sequence| {
        json!({
            "name": sequence.name,
            "fps": sequence.facts.fps / sequence.every as f64,
            "detections": sequence.detections.count,
            "clipped_scores": sequence.detections.clipped,
            "embedding_dim": sequence.detections.dim(),
        })
    };
    sequences.iter().map(of_one).collect()
}

/// Parameters by name, as a person writes the numbers.
pub(super) fn overrides(overrides: &[(String, f32)]) -> Value {
    let value = |value: f32| value.to_string().parse::<f64>().unwrap_or_else(|_| value.into());
    overrides.iter().map(|(name, number)| (name.clone(), json!(value(*number)))).collect::<Map<_, _>>().into()
}

/// Lines with aligned columns: the first `left` to the left, the others to the right.
pub(super) fn table(lines: &[Vec<String>], left: usize) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let cells =
            line.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| {
                if at < left { format!("{cell:width$}") } else { format!("{cell:>width$}") }
            });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}
