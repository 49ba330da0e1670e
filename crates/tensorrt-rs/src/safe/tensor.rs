use std::ffi::{CStr, CString};

use crate::sys::enums::{DataType, ProfileSelector, TensorFormat, TensorIOMode, TensorLocation};
use crate::sys::slots::engine;
use crate::sys::{Dims, Handle, Version};
use crate::{Error, result};

/// Shapes of an input that a profile allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileRange {
    /// Smallest.
    pub min: Dims,
    /// The one tuned for.
    pub opt: Dims,
    /// Largest.
    pub max: Dims,
}

impl ProfileRange {
    /// True where every extent lies between `min` and `max`.
    #[must_use]
    pub fn allows(&self, dims: &Dims) -> bool {
        let (min, max, dims) = (self.min.as_slice(), self.max.as_slice(), dims.as_slice());
        dims.len() == min.len()
            && dims.len() == max.len()
            && dims.iter().zip(min.iter().zip(max)).all(|(extent, (min, max))| min <= extent && extent <= max)
    }
}

impl std::fmt::Display for ProfileRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.min == self.max { write!(f, "{}", self.min) } else { write!(f, "{} to {}", self.min, self.max) }
    }
}

/// How a tensor lies in memory, in one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// TensorRT's format.
    pub format: TensorFormat,
    /// The same in words.
    pub description: String,
    /// Bytes of a component; `None`: the format is not vectorised.
    pub bytes_per_component: Option<u32>,
    /// Components that lie together; `None`: the format is not vectorised.
    pub components_per_element: Option<u32>,
    /// The dimension that is padded to a multiple of them.
    pub vectorized_dim: Option<u32>,
}

/// An input or output of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name in the model.
    pub name: String,
    /// Input or output.
    pub mode: TensorIOMode,
    /// Element type.
    pub data_type: DataType,
    /// Device or host memory.
    pub location: TensorLocation,
    /// Shape, -1 for dimensions decided at run time.
    pub shape: Dims,
    /// True where its values are a shape.
    pub is_shape_inference_io: bool,
    /// One layout per profile.
    pub layouts: Vec<Layout>,
    /// One range per profile; empty for outputs.
    pub ranges: Vec<ProfileRange>,
    raw_name: CString,
}

impl TensorInfo {
    /// The name as TensorRT wants it.
    #[must_use]
    pub fn raw_name(&self) -> &CStr {
        &self.raw_name
    }

    /// Bytes of the tensor with that shape, padding included; `None` where the shape is open, too large, or
    /// the element type has no whole bytes.
    #[must_use]
    pub fn byte_len(&self, dims: &Dims, profile: usize) -> Option<u64> {
        let layout = self.layouts.get(profile)?;
        let mut extents = [0; crate::sys::dims::MAX_DIMS];
        let extents = extents.get_mut(..dims.as_slice().len())?;
        extents.copy_from_slice(dims.as_slice());
        if let (Some(dim), Some(components)) = (layout.vectorized_dim, layout.components_per_element) {
            let extent = extents.get_mut(usize::try_from(dim).ok()?)?;
            let components = i64::from(components.max(1));
            *extent = (*extent >= 0).then(|| extent.div_euclid(components) + i64::from(*extent % components != 0))?;
            *extent = extent.checked_mul(components)?;
        }
        let bytes = match layout.bytes_per_component {
            Some(bytes) => u64::from(bytes),
            None => element_bytes(self.data_type)?,
        };
        Dims::new(extents)?.volume()?.checked_mul(bytes)
    }

    /// # Safety
    /// As for all of [`crate::result`].
    pub(super) unsafe fn read(
        version: Version,
        engine: Handle<engine::Engine>,
        index: i32,
        profiles: i32,
    ) -> Result<Self, Error> {
        use result::engine as call;

        // SAFETY: the caller's promise, for every call below.
        unsafe {
            let raw_name = call::io_tensor_name(version, engine, index)?;
            let name = raw_name.as_c_str();
            let mode = call::tensor_io_mode(version, engine, name)?;
            let mut layouts = Vec::new();
            let mut ranges = Vec::new();
            for profile in 0..profiles {
                layouts.push(Layout {
                    format: call::tensor_format(version, engine, name, profile)?,
                    description: call::tensor_format_desc(version, engine, name, profile)?,
                    bytes_per_component: positive(call::bytes_per_component(version, engine, name, profile)?),
                    components_per_element: positive(call::components_per_element(version, engine, name, profile)?),
                    vectorized_dim: u32::try_from(call::vectorized_dim(version, engine, name, profile)?).ok(),
                });
                if mode == TensorIOMode::Input {
                    let shape = |which| call::profile_shape(version, engine, name, profile, which);
                    ranges.push(ProfileRange {
                        min: shape(ProfileSelector::Min)?,
                        opt: shape(ProfileSelector::Opt)?,
                        max: shape(ProfileSelector::Max)?,
                    });
                }
            }
            Ok(Self {
                name: name.to_string_lossy().into_owned(),
                mode,
                data_type: call::tensor_data_type(version, engine, name)?,
                location: call::tensor_location(version, engine, name)?,
                shape: call::tensor_shape(version, engine, name)?,
                is_shape_inference_io: call::is_shape_inference_io(version, engine, name)?,
                layouts,
                ranges,
                raw_name,
            })
        }
    }
}

fn positive(answer: i32) -> Option<u32> {
    u32::try_from(answer).ok().filter(|&answer| answer > 0)
}

/// Bytes of an element; `None` for types that share bytes, and unknown ones.
fn element_bytes(data_type: DataType) -> Option<u64> {
    match data_type {
        DataType::Int8 | DataType::Bool | DataType::Uint8 | DataType::Fp8 | DataType::E8m0 => Some(1),
        DataType::Half | DataType::Bf16 => Some(2),
        DataType::Float | DataType::Int32 => Some(4),
        DataType::Int64 => Some(8),
        DataType::Int4 | DataType::Fp4 | DataType::Unknown(_) => None,
    }
}
