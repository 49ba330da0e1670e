//! YOLO labels: per picture a text file with `class cx cy w h` per line, in 0..1 of the picture.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ReadError, entries, read_text};
use super::{Category, Dataset, Image, image_size};
use crate::eval::coco::Truth;

/// Reads a folder of pictures (JPEG, PNG) and one of labels, which belong together by file name. A picture without
/// labels has no objects. Pictures are numbered from 1 in order of their names; the number of a category is the
/// label's, which counts from 0. `names` are the categories' names, else their numbers.
///
/// # Errors
/// No picture, labels without a picture, or the first line that does not fit.
pub fn read(images: &Path, labels: &Path, names: Option<&[String]>) -> Result<Dataset, ReadError> {
    let mut dataset = Dataset::default();
    let mut label_files: BTreeMap<String, PathBuf> = entries(labels)?
        .into_iter()
        .filter(|path| has_ending(path, &["txt"]))
        .map(|path| (stem(&path), path))
        .collect();
    let pictures = entries(images)?.into_iter().filter(|path| has_ending(path, &["jpg", "jpeg", "png"]));
    for (id, path) in (1..).zip(pictures) {
        let (width, height) = image_size(&path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        dataset.images.push(Image { id, name, width, height });
        if let Some(file) = label_files.remove(&stem(&path)) {
            dataset.truths.extend(parse(&read_text(&file)?, &file, id, (width, height))?);
        }
    }
    if dataset.images.is_empty() {
        return Err(ReadError::whole(images, "no .jpg, .jpeg or .png picture here; name the folder that has them"));
    }
    // The list of classes often lies beside the labels.
    if let Some((_, file)) = label_files.iter().find(|(stem, _)| stem.as_str() != "classes") {
        return Err(ReadError::whole(file, format!("labels without a picture of that name in {}", images.display())));
    }
    let highest = dataset.truths.iter().map(|truth| truth.category + 1).max().unwrap_or(0);
    let count = names.map_or(highest, |names| names.len() as u32);
    if highest > count {
        let message = format!("class {} is used, and there are only {count} names", highest - 1);
        return Err(ReadError::whole(labels, message));
    }
    let name = |id: u32| names.and_then(|names| names.get(id as usize)).cloned().unwrap_or_else(|| id.to_string());
    dataset.categories = (0..count).map(|id| Category { id, name: name(id) }).collect();
    Ok(dataset)
}

/// The labels of one picture of `size` (width, height) pixels; `path` is for messages.
///
/// # Errors
/// The first line that does not fit.
pub fn parse(text: &str, path: &Path, image: u64, size: (u32, u32)) -> Result<Vec<Truth>, ReadError> {
    let mut truths = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        truths.push(row(line, image, size).map_err(|message| ReadError::at(path, i + 1, message))?);
    }
    Ok(truths)
}

fn row(line: &str, image: u64, (width, height): (u32, u32)) -> Result<Truth, String> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    if columns.len() != 5 {
        return Err(format!("{} columns instead of 5: class cx cy w h", columns.len()));
    }
    let category = columns[0].parse::<u16>().map_err(|_| format!("class {:?} is not a number from 0", columns[0]))?;
    let mut numbers = [0.0_f64; 4];
    for (number, text) in numbers.iter_mut().zip(&columns[1..]) {
        let inside = text.parse().ok().filter(|value| (0.0..=1.0).contains(value));
        *number = inside.ok_or_else(|| format!("{text:?} is not in 0..1 of the picture"))?;
    }
    let [cx, cy, w, h] = numbers;
    let (width, height) = (f64::from(width), f64::from(height));
    let bbox = [(cx - w / 2.0) * width, (cy - h / 2.0) * height, w * width, h * height];
    Ok(Truth { image, category: category.into(), bbox, area: bbox[2] * bbox[3], ..Truth::default() })
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|found| endings.iter().any(|ending| found.eq_ignore_ascii_case(ending)))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn labels_become_pixels_and_bad_ones_are_named() {
        let read = |text| parse(text, Path::new("a.txt"), 3, (200, 100)).map_err(|error| error.to_string());
        let truths = read("2 0.5 0.5 0.25 1\n\n").unwrap();
        assert_eq!((truths[0].image, truths[0].category, truths[0].bbox), (3, 2, [75.0, 0.0, 50.0, 100.0]));
        for (text, message) in [
            ("0 .5 .5 .1 .1\n1 .5", "a.txt:2: 2 columns instead of 5: class cx cy w h"),
            ("x .5 .5 .1 .1", "a.txt:1: class \"x\" is not a number from 0"),
            ("1 .5 .5 .1 10", "a.txt:1: \"10\" is not in 0..1 of the picture"),
            ("1 .5 .5 .1 nan", "a.txt:1: \"nan\" is not in 0..1 of the picture"),
        ] {
            assert_eq!(read(text).unwrap_err(), message);
        }
    }
}
