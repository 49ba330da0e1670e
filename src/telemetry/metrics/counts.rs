//! What a camera's rules count, for whoever shows it: objects in zones now, crossings of lines so far.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts of one camera.
#[derive(Debug, Default)]
pub struct Counts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    zones: Vec<String>,
    lines: Vec<String>,
    labels: Vec<String>,
    /// By zone, then by class.
    inside: Vec<u32>,
    /// The same: was there ever one?
    ever: Vec<bool>,
    /// By line: in, out.
    crossed: Vec<[u64; 2]>,
}

impl Counts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are these zones and lines; nothing was counted yet.
    pub fn set_places(&self, zones: Vec<String>, lines: Vec<String>) {
        let mut state = self.state();
        let labels = std::mem::take(&mut state.labels);
        let cells = zones.len() * labels.len();
        let (inside, ever, crossed) = (vec![0; cells], vec![false; cells], vec![[0; 2]; lines.len()]);
        *state = State { zones, lines, labels, inside, ever, crossed };
    }

    /// Classes have these names now.
    pub fn set_labels(&self, labels: &[String]) {
        let mut state = self.state();
        state.labels = labels.to_vec();
        let cells = state.zones.len() * labels.len();
        (state.inside, state.ever) = (vec![0; cells], vec![false; cells]);
    }

    /// So many are in a zone, by class; lengths that do not fit are cut.
    pub fn set_inside(&self, zone: usize, by_class: &[u32]) {
        let mut state = self.state();
        let State { labels, inside, ever, .. } = &mut *state;
        let row = zone * labels.len()..(zone + 1) * labels.len();
        if let (Some(inside), Some(ever)) = (inside.get_mut(row.clone()), ever.get_mut(row)) {
            for ((to, ever), from) in inside.iter_mut().zip(ever).zip(by_class) {
                *to = *from;
                *ever |= *from > 0;
            }
        }
    }

    /// So many crossed a line so far: in, out.
    pub fn set_crossed(&self, line: usize, counts: [u64; 2]) {
        if let Some(to) = self.state().crossed.get_mut(line) {
            *to = counts;
        }
    }

    /// Each zone with each label and their number, in order.
    pub fn each_zone(&self, mut see: impl FnMut(&str, &str, u32)) {
        let state = self.state();
        let classes = state.labels.len().max(1);
        for (zone, row) in state.zones.iter().zip(state.inside.chunks(classes)) {
            state.labels.iter().zip(row).for_each(|(label, count)| see(zone, label, *count));
        }
    }

    /// The same, of labels that were there once: a model may know hundreds.
    pub fn each_zone_ever(&self, mut see: impl FnMut(&str, &str, u32)) {
        let state = self.state();
        let classes = state.labels.len().max(1);
        let rows = state.inside.chunks(classes).zip(state.ever.chunks(classes));
        for (zone, (row, ever)) in state.zones.iter().zip(rows) {
            let cells = state.labels.iter().zip(row).zip(ever);
            cells.filter(|(_, ever)| **ever).for_each(|((label, count), _)| see(zone, label, *count));
        }
    }

    /// Each line with its crossings so far: in, out.
    pub fn each_line(&self, mut see: impl FnMut(&str, [u64; 2])) {
        let state = self.state();
        state.lines.iter().zip(&state.crossed).for_each(|(line, counts)| see(line, *counts));
    }
}
