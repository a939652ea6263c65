//! Every query on the events that providers sent.

mod mirror;

pub(super) use mirror::{Store, Tie, waiting_for, waiting_in_vain};

use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Visible, within};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, Utc};
use entity::inbox_events;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, Select};

impl Visible for inbox_events::Entity {
    /// Raw events name many people at once.
    const GUARD: Option<Permission> = Some(Permission::BillingRead);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// Events, by the time they were received.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Events {
    /// In these states alone; empty for all.
    pub states: Vec<&'static str>,
    /// Of this kind alone, e.g. `invoice.paid`.
    pub kind: Option<String>,
    /// Received in this span.
    pub received: Between,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Events {
    type Entity = inbox_events::Entity;

    fn filter(&self, mut rows: Select<inbox_events::Entity>) -> Select<inbox_events::Entity> {
        use inbox_events::Column;
        if !self.states.is_empty() {
            rows = rows.filter(Column::State.is_in(self.states.iter().copied()));
        }
        if let Some(kind) = &self.kind {
            rows = rows.filter(Column::Kind.eq(kind));
        }
        within(rows, Column::ReceivedAt, &self.received)
    }

    fn order(&self) -> Order<inbox_events::Entity> {
        order!(inbox_events, received_at, ReceivedAt, self.descending)
    }
}

/// How far the application of events is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// How many events are in each state that is not an end, and how many of those wait for something to be known.
    pub states: [(&'static str, u64); 4],
    /// When the oldest event arrived that could be applied and is not; parked ones do not count.
    pub oldest: Option<DateTime<Utc>>,
}

/// How far behind we are, for those who watch over the service.
// unscoped: figures over all events; /metrics has asked for the permission
pub async fn lag(db: &DatabaseConnection) -> Result<Lag> {
    use inbox_events::{Column, Entity};
    let counted = async |states: &[&str], waits: bool| {
        let rows = Entity::find().filter(Column::State.is_in(states.iter().copied()));
        let waits = if waits { Column::WaitsFor.is_not_null() } else { Column::WaitsFor.is_null() };
        rows.filter(waits).count(db).await
    };
    let states = [
        ("received", counted(&["received"], false).await?),
        ("failed", counted(&["failed"], false).await?),
        ("parked", counted(&["parked"], false).await?),
        ("waiting", counted(&["received", "failed", "parked"], true).await?),
    ];
    let mut oldest = None;
    // One by one, as the index on the state and the arrival answers each at once.
    for state in ["received", "failed"] {
        let rows = Entity::find().filter(Column::State.eq(state)).filter(Column::WaitsFor.is_null());
        let first = rows.order_by_asc(Column::ReceivedAt).order_by_asc(Column::Id).one(db).await?;
        oldest = [oldest, first.map(|row| row.received_at.to_utc())].into_iter().flatten().min();
    }
    Ok(Lag { states, oldest })
}
