//! A whole file, in as many runs as it takes.

use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use ureq::http::header;

use super::catalogue::Entry;
use super::download::{Answer, ask};
use super::failed::Failed;
use super::part::{Part, Version};
use super::progress::{Progress, megabytes};

const CHUNK: usize = 64 << 10;

/// Fills `part` up to the size that the catalogue knows.
///
/// # Errors
/// The server is away or silent (what came is kept), ends early (kept), has another file (thrown away).
pub(super) fn fill(part: &mut Part, entry: &Entry, stall: Duration, progress: &mut Progress) -> Result<(), Failed> {
    let address = entry.address().map_err(Failed::data)?;
    for resume in [true, false] {
        let version = part.version().validator().filter(|_| resume && part.len() > 0).map(str::to_owned);
        let range = version.as_deref().map(|version| (part.len(), version));
        if range.is_none() {
            part.restart()?;
        }
        if part.len() == entry.bytes {
            return Ok(());
        }
        let answer = ask(&address, range, stall)?;
        match (answer.response.status().as_u16(), range) {
            (206, Some(_)) if continues(&answer, part, entry) => {
                progress.say(&format!("{}: goes on after {}", entry.name, megabytes(part.len())));
            }
            // The rest of another file, or none of it.
            (206 | 416, Some(_)) => continue,
            (200, _) => {
                if range.is_some() {
                    progress.say(&format!("{}: begins again: the server does not go on with what is here", entry.name));
                }
                part.restart()?;
                starts(&answer, entry)?;
                part.begin(Version::of(&answer))?;
            }
            (status, _) => return Err(refused(&answer, status, entry)),
        }
        if let Some(coding) = answer.header(header::CONTENT_ENCODING).filter(|coding| *coding != "identity") {
            return Err(Failed::data(format!(
                "{}: sends the file coded as {coding:?}, which was not asked for",
                answer.from
            )));
        }
        return body(answer, part, entry, stall, progress);
    }
    Err(Failed::data(format!("{address}: sends parts of the file when asked for all of it")))
}

/// Whether it is exactly what is missing, of the version that is here.
fn continues(answer: &Answer, part: &Part, entry: &Entry) -> bool {
    let wanted = format!("bytes {}-{}/", part.len(), entry.bytes - 1);
    let range = answer.header(header::CONTENT_RANGE).and_then(|range| range.strip_prefix(&wanted));
    let right = range.is_some_and(|all| all == "*" || all.parse() == Ok(entry.bytes));
    right && !Version::of(answer).contradicts(part.version())
}

fn starts(answer: &Answer, entry: &Entry) -> Result<(), Failed> {
    let Some(length) = answer.response.body().content_length() else { return Ok(()) };
    if length == entry.bytes {
        return Ok(());
    }
    Err(Failed::data(format!(
        "{}: has {length} bytes, and the catalogue says {}: it is another file; see {}",
        answer.from, entry.bytes, entry.project
    )))
}

fn body(
    answer: Answer,
    part: &mut Part,
    entry: &Entry,
    stall: Duration,
    progress: &mut Progress,
) -> Result<(), Failed> {
    let from = answer.from;
    let mut reader = answer.response.into_body().into_reader();
    let mut chunk = vec![0; CHUNK];
    progress.begin(part.len());
    loop {
        let here = |part: &Part| format!("{} of {} bytes", part.len(), entry.bytes);
        match reader.read(&mut chunk) {
            Ok(0) if part.len() == entry.bytes => return Ok(()),
            Ok(0) => return Err(short(&format!("{from}: ended after {}", here(part)))),
            Ok(n) if part.len() + n as u64 > entry.bytes => {
                part.discard()?;
                return Err(Failed::data(format!(
                    "{from}: sends more than the {} bytes that the catalogue says: it is another file; see {}",
                    entry.bytes, entry.project
                )));
            }
            Ok(n) => part.append(&chunk[..n])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                return Err(short(&format!("{from}: ended after {}", here(part))));
            }
            Err(error) => {
                let silent = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>());
                let words = match silent {
                    Some(ureq::Error::Timeout(_)) => format!("no byte within {} s", stall.as_secs_f64()),
                    _ => error.to_string(),
                };
                return Err(Failed::later(format!("{from}: {words}, after {}; {GOES_ON}", here(part))));
            }
        }
        progress.step(part.len());
    }
}

const GOES_ON: &str = "what has come is kept: the same command goes on from there";

fn short(words: &str) -> Failed {
    Failed::data(format!("{words}; {GOES_ON}"))
}

fn refused(answer: &Answer, status: u16, entry: &Entry) -> Failed {
    let reason = answer.response.status().canonical_reason().unwrap_or("no reason given");
    let words = format!("{}: answers {status} ({reason})", answer.from);
    match status {
        404 | 410 => Failed::data(format!("{words}: the file is not there any more; see {}", entry.project)),
        408 | 429 | 500.. => Failed::later(format!("{words}; try again later")),
        _ => Failed::data(format!("{words}; see {}", entry.project)),
    }
}
