//! How well embeddings find the same subject again, by the Market-1501 protocol (Zheng et al., ICCV 2015).

/// One view of a subject.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View<'a> {
    /// Its embedding; all of one length, any norm.
    pub embedding: &'a [f32],
    /// Who it is.
    pub identity: u64,
    /// Which camera saw it.
    pub camera: u32,
}

/// Shares of queries, 0..1.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Scores {
    /// The nearest view is the same subject.
    pub rank1: f64,
    /// One of the five nearest is.
    pub rank5: f64,
    /// One of the ten nearest is.
    pub rank10: f64,
    /// Mean over queries of the average precision.
    pub map: f64,
    /// Queries with the same subject on another camera; the others do not count.
    pub queries: usize,
}

/// Embeddings that cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{side} {number} has an embedding of {length} values instead of {expected}; use one model for all of them")]
pub struct LengthMismatch {
    /// `query` or `gallery`.
    pub side: &'static str,
    /// Its place in the input, from 1.
    pub number: usize,
    /// Values it has.
    pub length: usize,
    /// Values the first has.
    pub expected: usize,
}

/// Ranks the gallery by cosine distance for each query.
///
/// Views of the same subject by the same camera are taken out: they are too easy. Equal distances keep the order of
/// the gallery. `None` where no query has the same subject on another camera.
///
/// # Errors
/// Embeddings of different lengths.
pub fn evaluate(query: &[View<'_>], gallery: &[View<'_>]) -> Result<Option<Scores>, LengthMismatch> {
    let expected = query.iter().chain(gallery).next().map_or(0, |view| view.embedding.len());
    for (side, views) in [("query", query), ("gallery", gallery)] {
        if let Some(i) = views.iter().position(|view| view.embedding.len() != expected) {
            return Err(LengthMismatch { side, number: i + 1, length: views[i].embedding.len(), expected });
        }
    }
    let norms: Vec<f64> = gallery.iter().map(|view| dot(view.embedding, view.embedding).sqrt()).collect();
    let (mut within, mut precision, mut queries) = ([0_usize; 3], 0.0, 0_usize);
    for view in query {
        let ranks = ranks(view, gallery, &norms);
        let Some(best) = ranks.first() else { continue };
        queries += 1;
        for (count, rank) in within.iter_mut().zip([1, 5, 10]) {
            *count += usize::from(*best <= rank);
        }
        let found: f64 = ranks.iter().enumerate().map(|(i, rank)| (i + 1) as f64 / *rank as f64).sum();
        precision += found / ranks.len() as f64;
    }
    let share = |count: usize| count as f64 / queries as f64;
    Ok((queries > 0).then(|| Scores {
        rank1: share(within[0]),
        rank5: share(within[1]),
        rank10: share(within[2]),
        map: precision / queries as f64,
        queries,
    }))
}

/// Ranks, from 1, at which the subject comes up again.
fn ranks(query: &View<'_>, gallery: &[View<'_>], norms: &[f64]) -> Vec<usize> {
    let norm = dot(query.embedding, query.embedding).sqrt();
    let junk = |view: &View<'_>| view.identity == query.identity && view.camera == query.camera;
    let mut ranked: Vec<(f64, bool)> = gallery
        .iter()
        .zip(norms)
        .filter(|(view, _)| !junk(view))
        .map(|(view, other)| {
            let scale = (norm * other).max(f64::MIN_POSITIVE);
            (1.0 - dot(query.embedding, view.embedding) / scale, view.identity == query.identity)
        })
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    ranked.iter().enumerate().filter(|(_, (_, same))| *same).map(|(i, _)| i + 1).collect()
}

/// Sums in eight lanes, so that the compiler may use vectors.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let (a_chunks, b_chunks) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(a, b)| f64::from(*a) * f64::from(*b));
    let rest: f64 = rest.sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..8 {
            lanes[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    lanes.iter().sum::<f64>() + rest
}
