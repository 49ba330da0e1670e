use std::path::Path;

use crate::Error;
use crate::proto::{Attribute, GraphProto, ModelProto, NodeProto, TensorProto};
use crate::wire::Message;

/// Most bytes of a protobuf message, and so of a model in one file: 2 GiB less one.
pub const MOST_BYTES: u64 = i32::MAX as u64;

/// "EXTERNAL", of "TensorProto.DataLocation".
const EXTERNAL: i32 = 1;

/// A model as its file says it. Nothing is lost on the way through: fields that are not known here are kept too.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) proto: ModelProto,
}

impl Model {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, is larger than [`MOST_BYTES`], is no ONNX model, or has weights in other files.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let file = |source| Error::File { path: path.to_owned(), source };
        let bytes = std::fs::metadata(path).map_err(file)?.len();
        if bytes > MOST_BYTES {
            return Err(Error::TooLarge { bytes });
        }
        Self::from_bytes(&std::fs::read(path).map_err(file)?)
    }

    /// Reads a model from the bytes of its file.
    ///
    /// # Errors
    /// As for [`Model::read`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::TooLarge { bytes: bytes.len() as u64 });
        }
        let mut proto = ModelProto::default();
        proto.merge(bytes, 0)?;
        let graph = proto.graph.as_ref().ok_or_else(|| Error::broken("it has no graph".to_owned()))?;
        if graph.output.is_empty() {
            return Err(Error::broken("its graph has no outputs".to_owned()));
        }
        check_graph(graph)?;
        for training in &proto.training_info {
            training.initialization.iter().chain(&training.algorithm).try_for_each(|graph| check_graph(graph))?;
        }
        for function in &proto.functions {
            check_nodes(&function.node)?;
        }
        Ok(Self { proto })
    }

    /// The bytes of its file. The same model gives the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.proto.encoded_len());
        self.proto.encode(&mut bytes);
        bytes
    }

    /// Its graph: [`Model::from_bytes`] has seen that there is one.
    pub(crate) fn graph(&self) -> &GraphProto {
        static NONE: std::sync::LazyLock<GraphProto> = std::sync::LazyLock::new(GraphProto::default);
        self.proto.graph.as_deref().unwrap_or(&NONE)
    }

    pub(crate) fn graph_mut(&mut self) -> &mut GraphProto {
        self.proto.graph.get_or_insert_default()
    }

    /// Version of ONNX's own operators; 0 where the model names none.
    pub(crate) fn opset(&self) -> i64 {
        let own = self.proto.opset_import.iter().find(|set| is_standard(set.domain.as_deref()));
        own.and_then(|set| set.version).unwrap_or(0)
    }

    pub(crate) fn set_opset(&mut self, version: i64) {
        for set in &mut self.proto.opset_import {
            if is_standard(set.domain.as_deref()) {
                set.version = Some(version);
            }
        }
    }
}

pub(crate) fn is_standard(domain: Option<&str>) -> bool {
    matches!(domain.unwrap_or_default(), "" | "ai.onnx")
}

fn check_graph(graph: &GraphProto) -> Result<(), Error> {
    graph.initializer.iter().try_for_each(check_tensor)?;
    for sparse in &graph.sparse_initializer {
        sparse.values.iter().chain(&sparse.indices).try_for_each(|tensor| check_tensor(tensor))?;
    }
    check_nodes(&graph.node)
}

fn check_nodes(nodes: &[NodeProto]) -> Result<(), Error> {
    nodes.iter().flat_map(|node| &node.attribute).try_for_each(check_attribute)
}

fn check_attribute(attribute: &Attribute) -> Result<(), Error> {
    attribute.t.as_deref().into_iter().chain(&attribute.tensors).try_for_each(check_tensor)?;
    attribute.graphs_in().try_for_each(check_graph)
}

fn check_tensor(tensor: &TensorProto) -> Result<(), Error> {
    if tensor.data_location != Some(EXTERNAL) && tensor.external_data.is_empty() {
        return Ok(());
    }
    let location = tensor.external_data.iter().find(|entry| entry.key.as_deref() == Some("location"));
    Err(Error::OtherFile {
        tensor: tensor.name.clone().unwrap_or_default(),
        file: location.and_then(|entry| entry.value.clone()).unwrap_or_default(),
    })
}
