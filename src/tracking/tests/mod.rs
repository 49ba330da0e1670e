//! What every tracker must hold.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod rates;
mod scaling;

/// The suite, for one kind.
macro_rules! suite {
    ($name:ident, $kind:ident) => {
        mod $name {
            const KIND: crate::config::TrackerKind = crate::config::TrackerKind::$kind;
            include!("suite.rs");
        }
    };
}

suite!(bytetrack, Bytetrack);
suite!(oc_sort, OcSort);
