//! When something is active: days of the week and times of the day, in a time zone.
//!
//! ```text
//! mon-fri 08:00-18:00
//! mon-fri 08:00-12:00, 13:00-17:00; sat 10:00-14:00
//! mon,wed 22:00-06:00        a stretch over midnight belongs to the day it begins on
//! sat,sun                    the whole day
//! 08:00-18:00                every day
//! always
//! ```
//!
//! What counts is the clock on the wall: where it is put forward, times that it skips do not come; where it is put
//! back, times that it shows twice come twice.

use std::fmt::Display;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::time::Timestamp;

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const EXAMPLE: &str = "as in \"mon-fri 08:00-18:00; sat 10:00-14:00\"";
/// Seconds of a day.
const DAY: u32 = 86_400;

/// `mon-fri 08:00-18:00`, in a time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    text: String,
    zone: TimeZone,
    stretches: Vec<Stretch>,
}

/// From a time of some days to another one; to a time of the day after it where that is not later.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    /// A bit each, Monday's the lowest.
    days: u8,
    /// Seconds since midnight.
    from: u32,
    /// Seconds since midnight.
    to: u32,
}

const EVERY_DAY: u8 = 0b111_1111;
const WHOLE: (u32, u32) = (0, DAY);

impl Schedule {
    /// Reads one. Entries are separated by semicolons; days, and times, by commas.
    ///
    /// # Errors
    /// What is wrong with it, and what one looks like.
    pub fn parse(text: &str, zone: TimeZone) -> Result<Self, String> {
        let mut stretches = Vec::new();
        if text.trim().is_empty() {
            return Err(format!("a schedule is missing: write days and times, {EXAMPLE}, or \"always\""));
        }
        if text.trim().eq_ignore_ascii_case("always") {
            stretches.push(Stretch { days: EVERY_DAY, from: WHOLE.0, to: WHOLE.1 });
        } else {
            for entry in text.split(';') {
                read_entry(entry, &mut stretches)?;
            }
        }
        Ok(Self { text: text.to_owned(), zone, stretches })
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Is it active then? Nothing is allocated.
    #[must_use]
    pub fn is_active(&self, time: Timestamp) -> bool {
        let Ok(instant) = jiff::Timestamp::from_microsecond(time.0) else { return false };
        let local = self.zone.to_datetime(instant);
        let today = u32::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        let second = seconds(local.time());
        self.stretches.iter().any(|stretch| stretch.holds(today, second))
    }
}

impl Stretch {
    fn holds(&self, today: u32, second: u32) -> bool {
        let on = |day: u32| self.days >> (day % 7) & 1 == 1;
        if self.from < self.to {
            on(today) && (self.from..self.to).contains(&second)
        } else {
            (on(today) && second >= self.from) || (on(today + 6) && second < self.to)
        }
    }
}

fn seconds(time: Time) -> u32 {
    let part = |value: i8| u32::from(value.unsigned_abs());
    part(time.hour()) * 3600 + part(time.minute()) * 60 + part(time.second())
}

/// `mon,wed-fri 08:00-12:00, 13:00-17:00`: days up to the first time, then times, up to the next day.
fn read_entry(entry: &str, stretches: &mut Vec<Stretch>) -> Result<(), String> {
    let (mut days, mut has_times) = (0, false);
    let entry = entry.replace(" - ", "-");
    let words = entry.split([',', ' ', '\t', '\n']).filter(|word| !word.is_empty());
    let mut read = 0;
    for word in words {
        read += 1;
        if word.contains(':') {
            let (from, to) = read_times(word)?;
            stretches.push(Stretch { days: if days == 0 { EVERY_DAY } else { days }, from, to });
            has_times = true;
        } else {
            if has_times {
                (days, has_times) = (0, false);
            }
            days |= read_days(word)?;
        }
    }
    if read == 0 {
        return Err(format!(
            "there is nothing between two semicolons, or after the last one: write days and times, {EXAMPLE}"
        ));
    }
    if !has_times {
        stretches.push(Stretch { days, from: WHOLE.0, to: WHOLE.1 });
    }
    Ok(())
}

/// `mon`, `mon-fri`, `sat-mon`.
fn read_days(word: &str) -> Result<u8, String> {
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(wrong_time(word));
    }
    let Some((from, to)) = word.split_once('-') else { return Ok(1 << read_day(word)?) };
    let (from, to) = (read_day(from)?, read_day(to)?);
    let length = (to + 7 - from) % 7;
    Ok((0..=length).fold(0, |days, day| days | 1 << ((from + day) % 7)))
}

