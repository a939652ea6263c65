//! Cash.

use crate::analytics;
use crate::graphql::common::{ContextExt, Date, Money, StoredEnum, to_one};
use crate::graphql::payments::payment::RevenueStream;
use crate::graphql::plans::plan::Plan;
use async_graphql::{Context, Enum, MergedObject, Object, Result, SimpleObject};
use chrono::NaiveDate;
use uuid::Uuid;

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
    /// Three calendar months, from January, April, July or October on.
    Quarter,
    /// A calendar year.
    Year,
    /// The whole range.
    Range,
}

/// Sums of cash in one currency.
#[derive(SimpleObject)]
pub struct CashAmounts {
    /// Payments that succeeded in the period.
    gross: Money,
    /// Refunds processed in the period, whenever the payment was made.
    refunded: Money,
    /// Gross minus refunded; can be negative.
    net: Money,
    /// The number of payments that succeeded.
    payment_count: i64,
    /// The number of refunds processed.
    refund_count: i64,
    /// Tax in the invoices that were paid in full in the period; part of gross. Tax on payments without an invoice is not
    /// known here.
    tax: Money,
    /// The provider's fees for these payments, without those of `unknownFeeCount` payments; not deducted from net.
    fees: Money,
    /// The number of payments whose fee is not known: Stripe does not send it with a payment.
    unknown_fee_count: i64,
    /// Disputes opened in the period, warnings left out, whenever the payment was made; not deducted from net.
    disputed: Money,
    /// Disputes that were lost in the period, whenever they were opened; not deducted from net.
    disputes_lost: Money,
}

/// The period and the stream of cash.
#[derive(SimpleObject)]
pub struct StreamOfPeriod {
    /// The first day of the period, in UTC. For the first period it can be before the requested range.
    starts_on: Date,
    /// The revenue stream.
    stream: RevenueStream,
}

/// Cash of one period, currency and stream. Cash and recurring revenue are different figures and are never mixed.
#[derive(MergedObject)]
pub struct RevenueSummary(StreamOfPeriod, CashAmounts);

/// The period and the plan of cash.
pub struct PlanOfPeriod {
    starts_on: NaiveDate,
    product_id: Option<Uuid>,
}

#[Object]
impl PlanOfPeriod {
    /// The first day of the period, in UTC. For the first period it can be before the requested range.
    async fn starts_on(&self) -> Date {
        Date(self.starts_on)
    }

    /// The plan; null for cash that belongs to no plan, and for subscriptions whose plan is not known here.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        to_one(ctx, self.product_id).await
    }
}

/// Cash of one period, currency and plan. Cash and recurring revenue are different figures and are never mixed.
#[derive(MergedObject)]
pub struct PlanRevenueSummary(PlanOfPeriod, CashAmounts);

/// Cash, over all accounts.
#[derive(Default)]
pub struct CashFigures;

#[Object]
impl CashFigures {
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

    /// Cash by period, currency and plan, oldest first: of a subscription's payment the plan in force when it was paid, of a
    /// gift's the plan that was given. Refunds and disputes have the plan of their payment. The rows of a period, with the
    /// one without a plan, add up to `revenue`.
    async fn revenue_by_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The length of a period.", default_with = "AnalyticsPeriod::Month")] period: AnalyticsPeriod,
    ) -> Result<Vec<PlanRevenueSummary>> {
        let rows = analytics::revenue_by_plan(ctx.app(), ctx.viewer(), from.0, to.0, period.into()).await?;
        Ok(rows.into_iter().map(PlanRevenueSummary::from).collect())
    }
}

impl TryFrom<analytics::Cash> for RevenueSummary {
    type Error = crate::error::Error;

    fn try_from(cash: analytics::Cash) -> crate::error::Result<Self> {
        let stream = RevenueStream::read(&cash.stream)?;
        let of = StreamOfPeriod { starts_on: Date(cash.starts_on), stream };
        Ok(RevenueSummary(of, CashAmounts::new(&cash.sums, &cash.currency)))
    }
}

impl From<analytics::CashOfPlan> for PlanRevenueSummary {
    fn from(cash: analytics::CashOfPlan) -> Self {
        let of = PlanOfPeriod { starts_on: cash.starts_on, product_id: cash.product_id };
        PlanRevenueSummary(of, CashAmounts::new(&cash.sums, &cash.currency))
    }
}

impl CashAmounts {
    fn new(sums: &analytics::CashSums, currency: &str) -> Self {
        let money = |minor| Money::new(minor, currency);
        CashAmounts {
            gross: money(sums.gross_minor),
            refunded: money(sums.refunded_minor),
            net: money(sums.net_minor()),
            payment_count: sums.payment_count,
            refund_count: sums.refund_count,
            tax: money(sums.tax_minor),
            fees: money(sums.fee_minor),
            unknown_fee_count: sums.unknown_fee_count,
            disputed: money(sums.disputed_minor),
            disputes_lost: money(sums.lost_minor),
        }
    }
}
