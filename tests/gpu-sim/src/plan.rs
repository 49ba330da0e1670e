//! The engine file ("plan") of the simulated TensorRT: a header in JSON, then the ONNX model it stands for.
//!
//! Layout, little endian: magic (8 bytes), container version (u32), header length (u32), model length (u64), SHA-256 of
//! header and model (32 bytes), header, model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::onnx::{self, Tensor};

/// The first bytes of every plan.
pub const MAGIC: &[u8; 8] = b"WKSIMPLN";
const CONTAINER: u32 = 1;
const PREFIX: usize = 8 + 4 + 4 + 8 + 32;

/// Smallest, best and largest shape of one input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Smallest.
    pub min: Vec<i64>,
    /// The one the engine is tuned for.
    pub opt: Vec<i64>,
    /// Largest.
    pub max: Vec<i64>,
}

/// Ranges by input name: one optimisation profile.
pub type Profile = BTreeMap<String, Range>;

/// What a plan says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Says to every reader of the file what it is.
    pub simulated: bool,
    /// Name of the network.
    pub name: String,
    /// TensorRT version it was built with, such as 10.16.1.
    pub tensorrt: String,
    /// Name of the device it was built on.
    pub device: String,
    /// Compute capability it was built for, such as 8.7.
    pub compute_capability: String,
    /// Precision asked for. The simulator always computes in the model's own.
    pub precision: String,
    /// Optimisation profiles; at least one.
    pub profiles: Vec<Profile>,
    /// Inputs in the model's order.
    pub inputs: Vec<Tensor>,
    /// Outputs in the model's order.
    pub outputs: Vec<Tensor>,
    /// An accelerator that its layers are said to run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dla_core: Option<u32>,
    /// Of an engine for an accelerator: layers that the GPU runs all the same, "Operator name".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_gpu: Vec<String>,
    /// The inspector gives names of layers and no more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub names_only: bool,
}

/// A header and its model.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it says of itself.
    pub header: Header,
    /// The ONNX model.
    pub model: Vec<u8>,
}

/// Why bytes are no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// They do not begin as a plan does.
    Magic,
    /// The container is of another version.
    Container(u32),
    /// They end too early, or too late.
    Length,
    /// They are not the bytes that were written.
    Checksum,
    /// The header cannot be understood.
    Header,
}

/// What a plan is built for.
#[derive(Clone, Debug)]
pub struct Target {
    /// TensorRT version, such as 10.16.1.
    pub tensorrt: String,
    /// Compute capability, such as 8.7.
    pub compute_capability: String,
    /// Precision to note.
    pub precision: String,
}

impl Plan {
    /// Wraps a model. An input that a profile leaves out must have a fixed shape, which becomes its range; without any
    /// profile there is one made of the fixed shapes.
    ///
    /// # Errors
    /// A sentence where the model cannot be read or a profile does not fit it.
    pub fn build(name: &str, model: Vec<u8>, profiles: &[Profile], target: &Target) -> Result<Self, String> {
        let graph = onnx::read(&model)?;
        let none = [Profile::new()];
        let profiles = if profiles.is_empty() { &none[..] } else { profiles };
        let profiles = profiles.iter().enumerate().map(|(index, profile)| complete(index, profile, &graph.inputs));
        let header = Header {
            simulated: true,
            name: name.to_owned(),
            tensorrt: target.tensorrt.clone(),
            device: crate::DEVICE_NAME.to_owned(),
            compute_capability: target.compute_capability.clone(),
            precision: target.precision.clone(),
            profiles: profiles.collect::<Result<_, _>>()?,
            inputs: graph.inputs,
            outputs: graph.outputs,
            dla_core: None,
            on_gpu: Vec::new(),
            names_only: false,
        };
        Ok(Self { header, model })
    }

