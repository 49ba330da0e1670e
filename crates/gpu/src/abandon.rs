//! Leaving a device that cannot be trusted any more.

use std::sync::atomic::{AtomicBool, Ordering};

static ABANDONED: AtomicBool = AtomicBool::new(false);

/// Gives up every device of this process for good: from now on nothing of this crate that drops calls the driver,
/// it leaks instead. There is no way back.
///
/// After an error of class [`Sticky`](crate::Class::Sticky) the driver refuses everything, and what libraries do in
/// their destructors then ends in a hang or in `terminate`. So: this, [`tensorrt_rs::lifecycle::abandon`], whatever
/// must still be written, and `_exit`, which runs no handlers of the vendors' libraries either. A drop that another
/// thread is in the middle of is not stopped.
pub fn abandon() {
    ABANDONED.store(true, Ordering::SeqCst);
}

/// True after [`abandon`].
#[must_use]
pub fn is_abandoned() -> bool {
    ABANDONED.load(Ordering::SeqCst)
}
