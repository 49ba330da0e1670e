//! What a decoder can be told to do wrong: the section `decoder` of the fault document.

use serde::Deserialize;

/// The section's keys, read when an element is made; README.md explains them to users.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// Name of the element that the others are about; empty: all.
    pub element: String,
    /// It cannot be opened: the change to READY fails.
    pub fail: bool,
    /// The n-th coded picture ends it with an error; 0: none.
    pub fail_picture: u64,
    /// It takes pictures and gives no frame.
    pub no_frames: bool,
    /// Frames are there and their pixels are not: all bytes are 0.
    pub blank_frames: bool,
}

impl Faults {
    pub(crate) fn of(element: &str) -> Self {
        let faults = gpu_sim::faults::Section::<Self>::from_env("decoder").faults;
        if faults.element.is_empty() || faults.element == element { faults } else { Self::default() }
    }
}
