//! Credits.

use crate::analytics;
use crate::credits::{Flows, GrantSource, Outstanding, Standing};
use crate::graphql::common::{BigInt, ContextExt, Currency, Date, Instant, Money, StoredEnum, to_exactly_one};
use crate::graphql::credits::grant::CreditSource;
use crate::graphql::plans::parts::CreditUnit;
use async_graphql::{Context, Object, Result, SimpleObject};
use uuid::Uuid;

/// Credits of one unit in the hands of all accounts at an instant. Amounts are in the smallest step of the unit.
#[derive(SimpleObject)]
pub struct CreditStanding {
    /// Credits that accounts hold, less those that they owe: `available` plus `held` minus `owed`.
    outstanding: BigInt,
    /// Credits that could be spent.
    available: BigInt,
    /// Credits that were reserved for work in progress.
    held: BigInt,
    /// Credits that accounts owed, because they were taken back after they were spent.
    owed: BigInt,
}

impl From<Standing> for CreditStanding {
    fn from(standing: Standing) -> Self {
        CreditStanding {
            outstanding: BigInt(standing.outstanding()),
            available: BigInt(standing.available),
            held: BigInt(standing.held),
            owed: BigInt(standing.owed),
        }
    }
}

pub struct CreditSummary {
    credit_unit_id: Uuid,
    flows: Flows,
}

/// Credits of one unit that were given out and used up in a range, over all accounts. Amounts are in the smallest step of the
/// unit. Outstanding at the start, plus sold and granted, minus spent, expired and revoked credits are exactly those
/// outstanding at the end.
#[Object]
impl CreditSummary {
    /// The unit.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.credit_unit_id).await
    }

    /// Credits in the hands of accounts before the first day.
    async fn start(&self) -> CreditStanding {
        self.flows.start.into()
    }

    /// Credits that were bought, from the instant at which they could be spent.
    async fn sold(&self) -> BigInt {
        BigInt(self.flows.sold)
    }

    /// Credits of all other grants, such as those of plans, gifts and promotions. Credits that one account transfers to
    /// another are not granted again.
    async fn granted(&self) -> BigInt {
        BigInt(self.flows.granted)
    }

    /// Credits spent, less spending that was reversed.
    async fn spent(&self) -> BigInt {
        BigInt(self.flows.spent)
    }

    /// Credits that expired unused.
    async fn expired(&self) -> BigInt {
        BigInt(self.flows.expired)
    }

    /// Credits taken back, such as after a refund, less those that were given back.
    async fn revoked(&self) -> BigInt {
        BigInt(self.flows.revoked)
    }

    /// Credits in the hands of accounts after the last day, or now if that is sooner.
    async fn end(&self) -> CreditStanding {
        self.flows.end.into()
    }
}

pub struct OutstandingCredits(Outstanding);

/// Credits of one unit in the hands of all accounts at an instant, from one source, and if they were bought in one currency.
/// Amounts are in the smallest step of the unit.
#[Object]
impl OutstandingCredits {
    /// The unit.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// The source of the grants. Credits that were transferred between accounts have the source of the grants from which
    /// they were taken.
    async fn source(&self) -> Result<CreditSource> {
        Ok(CreditSource::read(self.0.source.as_str())?)
    }

    /// The currency in which they were bought; null for credits that nobody paid for.
    async fn currency(&self) -> Option<Currency> {
        self.0.currency.clone().map(Currency)
    }

    /// Credits available and held.
    async fn outstanding(&self) -> BigInt {
        BigInt(self.0.credits)
    }

    /// The money that was received for these credits: of each payment the part `outstanding` per granted credits, rounded
    /// half up once for each price of a pack. Null for credits that nobody paid for.
    async fn paid(&self) -> Option<Money> {
        let currency = self.0.currency.as_deref().filter(|_| self.0.source == GrantSource::Purchase)?;
        Some(Money::new(self.0.paid_minor, currency))
    }

    /// Bought credits that are not in `paid`, because their price is not known: their payment was for other things too, or
    /// is not known here.
    async fn unpriced(&self) -> BigInt {
        BigInt(self.0.unpriced)
    }
}

/// Credits, over all accounts.
#[derive(Default)]
pub struct CreditFigures;

#[Object]
impl CreditFigures {
    /// Credits sold, granted, spent, expired and revoked in a range of days, by unit, oldest unit first. Units that nobody
    /// ever held have no row.
    async fn credit_summaries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day of the range, in UTC.")] from: Date,
        #[graphql(desc = "The day after the range, in UTC; at most 3,700 days after `from`.")] to: Date,
    ) -> Result<Vec<CreditSummary>> {
        let found = analytics::credit_flows(ctx.app(), ctx.viewer(), from.0, to.0).await?;
        Ok(found.into_iter().map(|(credit_unit_id, flows)| CreditSummary { credit_unit_id, flows }).collect())
    }
    /// Credits in the hands of all accounts at an instant by unit, source and currency: those of `PURCHASE` are a liability
    /// that was paid for, and those of plans, promotions, gifts and administrators were not. They add up to `available` plus
    /// `held` of `creditSummaries`.
    async fn outstanding_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The instant; now by default.")] as_of: Option<Instant>,
    ) -> Result<Vec<OutstandingCredits>> {
        let as_of = as_of.map_or_else(|| ctx.app().now(), |at| at.0);
        let found = analytics::outstanding_credits(ctx.app(), ctx.viewer(), as_of).await?;
        Ok(found.into_iter().map(OutstandingCredits).collect())
    }
}
