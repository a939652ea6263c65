//! Usage events and their sums by day.

use super::meter::Meter;
use super::rate_card::RateCard;
use crate::error::Error;
use crate::graphql::accounts::account::Account;
use crate::graphql::accounts::user::User;
use crate::graphql::common::{
    BigInt, ContextExt, Date, DateTimeRange, Instant, Json, Row, all_children, global_id, local_id, optional_text,
    to_exactly_one, to_one,
};
use crate::graphql::credits::ledger::LedgerTransaction;
use crate::graphql::licences::device::Device;
use crate::graphql::plans::parts::CreditUnit;
use crate::order_input;
use crate::usage::{Corrections, DailySums, UsageEvents};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{usage_daily, usage_events};
use uuid::Uuid;

/// The most days that daily sums are listed for.
const MAX_DAYS: i64 = 400;

pub struct UsageEvent(pub(crate) Row<usage_events::Entity>);

/// Usage that was recorded once. Events are added and never changed; a wrong one is taken back by a negative one. Visible
/// to the account's members, and to callers with the scope `billing:read` or `credits:write`.
#[Object]
impl UsageEvent {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<UsageEvent>(self.0.id)
    }

    /// The account that used something.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The meter.
    async fn meter(&self, ctx: &Context<'_>) -> Result<Meter> {
        to_exactly_one(ctx, self.0.meter_id).await
    }

    /// The user who used it; null if none was named or the caller may not see them.
    async fn used_by(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        to_one(ctx, self.0.user_id).await
    }

    /// The device that it was used on; null if none was named.
    async fn used_on(&self, ctx: &Context<'_>) -> Result<Option<Device>> {
        to_one(ctx, self.0.device_id).await
    }

    /// The key that identifies the usage: another event with it is the same one.
    async fn dedupe_key(&self) -> &str {
        &self.0.dedupe_key
    }

    /// Time of the usage.
    async fn occurred_at(&self) -> Instant {
        self.0.occurred_at.into()
    }

    /// Time of recording.
    async fn recorded_at(&self) -> Instant {
        self.0.recorded_at.into()
    }

    /// The quantity that the meter measured: 1 where it counts events or different values, and negative in a correction.
    async fn measured_value(&self) -> BigInt {
        BigInt(self.0.value)
    }

    /// The value whose occurrences the meter counts once; null for other meters.
    async fn unique_value(&self) -> Option<&str> {
        self.0.unique_value.as_deref()
    }

    /// Properties of the usage, such as the model; null if there are none.
    async fn dimensions(&self) -> Option<Json> {
        self.0.dimensions.clone().map(Json)
    }

    /// The kind of object in the host application that it is about; null if none.
    async fn ref_type(&self) -> Option<&str> {
        self.0.ref_type.as_deref()
    }

    /// The id of that object in the host application; null if none.
    async fn ref_id(&self) -> Option<&str> {
        self.0.ref_id.as_deref()
    }

    /// Credits that it cost, in the smallest step of the unit; negative in a correction, and 0 without a rate card.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.credits)
    }

    /// The unit of the credits; null without a rate card.
    async fn credit_unit(&self, ctx: &Context<'_>) -> Result<Option<CreditUnit>> {
        to_one(ctx, self.0.credit_unit_id).await
    }

    /// The transaction that spent the credits, or returned them; null if it cost none.
    async fn ledger_transaction(&self, ctx: &Context<'_>) -> Result<Option<LedgerTransaction>> {
        to_one(ctx, self.0.ledger_txn_id).await
    }

    /// The rate card that priced it; null if there was none at its time.
    async fn rate_card(&self, ctx: &Context<'_>) -> Result<Option<RateCard>> {
        to_one(ctx, self.0.rate_card_id).await
    }

    /// True if the host application has verified the usage.
    async fn verified(&self) -> bool {
        self.0.verified
    }

    /// The host application's proof of the usage; null if none was given.
    async fn proof(&self) -> Option<&str> {
        self.0.proof.as_deref()
    }

    /// The hash of the content that was made or used; null if none was given.
    async fn content_hash(&self) -> Option<&str> {
        self.0.content_hash.as_deref()
    }

    /// The event that this one takes back; null if it is no correction.
    async fn corrects(&self, ctx: &Context<'_>) -> Result<Option<UsageEvent>> {
        to_one(ctx, self.0.corrects_id).await
    }

    /// The event that takes this one back; null if it stands.
    async fn corrected_by(&self, ctx: &Context<'_>) -> Result<Option<UsageEvent>> {
        Ok(all_children(ctx, (), self.0.id, Corrections).await?.pop())
    }

    /// The actor who recorded it, in the form of the audit log.
    async fn recorded_by(&self) -> &str {
        &self.0.recorded_by
    }
}

