//! MOTChallenge text: `frame,id,x,y,w,h,conf,class,...` per line, frames from 1, pixels.

use std::path::Path;

use super::error::{ReadError, read_text};
use crate::eval::tracking::{Frames, Object};

/// Reads ground truth. `conf` 0 means: ignore. A class that is no whole number above 0, as older sets have world
/// coordinates there, is 1.
///
/// MOT17 and MOT20 mark parked cars and the like with `conf` 0 too, and their own evaluation forgives only finding
/// distractors (classes 2, 7, 8, 12): all rows scored as one class forgive every one of them, and give
/// other numbers than the published.
///
/// # Errors
/// A file that cannot be read, or the first line that does not fit.
pub fn read_truth(path: &Path) -> Result<Frames, ReadError> {
    parse(&read_text(path)?, path, true)
}

/// Reads tracks that were found, as `analyze --format mot` writes them. `conf` is the score and not looked at.
///
/// # Errors
/// As [`read_truth`].
pub fn read_predictions(path: &Path) -> Result<Frames, ReadError> {
    parse(&read_text(path)?, path, false)
}

/// As [`read_truth`] (with `truth`) or [`read_predictions`], from text; `path` is for messages.
///
/// # Errors
/// The first line that does not fit.
pub fn parse(text: &str, path: &Path, truth: bool) -> Result<Frames, ReadError> {
    let mut frames = Frames::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let (frame, object) = row(line, truth).map_err(|message| ReadError::at(path, i + 1, message))?;
        let objects: &mut Vec<Object> = frames.entry(frame).or_default();
        if objects.iter().any(|other| (other.id, other.class) == (object.id, object.class)) {
            let message = format!("track {} is in frame {frame} twice; a track has one box per frame", object.id);
            return Err(ReadError::at(path, i + 1, message));
        }
        objects.push(object);
    }
    Ok(frames)
}

fn row(line: &str, truth: bool) -> Result<(u64, Object), String> {
    const NAMES: [&str; 7] = ["frame", "id", "x", "y", "w", "h", "conf"];
    let columns: Vec<&str> = line.split(',').map(str::trim).collect();
    let number = |i: usize| -> Result<f64, String> {
        let text = columns
            .get(i)
            .ok_or_else(|| format!("{} columns; a line has at least 7: frame,id,x,y,w,h,conf,class", columns.len()))?;
        let value: Option<f64> = text.parse().ok().filter(|value: &f64| value.is_finite());
        value.ok_or_else(|| format!("{} is {text:?}, which is not a number", NAMES[i]))
    };
    let whole = |i: usize, least: f64| -> Result<u64, String> {
        let value = number(i)?;
        if value.fract() != 0.0 || value < least || value > 9e15 {
            return Err(format!("{} is {value}; it must be a whole number from {least} up", NAMES[i]));
        }
        Ok(value as u64)
    };
    let frame = whole(0, 1.0)?;
    let id = whole(1, 0.0).map_err(|message| {
        if columns[1] == "-1" { "id is -1: these are detections and not tracks".to_owned() } else { message }
    })?;
    let bbox = [number(2)?, number(3)?, number(4)?, number(5)?];
    if bbox[2] < 0.0 || bbox[3] < 0.0 {
        return Err(format!("a box of {} x {}; columns 5 and 6 are its width and height", bbox[2], bbox[3]));
    }
    let ignore = number(6)? == 0.0 && truth;
    let class = columns.get(7).and_then(|text| text.parse::<f64>().ok());
    let class =
        class.filter(|class| class.fract() == 0.0 && (1.0..1e6).contains(class)).map_or(1, |class| class as u32);
    Ok((frame, Object { id, class, bbox, ignore }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_objects() {
        let text = "1,3,10,20,30,40,1,2,0.9\n\n1,4,1.5,2,3,4,0,3.0,0.1\r\n2, 3, 11, 20, 30, 40, 1, -4.15, -7.3, 0\n";
        let frames = parse(text, Path::new("gt.txt"), true).unwrap();
        assert_eq!(frames[&1][0], Object { id: 3, class: 2, bbox: [10.0, 20.0, 30.0, 40.0], ignore: false });
        assert_eq!(frames[&1][1], Object { id: 4, class: 3, bbox: [1.5, 2.0, 3.0, 4.0], ignore: true });
        assert_eq!(frames[&2][0].class, 1);
        assert!(!parse(text, Path::new("out.txt"), false).unwrap()[&1][1].ignore);
    }

    #[test]
    fn a_bad_line_is_named() {
        for (text, message) in [
            ("1,1,1,1,1,1,1\n1,2,3", "gt.txt:2: 3 columns; a line has at least 7"),
            ("0,1,1,1,1,1,1", "gt.txt:1: frame is 0; it must be a whole number from 1 up"),
            ("1,-1,1,1,1,1,1", "gt.txt:1: id is -1: these are detections"),
            ("1,1,x,1,1,1,1", "gt.txt:1: x is \"x\", which is not a number"),
            ("1,1,1,1,nan,1,1", "gt.txt:1: w is \"nan\""),
            ("1,1,1,1,1,-1,1", "gt.txt:1: a box of 1 x -1"),
            ("1,1,1,1,1,1,1\n1,1,2,2,2,2,1", "gt.txt:2: track 1 is in frame 1 twice"),
        ] {
            let error = parse(text, Path::new("gt.txt"), true).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
