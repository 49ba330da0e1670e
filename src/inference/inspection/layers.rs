//! The inspector's JSON. What it holds differs between versions, and with the verbosity that an engine was built with: names
//! only, or objects. So nothing in here is an error; what is not there is not known.

use serde::Serialize;
use serde_json::Value;

/// An engine's layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Layers {
    /// As many as the engine says it has, where the inspector tells of fewer.
    pub count: usize,
    /// How much the engine tells, by TensorRT's name: `LAYER_NAMES_ONLY`, `NONE`, `DETAILED`.
    pub verbosity: String,
    /// In the order of execution.
    pub list: Vec<Layer>,
}

/// A layer after fusion. What TensorRT does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Its name, often those of all that was fused into it.
    pub name: String,
    /// TensorRT's word for what it is, such as `CaskConvolution`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Types of what it writes, such as `FP16`.
    pub precision: Option<String>,
    /// What it runs on.
    pub placement: Option<Placement>,
}

/// What a layer runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// The GPU.
    Gpu,
    /// A deep-learning accelerator.
    Dla,
}

impl Layers {
    /// From what the inspector says of the whole engine.
    #[must_use]
    pub fn parse(json: &str, count: usize, verbosity: &str) -> Self {
        let whole: Value = serde_json::from_str(json).unwrap_or_default();
        let layers = whole.get("Layers").or_else(|| whole.get("layers")).unwrap_or(&whole);
        let list: Vec<Layer> =
            layers.as_array().map(|layers| layers.iter().filter_map(layer).collect()).unwrap_or_default();
        Self { count: count.max(list.len()), verbosity: verbosity.to_owned(), list }
    }

    /// Layers on a device that do more than copy; `None`: the engine does not tell.
    #[must_use]
    pub fn at_work_on(&self, placement: Placement) -> Option<usize> {
        let copies = |layer: &&Layer| layer.kind.as_deref() == Some("Reformat") && layer.placement == Some(placement);
        self.on(placement).map(|count| count - self.list.iter().filter(copies).count())
    }

    /// Layers on a device; `None`: the engine does not tell.
    #[must_use]
    pub fn on(&self, placement: Placement) -> Option<usize> {
        let known = self.list.iter().filter(|layer| layer.placement.is_some()).count();
        let here = self.list.iter().filter(|layer| layer.placement == Some(placement)).count();
        (known > 0 && known == self.list.len()).then_some(here)
    }
}

fn layer(value: &Value) -> Option<Layer> {
    match value {
        Value::String(text) => Some(match serde_json::from_str::<Value>(text) {
            // Some versions write objects as strings.
            Ok(object @ Value::Object(_)) => layer(&object)?,
            _ => Layer { name: text.clone(), kind: None, precision: None, placement: None },
        }),
        Value::Object(_) => {
            let text = |keys: &[&str]| keys.iter().find_map(|key| value.get(*key)?.as_str()).map(str::to_owned);
            let name = text(&["Name", "LayerName", "name"])?;
            let kind = text(&["LayerType", "Type", "type"]);
            let precision = precision(value);
            let placement = text(&["Device", "DeviceType", "Placement"]).as_deref().and_then(named);
            let placement = placement.or_else(|| kind.as_deref().map(of_kind));
            Some(Layer { name, kind, precision, placement })
        }
        _ => None,
    }
}

fn named(device: &str) -> Option<Placement> {
    match device.to_ascii_uppercase().trim_start_matches('K') {
        device if device.starts_with("DLA") => Some(Placement::Dla),
        device if device.starts_with("GPU") => Some(Placement::Gpu),
        _ => None,
    }
}

fn of_kind(kind: &str) -> Placement {
    if kind.to_ascii_uppercase().contains("DLA") { Placement::Dla } else { Placement::Gpu }
}

/// Types of the outputs, each once; else what the layer says of itself.
fn precision(layer: &Value) -> Option<String> {
    let outputs = layer.get("Outputs").or_else(|| layer.get("outputs")).and_then(Value::as_array);
    let mut types: Vec<&'static str> = Vec::new();
    for found in outputs.into_iter().flatten().filter_map(element) {
        if !types.contains(&found) {
            types.push(found);
        }
    }
    if types.is_empty() {
        types.extend(element(layer));
    }
    (!types.is_empty()).then(|| types.join(", "))
}

