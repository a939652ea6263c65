//! The buckets of a balance at an instant.

use entity::balances;

/// The buckets of a balance at an instant, in the smallest step of the unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the buckets, which `LedgerBucket` describes")]
pub struct BalanceAt {
    pub available: i64,
    pub held: i64,
    pub spent: i64,
    pub expired: i64,
    pub issued: i64,
    pub revoked: i64,
    pub owed: i64,
}

impl From<&balances::Model> for BalanceAt {
    fn from(row: &balances::Model) -> Self {
        BalanceAt {
            available: row.available,
            held: row.held,
            spent: row.spent,
            expired: row.expired,
            issued: row.issued,
            revoked: row.revoked,
            owed: row.owed,
        }
    }
}
