//! What going through the inbox changed, or would change: short enough to be shown.

use crate::db::Difference;
use std::collections::BTreeMap;

/// The most differences that are kept; the others are counted.
const MOST: usize = 1_000;
/// The most failures that are kept.
const MOST_FAILURES: usize = 100;

/// What was not as it should be.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    /// The differences, in the order in which they were found, as far as they are kept.
    pub differences: Vec<Difference>,
    /// How many rows of each table were missing, differed and were too many.
    pub tables: BTreeMap<String, [u64; 3]>,
    /// The objects that could not be applied, each with the reason, as far as they are kept.
    pub failures: Vec<String>,
}

impl Drift {
    /// Adds what was found at one object.
    pub(super) fn add(&mut self, found: Vec<Difference>) {
        for difference in found {
            // Two objects may say the same of one record; seen twice, it is still one difference.
            if self.differences.contains(&difference) {
                continue;
            }
            let counts = self.tables.entry(difference.table.clone()).or_default();
            match (&difference.before, &difference.after) {
                (None, _) => counts[0] += 1,
                (Some(_), Some(_)) => counts[1] += 1,
                (Some(_), None) => counts[2] += 1,
            }
            if self.differences.len() < MOST {
                self.differences.push(difference);
            }
        }
    }

    /// The same for what a provider was asked for: how it words an object may differ from version to version, so what
    /// counts is our records.
    pub(super) fn add_records(&mut self, mut found: Vec<Difference>) {
        found.retain(|difference| difference.table != "provider_objects");
        self.add(found);
    }

    /// Adds an object that could not be applied.
    pub(super) fn fail(&mut self, object: &str, error: crate::error::Error) {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(object, error, "an object cannot be applied");
        if self.failures.len() < MOST_FAILURES {
            self.failures.push(format!("{object}: {error}"));
        }
    }

    /// How many rows differed.
    pub fn total(&self) -> u64 {
        self.tables.values().flatten().sum()
    }
}
