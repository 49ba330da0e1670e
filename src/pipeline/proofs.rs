//! What the GPU contract needs to know of heads, pictures and decoders.

use super::fits_head;
use super::inputs::prepare;
use crate::config::Policy;
use crate::inference::{Check, Outcome, Proofs};
use crate::source;

/// Everything that the contract asks of others.
#[must_use]
pub fn proofs() -> Proofs<'static> {
    Proofs { fits: &fits_head, decoder: Some(&decoder), prepare: Some(&prepare), surfaces: Some(&source::surfaces) }
}

/// The check `decoder`. Cameras send H.264 where nobody tells them otherwise: without a decoder for it there is nothing to
/// do under `gpu-only`; the other codecs may not be needed.
fn decoder(policy: Policy) -> Check {
    const NEXT: &str = "install GStreamer's plugins for this GPU (JetPack: nvidia-l4t-gstreamer; else \
                        gstreamer1.0-plugins-bad with nvcodec), and delete GStreamer's registry file";
    let worst = if policy == Policy::GpuOnly { Outcome::Failed } else { Outcome::Warning };
    if let Err(error) = source::init() {
        return Check::decoder(worst, &format!("{error:#}"), Some("run scripts/setup.sh"));
    }
    let decoders = source::prove_decoders(policy);
    let mut outcome = Outcome::Passed;
    let mut found = Vec::new();
    for (proof, worst) in decoders.iter().zip([worst, Outcome::Warning, Outcome::Warning]) {
        match &proof.decoder {
            Ok(identity) => found.push(format!("{}: {identity}", proof.codec)),
            Err(reason) if worst == Outcome::Failed => return Check::decoder(worst, reason, Some(NEXT)),
            Err(reason) => {
                outcome = Outcome::Warning;
                found.push(format!("{}: none ({reason})", proof.codec));
            }
        }
    }
    let next = if policy == Policy::GpuOnly { NEXT } else { "run scripts/setup.sh" };
    Check::decoder(outcome, &found.join(", "), (outcome != Outcome::Passed).then_some(next))
}
