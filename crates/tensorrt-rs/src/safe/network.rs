use super::owned::Owned;
use super::profile::c_name;
use crate::sys::enums::{DataType, TensorFormat};
use crate::sys::slots::{network, parser, tensor};
use crate::sys::{Dims, Handle, Version};
use crate::{Builder, Error, result};

/// An input or output of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkTensor {
    /// Name in the model.
    pub name: String,
    /// Shape, -1 for open dimensions.
    pub shape: Dims,
    /// Element type.
    pub data_type: DataType,
}

/// The layers to build from. It keeps the parsers that filled it, for they own its weights.
pub struct Network {
    // Parsers go before the network and the network before the builder: fields drop in this order.
    pub(super) parsers: Vec<Owned<parser::Parser>>,
    object: Owned<network::Network>,
    builder: Builder,
}

impl Network {
    /// # Safety
    /// The network was made by that builder and is nobody else's.
    pub(super) unsafe fn new(builder: &Builder, handle: Handle<network::Network>) -> Self {
        // SAFETY: the caller's promise.
        let object = unsafe { Owned::new(builder.library(), handle) };
        Self { parsers: Vec::new(), object, builder: builder.clone() }
    }

    pub(super) fn builder(&self) -> &Builder {
        &self.builder
    }

    pub(super) fn handle(&self) -> Handle<network::Network> {
        self.object.handle()
    }

    /// Layers, before fusion.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn layer_count(&self) -> Result<i32, Error> {
        // SAFETY: the network is alive and stays on this thread.
        self.object.call(|version, network| unsafe { result::network::layer_count(version, network) })
    }

    /// Names the network and the engine built from it.
    ///
    /// # Errors
    /// [`Error::Argument`] for a name with a NUL.
    pub fn set_name(&mut self, name: &str) -> Result<(), Error> {
        let name = c_name(name)?;
        // SAFETY: the network is alive and stays on this thread; TensorRT copies the name.
        self.object.call(|version, network| unsafe { result::network::set_name(version, network, &name) })
    }

    /// Its name.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn name(&self) -> Result<String, Error> {
        // SAFETY: the network is alive and stays on this thread.
        self.object.call(|version, network| unsafe { result::network::name(version, network) })
    }

    /// Inputs in the model's order.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn inputs(&self) -> Result<Vec<NetworkTensor>, Error> {
        self.tensors(true)?.into_iter().map(|tensor| self.describe(tensor)).collect()
    }

    /// Outputs in the model's order.
    ///
    /// # Errors
    /// [`Error::Call`] with TensorRT's words.
    pub fn outputs(&self) -> Result<Vec<NetworkTensor>, Error> {
        self.tensors(false)?.into_iter().map(|tensor| self.describe(tensor)).collect()
    }

    /// Limits the layouts of an input or output.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is none of that name.
    pub fn set_allowed_formats(&mut self, name: &str, formats: &[TensorFormat]) -> Result<(), Error> {
        for tensor in self.tensors(true)?.into_iter().chain(self.tensors(false)?) {
            if self.describe(tensor)?.name == name {
                // SAFETY: the network owns the tensor, is alive and stays on this thread.
                return self
                    .object
                    .call(|version, _| unsafe { result::network::set_allowed_formats(version, tensor, formats) });
            }
        }
        Err(Error::tensor(name, "is neither an input nor an output of the network"))
    }

    fn tensors(&self, inputs: bool) -> Result<Vec<Handle<tensor::Tensor>>, Error> {
        // SAFETY: the network is alive and stays on this thread.
        self.object.call(|version: Version, network| unsafe {
            if inputs {
                let count = result::network::input_count(version, network)?;
                (0..count).map(|index| result::network::input(version, network, index)).collect()
            } else {
                let count = result::network::output_count(version, network)?;
                (0..count).map(|index| result::network::output(version, network, index)).collect()
            }
        })
    }

    fn describe(&self, tensor: Handle<tensor::Tensor>) -> Result<NetworkTensor, Error> {
        // SAFETY: the network owns the tensor, is alive and stays on this thread.
        self.object.call(|version, _| unsafe {
            Ok(NetworkTensor {
                name: result::network::tensor_name(version, tensor)?,
                shape: result::network::tensor_dimensions(version, tensor)?,
                data_type: result::network::tensor_type(version, tensor)?,
            })
        })
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Network").field("parsers", &self.parsers.len()).finish_non_exhaustive()
    }
}