    /// The bytes of the file.
    ///
    /// # Panics
    /// Never: a header is always valid JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).unwrap_or_default();
        let mut bytes = Vec::with_capacity(PREFIX + header.len() + self.model.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&CONTAINER.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(header.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&(self.model.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&checksum(&header, &self.model));
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&self.model);
        bytes
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// [`Broken`] where they are not a whole, unchanged plan.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.len() < MAGIC.len() || &bytes[..MAGIC.len()] != MAGIC {
            return Err(Broken::Magic);
        }
        let (prefix, rest) = bytes.split_at_checked(PREFIX).ok_or(Broken::Length)?;
        let word = |at: usize| u32::from_le_bytes([prefix[at], prefix[at + 1], prefix[at + 2], prefix[at + 3]]);
        if word(8) != CONTAINER {
            return Err(Broken::Container(word(8)));
        }
        let (header, model) = rest.split_at_checked(word(12) as usize).ok_or(Broken::Length)?;
        if model.len() as u64 != u64::from(word(16)) | u64::from(word(20)) << 32 {
            return Err(Broken::Length);
        }
        if checksum(header, model) != prefix[24..PREFIX] {
            return Err(Broken::Checksum);
        }
        let header = serde_json::from_slice(header).map_err(|_| Broken::Header)?;
        Ok(Self { header, model: model.to_vec() })
    }
}

fn checksum(header: &[u8], model: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(header).chain_update(model).finalize().into()
}

fn complete(index: usize, profile: &Profile, inputs: &[Tensor]) -> Result<Profile, String> {
    if let Some(name) = profile.keys().find(|name| !inputs.iter().any(|input| input.name == **name)) {
        return Err(format!("profile {index}: the network has no input {name:?}"));
    }
    let mut whole = Profile::new();
    for input in inputs {
        let range = match profile.get(&input.name) {
            Some(range) => range.clone(),
            None if input.shape.iter().all(|extent| *extent > 0) => {
                Range { min: input.shape.clone(), opt: input.shape.clone(), max: input.shape.clone() }
            }
            None => {
                return Err(format!(
                    "profile {index}: input {:?} has dynamic shape {:?} and no range; give its min, opt and max",
                    input.name, input.shape
                ));
            }
        };
        check(index, input, &range)?;
        whole.insert(input.name.clone(), range);
    }
    Ok(whole)
}

fn check(index: usize, input: &Tensor, range: &Range) -> Result<(), String> {
    let fits = |shape: &[i64]| {
        shape.len() == input.shape.len()
            && shape.iter().zip(&input.shape).all(|(extent, fixed)| *extent > 0 && (*fixed == -1 || extent == fixed))
    };
    let ordered = |small: &[i64], large: &[i64]| small.iter().zip(large).all(|(small, large)| small <= large);
    let Range { min, opt, max } = range;
    if !fits(min) || !fits(opt) || !fits(max) || !ordered(min, opt) || !ordered(opt, max) {
        return Err(format!(
            "profile {index}: min {min:?}, opt {opt:?}, max {max:?} do not fit input {:?} of shape {:?}",
            input.name, input.shape
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Broken, Plan, Range, Target};

    fn plan() -> Plan {
        let target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
        Plan::build("blob", test_models::blob_detector(64, 64, 32), &[], &target).expect("the model fits")
    }

    #[test]
    fn comes_back_as_written() {
        let plan = plan();
        let back = Plan::from_bytes(&plan.to_bytes()).expect("whole");
        assert_eq!((back.header, back.model), (plan.header, plan.model));
    }

    #[test]
    fn every_cut_and_every_flipped_byte_is_noticed() {
        let bytes = plan().to_bytes();
        for length in (0..bytes.len()).step_by(97) {
            assert!(Plan::from_bytes(&bytes[..length]).is_err(), "cut to {length}");
        }
        for at in (0..bytes.len()).step_by(61) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(Plan::from_bytes(&flipped).is_err(), "flipped at {at}");
        }
        assert_eq!(Plan::from_bytes(b"ftrt").err(), Some(Broken::Magic));
    }

    #[test]
    fn profiles_must_fit_the_network() {
        let model = test_models::blob_detector(64, 64, 32);
        let target = Target { tensorrt: "10.16.1".into(), compute_capability: "8.7".into(), precision: "fp32".into() };
        let of = |name: &str, shape: &[i64]| {
            let range = Range { min: shape.to_vec(), opt: shape.to_vec(), max: shape.to_vec() };
            Plan::build("blob", model.clone(), &[[(name.to_owned(), range)].into()], &target)
        };
        assert!(of("images", &[1, 3, 64, 64]).is_ok());
        assert!(of("images", &[1, 3, 32, 64]).is_err());
        assert!(of("pixels", &[1, 3, 64, 64]).is_err());
    }
}
