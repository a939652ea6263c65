//! The only function that writes to the ledger.

use super::posting::Posting;
use super::store;
use super::values::LedgerBucket;
use crate::db::Txn;
use crate::error::{Error, Result};
use entity::{balances, ledger_entries, ledger_txns};
use sea_orm::{ActiveValue::Set, EntityTrait};

/// Returns the credits in a bucket.
fn amount_in(bucket: LedgerBucket, balance: &balances::Model) -> i64 {
    match bucket {
        LedgerBucket::Issued => balance.issued,
        LedgerBucket::Available => balance.available,
        LedgerBucket::Held => balance.held,
        LedgerBucket::Spent => balance.spent,
        LedgerBucket::Expired => balance.expired,
        LedgerBucket::Revoked => balance.revoked,
    }
}

impl Posting {
    /// Writes the balance, the two entries, and the seal that makes the database check them.
    pub(super) async fn post(self, txn: &Txn) -> Result<balances::Model> {
        if self.amount <= 0 {
            return Err(Error::internal(anyhow::anyhow!("A posting must move more than zero credits.")));
        }
        let balance = store::move_balance(txn, &self).await?;
        let id = txn.new_id();
        let entry = |bucket: LedgerBucket, amount, seq| ledger_entries::ActiveModel {
            id: Set(txn.new_id()),
            txn_id: Set(id),
            account_id: Set(self.account_id),
            credit_unit_id: Set(self.credit_unit_id),
            grant_id: Set(self.grant_id),
            bucket: Set(bucket.to_string()),
            amount: Set(amount),
            balance_after: Set(amount_in(bucket, &balance)),
            seq: Set(seq),
            recorded_at: Set(txn.now().fixed_offset()),
            effective_at: Set(Some(txn.now().fixed_offset())),
        };
        let entries =
            [entry(self.from, -self.amount, balance.entry_count - 1), entry(self.to, self.amount, balance.entry_count)];
        ledger_entries::Entity::insert_many(entries).exec_without_returning(txn).await?;
        let seal = ledger_txns::ActiveModel {
            id: Set(id),
            account_id: Set(self.account_id),
            kind: Set(self.kind.to_string()),
            business_key: Set(self.business_key),
            effective_at: Set(self.effective_at.fixed_offset()),
            recorded_at: Set(txn.now().fixed_offset()),
            actor: Set(self.actor),
            reason: Set(self.reason),
            ref_type: Set(None),
            ref_id: Set(None),
            ..Default::default()
        };
        ledger_txns::Entity::insert(seal).exec_without_returning(txn).await?;
        Ok(balance)
    }
}
