//! A posting to the ledger.

use super::values::{LedgerBucket, LedgerOperation};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A transfer of credits from one bucket to another.
#[derive(Debug, Clone)]
pub(super) struct Posting {
    pub(super) account_id: Uuid,
    pub(super) credit_unit_id: Uuid,
    pub(super) grant_id: Option<Uuid>,
    pub(super) kind: LedgerOperation,
    pub(super) from: LedgerBucket,
    pub(super) to: LedgerBucket,
    /// Amount in the smallest step of the unit; more than zero.
    pub(super) amount: i64,
    /// The key that identifies a repetition of the same fact.
    pub(super) business_key: String,
    /// Time of the event.
    pub(super) effective_at: DateTime<Utc>,
    pub(super) actor: String,
    pub(super) reason: Option<String>,
}

impl Posting {
    /// Returns the change of `bucket`.
    pub(super) fn change(&self, bucket: LedgerBucket) -> i64 {
        match bucket {
            bucket if bucket == self.from => -self.amount,
            bucket if bucket == self.to => self.amount,
            _ => 0,
        }
    }
}
