//! Optimal assignment of rows to columns over a sparse table of gains.

use std::ops::Range;

/// Finds the set of pairs with the greatest total gain, each row and each column in at most one.
///
/// Shortest augmenting paths with row and column prices (Jonker and Volgenant, Computing 38,
/// 1987; in the order of Crouse, IEEE TAES 52(4), 2016), over listed pairs only. Staying alone is
/// a column of its own for each row, with gain 0. Boxes overlap few others, so nearly every
/// row ends at its first step; a full table of n x n costs O(n^3).
///
/// Equal gains are settled by order, so equal input gives equal output. Buffers are kept between
/// calls: once they have grown to the largest table, nothing is allocated.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    edges: Vec<Edge>,
    /// Edges of row i: `ends[i - 1]..ends[i]`.
    ends: Vec<usize>,
    row_price: Vec<f32>,
    column_of: Vec<Option<usize>>,
    columns: Vec<Column>,
    /// Columns met in the current search, in order of discovery.
    met: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    column: usize,
    /// Minus the gain.
    cost: f32,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    price: f32,
    row: Option<usize>,
    /// Of the current search: cost of the cheapest path here; infinite where not met.
    distance: f32,
    /// Of the current search: the row before it on that path.
    from: usize,
    /// Of the current search: the path is final.
    done: bool,
}

impl Column {
    const NEW: Self = Self { price: 0.0, row: None, distance: f32::INFINITY, from: 0, done: false };
}

impl Assignment {
    /// Begins an empty table.
    pub fn begin(&mut self, columns: usize) {
        self.edges.clear();
        self.ends.clear();
        self.columns.clear();
        self.columns.resize(columns, Column::NEW);
    }

    /// Adds a pair to the row being filled. A gain that is not above 0 (or is NaN) is left out.
    pub fn pair(&mut self, column: usize, gain: f32) {
        if gain > 0.0 {
            self.edges.push(Edge { column, cost: -gain });
        }
    }

    /// Ends the row being filled.
    pub fn end_row(&mut self) {
        self.ends.push(self.edges.len());
    }

    /// Solves the table.
    pub fn solve(&mut self) {
        let rows = self.ends.len();
        self.row_price.clear();
        self.row_price.resize(rows, 0.0);
        self.column_of.clear();
        self.column_of.resize(rows, None);
        for row in 0..rows {
            self.place(row);
        }
    }

    /// The column that the solution gives a row.
    pub fn column_of(&self, row: usize) -> Option<usize> {
        self.column_of[row]
    }

    /// Whether the solution gives a column to any row.
    pub fn is_taken(&self, column: usize) -> bool {
        self.columns[column].row.is_some()
    }

