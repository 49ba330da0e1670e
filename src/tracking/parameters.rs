//! Everything that can be set on a tracker, by name: for sweeps and for whoever knows what he does.

use std::time::Duration;

use super::{Tracker, keeper};
use crate::config::{TrackerKind, Tracking};

/// A name that no parameter of the tracker has, or a value that it cannot have.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("no parameter {name:?}, or {value} is no value of it")]
pub struct UnknownParameter {
    /// As given.
    pub name: String,
    /// As given.
    pub value: f32,
}

/// What a tracker's parameters are called and worth.
#[derive(Clone, Copy, Debug)]
pub struct Parameters;

impl Parameters {
    /// Names and defaults, those of `[tracking]` included.
    #[must_use]
    pub fn defaults(kind: TrackerKind) -> Vec<(&'static str, f32)> {
        let Tracking { high_score, low_score, start_score, match_iou, confirm, max_gap, .. } = Tracking::default();
        match kind {
            TrackerKind::Bytetrack | TrackerKind::OcSort => vec![
                ("high_score", high_score),
                ("low_score", low_score),
                ("start_score", start_score),
                ("match_iou", match_iou),
                ("confirm_s", confirm.as_secs_f32()),
                ("max_gap_s", max_gap.as_secs_f32()),
            ],
            TrackerKind::Keeper => {
                let common = [
                    ("low_score", low_score),
                    ("confirm_s", confirm.as_secs_f32()),
                    ("max_gap_s", max_gap.as_secs_f32()),
                ];
                common.into_iter().chain(keeper::Settings::default().list()).collect()
            }
        }
    }
}

/// The configured tracker with some of its parameters set otherwise.
///
/// # Errors
/// The first that it does not have.
pub fn with(settings: &Tracking, overrides: &[(String, f32)]) -> Result<Box<dyn Tracker>, UnknownParameter> {
    let (mut settings, mut own) = (*settings, keeper::Settings::default());
    let keeper = settings.tracker == TrackerKind::Keeper;
    for (name, value) in overrides {
        let (share, time) = ((0.0..=1.0).contains(value), (0.0..=3600.0).contains(value));
        let place = match name.as_str() {
            name if keeper && time && own.set(name, *value) && own.is_sound() => continue,
            "high_score" if share && !keeper => &mut settings.high_score,
            "low_score" if share => &mut settings.low_score,
            "start_score" if share && !keeper => &mut settings.start_score,
            "match_iou" if share && !keeper => &mut settings.match_iou,
            "confirm_s" if time => {
                settings.confirm = Duration::from_secs_f32(*value);
                continue;
            }
            "max_gap_s" if time => {
                settings.max_gap = Duration::from_secs_f32(*value);
                continue;
            }
            _ => return Err(UnknownParameter { name: name.clone(), value: *value }),
        };
        *place = *value;
    }
    Ok(if keeper { Box::new(keeper::Keeper::new(&settings, own)) } else { super::new(&settings) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_and_what_is_divided_by_is_not_zero() {
        for &tracker in TrackerKind::ALL {
            let settings = Tracking { tracker, ..Tracking::default() };
            let defaults = Parameters::defaults(tracker).into_iter().map(|(name, value)| (name.to_owned(), value));
            assert!(with(&settings, &defaults.collect::<Vec<_>>()).is_ok(), "{tracker:?}");
            assert!(with(&settings, &[("no_such_thing".to_owned(), 0.5)]).is_err());
        }
        for name in ["r_pos", "new_speed", "outlier", "fade_s", "scene_s", "prior_s", "start", "class_s"] {
            let error = with(&Tracking::default(), &[(name.to_owned(), 0.0)]).err();
            assert_eq!(error, Some(UnknownParameter { name: name.to_owned(), value: 0.0 }));
        }
    }
}
