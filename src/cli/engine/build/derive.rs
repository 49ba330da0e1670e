//! The model that TensorRT is given, where that is not the file itself.

use onnx::Ranges;

use crate::config::Precision;

/// A model and what became of it.
pub(super) struct Derived {
    /// `None`: the file as it is.
    pub(super) bytes: Option<Vec<u8>>,
    /// It has tensors of 8-bit integers, by our hand or by its maker's.
    pub(super) quantised: bool,
    pub(super) remarks: Vec<String>,
}

/// Types for the precision: in TensorRT 10 flags do that, but for 8-bit integers, and in 11 the model itself does.
///
/// # Errors
/// Where the model cannot be made so, in words.
pub(super) fn derive(
    model: &onnx::Model,
    precision: Precision,
    ranges: Option<&Ranges>,
    strongly_typed: bool,
) -> Result<Derived, String> {
    let mut remarks = Vec::new();
    let mut changed = None;
    if let Some(ranges) = ranges {
        // Where nothing but zeros was seen there is no scale.
        let dead: Vec<String> = onnx::conv_inputs(model)
            .into_iter()
            .filter(|point| ranges.0.get(&point.tensor).is_some_and(|amax| *amax <= 0.0))
            .flat_map(|point| point.layers)
            .collect();
        let skip: Vec<&str> = dead.iter().map(String::as_str).collect();
        let (quantised, report) = onnx::quantise(model, ranges, &skip).map_err(|error| error.to_string())?;
        let left =
            if report.skipped.is_empty() { String::new() } else { format!(", {} are not", report.skipped.len()) };
        remarks.push(format!("{} layers are of 8-bit integers{left}", report.layers.len()));
        changed = Some(quantised);
    }
    if strongly_typed && precision != Precision::Fp32 {
        match onnx::to_half(changed.as_ref().unwrap_or(model)) {
            Ok((half, report)) => {
                if !report.full.is_empty() {
                    remarks.push(format!("{} nodes stay of 32-bit floats", report.full.len()));
                }
                changed = Some(half);
            }
            // Slower than it could be, and right.
            Err(error) if changed.is_some() => {
                remarks.push(format!("what is not of 8-bit integers stays of 32-bit floats: {error}"));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    let quantised = changed.as_ref().unwrap_or(model).facts().has_quantised_tensors();
    Ok(Derived { bytes: changed.map(|model| model.to_bytes()), quantised, remarks })
}
