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
        let (inside, crossed) = (vec![0; zones.len() * labels.len()], vec![[0; 2]; lines.len()]);
        *state = State { zones, lines, labels, inside, crossed };
    }

    /// Classes have these names now.
    pub fn set_labels(&self, labels: &[String]) {
        let mut state = self.state();
        state.labels = labels.to_vec();
        state.inside = vec![0; state.zones.len() * labels.len()];
    }

    /// So many are in a zone, by class; lengths that do not fit are cut.
    pub fn set_inside(&self, zone: usize, by_class: &[u32]) {
        let mut state = self.state();
        let classes = state.labels.len();
        if let Some(row) = state.inside.get_mut(zone * classes..(zone + 1) * classes) {
            row.iter_mut().zip(by_class).for_each(|(to, from)| *to = *from);
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

    /// Each line with its crossings so far: in, out.
    pub fn each_line(&self, mut see: impl FnMut(&str, [u64; 2])) {
        let state = self.state();
        state.lines.iter().zip(&state.crossed).for_each(|(line, counts)| see(line, *counts));
    }
}