fn read_day(word: &str) -> Result<u32, String> {
    let lower = word.to_ascii_lowercase();
    let found = DAYS.iter().position(|day| *day == lower || day[..3] == lower);
    found.map(|day| day as u32).ok_or_else(|| match lower.as_str() {
        "always" => format!("\"always\" stands alone; {}", wanted_day()),
        _ => format!("\"{word}\" is not a day: {}", wanted_day()),
    })
}

fn wanted_day() -> String {
    format!("write mon, tue, wed, thu, fri, sat or sun, {EXAMPLE}")
}

fn wrong_time(word: impl Display) -> String {
    format!("\"{word}\" is not a time: write hours and minutes, 00:00 to 24:00, {EXAMPLE}")
}

/// `08:00-18:00`, `22:00-06:00`.
fn read_times(word: &str) -> Result<(u32, u32), String> {
    let Some((from, to)) = word.split_once('-') else {
        return Err(format!("\"{word}\" has no end: write when it begins and when it ends, {EXAMPLE}"));
    };
    let (begins, ends) = (read_time(from)?, read_time(to)?);
    if begins == DAY {
        return Err(format!("\"{word}\" begins at 24:00: write 00:00 and the day after it, {EXAMPLE}"));
    }
    if begins == ends {
        return Err(format!(
            "\"{word}\" ends when it begins: leave the time out, or write 00:00-24:00, for the whole day"
        ));
    }
    Ok((begins, if ends == 0 { DAY } else { ends }))
}

