//! `[[cameras.zones]]`, `[[cameras.lines]]`, `[[cameras.rules]]` and `[scene]` as meant.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::config::file::{self, RuleType, SceneFault};
use crate::config::meaning::{Common, Directions, Line, Rule, RuleKind, Scene, Schedule, Zone};
use crate::config::report::Report;
use crate::config::words;
use crate::types::ground::Ground;

/// What the rules of one camera are read with.
pub(super) struct Reading<'a> {
    /// The camera's section.
    pub(super) base: &'a str,
    /// Labels of the model that feeds the tracker; `None`: they are not known.
    pub(super) labels: Option<&'a [String]>,
    /// It has a pose model.
    pub(super) poses: bool,
    pub(super) time_zone: &'a TimeZone,
    pub(super) report: &'a mut Report,
}

impl Reading<'_> {
    /// All of them.
    pub(super) fn all(&mut self, camera: &file::Camera) -> (Vec<Zone>, Vec<Line>, Vec<Rule>) {
        self.unique(camera);
        let zones: Vec<Zone> = camera.zones.iter().enumerate().map(|(i, zone)| self.zone(zone, i)).collect();
        let lines = camera.lines.iter().enumerate().map(|(i, line)| self.line(line, i)).collect();
        let rules = camera.rules.iter().enumerate().filter_map(|(i, rule)| self.rule(rule, i, &zones)).collect();
        (zones, lines, rules)
    }

    /// An id names one thing of a camera: `rule` in events.
    fn unique(&mut self, camera: &file::Camera) {
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        let zones = camera.zones.iter().map(|zone| ("zones", zone.id.as_deref()));
        let lines = camera.lines.iter().map(|line| ("lines", line.id.as_deref()));
        let rules = camera.rules.iter().map(|rule| ("rules", rule.id.as_deref()));
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (list, id) in zones.chain(lines).chain(rules) {
            let at = counts.entry(list).or_default();
            let section = format!("{}.{list}[{at}]", self.base);
            *at += 1;
            let Some(id) = id else { continue };
            if id == "scene" {
                let message = "\"scene\" is the rule of scene.* events; choose another id";
                self.report.problem(format!("{section}.id"), message);
            }
            if let Some(first) = seen.get(id) {
                let message = format!("{} is the id of {first} too; give each its own", words::quoted(id));
                self.report.problem(format!("{section}.id"), message);
            } else {
                seen.insert(id, section);
            }
        }
    }

    fn common(&mut self, written: &file::Common<'_>, key: &str) -> Common {
        self.known(written.classes, &format!("{key}.classes"));
        let [low, high] = [written.min_height.unwrap_or(0.0), written.max_height.unwrap_or(f64::INFINITY)];
        if low > high {
            let message = format!("{low} is above max_height = {high}; lower it, or raise max_height");
            self.report.problem(format!("{key}.min_height"), message);
        }
        let active = written.active.and_then(|text| match Schedule::parse(text, self.time_zone.clone()) {
            Ok(schedule) => Some(schedule),
            Err(message) => {
                self.report.problem(format!("{key}.active"), message);
                None
            }
        });
        Common {
            classes: written.classes.to_vec(),
            min_score: written.min_score.unwrap_or(0.0) as f32,
            anchor: written.anchor.unwrap_or_default(),
            min_height: low as f32,
            max_height: high as f32,
            active,
            cooldown: Duration::from_secs_f64(written.cooldown_s.unwrap_or(0.0)),
            max_per_hour: written.max_per_hour,
            shadow: written.shadow.unwrap_or(false),
            ..Common::new(written.id.unwrap_or_default())
        }
    }

    /// Labels that no track ever has would be rules that never fire.
    fn known(&mut self, classes: &[String], key: &str) {
        let Some(labels) = self.labels else { return };
        for (i, class) in classes.iter().enumerate().filter(|(_, class)| !labels.contains(class)) {
            let near = words::suggestion(class, labels.iter().map(String::as_str));
            self.report.problem(format!("{key}[{i}]"), format!("no label {}{near}", words::quoted(class)));
        }
    }

    fn zone(&mut self, written: &file::Zone, i: usize) -> Zone {
        let key = format!("{}.zones[{i}]", self.base);
        let polygon: Vec<[f32; 2]> = written.polygon.iter().flatten().map(|corner| corner.map(|v| v as f32)).collect();
        if polygon.len() >= 3 && area(&polygon) < 1e-6 {
            self.report.problem(format!("{key}.polygon"), "encloses nothing; write its corners in order");
        }
        let distances_m = written.distances_m.as_ref().and_then(|sides| {
            if polygon.len() != 4 {
                let message = format!("is for zones of four corners; this one has {}", polygon.len());
                self.report.problem(format!("{key}.distances_m"), message);
            }
            let sides = <[f64; 4]>::try_from(sides.as_slice()).ok()?.map(|side| side as f32);
            if polygon.len() == 4
                && let Err(message) = Ground::new(&polygon, sides)
            {
                self.report.problem(format!("{key}.distances_m"), message);
            }
            Some(sides)
        });
        Zone {
            common: self.common(&written.common(), &key),
            polygon,
            inertia: Duration::from_secs_f64(written.inertia_s.unwrap_or(0.3)),
            dwell: written.dwell_s.map(Duration::from_secs_f64),
            grace: Duration::from_secs_f64(written.grace_s.unwrap_or(2.0)),
            distances_m,
            count_every: written.count_every_s.map(Duration::from_secs_f64),
        }
    }

    fn line(&mut self, written: &file::Line, i: usize) -> Line {
        let key = format!("{}.lines[{i}]", self.base);
        if written.from.is_some() && written.from == written.to {
            self.report.problem(format!("{key}.to"), "is where `from` is; a line has two ends");
        }
        let end = |end: Option<[f64; 2]>| end.unwrap_or_default().map(|v| v as f32);
        Line {
            common: self.common(&written.common(), &key),
            from: end(written.from),
            to: end(written.to),
            direction: written.direction.unwrap_or(Directions::Both),
            frames: written.frames.unwrap_or(2),
        }
    }

    fn rule(&mut self, written: &file::Rule, i: usize, zones: &[Zone]) -> Option<Rule> {
        let key = format!("{}.rules[{i}]", self.base);
        let common = self.common(&written.common(), &key);
        let kind = written.kind?;
        self.misplaced(written, kind, &key);
        let zone = written.zone.as_ref().and_then(|id| {
            let at = zones.iter().position(|zone| zone.common.id == *id);
            if at.is_none() {
                let near = words::suggestion(id, zones.iter().map(|zone| zone.common.id.as_str()));
                self.report.problem(format!("{key}.zone"), format!("no zone {}{near}", words::quoted(id)));
            }
            at
        });
        let after = |default| Duration::from_secs_f64(written.after_s.unwrap_or(default));
        let kind = match kind {
            RuleType::Crowd => {
                let from = self.needed(written.from, "from", "so many begin a crowd", &key)?;
                let until = written.until.unwrap_or(from - 1);
                if until >= from {
                    let message = format!("{until} is not below from = {from}; lower it, or raise from");
                    self.report.problem(format!("{key}.until"), message);
                }
                RuleKind::Crowd { from, until, hold: Duration::from_secs_f64(written.hold_s.unwrap_or(2.0)) }
            }
            RuleType::Absence => RuleKind::Absence { after: after(60.0) },
            RuleType::WrongWay => {
                let way = self.needed(written.way, "way", "the right way, [x, y]", &key)?;
                if way == [0.0, 0.0] {
                    self.report.problem(format!("{key}.way"), "has no direction; [1, 0] is to the right, [0, 1] down");
                }
                RuleKind::WrongWay {
                    way: way.map(|v| v as f32),
                    tolerance_deg: written.tolerance_deg.unwrap_or(60.0) as f32,
                    distance: written.distance.unwrap_or(0.1) as f32,
                }
            }
            RuleType::Stopped => RuleKind::Stopped { after: after(30.0) },
            RuleType::Abandoned => {
                let owners = written.owners.clone().unwrap_or_else(|| vec!["person".to_owned()]);
                self.known(&owners, &format!("{key}.owners"));
                RuleKind::Abandoned { after: after(60.0), owners, near: written.near.unwrap_or(1.0) as f32 }
            }
            RuleType::Speed => {
                let above_kmh = self.needed(written.above_kmh, "above_kmh", "the limit, km/h", &key)? as f32;
                if written.zone.is_none() {
                    self.report
                        .problem(format!("{key}.zone"), "missing; a speed is measured in a zone with distances_m");
                } else if zone.is_some_and(|at| zones[at].distances_m.is_none()) {
                    self.report.problem(format!("{key}.zone"), "that zone has no distances_m; measure its four sides");
                }
                RuleKind::Speed { above_kmh }
            }
            RuleType::Fallen => {
                if !self.poses {
                    let message = "needs keypoints, and the camera has no pose model; add one to its models";
                    self.report.problem(format!("{key}.type"), message);
                }
                RuleKind::Fallen { after: after(5.0) }
            }
        };
        Some(Rule { common, zone, kind })
    }

    fn needed<T>(&mut self, value: Option<T>, name: &str, meaning: &str, key: &str) -> Option<T> {
        if value.is_none() {
            self.report.problem(format!("{key}.{name}"), format!("missing; add it: {meaning}"));
        }
        value
    }

    /// Keys that are set and do nothing for this type of rule.
    fn misplaced(&mut self, written: &file::Rule, kind: RuleType, key: &str) {
        use RuleType::{Abandoned, Absence, Crowd, Fallen, Speed, Stopped, WrongWay};
        let keys: [(&str, bool, &[RuleType]); 10] = [
            ("from", written.from.is_some(), &[Crowd]),
            ("until", written.until.is_some(), &[Crowd]),
            ("hold_s", written.hold_s.is_some(), &[Crowd]),
            ("after_s", written.after_s.is_some(), &[Absence, Stopped, Abandoned, Fallen]),
            ("way", written.way.is_some(), &[WrongWay]),
            ("tolerance_deg", written.tolerance_deg.is_some(), &[WrongWay]),
            ("distance", written.distance.is_some(), &[WrongWay]),
            ("owners", written.owners.is_some(), &[Abandoned]),
            ("near", written.near.is_some(), &[Abandoned]),
            ("above_kmh", written.above_kmh.is_some(), &[Speed]),
        ];
        for (name, set, kinds) in keys {
            if set && !kinds.contains(&kind) {
                self.report.problem(format!("{key}.{name}"), "does nothing for this type of rule; take it out");
            }
        }
    }
}

/// Of a polygon, by the shoelace formula.
fn area(polygon: &[[f32; 2]]) -> f32 {
    let next = polygon.iter().cycle().skip(1);
    polygon.iter().zip(next).map(|([x1, y1], [x2, y2])| x1 * y2 - x2 * y1).sum::<f32>().abs() / 2.0
}

/// What is watched for in a camera's picture itself.
pub(super) fn scene(written: &file::Scene, ignored: &[SceneFault]) -> Scene {
    let watched = |fault, seconds: f64| (!ignored.contains(&fault)).then(|| Duration::from_secs_f64(seconds));
    Scene {
        enabled: written.enabled,
        frozen: watched(SceneFault::Frozen, written.frozen_s),
        black: watched(SceneFault::Black, written.black_s),
        blurred: watched(SceneFault::Blurred, written.blurred_s),
        covered: watched(SceneFault::Covered, written.covered_s),
        moved: watched(SceneFault::Moved, written.moved_s),
        min_fps: written.min_fps.filter(|_| !ignored.contains(&SceneFault::Fps)).map(|fps| fps as f32),
        clock_skew: watched(SceneFault::Clock, written.clock_skew_s),
    }
}
