//! How a camera moved between two frames, told from the pictures alone.
//!
//! The luma plane is shrunk (`shrink`), `corners` are looked for in the picture before, beside the boxes of subjects,
//! followed (`flow`) into the picture now, and one turn, zoom and shift is fitted (`fit`) to how they moved. A rough
//! `search` for the shift goes ahead, so that a fast shake is followed, too.
//!
//! Most cameras stand, and must not pay for this with boxes that tremble: motion of less than `DEAD` pixels of the
//! small picture at every corner is none at all, exactly. It is not lost where it goes on: while the camera stands,
//! the picture it is compared with stays the same one.

mod corners;
mod fit;
mod flow;
mod image;
mod search;
mod shrink;
#[cfg(test)]
mod tests;

use self::corners::Corners;
use self::fit::{Fitter, Pair};
use self::image::{Image, Pyramid, TOP_SCALE};
use self::search::Search;
use self::shrink::Shrinking;
use crate::types::camera_motion::CameraMotion;
use crate::types::frame::Picture;
use crate::types::geometry::BBox;

/// Where no corner of the small picture moves further, the camera stands. Pixels of the small picture, which is about
/// 320 wide.
const DEAD: f32 = 0.15;
/// Where this part of the points stand, so does the camera: what moves is in the scene.
const STANDING: f32 = 1.0 / 3.0;
/// So many points, about, are followed from the [search]'s shift; the others from where those say. At least so many of
/// them must agree.
const FEW: usize = 36;
const LEAST_FEW: usize = 6;
/// Fewer points tell nothing.
const LEAST_POINTS: usize = 10;
/// Least part of the points looked for that agree on a motion.
const AGREE: f32 = 1.0 / 3.0;
/// With fewer of its corners found again than this part, a picture is no longer one to compare with.
const WORN: f32 = 0.6;

/// What an estimate rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Support {
    /// What came out.
    pub verdict: Verdict,
    /// Corners looked for.
    pub corners: usize,
    /// Corners found again.
    pub found: usize,
    /// Of those, how many agree with the motion given.
    pub agree: usize,
}

/// What came out of an estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// There was no picture to compare with: the first, one of another size, or one too small or not whole.
    #[default]
    Nothing,
    /// The camera stood.
    Stood,
    /// The camera moved.
    Moved,
    /// It cannot be told: a cut, darkness, fog, or all in motion. The motion given is none.
    Unknown,
}

/// Tells how a camera moves, from frame to frame.
///
/// ```
/// use watchkeeper::types::camera_motion::CameraMotion;
/// use watchkeeper::vision::camera_motion::CameraMotionEstimator;
/// # use watchkeeper::types::frame::{Colour, Matrix, Picture, Plane, Planes, Range};
/// # let (y, uv) = (vec![16; 640 * 360], vec![128; 640 * 180]);
/// # let plane = |data| Plane { data, stride: 640 };
/// # let colour = Colour { matrix: Matrix::Bt709, range: Range::Limited };
/// # let picture = Picture { width: 640, height: 360, planes: Planes::Nv12 { y: plane(&y), uv: plane(&uv) }, colour };
/// let mut estimator = CameraMotionEstimator::new();
/// assert_eq!(estimator.estimate(&picture, &[]), CameraMotion::NONE);
/// ```
#[derive(Clone, Debug)]
pub struct CameraMotionEstimator {
    arch: pulp::Arch,
    /// Size of the pictures, and what is needed for pictures of that size.
    size: Option<(usize, usize)>,
    work: Option<Work>,
    support: Support,
}

impl CameraMotionEstimator {
    /// One that has seen no picture yet.
    #[must_use]
    pub fn new() -> Self {
        Self { arch: pulp::Arch::new(), size: None, work: None, support: Support::default() }
    }