    fn edges_of(&self, row: usize) -> Range<usize> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        start..self.ends[row]
    }

    /// Places one more row by the cheapest path of re-placements.
    fn place(&mut self, first: usize) {
        let (mut row, mut so_far) = (first, 0.0_f32);
        // The cheapest way yet to end the path by leaving a row alone: (cost, row).
        let mut alone = (f32::INFINITY, first);
        let last = loop {
            for edge in self.edges_of(row) {
                let Edge { column, cost } = self.edges[edge];
                let distance = so_far + (cost - self.row_price[row] - self.columns[column].price);
                let entry = &mut self.columns[column];
                if !entry.done && distance < entry.distance {
                    if entry.distance == f32::INFINITY {
                        self.met.push(column);
                    }
                    entry.distance = distance;
                    entry.from = row;
                }
            }
            let leave = so_far - self.row_price[row];
            if leave < alone.0 {
                alone = (leave, row);
            }
            let nearest = self.nearest();
            match nearest {
                Some(column) if self.columns[column].distance < alone.0 => {
                    so_far = self.columns[column].distance;
                    match self.columns[column].row {
                        None => break Some(column),
                        Some(next) => {
                            self.columns[column].done = true;
                            row = next;
                        }
                    }
                }
                _ => {
                    so_far = alone.0;
                    break None;
                }
            }
        };
        self.reprice(first, so_far);
        self.re_place(first, last, alone.1);
        for &column in &self.met {
            let entry = &mut self.columns[column];
            (entry.distance, entry.done) = (f32::INFINITY, false);
        }
        self.met.clear();
    }

    /// The open column with the shortest path; the earliest met among equals.
    fn nearest(&self) -> Option<usize> {
        let mut nearest: Option<usize> = None;
        for &column in self.met.iter().filter(|&&column| !self.columns[column].done) {
            if nearest.is_none_or(|n| self.columns[column].distance < self.columns[n].distance) {
                nearest = Some(column);
            }
        }
        nearest
    }

    /// Keeps every pair's cost at or above the sum of its two prices, and equal on chosen pairs.
    fn reprice(&mut self, first: usize, total: f32) {
        self.row_price[first] += total;
        for &column in &self.met {
            let entry = &mut self.columns[column];
            if entry.done {
                let change = total - entry.distance;
                entry.price -= change;
                if let Some(row) = entry.row {
                    self.row_price[row] += change;
                }
            }
        }
    }

    /// Walks the path back from its last column, or from the row left alone.
    fn re_place(&mut self, first: usize, last: Option<usize>, alone: usize) {
        let mut open = match last {
            Some(column) => column,
            None => match self.column_of[alone].take() {
                Some(column) => column,
                None => return,
            },
        };
        loop {
            let row = self.columns[open].from;
            self.columns[open].row = Some(row);
            let before = self.column_of[row].replace(open);
            match before {
                Some(column) if row != first => open = column,
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solve(solver: &mut Assignment, table: &[Vec<f32>], columns: usize) -> (Vec<Option<usize>>, f32) {
        solver.begin(columns);
        for row in table {
            row.iter().enumerate().for_each(|(column, &gain)| solver.pair(column, gain));
            solver.end_row();
        }
        solver.solve();
        let chosen: Vec<_> = (0..table.len()).map(|row| solver.column_of(row)).collect();
        for column in 0..columns {
            assert_eq!(solver.is_taken(column), chosen.contains(&Some(column)));
        }
        let total = chosen.iter().enumerate().filter_map(|(row, column)| column.map(|c| table[row][c])).sum();
        (chosen, total)
    }

    /// The greatest total, by trying everything.
    fn brute_force(table: &[Vec<f32>], row: usize, used: u32) -> f32 {
        let Some(gains) = table.get(row) else { return 0.0 };
        let alone = brute_force(table, row + 1, used);
        (0..gains.len())
            .filter(|column| used & (1 << column) == 0 && gains[*column] > 0.0)
            .fold(alone, |best, column| best.max(gains[column] + brute_force(table, row + 1, used | (1 << column))))
    }

    /// A small generator, so that a failure can be repeated.
    fn next(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *seed >> 33
    }

    #[test]
    fn the_total_equals_brute_force() {
        let (mut solver, mut seed) = (Assignment::default(), 7);
        for round in 0..3000 {
            let (rows, columns) = (next(&mut seed) as usize % 7, next(&mut seed) as usize % 7);
            // Few distinct gains in some rounds, for ties; many zeros in others, for sparse tables.
            let levels = [3, 10, 1000][round % 3];
            let table: Vec<Vec<f32>> = (0..rows)
                .map(|_| {
                    (0..columns)
                        .map(|_| (next(&mut seed) % levels) as f32 / levels as f32 - (round % 2) as f32 * 0.4)
                        .collect()
                })
                .collect();
            let (chosen, total) = solve(&mut solver, &table, columns);
            let expected = brute_force(&table, 0, 0);
            assert!((total - expected).abs() < 1e-5, "round {round}: {total} instead of {expected}\n{table:?}");
            let mut columns: Vec<usize> = chosen.iter().flatten().copied().collect();
            columns.sort_unstable();
            columns.dedup();
            assert_eq!(columns.len(), chosen.iter().flatten().count(), "a column twice: {chosen:?}");
        }
    }

    #[test]
    fn the_better_total_beats_the_best_single_pair() {
        let table = [vec![0.9, 0.8], vec![0.8, 0.1]];
        assert_eq!(solve(&mut Assignment::default(), &table, 2).0, [Some(1), Some(0)]);
    }

    #[test]
    fn a_pair_without_gain_is_not_made() {
        let table = [vec![0.0, -1.0], vec![0.2, 0.0]];
        assert_eq!(solve(&mut Assignment::default(), &table, 2).0, [None, Some(0)]);
    }

    #[test]
    fn an_empty_table_has_an_empty_answer() {
        assert!(solve(&mut Assignment::default(), &[], 3).0.is_empty());
        assert_eq!(solve(&mut Assignment::default(), &[vec![], vec![]], 0).0, [None, None]);
    }
}
