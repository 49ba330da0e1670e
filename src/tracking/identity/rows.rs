//! Embeddings in one piece of memory, searched exactly.

use crate::types::embedding::cosine;

/// Rows that stay in the processor's cache while several queries go over them.
const BLOCK: usize = 256;

/// Rows of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    dim: usize,
    values: Vec<f32>,
}

impl Rows {
    /// Empty, for rows of `dim` numbers.
    #[must_use]
    pub fn new(dim: usize) -> Self {
        Self { dim: dim.max(1), values: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.dim.max(1)
    }

    /// True without any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Appends one; longer than the others it is cut, shorter it is filled with zeros.
    pub fn push(&mut self, row: &[f32]) {
        let end = self.values.len() + self.dim;
        self.values.extend_from_slice(&row[..row.len().min(self.dim)]);
        self.values.resize(end, 0.0);
    }

    /// Number `at`; empty beyond the last.
    #[must_use]
    pub fn get(&self, at: usize) -> &[f32] {
        self.values.get(at * self.dim..(at + 1) * self.dim).unwrap_or(&[])
    }

    pub(super) fn get_mut(&mut self, at: usize) -> &mut [f32] {
        self.values.get_mut(at * self.dim..(at + 1) * self.dim).unwrap_or(&mut [])
    }

    /// Removes one; the last takes its place.
    pub(super) fn swap_remove(&mut self, at: usize) {
        let last = self.len().saturating_sub(1);
        if at < last {
            self.values.copy_within(last * self.dim..(last + 1) * self.dim, at * self.dim);
        }
        self.values.truncate(last * self.dim);
    }

    /// Gives the cosine of each query with each row, both of unit length, as `found(query, row, cosine)`. Every row is
    /// looked at, and is read from memory once for all queries together.
    pub fn search(&self, queries: &[&[f32]], mut found: impl FnMut(usize, usize, f32)) {
        for (block, rows) in self.values.chunks(BLOCK * self.dim.max(1)).enumerate() {
            for (number, query) in queries.iter().enumerate() {
                for (at, row) in rows.chunks_exact(self.dim.max(1)).enumerate() {
                    found(number, block * BLOCK + at, cosine(query, row).unwrap_or(0.0));
                }
            }
        }
    }
}
