//! What a camera usually sees: edges that stay where they are, whoever passes before them.

use std::time::Duration;

use super::edges::{BLOCKS, Edges, HEIGHT, WIDTH};
use super::numbers::product;

/// Time constant with which it follows the scene: shadows that wander, dusk.
const FOLLOWS: f32 = 300.0;
/// Sum of the edges below which there is nothing to know a view by.
const LEAST_EDGES: f32 = 30.0;
/// Part of the reference's edges below which what is left of a picture's tells nothing.
const LEAST_COMMON: f32 = 0.03;
/// A block of less contrast has no texture that could go.
const LEAST_TEXTURE: f32 = 0.01;
/// Texture is gone with less than this part of it left.
const GONE: f32 = 0.25;
/// Fewer blocks with texture tell nothing.
const LEAST_BLOCKS: usize = BLOCKS / 10;
/// By how much a picture is shifted for a look at how like each other any two of these views would be, across and down.
const SHIFTS: [(isize, isize); 8] = [(-20, 0), (20, 0), (0, -12), (0, 12), (-16, -9), (16, -9), (-16, 9), (16, 9)];

/// A view, learnt.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    edges: Edges,
    /// Pictures it is learnt from.
    pictures: u32,
    /// Time over which it was learnt.
    age: Duration,
}

impl Reference {
    pub const fn new() -> Self {
        Self { edges: Edges::NONE, pictures: 0, age: Duration::ZERO }
    }

    pub fn forget(&mut self) {
        (self.pictures, self.age) = (0, Duration::ZERO);
    }

    pub fn age(&self) -> Duration {
        self.age
    }

    /// Takes in a picture, `passed` after the one before.
    pub fn learn(&mut self, edges: &Edges, passed: Duration) {
        self.age = if self.pictures == 0 { Duration::ZERO } else { self.age.saturating_add(passed) };
        self.pictures = self.pictures.saturating_add(1);
        let share = (1.0 / self.pictures as f32).max(passed.as_secs_f32() / FOLLOWS).min(1.0);
        let known = &mut self.edges;
        for (known, now) in known.along.as_flattened_mut().iter_mut().zip(edges.along.as_flattened()) {
            *known += share * (now - *known);
        }
        for (clear, [x, y]) in known.clear.iter_mut().zip(&known.along) {
            *clear = (x * x + y * y).sqrt();
        }
        for (known, now) in known.texture.iter_mut().zip(&edges.texture) {
            *known += share * (now - *known);
        }
    }

    /// Likeness of a picture's edges to those known: 1 the same, 0 no more alike than edges of this kind are anywhere.
    /// `None`: there are too few to tell.
    ///
    /// Buildings are upright everywhere: how well the picture fits where it does not belong is taken off.
    pub fn likeness(&self, edges: &Edges) -> Option<f32> {
        let known: f32 = self.edges.clear.iter().sum();
        if known < LEAST_EDGES {
            return None;
        }
        let (fits, common) = self.fit(edges, (0, 0));
        let own = product(&self.edges.clear, &self.edges.clear);
        if common < LEAST_COMMON * own {
            return Some(0.0);
        }
        let elsewhere = SHIFTS.map(|shift| self.fit(edges, shift)).map(|(fits, common)| fits / common.max(1e-6));
        let elsewhere = (elsewhere.iter().sum::<f32>() / SHIFTS.len() as f32).clamp(0.0, 0.8);
        Some(((fits / common - elsewhere) / (1.0 - elsewhere)).clamp(-1.0, 1.0))
    }

    /// How well edges that are shifted so far fit, and how well they would at best.
    fn fit(&self, edges: &Edges, (right, down): (isize, isize)) -> (f32, f32) {
        let range = |shift: isize, side: usize| {
            let side = side as isize;
            (-shift).max(0) as usize..(side - shift).min(side) as usize
        };
        let (mut fits, mut common) = (0.0, 0.0);
        let columns = range(right, WIDTH);
        for y in range(down, HEIGHT) {
            let known = y * WIDTH + columns.start..y * WIDTH + columns.end;
            let from = y.wrapping_add_signed(down) * WIDTH + columns.start.wrapping_add_signed(right);
            let now = from..from + columns.len();
            fits += product(self.edges.along[known.clone()].as_flattened(), edges.along[now.clone()].as_flattened());
            common += product(&self.edges.clear[known], &edges.clear[now]);
        }
        (fits, common)
    }

    /// Part of the blocks with texture where it is gone, 0..1.
    pub fn covered(&self, edges: &Edges) -> f32 {
        let (mut with, mut gone) = (0, 0);
        for (known, now) in self.edges.texture.iter().zip(&edges.texture) {
            if *known > LEAST_TEXTURE {
                with += 1;
                gone += usize::from(*now < GONE * known);
            }
        }
        if with < LEAST_BLOCKS { 0.0 } else { gone as f32 / with as f32 }
    }
}
