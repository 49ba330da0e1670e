use std::ffi::CString;

use crate::sys::enums::ProfileSelector;
use crate::sys::slots::profile;
use crate::sys::{Dims, Handle};
use crate::{Builder, Error, ProfileRange, Version, result};

/// Shapes that an engine is built for: one range per input with open dimensions. The builder owns it.
#[derive(Clone, Debug)]
pub struct OptimizationProfile {
    handle: Handle<profile::Profile>,
    builder: Builder,
}

impl OptimizationProfile {
    pub(super) fn new(builder: &Builder, handle: Handle<profile::Profile>) -> Self {
        Self { handle, builder: builder.clone() }
    }

    pub(super) fn handle(&self) -> Handle<profile::Profile> {
        self.handle
    }

    pub(super) fn builder(&self) -> &Builder {
        &self.builder
    }

    fn call<T>(&self, call: impl FnOnce(Version) -> Result<T, Error>) -> Result<T, Error> {
        self.builder.library().quoting(|| call(self.builder.library().version()))
    }

    /// Sets the range of an input.
    ///
    /// # Errors
    /// [`Error::Call`] where TensorRT refuses a shape, [`Error::Argument`] for a name with a NUL.
    pub fn set_range(&mut self, input: &str, range: &ProfileRange) -> Result<(), Error> {
        let name = c_name(input)?;
        let shapes = [
            (ProfileSelector::Min, &range.min),
            (ProfileSelector::Opt, &range.opt),
            (ProfileSelector::Max, &range.max),
        ];
        for (which, dims) in shapes {
            // SAFETY: the builder, which owns the profile, lives as long as `self`, on this thread.
            self.call(|version| unsafe {
                result::network::set_profile_dimensions(version, self.handle, &name, which, dims)
            })?;
        }
        Ok(())
    }

    /// One of an input's three shapes.
    ///
    /// # Errors
    /// [`Error::Call`] where none is set.
    pub fn dimensions(&self, input: &str, which: ProfileSelector) -> Result<Dims, Error> {
        let name = c_name(input)?;
        // SAFETY: as for `set_range`.
        self.call(|version| unsafe { result::network::profile_dimensions(version, self.handle, &name, which) })
    }

    /// How much of the largest allocation a profile may add, 0 to 1.
    ///
    /// # Errors
    /// [`Error::Call`] for any other number.
    pub fn set_extra_memory_target(&mut self, target: f32) -> Result<(), Error> {
        // SAFETY: as for `set_range`.
        self.call(|version| unsafe { result::network::set_extra_memory_target(version, self.handle, target) })
    }

    /// Whether min <= opt <= max for every input.
    ///
    /// # Errors
    /// None in the versions known.
    pub fn is_valid(&self) -> Result<bool, Error> {
        // SAFETY: as for `set_range`.
        self.call(|version| unsafe { result::network::is_profile_valid(version, self.handle) })
    }
}

pub(super) fn c_name(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::argument(format!("name {name:?} has a NUL")))
}
