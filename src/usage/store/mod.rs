//! Queries on meters, rate cards and usage.

mod batch;
pub(super) mod counters;
pub(super) mod spans;
pub(super) mod terms;

pub(super) use batch::{
    Seen, cards_of, daily_sums, devices, lock_accounts, meters_by_code, recorded_events, seen_values,
};

use crate::auth::{Permission, Scope};
use crate::db::{Between, ChildListing, Listing, Order, ROW_LOCK, Txn, Visible, in_accounts_of, within};
use crate::error::Result;
use crate::order;
use crate::usage::windows::Window;
use chrono::NaiveDate;
use entity::{meters, rate_cards, usage_counters, usage_daily, usage_events};
use sea_orm::sea_query::{ExprTrait, Query, SelectStatement, SimpleExpr};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Select};
use uuid::Uuid;

/// Callers who record usage see it.
pub(super) const WRITERS: &[Permission] = &[Permission::CreditsWrite];

impl Visible for meters::Entity {
    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

impl Visible for rate_cards::Entity {
    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

impl Visible for usage_events::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, usage_events::Column::AccountId))
    }
}

impl Visible for usage_daily::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, usage_daily::Column::AccountId))
    }
}

impl Visible for usage_counters::Entity {
    const OPEN_TO: &'static [Permission] = WRITERS;

    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, usage_counters::Column::AccountId))
    }
}

/// Meters, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Meters {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Meters {
    type Entity = meters::Entity;

    fn filter(&self, rows: Select<meters::Entity>) -> Select<meters::Entity> {
        match &self.code {
            Some(code) => rows.filter(meters::Column::Code.eq(code)),
            None => rows,
        }
    }

    fn order(&self) -> Order<meters::Entity> {
        order!(meters, created_at, CreatedAt, self.descending)
    }
}

/// Rate cards, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RateCards {
    /// Only those of the meter with this code.
    pub meter: Option<String>,
    /// Newest first.
    pub descending: bool,
}

impl Listing for RateCards {
    type Entity = rate_cards::Entity;

    fn filter(&self, rows: Select<rate_cards::Entity>) -> Select<rate_cards::Entity> {
        match &self.meter {
            Some(code) => rows.filter(rate_cards::Column::MeterId.into_expr().eq(meter(code))),
            None => rows,
        }
    }

    fn order(&self) -> Order<rate_cards::Entity> {
        order!(rate_cards, created_at, CreatedAt, self.descending)
    }
}

/// Usage events of an account, by time of the usage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsageEvents {
    /// Only those of the meter with this code.
    pub meter: Option<String>,
    /// Only those about objects of this type in the host application.
    pub ref_type: Option<String>,
    /// Only those about objects with this id in the host application.
    pub ref_id: Option<String>,
    /// Time of the usage.
    pub occurred: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for UsageEvents {
    type Entity = usage_events::Entity;

    fn filter(&self, mut rows: Select<usage_events::Entity>) -> Select<usage_events::Entity> {
        if let Some(code) = &self.meter {
            rows = rows.filter(usage_events::Column::MeterId.into_expr().eq(meter(code)));
        }
        if let Some(kind) = &self.ref_type {
            rows = rows.filter(usage_events::Column::RefType.eq(kind));
        }
        if let Some(id) = &self.ref_id {
            rows = rows.filter(usage_events::Column::RefId.eq(id));
        }
        within(rows, usage_events::Column::OccurredAt, &self.occurred)
    }

    fn order(&self) -> Order<usage_events::Entity> {
        order!(usage_events, occurred_at, OccurredAt, self.descending)
    }
}

impl ChildListing for UsageEvents {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        usage_events::Column::AccountId.into_expr().eq(account)
    }
}

/// The correction of a usage event, if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Corrections;

impl Listing for Corrections {
    type Entity = usage_events::Entity;

    fn filter(&self, rows: Select<usage_events::Entity>) -> Select<usage_events::Entity> {
        rows
    }

    fn order(&self) -> Order<usage_events::Entity> {
        order!(usage_events, id, false)
    }
}

impl ChildListing for Corrections {
    type Of = ();

