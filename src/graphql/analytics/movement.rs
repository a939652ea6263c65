//! The movements of one account.

use super::summary::DiscountPolicy;
use crate::analytics::{self, MovementList};
use crate::db::Listing;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::connections::Total;
use crate::graphql::common::{
    Connection, ContextExt, Currency, Date, Money, Record, Row, StoredEnum, local_id, page_args, to_one,
};
use crate::graphql::operations::webhook_events::WebhookEvent;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::graphql::subscriptions::version::SubscriptionVersion;
use crate::money;
use crate::stored_enum;
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::mrr_movements;
use std::sync::Arc;

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

pub struct CustomerMovement(Row<mrr_movements::Entity>);

// Without a global id: a movement has a row only after its customer was recomputed.
impl From<Row<mrr_movements::Entity>> for CustomerMovement {
    fn from(row: Row<mrr_movements::Entity>) -> Self {
        CustomerMovement(row)
    }
}

impl Record for CustomerMovement {
    type Entity = mrr_movements::Entity;
    const NAME: &'static str = "CustomerMovement";

    fn row(&self) -> &Row<mrr_movements::Entity> {
        &self.0
    }
}

/// A change of the annual recurring revenue of an account from the end of a day to the end of the next.
#[Object]
impl CustomerMovement {
    /// The account; null if the caller may not see it.
    async fn account(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, Some(self.0.account_id)).await
    }

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

/// Conditions on movements; a movement must meet all that are given.
#[derive(InputObject, Default)]
pub struct CustomerMovementFilter {
    /// Movements of one of these kinds.
    kinds: Option<Vec<MovementKind>>,
    /// Movements in this currency.
    currency: Option<Currency>,
}

/// The single movements, of one account and of all.
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
        Ok(rows.into_iter().map(|row| CustomerMovement(Arc::new(row))).collect())
    }

    /// The movements of all accounts in a range of days up to today, newest first: those that `movements` sums.
    #[allow(clippy::too_many_arguments, reason = "the arguments of the field")]
    async fn all_movements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
        #[graphql(desc = "Conditions on the movements.")] filter: Option<CustomerMovementFilter>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<CustomerMovement>> {
        let filter = filter.unwrap_or_default();
        let (kinds, currency) = (StoredEnum::stored_list(filter.kinds), filter.currency.map(|currency| currency.0));
        let list = MovementList::new(ctx.app(), (from.0, to.0), discounts.into(), kinds, currency)?;
        let args = page_args(first, after, last, before);
        let slice = analytics::movement_page(ctx.app(), ctx.viewer(), &list, &args).await?;
        let order = list.order();
        let total: Total = Box::new(move |ctx| {
            let list = list.clone();
            Box::pin(async move { Ok(analytics::movement_count(ctx.app(), ctx.viewer(), &list).await?) })
        });
        Ok(Connection::new(slice.map(Arc::new), order, total))
    }
}
