//! Figures, as the manifest keeps them and as people read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::compare::Comparison;
use super::data::Data;
use super::labelled::kept;
use crate::config::Model;
use crate::inference::artefact::{LabelledAccuracy, Verified};
use crate::inference::settings_sha256;
use crate::types::time::Timestamp;

/// Too little was found to prove anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::engine) struct Few {
    /// What there was too little of.
    what: &'static str,
    count: u64,
    pictures: u32,
}

impl Few {
    /// What is wrong with the pictures, and what to do.
    pub(in crate::cli::engine) fn words(&self, model: &str, data: &Data) -> String {
        let Self { what, count, pictures } = self;
        let found = match count {
            0 => "the model file finds nothing in these pictures".to_owned(),
            _ => format!("the model file finds only {count} {what} in {pictures} of these pictures"),
        };
        format!(
            "model {model:?}: {found} ({}); use pictures with what it is for in them (--pictures FOLDER, --recording FILE, \
             --truth, --coco): {} {what} in {} pictures or more prove something",
            data.name,
            Verified::LEAST,
            Verified::LEAST_PICTURES
        )
    }
}

/// The record of a comparison, or that it proves nothing.
pub(super) fn verified(comparison: &Comparison, model: &Model, data: &Data) -> anyhow::Result<Result<Verified, Few>> {
    let Comparison { pictures, counted_in, boxes, embeddings, outputs, labelled } = comparison;
    let labelled = match (labelled, &data.truth) {
        (Some(labelled), Some(truth)) => labelled.accuracy(truth)?,
        _ => None,
    };
    let parts = [
        ("boxes", boxes.f1()),
        ("scores", boxes.scores()),
        ("keypoints", boxes.keypoints.get()),
        ("masks", boxes.masks.get()),
        ("embeddings", embeddings.mean()),
        ("ap", labelled.as_ref().and_then(kept)),
    ];
    let there = parts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clamp(0.0, 1.0))));
    let agreements: BTreeMap<String, f64> = there.collect();
    let mut figures = BTreeMap::new();
    let mut figure = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            figures.insert(name.to_owned(), value);
        }
    };
    if boxes.f1().is_some() {
        for (name, count) in [
            ("boxes_wanted", boxes.wanted),
            ("boxes_found", boxes.found),
            ("boxes_given", boxes.given),
            ("boxes_confirmed", boxes.confirmed),
        ] {
            figure(name, Some(count as f64));
        }
        figure("mean_iou", boxes.iou.get());
        figure("score_off_mean", boxes.score_off.get());
        figure("score_off_max", boxes.score_off.get().map(|_| boxes.score_off_most));
    }
    let some = |mean: u64| (mean > 0).then_some(mean as f64);
    figure("keypoints_compared", some(boxes.keypoints.count()));
    figure("masks_compared", some(boxes.masks.count()));
    figure("embeddings_compared", some(embeddings.count()));
    figure("embeddings_worst", embeddings.worst());
    for (name, l2) in outputs {
        figure(&format!("l2 {name}"), l2.get());
    }
    let (what, count) = match embeddings.count() {
        0 => ("boxes", boxes.wanted),
        count => ("crops", count),
    };
    let verified = Verified {
        at: Timestamp::now().to_string(),
        data: data.name.clone(),
        pictures: *pictures,
        counted: count,
        counted_in: *counted_in,
        settings_sha256: settings_sha256(model),
        agreement: agreements.values().copied().fold(1.0, f64::min),
        agreements,
        figures,
        labelled,
    };
    Ok(if verified.is_enough() { Ok(verified) } else { Err(Few { what, count, pictures: *counted_in }) })
}

/// Three decimals, never rounded up to a bound that was missed.
pub(super) fn shown(value: f64) -> String {
    format!("{:.3}", (value * 1e3 + 1e-9).floor() / 1e3)
}

/// One agreement in words.
fn words(verified: &Verified, part: &str) -> String {
    let figure = |name: &str| verified.figures.get(name).copied();
    let count = |name: &str| figure(name).unwrap_or_default();
    match part {
        "boxes" => {
            let (wanted, found) = (count("boxes_wanted"), count("boxes_found"));
            let more = count("boxes_given") - count("boxes_confirmed");
            let iou = figure("mean_iou").map(|iou| format!(", mean IoU {iou:.3}")).unwrap_or_default();
            format!("finds {found} of {wanted} boxes, and {more} that the model file has not{iou}")
        }
        "scores" => {
            format!("off by {:.4} on average, {:.4} at most", count("score_off_mean"), count("score_off_max"))
        }
        "keypoints" => format!("mean object keypoint similarity of {} poses", count("keypoints_compared")),
        "masks" => format!("mean IoU of {} masks", count("masks_compared")),
        "embeddings" => {
            let (compared, worst) = (count("embeddings_compared"), count("embeddings_worst"));
            format!("mean cosine of {compared} crops, {worst:.4} the worst")
        }
        "ap" => verified.labelled.as_ref().map(accuracy).unwrap_or_default(),
        _ => String::new(),
    }
}

