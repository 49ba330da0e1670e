//! Version numbers and the two ABI majors.

use std::fmt;

/// The ABI family; slots are only appended inside one, and moved between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Major {
    /// TensorRT 10.x.
    Ten,
    /// TensorRT 11.x.
    Eleven,
}

/// Version of a TensorRT library, as `getInferLibVersion` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 10 in 10.3.0.
    pub major: u16,
    /// 3 in 10.3.0.
    pub minor: u16,
    /// 0 in 10.3.0.
    pub patch: u16,
}

impl Version {
    /// The newest interface of major 10 that the slot tables were read from.
    pub const NEWEST_10: Self = Self::new(10, 16, 1);
    /// The newest interface of major 11 that the slot tables were read from.
    pub const NEWEST_11: Self = Self::new(11, 4, 0);

    /// A version from its parts.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }

    /// Reads TensorRT's number, `major * 10000 + minor * 100 + patch`; `None` where it is none.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let part = |value: i32| u16::try_from(value).ok();
        (number > 0).then_some(())?;
        Some(Self::new(part(number / 10_000)?, part(number / 100 % 100)?, part(number % 100)?))
    }

    /// TensorRT's number for it.
    #[must_use]
    pub fn number(self) -> i32 {
        i32::from(self.major) * 10_000 + i32::from(self.minor) * 100 + i32::from(self.patch)
    }

    /// The ABI family, `None` where this crate has no slot table for it.
    #[must_use]
    pub fn abi(self) -> Option<Major> {
        match self.major {
            10 => Some(Major::Ten),
            11 => Some(Major::Eleven),
            _ => None,
        }
    }

    /// What to pass to TensorRT's factory functions as the header version: never more than the tables
    /// know, so that a newer library expects no callback that our objects lack.
    #[must_use]
    pub fn announced(self) -> Self {
        match self.abi() {
            Some(Major::Ten) => self.min(Self::NEWEST_10),
            _ => self.min(Self::NEWEST_11),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}
