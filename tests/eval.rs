//! Metrics against stored numbers of the reference tools (`scripts/reference_eval.py`): pycocotools, TrackEval, and
//! the Market-1501 protocol in numpy.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use watchkeeper::eval::coco::{Kind, Scores as Precisions};
use watchkeeper::eval::report::{CrossCamera, Precision, Report, Tracking};
use watchkeeper::eval::tracking::{Frames, Scores};
use watchkeeper::eval::truth::{self, streetscene};
use watchkeeper::eval::{coco, cross_camera, polygon, reid, tracking};
use watchkeeper::types::mask::Rle;

const CLASSES: [(u32, &str); 3] = [(1, "person"), (2, "bicycle"), (3, "car")];

fn stored(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/references/eval").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All numbers that the reference has, and no others.
fn assert_agrees(ours: &Value, reference: &Value, what: &str) {
    let (ours, reference) = (ours.as_object().unwrap(), reference.as_object().unwrap());
    for (name, want) in reference {
        let got = ours.get(name).and_then(Value::as_f64);
        let want = want.as_f64().unwrap();
        assert!(got.is_some_and(|got| (got - want).abs() < 1e-6), "{what}: {name} is {got:?} instead of {want}");
    }
    let more: Vec<&String> = ours.keys().filter(|name| !reference.contains_key(*name)).collect();
    assert!(more.is_empty(), "{what}: the reference has no {more:?}");
}

fn json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn precision_agrees_with_pycocotools() {
    let cases = stored("coco.json");
    let mut compared = 0;
    for (i, case) in cases.as_array().unwrap().iter().enumerate() {
        let kind = match case["kind"].as_str().unwrap() {
            "bbox" => Kind::Boxes,
            "segm" => Kind::Masks,
            _ => Kind::Keypoints,
        };
        let path = Path::new("stored");
        let dataset = truth::coco::parse(&case["truth"].to_string(), path).unwrap();
        let results = truth::coco::parse_results(&case["results"].to_string(), path, &dataset).unwrap();
        dataset.check(&results).unwrap();
        let summary = coco::evaluate(kind, &dataset.truths, &results);
        assert_agrees(&json(summary.all), &case["numbers"]["all"], &format!("case {i}"));
        let per_category = case["numbers"]["per_category"].as_object().unwrap();
        for (category, numbers) in per_category {
            let scores = summary.per_category[&category.parse().unwrap()];
            assert_agrees(&json(scores), numbers, &format!("case {i}, category {category}"));
            compared += 1;
        }
        assert_eq!(summary.per_category.len(), per_category.len(), "case {i}");
        let named = Precision::new(&summary, |id| dataset.category_name(id).map(str::to_owned));
        assert_eq!(named.per_class.len(), per_category.len(), "case {i}: names");
    }
    assert!(compared > 10);
}

#[test]
fn polygons_are_drawn_as_pycocotools_draws_them() {
    let case = stored("polygons.json");
    let size = |name: &str| u32::try_from(case[name].as_u64().unwrap()).unwrap();
    let (height, width) = (size("height"), size("width"));
    let mut masks = Vec::new();
    for drawn in case["drawn"].as_array().unwrap() {
        let outlines: Vec<Vec<f64>> = serde_json::from_value(drawn["outlines"].clone()).unwrap();
        let counts: Vec<u32> = serde_json::from_value(drawn["counts"].clone()).unwrap();
        let want = Rle::new([height, width], counts).unwrap();
        assert_eq!(polygon::fill_all(&outlines, height, width), want, "{outlines:?}");
        assert_eq!(
            Rle::from_compressed([height, width], drawn["packed"].as_str().unwrap()).unwrap().area(),
            want.area()
        );
        assert_eq!(Some(want.area()), drawn["area"].as_u64());
        masks.push(want);
    }
    for (i, row) in case["iou"].as_array().unwrap().iter().enumerate() {
        for (j, want) in row.as_array().unwrap().iter().enumerate() {
            let got = masks[i].iou(&masks[j], case["crowd"][j].as_bool().unwrap());
            assert!((got - want.as_f64().unwrap()).abs() < 1e-7, "{i} and {j}: {got} instead of {want}");
        }
    }
}

fn frames(text: &Value, truth: bool) -> Frames {
    truth::mot::parse(text.as_str().unwrap(), Path::new("stored"), truth).unwrap()
}

#[test]
fn tracking_agrees_with_trackeval() {
    let case = stored("tracking.json");
    let mut per_class: BTreeMap<String, Scores> = BTreeMap::new();
    for (class, name) in CLASSES {
        for (sequence, rows) in case["sequences"].as_object().unwrap() {
            let (wanted, found) = (frames(&rows["truth"], true), frames(&rows["tracks"], false));
            let scores = tracking::evaluate(&wanted, &found, Some(class)).unwrap();
            if let Some(summary) = scores.summary() {
                let reference = &case["per_class"][name][sequence];
                assert_agrees(&json(summary), reference, &format!("{name} in {sequence}"));
            }
            let sum = per_class.remove(name).unwrap_or_default().and(&scores);
            per_class.insert(name.to_owned(), sum);
        }
        let summary = per_class[name].summary().unwrap();
        assert!(summary.idsw > 0 && summary.frag > 0 && summary.hota < 0.95, "{name} is too easy: {summary:?}");
        assert_agrees(&json(summary), &case["per_class"][name]["COMBINED_SEQ"], name);
    }
    let report = Tracking::new(&per_class).unwrap();
    assert_agrees(&json(report.all), &case["all"], "all classes");
    assert_eq!(report.per_class.len(), 3);
}

#[test]
fn identities_over_cameras_agree_with_trackeval_on_one_long_sequence() {
    let case = stored("cross_camera.json");
    let (mut wanted, mut found) = (Frames::new(), Frames::new());
    for (camera, rows) in case["cameras"].as_object().unwrap() {
        for (key, truth, into) in [("truth", true, &mut wanted), ("tracks", false, &mut found)] {
            into.extend(frames(&rows[key], truth).into_iter().map(|(frame, o)| ((camera.clone(), frame), o)));
        }
    }
    let identity = cross_camera::evaluate(&wanted, &found, Some(1)).unwrap();
    let scores = CrossCamera::new(&identity).unwrap();
    assert!(scores.idf1 > 0.2 && scores.idf1 < 0.9, "{scores:?}");
    assert_agrees(&json(scores), &case["numbers"], "site");
}

#[test]
fn reid_agrees_with_the_market_1501_protocol() {
    let case = stored("reid.json");
    let read = |side: &str| -> Vec<(Vec<f32>, u64, u32)> {
        let views = case[side].as_array().unwrap().iter();
        let view = |v: &Value| (v["embedding"].clone(), v["identity"].as_u64().unwrap(), v["camera"].as_u64().unwrap());
        views.map(view).map(|(e, i, c)| (serde_json::from_value(e).unwrap(), i, c as u32)).collect()
    };
    let (query, gallery) = (read("query"), read("gallery"));
    fn views(side: &[(Vec<f32>, u64, u32)]) -> Vec<reid::View<'_>> {
        side.iter()
            .map(|(embedding, identity, camera)| reid::View { embedding, identity: *identity, camera: *camera })
            .collect()
    }
    let scores = reid::evaluate(&views(&query), &views(&gallery)).unwrap().unwrap();
    assert!(scores.rank1 < 0.95 && scores.queries < query.len(), "{scores:?}");
    assert_agrees(&json(scores), &case["numbers"], "reid");
    assert_eq!(reid::evaluate(&views(&query), &[]).unwrap(), None);
    let short = reid::View { embedding: &[1.0], identity: 1, camera: 1 };
    let error = reid::evaluate(&views(&query), &[short]).unwrap_err().to_string();
    assert!(error.starts_with("gallery 1 has an embedding of 1 values instead of 12"), "{error}");
}

