//! The kernels, and launches that are safe: sizes and addresses are checked on the host.
//!
//! Their sources are in `kernels/` beside their PTX (`kernels/build.sh` makes it); the same sources compile for the
//! host (`kernels/host`), for tests and for simulators. All of them give what the processor's path in the daemon
//! gives, to the last bit but for the weight of a column, which can differ in its last bit.

mod candidates;
mod crop;
mod letterbox;
mod masks;
mod picture;
mod proof;

pub use self::picture::{Picture, Plane, Planes, TensorMut};
pub use ::picture::{Channel, Channels, Colour, MAX_SIDE, Matrix, Normalisation, Range, Subsampling};
pub use candidates::{Candidate, Candidates, CandidatesLayout, Survivors};
pub use crop::{Crop, PixelRect};
pub use letterbox::{Letterbox, Placement};
pub use masks::{Mask, MaskGeometry, MaskRequest, Masks};

use std::ffi::CStr;

macro_rules! kernels {
    ($($source:literal: $($kernel:ident $name:literal),+;)*) => {
        /// A kernel; its number is its place in the device's table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Kernel {
            $($($kernel,)+)*
        }

        impl Kernel {
            pub fn name(self) -> &'static CStr {
                match self {
                    $($(Self::$kernel => $name,)+)*
                }
            }
        }

        /// What is loaded on every device, in the order of the kernels' numbers.
        pub(crate) const MODULES: &[Module] = &[$(Module {
            source: concat!($source, ".cu"),
            ptx: include_str!(concat!("../../kernels/", $source, ".ptx")),
            kernels: &[$(Kernel::$kernel),+],
        }),*];
    };
}

/// Kernels of one source file.
pub(crate) struct Module {
    pub source: &'static str,
    pub ptx: &'static str,
    pub kernels: &'static [Kernel],
}

kernels! {
    "candidates": CandidatesScan c"candidates_scan", CandidatesGather c"candidates_gather";
    "crop": CropF32 c"crop_f32", CropF16 c"crop_f16";
    "letterbox": LetterboxF32 c"letterbox_f32", LetterboxF16 c"letterbox_f16";
    "masks": MasksSum c"masks_sum", MasksStretch c"masks_stretch";
    "proof": Proof c"proof";
}

/// A kernel's samples are blends of two rows, this many times too large.
const BLEND: f32 = 256.0;

/// Threads of a block where a thread works on an element.
const LINE: [u32; 3] = [256, 1, 1];

/// Threads of a block where a thread works on a pixel: rows as wide as a memory transaction.
const TILE: [u32; 3] = [32, 8, 1];

/// Pointers to the parameters of a launch; they live until the end of the statement.
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => {
        &mut [$((&raw const $argument).cast_mut().cast::<std::ffi::c_void>()),*]
    };
}
use arguments;
