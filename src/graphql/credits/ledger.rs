//! Balances of credits, and the ledger.

use super::grant::CreditGrant;
use crate::app::App;
use crate::auth::Viewer;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{Batch, BigInt, ContextExt, Instant, Row, StoredEnum, global_id, to_exactly_one, to_one};
use crate::graphql::plans::parts::CreditUnit;
use crate::{credits, db, stored_enum};
use async_graphql::{Context, ID, Object, Result};
use entity::{balances, ledger_entries, ledger_txns};
use std::collections::HashMap;
use std::sync::Arc;
use uuid::Uuid;

pub struct CreditBalance(pub(crate) Row<balances::Entity>);

impl CreditBalance {
    /// Returns the balance at the present, with the changes that time has brought since it was written.
    async fn settled(&self, ctx: &Context<'_>) -> Result<Row<balances::Entity>> {
        if !credits::is_due(&self.0, ctx.app().now()) {
            return Ok(Arc::clone(&self.0));
        }
        let found = ctx.loaders().load::<Settled>(self.0.id).await?;
        Ok(found.unwrap_or_else(|| Arc::clone(&self.0)))
    }
}

/// A loader of balances at the present, by id.
struct Settled;

impl Batch for Settled {
    type Key = Uuid;
    type Value = Row<balances::Entity>;

    async fn load(app: &App, viewer: &Viewer, ids: &[Uuid]) -> crate::error::Result<HashMap<Uuid, Self::Value>> {
        let rows = db::by_ids::<balances::Entity>(app.db.read(), viewer, ids).await?;
        let settled = credits::settled(app.db.read(), rows.into_values().collect(), app.now()).await?;
        Ok(settled.into_iter().map(|(id, row)| (id, Arc::new(row))).collect())
    }
}

/// An account's balance in one credit unit, exact at the instant of the request. Amounts are in the smallest step of the
/// unit; `available + held + spent + expired + revoked - owed = issued` always holds. Visible to the account's members, and to callers with the scope
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

    /// Credits that can be spent; never negative.
    async fn available(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(self.settled(ctx).await?.available))
    }

    /// Credits reserved for work in progress; never negative.
    async fn held(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(self.settled(ctx).await?.held))
    }

    /// Credits spent so far.
    async fn spent(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(self.settled(ctx).await?.spent))
    }

    /// Credits that expired unused so far.
    async fn expired(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(self.settled(ctx).await?.expired))
    }

    /// Credits taken back so far, such as after a refund.
    async fn revoked(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(self.settled(ctx).await?.revoked))
    }

    /// Credits issued so far.
    async fn issued(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(-self.settled(ctx).await?.issued))
    }

    /// Credits that are owed, because they were spent before their money was returned; the next grants repay them.
    async fn owed(&self, ctx: &Context<'_>) -> Result<BigInt> {
        Ok(BigInt(-self.settled(ctx).await?.owed))
    }

    /// Time of the last change.
    async fn updated_at(&self, ctx: &Context<'_>) -> Result<Instant> {
        Ok(self.settled(ctx).await?.updated_at.into())
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
        /// Taken back after they were spent: negative until grants repay them.
        Owed,
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

    /// Time at which the change took effect; it never decreases with `sequence`.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.unwrap_or(self.0.recorded_at).into()
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
        /// Another transaction was reversed.
        Reverse,
        /// Credits moved to or from another account of the owner.
        Transfer,
        /// A grant repaid credits that were owed.
        Repay,
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

    /// The transaction that this one reverses; null if it reverses none.
    async fn reverses(&self, ctx: &Context<'_>) -> Result<Option<LedgerTransaction>> {
        to_one(ctx, self.0.reverses_id).await
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
