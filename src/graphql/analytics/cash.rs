//! Cash.

use crate::analytics;
use crate::graphql::common::{ContextExt, Date, Money, StoredEnum};
use crate::graphql::payments::payment::RevenueStream;
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
    /// Three calendar months, from January, April, July or October on.
    Quarter,
    /// A calendar year.
    Year,
    /// The whole range.
    Range,
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
            net: money(cash.net_minor),
            payment_count: cash.payments,
            refund_count: cash.refunds,
            tax: money(cash.tax_minor),
            fees: money(cash.fee_minor),
            unknown_fee_count: cash.unknown_fees,
            disputed: money(cash.disputed_minor),
            disputes_lost: money(cash.lost_minor),
        })
    }
}
