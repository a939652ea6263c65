//! The movements of one account.

use super::summary::DiscountPolicy;
use crate::analytics;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, Currency, Date, Money, StoredEnum, local_id, to_one};
use crate::graphql::operations::webhook_events::WebhookEvent;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::graphql::subscriptions::version::SubscriptionVersion;
use crate::money;
use crate::stored_enum;
use async_graphql::{Context, ID, Object, Result};
use entity::mrr_movements;

stored_enum! {
    /// The kind of a movement of recurring revenue.
    MovementKind: analytics::MovementKind {
        /// The account pays for the first time.
        New,
        /// It pays more than the day before.
        Expansion,
        /// It pays less than the day before, but not nothing.
        Contraction,
        /// It no longer pays.
        Churn,
        /// It pays again.
        Reactivation,
    }
}

stored_enum! {
    /// The cause of a churn, by the state of the subscription after it.
    ChurnCause: analytics::ChurnCause {
        /// The subscription is paused.
        Paused,
        /// The subscription is unpaid.
        PaymentFailed,
        /// The subscription goes on at no price.
        DowngradeToFree,
        /// All other causes, such as a cancellation.
        Voluntary,
    }
}

pub struct CustomerMovement(mrr_movements::Model);

/// A change of the annual recurring revenue of an account from the end of a day to the end of the next.
#[Object]
impl CustomerMovement {
    /// The day, in UTC.
    async fn day(&self) -> Date {
        Date(self.0.day)
    }

    /// The kind.
    async fn movement_kind(&self) -> Result<MovementKind> {
        Ok(MovementKind::read(&self.0.kind)?)
    }

    /// The cause of a churn; null for other kinds.
    async fn churn_cause(&self) -> Result<Option<ChurnCause>> {
        Ok(ChurnCause::read_option(self.0.cause.as_deref())?)
    }

    /// The currency.
    async fn currency(&self) -> Currency {
        Currency(self.0.currency.clone())
    }

    /// Annual recurring revenue at the end of the day before.
    async fn arr_before(&self) -> Money {
        Money::new(self.0.arr_before_minor, &self.0.currency)
    }

    /// Annual recurring revenue at the end of the day.
    async fn arr_after(&self) -> Money {
        Money::new(self.0.arr_after_minor, &self.0.currency)
    }

    /// `arrAfter` minus `arrBefore`.
    async fn arr_change(&self) -> Result<Money> {
        let change = money::add(self.0.arr_after_minor, -self.0.arr_before_minor)?;
        Ok(Money::new(change, &self.0.currency))
    }

    /// The subscription whose change was the last of the day in the direction of the movement; null if the caller may not
    /// see it.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, Some(self.0.subscription_id)).await
    }

    /// Its state after that change; null if the caller may not see it.
    async fn version(&self, ctx: &Context<'_>) -> Result<Option<SubscriptionVersion>> {
        to_one(ctx, Some(self.0.subscription_version_id)).await
    }

    /// The provider's event that caused that state; null if there was none. Requires the scope `billing:read`.
    async fn event(&self, ctx: &Context<'_>) -> Result<Option<WebhookEvent>> {
        to_one(ctx, self.0.inbox_event_id).await
    }
}

/// Movements of one account.
#[derive(Default)]
pub struct AccountFigures;

#[Object]
impl AccountFigures {
    /// The movements of one account up to today, oldest first; empty if it never paid.
    async fn customer_movements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the account.")] account_id: ID,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<CustomerMovement>> {
        let account_id = local_id::<Account>(&account_id)?;
        let rows = analytics::movements_of(ctx.app(), ctx.viewer(), account_id, discounts.into()).await?;
        Ok(rows.into_iter().map(CustomerMovement).collect())
    }
}
