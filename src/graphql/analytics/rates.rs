//! Rates and cohorts of recurring revenue.

use super::cash::AnalyticsPeriod;
use super::movements::RecurringRevenueStanding;
use super::summary::DiscountPolicy;
use crate::analytics::{self, RATE_PLACES};
use crate::graphql::common::{ContextExt, Currency, Date, Money};
use crate::money;
use crate::subscriptions::Exact;
use async_graphql::{Context, Object, Result, SimpleObject};

/// Decimal places of an amount in minor units that is a mean.
const MEAN_PLACES: u32 = 6;

/// Rates of a period in one currency. Each is a decimal number in a string, such as `0.0417` for 4.17 %, rounded half up to 12
/// decimal places, and null where its denominator is zero.
#[derive(SimpleObject)]
pub struct RevenueRates {
    /// The currency.
    currency: Currency,
    /// Recurring revenue before the first day.
    start: RecurringRevenueStanding,
    /// Recurring revenue after the last day.
    end: RecurringRevenueStanding,
    /// Accounts that paid at the start and do not pay at the end, per account that paid at the start.
    logo_churn: Option<String>,
    /// The revenue at the start that is left at the end, without increases, per revenue at the start (GRR).
    gross_retention: Option<String>,
    /// The revenue at the end of the accounts that paid at the start, per revenue at the start (NRR).
    net_retention: Option<String>,
    /// Contraction and churn, per revenue at the start.
    gross_revenue_churn: Option<String>,
    /// Contraction and churn less expansion and reactivation, per revenue at the start; can be negative.
    net_revenue_churn: Option<String>,
    /// New, expansion and reactivation, per contraction and churn.
    quick_ratio: Option<String>,
    /// Monthly recurring revenue per paying account at the end, in minor units as a decimal number, rounded half up to 6
    /// decimal places (ARPA).
    average_revenue_minor: Option<String>,
    /// `averageRevenueMinor` per mean monthly logo churn of up to six months before that of the last day, in minor units as a
    /// decimal number (LTV). Null if that mean is zero, or no account paid in these months.
    lifetime_value_minor: Option<String>,
}

/// Accounts that first paid in one month or week, in one currency.
#[derive(SimpleObject)]
pub struct RevenueCohort {
    /// The first day of the month or week.
    starts_on: Date,
    /// The currency.
    currency: Currency,
    /// The number of accounts.
    customer_count: i64,
    /// Their annual recurring revenue at the ends of their first days.
    arr: Money,
    /// The ends of the months or weeks from that of the cohort on; those that are not over are left out.
    periods: Vec<RevenueCohortPeriod>,
}

/// The accounts of a cohort at the end of a month or week.
#[derive(SimpleObject)]
pub struct RevenueCohortPeriod {
    /// Months or weeks since that of the cohort; 0 is that month or week itself.
    number: i32,
    /// The number of accounts that pay.
    customer_count: i64,
    /// Their annual recurring revenue.
    arr: Money,
    /// Their monthly recurring revenue: `arr` divided by 12, rounded half up.
    mrr: Money,
    /// Accounts that pay, per account of the cohort, as a decimal number in a string.
    logo_retention: Option<String>,
    /// `arr` per annual recurring revenue of the first days, as a decimal number in a string; can be more than 1.
    revenue_retention: Option<String>,
}

/// Rates and cohorts of recurring revenue, over all accounts.
#[derive(Default)]
pub struct RateFigures;

#[Object]
impl RateFigures {
    /// Retention, churn and other rates of a range of days, by currency. Days after today are left out.
    async fn rates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<RevenueRates>> {
        let rows = analytics::rates(ctx.app(), ctx.viewer(), from.0, to.0, discounts.into()).await?;
        Ok(rows.into_iter().map(RevenueRates::from).collect())
    }

    /// Retention by the month or week in which accounts first paid, by that period and currency, oldest first.
    async fn cohorts(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "A day in the first month or week of cohorts.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(
            desc = "The length of a period: `MONTH` or `WEEK`, others are refused.",
            default_with = "AnalyticsPeriod::Month"
        )]
        period: AnalyticsPeriod,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<RevenueCohort>> {
        let (period, policy) = (period.into(), discounts.into());
        let rows = analytics::cohorts(ctx.app(), ctx.viewer(), from.0, to.0, period, policy).await?;
        Ok(rows.into_iter().map(RevenueCohort::from).collect())
    }
}

/// Returns a figure as a decimal number; `None` where it has no value.
pub(super) fn decimal(value: Option<Exact>, places: u32) -> Option<String> {
    analytics::rounded(&value?, places)
}

impl From<analytics::Rates> for RevenueRates {
    fn from(rates: analytics::Rates) -> Self {
        RevenueRates {
            start: RecurringRevenueStanding::new(rates.start, &rates.currency),
            end: RecurringRevenueStanding::new(rates.end, &rates.currency),
            currency: Currency(rates.currency),
            logo_churn: decimal(rates.logo_churn, RATE_PLACES),
            gross_retention: decimal(rates.gross_retention, RATE_PLACES),
            net_retention: decimal(rates.net_retention, RATE_PLACES),
            gross_revenue_churn: decimal(rates.gross_churn, RATE_PLACES),
            net_revenue_churn: decimal(rates.net_churn, RATE_PLACES),
            quick_ratio: decimal(rates.quick_ratio, RATE_PLACES),
            average_revenue_minor: decimal(rates.arpa_minor, MEAN_PLACES),
            lifetime_value_minor: decimal(rates.ltv_minor, MEAN_PLACES),
        }
    }
}

impl From<analytics::Cohort> for RevenueCohort {
    fn from(cohort: analytics::Cohort) -> Self {
        let period = |period: &analytics::CohortPeriod| RevenueCohortPeriod {
            number: period.number,
            customer_count: period.customers,
            arr: Money::new(period.arr_minor, &cohort.currency),
            mrr: Money::new(money::mrr_minor(period.arr_minor), &cohort.currency),
            logo_retention: decimal(cohort.logo_retention(period), RATE_PLACES),
            revenue_retention: decimal(cohort.revenue_retention(period), RATE_PLACES),
        };
        RevenueCohort {
            starts_on: Date(cohort.starts_on),
            customer_count: cohort.customers,
            arr: Money::new(cohort.arr_minor, &cohort.currency),
            periods: cohort.periods.iter().map(period).collect(),
            currency: Currency(cohort.currency),
        }
    }
}
