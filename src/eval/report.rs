//! Named scores as a table for people and as JSON for programs. What was not computed is absent.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;

use super::tracking::Identity;
use super::{coco, reid, tracking};

/// Everything that was scored. Keys are stable.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Boxes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Precision>,
    /// Masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segmentation: Option<Precision>,
    /// Keypoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keypoints: Option<Precision>,
    /// Tracks per camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracking: Option<Tracking>,
    /// Embeddings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reid: Option<reid::Scores>,
    /// Identities over all cameras of a site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cross_camera: Option<CrossCamera>,
}

/// Average precision, over all classes and per class name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Precision {
    /// Mean over classes.
    #[serde(flatten)]
    pub all: coco::Scores,
    /// Classes that the truth has.
    pub per_class: BTreeMap<String, coco::Scores>,
}

impl Precision {
    /// Names the categories of a summary; a category without a name is called by its number.
    #[must_use]
    pub fn new(summary: &coco::Summary, name: impl Fn(u32) -> Option<String>) -> Self {
        let named = |(id, scores): (&u32, &coco::Scores)| (name(*id).unwrap_or_else(|| id.to_string()), *scores);
        Self { all: summary.all, per_class: summary.per_category.iter().map(named).collect() }
    }
}

/// Tracking scores, over all classes and per class name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tracking {
    /// All classes together: counts added up.
    #[serde(flatten)]
    pub all: tracking::Summary,
    /// Classes that the truth has.
    pub per_class: BTreeMap<String, tracking::Summary>,
}

impl Tracking {
    /// From the scores of each class by name; `None` where the truth holds nothing that is wanted.
    #[must_use]
    pub fn new(per_class: &BTreeMap<String, tracking::Scores>) -> Option<Self> {
        let all = per_class.values().fold(tracking::Scores::default(), tracking::Scores::and).summary()?;
        let named = |(name, scores): (&String, &tracking::Scores)| Some((name.clone(), scores.summary()?));
        Some(Self { all, per_class: per_class.iter().filter_map(named).collect() })
    }
}

/// Identity scores over all cameras. Shares are 0..1, the others count boxes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names are the field's")]
pub struct CrossCamera {
    pub idf1: f64,
    pub idp: f64,
    pub idr: f64,
    pub idtp: u64,
    pub idfp: u64,
    pub idfn: u64,
    /// With what was believed when each frame came, before later evidence; the others are with what was believed at
    /// the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_idf1: Option<f64>,
}

impl CrossCamera {
    /// `None` where the truth holds nothing that is wanted.
    #[must_use]
    pub fn new(identity: &Identity) -> Option<Self> {
        (identity.tp + identity.misses > 0).then(|| Self {
            idf1: identity.idf1(),
            idp: identity.idp(),
            idr: identity.idr(),
            idtp: identity.tp,
            idfp: identity.false_alarms,
            idfn: identity.misses,
            online_idf1: None,
        })
    }
}

impl fmt::Display for Report {
    /// One table per part: a row for all classes, then one per class.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precisions =
            [("detection", &self.detection), ("segmentation", &self.segmentation), ("keypoints", &self.keypoints)];
        let mut tables: Vec<String> = Vec::new();
        for (name, part) in precisions {
            let row = |scores: &coco::Scores| precision_row(scores);
            tables.extend(part.as_ref().map(|part| table(name, row(&part.all), &classes(&part.per_class, row))));
        }
        if let Some(part) = &self.tracking {
            tables.push(table("tracking", tracking_row(&part.all), &classes(&part.per_class, tracking_row)));
        }
        if let Some(reid::Scores { rank1, rank5, rank10, map, .. }) = self.reid {
            let row =
                vec![("rank1", share(rank1)), ("rank5", share(rank5)), ("rank10", share(rank10)), ("map", share(map))];
            tables.push(table("reid", row, &[]));
        }
        if let Some(CrossCamera { idf1, idp, idr, .. }) = self.cross_camera {
            tables.push(table(
                "cross_camera",
                vec![("idf1", share(idf1)), ("idp", share(idp)), ("idr", share(idr))],
                &[],
            ));
        }
        f.write_str(&tables.join("\n"))
    }
}

