//! Grants of credits.

use crate::credits::Grants;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    BigInt, ContextExt, Instant, Row, StoredEnum, global_id, optional_text, to_exactly_one, to_one,
};
use crate::graphql::payments::payment::Payment;
use crate::graphql::plans::parts::CreditUnit;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::credit_grants;

pub struct CreditGrant(pub(crate) Row<credit_grants::Entity>);

stored_enum! {
    /// The reason for a grant of credits.
    CreditSource: crate::credits::GrantSource {
        /// Included in a plan.
        Plan,
        /// Bought.
        Purchase,
        /// A promotion.
        Promo,
        /// A gift.
        Gift,
        /// Compensation.
        Refund,
        /// Granted by hand by an admin.
        Admin,
        /// Transferred from another account of the owner.
        Transfer,
    }
}

/// Credits granted to an account. Visible to the account's members, and to callers with the scope `billing:read`.
#[Object]
impl CreditGrant {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<CreditGrant>(self.0.id)
    }

    /// The account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The unit of the credits.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// The reason for the grant.
    async fn source(&self) -> Result<CreditSource> {
        Ok(CreditSource::read(&self.0.source)?)
    }

    /// The amount granted, in the smallest step of the unit.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.amount)
    }

    /// The amount left, in the smallest step of the unit; zero from the expiry on.
    async fn remaining(&self, ctx: &Context<'_>) -> BigInt {
        let is_over = self.0.expires_at.is_some_and(|end| end.to_utc() <= ctx.app().now());
        BigInt(if is_over { 0 } else { self.0.remaining })
    }

    /// The order of spending of credits that expire at one time: those with a lower number are spent first.
    async fn priority(&self) -> i64 {
        self.0.priority
    }

    /// Time from which the credits can be spent.
    async fn starts_at(&self) -> Instant {
        self.0.starts_at.into()
    }

    /// Time at which unspent credits expire; null for never.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// The subscription whose plan included the credits; null if none did.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// The payment that bought the credits; null if they were not bought.
    async fn purchase(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        to_one(ctx, self.0.payment_id).await
    }

    /// An explanation for display; null if none was given.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The actor who granted the credits, in the form of the audit log.
    async fn granted_by(&self) -> &str {
        &self.0.granted_by
    }

    /// Time of the grant.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

/// Conditions on grants; a grant must meet all that are given.
#[derive(InputObject, Default)]
pub struct CreditGrantFilter {
    /// Grants with this reason.
    source: Option<CreditSource>,
    /// Grants in the credit unit with this code.
    unit: Option<String>,
}

order_input! {
    /// The order of a list of grants.
    CreditGrantOrder by
    /// The fields that grants can be ordered by.
    CreditGrantOrderField {
        /// Time of the grant.
        CreatedAt,
    }
}

impl CreditGrantFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<CreditGrantOrder>) -> crate::error::Result<Grants> {
        let filter = filter.unwrap_or_default();
        Ok(Grants {
            source: filter.source.map(StoredEnum::stored),
            unit: optional_text("unit", filter.unit)?,
            descending: CreditGrantOrder::descending(order, true),
        })
    }
}
