//! What a rule knows of each track.

use super::place::Labels;
use super::view::{Moment, View};
use crate::types::observation::Seen;

/// Tracks that there is room for from the start.
const ROOM: usize = 64;

/// A page for each track that a rule follows, by number.
pub(super) struct Book<T> {
    pages: Vec<Page<T>>,
    /// By class.
    labels: Vec<String>,
}

/// What is known of one track.
pub(super) struct Page<T> {
    /// The track as it was seen last.
    pub(super) seen: Seen,
    /// When that was.
    pub(super) at: Moment,
    /// What the rule makes of it.
    pub(super) note: T,
}

/// What a rule makes of a track.
pub(super) trait Note {
    /// Were others told of it?
    fn is_told(&self) -> bool;

    /// The number under which they were told that something began.
    fn told_as(&self) -> Option<u64> {
        None
    }
}

impl<T: Note> Book<T> {
    pub(super) fn new() -> Self {
        Self { pages: Vec::with_capacity(ROOM), labels: Vec::new() }
    }

    /// The page of a track that is seen now; where there is none, `begin` may say what stands on a new one.
    pub(super) fn page(&mut self, seen: &Seen, now: Moment, begin: impl FnOnce() -> Option<T>) -> Option<&mut Page<T>> {
        let at = match self.find(seen.number) {
            Ok(at) => at,
            Err(at) => {
                self.pages.insert(at, Page { seen: *seen, at: now, note: begin()? });
                at
            }
        };
        let page = self.pages.get_mut(at)?;
        (page.seen, page.at) = (*seen, now);
        Some(page)
    }

    /// What is known of a track that was lost is its heir's. Of two that were told of, one is over: `close` gets it. So is
    /// what was told under the number of a track that has an heir, and is back as somebody else.
    pub(super) fn hand_over(&mut self, view: &View<'_>, mut close: impl FnMut(&mut Page<T>)) {
        for heir in view.heirs {
            let Ok(at) = self.find(heir.of) else { continue };
            let mut page = self.pages.remove(at);
            page.seen.number = heir.number;
            match self.find(heir.number) {
                Ok(at) if self.pages[at].note.is_told() => close(&mut page),
                Ok(at) => self.pages[at] = page,
                Err(at) => self.pages.insert(at, page),
            }
        }
        for page in &mut self.pages {
            let inherited = page.note.told_as().filter(|number| *number != page.seen.number);
            // A predicted one is not back: nobody has seen it.
            let is_back = |number| view.seen.tracks.iter().any(|track| track.number == number && !track.coasted);
            if inherited.is_some_and(is_back) {
                close(page);
            }
        }
    }

    /// Takes out the pages of tracks that are over for good; `close` gets each.
    pub(super) fn sweep(&mut self, view: &View<'_>, mut close: impl FnMut(&mut Page<T>)) {
        for gone in view.gone {
            if let Ok(at) = self.find(gone.number) {
                close(&mut self.pages.remove(at));
            }
        }
    }

    /// Takes out all pages; `close` gets each.
    pub(super) fn close(&mut self, close: impl FnMut(&mut Page<T>)) {
        self.pages.iter_mut().for_each(close);
        self.pages.clear();
    }

    /// Classes have these names now.
    pub(super) fn heed(&mut self, labels: &[String]) {
        self.pages.iter_mut().for_each(|page| Labels::renumber(&mut page.seen, &self.labels, labels));
        self.labels = labels.to_vec();
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.pages.binary_search_by_key(&number, |page| page.seen.number)
    }
}
