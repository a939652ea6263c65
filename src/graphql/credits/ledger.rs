//! Credits: balances, grants, and the ledger.

use crate::credits::Grants;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, Instant, Row, Word, global_id, optional_text, to_exactly_one, to_one};
use crate::graphql::payments::payment::Payment;
use crate::graphql::plans::parts::CreditUnit;
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{balances, credit_grants, ledger_entries, ledger_txns};

pub struct CreditBalance(pub(crate) Row<balances::Entity>);

/// An account's credits of one unit. The amounts are in the smallest step of the unit, and
/// `available + held + spent + expired + revoked = issued` always.
#[Object]
impl CreditBalance {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditBalance>(self.0.id)
    }

    /// Whose they are.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// What they are counted in.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// What can be spent. Never negative. What expires leaves it within about a minute after its expiry.
    async fn available(&self) -> BigInt {
        BigInt(self.0.available)
    }

    /// What is set aside for something under way. Never negative.
    async fn held(&self) -> BigInt {
        BigInt(self.0.held)
    }

    /// What was spent by now.
    async fn spent(&self) -> BigInt {
        BigInt(self.0.spent)
    }

    /// What expired unused by now.
    async fn expired(&self) -> BigInt {
        BigInt(self.0.expired)
    }

    /// What was taken back by now, as after a refund.
    async fn revoked(&self) -> BigInt {
        BigInt(self.0.revoked)
    }

    /// What was given out by now.
    async fn issued(&self) -> BigInt {
        BigInt(-self.0.issued)
    }

    /// When it last changed.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}

pub struct CreditGrant(pub(crate) Row<credit_grants::Entity>);

words! {
    /// Why credits were given.
    CreditSource {
        /// They come with a plan.
        Plan = "plan",
        /// They were bought.
        Purchase = "purchase",
        /// A promotion.
        Promo = "promo",
        /// A gift.
        Gift = "gift",
        /// In place of something that went wrong.
        Refund = "refund",
        /// An admin gave them by hand.
        Admin = "admin",
    }
}

/// Credits that an account was given.
#[Object]
impl CreditGrant {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditGrant>(self.0.id)
    }

    /// Who got them.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// What they are counted in.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// Why they were given.
    async fn source(&self) -> Result<CreditSource> {
        Ok(CreditSource::read(&self.0.source)?)
    }

    /// How many, in the smallest step of the unit.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.amount)
    }

    /// How many are left, in the smallest step of the unit: zero within about a minute after the expiry.
    async fn remaining(&self) -> BigInt {
        BigInt(self.0.remaining)
    }

    /// Credits with a lower number are spent first; of equal ones, those that expire first.
    async fn priority(&self) -> i64 {
        self.0.priority
    }

    /// From when on they can be spent.
    async fn starts_at(&self) -> Instant {
        self.0.starts_at.into()
    }

    /// When what is left of them goes; null for never. They stop counting within about a minute after it.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// The payment they were bought with; null where they were not bought.
    async fn purchase(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        to_one(ctx, self.0.payment_id).await
    }

    /// Why, for people; null where nobody said.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Who gave them, as in the audit log.
    async fn granted_by(&self) -> &str {
        &self.0.granted_by
    }

    /// When they were given.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

words! {
    /// Where credits are.
    LedgerBucket {
        /// There to be spent.
        Available = "available",
        /// Set aside for something under way.
        Held = "held",
        /// Spent.
        Spent = "spent",
        /// Expired unused.
        Expired = "expired",
        /// Given out: the other side of everything, and negative.
        Issued = "issued",
        /// Taken back.
        Revoked = "revoked",
    }
}

pub struct LedgerEntry(pub(crate) Row<ledger_entries::Entity>);

/// One side of a transaction: a bucket that went up or down. Entries are added, never changed.
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

    /// What the amounts are counted in.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// The grant that was drawn on or made; null where it was none in particular.
    async fn grant(&self, ctx: &Context<'_>) -> Result<Option<CreditGrant>> {
        to_one(ctx, self.0.grant_id).await
    }

    /// Which bucket changed.
    async fn bucket(&self) -> Result<LedgerBucket> {
        Ok(LedgerBucket::read(&self.0.bucket)?)
    }

    /// By how much, in the smallest step of the unit; never zero.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.amount)
    }

    /// What the bucket held after this entry, in the smallest step of the unit.
    async fn balance_after(&self) -> BigInt {
        BigInt(self.0.balance_after)
    }

    /// Counts the entries of the account and unit, from 1, over all buckets.
    async fn sequence(&self) -> BigInt {
        BigInt(self.0.seq)
    }

    /// When it was written down.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }
}

pub struct LedgerTransaction(pub(crate) Row<ledger_txns::Entity>);

words! {
    /// What happened to credits.
    LedgerOperation {
        /// They were given.
        Grant = "grant",
        /// They were spent.
        Spend = "spend",
        /// They were set aside.
        Hold = "hold",
        /// What was set aside was spent.
        Capture = "capture",
        /// What was set aside came back.
        Release = "release",
        /// They expired.
        Expire = "expire",
        /// They were taken back.
        Revoke = "revoke",
    }
}

/// Something that happened to an account's credits.
#[Object]
impl LedgerTransaction {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<LedgerTransaction>(self.0.id)
    }

    /// What happened.
    async fn operation(&self) -> Result<LedgerOperation> {
        Ok(LedgerOperation::read(&self.0.kind)?)
    }

    /// When it happened.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// When it was written down.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }

    /// Who did it, as in the audit log.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// Why, for people; null where nobody said.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// What kind of object of the host application it was about; null where it was about none.
    async fn ref_type(&self) -> Option<&str> {
        self.0.ref_type.as_deref()
    }

    /// Which object of the host application it was about; null where it was about none.
    async fn ref_id(&self) -> Option<&str> {
        self.0.ref_id.as_deref()
    }
}

/// Which grants to list.
#[derive(InputObject, Default)]
pub struct CreditGrantFilter {
    /// Given for this reason alone.
    source: Option<CreditSource>,
    /// Of the credit unit with this code alone.
    unit: Option<String>,
}

order_input! {
    /// The order of a list of grants.
    CreditGrantOrder by
    /// The fields that grants can be ordered by.
    CreditGrantOrderField {
        /// When they were given.
        CreatedAt,
    }
}

impl CreditGrantFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<CreditGrantOrder>) -> crate::error::Result<Grants> {
        let filter = filter.unwrap_or_default();
        Ok(Grants {
            source: filter.source.map(Word::word),
            unit: optional_text("unit", filter.unit)?,
            descending: CreditGrantOrder::descending(order, true),
        })
    }
}
