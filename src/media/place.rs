//! Where a picture lies: `<dir>/<yyyy-mm-dd>/<ULID>-<kind>`, the day (UTC) being that of the id.

use std::path::{Path, PathBuf};

use ulid::Ulid;

/// What there may be of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The picture.
    Snapshot,
    /// The subject, cut out.
    Crop,
    /// A clip.
    Clip,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Snapshot, Self::Crop, Self::Clip];

    /// The last part of its address, and of its name on disk.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot.jpg",
            Self::Crop => "crop.jpg",
            Self::Clip => "clip.mp4",
        }
    }

    /// By that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Where it lies, or would lie. An id has nothing in it that a path could be led astray by.
#[must_use]
pub fn path(dir: &Path, id: Ulid, kind: Kind) -> PathBuf {
    dir.join(day(id)).join(format!("{id}-{}", kind.name()))
}

/// Day of an id, UTC.
pub(super) fn day(id: Ulid) -> String {
    let ms = i64::try_from(id.timestamp_ms()).unwrap_or(0);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d").to_string()
}

/// The id in the name of a file of ours, and whether it is whole: until then its name ends with `part`.
pub(super) fn parse(name: &str) -> Option<(Ulid, bool)> {
    let (id, kind) = name.split_at_checked(26)?;
    let kind = kind.strip_prefix('-')?;
    let part = matches!(kind, "snapshot.part" | "crop.part" | "clip.part" | "clip.data.part");
    let id = Some(Ulid::from_string(id).ok()?).filter(|_| part || Kind::of(kind).is_some())?;
    Some((id, !part))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_where_its_files_are() {
        let id = Ulid::from_parts(1_795_194_517_214, 7);
        let at = path(Path::new("/media"), id, Kind::Crop);
        assert_eq!(at, Path::new("/media/2026-11-20").join(format!("{id}-crop.jpg")));
        assert_eq!(parse(at.file_name().unwrap().to_str().unwrap()), Some((id, true)));
        assert_eq!(parse(at.with_extension("part").file_name().unwrap().to_str().unwrap()), Some((id, false)));
        for other in [
            "",
            "notes.txt",
            "01J0000000000000000000000",
            "../../etc/passwd",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}-crop.jpg",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