#[test]
fn the_truth_found_exactly_scores_one_everywhere() {
    let (rows, dataset) = street(2, 30);
    let predictions: Vec<coco::Prediction> = dataset
        .truths
        .iter()
        .map(|t| coco::Prediction {
            image: t.image,
            category: t.category,
            score: 0.9,
            bbox: t.bbox,
            mask: t.mask.clone(),
            keypoints: t.keypoints.clone(),
        })
        .collect();
    for kind in [Kind::Boxes, Kind::Masks, Kind::Keypoints] {
        let Precisions { ap, ar, .. } = coco::evaluate(kind, &dataset.truths, &predictions).all;
        assert!(ap.unwrap() > 0.9999 && ar.unwrap() > 0.9999, "{kind:?}: {ap:?} {ar:?}");
    }
    for (name, frames) in streetscene::sequences(&rows) {
        let summary = tracking::evaluate(&frames, &frames, None).unwrap().summary().unwrap();
        let ones = [summary.hota, summary.mota, summary.idf1, summary.loca];
        assert!(ones.iter().all(|one| (one - 1.0).abs() < 1e-9), "{name}: {summary:?}");
    }
    for frames in streetscene::sites(&rows).values() {
        assert_eq!(cross_camera::evaluate(frames, frames, None).unwrap().idf1(), 1.0);
    }
}

