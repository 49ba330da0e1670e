//! Optimal assignment over a dense table of costs.

/// Pairs of (row, column) with the least total cost; as many pairs as the shorter side has, in order of rows.
///
/// `costs` is row-major, `rows * columns` long, finite. Shortest augmenting paths (Crouse, IEEE TAES 52(4), 2016).
/// Equal totals are settled in the order of `scipy.optimize.linear_sum_assignment`, so that scores which depend on
/// the choice agree with tools built on it. `O(n^3)`.
#[must_use]
pub fn minimise(costs: &[f64], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    debug_assert_eq!(costs.len(), rows * columns);
    if rows > columns {
        let turned: Vec<f64> = (0..rows * columns).map(|i| costs[i % rows * columns + i / rows]).collect();
        let mut pairs: Vec<_> = solve(&turned, columns, rows).into_iter().map(|(c, r)| (r, c)).collect();
        pairs.sort_unstable();
        return pairs;
    }
    solve(costs, rows, columns)
}

/// As [`minimise`], for the greatest total.
#[must_use]
pub fn maximise(gains: &[f64], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    let costs: Vec<f64> = gains.iter().map(|gain| -gain).collect();
    minimise(&costs, rows, columns)
}

/// What one search for a path knows.
struct Search {
    /// Cost of the cheapest path to a column.
    distance: Vec<f64>,
    /// The row before a column on that path.
    from: Vec<usize>,
    /// Columns whose path is not yet final.
    open: Vec<usize>,
    /// Columns whose path is final, and rows that it went through, in order.
    closed: Vec<usize>,
    rows: Vec<usize>,
}

/// For `rows <= columns`.
fn solve(costs: &[f64], rows: usize, columns: usize) -> Vec<(usize, usize)> {
    let mut row_price = vec![0.0; rows];
    let mut column_price = vec![0.0; columns];
    let mut column_of = vec![usize::MAX; rows];
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    let mut search =
        Search { distance: vec![0.0; columns], from: vec![0; columns], open: vec![], closed: vec![], rows: vec![] };
    for first in 0..rows {
        let Some((last, total)) =
            path(&mut search, first, |i, j| costs[i * columns + j] - row_price[i] - column_price[j], &row_of)
        else {
            break;
        };
        row_price[first] += total;
        for &row in &search.rows[1..] {
            row_price[row] += total - search.distance[column_of[row]];
        }
        for &column in &search.closed {
            column_price[column] -= total - search.distance[column];
        }
        let mut column = last;
        loop {
            let row = search.from[column];
            row_of[column] = Some(row);
            std::mem::swap(&mut column_of[row], &mut column);
            if row == first {
                break;
            }
        }
    }
    column_of.into_iter().enumerate().filter(|(_, column)| *column != usize::MAX).collect()
}

/// The cheapest path from a row to a free column, and its cost; `None` where costs are not finite.
fn path(
    search: &mut Search,
    first: usize,
    reduced: impl Fn(usize, usize) -> f64,
    row_of: &[Option<usize>],
) -> Option<(usize, f64)> {
    search.distance.fill(f64::INFINITY);
    search.open.clear();
    search.open.extend((0..row_of.len()).rev());
    search.closed.clear();
    search.rows.clear();
    let (mut row, mut so_far) = (first, 0.0);
    loop {
        search.rows.push(row);
        let (mut lowest, mut at) = (f64::INFINITY, None);
        for (place, &column) in search.open.iter().enumerate() {
            let distance = so_far + reduced(row, column);
            if distance < search.distance[column] {
                search.distance[column] = distance;
                search.from[column] = row;
            }
            let distance = search.distance[column];
            // Among equals a free column ends the search.
            if distance < lowest || (distance == lowest && row_of[column].is_none()) {
                (lowest, at) = (distance, Some(place));
            }
        }
        let column = search.open.swap_remove(at.filter(|_| lowest.is_finite())?);
        so_far = lowest;
        search.closed.push(column);
        match row_of[column] {
            None => return Some((column, so_far)),
            Some(next) => row = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brute_force(costs: &[f64], rows: usize, columns: usize, row: usize, used: u32) -> f64 {
        if row == rows {
            return 0.0;
        }
        let free = (0..columns).filter(|column| used & (1 << column) == 0);
        let skip = if rows > columns { brute_force(costs, rows, columns, row + 1, used) } else { f64::INFINITY };
        free.map(|c| costs[row * columns + c] + brute_force(costs, rows, columns, row + 1, used | (1 << c)))
            .fold(skip, f64::min)
    }

    #[test]
    fn the_total_equals_brute_force() {
        let mut seed = 5_u64;
        let mut next = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        for round in 0..2000 {
            let (rows, columns) = (next(6) as usize, next(6) as usize);
            let levels = [3, 20, 10_000][round % 3];
            // Negative: leaving a row out where there is a choice never pays.
            let costs: Vec<f64> = (0..rows * columns).map(|_| -1.0 - next(levels) as f64).collect();
            let pairs = minimise(&costs, rows, columns);
            assert_eq!(pairs.len(), rows.min(columns));
            let mut taken: Vec<usize> = pairs.iter().map(|pair| pair.1).collect();
            taken.sort_unstable();
            taken.dedup();
            assert_eq!(taken.len(), pairs.len(), "a column twice: {pairs:?}");
            let total: f64 = pairs.iter().map(|(r, c)| costs[r * columns + c]).sum();
            assert!((total - brute_force(&costs, rows, columns, 0, 0)).abs() < 1e-9, "round {round}: {costs:?}");
        }
    }

    #[test]
    fn equal_costs_pair_in_order() {
        assert_eq!(minimise(&[1.0; 9], 3, 3), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(maximise(&[2.0; 6], 2, 3), [(0, 0), (1, 1)]);
        assert_eq!(minimise(&[], 0, 4), []);
        assert_eq!(minimise(&[], 4, 0), []);
    }
}