/// Key and printed value per column; columns without a value are left out.
type Row = Vec<(&'static str, String)>;

fn share(value: f64) -> String {
    format!("{value:.4}")
}

fn precision_row(scores: &coco::Scores) -> Row {
    let columns = [
        ("ap", scores.ap),
        ("ap50", scores.ap50),
        ("ap75", scores.ap75),
        ("ap_small", scores.ap_small),
        ("ap_medium", scores.ap_medium),
        ("ap_large", scores.ap_large),
        ("ar", scores.ar),
    ];
    columns.into_iter().filter_map(|(key, value)| Some((key, share(value?)))).collect()
}

fn tracking_row(scores: &tracking::Summary) -> Row {
    let shares = [
        ("hota", scores.hota),
        ("deta", scores.deta),
        ("assa", scores.assa),
        ("loca", scores.loca),
        ("mota", scores.mota),
        ("motp", scores.motp),
        ("idf1", scores.idf1),
    ];
    let counts = [
        ("fp", scores.fp),
        ("fn", scores.r#fn),
        ("idsw", scores.idsw),
        ("frag", scores.frag),
        ("mt", scores.mt),
        ("ml", scores.ml),
    ];
    let shares = shares.into_iter().map(|(key, value)| (key, share(value)));
    shares.chain(counts.into_iter().map(|(key, value)| (key, value.to_string()))).collect()
}

fn classes<T>(per_class: &BTreeMap<String, T>, row: impl Fn(&T) -> Row) -> Vec<(String, Row)> {
    per_class.iter().map(|(class, scores)| (class.clone(), row(scores))).collect()
}

/// Aligned columns: those of `all`, and a row for each class.
fn table(name: &str, all: Row, per_class: &[(String, Row)]) -> String {
    let first = per_class.iter().map(|(class, _)| class.chars().count()).chain([name.len()]).max().unwrap_or(0);
    let keys: Vec<&str> = all.iter().map(|(key, _)| *key).collect();
    let mut text = format!("{name:first$}");
    for key in &keys {
        let _ = write!(text, "  {key:>WIDTH$}");
    }
    let label = if per_class.is_empty() { "" } else { "all" };
    for (class, row) in std::iter::once((label, &all)).chain(per_class.iter().map(|(class, row)| (class.as_str(), row)))
    {
        let _ = write!(text, "\n{class:first$}");
        for key in &keys {
            let cell = row.iter().find(|(column, _)| column == key).map_or("", |(_, cell)| cell);
            let _ = write!(text, "  {cell:>width$}", width = WIDTH.max(key.len()));
        }
    }
    text + "\n"
}

/// Of a column, at the least.
const WIDTH: usize = 7;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_computed_is_absent() {
        let scores = coco::Scores { ap: Some(0.5), ap50: Some(1.0), ..coco::Scores::default() };
        let summary = coco::Summary { all: scores, per_category: [(1, scores), (7, scores)].into() };
        let detection = Precision::new(&summary, |id| (id == 1).then(|| "person".to_owned()));
        let report = Report { detection: Some(detection), ..Report::default() };
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"detection":{"ap":0.5,"ap50":1.0,"per_class":{"7":{"ap":0.5,"ap50":1.0},"person":{"ap":0.5,"ap50":1.0}}}}"#
        );
        let want = "detection       ap     ap50\n\
                    all         0.5000   1.0000\n\
                    7           0.5000   1.0000\n\
                    person      0.5000   1.0000\n";
        assert_eq!(report.to_string(), want);
        assert_eq!(CrossCamera::new(&Identity::default()), None);
        assert_eq!(Tracking::new(&BTreeMap::new()), None);
    }
}
