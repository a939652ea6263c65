//! Durations of requests, and their statistics.

use std::time::Duration;

/// The durations of the requests of one measurement.
#[derive(Debug, Default)]
pub(crate) struct Samples(Vec<u32>);

impl Samples {
    /// Adds a duration.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    /// Adds the durations of another connection.
    pub(crate) fn merge(&mut self, other: Samples) {
        self.0.extend(other.0);
    }

    /// Returns the statistics over a time of `elapsed`.
    pub(crate) fn figures(mut self, elapsed: Duration) -> Figures {
        self.0.sort_unstable();
        let per_second = f64::from(count(self.0.len())) / elapsed.as_secs_f64();
        let at = |thousandth: usize| {
            let index = self.0.len().saturating_sub(1) * thousandth / 1_000;
            f64::from(self.0.get(index).copied().unwrap_or_default()) / 1_000.0
        };
        Figures { per_second, p50_ms: at(500), p95_ms: at(950), p99_ms: at(990) }
    }
}

/// Converts a number of things for sums with floats.
pub(crate) fn count(things: usize) -> u32 {
    u32::try_from(things).unwrap_or(u32::MAX)
}

/// The statistics of one measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Responses per second.
    pub(crate) per_second: f64,
    /// The median duration, in milliseconds.
    pub(crate) p50_ms: f64,
    /// The 95th percentile of the duration, in milliseconds.
    pub(crate) p95_ms: f64,
    /// The 99th percentile of the duration, in milliseconds.
    pub(crate) p99_ms: f64,
}

impl Figures {
    /// Returns the medians of several rounds, separately for each figure.
    pub(crate) fn median(rounds: &[Figures]) -> Figures {
        let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure).collect());
        Figures {
            per_second: of(|round| round.per_second),
            p50_ms: of(|round| round.p50_ms),
            p95_ms: of(|round| round.p95_ms),
            p99_ms: of(|round| round.p99_ms),
        }
    }
}

/// Returns the median, or zero without values.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
