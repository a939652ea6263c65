//! Figures over all accounts, for callers with the scope `analytics:read`.

use crate::analytics;
use crate::auth::Permission;
use crate::graphql::common::{ContextExt, Currency, Date, Instant, Money, StoredEnum};
use crate::graphql::payments::payment::RevenueStream;
use crate::graphql::subscriptions::status::SubscriptionStatus;
use crate::money;
use async_graphql::{Context, Enum, Object, Result, SimpleObject};

/// The length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "analytics::Period")]
pub enum AnalyticsPeriod {
    /// A day in UTC.
    Day,
    /// Monday to Sunday, by ISO 8601.
    Week,
    /// A calendar month.
    Month,
}

/// The discounts that lower recurring revenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "analytics::DiscountPolicy")]
pub enum DiscountPolicy {
    /// Only discounts without an end.
    ForeverOnly,
    /// All discounts in force.
    AllActive,
}

/// Cash of one period, currency and stream. Cash and recurring revenue are different figures and are never mixed.
#[derive(SimpleObject)]
pub struct RevenueSummary {
    /// The first day of the period, in UTC. For the first period it can be before the requested range.
    starts_on: Date,
    /// The revenue stream.
    stream: RevenueStream,
    /// Payments that succeeded in the period.
    gross: Money,
    /// Refunds processed in the period, whenever the payment was made.
    refunded: Money,
    /// Gross minus refunded; can be negative.
    net: Money,
    /// The number of payments that succeeded.
    payment_count: i64,
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

pub struct AnalyticsSummary;

/// Figures over all accounts. Amounts in different currencies are never added.
#[Object]
impl AnalyticsSummary {
    /// Cash by period, currency and stream, oldest first. Periods without cash have no row.
    async fn revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The length of a period.", default_with = "AnalyticsPeriod::Day")] period: AnalyticsPeriod,
    ) -> Result<Vec<RevenueSummary>> {
        let rows = analytics::revenue(ctx.app(), ctx.viewer(), from.0, to.0, period.into()).await?;
        rows.into_iter().map(RevenueSummary::try_from).collect::<crate::error::Result<_>>().map_err(Into::into)
    }

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
        let summary = |row: analytics::ActiveCount| {
            let status = SubscriptionStatus::read(&row.status)?;
            Ok(SubscriptionStatusSummary { status, subscription_count: row.subscriptions })
        };
        rows.into_iter().map(summary).collect()
    }
}

impl TryFrom<analytics::Cash> for RevenueSummary {
    type Error = crate::error::Error;

    fn try_from(cash: analytics::Cash) -> crate::error::Result<Self> {
        let money = |minor| Money::new(minor, &cash.currency);
        Ok(RevenueSummary {
            starts_on: Date(cash.starts_on),
            stream: RevenueStream::read(&cash.stream)?,
            gross: money(cash.gross_minor),
            refunded: money(cash.refunded_minor),
            net: money(money::add(cash.gross_minor, -cash.refunded_minor)?),
            payment_count: cash.payments,
        })
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

/// The query root of analytics.
#[derive(Default)]
pub struct AnalyticsQuery;

#[Object]
impl AnalyticsQuery {
    /// Figures over all accounts. Requires the scope `analytics:read`.
    async fn analytics(&self, ctx: &Context<'_>) -> Result<AnalyticsSummary> {
        ctx.viewer().require(Permission::AnalyticsRead)?;
        Ok(AnalyticsSummary)
    }
}
