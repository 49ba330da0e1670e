//! Version numbers as vendors write them: any number of parts.

use std::fmt;

use serde::{Serialize, Serializer};

/// `10.3.0.30`; compared part by part, and a missing part is less than any.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(Vec<u32>);

impl Version {
    /// The number at the beginning of `text`: `6.2+b77` is 6.2, `36.4.3-20250107174145` is 36.4.3.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let parts = text[..end].trim_end_matches('.').split('.').map(str::parse);
        parts.collect::<Result<Vec<u32>, _>>().ok().map(Self)
    }

    /// cuDNN's number: `major * 1000 + minor * 100 + patch`, and `major * 10000` from 9 on.
    pub(super) fn from_cudnn(number: usize) -> Option<Self> {
        let number = u32::try_from(number).ok()?;
        let major = if number < 10_000 { 1000 } else { 10_000 };
        Some(Self(vec![number / major, number % major / 100, number % 100]))
    }

    /// CUDA's number: `major * 1000 + minor * 10`.
    pub(super) fn from_cuda(number: i32) -> Option<Self> {
        let number = u32::try_from(number).ok()?;
        Some(Self(vec![number / 1000, number % 1000 / 10]))
    }

    /// The first part.
    pub(super) fn major(&self) -> u32 {
        self.0.first().copied().unwrap_or(0)
    }

    /// Its parts.
    pub(super) fn all(&self) -> &[u32] {
        &self.0
    }

    /// How many parts it has.
    pub(super) fn parts(&self) -> usize {
        self.0.len()
    }

    /// True for 10.3, 10.3.0 and 10.3.0.30, asked for 10.3.
    pub(super) fn begins_with(&self, parts: &[u32]) -> bool {
        self.0.starts_with(parts)
    }

    /// True for 10.5, 10.5.1 and 11, asked for 10.5.
    pub(super) fn is_at_least(&self, parts: &[u32]) -> bool {
        self.0.as_slice() >= parts
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            write!(f, "{}{part}", if i == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_far_as_it_is_a_number() {
        for (text, want) in [
            ("10.3.0.30", Some("10.3.0.30")),
            ("6.2+b77", Some("6.2")),
            ("36.4.3-20250107174145", Some("36.4.3")),
            ("9", Some("9")),
            ("2.36-9+deb12u10", Some("2.36")),
            ("4.3,", Some("4.3")),
            ("1.", Some("1")),
            ("", None),
            (".1", None),
            ("1..2", None),
            ("unknown", None),
            ("99999999999.1", None),
        ] {
            assert_eq!(Version::parse(text).map(|version| version.to_string()).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn numbers_of_libraries_are_read_as_their_headers_make_them() {
        let cudnn = |number| Version::from_cudnn(number).unwrap().to_string();
        assert_eq!([cudnn(8907), cudnn(90300), cudnn(92800)], ["8.9.7", "9.3.0", "9.28.0"]);
        let cuda = |number| Version::from_cuda(number).unwrap().to_string();
        assert_eq!([cuda(11040), cuda(12020), cuda(13000)], ["11.4", "12.2", "13.0"]);
        assert_eq!(Version::from_cuda(-1), None);
    }

    #[test]
    fn parts_are_compared_as_numbers() {
        let version = |text| Version::parse(text).unwrap();
        assert!(version("10.16.1") > version("10.3.0") && version("9.9") < version("10"));
        assert!(version("10.5.0").is_at_least(&[10, 5]) && version("11").is_at_least(&[10, 5]));
        assert!(!version("10.4.9").is_at_least(&[10, 5]));
        assert!(version("10.3.0.30").begins_with(&[10, 3]) && !version("10.30").begins_with(&[10, 3]));
    }
}
