//! Sums over all accounts, for those with the scope `analytics:read`.

use crate::analytics as feature;
use crate::auth::Permission;
use crate::graphql::common::{ContextExt, Currency, Date, Instant, Money, Word};
use crate::graphql::payments::payment::RevenueStream;
use crate::graphql::subscriptions::status::SubscriptionStatus;
use crate::money;
use async_graphql::{Context, Enum, Object, Result, SimpleObject};

/// How long a period is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "feature::Period")]
pub enum AnalyticsPeriod {
    /// A UTC day.
    Day,
    /// Monday to Sunday, by ISO 8601.
    Week,
    /// A calendar month.
    Month,
}

/// Which discounts lower recurring revenue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "feature::DiscountPolicy")]
pub enum DiscountPolicy {
    /// Those that last for ever.
    ForeverOnly,
    /// Every one in force.
    AllActive,
}

/// Cash of one period, currency and stream. Cash and recurring revenue are different figures and are never mixed.
#[derive(SimpleObject)]
pub struct RevenueSummary {
    /// The first day of the period, in UTC. For the first period it may lie before the range that was asked for.
    starts_on: Date,
    /// What was paid for.
    stream: RevenueStream,
    /// Payments that succeeded in the period.
    gross: Money,
    /// Refunds that were processed in the period, whenever their payment was.
    refunded: Money,
    /// Gross less refunded; may be negative.
    net: Money,
    /// How many payments succeeded.
    payment_count: i64,
}

/// Recurring revenue in one currency.
#[derive(SimpleObject)]
pub struct RecurringRevenueSummary {
    /// The currency.
    currency: Currency,
    /// A month's worth: `arr` divided by 12, rounded half up.
    mrr: Money,
    /// A year's worth, exact.
    arr: Money,
    /// How many subscriptions contribute.
    subscription_count: i64,
    /// How many accounts contribute.
    customer_count: i64,
}

/// How many subscriptions were in a status.
#[derive(SimpleObject)]
pub struct SubscriptionStatusSummary {
    /// The status.
    status: SubscriptionStatus,
    /// How many.
    subscription_count: i64,
}

pub struct AnalyticsSummary;

/// Sums over all accounts. Figures of different currencies are never added.
#[Object]
impl AnalyticsSummary {
    /// Cash by period, currency and stream, oldest first. Periods without money have no row.
    async fn revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first UTC day.")] from: Date,
        #[graphql(desc = "The first UTC day after; at most 3,700 days later.")] to: Date,
        #[graphql(desc = "How long a period is.", default_with = "AnalyticsPeriod::Day")] period: AnalyticsPeriod,
    ) -> Result<Vec<RevenueSummary>> {
        let rows = feature::revenue(ctx.app(), ctx.viewer(), from.0, to.0, period.into()).await?;
        rows.into_iter().map(RevenueSummary::try_from).collect::<crate::error::Result<_>>().map_err(Into::into)
    }

    /// Recurring revenue in force at an instant, by currency: what active and past due subscriptions that were paid for
    /// at least once bring in a year. Read from the history alone, so that the past stays as it was.
    async fn recurring_revenue(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; the present where it is left out.")] as_of: Option<Instant>,
        #[graphql(desc = "Which discounts lower it.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<RecurringRevenueSummary>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let rows = feature::recurring(ctx.app(), ctx.viewer(), as_of, discounts.into()).await?;
        Ok(rows.into_iter().map(RecurringRevenueSummary::from).collect())
    }

    /// How many subscriptions were in each status at an instant. Read from the history alone.
    async fn subscription_counts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; the present where it is left out.")] as_of: Option<Instant>,
    ) -> Result<Vec<SubscriptionStatusSummary>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let rows = feature::subscriptions_by_status(ctx.app(), ctx.viewer(), as_of).await?;
        let summary = |row: feature::ActiveCount| {
            let status = SubscriptionStatus::read(&row.status)?;
            Ok(SubscriptionStatusSummary { status, subscription_count: row.subscriptions })
        };
        rows.into_iter().map(summary).collect()
    }
}

impl TryFrom<feature::Cash> for RevenueSummary {
    type Error = crate::error::Error;

    fn try_from(cash: feature::Cash) -> crate::error::Result<Self> {
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

impl From<feature::Recurring> for RecurringRevenueSummary {
    fn from(row: feature::Recurring) -> Self {
        RecurringRevenueSummary {
            mrr: Money::new(money::mrr_minor(row.arr_minor), &row.currency),
            arr: Money::new(row.arr_minor, &row.currency),
            subscription_count: row.subscriptions,
            customer_count: row.customers,
            currency: Currency(row.currency),
        }
    }
}

/// What can be asked about all accounts together.
#[derive(Default)]
pub struct AnalyticsQuery;

#[Object]
impl AnalyticsQuery {
    /// Sums over all accounts. Needs the scope `analytics:read`.
    async fn analytics(&self, ctx: &Context<'_>) -> Result<AnalyticsSummary> {
        ctx.viewer().require(Permission::AnalyticsRead)?;
        Ok(AnalyticsSummary)
    }
}
