//! Durations of operations, and their statistics in whole numbers.

use std::fmt;
use std::time::Duration;

/// The durations of the operations of one measurement.
#[derive(Debug, Default)]
pub(super) struct Samples {
    /// Durations of calls, in microseconds.
    calls: Vec<u32>,
    operations: u64,
}

/// The statistics of one measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    /// Operations.
    pub(super) operations: u64,
    /// Operations per second.
    pub(super) per_second: u64,
    /// The median duration of a call.
    pub(super) p50: Milliseconds,
    /// The 99th percentile of the duration of a call.
    pub(super) p99: Milliseconds,
}

/// A duration, in microseconds, which is written in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Milliseconds(u32);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:02}", self.0 / 1_000, self.0 % 1_000 / 10);
        f.pad(&text)
    }
}

impl Samples {
    /// Adds a call that made `operations`.
    pub(super) fn add(&mut self, took: Duration, operations: u64) {
        self.calls.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.operations += operations;
    }

    /// Adds the calls of another caller.
    pub(super) fn merge(&mut self, other: Samples) {
        self.calls.extend(other.calls);
        self.operations += other.operations;
    }

    /// Returns the statistics over a time of `elapsed`.
    pub(super) fn figures(mut self, elapsed: Duration) -> Figures {
        self.calls.sort_unstable();
        let at = |hundredth: usize| {
            let index = self.calls.len().saturating_sub(1) * hundredth / 100;
            Milliseconds(self.calls.get(index).copied().unwrap_or_default())
        };
        let per_second = u128::from(self.operations) * 1_000_000 / elapsed.as_micros().max(1);
        Figures {
            operations: self.operations,
            per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
            p50: at(50),
            p99: at(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted_per_second_and_calls_by_their_duration() {
        let mut samples = Samples::default();
        for number in 1..=99 {
            samples.add(Duration::from_micros(number * 1_000), 10);
        }
        let mut other = Samples::default();
        other.add(Duration::from_micros(1_234_567), 10);
        samples.merge(other);
        let figures = samples.figures(Duration::from_millis(2_500));
        assert_eq!((figures.operations, figures.per_second), (1_000, 400));
        assert_eq!((figures.p50.to_string(), figures.p99.to_string()), ("50.00".to_owned(), "99.00".to_owned()));
    }

    #[test]
    fn durations_are_written_in_milliseconds_to_the_width_asked_for() {
        assert_eq!(format!("{:>9}|", Milliseconds(1_234_567)), "  1234.56|");
        assert_eq!(Milliseconds(7).to_string(), "0.00");
        assert_eq!(Milliseconds(12_080).to_string(), "12.08");
    }

    #[test]
    fn a_measurement_without_calls_is_zero() {
        let figures = Samples::default().figures(Duration::ZERO);
        assert_eq!((figures.operations, figures.per_second), (0, 0));
        assert_eq!(figures.p99.to_string(), "0.00");
    }
}
