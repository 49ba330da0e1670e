//! The numbers of the tracker.

use std::time::Duration;

/// The second of all settings.
const SECOND: Duration = Duration::from_secs(1);

/// Declares [`Settings`] with defaults, and access by name.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident = $default:expr;)*) => {
        /// Names that end in `_s` are seconds; everything else is a ratio. A box's size is the root of its area.
        #[derive(Clone, Copy, Debug)]
        pub struct Settings {
            $($(#[$doc])* pub $name: f32,)*
            /// What the seconds are: as long as one, but in a test of slow motion.
            pub unit: Duration,
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)* unit: SECOND }
            }
        }

        impl Settings {
            /// Names and values.
            pub fn list(&self) -> Vec<(&'static str, f32)> {
                vec![$((stringify!($name), self.$name),)*]
            }

            /// False where there is no such name.
            pub fn set(&mut self, name: &str, value: f32) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return false,
                }
                true
            }
        }
    };
}

settings! {
    /// Random walk of a centre, sizes after one second.
    q_pos = 0.15;
    /// Random walk of its speed, sizes per second after one second.
    q_vel = 0.6;
    /// The same two for width and height, times this.
    q_size = 0.33;
    /// Standard deviation of a detected centre, width or height, sizes.
    r_pos = 0.08;
    /// How much less a hidden box is believed: the deviation grows by this times the share hidden.
    r_hidden = 3.0;
    /// The same of a weak score, times how far it is below the scene's.
    r_weak = 1.0;
    /// Deviations from the prediction beyond this many sigma count less.
    outlier = 1.5;
    /// Speed of a new track: standard deviation, sizes per second.
    new_speed = 1.0;
    /// An unseen track's speed fades over this time.
    fade_s = 6.0;
    /// How much of the filter is in the published box of a seen track.
    smooth = 0.25;

    /// Over this time the scene's usual scores follow what is seen.
    scene_s = 30.0;
    /// What is usual before anything was seen counts as much as this time.
    prior_s = 0.3;
    /// Nothing that scores less begins a track, whatever is usual.
    start_floor = 0.25;
    /// Detections from here up, times the scene's usual score, take part in the first association.
    high = 0.8;
    /// From here up, times the scene's usual score, one begins a track.
    start = 0.9;
    /// Not where a track of its class, seen in this frame, covers this share of it.
    covered = 0.7;

    /// Boxes are grown by this many sigma of where the track may be before they are compared.
    buffer = 0.3;
    /// The same for those that nothing was found for.
    buffer_recover = 1.0;
    /// Never by more than this many widths and heights.
    buffer_max = 1.0;
    /// Weight of the distance in sigmas.
    w_distance = 0.35;
    /// Weight of the direction.
    w_direction = 0.15;
    /// The direction is that of this time.
    direction_s = 0.5;
    /// Weight of the score.
    w_score = 0.1;
    /// What another class costs.
    w_class = 0.5;
    /// Least similarity with high scores.
    match_high = 0.1;
    /// Least similarity with low scores.
    match_low = 0.3;
    /// Least similarity of those that nothing was found for.
    match_recover = 0.02;
    /// Tracks unseen for longer take no low score.
    low_gap_s = 1.0;

    /// A sighting counts for this share of the time since the frame before when it comes to believing a track.
    worth = 0.4;
    /// A track at the picture's edge, on its way out, ends after this time.
    edge_gap_s = 0.3;
    /// A seen and an unseen track with a larger overlap are one subject.
    duplicate_iou = 0.85;
    /// A track is hidden where another covers this share of it.
    hidden = 0.5;

    /// Over this time a class is forgotten.
    class_s = 5.0;
    /// Another class must be this much likelier before a track takes it.
    class_ratio = 1.5;
    /// A subject is stationary while it stays within this many sizes of one place...
    still = 0.15;
    /// ...for this long; it moves again when it is twice as far.
    still_s = 3.0;

    /// Weight of looks.
    w_looks = 0.4;
    /// One who was lost is not found by motion where it looks this different.
    refuse_looks = 0.5;
    /// Share of a new look in what is remembered.
    looks_new = 0.1;
    /// Least likeness, -1 (as different as strangers) to 1 (as like as the same), to be found by looks alone.
    match_looks = 0.7;
    /// Looks keep a track for this many times `max_gap`.
    looks_gap = 2.0;
    /// Speed up to which looks alone find it, sizes per second.
    looks_speed = 3.0;
    /// Older looks are asked for anew.
    looks_stale_s = 1.0;
}

impl Settings {
    /// Whether what is divided by, and what is a deviation, is above 0.
    pub fn is_sound(&self) -> bool {
        let Self { r_pos, new_speed, outlier, fade_s, scene_s, prior_s, start, class_s, .. } = *self;
        [r_pos, new_speed, outlier, fade_s, scene_s, prior_s, start, class_s].iter().all(|value| *value > 0.0)
    }

    /// Seconds of a time.
    pub fn seconds(&self, time: Duration) -> f32 {
        (time.as_secs_f64() / self.unit.as_secs_f64()) as f32
    }

    /// Whether a time is longer than some seconds.
    pub fn over(&self, time: Duration, seconds: f32) -> bool {
        self.seconds(time) > seconds
    }
}
