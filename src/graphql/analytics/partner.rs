//! Visits and sales through partners.

use super::rates::decimal;
use crate::analytics::RATE_PLACES;
use crate::analytics::partners::{self, PartnerDay, PartnerResult, Reported};
use crate::error::Error;
use crate::graphql::common::{BigInt, ContextExt, Currency, Date, Instant, Money, split_refusal};
use crate::user_error;
use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};

/// Decimal places of amounts for one visit, in minor units.
const AMOUNT_PLACES: u32 = 6;

/// The results of one partner in one currency over a range of days.
#[derive(SimpleObject)]
pub struct PartnerSummary {
    /// The stable code of the partner.
    partner_code: String,
    /// The currency.
    currency: Currency,
    /// The number of visits that the partner led to the host application.
    visit_count: i64,
    /// The number of sales that followed from them.
    booking_count: i64,
    /// The amount of these sales, less refunds as far as the host application deducts them; it may be negative.
    revenue: Money,
    /// Sales per visit, as a decimal number in a string; null without visits.
    booking_rate: Option<String>,
    /// Revenue per visit in minor units, as a decimal number in a string, rounded half up to 6 decimal places; null without
    /// visits.
    revenue_per_visit_minor: Option<String>,
}

/// Visits and sales through partners.
#[derive(Default)]
pub struct PartnerFigures;

#[Object]
impl PartnerFigures {
    /// The partners with the most revenue over a range of days, by currency.
    async fn partners(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
        #[graphql(desc = "The number of partners in each currency, at most 100.", default = 20)] first: i32,
    ) -> Result<Vec<PartnerSummary>> {
        let rows = partners::partner_results(ctx.app(), ctx.viewer(), from.0, to.0, first).await?;
        Ok(rows.into_iter().map(PartnerSummary::from).collect())
    }
}

impl From<PartnerResult> for PartnerSummary {
    fn from(row: PartnerResult) -> Self {
        PartnerSummary {
            partner_code: row.partner,
            visit_count: row.visits,
            booking_count: row.bookings,
            revenue: Money::new(row.revenue_minor, &row.currency),
            booking_rate: decimal(row.booking_rate, RATE_PLACES),
            revenue_per_visit_minor: decimal(row.revenue_per_visit, AMOUNT_PLACES),
            currency: Currency(row.currency),
        }
    }
}

/// The mutation root of partners.
#[derive(Default)]
pub struct PartnerMutation;

#[Object]
impl PartnerMutation {
    /// Records figures of partners by day and currency: up to 1,000, each for itself. Figures replace those that were
    /// reported earlier for the partner, day and currency, so that the request can be repeated. Requires the scope
    /// `events:write`.
    async fn record_partner_stats(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The figures.")] input: RecordPartnerStatsInput,
    ) -> Result<Option<RecordPartnerStatsPayload>> {
        let days = input.stats.into_iter().map(PartnerDayInput::day).collect();
        let recorded = partners::record_partner_stats(ctx.app(), ctx.viewer(), days).await;
        let (outcomes, user_errors) = split_refusal(recorded)?;
        let results = outcomes.map(|outcomes| outcomes.into_iter().map(RecordPartnerStatsResult::of).collect());
        Ok(Some(RecordPartnerStatsPayload { results: results.transpose()?, user_errors }))
    }
}

/// Figures of partners to record.
#[derive(InputObject)]
pub struct RecordPartnerStatsInput {
    /// The figures: up to 1,000.
    stats: Vec<PartnerDayInput>,
}

/// The figures of a partner on one day in one currency.
#[derive(InputObject)]
pub struct PartnerDayInput {
    /// The stable code of the partner in the host application: up to 64 lower case letters, digits, `-`, `_` and `.`.
    partner_code: String,
    /// The day, in UTC: at most 3,700 days ago, and not later than tomorrow.
    day: Date,
    /// The currency.
    currency: Currency,
    /// The number of visits that the partner led to the host application.
    #[graphql(default = 0)]
    visit_count: i64,
    /// The number of sales that followed from them.
    booking_count: i64,
    /// The amount of these sales in minor units; negative where more was refunded than sold.
    revenue_minor: BigInt,
    /// Time as of which the figures are, at most 5 minutes ahead; now by default. Figures that are older than the known ones
    /// change nothing.
    reported_at: Option<Instant>,
}

impl PartnerDayInput {
    fn day(self) -> PartnerDay {
        PartnerDay {
            partner: self.partner_code,
            day: self.day.0,
            currency: self.currency.0,
            visits: self.visit_count,
            bookings: self.booking_count,
            revenue_minor: self.revenue_minor.0,
            reported_at: self.reported_at.map(|at| at.0),
        }
    }
}

/// The outcomes of recording figures of partners.
#[derive(SimpleObject)]
pub struct RecordPartnerStatsPayload {
    /// The outcome for each of the figures, in their order; null if there are user errors.
    results: Option<Vec<RecordPartnerStatsResult>>,
    /// The rules that refused the whole request; empty on success.
    user_errors: Vec<RecordPartnerStatsUserError>,
}

/// The outcome of recording the figures of one day. Values may be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum RecordPartnerStatsOutcome {
    /// The figures were recorded.
    Recorded,
    /// Newer figures are known, also from the same request, and nothing changed.
    Superseded,
    /// A rule refused them, and nothing changed.
    Refused,
}

/// The outcome of recording the figures of one day, with the rule that refused them.
#[derive(SimpleObject)]
pub struct RecordPartnerStatsResult {
    /// The outcome.
    outcome: RecordPartnerStatsOutcome,
    /// The rules that refused the figures, whose `field` is a path within them; empty unless they were refused.
    user_errors: Vec<RecordPartnerStatsUserError>,
}

impl RecordPartnerStatsResult {
    fn of(outcome: Result<Reported, Error>) -> Result<RecordPartnerStatsResult> {
        let (reported, user_errors) = split_refusal(outcome)?;
        let outcome = match reported {
            Some(Reported::Recorded) => RecordPartnerStatsOutcome::Recorded,
            Some(Reported::Superseded) => RecordPartnerStatsOutcome::Superseded,
            None => RecordPartnerStatsOutcome::Refused,
        };
        Ok(RecordPartnerStatsResult { outcome, user_errors })
    }
}

user_error! {
    /// A rule that refused to record figures of partners.
    RecordPartnerStatsUserError with
    /// The rules that can refuse `recordPartnerStats`, or the figures of one day.
    RecordPartnerStatsErrorCode {
        /// There are figures of more than 1,000 days.
        TooManyDays = "TOO_MANY_DAYS",
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// The day is too long ago, or in the future.
        DayInvalid = "DAY_INVALID",
        /// The currency is no ISO 4217 code.
        CurrencyInvalid = "CURRENCY_INVALID",
        /// A count is negative or too great.
        CountInvalid = "COUNT_INVALID",
        /// The amount is too great.
        AmountInvalid = "AMOUNT_INVALID",
        /// The time of the figures is too far in the future.
        ReportedAtInvalid = "REPORTED_AT_INVALID",
    }
}
