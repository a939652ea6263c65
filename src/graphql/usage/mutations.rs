//! Mutations of meters and rate cards.

use super::meter::{Meter, MeterAggregation};
use super::rate_card::RateCard;
use crate::graphql::common::{BigInt, ContextExt, Instant, StoredEnum, local_id, split_refusal, text};
use crate::usage::{self, NewMeter, NewRateCard, Rate};
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// The mutation roots of meters and rate cards. All of them need the scope `catalogue:write`.
#[derive(Default)]
pub struct MeterMutation;

#[Object]
impl MeterMutation {
    /// Creates a meter. Requires the scope `catalogue:write`.
    async fn create_meter(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new meter.")] input: CreateMeterInput,
    ) -> Result<Option<CreateMeterPayload>> {
        let new = NewMeter {
            code: input.code,
            name: text("name", input.name)?,
            aggregation: input.aggregation.stored(),
            value_path: input.value_path,
            group_by: input.group_by,
        };
        let (made, user_errors) = split_refusal(usage::create_meter(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateMeterPayload { meter: made.map(|row| Meter(Arc::new(row))), user_errors }))
    }

    /// Creates a rate card: from its start on, usage of the meter costs credits. Requires the scope `catalogue:write`.
    async fn create_rate_card(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new rate card.")] input: CreateRateCardInput,
    ) -> Result<Option<CreateRateCardPayload>> {
        let new = NewRateCard {
            meter: text("meter", input.meter)?,
            unit: text("unit", input.unit)?,
            // A dimension without a value is refused like an empty one.
            dimension: match (input.dimension, input.dimension_value) {
                (None, None) => None,
                (path, value) => Some((path.unwrap_or_default(), value.unwrap_or_default())),
            },
            rates: input.rates.into_iter().map(UsageRateInput::rate).collect(),
            starts_at: input.starts_at.map(|at| at.0),
            ends_at: input.ends_at.map(|at| at.0),
        };
        let (made, user_errors) = split_refusal(usage::create_rate_card(ctx.app(), ctx.viewer(), new).await)?;
        Ok(Some(CreateRateCardPayload { rate_card: made.map(|row| RateCard(Arc::new(row))), user_errors }))
    }

    /// Ends a rate card: usage from then on costs what another card says, or nothing. Requires the scope
    /// `catalogue:write`.
    async fn end_rate_card(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rate card and its end.")] input: EndRateCardInput,
    ) -> Result<Option<EndRateCardPayload>> {
        let id = local_id::<RateCard>(&input.rate_card_id)?;
        let ends_at = input.ends_at.map(|at| at.0);
        let ended = usage::end_rate_card(ctx.app(), ctx.viewer(), id, ends_at).await;
        let (card, user_errors) = split_refusal(ended)?;
        Ok(Some(EndRateCardPayload { rate_card: card.map(|row| RateCard(Arc::new(row))), user_errors }))
    }
}

/// A new meter.
#[derive(InputObject)]
pub struct CreateMeterInput {
    /// The stable name for machines: up to 64 lower case letters, digits, `-`, `_` and `.`. It never changes.
    code: String,
    /// The display name: 1 to 200 characters.
    name: String,
    /// The way in which events become one number.
    aggregation: MeterAggregation,
    /// The path of the value in the dimensions of an event, e.g. `usage.total_tokens`: required for UNIQUE, not possible
    /// for COUNT. Events have a value of their own by default.
    value_path: Option<String>,
    /// The path of the dimension by which daily sums are kept apart, e.g. `model`; one sum a day by default.
    group_by: Option<String>,
}

/// The created meter.
#[derive(SimpleObject)]
pub struct CreateMeterPayload {
    /// The meter; null if there are user errors.
    meter: Option<Meter>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreateMeterUserError>,
}