    fn belongs_to((): (), event: SimpleExpr) -> SimpleExpr {
        usage_events::Column::CorrectsId.into_expr().eq(event)
    }
}

/// Daily sums of one meter of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DailySums {
    /// The code of the meter.
    pub meter: String,
    /// The first day.
    pub from: NaiveDate,
    /// The day after the last.
    pub to: NaiveDate,
}

impl Listing for DailySums {
    type Entity = usage_daily::Entity;

    fn filter(&self, rows: Select<usage_daily::Entity>) -> Select<usage_daily::Entity> {
        rows.filter(usage_daily::Column::MeterId.into_expr().eq(meter(&self.meter)))
            .filter(usage_daily::Column::Day.gte(self.from))
            .filter(usage_daily::Column::Day.lt(self.to))
            // All events of a day may have been corrected.
            .filter(usage_daily::Column::EventCount.gt(0))
    }

    fn order(&self) -> Order<usage_daily::Entity> {
        order!(usage_daily, id, false)
    }
}

impl ChildListing for DailySums {
    type Of = ();

    fn belongs_to((): (), account: SimpleExpr) -> SimpleExpr {
        usage_daily::Column::AccountId.into_expr().eq(account)
    }
}

fn meter(code: &str) -> SimpleExpr {
    SimpleExpr::SubQuery(None, Box::new(meter_id(code).into()))
}

fn meter_id(code: &str) -> SelectStatement {
    Query::select().column(meters::Column::Id).from(meters::Entity).and_where(meters::Column::Code.eq(code)).take()
}

/// Returns the meter with this code.
pub(super) async fn meter_by_code(db: &impl ConnectionTrait, code: &str) -> Result<Option<meters::Model>> {
    Ok(meters::Entity::visible(Scope::Everything).filter(meters::Column::Code.eq(code)).one(db).await?)
}

/// Returns the meter with this id.
pub(super) async fn meter_by_id(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<meters::Model>> {
    Ok(meters::Entity::visible(Scope::Everything).filter(meters::Column::Id.eq(id)).one(db).await?)
}

/// Locks the meter with this code until the commit, so that its rate cards do not change.
pub(super) async fn lock_meter(txn: &Txn, code: &str) -> Result<Option<meters::Model>> {
    let rows = meters::Entity::visible(Scope::Everything).filter(meters::Column::Code.eq(code));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns all rate cards of a meter.
pub(super) async fn cards_of_meter(txn: &Txn, meter_id: Uuid) -> Result<Vec<rate_cards::Model>> {
    let rows = rate_cards::Entity::visible(Scope::Everything).filter(rate_cards::Column::MeterId.eq(meter_id));
    Ok(rows.all(txn).await?)
}

/// Locks the rate card with this id until the commit.
pub(super) async fn lock_card(txn: &Txn, id: Uuid) -> Result<Option<rate_cards::Model>> {
    let rows = rate_cards::Entity::visible(Scope::Everything).filter(rate_cards::Column::Id.eq(id));
    Ok(rows.lock(ROW_LOCK).one(txn).await?)
}

/// Returns the usage event with this id, for any caller.
pub(super) async fn event(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<usage_events::Model>> {
    let rows = usage_events::Entity::visible(Scope::Everything).filter(usage_events::Column::Id.eq(id));
    Ok(rows.one(db).await?)
}

/// Returns the correction of a usage event.
pub(super) async fn correction_of(txn: &Txn, id: Uuid) -> Result<Option<usage_events::Model>> {
    let rows = usage_events::Entity::visible(Scope::Everything).filter(usage_events::Column::CorrectsId.eq(id));
    Ok(rows.one(txn).await?)
}

/// Returns the events of an account and meter in a span of time, with their corrections.
pub(super) async fn events_within(
    txn: &Txn,
    account_id: Uuid,
    meter_id: Uuid,
    span: Window,
) -> Result<Vec<usage_events::Model>> {
    use usage_events::{Column, Entity};
    let rows = Entity::visible(Scope::Everything).filter(Column::AccountId.eq(account_id));
    let rows = rows.filter(Column::MeterId.eq(meter_id));
    let span = Between { from: Some(span.start), to: span.end };
    Ok(within(rows, Column::OccurredAt, &span).all(txn).await?)
}