    /// How the camera moved since the picture before, in pixels of the picture; none where it stood, or where it
    /// cannot be told ([`Self::support`]).
    ///
    /// Points on `subjects`, boxes in pixels of the picture before, are left out. Only the luma plane is read. The
    /// first picture of a size makes room for all that follow.
    pub fn estimate(&mut self, picture: &Picture<'_>, subjects: &[BBox]) -> CameraMotion {
        let size = (picture.width, picture.height);
        if self.size != Some(size) {
            self.size = Some(size);
            self.work = Shrinking::of(size.0, size.1).map(Work::new);
        }
        let arch = self.arch;
        let estimate = self.work.as_mut().and_then(|work| arch.dispatch(Pass { work, picture, subjects }));
        let (motion, support) = estimate.unwrap_or_default();
        self.support = support;
        motion
    }

    /// What the latest estimate rests on.
    #[must_use]
    pub fn support(&self) -> Support {
        self.support
    }

    /// Forgets the pictures: the next is compared with none. The room for them is kept.
    pub fn reset(&mut self) {
        self.support = Support::default();
        if let Some(work) = &mut self.work {
            work.forget();
        }
    }
}

impl Default for CameraMotionEstimator {
    fn default() -> Self {
        Self::new()
    }
}

/// One estimate, for dispatch on the processor's vector instructions.
struct Pass<'a, 'p> {
    work: &'a mut Work,
    picture: &'a Picture<'p>,
    subjects: &'a [BBox],
}

impl pulp::NullaryFnOnce for Pass<'_, '_> {
    type Output = Option<(CameraMotion, Support)>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        self.work.estimate(self.picture, self.subjects)
    }
}

/// Whatever pictures of one size need.
#[derive(Clone, Debug)]
struct Work {
    shrinking: Shrinking,
    sums: Vec<u16>,
    small: Image,
    line: Vec<f32>,
    /// What pictures are compared with, the one before or an older one since which the camera stood, and room for the
    /// next.
    reference: Pyramid,
    now: Pyramid,
    /// There is a reference.
    begun: bool,
    /// Its corners are known.
    marked: bool,
    corners: Corners,
    search: Search,
    fitter: Fitter,
    /// Corners of the reference, in pixels of the image at half size.
    points: Vec<(f32, f32)>,
    /// Points of the reference and of the picture now, in pixels of the small picture.
    pairs: Vec<Pair>,
}

impl Work {
    fn new(shrinking: Shrinking) -> Self {
        let pyramid = || Pyramid::new(shrinking.width, shrinking.height);
        let reference = pyramid();
        let corners = Corners::new(reference.image(1));
        let limit = corners.limit(reference.image(1));
        Self {
            shrinking,
            sums: Vec::with_capacity(shrinking.width * shrinking.factor),
            small: Image::new(shrinking.width, shrinking.height),
            line: Vec::with_capacity(shrinking.width + 2),
            search: Search::new(reference.top()),
            reference,
            now: pyramid(),
            begun: false,
            marked: false,
            corners,
            fitter: Fitter::new(limit),
            points: Vec::with_capacity(limit),
            pairs: Vec::with_capacity(limit),
        }
    }

    fn forget(&mut self) {
        (self.begun, self.marked) = (false, false);
    }

    #[inline(always)]
    fn estimate(&mut self, picture: &Picture<'_>, subjects: &[BBox]) -> Option<(CameraMotion, Support)> {
        let taken = self.shrinking.run(picture, &mut self.sums, &mut self.small);
        if taken.is_none() {
            self.forget();
            return None;
        }
        self.now.fill(&mut self.small, &mut self.line);
        if !self.begun {
            self.begun = true;
            self.renew();
            return None;
        }
        self.mark(subjects);
        let answer = self.compare();
        let (_, support) = answer;
        let worn = (support.found as f32) < WORN * support.corners as f32;
        if support.verdict != Verdict::Stood || worn {
            self.renew();
        }
        Some(answer)
    }