#[test]
fn folders_of_truth_are_read_in_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    let error = streetscene::read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("no truth.jsonl here and none one folder below"), "{error}");
    for seed in [12, 3] {
        let below = folder.path().join(format!("seed-{seed:06}"));
        std::fs::create_dir(&below).unwrap();
        let line = |frame: u64| {
            format!(
                r#"{{"schema":"streetscene-truth/1","seed":{seed},"light":"day","camera":"c","frame":{frame},
                "time_s":0,"width":4,"height":4,"objects":[]}}"#
            )
            .replace('\n', "")
        };
        std::fs::write(below.join("truth.jsonl"), format!("{}\n{}\n\n", line(1), line(2))).unwrap();
    }
    let rows = streetscene::read(folder.path()).unwrap();
    assert_eq!(rows.iter().map(|row| (row.seed, row.frame)).collect::<Vec<_>>(), [(3, 1), (3, 2), (12, 1), (12, 2)]);
    let bad = folder.path().join("seed-000003/truth.jsonl");
    std::fs::write(&bad, "\n{}\n").unwrap();
    let error = streetscene::read(&bad).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}:2: missing field `schema`", bad.display())), "{error}");
}

#[test]
fn yolo_labels_belong_to_pictures_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
    std::fs::create_dir(&images).unwrap();
    std::fs::create_dir(&labels).unwrap();
    let read = |names: Option<&[String]>| truth::yolo::read(&images, &labels, names);
    assert!(read(None).unwrap_err().to_string().contains("no .jpg, .jpeg or .png picture here"));
    for (name, width) in [("b.png", 200_u32), ("a.png", 100)] {
        let head = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &width.to_be_bytes(), &50_u32.to_be_bytes()].concat();
        std::fs::write(images.join(name), head).unwrap();
    }
    std::fs::write(labels.join("b.txt"), "1 0.5 0.5 0.5 1\n").unwrap();
    let dataset = read(None).unwrap();
    assert_eq!(
        dataset.images.iter().map(|i| (i.id, &*i.name, i.width)).collect::<Vec<_>>(),
        [(1, "a.png", 100), (2, "b.png", 200)]
    );
    assert_eq!((dataset.truths[0].image, dataset.truths[0].bbox), (2, [50.0, 0.0, 100.0, 50.0]));
    assert_eq!(dataset.category_name(1), Some("1"));
    let names = ["person".to_owned(), "car".to_owned()];
    assert_eq!(read(Some(&names)).unwrap().category("car"), Some(1));
    assert!(read(Some(&names[..1])).unwrap_err().to_string().contains("class 1 is used, and there are only 1 names"));
    std::fs::write(labels.join("c.txt"), "").unwrap();
    assert!(read(None).unwrap_err().to_string().contains("c.txt: labels without a picture of that name"));
}

