//! The rows that a replay, a rebuild or a comparison changed, or would change.

use crate::db::Difference;
use crate::error::Error;
use entity::provider_objects;
use sea_orm::EntityName;
use serde::Serialize;
use std::collections::BTreeMap;

/// The maximum number of differences that are kept; the others are only counted.
const MAX_DIFFERENCES: usize = 1_000;
/// The maximum number of failures that are kept.
const MAX_FAILURES: usize = 100;

/// The rows that were not as they should be.
#[derive(Debug, Clone, Default)]
pub struct Drift {
    /// The first differences, in the order in which they were found.
    pub differences: Vec<Difference>,
    /// The number of rows that differed, by table.
    pub tables: BTreeMap<String, TableDrift>,
    /// The first objects that could not be applied, each with the reason.
    pub failures: Vec<String>,
}

/// The number of rows of a table that differed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TableDrift {
    /// Rows that were missing.
    pub missing: u64,
    /// Rows with other values.
    pub different: u64,
    /// Rows that should not be there.
    pub extra: u64,
}

impl TableDrift {
    /// Returns the number of all rows.
    pub fn total(self) -> u64 {
        self.missing + self.different + self.extra
    }
}

impl Drift {
    /// Adds the differences of one object. Two objects may lead to the same difference, which counts once.
    pub(super) fn add(&mut self, found: Vec<Difference>) {
        for difference in found {
            if self.differences.contains(&difference) {
                continue;
            }
            let counts = self.tables.entry(difference.table.clone()).or_default();
            match (&difference.before, &difference.after) {
                (None, _) => counts.missing += 1,
                (Some(_), Some(_)) => counts.different += 1,
                (Some(_), None) => counts.extra += 1,
            }
            if self.differences.len() < MAX_DIFFERENCES {
                self.differences.push(difference);
            }
        }
    }

    /// Adds the differences of a fetched object, without those of the object itself: Stripe words objects differently
    /// from version to version, so only our records count.
    pub(super) fn add_records(&mut self, mut found: Vec<Difference>) {
        found.retain(|difference| difference.table != provider_objects::Entity.table_name());
        self.add(found);
    }

    /// Adds an object that could not be applied.
    pub(super) fn add_failure(&mut self, object: &str, error: Error) {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::warn!(object, error, "an object cannot be applied");
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(format!("{object}: {error}"));
        }
    }

    /// Returns the number of rows that differed.
    pub fn total(&self) -> u64 {
        self.tables.values().map(|table| table.total()).sum()
    }
}
