//! Moments and lengths of time as they are typed.

use std::time::Duration;

use jiff::Timestamp as Instant;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::types::time::Timestamp;

/// `90s`, `15m`, `1h`, `2d`.
pub(super) fn length(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no length of time; it is a number and s, m, h or d: 15m, 1h, 2d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1.0,
        'm' => 60.0,
        'h' => 3600.0,
        'd' => 86_400.0,
        _ => return Err(wrong()),
    };
    let count: f64 = text[..text.len() - 1].trim_end().parse().map_err(|_| wrong())?;
    let length = Duration::try_from_secs_f64(count * seconds).map_err(|_| wrong())?;
    if length > Duration::from_secs(100 * 366 * 86_400) { Err(wrong()) } else { Ok(length) }
}

/// RFC 3339, or a date and time of this machine's time zone.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    in_zone(text, TimeZone::system())
}

fn in_zone(text: &str, zone: TimeZone) -> Result<Timestamp, String> {
    let told = text.parse::<Instant>().or_else(|_| {
        let local: DateTime = text.parse()?;
        zone.to_timestamp(local)
    });
    told.map(|time| Timestamp(time.as_microsecond())).map_err(|_| {
        format!("{text:?} is no date and time; it looks like 2026-11-20T17:08, or 2026-11-20T16:08:37Z for UTC")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_a_unit() {
        for (text, seconds) in [("90s", 90.0), ("15m", 900.0), ("1h", 3600.0), ("1.5 h", 5400.0), ("2d", 172_800.0)] {
            assert_eq!(length(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "1", "h", "-1h", "1w", "NaNs", "1e99d", "1 ä"] {
            assert!(length(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_of_a_time_zone_that_is_named_or_the_local_one() {
        let zone = || TimeZone::get("Europe/Berlin").unwrap();
        let want = Ok(Timestamp(1_795_194_480_000_000));
        for text in ["2026-11-20T17:08:00Z", "2026-11-20T18:08:00+01:00", "2026-11-20T18:08", "2026-11-20 18:08:00"] {
            assert_eq!(in_zone(text, zone()), want, "{text}");
        }
        for text in ["", "now", "17:08", "2026-13-20T17:08:00Z"] {
            assert!(in_zone(text, zone()).is_err(), "{text}");
        }
    }
}
