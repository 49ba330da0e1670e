//! The messages of onnx.proto, as far as they are looked into here: everything else in a file (training, devices,
//! sharding, what comes later) passes through as unknown fields. Presence is kept, as proto2 does, and lists of numbers
//! are written packed where onnx.proto says so.

use crate::wire::{Packed, message};

message! {
    /// "ModelProto".
    ModelProto {
        1 ir_version: Option<i64>,
        2 producer_name: Option<String>,
        3 producer_version: Option<String>,
        4 domain: Option<String>,
        5 model_version: Option<i64>,
        6 doc_string: Option<Vec<u8>>,
        7 graph: Option<Box<GraphProto>>,
        8 opset_import: Vec<OperatorSetId>,
        14 metadata_props: Vec<StringEntry>,
        20 training_info: Vec<TrainingInfo>,
        25 functions: Vec<FunctionProto>,
    }
}

message! {
    /// "OperatorSetIdProto".
    OperatorSetId {
        1 domain: Option<String>,
        2 version: Option<i64>,
    }
}

message! {
    /// "StringStringEntryProto".
    StringEntry {
        1 key: Option<String>,
        2 value: Option<String>,
    }
}

message! {
    /// "TrainingInfoProto": looked into for weights in other files only.
    TrainingInfo {
        1 initialization: Option<Box<GraphProto>>,
        2 algorithm: Option<Box<GraphProto>>,
    }
}

message! {
    /// "GraphProto".
    GraphProto {
        1 node: Vec<NodeProto>,
        2 name: Option<String>,
        5 initializer: Vec<TensorProto>,
        10 doc_string: Option<Vec<u8>>,
        11 input: Vec<ValueInfo>,
        12 output: Vec<ValueInfo>,
        13 value_info: Vec<ValueInfo>,
        14 quantization_annotation: Vec<TensorAnnotation>,
        15 sparse_initializer: Vec<SparseTensor>,
        16 metadata_props: Vec<StringEntry>,
    }
}

message! {
    /// "NodeProto".
    NodeProto {
        1 input: Vec<String>,
        2 output: Vec<String>,
        3 name: Option<String>,
        4 op_type: Option<String>,
        5 attribute: Vec<Attribute>,
        6 doc_string: Option<Vec<u8>>,
        7 domain: Option<String>,
        8 overload: Option<String>,
        9 metadata_props: Vec<StringEntry>,
    }
}

message! {
    /// "AttributeProto".
    Attribute {
        1 name: Option<String>,
        2 f: Option<f32>,
        3 i: Option<i64>,
        4 s: Option<Vec<u8>>,
        5 t: Option<Box<TensorProto>>,
        6 g: Option<Box<GraphProto>>,
        7 floats: Vec<f32>,
        8 ints: Vec<i64>,
        9 strings: Vec<Vec<u8>>,
        10 tensors: Vec<TensorProto>,
        11 graphs: Vec<GraphProto>,
        13 doc_string: Option<Vec<u8>>,
        14 tp: Option<Box<TypeProto>>,
        15 type_protos: Vec<TypeProto>,
        20 kind: Option<i32>,
        21 ref_attr_name: Option<String>,
        22 sparse_tensor: Option<Box<SparseTensor>>,
        23 sparse_tensors: Vec<SparseTensor>,
    }
}

message! {
    /// "TensorProto".
    TensorProto {
        1 dims: Vec<i64>,
        2 data_type: Option<i32>,
        4 float_data: Packed<f32>,
        5 int32_data: Packed<i32>,
        6 string_data: Vec<Vec<u8>>,
        7 int64_data: Packed<i64>,
        8 name: Option<String>,
        9 raw_data: Option<Vec<u8>>,
        10 double_data: Packed<f64>,
        11 uint64_data: Packed<u64>,
        12 doc_string: Option<Vec<u8>>,
        13 external_data: Vec<StringEntry>,
        14 data_location: Option<i32>,
        16 metadata_props: Vec<StringEntry>,
    }
}

