//! The schema of Tollgate: one append-only file per change, applied in order, each with a recorded checksum.
//!
//! A file on the main branch is never edited, not even its comments: its checksum is recorded when it is applied, and
//! [`up`] refuses to run on a database whose record differs from the files. Every change is a new file.

mod change;
mod m0001_identity;
mod m0002_catalogue;
mod m0003_inbox;
mod m0004_subscriptions;
mod m0005_payments;
mod m0006_credits;
mod m0007_operations;
mod m0008_mirror;
mod m0009_licences;
mod m0010_security_events;
mod m0011_changes;
mod m0012_outbox;
mod m0013_trials;
mod m0014_refunds;
mod m0015_coupon_rules;
mod m0016_outbox_param;
mod m0017_gifts;
mod m0018_discounts;
mod m0020_exact_money;
mod m0022_outbox_due;
mod m0024_object_kinds;
mod m0025_bounded_work;
mod m0026_access;
mod m0027_ledger_verbs;
mod m0028_usage;
mod m0029_entitlements;
mod m0030_plan_changes;
mod m0031_account_changes;
mod m0032_allowance_balances;
mod m0033_seal_statements;
mod m0034_revenue_rollups;
mod m0035_rollup_indexes;
mod m0036_mark_history;
mod m0037_ledger_times;
mod m0038_outbox_keys;
mod m0039_analytics_events;
mod m0040_experiments;
mod m0041_host_reports;
mod m0042_publishable_keys;
mod m0043_visits;
mod m0044_visitor_consents;
mod m0045_definitions;
mod m0050_active_users;
mod marks;
mod runner;
mod table;

#[cfg(feature = "codegen")]
pub mod codegen;

pub use change::Change;
pub use runner::{DateTime, Error, Patience, State, Step, apply, empty};
pub use sea_orm_migration::prelude;
pub use table::index_concurrently;

use sea_orm_migration::sea_orm::DatabaseConnection;

/// Returns all changes, oldest first.
pub fn changes() -> Vec<Change> {
    macro_rules! change {
        ($name:ident) => {
            Change {
                name: stringify!($name),
                source: include_str!(concat!(stringify!($name), ".rs")),
                migration: Box::new($name::Migration),
            }
        };
    }
    vec![
        change!(m0001_identity),
        change!(m0002_catalogue),
        change!(m0003_inbox),
        change!(m0004_subscriptions),
        change!(m0005_payments),
        change!(m0006_credits),
        change!(m0007_operations),
        change!(m0008_mirror),
        change!(m0009_licences),
        change!(m0010_security_events),
        change!(m0011_changes),
        change!(m0012_outbox),
        change!(m0013_trials),
        change!(m0014_refunds),
        change!(m0015_coupon_rules),
        change!(m0016_outbox_param),
        change!(m0017_gifts),
        change!(m0018_discounts),
        change!(m0020_exact_money),
        change!(m0022_outbox_due),
        change!(m0024_object_kinds),
        change!(m0025_bounded_work),
        change!(m0026_access),
        change!(m0027_ledger_verbs),
        change!(m0028_usage),
        change!(m0029_entitlements),
        change!(m0030_plan_changes),
        change!(m0031_account_changes),
        change!(m0032_allowance_balances),
        change!(m0033_seal_statements),
        change!(m0034_revenue_rollups),
        change!(m0035_rollup_indexes),
        change!(m0036_mark_history),
        change!(m0037_ledger_times),
        change!(m0038_outbox_keys),
        change!(m0039_analytics_events),
        change!(m0040_experiments),
        change!(m0041_host_reports),
        change!(m0042_publishable_keys),
        change!(m0043_visits),
        change!(m0044_visitor_consents),
        change!(m0045_definitions),
        change!(m0050_active_users),
    ]
}

/// Returns the state of each change; an error if the record contradicts the files.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<Step>, Error> {
    runner::status(db, &changes()).await
}

/// Applies pending changes, at most `limit`, and returns their names. `at` is recorded as the time.
pub async fn up(db: &DatabaseConnection, limit: Option<usize>, at: DateTime) -> Result<Vec<&'static str>, Error> {
    apply(db, &changes(), limit, at, Patience::default()).await
}

/// Reverts the newest `count` changes, newest first, and returns their names.
pub async fn down(db: &DatabaseConnection, count: usize) -> Result<Vec<&'static str>, Error> {
    runner::down(db, &changes(), count).await
}