/// `boxes against ground truth: ap 0.706 -> 0.702 (-0.004), ...`
fn accuracy(labelled: &LabelledAccuracy) -> String {
    let mut text = format!("{} against ground truth:", labelled.of);
    for (at, (name, onnx)) in labelled.onnx.iter().enumerate() {
        let plan = labelled.plan.get(name).copied().unwrap_or_default();
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(text, "{comma} {name} {onnx:.4} -> {plan:.4} ({:+.4})", plan - onnx);
    }
    text
}

/// The table of one model.
pub(super) fn table(model: &str, sha256: &str, verified: &Verified, bound: f64) -> String {
    let mut text = format!(
        "{model}: plan {} against the model file, {} pictures of {}\n",
        &sha256[..sha256.len().min(12)],
        verified.pictures,
        verified.data
    );
    for (part, value) in &verified.agreements {
        let _ = writeln!(text, "  {part:<12} {}  {}", shown(*value), words(verified, part));
    }
    for (name, value) in &verified.figures {
        if let Some(output) = name.strip_prefix("l2 ") {
            let _ = writeln!(text, "  {:<12} {value:.1e} of output {output:?}", "relative L2");
        }
    }
    if let Some(labelled) = verified.labelled.as_ref().filter(|_| !verified.agreements.contains_key("ap")) {
        let _ = writeln!(text, "  {:<12} {}", "accuracy", accuracy(labelled));
    }
    let outcome = if verified.agreement >= bound { "enough" } else { "not enough" };
    let _ = writeln!(text, "  {:<12} {}  asked {bound}: {outcome}", "agreement", shown(verified.agreement));
    text
}

/// Why it is not good enough, worst part first.
pub(super) fn refusal(model: &str, verified: &Verified, bound: f64) -> String {
    let mut parts: Vec<(&String, f64)> = verified.agreements.iter().map(|(part, value)| (part, *value)).collect();
    parts.sort_by(|a, b| a.1.total_cmp(&b.1));
    let below: Vec<String> = parts
        .iter()
        .filter(|(_, value)| *value < bound)
        .map(|(part, value)| format!("{part} {}: {}", shown(*value), words(verified, part)))
        .collect();
    format!(
        "engine {model:?} agrees with its model file by {} only ({}; {} pictures of {}), asked {bound}; build it in a higher \
         precision (models.{model}.precision), or, where it is int8, calibrate it with pictures of your own cameras",
        shown(verified.agreement),
        below.join("; "),
        verified.pictures,
        verified.data
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn figures(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
        of.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    }

    fn poor() -> Verified {
        Verified {
            at: "2026-01-02T03:04:05Z".to_owned(),
            data: "pictures /p".to_owned(),
            pictures: 20,
            counted: 90,
            counted_in: 20,
            settings_sha256: String::new(),
            agreement: 0.41,
            agreements: figures(&[("boxes", 0.41), ("scores", 0.89996), ("masks", 0.97)]),
            figures: figures(&[
                ("boxes_wanted", 90.0),
                ("boxes_found", 37.0),
                ("boxes_given", 41.0),
                ("boxes_confirmed", 37.0),
                ("score_off_mean", 0.10004),
                ("score_off_max", 0.4),
            ]),
            labelled: None,
        }
    }

    #[test]
    fn a_refusal_has_the_numbers_of_what_is_below_the_bound_and_says_what_to_do() {
        let words = refusal("detection", &poor(), 0.9);
        for part in [
            "engine \"detection\" agrees with its model file by 0.410 only",
            "(boxes 0.410: finds 37 of 90 boxes, and 4 that the model file has not",
            // Not rounded up to what was asked.
            "scores 0.899: off by 0.1000 on average, 0.4000 at most; 20 pictures of pictures /p), asked 0.9;",
            "models.detection.precision",
        ] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(!words.contains("masks"), "{words}");
    }

    #[test]
    fn a_change_against_ground_truth_has_its_sign() {
        let of = |ap| figures(&[("ap", ap)]);
        let labelled = LabelledAccuracy { of: "boxes".to_owned(), onnx: of(0.5), plan: of(0.25) };
        assert_eq!(accuracy(&labelled), "boxes against ground truth: ap 0.5000 -> 0.2500 (-0.2500)");
        assert_eq!(kept(&labelled), Some(0.5));
        // More than the model file's is no more than all of it, and of nothing there is no share.
        assert_eq!(kept(&LabelledAccuracy { plan: of(0.6), ..labelled.clone() }), Some(1.0));
        assert_eq!(kept(&LabelledAccuracy { onnx: of(0.0), ..labelled }), None);
    }
}