message! {
    /// "SparseTensorProto".
    SparseTensor {
        1 values: Option<Box<TensorProto>>,
        2 indices: Option<Box<TensorProto>>,
        3 dims: Vec<i64>,
    }
}

message! {
    /// "TensorAnnotation".
    TensorAnnotation {
        1 tensor_name: Option<String>,
        2 quant_parameter_tensor_names: Vec<StringEntry>,
    }
}

message! {
    /// "ValueInfoProto".
    ValueInfo {
        1 name: Option<String>,
        2 kind: Option<Box<TypeProto>>,
        3 doc_string: Option<Vec<u8>>,
        4 metadata_props: Vec<StringEntry>,
    }
}

message! {
    /// "TypeProto": of its kinds, tensors are looked into.
    TypeProto {
        1 tensor: Option<Box<TensorType>>,
        6 denotation: Option<String>,
    }
}

message! {
    /// "TypeProto.Tensor".
    TensorType {
        1 elem_type: Option<i32>,
        2 shape: Option<Box<TensorShape>>,
    }
}

message! {
    /// "TensorShapeProto".
    TensorShape {
        1 dim: Vec<Dimension>,
    }
}

message! {
    /// "TensorShapeProto.Dimension".
    Dimension {
        1 dim_value: Option<i64>,
        2 dim_param: Option<String>,
        3 denotation: Option<String>,
    }
}

message! {
    /// "FunctionProto".
    FunctionProto {
        1 name: Option<String>,
        4 input: Vec<String>,
        5 output: Vec<String>,
        6 attribute: Vec<String>,
        7 node: Vec<NodeProto>,
        8 doc_string: Option<Vec<u8>>,
        9 opset_import: Vec<OperatorSetId>,
        10 domain: Option<String>,
        11 attribute_proto: Vec<Attribute>,
        12 value_info: Vec<ValueInfo>,
        13 overload: Option<String>,
        14 metadata_props: Vec<StringEntry>,
    }
}

impl NodeProto {
    pub(crate) fn op(&self) -> &str {
        self.op_type.as_deref().unwrap_or_default()
    }

    /// Operators of ONNX itself have an empty domain, or this word.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self.domain.as_deref().unwrap_or_default(), "" | "ai.onnx")
    }

    /// What a message calls it: its name, or its first output where it has none.
    pub(crate) fn label(&self) -> &str {
        let name = self.name.as_deref().filter(|name| !name.is_empty());
        name.or(self.output.first().map(String::as_str)).unwrap_or_default()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    /// A node of ONNX's own operators.
    pub(crate) fn new(op: &str, name: String, input: Vec<String>, output: Vec<String>) -> Self {
        Self { input, output, name: Some(name), op_type: Some(op.to_owned()), ..Self::default() }
    }
}

impl Attribute {
    /// A whole number ("INT").
    pub(crate) fn int(name: &str, value: i64) -> Self {
        Self { name: Some(name.to_owned()), i: Some(value), kind: Some(2), ..Self::default() }
    }

    /// Graphs in it.
    pub(crate) fn graphs_in(&self) -> impl Iterator<Item = &GraphProto> {
        self.g.as_deref().into_iter().chain(&self.graphs)
    }

    /// Graphs in it.
    pub(crate) fn graphs_in_mut(&mut self) -> impl Iterator<Item = &mut GraphProto> {
        self.g.as_deref_mut().into_iter().chain(&mut self.graphs)
    }
}

impl ValueInfo {
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// Its element type, where it is a tensor.
    pub(crate) fn element(&self) -> Option<i32> {
        self.kind.as_ref()?.tensor.as_ref()?.elem_type
    }

    /// A tensor of unknown shape.
    pub(crate) fn tensor(name: &str, element: i32) -> Self {
        let tensor = TensorType { elem_type: Some(element), ..TensorType::default() };
        let kind = TypeProto { tensor: Some(Box::new(tensor)), ..TypeProto::default() };
        Self { name: Some(name.to_owned()), kind: Some(Box::new(kind)), ..Self::default() }
    }
}
