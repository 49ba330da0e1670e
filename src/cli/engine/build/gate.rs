//! May the engine be used? Asked when it lies in the store, before anything leads to it.

use crate::inference::artefact::Manifest;

/// Refuses an engine that agrees less with its model file than `bound` asks for.
///
/// # Errors
/// With the figures, and what to do.
pub(super) fn gate(manifest: &Manifest, bound: f64) -> Result<(), String> {
    let Some(verified) = &manifest.verified else { return Ok(()) };
    if verified.agreement >= bound {
        return Ok(());
    }
    let figures: Vec<String> = verified.agreements.iter().map(|(part, value)| format!("{part} {value:.3}")).collect();
    Err(format!(
        "its agreement with the model file is {:.3} ({}, {} pictures of {}), and {bound} is asked for; build it in a higher \
         precision or with other calibration pictures",
        verified.agreement,
        figures.join(", "),
        verified.pictures,
        verified.data
    ))
}
