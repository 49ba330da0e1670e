//! Where subjects were, and for how long.

use std::collections::BTreeMap;
use std::time::Duration;

use super::view::View;
use crate::config::Anchor;
use crate::types::observation::Seen;

use super::geometry;

/// Cells of a row.
pub const COLUMNS: usize = 64;
/// Rows.
pub const ROWS: usize = 36;
/// Classes that have a map of their own; those that come later are in the whole only.
const CLASSES: usize = 16;
/// A longer step from frame to frame was not seen, and does not count.
const STEP: Duration = Duration::from_secs(1);
/// What bytes begin with.
const MAGIC: &[u8; 4] = b"heat";
const VERSION: u8 = 1;

/// How long subjects were in each cell of a picture: where the middle of the lower edges of their boxes were, in frames
/// that had a detection of them. Two in one cell count twice.
///
/// It only grows, and never fades: what a day or an hour added is the difference of two copies. Whoever wants to begin
/// anew calls [`clear`](Self::clear). Microseconds are counted whole, so that years of frames add up without an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heat {
    all: Grid,
    /// By label.
    classes: BTreeMap<String, Grid>,
    /// Time that was watched, microseconds.
    watched: u64,
    latest: Option<Duration>,
}

/// Microseconds by cell, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Grid(Vec<u64>);

impl Default for Grid {
    fn default() -> Self {
        Self(vec![0; COLUMNS * ROWS])
    }
}

impl Heat {
    /// Seconds by cell, row by row from the top left: of one label, or of everybody (`None`). Empty: nobody of that label
    /// was seen.
    pub fn seconds(&self, label: Option<&str>) -> impl Iterator<Item = f64> {
        let grid = label.map_or(Some(&self.all), |label| self.classes.get(label));
        grid.into_iter().flat_map(|grid| &grid.0).map(|micros| *micros as f64 / 1e6)
    }

    /// Labels that have a map of their own, in order of the alphabet.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.classes.keys().map(String::as_str)
    }

    /// For how long the picture was watched.
    #[must_use]
    pub fn watched(&self) -> Duration {
        Duration::from_micros(self.watched)
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        *self = Self { latest: self.latest, ..Self::default() };
    }

    /// A frame.
    pub(super) fn see(&mut self, view: &View<'_>) {
        let now = view.seen.media_time;
        let step = self.latest.replace(now).map_or(Duration::ZERO, |latest| now.saturating_sub(latest));
        if step.is_zero() || step > STEP {
            return;
        }
        let micros = u64::try_from(step.as_micros()).unwrap_or(0);
        self.watched += micros;
        for track in view.seen.tracks.iter().filter(|track| !track.coasted) {
            let Some(cell) = cell(track) else { continue };
            self.all.add(cell, micros);
            let label = view.label(track);
            if let Some(grid) = self.classes.get_mut(label) {
                grid.add(cell, micros);
            } else if !label.is_empty() && self.classes.len() < CLASSES {
                self.classes.entry(label.to_owned()).or_default().add(cell, micros);
            }
        }
    }

    /// The stretch from the latest frame to the next is not watched.
    pub(super) fn pause(&mut self) {
        self.latest = None;
    }

    /// To keep: milliseconds, with few bytes for cells where nobody was.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([VERSION, COLUMNS as u8, ROWS as u8]);
        write(&mut bytes, self.watched / 1000);
        self.all.write(&mut bytes);
        write(&mut bytes, self.classes.len() as u64);
        for (label, grid) in &self.classes {
            write(&mut bytes, label.len() as u64);
            bytes.extend(label.as_bytes());
            grid.write(&mut bytes);
        }
        bytes
    }

    /// From what [`to_bytes`](Self::to_bytes) gave; `None`: it is something else, or damaged.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(&[VERSION, COLUMNS as u8, ROWS as u8])?;
        let rest = &mut { rest };
        let watched = read(rest)?.checked_mul(1000)?;
        let all = Grid::read(rest)?;
        let mut classes = BTreeMap::new();
        for _ in 0..usize::try_from(read(rest)?).ok().filter(|classes| *classes <= CLASSES)? {
            let length = usize::try_from(read(rest)?).ok()?;
            let (label, after) = rest.split_at_checked(length)?;
            *rest = after;
            classes.insert(String::from_utf8(label.to_vec()).ok()?, Grid::read(rest)?);
        }
        rest.is_empty().then_some(Self { all, classes, watched, latest: None })
    }
}

impl Grid {
    fn add(&mut self, cell: usize, micros: u64) {
        if let Some(time) = self.0.get_mut(cell) {
            *time = time.saturating_add(micros);
        }
    }

    /// Milliseconds by cell; after a 0 stands how many more of them follow.
    fn write(&self, bytes: &mut Vec<u8>) {
        let mut cells = self.0.iter().map(|micros| micros / 1000).peekable();
        while let Some(millis) = cells.next() {
            write(bytes, millis);
            if millis == 0 {
                let mut more = 0;
                while cells.next_if_eq(&0).is_some() {
                    more += 1;
                }
                write(bytes, more);
            }
        }
    }

    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut grid = Self::default();
        let mut at = 0;
        while at < grid.0.len() {
            let millis = read(bytes)?;
            *grid.0.get_mut(at)? = millis.checked_mul(1000)?;
            let more = if millis == 0 { usize::try_from(read(bytes)?).ok()? } else { 0 };
            at = at.checked_add(more)?.checked_add(1)?;
        }
        (at == grid.0.len()).then_some(grid)
    }
}

/// The cell that it is in; `None`: it is outside the picture.
fn cell(track: &Seen) -> Option<usize> {
    let [x, y] = geometry::anchor(&track.bbox(), Anchor::Bottom);
    let part = |at: f32, cells: usize| {
        // A box that the picture cuts off ends on its very edge.
        (0.0..=1.0).contains(&at).then(|| ((at * cells as f32) as usize).min(cells - 1))
    };
    Some(part(y, ROWS)? * COLUMNS + part(x, COLUMNS)?)
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn write(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(first & 0x7f);
        value |= part.checked_mul(1 << shift)?;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