fn read_time(word: &str) -> Result<u32, String> {
    let read = || {
        let (hours, minutes) = word.split_once(':')?;
        let number = |part: &str| {
            let digits = matches!(part.len(), 1 | 2) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| digits)
        };
        let (hours, minutes) = (number(hours)?, number(minutes).filter(|minutes| *minutes < 60)?);
        let time = hours * 3600 + minutes * 60;
        (time <= DAY).then_some(time)
    };
    read().ok_or_else(|| wrong_time(word))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn in_berlin(text: &str) -> Schedule {
        Schedule::parse(text, TimeZone::get("Europe/Berlin").unwrap()).unwrap()
    }

    /// Of a moment in UTC.
    fn at(utc: &str) -> Timestamp {
        Timestamp(utc.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }

    /// Is it active at these moments of the wall clock of Berlin? 2026-11-16 is a Monday.
    #[track_caller]
    fn assert_active(text: &str, expected: &[(&str, bool)]) {
        let (schedule, zone) = (in_berlin(text), TimeZone::get("Europe/Berlin").unwrap());
        for (local, active) in expected {
            let local: jiff::civil::DateTime = local.parse().unwrap();
            let time = Timestamp(zone.to_timestamp(local).unwrap().as_microsecond());
            assert_eq!(schedule.is_active(time), *active, "{text}: {local}");
        }
    }

    #[test]
    fn working_hours_end_before_the_last_second() {
        assert_active(
            "mon-fri 08:00-18:00",
            &[
                ("2026-11-16T07:59:59", false),
                ("2026-11-16T08:00:00", true),
                ("2026-11-20T17:59:59", true),
                ("2026-11-20T18:00:00", false),
                ("2026-11-21T12:00:00", false),
            ],
        );
    }

    #[test]
    fn commas_join_days_and_times_and_semicolons_part_entries() {
        let noon = [
            ("2026-11-16T09:00:00", true),
            ("2026-11-16T12:30:00", false),
            ("2026-11-16T16:59:00", true),
            ("2026-11-17T09:00:00", false),
            ("2026-11-18T13:00:00", true),
            ("2026-11-21T11:00:00", true),
            ("2026-11-21T14:00:00", false),
            ("2026-11-22T11:00:00", false),
        ];
        assert_active("mon,wed 08:00-12:00, 13:00-17:00; sat 10:00-14:00", &noon);
        assert_active("Monday, WED 8:00 - 12:00,13:00-17:00, sat 10:00-14:00", &noon);
    }

    #[test]
    fn over_midnight_belongs_to_the_day_it_begins_on() {
        assert_active(
            "fri 22:00-06:00",
            &[
                ("2026-11-20T05:00:00", false),
                ("2026-11-20T22:00:00", true),
                ("2026-11-21T05:59:59", true),
                ("2026-11-21T06:00:00", false),
                ("2026-11-21T22:00:00", false),
            ],
        );
        assert_active("sun 22:00-06:00", &[("2026-11-23T01:00:00", true), ("2026-11-22T01:00:00", false)]);
        assert_active("mon 22:00-00:00", &[("2026-11-16T23:59:59", true), ("2026-11-17T00:00:00", false)]);
    }

    #[test]
    fn days_alone_are_whole_and_times_alone_are_of_every_day() {
        assert_active("sat; sun 10:00-11:00", &[("2026-11-21T00:00:00", true), ("2026-11-22T00:00:00", false)]);
        assert_active("sat-mon", &[("2026-11-23T23:59:59", true), ("2026-11-24T00:00:00", false)]);
        assert_active("08:00-24:00", &[("2026-11-22T23:59:59", true), ("2026-11-22T07:00:00", false)]);
        assert_active("always", &[("2026-11-22T03:00:00", true), ("1999-01-01T00:00:00", true)]);
    }

    #[test]
    fn when_the_clock_is_put_forward_the_hour_that_it_skips_does_not_come() {
        // Berlin, Sunday 2026-03-29: 02:00 becomes 03:00, at 01:00 UTC.
        let schedule = in_berlin("sun 02:00-03:00");
        for minute in 0..180 {
            assert!(!schedule.is_active(Timestamp(at("2026-03-29T00:00:00Z").0 + minute * 60_000_000)));
        }
        let night = in_berlin("sat 22:00-03:30");
        assert!(night.is_active(at("2026-03-29T01:29:59Z")), "03:29:59 in summer time");
        assert!(!night.is_active(at("2026-03-29T01:30:00Z")));
    }

    #[test]
    fn when_the_clock_is_put_back_the_hour_that_it_shows_twice_counts_twice() {
        // Berlin, Sunday 2026-10-25: 03:00 becomes 02:00, at 01:00 UTC.
        let schedule = in_berlin("sun 02:00-03:00");
        let active = |minute: i64| schedule.is_active(Timestamp(at("2026-10-24T23:00:00Z").0 + minute * 60_000_000));
        assert_eq!((0..240).filter(|minute| active(*minute)).count(), 120);
        assert!(active(60) && active(179) && !active(59) && !active(180));
    }

    #[test]
    fn the_zone_says_when_it_is_eight() {
        let time = at("2026-11-16T08:30:00Z");
        let kolkata = Schedule::parse("mon 13:30-14:30", TimeZone::get("Asia/Kolkata").unwrap()).unwrap();
        assert!(kolkata.is_active(time) && !in_berlin("mon 13:30-14:30").is_active(time));
        assert!(in_berlin("mon 09:30-09:31").is_active(time));
    }

    #[test]
    fn errors_name_the_word_and_show_what_one_looks_like() {
        for (text, words) in [
            ("", "a schedule is missing"),
            ("mom 08:00-18:00", "\"mom\" is not a day"),
            ("mon-fry 08:00-18:00", "\"fry\" is not a day"),
            ("mon 8-18", "\"8-18\" is not a time"),
            ("mon 08:00", "\"08:00\" has no end"),
            ("mon 08:00-25:00", "\"25:00\" is not a time"),
            ("mon 08:60-09:00", "\"08:60\" is not a time"),
            ("mon 24:00-06:00", "begins at 24:00"),
            ("mon 08:00-08:00", "ends when it begins"),
            ("mon 08:00-18:00;", "nothing between two semicolons"),
            ("always mon", "\"always\" stands alone"),
        ] {
            let error = Schedule::parse(text, TimeZone::UTC).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.contains("mon-fri 08:00-18:00") || error.contains("00:00-24:00"), "{text}: {error}");
        }
    }
}
