//! Rate cards.

use super::meter::Meter;
use crate::graphql::common::{
    BigInt, Connection, Instant, Row, global_id, optional_text, page, page_args, to_exactly_one,
};
use crate::graphql::plans::parts::CreditUnit;
use crate::order_input;
use crate::usage::{Rate, RateCards};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use entity::rate_cards;

pub struct RateCard(pub(crate) Row<rate_cards::Entity>);

/// The prices of a meter's usage in credits, in a span of time. An event costs the sum of `quantity * credits / per` over
/// all rates, rounded up once for the event. Visible to everyone.
#[Object]
impl RateCard {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<RateCard>(self.0.id)
    }

    /// The meter whose events it prices.
    async fn meter(&self, ctx: &Context<'_>) -> Result<Meter> {
        to_exactly_one(ctx, self.0.meter_id).await
    }

    /// The unit of the credits that usage costs.
    async fn unit(&self, ctx: &Context<'_>) -> Result<CreditUnit> {
        to_exactly_one(ctx, self.0.credit_unit_id).await
    }

    /// The path of the dimension that it looks at, e.g. `model`; null for the card of all events that no other prices.
    async fn dimension(&self) -> Option<&str> {
        self.0.dimension.as_deref()
    }

    /// The value of the dimension, e.g. `gpt-4o`; null without a dimension.
    async fn dimension_value(&self) -> Option<&str> {
        self.0.dimension_value.as_deref()
    }

    /// The price of each quantity.
    async fn rates(&self) -> Result<Vec<UsageRate>> {
        let rates: Vec<Rate> = serde_json::from_value(self.0.rates.clone()).map_err(crate::error::Error::internal)?;
        Ok(rates.into_iter().map(UsageRate::from).collect())
    }

    /// The first instant at which it holds. An event is priced by its `occurredAt`.
    async fn starts_at(&self) -> Instant {
        self.0.starts_at.into()
    }

    /// The first instant at which it holds no more; null for no end.
    async fn ends_at(&self) -> Option<Instant> {
        self.0.ends_at.map(Instant::from)
    }

    /// The actor who created it, in the form of the audit log.
    async fn created_by(&self) -> &str {
        &self.0.created_by
    }

    /// Time of creation.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

/// The price of a quantity: `credits` for each `per` of it.
#[derive(SimpleObject)]
pub struct UsageRate {
    /// The path of the quantity in the dimensions of an event, e.g. `input_tokens`, or `value` for the value of the event.
    quantity: String,
    /// Credits in the smallest step of the unit.
    credits: BigInt,
    /// The number of the quantity that costs so many credits.
    per: BigInt,
}

impl From<Rate> for UsageRate {
    fn from(rate: Rate) -> Self {
        UsageRate { quantity: rate.quantity, credits: BigInt(rate.credits), per: BigInt(rate.per) }
    }
}

/// Conditions on rate cards; a card must meet all that are given.
#[derive(InputObject, Default)]
pub struct RateCardFilter {
    /// Cards of the meter with this code.
    meter: Option<String>,
}

order_input! {
    /// The order of a list of rate cards.
    RateCardOrder by
    /// The fields that rate cards can be ordered by.
    RateCardOrderField {
        /// Time of creation.
        CreatedAt,
    }
}

/// The query root of rate cards.
#[derive(Default)]
pub struct RateCardQuery;

#[Object]
impl RateCardQuery {
    /// Lists the rate cards, those that have ended included.
    async fn rate_cards(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the rate cards.")] filter: Option<RateCardFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<RateCardOrder>,
    ) -> Result<Connection<RateCard>> {
        let meter = optional_text("meter", filter.unwrap_or_default().meter)?;
        let list = RateCards { meter, descending: RateCardOrder::descending(order_by, true) };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}
