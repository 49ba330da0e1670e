//! The same subject on several cameras: identity scores over all cameras of a site at once.

use super::tracking::{Frames, Identity, TwiceInFrame, prepare};

/// A camera's name and the number of the frame.
pub type View = (String, u64);

/// Pairs identities one to one over all cameras of a site and counts the boxes that are right (Ristani et al., ECCV
/// Workshops 2016, with the cameras as one long sequence).
///
/// The `id` of an object is the subject's identity on all cameras. With `class`, only objects of that class take
/// part; without, identities are told apart by class and number. Ignored truth as in
/// [`tracking::evaluate`](super::tracking::evaluate). Sites are joined by [`Identity::add`].
///
/// # Errors
/// An identity that is twice in one frame of one camera.
pub fn evaluate(
    truth: &Frames<View>,
    predictions: &Frames<View>,
    class: Option<u32>,
) -> Result<Identity, TwiceInFrame> {
    Ok(Identity::of(&prepare(truth, predictions, class)?))
}
