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
fn day(id: Ulid) -> String {
    let ms = i64::try_from(id.timestamp_ms()).unwrap_or(0);
    let time = jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime("%Y-%m-%d").to_string()
}

/// The id in a file's name.
pub(super) fn id_of(name: &str) -> Option<Ulid> {
    let (id, kind) = name.split_at_checked(26)?;
    Kind::of(kind.strip_prefix('-')?)?;
    Ulid::from_string(id).ok()
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
        assert_eq!(id_of(at.file_name().unwrap().to_str().unwrap()), Some(id));
        for other in [
            "",
            "notes.txt",
            "01J0000000000000000000000",
            "../../etc/passwd",
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}-crop.jpg",
        ] {
            assert_eq!(id_of(other), None, "{other}");
        }
    }
}
