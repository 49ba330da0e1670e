//! How the camera moved.

use watchkeeper::vision::camera_motion::{CameraMotionEstimator, Verdict};

use super::{BBox, allocates_nothing, noise, pictures};

/// Whatever comes out, and also where it begins anew.
#[test]
fn camera_motion_is_told_without_an_allocation() {
    let (width, height) = (640, 360);
    let bytes = noise();
    let stones: Vec<u8> =
        (0..width * height * 2).map(|i| bytes[(i % width) / 9 * 31 + (i / width) / 9 * 173]).collect();
    let moved = &stones[5 * width + 11..];
    let boxes = [BBox::new(100.0, 50.0, 160.0, 200.0); 40];
    for ((layout, before), (_, now)) in pictures(&stones, width, height).into_iter().zip(pictures(moved, width, height))
    {
        let mut estimator = CameraMotionEstimator::new();
        estimator.estimate(&before, &boxes);
        for (picture, verdict) in [(&before, Verdict::Stood), (&now, Verdict::Moved), (&before, Verdict::Moved)] {
            allocates_nothing(layout, || {
                estimator.estimate(picture, &boxes);
            });
            assert_eq!(estimator.support().verdict, verdict, "{layout}");
        }
        allocates_nothing("a reset", || {
            estimator.reset();
            estimator.estimate(&now, &boxes);
        });
    }
}
