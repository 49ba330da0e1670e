//! Wall-clock time as it stands in events. Time-outs and intervals use `std::time::Instant` only.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Wall-clock instant, microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock now.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_microsecond())
    }

    /// From nanoseconds since 1970.
    #[must_use]
    pub fn from_nanos(ns: i128) -> Self {
        Self(i64::try_from(ns / 1000).unwrap_or(i64::MAX))
    }

    /// `self - earlier` in seconds; negative where `earlier` is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 / 1e6
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => f.write_str("1970-01-01T00:00:00.000Z"),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<jiff::Timestamp>().map(|t| Self(t.as_microsecond())).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a capture time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The camera's own clock, told by RTCP sender reports (RFC 3550 6.4.1).
    Ntp,
    /// Our clock when the frame left the decoder.
    Arrival,
    /// No relation to the wall clock: a recording.
    Free,
}

/// When the camera took a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureTime {
    /// The instant; for [`Clock::Free`] counted from 1970 by the recording's own time stamps.
    pub time: Timestamp,
    /// Where it comes from.
    pub clock: Clock,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc3339_utc_with_milliseconds() {
        assert_eq!(Timestamp(1_795_194_517_214_999).to_string(), "2026-11-20T17:08:37.214Z");
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
