//! What the ONNX parser says, with the node, the operator and what to do.

use tensorrt_rs::OnnxError;

/// `UNSUPPORTED_NODE`, and its kin for attributes, and for data types since 10.0.
const UNSUPPORTED: [i32; 4] = [7, 8, 9, 10];

/// The parser's list as sentences; each names node and operator, quotes TensorRT and says what to do.
pub(super) fn refused(errors: &[OnnxError]) -> String {
    let mut sentences: Vec<String> = errors.iter().map(sentence).collect();
    sentences.dedup();
    if sentences.is_empty() {
        return "TensorRT's parser refuses the model and does not say why; export it again, and check it with onnx.checker"
            .to_owned();
    }
    sentences.join("; ")
}

fn sentence(error: &OnnxError) -> String {
    let place = match error.node {
        Some(number) if error.node_name.is_empty() => format!("node {number} ({})", error.operator),
        Some(number) => format!("node {number} {:?} ({})", error.node_name, error.operator),
        None => "the model".to_owned(),
    };
    format!("{place}: TensorRT says: {}; {}", error.description.trim(), advice(error))
}

/// What to do, by what is known of such refusals.
fn advice(error: &OnnxError) -> &'static str {
    let (operator, words) = (error.operator.to_lowercase(), error.description.to_lowercase());
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if ["nonmaxsuppression", "efficientnms", "batchednms"].iter().any(|nms| operator.contains(nms)) {
        "suppression of boxes is inside the model: export it without (Ultralytics: nms=False), Watchkeeper does that itself"
    } else if says(&["external", "failed to open file", "could not open file"]) {
        "its weights are in a file of their own, which must lie beside it under the name it had: copy it too, or export \
         the model as one file"
    } else if says(&["int64", "uint64", "int32 range", "out of range"]) {
        "export the model with 32-bit integers (simplify it with onnxsim, or export with a newer opset)"
    } else if says(&["dynamic", "shape tensor", "unknown dimension"]) {
        "export the model with a fixed height and width"
    } else if UNSUPPORTED.contains(&error.code) || says(&["plugin not found", "unsupported", "no importer"]) {
        "this TensorRT has no such operator: export the model without it (another opset, or only the part before it), or \
         use a newer TensorRT; plugins are not loaded"
    } else if says(&["deserialize", "failed to parse", "invalid", "corrupt"]) {
        "the file is damaged or no ONNX model: copy or export it again"
    } else {
        "export the model again with another opset (17 is understood by every TensorRT 10 and 11)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(operator: &str, code: i32, description: &str) -> OnnxError {
        OnnxError {
            code,
            description: description.to_owned(),
            node: (!operator.is_empty()).then_some(12),
            node_name: "/head/last".to_owned(),
            operator: operator.to_owned(),
            function: "parseNode".to_owned(),
            place: "ModelImporter.cpp:1".to_owned(),
        }
    }

    #[test]
    fn each_known_refusal_names_the_node_the_operator_and_the_way_out() {
        for (operator, code, said, wanted) in [
            ("Frobnicate", 8, "No importer registered for op: Frobnicate", "no such operator"),
            ("NonMaxSuppression", 8, "unsupported", "nms=False"),
            ("EfficientNMS_TRT", 8, "Plugin not found", "nms=False"),
            ("Gather", 6, "INT64 weights out of range", "32-bit integers"),
            ("Resize", 6, "dynamic shapes are not supported", "fixed height and width"),
            ("", 5, "Failed to open file: model.onnx.data", "as one file"),
            ("", 3, "Failed to deserialize the ONNX model", "copy or export it again"),
        ] {
            let sentence = refused(&[error(operator, code, said)]);
            assert!(sentence.contains(said) && sentence.contains(wanted), "{sentence}");
            if !operator.is_empty() {
                assert!(sentence.starts_with(&format!("node 12 \"/head/last\" ({operator}): ")), "{sentence}");
            }
        }
        assert!(refused(&[]).contains("does not say why"));
    }
}
