//! What is watched for: `[[cameras.zones]]`, `[[cameras.lines]]`, `[[cameras.rules]]` and `[scene]` as written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::meaning;
use crate::config::words::NAME;

/// Defines a section that has the keys of all rules, and how they are read alike.
macro_rules! section {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        #[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        $(#[$about])*
        pub(in crate::config) struct $name {
            /// Name: lower-case letters, digits, `_` and `-`, at most 64. Unique among the zones, lines and rules of
            /// the camera.
            #[schemars(regex(pattern = NAME))]
            pub id: Option<String>,
            $($own)*
            /// Labels that count. Default: all.
            #[schemars(length(min = 1))]
            pub classes: Option<Vec<String>>,
            /// Tracks whose median score is lower do not count, 0 to 1.
            #[schemars(range(min = 0, max = 1), extend("default" = 0.0))]
            pub min_score: Option<f64>,
            /// The point of a box that says where its subject is: `bottom` (middle of the lower edge, where feet and
            /// wheels are), `centre`, `top`, `left` or `right`.
            #[schemars(extend("default" = "bottom"))]
            pub anchor: Option<meaning::Anchor>,
            /// Boxes of a lesser height do not count, 0 to 1 of the picture's height.
            #[schemars(range(min = 0, max = 1), extend("default" = 0.0))]
            pub min_height: Option<f64>,
            /// Boxes of a greater height do not count, 0 to 1 of the picture's height. Default: any height counts.
            #[schemars(range(min = 0, max = 1))]
            pub max_height: Option<f64>,
            /// When it may fire, in the time zone of `runtime.time_zone`: `"mon-fri 08:00-18:00"`, several with `;`
            /// between them. Default: always.
            #[schemars(length(min = 1, max = 1000))]
            pub active: Option<String>,
            /// After it fired it does not fire for so long, seconds: for the same track, or for the same place where it
            /// is about no track. A zone's `enter` and `exit` are not held back.
            #[schemars(range(min = 0, max = 86_400), extend("default" = 0.0))]
            pub cooldown_s: Option<f64>,
            /// It fires at most so often within an hour; what is beyond is counted. Default: no limit.
            #[schemars(range(min = 1, max = 1_000_000))]
            pub max_per_hour: Option<u32>,
            /// It is logged and counted when it fires, and nobody is told: to try it.
            #[schemars(extend("default" = false))]
            pub shadow: Option<bool>,
        }

        impl $name {
            /// What all rules have in common.
            pub(in crate::config) fn common(&self) -> Common<'_> {
                Common {
                    id: self.id.as_deref(),
                    classes: self.classes.as_deref().unwrap_or_default(),
                    min_score: self.min_score,
                    anchor: self.anchor,
                    min_height: self.min_height,
                    max_height: self.max_height,
                    active: self.active.as_deref(),
                    cooldown_s: self.cooldown_s,
                    max_per_hour: self.max_per_hour,
                    shadow: self.shadow,
                }
            }
        }
    };
}

/// What zones, lines and rules have in common.
pub(in crate::config) struct Common<'a> {
    pub id: Option<&'a str>,
    pub classes: &'a [String],
    pub min_score: Option<f64>,
    pub anchor: Option<meaning::Anchor>,
    pub min_height: Option<f64>,
    pub max_height: Option<f64>,
    pub active: Option<&'a str>,
    pub cooldown_s: Option<f64>,
    pub max_per_hour: Option<u32>,
    pub shadow: Option<bool>,
}

