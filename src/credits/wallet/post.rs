//! Postings: the only place where entries are made.

use super::state::{Moment, Wallet};
use crate::credits::values::{LedgerBucket, LedgerOperation};
use chrono::{DateTime, Utc};
use entity::{balances, ledger_entries, ledger_txns};
use uuid::Uuid;

/// Credits that move from one bucket to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::credits) struct Move {
    pub(in crate::credits) grant_id: Option<Uuid>,
    pub(in crate::credits) from: LedgerBucket,
    pub(in crate::credits) to: LedgerBucket,
    /// Amount in the smallest step of the unit; more than zero.
    pub(in crate::credits) amount: i64,
}

/// The cause of a transaction.
#[derive(Debug, Clone, Default)]
pub(in crate::credits) struct Cause {
    pub(in crate::credits) actor: String,
    pub(in crate::credits) reason: Option<String>,
    /// The kind and the id of the object in the host application that it is about.
    pub(in crate::credits) reference: Option<(String, String)>,
    /// The transaction that is reversed.
    pub(in crate::credits) reverses_id: Option<Uuid>,
}

/// A bucket of a balance, to change it.
pub(in crate::credits) fn bucket_mut(balance: &mut balances::Model, bucket: LedgerBucket) -> &mut i64 {
    match bucket {
        LedgerBucket::Issued => &mut balance.issued,
        LedgerBucket::Available => &mut balance.available,
        LedgerBucket::Held => &mut balance.held,
        LedgerBucket::Spent => &mut balance.spent,
        LedgerBucket::Expired => &mut balance.expired,
        LedgerBucket::Revoked => &mut balance.revoked,
        LedgerBucket::Owed => &mut balance.owed,
    }
}

impl Wallet {
    /// Adds a transaction of these moves, at `effective_at` or at the last change of the balance if that was later.
    /// `business_key` makes the key that identifies the fact from the id of the transaction. Returns that id.
    pub(super) fn post(
        &mut self,
        (kind, effective_at): (LedgerOperation, DateTime<Utc>),
        moves: &[Move],
        business_key: impl FnOnce(Uuid) -> String,
        cause: Cause,
        at: Moment<'_>,
    ) -> Uuid {
        let id = (at.new_id)();
        let balance = self.balance.change();
        let effective_at = effective_at.fixed_offset().max(balance.updated_at);
        let recorded_at = at.now.fixed_offset();
        for part in moves {
            debug_assert!(part.amount > 0, "a posting moves more than zero credits");
            for (bucket, amount) in [(part.from, -part.amount), (part.to, part.amount)] {
                let held = bucket_mut(balance, bucket);
                *held += amount;
                let balance_after = *held;
                balance.entry_count += 1;
                self.entries.push(ledger_entries::Model {
                    id: (at.new_id)(),
                    txn_id: id,
                    account_id: balance.account_id,
                    credit_unit_id: balance.credit_unit_id,
                    grant_id: part.grant_id,
                    bucket: bucket.to_string(),
                    amount,
                    balance_after,
                    seq: balance.entry_count,
                    recorded_at,
                    effective_at: Some(effective_at),
                });
            }
        }
        balance.updated_at = effective_at;
        let (ref_type, ref_id) = cause.reference.unzip();
        self.txns.push(ledger_txns::Model {
            id,
            account_id: balance.account_id,
            kind: kind.to_string(),
            business_key: business_key(id),
            effective_at,
            recorded_at,
            actor: cause.actor,
            reason: cause.reason,
            ref_type,
            ref_id,
            reverses_id: cause.reverses_id,
        });
        id
    }
}
