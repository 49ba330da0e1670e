//! How long frames took.

use std::time::Duration;

use serde::Serialize;

/// Milliseconds; nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Latency {
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Latency {
    /// `None` without any.
    pub(super) fn of(times: &mut [Duration]) -> Option<Self> {
        times.sort_unstable();
        let max = times.last()?;
        let ms = |time: &Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            ms(&times[rank.clamp(1, times.len()) - 1])
        };
        Some(Self { p50: at(0.50), p95: at(0.95), p99: at(0.99), max: ms(max) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ms: impl Iterator<Item = u64>) -> Option<Latency> {
        Latency::of(&mut ms.map(Duration::from_millis).collect::<Vec<_>>())
    }

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let hundred = Latency { p50: 50.0, p95: 95.0, p99: 99.0, max: 100.0 };
        assert_eq!(of((1..=100).rev()), Some(hundred));
        assert_eq!(of([7, 9].into_iter()), Some(Latency { p50: 7.0, p95: 9.0, p99: 9.0, max: 9.0 }));
        assert_eq!(of([7].into_iter()), Some(Latency { p50: 7.0, p95: 7.0, p99: 7.0, max: 7.0 }));
        assert_eq!(of(std::iter::empty()), None);
    }
}
