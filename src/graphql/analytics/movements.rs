//! Movements of recurring revenue.

use super::cash::AnalyticsPeriod;
use super::summary::DiscountPolicy;
use crate::analytics;
use crate::graphql::common::{ContextExt, Currency, Date, Money};
use crate::money;
use async_graphql::{Context, Object, Result, SimpleObject};

/// Recurring revenue of one currency at the end of a day.
#[derive(SimpleObject)]
pub struct RecurringRevenueStanding {
    /// Monthly recurring revenue: `arr` divided by 12, rounded half up.
    mrr: Money,
    /// Annual recurring revenue, exact.
    arr: Money,
    /// The number of accounts that contribute.
    customer_count: i64,
}

/// The movements of one kind in a period.
#[derive(SimpleObject)]
pub struct MovementSum {
    /// The change of monthly recurring revenue: `arr` divided by 12, rounded half up.
    mrr: Money,
    /// The change of annual recurring revenue, exact. Negative for contraction and churn.
    arr: Money,
    /// The number of movements; an account has at most one on a day.
    movement_count: i64,
}

/// The movements of recurring revenue in one period and currency. In annual amounts the start and all movements add up
/// exactly to the end.
#[derive(SimpleObject)]
pub struct MovementSummary {
    /// The first day of the period, in UTC. For the first period it can be before the requested range.
    starts_on: Date,
    /// The currency.
    currency: Currency,
    /// Recurring revenue before the period, or before the range if the period begins earlier.
    start: RecurringRevenueStanding,
    /// Accounts that pay for the first time.
    new: MovementSum,
    /// Accounts that pay more than the day before.
    expansion: MovementSum,
    /// Accounts that pay again.
    reactivation: MovementSum,
    /// Accounts that pay less than the day before, but not nothing.
    contraction: MovementSum,
    /// Accounts that no longer pay.
    churn: MovementSum,
    /// Recurring revenue after the period, or after the range if the period ends later.
    end: RecurringRevenueStanding,
}

/// Movements of recurring revenue, over all accounts.
#[derive(Default)]
pub struct MovementFigures;

#[Object]
impl MovementFigures {
    /// Movements of recurring revenue by period and currency, oldest first: the annual recurring revenue of each account
    /// at the end of each day, compared with the day before. Days after today are left out. Periods without movements
    /// have no row.
    async fn movements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The length of a period.", default_with = "AnalyticsPeriod::Month")] period: AnalyticsPeriod,
        #[graphql(desc = "The discounts to deduct.", default_with = "DiscountPolicy::ForeverOnly")]
        discounts: DiscountPolicy,
    ) -> Result<Vec<MovementSummary>> {
        let (period, policy) = (period.into(), discounts.into());
        let rows = analytics::movement_summaries(ctx.app(), ctx.viewer(), from.0, to.0, period, policy).await?;
        Ok(rows.into_iter().map(MovementSummary::from).collect())
    }
}

impl RecurringRevenueStanding {
    pub(super) fn new(standing: analytics::Standing, currency: &str) -> Self {
        RecurringRevenueStanding {
            mrr: Money::new(money::mrr_minor(standing.arr_minor), currency),
            arr: Money::new(standing.arr_minor, currency),
            customer_count: standing.customers,
        }
    }
}

impl From<analytics::MovementSummary> for MovementSummary {
    fn from(row: analytics::MovementSummary) -> Self {
        let sum = |sum: analytics::MovementSum| MovementSum {
            mrr: Money::new(money::mrr_minor(sum.arr_minor), &row.currency),
            arr: Money::new(sum.arr_minor, &row.currency),
            movement_count: sum.count,
        };
        MovementSummary {
            starts_on: Date(row.starts_on),
            start: RecurringRevenueStanding::new(row.start, &row.currency),
            new: sum(row.new),
            expansion: sum(row.expansion),
            reactivation: sum(row.reactivation),
            contraction: sum(row.contraction),
            churn: sum(row.churn),
            end: RecurringRevenueStanding::new(row.end, &row.currency),
            currency: Currency(row.currency),
        }
    }
}
