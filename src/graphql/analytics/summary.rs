//! Recurring revenue and subscriptions at an instant.

use crate::analytics;
use crate::graphql::common::{ContextExt, Currency, Instant, Money, StoredEnum};
use crate::graphql::subscriptions::status::SubscriptionStatus;
use crate::money;
use async_graphql::{Context, Enum, Object, Result, SimpleObject};

/// The discounts that lower recurring revenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "analytics::DiscountPolicy")]
pub enum DiscountPolicy {
    /// Only discounts without an end.
    ForeverOnly,
    /// All discounts in force.
    AllActive,
}

/// Recurring revenue in one currency.
#[derive(SimpleObject)]
pub struct RecurringRevenueSummary {
    /// The currency.
    currency: Currency,
    /// Monthly recurring revenue: `arr` divided by 12, rounded half up.
    mrr: Money,
    /// Annual recurring revenue, exact.
    arr: Money,
    /// The number of contributing subscriptions.
    subscription_count: i64,
    /// The number of contributing accounts.
    customer_count: i64,
}

/// Recurring subscriptions in one currency whose amounts are unknown.
#[derive(SimpleObject)]
pub struct UnknownRecurringRevenueSummary {
    /// The currency; null if it is unknown too.
    currency: Option<Currency>,
    /// The number of subscriptions.
    subscription_count: i64,
}

/// The number of subscriptions in one status.
#[derive(SimpleObject)]
pub struct SubscriptionStatusSummary {
    /// The status.
    status: SubscriptionStatus,
    /// The number of subscriptions.
    subscription_count: i64,
}

/// Recurring revenue and subscriptions at an instant, over all accounts.
#[derive(Default)]
pub struct RecurringFigures;

#[Object]
impl RecurringFigures {
    /// Annual recurring revenue at an instant, by currency: from active and past due subscriptions that were paid at
    /// least once. Computed from the history, so that figures of the past do not change. Discounts count if they are in
    /// force at that instant. Subscriptions whose amounts are unknown are in `unknownRecurringRevenue`.
    async fn recurring_revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; now by default.")] as_of: Option<Instant>,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<RecurringRevenueSummary>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let rows = analytics::recurring(ctx.app(), ctx.viewer(), as_of, discounts.into()).await?;
        Ok(rows.into_iter().map(RecurringRevenueSummary::from).collect())
    }

    /// The number of subscriptions that `recurringRevenue` leaves out because their amount is unknown here, by currency:
    /// for example those billed in another currency than their price's. Their history and the notes of their webhook
    /// events say which amount is missing.
    async fn unknown_recurring_revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; now by default.")] as_of: Option<Instant>,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<UnknownRecurringRevenueSummary>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let rows = analytics::unknown_recurring(ctx.app(), ctx.viewer(), as_of, discounts.into()).await?;
        let summary = |row: analytics::Unknown| UnknownRecurringRevenueSummary {
            currency: row.currency.map(Currency),
            subscription_count: row.subscriptions,
        };
        Ok(rows.into_iter().map(summary).collect())
    }

    /// The number of subscriptions in each status at an instant, computed from the history.
    async fn subscription_counts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; now by default.")] as_of: Option<Instant>,
    ) -> Result<Vec<SubscriptionStatusSummary>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let rows = analytics::subscriptions_by_status(ctx.app(), ctx.viewer(), as_of).await?;
        rows.into_iter().map(SubscriptionStatusSummary::of).collect()
    }
}

impl SubscriptionStatusSummary {
    pub(super) fn of(row: analytics::ActiveCount) -> Result<Self> {
        let status = SubscriptionStatus::read(&row.status)?;
        Ok(SubscriptionStatusSummary { status, subscription_count: row.subscriptions })
    }
}

impl From<analytics::Recurring> for RecurringRevenueSummary {
    fn from(row: analytics::Recurring) -> Self {
        RecurringRevenueSummary {
            mrr: Money::new(money::mrr_minor(row.arr_minor), &row.currency),
            arr: Money::new(row.arr_minor, &row.currency),
            subscription_count: row.subscriptions,
            customer_count: row.customers,
            currency: Currency(row.currency),
        }
    }
}
