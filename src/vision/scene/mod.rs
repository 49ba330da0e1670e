//! What a camera's picture is like, whatever is in it: cheap numbers that tell whether it is frozen, black, blurred,
//! covered, or looks elsewhere. What they mean is for the rules to say.
//!
//! A picture comes onto a small `grid`, whose `numbers` are told, and whose `edges` are compared with a `reference`:
//! the view as it was learnt over the last minutes. A picture that is black, covered or of another view teaches the
//! reference nothing, so that it is known when the old view is back; a new view becomes the reference once it has
//! stayed for [`ACCEPTED_AFTER`].
//!
//! What it cannot tell: whether a scene in which nothing moves, without noise, is frozen; a turn towards a wall without
//! texture from a cover; a cover with a texture of its own from another view; what comes so slowly that the
//! reference follows, as dirt and drifting focus do.

mod edges;
mod grid;
mod numbers;
mod reference;

use std::time::Duration;

use self::edges::Edges;
use self::grid::{HEIGHT, Shrinking, WIDTH};
use self::reference::Reference;
use crate::types::frame::Picture;
use crate::types::observation::SceneStats;

/// Pictures are measured so often.
pub const EVERY: Duration = Duration::from_millis(500);
/// A view that stays for so long becomes the one that others are compared with.
pub const ACCEPTED_AFTER: Duration = Duration::from_secs(600);
/// The first view is known after so long.
const KNOWN_AFTER: Duration = Duration::from_secs(10);
/// A view less like the known one is another.
const OTHER: f32 = 0.35;
/// With more of the picture covered, it teaches nothing.
const COVERED: f32 = 0.5;
/// A picture with less deviation teaches nothing either.
const FLAT: f32 = 3.0;
/// Longer gaps between pictures count as so long.
const GAP: Duration = Duration::from_secs(5);

/// Measures pictures of one camera.
///
/// ```
/// use std::time::Duration;
/// use watchkeeper::vision::scene::SceneMeter;
/// # use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};
/// # let (y, uv) = (vec![16; 640 * 360], vec![128; 640 * 180]);
/// # let plane = |data| Plane { data, stride: 640 };
/// # let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
/// # let picture = Picture { width: 640, height: 360, planes: Planes::Nv12 { y: plane(&y), uv: plane(&uv) }, colour };
/// let mut meter = SceneMeter::new();
/// let media_time = Duration::from_millis(40);
/// if meter.due(media_time) {
///     let stats = meter.measure(&picture, media_time).expect("the picture is whole");
///     assert_eq!((stats.mean, stats.deviation), (0.0, 0.0));
/// }
/// ```
#[derive(Debug, Default)]
pub struct SceneMeter {
    last: Option<Duration>,
    /// Size of the pictures, and what is needed for pictures of that size.
    work: Option<((usize, usize), Box<Work>)>,
}

#[derive(Debug)]
struct Work {
    shrinking: Shrinking,
    now: Vec<f32>,
    before: Vec<f32>,
    begun: bool,
    edges: Edges,
    view: Reference,
    /// There is a view to compare with.
    known: bool,
    /// Another view, perhaps one to accept.
    other: Reference,
}

impl SceneMeter {
    /// One that has seen no picture yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Is it time to measure?
    #[must_use]
    pub fn due(&self, media_time: Duration) -> bool {
        self.last.is_none_or(|last| media_time < last || media_time - last >= EVERY)
    }

    /// Measures a picture; only its luma is read. `None`: its planes are not what its size says.
    ///
    /// The first picture of a size makes room for all that follow, and begins anew. `likeness` is NaN while no view is
    /// known: in the first seconds, and once when another view became the one to compare with.
    pub fn measure(&mut self, picture: &Picture<'_>, media_time: Duration) -> Option<SceneStats> {
        picture.sized().ok()?;
        let size = (picture.width, picture.height);
        if self.work.as_ref().is_none_or(|(of, _)| *of != size) {
            self.work = Some((size, Box::new(Work::new(size))));
        }
        let passed = self.last.map_or(Duration::ZERO, |last| media_time.saturating_sub(last)).min(GAP);
        self.last = Some(media_time);
        self.work.as_mut().and_then(|(_, work)| work.measure(picture, passed))
    }
}

impl Work {
    fn new((width, height): (usize, usize)) -> Self {
        Self {
            shrinking: Shrinking::of(width, height),
            now: vec![0.0; WIDTH * HEIGHT],
            before: vec![0.0; WIDTH * HEIGHT],
            begun: false,
            edges: Edges::NONE,
            view: Reference::new(),
            known: false,
            other: Reference::new(),
        }
    }

    fn measure(&mut self, picture: &Picture<'_>, passed: Duration) -> Option<SceneStats> {
        std::mem::swap(&mut self.now, &mut self.before);
        self.shrinking.run(picture, &mut self.now)?;
        let (mean, deviation) = numbers::mean_and_deviation(&self.now);
        let (difference, noise) = if self.begun {
            numbers::difference_and_noise(&self.now, &self.before)
        } else {
            // The first: as if all of it had changed.
            (mean, 0.0)
        };
        self.begun = true;
        self.edges.find(&self.now);
        let covered = if self.known { self.view.covered(&self.edges) } else { 0.0 };
        let likeness = if self.known { self.view.likeness(&self.edges) } else { None };
        let sharpness = numbers::sharpness(&self.now, noise);
        let mut stats = SceneStats {
            mean,
            deviation,
            difference,
            sharpness,
            likeness: likeness.unwrap_or(f32::NAN),
            covered,
            clock_skew_s: f32::NAN,
        };
        if covered < COVERED && deviation >= FLAT && self.learn(likeness, passed) {
            stats.likeness = f32::NAN;
        }
        Some(stats)
    }

    /// True where another view became the one to compare with.
    fn learn(&mut self, likeness: Option<f32>, passed: Duration) -> bool {
        if self.known && likeness.is_none_or(|likeness| likeness >= OTHER) {
            self.view.learn(&self.edges, passed);
            self.other.forget();
            return false;
        }
        if self.other.age() >= KNOWN_AFTER && self.other.likeness(&self.edges).is_some_and(|likeness| likeness < OTHER)
        {
            self.other.forget();
        }
        self.other.learn(&self.edges, passed);
        let after = if self.known { ACCEPTED_AFTER } else { KNOWN_AFTER };
        if self.other.age() < after {
            return false;
        }
        std::mem::swap(&mut self.view, &mut self.other);
        self.other.forget();
        self.known = true;
        true
    }
}
