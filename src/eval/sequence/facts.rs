//! Frame rate, size and length of a sequence: `seqinfo.ini` as `MOTChallenge` has it, or `info.txt` of `key=value` words.

use std::path::Path;

use crate::eval::truth::{ReadError, read_text};

/// What is known of a sequence beside its boxes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Frames a second.
    pub fps: f64,
    /// Width and height of the pictures in pixels, where they are told.
    pub size: Option<(u32, u32)>,
    /// Number of frames, where it is told.
    pub frames: Option<u64>,
}

const INI: &str = "seqinfo.ini";
const FLAT: &str = "info.txt";

pub(super) fn read(folder: &Path) -> Result<Facts, ReadError> {
    for name in [INI, FLAT] {
        let path = folder.join(name);
        if path.is_file() {
            return parse(&read_text(&path)?, &path, name == FLAT);
        }
    }
    let message = "neither seqinfo.ini nor info.txt here, so the frame rate is not known; write a seqinfo.ini with the \
                   lines [Sequence], frameRate=30, imWidth=1920, imHeight=1080, seqLength=525";
    Err(ReadError::whole(folder, message))
}

/// `flat`: several words a line.
fn parse(text: &str, path: &Path, flat: bool) -> Result<Facts, ReadError> {
    let (mut fps, mut width, mut height, mut frames) = (None, None, None, None);
    for (at, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
        let words: Vec<&str> = if flat { line.split_whitespace().collect() } else { vec![line] };
        for (key, value) in words.into_iter().filter_map(|word| word.split_once('=')) {
            let (key, value) = (key.trim(), value.trim());
            let within = |least: f64, most: f64, whole: bool| -> Result<f64, ReadError> {
                let number = value.parse::<f64>().ok().filter(|number| (least..=most).contains(number));
                number.filter(|number| !whole || number.fract() == 0.0).ok_or_else(|| {
                    let kind = if whole { "a whole number" } else { "a number" };
                    ReadError::at(path, at, format!("{key} is {value:?}; {kind} from {least} to {most} is possible"))
                })
            };
            match key.to_ascii_lowercase().as_str() {
                "framerate" | "fps" => fps = Some(within(0.01, 1000.0, false)?),
                "imwidth" | "width" => width = Some(within(1.0, 65_535.0, true)? as u32),
                "imheight" | "height" => height = Some(within(1.0, 65_535.0, true)? as u32),
                "seqlength" | "frames" => frames = Some(within(1.0, 1e7, true)? as u64),
                _ => {}
            }
        }
    }
    let key = if flat { "fps" } else { "frameRate" };
    let fps = fps.ok_or_else(|| ReadError::whole(path, format!("no {key}=; without it nobody knows the time")))?;
    Ok(Facts { fps, size: width.zip(height), frames })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let ini = "[Sequence]\nname = a b=c\nframeRate=12.5\nimWidth = 640\nimHeight=480\nseqLength=71\nimExt=.jpg\n";
        let flat = "fps=12.5 width=640 height=480 frames=71 class_map=det0:person=gt1\n";
        let want = Facts { fps: 12.5, size: Some((640, 480)), frames: Some(71) };
        assert_eq!(parse(ini, Path::new(INI), false).unwrap(), want);
        assert_eq!(parse(flat, Path::new(FLAT), true).unwrap(), want);
        assert_eq!(parse("fps=5", Path::new(FLAT), true).unwrap(), Facts { fps: 5.0, size: None, frames: None });
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, message) in [
            ("[Sequence]\nimWidth=640\n", "seqinfo.ini: no frameRate="),
            ("frameRate=0\n", "seqinfo.ini:1: frameRate is \"0\"; a number from 0.01 to 1000"),
            ("frameRate=30\nimWidth=64.5\n", "seqinfo.ini:2: imWidth is \"64.5\"; a whole number from 1"),
            ("frameRate=nan\n", "seqinfo.ini:1: frameRate is \"nan\""),
        ] {
            let error = parse(text, Path::new(INI), false).unwrap_err().to_string();
            assert!(error.starts_with(message), "{error}");
        }
    }
}
