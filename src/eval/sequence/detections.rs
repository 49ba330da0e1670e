//! Detections as `MOTChallenge` text: `frame,id,x,y,w,h,score,class,-1,-1` and, as `DeepSORT` keeps them, an embedding.

use std::path::Path;

use super::{Detections, MAX_DIM};
use crate::eval::truth::{ReadError, read_text};
use crate::types::detection::Detection;
use crate::types::geometry::BBox;

/// Columns before an embedding.
const COLUMNS: usize = 10;

pub(super) fn read(path: &Path, frames: Option<u64>) -> Result<Detections, ReadError> {
    parse(&read_text(path)?, path, frames)
}

/// Reads detections from text; `path` is for messages, `frames` the number of frames where it is known.
///
/// The eighth column is a class where it is a whole number: counted from 0 where any row says 0, from 1 else; all
/// that say none are of the first. Columns after the tenth are an embedding.
///
/// # Errors
/// The first line that does not fit.
pub fn parse(text: &str, path: &Path, frames: Option<u64>) -> Result<Detections, ReadError> {
    let mut found = Detections::default();
    let mut values = Vec::new();
    let mut dim = None;
    let mut classes: Vec<Option<u16>> = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let row = row(line, &mut values).map_err(|message| ReadError::at(path, i + 1, message))?;
        if let Some(frames) = frames.filter(|frames| row.frame > *frames) {
            let message = format!("frame {}, and the sequence has {frames}", row.frame);
            return Err(ReadError::at(path, i + 1, message));
        }
        if *dim.get_or_insert(values.len()) != values.len() {
            let message = format!(
                "{} columns after the tenth, and {} in the lines before: an embedding has one length",
                values.len(),
                dim.unwrap_or(0)
            );
            return Err(ReadError::at(path, i + 1, message));
        }
        found.clipped += usize::from(!(0.0..=1.0).contains(&row.score));
        let frame = found.frames.entry(row.frame).or_default();
        // Which number is the first is known at the end only.
        frame.detections.push(Detection { bbox: row.bbox, score: row.score.clamp(0.0, 1.0), class: 0 });
        if !values.is_empty() {
            frame.appearance.push(&values);
        }
        classes.push(row.class);
        found.rows.push(row.frame);
    }
    found.count = found.rows.len();
    let first = u16::from(!classes.contains(&Some(0)));
    let mut next = std::collections::BTreeMap::new();
    for (frame, class) in found.rows.iter().zip(classes) {
        let at: &mut usize = next.entry(*frame).or_default();
        if let Some(detection) = found.frames.get_mut(frame).and_then(|frame| frame.detections.get_mut(*at)) {
            detection.class = class.map_or(0, |class| class.saturating_sub(first));
        }
        *at += 1;
    }
    Ok(found)
}

struct Row {
    frame: u64,
    bbox: BBox,
    score: f32,
    class: Option<u16>,
}