/// `Format/Datatype` is a sentence ("Channel major FP16 format where channel % 8 == 0") or a word ("Half").
fn element(tensor: &Value) -> Option<&'static str> {
    const WORDS: [(&str, &str); 16] = [
        ("BFLOAT16", "BF16"),
        ("BF16", "BF16"),
        ("FLOAT16", "FP16"),
        ("FP16", "FP16"),
        ("HALF", "FP16"),
        ("FLOAT32", "FP32"),
        ("FP32", "FP32"),
        ("FP8", "FP8"),
        ("FP4", "FP4"),
        ("UINT8", "UINT8"),
        ("INT8", "INT8"),
        ("INT4", "INT4"),
        ("INT32", "INT32"),
        ("INT64", "INT64"),
        ("BOOL", "BOOL"),
        ("FLOAT", "FP32"),
    ];
    let keys = ["Datatype", "DataType", "Format/Datatype", "Format", "Precision"];
    keys.iter().filter_map(|key| tensor.get(*key)?.as_str()).find_map(|text| {
        let text = text.to_ascii_uppercase();
        WORDS.iter().find(|(word, _)| text.contains(word)).map(|(_, name)| *name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Vec<(String, Option<String>, Option<Placement>)> {
        let layers = Layers::parse(json, 0, "").list;
        layers.into_iter().map(|layer| (layer.name, layer.precision, layer.placement)).collect()
    }

    #[test]
    fn details_are_read_as_different_versions_write_them() {
        let json = r#"{"Layers": [
            {"Name": "conv", "LayerType": "CaskConvolution", "Outputs": [
                {"Name": "a", "Location": "Device", "Dimensions": [1, 8],
                 "Format/Datatype": "Channel major FP16 format where channel % 8 == 0"}]},
            {"Name": "{ForeignNode[a...b]}", "LayerType": "DLA", "Outputs": [
                {"Name": "b", "Datatype": "Int8", "Format": "Row major linear"}]},
            {"Name": "split", "LayerType": "kgen", "Outputs": [
                {"Format/Datatype": "Half"}, {"Format/Datatype": "Float"}, {"Format/Datatype": "Half"}]},
            "{\"Name\": \"as text\", \"LayerType\": \"Reformat\", \"Precision\": \"BFloat16\"}",
            {"Name": "told", "DeviceType": "kDLA"},
            {"LayerType": "nameless"}, 7
        ], "Bindings": ["a", "b"]}"#;
        let named =
            |name: &str, precision: Option<&str>, placement| (name.to_owned(), precision.map(str::to_owned), placement);
        assert_eq!(
            of(json),
            [
                named("conv", Some("FP16"), Some(Placement::Gpu)),
                named("{ForeignNode[a...b]}", Some("INT8"), Some(Placement::Dla)),
                named("split", Some("FP16, FP32"), Some(Placement::Gpu)),
                named("as text", Some("BF16"), Some(Placement::Gpu)),
                named("told", None, Some(Placement::Dla)),
            ]
        );
        let layers = Layers::parse(json, 2, "DETAILED");
        assert_eq!((layers.count, layers.on(Placement::Gpu), layers.on(Placement::Dla)), (5, Some(3), Some(2)));
    }

    #[test]
    fn names_alone_tell_no_placement_and_rubbish_tells_nothing() {
        let layers =
            Layers::parse(r#"{"Layers": ["conv1 + relu", "{ForeignNode[x]}"], "Bindings": []}"#, 2, "LAYER_NAMES_ONLY");
        assert_eq!((layers.list.len(), layers.on(Placement::Gpu)), (2, None));
        assert_eq!(layers.list[0].name, "conv1 + relu");
        for rubbish in ["", "null", "{\"Layers\": 3}", "not json", "[]", "{\"Layers\": [[], {}, null]}"] {
            assert_eq!(Layers::parse(rubbish, 9, "NONE"), Layers { count: 9, verbosity: "NONE".into(), list: vec![] });
        }
    }
}
