//! `INetworkDefinition`, `ITensor` and `IOptimizationProfile`. For all functions see the safety section of
//! [`crate::result`].
#![allow(clippy::missing_safety_doc, reason = "told once, for the whole floor")]

use std::ffi::CStr;

use super::{accepted, call, made, shape, string};
use crate::Error;
use crate::sys::enums::{DataType, ProfileSelector, TensorFormat};
use crate::sys::slots::network::{self as slot, Network};
use crate::sys::slots::profile::{self, Profile};
use crate::sys::slots::tensor::{self, Tensor};
use crate::sys::{Dims, Handle, Version};

/// `getNbLayers`, before fusion.
pub unsafe fn layer_count(version: Version, network: Handle<Network>) -> Result<i32, Error> {
    Ok(call!(version, network, slot::GET_NB_LAYERS,))
}

/// `getNbInputs`.
pub unsafe fn input_count(version: Version, network: Handle<Network>) -> Result<i32, Error> {
    Ok(call!(version, network, slot::GET_NB_INPUTS,))
}

/// `getNbOutputs`.
pub unsafe fn output_count(version: Version, network: Handle<Network>) -> Result<i32, Error> {
    Ok(call!(version, network, slot::GET_NB_OUTPUTS,))
}

/// `getInput` number `index`; the network owns it.
pub unsafe fn input(version: Version, network: Handle<Network>, index: i32) -> Result<Handle<Tensor>, Error> {
    let input = call!(version, network, slot::GET_INPUT, index);
    // SAFETY: the method returns an `ITensor*`.
    unsafe { made(&slot::GET_INPUT, input, || format!("knows no input {index}")) }
}

/// `getOutput` number `index`; the network owns it.
pub unsafe fn output(version: Version, network: Handle<Network>, index: i32) -> Result<Handle<Tensor>, Error> {
    let output = call!(version, network, slot::GET_OUTPUT, index);
    // SAFETY: the method returns an `ITensor*`.
    unsafe { made(&slot::GET_OUTPUT, output, || format!("knows no output {index}")) }
}

/// `setName`: also the engine's name.
pub unsafe fn set_name(version: Version, network: Handle<Network>, name: &CStr) -> Result<(), Error> {
    call!(version, network, slot::SET_NAME, name.as_ptr());
    Ok(())
}

/// `getName`.
pub unsafe fn name(version: Version, network: Handle<Network>) -> Result<String, Error> {
    let name = call!(version, network, slot::GET_NAME,);
    // SAFETY: the method answers null or a NUL-terminated string that the network owns.
    Ok(unsafe { string(name) }.unwrap_or_default())
}

/// `getName` of a tensor.
pub unsafe fn tensor_name(version: Version, tensor: Handle<Tensor>) -> Result<String, Error> {
    let name = call!(version, tensor, tensor::GET_NAME,);
    // SAFETY: the method answers null or a NUL-terminated string that the tensor owns.
    Ok(unsafe { string(name) }.unwrap_or_default())
}

/// `getDimensions` of a tensor.
pub unsafe fn tensor_dimensions(version: Version, tensor: Handle<Tensor>) -> Result<Dims, Error> {
    Ok(call!(version, tensor, tensor::GET_DIMENSIONS,))
}

/// `getType` of a tensor.
pub unsafe fn tensor_type(version: Version, tensor: Handle<Tensor>) -> Result<DataType, Error> {
    Ok(DataType::from_raw(call!(version, tensor, tensor::GET_TYPE,)))
}

/// `setAllowedFormats` of a network input or output.
pub unsafe fn set_allowed_formats(
    version: Version,
    tensor: Handle<Tensor>,
    formats: &[TensorFormat],
) -> Result<(), Error> {
    let mask = formats.iter().fold(0u32, |mask, format| mask | 1 << (format.raw() & 31));
    call!(version, tensor, tensor::SET_ALLOWED_FORMATS, mask);
    Ok(())
}

/// `setDimensions` of a profile.
///
/// # Errors
/// False: the shape contradicts another one of the profile.
pub unsafe fn set_profile_dimensions(
    version: Version,
    profile: Handle<Profile>,
    name: &CStr,
    which: ProfileSelector,
    dims: &Dims,
) -> Result<(), Error> {
    let answer = call!(version, profile, profile::SET_DIMENSIONS, name.as_ptr(), which.raw(), dims);
    accepted(&profile::SET_DIMENSIONS, answer, || format!("refused {dims} as {} of tensor {name:?}", which.name()))
}

/// `getDimensions` of a profile.
pub unsafe fn profile_dimensions(
    version: Version,
    profile: Handle<Profile>,
    name: &CStr,
    which: ProfileSelector,
) -> Result<Dims, Error> {
    shape(&profile::GET_DIMENSIONS, call!(version, profile, profile::GET_DIMENSIONS, name.as_ptr(), which.raw()), name)
}

/// `setExtraMemoryTarget`: 0 to 1 of the largest allocation that a profile may add.
pub unsafe fn set_extra_memory_target(version: Version, profile: Handle<Profile>, target: f32) -> Result<(), Error> {
    let answer = call!(version, profile, profile::SET_EXTRA_MEMORY_TARGET, target);
    accepted(&profile::SET_EXTRA_MEMORY_TARGET, answer, || format!("refused {target}, it takes 0 to 1"))
}

/// `isValid`: min <= opt <= max for every input given.
pub unsafe fn is_profile_valid(version: Version, profile: Handle<Profile>) -> Result<bool, Error> {
    Ok(call!(version, profile, profile::IS_VALID,) != 0)
}