fn row(line: &str, values: &mut Vec<f32>) -> Result<Row, String> {
    const NAMES: [&str; 7] = ["frame", "id", "x", "y", "w", "h", "score"];
    let mut numbers = [0.0_f64; 7];
    let mut class = None;
    values.clear();
    let mut columns = 0;
    for text in line.split(',').map(str::trim) {
        let finite = || text.parse::<f64>().ok().filter(|value| value.is_finite());
        match columns {
            0..7 => {
                let name = NAMES[columns];
                numbers[columns] = finite().ok_or_else(|| format!("{name} is {text:?}, which is not a number"))?;
            }
            7 => class = finite().filter(|class| class.fract() == 0.0 && (0.0..=65_535.0).contains(class)),
            COLUMNS.. => {
                if values.len() == MAX_DIM {
                    return Err(format!("more than {MAX_DIM} columns after the tenth"));
                }
                let value = text.parse::<f32>();
                values.push(value.map_err(|_| format!("column {}: {text:?} is not a number", columns + 1))?);
            }
            _ => {}
        }
        columns += 1;
    }
    if columns < NAMES.len() {
        return Err(format!("{columns} columns; a line has at least 7: frame,id,x,y,w,h,score"));
    }
    let [frame, _, x, y, w, h, score] = numbers;
    if frame.fract() != 0.0 || !(1.0..=1e7).contains(&frame) {
        return Err(format!("frame is {frame}; frames are counted from 1"));
    }
    if w < 0.0 || h < 0.0 {
        return Err(format!("a box of {w} x {h}; columns 5 and 6 are its width and height"));
    }
    let bbox = BBox::new(x as f32, y as f32, (x + w) as f32, (y + h) as f32);
    Ok(Row { frame: frame as u64, bbox, score: score as f32, class: class.map(|class| class as u16) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Detections, String> {
        parse(text, Path::new("det.txt"), Some(9)).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_become_detections_of_their_frames() {
        let found =
            parsed("2,-1,10,20,30,40,0.5,-1,-1,-1\n\n1,-1,1,2,3,4,42.5,-3.7,-7.1,0\r\n2,7,0,0,1,1,-2\n").unwrap();
        assert_eq!((found.count, found.clipped, found.dim()), (3, 2, None));
        let of = |frame: u64| &found.frames[&frame].detections;
        assert_eq!(of(2)[0], Detection { bbox: BBox::new(10.0, 20.0, 40.0, 60.0), score: 0.5, class: 0 });
        assert_eq!((of(1)[0].score, of(2)[1].score), (1.0, 0.0));
    }

    #[test]
    fn classes_are_counted_from_0_or_from_1() {
        let classes = |text: &str| -> Vec<u16> {
            let found = parsed(text).unwrap();
            found.frames.values().flat_map(|frame| frame.detections.iter().map(|d| d.class)).collect()
        };
        assert_eq!(classes("1,-1,0,0,1,1,1,1\n1,-1,0,0,1,1,1,3\n2,-1,0,0,1,1,1,-1\n"), [0, 2, 0]);
        assert_eq!(classes("1,-1,0,0,1,1,1,1\n2,-1,0,0,1,1,1,0\n1,-1,0,0,1,1,1,2\n"), [1, 2, 0]);
    }

    #[test]
    fn columns_after_the_tenth_are_an_embedding() {
        let found = parsed("1,-1,0,0,9,9,1,-1,-1,-1,3,-4\n1,-1,0,0,9,9,1,-1,-1,-1,0,0\n").unwrap();
        let appearance = &found.frames[&1].appearance;
        assert_eq!((found.dim(), appearance.get(0), appearance.get(1)), (Some(2), Some(&[0.6, -0.8][..]), None));
    }

    #[test]
    fn a_bad_line_is_named() {
        let long = format!("1,-1,0,0,1,1,1,-1,-1,-1{}", ",1".repeat(MAX_DIM + 1));
        for (text, message) in [
            ("1,-1,0,0,1,1,1\n1,-1,0", "det.txt:2: 3 columns; a line has at least 7: frame,id,x,y,w,h,score"),
            ("0,-1,0,0,1,1,1", "det.txt:1: frame is 0; frames are counted from 1"),
            ("1.5,-1,0,0,1,1,1", "det.txt:1: frame is 1.5; frames"),
            ("1,-1,0,y,1,1,1", "det.txt:1: y is \"y\", which is not a number"),
            ("1,-1,0,0,1,1,nan", "det.txt:1: score is \"nan\""),
            ("1,-1,0,0,-1,1,1", "det.txt:1: a box of -1 x 1"),
            ("\n10,-1,0,0,1,1,1", "det.txt:2: frame 10, and the sequence has 9"),
            ("1,-1,0,0,1,1,1,-1,-1,-1,1,x", "det.txt:1: column 12: \"x\" is not a number"),
            ("1,-1,0,0,1,1,1,-1,-1,-1,1\n1,-1,0,0,1,1,1", "det.txt:2: 0 columns after the tenth, and 1 in"),
            (&long, "det.txt:1: more than 4096 columns after the tenth"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
