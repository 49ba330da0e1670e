//! Constants from `f32` to `f16`.

use ::half::f16;

use super::HalfReport;
use crate::Error;
use crate::element::FLOAT;
use crate::proto::{Attribute, NodeProto, TensorProto};

/// As large as this, a number stands for "no bound".
const NO_BOUND: f32 = 3e38;

/// The same numbers in `f16`.
pub(super) fn tensor(tensor: &TensorProto, name: &str, report: &mut HalfReport) -> Result<TensorProto, Error> {
    let mut halves = Vec::new();
    for value in tensor.floats()? {
        let half = f16::from_f32(value);
        halves.push(match value.abs() {
            most if most.is_finite() && most >= NO_BOUND => {
                report.clipped += 1;
                if value > 0.0 { f16::MAX } else { f16::MIN }
            }
            most if most.is_finite() && half.is_infinite() => {
                let next = "leave the model in FP32 (or INT8), or scale these weights";
                return Err(Error::refused(format!("weights {name:?} have {value}, and f16 ends at 65504; {next}")));
            }
            most => {
                report.tiny += u64::from(most > 0.0 && !half.is_normal() && most.is_finite());
                half
            }
        });
    }
    report.converted += 1;
    let own = tensor.name.as_deref().unwrap_or_default();
    let mut made = TensorProto::of_halves(own, tensor.dims.clone(), &halves);
    made.name.clone_from(&tensor.name);
    made.doc_string.clone_from(&tensor.doc_string);
    made.metadata_props.clone_from(&tensor.metadata_props);
    Ok(made)
}

/// A "Constant" node of floats, in `f16`.
pub(super) fn constant(node: &mut NodeProto, report: &mut HalfReport) -> Result<(), Error> {
    let label = node.label().to_owned();
    let Some(attribute) = node.attribute.first_mut() else { return Ok(()) };
    let floats = match attribute.name.as_deref() {
        Some("value") => attribute.t.as_deref().filter(|tensor| tensor.element() == FLOAT).cloned(),
        Some("value_float") => attribute.f.map(|value| TensorProto::of_floats("", Vec::new(), &[value])),
        Some("value_floats") => {
            let values = &attribute.floats;
            Some(TensorProto::of_floats("", vec![values.len() as i64], values))
        }
        Some("sparse_value") => return Err(sparse(&label)),
        _ => None,
    };
    if let Some(floats) = floats {
        *attribute = of_tensor("value", tensor(&floats, &label, report)?);
    }
    Ok(())
}

/// The value of a "ConstantOfShape" node, in `f16`.
pub(super) fn of_shape(node: &mut NodeProto, report: &mut HalfReport) -> Result<(), Error> {
    let label = node.label().to_owned();
    let value = node.attribute("value").and_then(|attribute| attribute.t.as_deref());
    let made = match value {
        Some(value) if value.element() == FLOAT => tensor(value, &label, report)?,
        Some(_) => return Ok(()),
        None => TensorProto::of_halves("", vec![1], &[f16::ZERO]),
    };
    node.attribute = vec![of_tensor("value", made)];
    Ok(())
}

pub(super) fn sparse(name: &str) -> Error {
    Error::refused(format!("weights {name:?} are sparse, and such are not made FP16; save them dense"))
}

fn of_tensor(name: &str, tensor: TensorProto) -> Attribute {
    // "TENSOR".
    Attribute { name: Some(name.to_owned()), t: Some(Box::new(tensor)), kind: Some(4), ..Attribute::default() }
}