user_error! {
    /// A rule that refused to create a meter.
    CreateMeterUserError with
    /// The rules that can refuse `createMeter`.
    CreateMeterErrorCode {
        /// The code does not have the required form.
        CodeInvalid = "CODE_INVALID",
        /// Another meter has this code.
        CodeTaken = "CODE_TAKEN",
        /// The name is empty or too long.
        NameInvalid = "NAME_INVALID",
        /// The path of the value has no such form, is missing, or the meter takes none.
        ValuePathInvalid = "VALUE_PATH_INVALID",
        /// The path of the dimension has no such form, or the meter takes none.
        GroupByInvalid = "GROUP_BY_INVALID",
    }
}

/// A new rate card.
#[derive(InputObject)]
pub struct CreateRateCardInput {
    /// The code of the meter whose events it prices.
    meter: String,
    /// The code of the credit unit; all cards of a meter have one unit.
    unit: String,
    /// The path of a dimension, e.g. `model`: the card prices events that have `dimensionValue` there. Without it, the
    /// card prices all events that no other card prices.
    dimension: Option<String>,
    /// The value of the dimension, e.g. `gpt-4o`.
    dimension_value: Option<String>,
    /// The price of each quantity: 1 to 20 of them.
    rates: Vec<UsageRateInput>,
    /// The first instant at which it holds: at most 400 days ago; now by default.
    starts_at: Option<Instant>,
    /// The first instant at which it holds no more; no end by default.
    ends_at: Option<Instant>,
}

/// The price of a quantity: `credits` for each `per` of it.
#[derive(InputObject)]
pub struct UsageRateInput {
    /// The path of the quantity in the dimensions of an event, e.g. `input_tokens`, or `value` for the value of the event.
    /// An event without it has 0 of it.
    quantity: String,
    /// Credits in the smallest step of the unit: 0 to 1,000,000,000.
    credits: BigInt,
    /// The number of the quantity that costs so many credits: 1 to 1,000,000,000,000; 1 by default.
    per: Option<BigInt>,
}

impl UsageRateInput {
    fn rate(self) -> Rate {
        Rate { quantity: self.quantity, credits: self.credits.0, per: self.per.map_or(1, |per| per.0) }
    }
}

/// The created rate card.
#[derive(SimpleObject)]
pub struct CreateRateCardPayload {
    /// The rate card; null if there are user errors.
    rate_card: Option<RateCard>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<CreateRateCardUserError>,
}

user_error! {
    /// A rule that refused to create a rate card.
    CreateRateCardUserError with
    /// The rules that can refuse `createRateCard`.
    CreateRateCardErrorCode {
        /// The meter does not exist.
        MeterNotFound = "METER_NOT_FOUND",
        /// The credit unit does not exist.
        UnitNotFound = "UNIT_NOT_FOUND",
        /// The other cards of the meter have another unit.
        UnitInvalid = "UNIT_INVALID",
        /// The dimension or its value has no such form, or the other cards of the meter look at another one.
        DimensionInvalid = "DIMENSION_INVALID",
        /// There are no rates or too many, or one is out of range or given twice.
        RatesInvalid = "RATES_INVALID",
        /// The start is too long ago.
        StartsAtInvalid = "STARTS_AT_INVALID",
        /// The end is in the past or not after the start.
        EndsAtInvalid = "ENDS_AT_INVALID",
        /// Another card prices the same events in a part of this time.
        RateCardOverlaps = "RATE_CARD_OVERLAPS",
    }
}

/// A rate card to end.
#[derive(InputObject)]
pub struct EndRateCardInput {
    /// The rate card.
    rate_card_id: ID,
    /// The first instant at which it holds no more, not in the past; now by default.
    ends_at: Option<Instant>,
}

/// The ended rate card.
#[derive(SimpleObject)]
pub struct EndRateCardPayload {
    /// The rate card; null if there are user errors.
    rate_card: Option<RateCard>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<EndRateCardUserError>,
}

user_error! {
    /// A rule that refused to end a rate card.
    EndRateCardUserError with
    /// The rules that can refuse `endRateCard`.
    EndRateCardErrorCode {
        /// The rate card does not exist.
        NotFound = "NOT_FOUND",
        /// The rate card has ended.
        AlreadyEnded = "ALREADY_ENDED",
        /// The end is in the past, not after the start, or after the end that the card has.
        EndsAtInvalid = "ENDS_AT_INVALID",
    }
}
