//! Balances of credits, and the ledger.

use super::grant::CreditGrant;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, Instant, Row, StoredEnum, global_id, to_exactly_one, to_one};
use crate::graphql::plans::parts::CreditUnit;
use crate::stored_enum;
use async_graphql::{Context, ID, Object, Result};
use entity::{balances, ledger_entries, ledger_txns};

pub struct CreditBalance(pub(crate) Row<balances::Entity>);

/// An account's balance in one credit unit. Amounts are in the smallest step of the unit; `available + held + spent +
/// expired + revoked = issued` always holds. Visible to the account's members, and to callers with the scope
/// `billing:read`.
#[Object]
impl CreditBalance {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditBalance>(self.0.id)
    }

    /// The account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The unit of the credits.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// Credits that can be spent; never negative. Expired credits leave within about a minute of their expiry.
    async fn available(&self) -> BigInt {
        BigInt(self.0.available)
    }

    /// Credits reserved for work in progress; never negative.
    async fn held(&self) -> BigInt {
        BigInt(self.0.held)
    }

    /// Credits spent so far.
    async fn spent(&self) -> BigInt {
        BigInt(self.0.spent)
    }

    /// Credits that expired unused so far.
    async fn expired(&self) -> BigInt {
        BigInt(self.0.expired)
    }

    /// Credits taken back so far, such as after a refund.
    async fn revoked(&self) -> BigInt {
        BigInt(self.0.revoked)
    }

    /// Credits issued so far.
    async fn issued(&self) -> BigInt {
        BigInt(-self.0.issued)
    }

    /// Time of the last change.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}

stored_enum! {
    /// A bucket of an account's credits.
    LedgerBucket: crate::credits::LedgerBucket {
        /// Can be spent.
        Available,
        /// Reserved for work in progress.
        Held,
        /// Spent.
        Spent,
        /// Expired unused.
        Expired,
        /// Issued: the counterpart of all other buckets, and negative.
        Issued,
        /// Taken back.
        Revoked,
    }
}

pub struct LedgerEntry(pub(crate) Row<ledger_entries::Entity>);

/// One side of a ledger transaction: a change to one bucket. Entries are added and never changed.
#[Object]
impl LedgerEntry {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<LedgerEntry>(self.0.id)
    }

    /// The transaction; its entries add up to zero.
    async fn transaction(&self, ctx: &Context<'_>) -> Result<LedgerTransaction> {
        to_exactly_one(ctx, self.0.txn_id).await
    }

    /// The unit of the amounts.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// The grant that was created or drawn on; null if the entry belongs to no single grant.
    async fn grant(&self, ctx: &Context<'_>) -> Result<Option<CreditGrant>> {
        to_one(ctx, self.0.grant_id).await
    }

    /// The bucket that changed.
    async fn bucket(&self) -> Result<LedgerBucket> {
        Ok(LedgerBucket::read(&self.0.bucket)?)
    }

    /// The change, in the smallest step of the unit; never zero.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.amount)
    }

    /// The bucket's balance after this entry, in the smallest step of the unit.
    async fn balance_after(&self) -> BigInt {
        BigInt(self.0.balance_after)
    }

    /// The number of the entry among all entries of the account and unit, from 1.
    async fn sequence(&self) -> BigInt {
        BigInt(self.0.seq)
    }

    /// Time of recording.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }
}

pub struct LedgerTransaction(pub(crate) Row<ledger_txns::Entity>);

stored_enum! {
    /// The kind of a ledger transaction.
    LedgerOperation: crate::credits::LedgerOperation {
        /// Credits were granted.
        Grant,
        /// Credits were spent.
        Spend,
        /// Credits were reserved.
        Hold,
        /// Reserved credits were spent.
        Capture,
        /// Reserved credits were released.
        Release,
        /// Credits expired.
        Expire,
        /// Credits were taken back.
        Revoke,
    }
}

/// A change to an account's credits.
#[Object]
impl LedgerTransaction {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<LedgerTransaction>(self.0.id)
    }

    /// The kind of transaction.
    async fn operation(&self) -> Result<LedgerOperation> {
        Ok(LedgerOperation::read(&self.0.kind)?)
    }

    /// Time at which the change took effect.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// Time of recording.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }

    /// The actor, in the form of the audit log.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// An explanation for display; null if none was given.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The kind of object in the host application that the transaction is about; null if none.
    async fn ref_type(&self) -> Option<&str> {
        self.0.ref_type.as_deref()
    }

    /// The id of that object in the host application; null if none.
    async fn ref_id(&self) -> Option<&str> {
        self.0.ref_id.as_deref()
    }
}