section! {
    /// A part of the picture with a name. Events: `zone.enter`, `zone.exit`, `zone.dwell`, `zone.count`.
    #[schemars(extend("required" = ["id", "polygon"]))]
    Zone {
        /// Corners in order, each `[x, y]`, 0 to 1 of the picture from its top left; 3 to 64 of them.
        #[schemars(length(min = 3, max = 64), extend("items" = point()))]
        pub polygon: Option<Vec<[f64; 2]>>,
        /// A track is inside, or outside again, once it has been there for so long, seconds.
        #[schemars(range(min = 0, max = 60), extend("default" = 0.3))]
        pub inertia_s: Option<f64>,
        /// `zone.dwell` is told after so long inside, seconds. Default: never.
        #[schemars(range(min = 0, max = 86_400))]
        pub dwell_s: Option<f64>,
        /// Time outside that does not begin the dwell anew, seconds.
        #[schemars(range(min = 0, max = 3600), extend("default" = 2.0))]
        pub grace_s: Option<f64>,
        /// Lengths of the sides in metres, in order of the corners, for zones of four corners: what `type = "speed"`
        /// measures with.
        #[schemars(length(min = 4, max = 4), extend("items" = json!({ "type": "number", "minimum": 0.1, "maximum": 10_000 })))]
        pub distances_m: Option<Vec<f64>>,
        /// How many objects are in it is told each so long, seconds (`zone.count`). Default: never.
        #[schemars(range(min = 1, max = 86_400))]
        pub count_every_s: Option<f64>,
    }
}

section! {
    /// A line across the picture with a name. Event: `line.crossed`. `in` is from the left of the way `from` -> `to` to
    /// its right, as seen in the picture: with `from` at the left and `to` at the right it is downwards.
    #[schemars(extend("required" = ["id", "from", "to"]))]
    Line {
        /// One end, `[x, y]`, 0 to 1 of the picture from its top left.
        #[schemars(extend("items" = part()))]
        pub from: Option<[f64; 2]>,
        /// The other end.
        #[schemars(extend("items" = part()))]
        pub to: Option<[f64; 2]>,
        /// Crossings that count: `both`, `in` or `out`.
        #[schemars(extend("default" = "both"))]
        pub direction: Option<meaning::Directions>,
        /// Frames that a track must be seen in on each side before its crossing counts.
        #[schemars(range(min = 1, max = 100), extend("default" = 2))]
        pub frames: Option<u32>,
    }
}

section! {
    /// A further rule, by `type`.
    #[schemars(extend("required" = ["id", "type"]))]
    Rule {
        /// What it watches for. `crowd`: many at once (`crowd.start`, `crowd.end`). `absence`: nobody there
        /// (`zone.absence`). `wrong-way`: movement against the way (`object.wrong_way`). `stopped`: somebody or
        /// something stands (`object.stopped`). `abandoned`: a thing stands and its owner is gone
        /// (`object.abandoned`). `speed`: faster than allowed (`object.speeding`). `fallen`: somebody lies, by his pose
        /// (`object.fallen`).
        #[serde(rename = "type")]
        pub kind: Option<RuleType>,
        /// Id of the zone that it is about. Default: the whole picture.
        #[schemars(regex(pattern = NAME))]
        pub zone: Option<String>,
        /// So many begin a crowd. `crowd` only, and needed there.
        #[schemars(range(min = 1, max = 10_000))]
        pub from: Option<u32>,
        /// So few end it. `crowd` only. Default: one less than `from`.
        #[schemars(range(min = 0, max = 10_000))]
        pub until: Option<u32>,
        /// The number must hold for so long, seconds. `crowd` only.
        #[schemars(range(min = 0, max = 3600), extend("default" = 2.0))]
        pub hold_s: Option<f64>,
        /// It must have been so for so long, seconds. Default: `absence` 60, `stopped` 30, `abandoned` 60, `fallen` 5.
        #[schemars(range(min = 0, max = 86_400))]
        pub after_s: Option<f64>,
        /// The right way, `[x, y]` in the picture, of any length: `[1, 0]` is to the right, `[0, 1]` down. `wrong-way`
        /// only, and needed there.
        #[schemars(extend("items" = json!({ "type": "number", "minimum": -1, "maximum": 1 })))]
        pub way: Option<[f64; 2]>,
        /// Farther off the opposite of the right way is not wrong, degrees. `wrong-way` only.
        #[schemars(range(min = 1, max = 179), extend("default" = 60.0))]
        pub tolerance_deg: Option<f64>,
        /// Least way that is judged, 0 to 1 of the picture's height. `wrong-way` only.
        #[schemars(range(min = 0.01, max = 1), extend("default" = 0.1))]
        pub distance: Option<f64>,
        /// Labels of those who may watch over a thing. `abandoned` only. Default: `person`.
        #[schemars(length(min = 1))]
        pub owners: Option<Vec<String>>,
        /// An owner is near within so many of his own heights. `abandoned` only.
        #[schemars(range(min = 0.1, max = 10), extend("default" = 1.0))]
        pub near: Option<f64>,
        /// The limit, km/h. `speed` only, and needed there; its zone has `distances_m`.
        #[schemars(range(min = 0.1, max = 500))]
        pub above_kmh: Option<f64>,
    }
}

