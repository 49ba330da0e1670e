//! What comes of an answer.

use std::time::Duration;

use ureq::http::StatusCode;

use crate::types::time::Timestamp;

/// Longer than this nobody lets us wait.
const MAX_WAIT: Duration = Duration::from_mins(5);

/// What comes of a request. Reasons are for people.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    /// It passes by itself.
    Later {
        reason: String,
        /// Not before.
        after: Option<Duration>,
        /// It answered that it failed (5xx).
        failed: bool,
    },
    /// The connection failed when it was there, or nothing came in time.
    Unanswered(String),
    /// Somebody has to do something about it.
    Slowly {
        reason: String,
        after: Option<Duration>,
    },
    /// The body is too large.
    TooLarge(String),
    /// An event in it will never be taken.
    Bad(String),
}

/// Judges an answer that `who` gave.
pub(super) fn judge(who: &str, status: StatusCode, retry_after: Option<&str>) -> Verdict {
    let answer = match status.canonical_reason() {
        Some(words) => format!("{who} answers {} {words}", status.as_u16()),
        None => format!("{who} answers {}", status.as_u16()),
    };
    let after = retry_after.and_then(wait);
    let wrong = |advice: &str| Verdict::Slowly { reason: format!("{answer}: {advice}; events wait meanwhile"), after };
    match status.as_u16() {
        200..=299 => Verdict::Delivered,
        408 | 425 | 429 | 500..=599 => {
            let asked = after.map(|after| format!(" and asks us to wait {} s", after.as_secs())).unwrap_or_default();
            Verdict::Later {
                reason: format!("{answer}{asked}; events wait meanwhile"),
                after,
                failed: status.is_server_error(),
            }
        }
        400 | 422 => Verdict::Bad(format!("{answer}; its own log should say why")),
        413 => Verdict::TooLarge(format!("{answer}; allow larger requests there")),
        401 | 403 => wrong("it does not let us in; check login, token and secret of the sink"),
        404 | 410 => wrong("it has nothing at the path of the sink's `url`; check it, and whether the service runs"),
        300..=399 => wrong("a redirect that is not followed; set the sink's `url` to where it leads"),
        _ => wrong("check the sink's `url`, and the log of what answers there"),
    }
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_microsecond();
            Duration::from_secs_f64(Timestamp(then).seconds_since(Timestamp::now()).clamp(0.0, MAX_WAIT.as_secs_f64()))
        }
    };
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(status: u16) -> Verdict {
        judge("http://x", StatusCode::from_u16(status).unwrap(), None)
    }

    #[test]
    fn what_passes_is_tried_again_what_does_not_is_told() {
        for status in [200, 201, 202, 204] {
            assert_eq!(of(status), Verdict::Delivered);
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(of(status), Verdict::Later { after: None, .. }), "{status}");
        }
        for status in [301, 302, 307, 308, 401, 403, 404, 405, 409, 410, 415, 451, 499, 600] {
            assert!(matches!(of(status), Verdict::Slowly { after: None, .. }), "{status}");
        }
        assert!(matches!(of(413), Verdict::TooLarge(_)));
        assert!(matches!(of(400), Verdict::Bad(_)) && matches!(of(422), Verdict::Bad(_)));
    }

    #[test]
    fn a_wait_is_in_seconds_or_until_a_date_and_bounded() {
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait(" 86400 "), Some(MAX_WAIT));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("Fri, 21 Oct 2095 07:28:00 GMT"), Some(MAX_WAIT));
        for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }
}