    /// The picture now is the one to compare with.
    fn renew(&mut self) {
        std::mem::swap(&mut self.reference, &mut self.now);
        self.marked = false;
    }

    /// Finds the reference's corners where they are not known, and notes where subjects are.
    #[inline(always)]
    fn mark(&mut self, subjects: &[BBox]) {
        let image: &Image = self.reference.image(1);
        let scale = 0.5 / self.shrinking.factor as f32;
        self.corners.take(image, subjects.iter().map(|bbox| bbox.scale(scale, scale)));
        if !self.marked {
            self.corners.find(image, &mut self.points);
            self.marked = true;
        }
    }

    #[inline(always)]
    fn compare(&mut self) -> (CameraMotion, Support) {
        let Self { reference, now, corners, search, pairs, .. } = self;
        let half = reference.image(1);
        let points = || self.points.iter().filter(|point| !corners.is_taken(half, **point));
        let points = || points().map(|point| (2.0 * point.0, 2.0 * point.1));
        let asked = points().count();
        let support = |verdict, found, agree| Support { verdict, corners: asked, found, agree };
        let stand = |(from, to): &&Pair| (to.0 - from.0).hypot(to.1 - from.1) < DEAD;

        // Most cameras stand, and then points are where they were, whatever moves before them.
        pairs.clear();
        pairs.extend(
            points().filter_map(|point| flow::refine(reference, now, point, point).map(|found| (point, found))),
        );
        let standing = pairs.iter().filter(stand).count();
        if standing >= LEAST_POINTS && standing as f32 >= STANDING * asked as f32 {
            return (CameraMotion::NONE, support(Verdict::Stood, pairs.len(), standing));
        }

        // A few points, with all care, tell where to look for the others.
        let (dx, dy) = search.shift(reference.top(), now.top());
        let shift = (dx * TOP_SCALE, dy * TOP_SCALE);
        pairs.clear();
        let few = points().step_by((asked / FEW).max(1));
        pairs.extend(few.filter_map(|point| flow::follow(reference, now, point, shift).map(|found| (point, found))));
        let Some(rough) = self.fitter.fit(pairs).filter(|fit| fit.inliers >= LEAST_FEW) else {
            return (CameraMotion::NONE, support(Verdict::Unknown, pairs.len(), 0));
        };
        pairs.clear();
        let all = points().map(|point| (point, rough.motion.point(point)));
        pairs.extend(
            all.filter_map(|(point, guess)| flow::refine(reference, now, point, guess).map(|found| (point, found))),
        );
        let found = pairs.len();
        let support = |verdict, agree| support(verdict, found, agree);
        let unknown = |agree| (CameraMotion::NONE, support(Verdict::Unknown, agree));
        if found < LEAST_POINTS {
            return unknown(0);
        }
        let standing = pairs.iter().filter(stand).count();
        if standing as f32 >= STANDING * found as f32 {
            return (CameraMotion::NONE, support(Verdict::Stood, standing));
        }
        let Some(fit) = self.fitter.fit(pairs) else { return unknown(0) };
        let agree = fit.inliers;
        if agree < LEAST_POINTS || (agree as f32) < AGREE * asked as f32 {
            return unknown(agree);
        }
        if self.stands(&fit.motion) {
            return (CameraMotion::NONE, support(Verdict::Stood, agree));
        }
        let scale = self.shrinking.factor as f32;
        let CameraMotion { a, b, tx, ty } = fit.motion;
        (CameraMotion { a, b, tx: tx * scale, ty: ty * scale }, support(Verdict::Moved, agree))
    }

    /// True where the motion takes no corner of the small picture far.
    fn stands(&self, motion: &CameraMotion) -> bool {
        let (w, h) = (self.shrinking.width as f32, self.shrinking.height as f32);
        [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)].iter().all(|corner| {
            let now = motion.point(*corner);
            (now.0 - corner.0).hypot(now.1 - corner.1) < DEAD
        })
    }
}
