//! COCO JSON: ground truth (`images`, `annotations`, `categories`) and lists of results.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::error::{ReadError, read_text};
use super::{Category, Dataset, Image};
use crate::eval::boxes::Xywh;
use crate::eval::coco::{Prediction, Truth, extent};
use crate::eval::polygon;
use crate::types::mask::{MAX_SIDE, Rle};

#[derive(Deserialize)]
struct File {
    images: Vec<FileImage>,
    annotations: Vec<Annotation>,
    categories: Vec<FileCategory>,
}

#[derive(Deserialize)]
struct FileImage {
    id: u64,
    #[serde(default)]
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct FileCategory {
    id: u32,
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u32,
    bbox: Xywh,
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
    segmentation: Option<Segmentation>,
    keypoints: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct Outcome {
    image_id: u64,
    category_id: u32,
    score: f64,
    bbox: Option<Xywh>,
    segmentation: Option<Segmentation>,
    keypoints: Option<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a segmentation is a list of polygons, or an object with size and counts")]
enum Segmentation {
    Polygons(Vec<Vec<f64>>),
    Packed { size: [u32; 2], counts: String },
    Runs { size: [u32; 2], counts: Vec<u32> },
}

/// Reads ground truth. Where an annotation has no area, it is that of its mask, else of its box.
///
/// # Errors
/// A file that cannot be read, or the first thing in it that does not fit.
pub fn read(path: &Path) -> Result<Dataset, ReadError> {
    parse(&read_text(path)?, path)
}

/// As [`read`], from text; `path` is for messages.
///
/// # Errors
/// The first thing that does not fit.
pub fn parse(text: &str, path: &Path) -> Result<Dataset, ReadError> {
    let file: File = serde_json::from_str(text).map_err(|error| ReadError::json(path, 1, &error))?;
    let sizes: BTreeMap<u64, (u32, u32)> = file.images.iter().map(|i| (i.id, (i.width, i.height))).collect();
    if sizes.len() != file.images.len() {
        return Err(ReadError::whole(path, "two images have the same id; give each its own"));
    }
    let truths = file.annotations.into_iter().enumerate().map(|(i, annotation)| {
        let wrong = |message: String| ReadError::whole(path, format!("annotations[{i}]: {message}"));
        let Some(size) = sizes.get(&annotation.image_id) else {
            return Err(wrong(format!("image_id {} is not among the images", annotation.image_id)));
        };
        if !file.categories.iter().any(|category| category.id == annotation.category_id) {
            return Err(wrong(format!("category_id {} is not among the categories", annotation.category_id)));
        }
        truth(annotation, *size).map_err(wrong)
    });
    Ok(Dataset {
        truths: truths.collect::<Result<_, _>>()?,
        images: file
            .images
            .into_iter()
            .map(|i| Image { id: i.id, name: i.file_name, width: i.width, height: i.height })
            .collect(),
        categories: file.categories.into_iter().map(|c| Category { id: c.id, name: c.name }).collect(),
    })
}

fn truth(annotation: Annotation, size: (u32, u32)) -> Result<Truth, String> {
    let mask = annotation.segmentation.map(|segmentation| mask(segmentation, size)).transpose()?.flatten();
    let bbox = annotation.bbox;
    let area = annotation.area.or(mask.as_ref().map(|mask| mask.area() as f64)).unwrap_or(bbox[2] * bbox[3]);
    Ok(Truth {
        image: annotation.image_id,
        category: annotation.category_id,
        bbox,
        area,
        crowd: annotation.iscrowd != 0,
        mask,
        keypoints: annotation.keypoints.map(|flat| keypoints(&flat)).transpose()?.flatten(),
    })
}

/// Reads results for pictures of a data set. Where a result has no box, it is that around its mask, else around its
/// keypoints.
///
/// # Errors
/// A file that cannot be read, or the first thing in it that does not fit.
pub fn read_results(path: &Path, dataset: &Dataset) -> Result<Vec<Prediction>, ReadError> {
    parse_results(&read_text(path)?, path, dataset)
}

/// As [`read_results`], from text; `path` is for messages.
///
/// # Errors
/// The first thing that does not fit.
pub fn parse_results(text: &str, path: &Path, dataset: &Dataset) -> Result<Vec<Prediction>, ReadError> {
    let outcomes: Vec<Outcome> = serde_json::from_str(text).map_err(|error| ReadError::json(path, 1, &error))?;
    let sizes: BTreeMap<u64, (u32, u32)> = dataset.images.iter().map(|i| (i.id, (i.width, i.height))).collect();
    let predictions = outcomes.into_iter().enumerate().map(|(i, outcome)| {
        let wrong = |message: String| ReadError::whole(path, format!("result [{i}]: {message}"));
        match sizes.get(&outcome.image_id) {
            Some(size) => prediction(outcome, *size).map_err(wrong),
            None => Err(wrong(format!("image_id {} is not in the ground truth", outcome.image_id))),
        }
    });
    predictions.collect()
}

fn prediction(outcome: Outcome, size: (u32, u32)) -> Result<Prediction, String> {
    let mask = outcome.segmentation.map(|segmentation| mask(segmentation, size)).transpose()?.flatten();
    let keypoints = outcome.keypoints.map(|flat| keypoints(&flat)).transpose()?.flatten();
    let derived =
        || mask.as_ref().map(|mask| mask.bounds().map(f64::from)).or_else(|| keypoints.as_deref().map(extent));
    let bbox = outcome.bbox.or_else(derived).ok_or("it has neither bbox, segmentation nor keypoints")?;
    Ok(Prediction {
        image: outcome.image_id,
        category: outcome.category_id,
        score: outcome.score,
        bbox,
        mask,
        keypoints,
    })
}

/// The mask, where there is one, checked against the picture's size (width, height).
fn mask(segmentation: Segmentation, (width, height): (u32, u32)) -> Result<Option<Rle>, String> {
    let rle = match segmentation {
        Segmentation::Polygons(outlines) if outlines.is_empty() => return Ok(None),
        Segmentation::Polygons(outlines) => {
            if let Some(bad) = outlines.iter().find(|outline| outline.len() < 6 || outline.len() % 2 == 1) {
                return Err(format!("a polygon of {} numbers; three corners x, y are the least", bad.len()));
            }
            // The walk down an outline costs its length.
            if outlines.iter().flatten().any(|v| v.abs() > 1e5) {
                return Err("a polygon with a corner further than 100000 pixels from the picture".to_owned());
            }
            if width > MAX_SIDE || height > MAX_SIDE {
                return Err(format!("{width} x {height} pixels are more than a mask can hold"));
            }
            Ok(polygon::fill_all(&outlines, height, width))
        }
        Segmentation::Packed { size, counts } => Rle::from_compressed(size, &counts),
        Segmentation::Runs { size, counts } => Rle::new(size, counts),
    };
    let rle = rle.map_err(|error| error.to_string())?;
    let [rows, columns] = rle.size();
    if (columns, rows) != (width, height) {
        return Err(format!("a mask of {columns} x {rows} on a picture of {width} x {height} pixels"));
    }
    Ok(Some(rle))
}

/// Triples, where there are any.
fn keypoints(flat: &[f64]) -> Result<Option<Vec<[f64; 3]>>, String> {
    match flat.len() {
        0 => Ok(None),
        51 => Ok(Some(flat.chunks_exact(3).map(|point| [point[0], point[1], point[2]]).collect())),
        n => Err(format!("{n} numbers as keypoints instead of 51: 17 of x, y, v")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"images":[{"id":5,"file_name":"a.jpg","width":4,"height":3}],
        "categories":[{"id":1,"name":"person"}],
        "annotations":[{"id":1,"image_id":5,"category_id":1,"bbox":[1,0,2,2],"iscrowd":0,
        "segmentation":{"size":[3,4],"counts":[3,2,1,2,4]}}]}"#;

    fn read(text: &str) -> Result<Dataset, String> {
        parse(text, Path::new("gt.json")).map_err(|error| error.to_string())
    }

    #[test]
    fn bad_annotations_are_named() {
        assert_eq!(read(FILE).unwrap().truths[0].area, 4.0);
        for (from, to, message) in [
            ("\"image_id\":5", "\"image_id\":6", "gt.json: annotations[0]: image_id 6 is not among the images"),
            ("category_id\":1", "category_id\":2", "gt.json: annotations[0]: category_id 2 is not among"),
            ("[3,2,1,2,4]", "[3,2,1,2,5]", "gt.json: annotations[0]: counts add up to 13"),
            ("[3,2,1,2,4]", "\"03~\"", "gt.json: annotations[0]: compressed counts are wrong at byte 2"),
            ("[3,4]", "[4,3]", "gt.json: annotations[0]: a mask of 3 x 4 on a picture of 4 x 3 pixels"),
            ("[3,2,1,2,4]", "true", "gt.json:4: a segmentation is a list of polygons, or"),
            ("\"bbox\":[1,0,2,2],", "", "gt.json:4: missing field `bbox` (column"),
        ] {
            let error = read(&FILE.replace(from, to)).unwrap_err();
            assert!(error.starts_with(message), "{error}");
        }
    }

    #[test]
    fn results_belong_to_the_truth() {
        let dataset = read(FILE).unwrap();
        let results =
            |text: &str| parse_results(text, Path::new("dt.json"), &dataset).map_err(|error| error.to_string());
        let found =
            results(r#"[{"image_id":5,"category_id":1,"score":0.5,"segmentation":[[1,0,3,0,3,2,1,2]]}]"#).unwrap();
        assert_eq!(found[0].bbox, [1.0, 0.0, 2.0, 2.0]);
        let error = results(r#"[{"image_id":7,"category_id":1,"score":0.5,"bbox":[1,0,2,2]}]"#).unwrap_err();
        assert_eq!(error, "dt.json: result [0]: image_id 7 is not in the ground truth");
        let error = results(r#"[{"image_id":5,"category_id":1,"score":0.5}]"#).unwrap_err();
        assert_eq!(error, "dt.json: result [0]: it has neither bbox, segmentation nor keypoints");
    }
}