/// Rows as a street of 4 cameras and 8 objects would give them.
fn street(seeds: u64, frames: u64) -> (Vec<streetscene::Row>, truth::Dataset) {
    let mut rows = Vec::new();
    for (seed, frame, camera) in
        (0..seeds).flat_map(|seed| (1..=frames).flat_map(move |frame| (0..4).map(move |camera| (seed, frame, camera))))
    {
        let object = |id: u64| {
            let (x, y) = ((id * 70 + frame / 2) % 560, (id * 37 + camera * 11) % 240);
            let (from, column) = (x * 360 + y, "50,310,".repeat(29));
            let after = 640 * 360 - from - 29 * 360 - 50;
            let points = if id.is_multiple_of(3) { format!("[{x},{y},2],").repeat(17) } else { String::new() };
            format!(
                r#"{{"track":{id},"identity":{id},"class":"{}","box":[{x},{y},{},{}],"full_box":[0,0,1,1],
                "visibility":1.0,"ignore":{},"keypoints":[{}],
                "mask":{{"size":[360,640],"counts":[{from},{column}50,{after}]}}}}"#,
                ["person", "bicycle", "car"][id as usize % 3],
                x + 30,
                y + 50,
                (id + frame).is_multiple_of(9),
                points.trim_end_matches(',')
            )
        };
        let objects: Vec<String> = (0..8).map(object).collect();
        let line = format!(
            r#"{{"schema":"streetscene-truth/1","seed":{seed},"light":"day","camera":"c{camera}","frame":{frame},
            "time_s":0.1,"width":640,"height":360,"objects":[{}]}}"#,
            objects.join(",")
        );
        rows.push(streetscene::parse(&line, Path::new("truth.jsonl"), 1).unwrap());
    }
    let dataset = streetscene::dataset(&rows);
    (rows, dataset)
}

/// 20 seeds, 4 cameras, 200 frames, 8 objects. `cargo test --release --test eval -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn a_large_set_is_scored_in_seconds() {
    let start = Instant::now();
    let lap = |what: &str, since: Instant| println!("{what}: {:?}", since.elapsed());
    let (rows, dataset) = street(20, 200);
    lap("read", start);
    let mut report = Report::default();
    let scored = Instant::now();
    for (kind, part) in [
        (Kind::Boxes, &mut report.detection),
        (Kind::Masks, &mut report.segmentation),
        (Kind::Keypoints, &mut report.keypoints),
    ] {
        let predictions: Vec<_> = dataset
            .truths
            .iter()
            .enumerate()
            .map(|(i, t)| coco::Prediction {
                image: t.image,
                category: t.category,
                score: (i % 89) as f64 / 89.0,
                bbox: [t.bbox[0] + (i % 13) as f64, t.bbox[1], t.bbox[2], t.bbox[3]],
                mask: t.mask.clone(),
                keypoints: t.keypoints.clone(),
            })
            .collect();
        let now = Instant::now();
        let summary = coco::evaluate(kind, &dataset.truths, &predictions);
        lap(&format!("{kind:?}"), now);
        *part = Some(Precision::new(&summary, |id| dataset.category_name(id).map(str::to_owned)));
    }
    let now = Instant::now();
    let mut per_class = BTreeMap::new();
    for (class, name) in CLASSES {
        let sequences = streetscene::sequences(&rows);
        let score = |frames: &Frames| tracking::evaluate(frames, frames, Some(class)).unwrap();
        let all = sequences.values().map(score).fold(Scores::default(), |sum, scores| sum.and(&scores));
        per_class.insert(name.to_owned(), all);
    }
    report.tracking = Tracking::new(&per_class);
    lap("tracking", now);
    let now = Instant::now();
    let mut identity = tracking::Identity::default();
    for frames in streetscene::sites(&rows).values() {
        identity.add(&cross_camera::evaluate(frames, frames, None).unwrap());
    }
    report.cross_camera = CrossCamera::new(&identity);
    lap("cross camera", now);
    println!("{report}");
    assert!(scored.elapsed() < Duration::from_secs(30));
}
