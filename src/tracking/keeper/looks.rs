//! What tracks look like.

use crate::types::embedding::{Embeddings, cosine, normalise};

/// Cosines of the same subject and of two, before any were seen; they count as this many samples.
const ALIKE: f32 = 0.8;
const APART: f32 = 0.4;
const SAMPLES: f32 = 10.0;
/// The newest sample counts at least this much.
const LEAST_SHARE: f32 = 0.005;
/// Least half distance between the two means.
const LEAST_HALF: f32 = 0.05;
/// Places that are made at once.
const PLACES: usize = 64;

/// A running mean.
#[derive(Clone, Copy, Debug)]
struct Mean {
    value: f32,
    samples: f32,
}

impl Mean {
    fn add(&mut self, value: f32) {
        self.samples += 1.0;
        self.value += (value - self.value) * self.samples.recip().max(LEAST_SHARE);
    }
}

/// One vector of unit length per track that has looks, in one block, and how alike the same and different subjects are
/// in this scene with this model.
#[derive(Debug)]
pub struct Looks {
    dim: usize,
    rows: Vec<f32>,
    free: Vec<usize>,
    alike: Mean,
    apart: Mean,
}

impl Default for Looks {
    fn default() -> Self {
        let mean = |value| Mean { value, samples: SAMPLES };
        Self { dim: 0, rows: Vec::new(), free: Vec::new(), alike: mean(ALIKE), apart: mean(APART) }
    }
}

impl Looks {
    /// Of another length than before, everything kept is worthless: true, and nothing is kept any more.
    pub fn fit(&mut self, embeddings: &Embeddings) -> bool {
        let other = embeddings.dim() > 0 && embeddings.dim() != self.dim;
        if other {
            *self = Self { dim: embeddings.dim(), ..Self::default() };
        }
        other
    }

    /// Keeps a vector; its place.
    pub fn keep(&mut self, row: &[f32]) -> usize {
        if self.free.is_empty() {
            let places = self.rows.len() / self.dim.max(1);
            self.rows.resize((places + PLACES) * self.dim, 0.0);
            self.free.reserve(places + PLACES);
            self.free.extend((places..places + PLACES).rev());
        }
        let place = self.free.pop().unwrap_or(0);
        self.row(place).copy_from_slice(row);
        place
    }

    pub fn release(&mut self, place: usize) {
        self.free.push(place);
    }

    fn row(&mut self, place: usize) -> &mut [f32] {
        &mut self.rows[place * self.dim..(place + 1) * self.dim]
    }

    /// Mixes a share of what was seen now into what is kept.
    pub fn mix(&mut self, place: usize, row: &[f32], share: f32) {
        let kept = self.row(place);
        for (kept, new) in kept.iter_mut().zip(row) {
            *kept += share * (new - *kept);
        }
        if !normalise(kept) {
            kept.copy_from_slice(row);
        }
    }

    pub fn cosine(&self, place: usize, row: &[f32]) -> f32 {
        cosine(&self.rows[place * self.dim..(place + 1) * self.dim], row).unwrap_or(0.0)
    }

    /// From -1, as different as strangers are, to 1, as like as the same subject is.
    pub fn likeness(&self, place: usize, row: &[f32]) -> f32 {
        let (middle, half) = ((self.alike.value + self.apart.value) / 2.0, (self.alike.value - self.apart.value) / 2.0);
        ((self.cosine(place, row) - middle) / half.max(LEAST_HALF)).clamp(-1.0, 1.0)
    }

    /// A cosine of one subject with itself.
    pub fn learn_alike(&mut self, cosine: f32) {
        self.alike.add(cosine);
    }

    /// A cosine of two subjects.
    pub fn learn_apart(&mut self, cosine: f32) {
        self.apart.add(cosine);
    }
}
