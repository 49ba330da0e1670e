//! What each codec would be decoded with on this machine.

use std::collections::BTreeSet;

use super::decoder::{self, Codec};
use crate::config::Policy;

/// A codec, and the decoder a camera of it would get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecoderChoice {
    /// `H.264`, `H.265` or `MJPEG`.
    pub codec: &'static str,
    /// Name of the element and whether it is hardware, or why there is none.
    pub decoder: Result<(String, bool), String>,
}

/// The choice for each codec that a chain is built for, under this policy; [`super::init`] comes first.
#[must_use]
pub fn decoders(policy: Policy) -> Vec<DecoderChoice> {
    let choices = [Codec::H264, Codec::H265, Codec::Jpeg].map(|codec| {
        let choice = decoder::choose(codec, None, &BTreeSet::new(), policy);
        let decoder = choice.map(|choice| (choice.name(), choice.hardware)).map_err(|fault| fault.detail);
        DecoderChoice { codec: codec.name(), decoder }
    });
    choices.into()
}