/// Conditions on usage events; an event must meet all that are given.
#[derive(InputObject, Default)]
pub struct UsageEventFilter {
    /// Events of the meter with this code.
    meter: Option<String>,
    /// Events about objects of this type in the host application.
    ref_type: Option<String>,
    /// Events about objects with this id in the host application.
    ref_id: Option<String>,
    /// Time of the usage.
    occurred_at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of usage events.
    UsageEventOrder by
    /// The fields that usage events can be ordered by.
    UsageEventOrderField {
        /// Time of the usage.
        OccurredAt,
    }
}

impl UsageEventFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<UsageEventOrder>) -> crate::error::Result<UsageEvents> {
        let filter = filter.unwrap_or_default();
        Ok(UsageEvents {
            ref_type: optional_text("refType", filter.ref_type)?,
            ref_id: optional_text("refId", filter.ref_id)?,
            meter: optional_text("meter", filter.meter)?,
            occurred: DateTimeRange::between(filter.occurred_at),
            descending: UsageEventOrder::descending(order, true),
        })
    }
}

pub struct UsageDay(pub(crate) Row<usage_daily::Entity>);

/// Usage of one meter by an account on a UTC day, without what was corrected. Visible to the account's members, and to
/// callers with the scope `billing:read` or `credits:write`.
#[Object]
impl UsageDay {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<UsageDay>(self.0.id)
    }

    /// The account.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The meter.
    async fn meter(&self, ctx: &Context<'_>) -> Result<Meter> {
        to_exactly_one(ctx, self.0.meter_id).await
    }

    /// The day, by the time of the usage in UTC.
    async fn day(&self) -> Date {
        Date(self.0.day)
    }

    /// The value of the dimension that the meter keeps apart, e.g. the model; null for events without it.
    async fn dimension_value(&self) -> Option<&str> {
        Some(self.0.dimension_value.as_str()).filter(|value| !value.is_empty())
    }

    /// The number of events.
    async fn event_count(&self) -> i64 {
        self.0.event_count
    }

    /// The sum, number, greatest or number of different values, as the meter aggregates them.
    async fn measured_value(&self) -> BigInt {
        BigInt(self.0.value)
    }

    /// Credits that the usage cost, in the smallest step of the unit of the meter's rate cards.
    async fn credits(&self) -> BigInt {
        BigInt(self.0.credits)
    }

    /// Time of the last change.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}

impl UsageDay {
    /// Returns the sums of a meter of an account on the days from `from` to before `to`, oldest first.
    pub(crate) async fn between(
        ctx: &Context<'_>,
        account: Uuid,
        meter: String,
        from: Date,
        to: Date,
    ) -> Result<Vec<UsageDay>> {
        if !(0..=MAX_DAYS).contains(&(to.0 - from.0).num_days()) {
            return Err(Error::bad_input("`to` must be at most 400 days after `from`, and not before it.").into());
        }
        let list = DailySums { meter, from: from.0, to: to.0 };
        let mut days: Vec<UsageDay> = all_children(ctx, (), account, list).await?;
        days.sort_by(|one, other| (one.0.day, &one.0.dimension_value).cmp(&(other.0.day, &other.0.dimension_value)));
        Ok(days)
    }
}

/// The query root of usage.
#[derive(Default)]
pub struct UsageQuery;

#[Object]
impl UsageQuery {
    /// Returns a usage event by its id; null if it does not exist or the caller may not see it.
    async fn usage_event(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the usage event.")] id: ID,
    ) -> Result<Option<UsageEvent>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<UsageEvent>(&id)?)).await
    }
}