/// What a rule watches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum RuleType {
    /// Many at once.
    Crowd,
    /// Nobody there.
    Absence,
    /// Movement against the way.
    WrongWay,
    /// Somebody or something stands.
    Stopped,
    /// A thing stands and its owner is gone.
    Abandoned,
    /// Faster than allowed.
    Speed,
    /// Somebody lies.
    Fallen,
}

/// What is watched for in the picture itself, one setting for all cameras; `scene_ignore` of a camera takes out what it
/// cannot bear. Events: `scene.*`, each with a start and an end.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Scene {
    /// Is any of it watched?
    pub enabled: bool,
    /// The same picture for so long, seconds: `scene.frozen`.
    #[schemars(range(min = 1, max = 86_400))]
    pub frozen_s: f64,
    /// A black picture for so long, seconds: `scene.black`.
    #[schemars(range(min = 1, max = 86_400))]
    pub black_s: f64,
    /// Out of focus, compared with the last minutes, for so long, seconds: `scene.blurred`.
    #[schemars(range(min = 1, max = 86_400))]
    pub blurred_s: f64,
    /// Something before the lens for so long, seconds: `scene.covered`.
    #[schemars(range(min = 1, max = 86_400))]
    pub covered_s: f64,
    /// Another view than before for so long, seconds: `scene.moved`.
    #[schemars(range(min = 1, max = 86_400))]
    pub moved_s: f64,
    /// Fewer frames per second than this, for ten seconds: `scene.fps`. Default: nobody asks.
    #[schemars(range(min = 0.01, max = 240))]
    pub min_fps: Option<f64>,
    /// The camera's clock is off ours by more, seconds: `scene.clock`. Only where the camera tells its time (RTCP).
    #[schemars(range(min = 0.1, max = 86_400))]
    pub clock_skew_s: f64,
}

impl Default for Scene {
    fn default() -> Self {
        let meant = meaning::Scene::default();
        let seconds = |time: Option<std::time::Duration>| time.unwrap_or_default().as_secs_f64();
        Self {
            enabled: meant.enabled,
            frozen_s: seconds(meant.frozen),
            black_s: seconds(meant.black),
            blurred_s: seconds(meant.blurred),
            covered_s: seconds(meant.covered),
            moved_s: seconds(meant.moved),
            min_fps: None,
            clock_skew_s: seconds(meant.clock_skew),
        }
    }
}

/// What a camera's picture may do without being told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::config) enum SceneFault {
    /// `scene.frozen`
    Frozen,
    /// `scene.black`
    Black,
    /// `scene.blurred`
    Blurred,
    /// `scene.covered`
    Covered,
    /// `scene.moved`
    Moved,
    /// `scene.fps`
    Fps,
    /// `scene.clock`
    Clock,
}

fn part() -> serde_json::Value {
    json!({ "type": "number", "minimum": 0, "maximum": 1 })
}

fn point() -> serde_json::Value {
    json!({ "type": "array", "minItems": 2, "maxItems": 2, "items": part() })
}
