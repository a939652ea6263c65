//! The list of events, and the count of those that are still to be applied.

use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Visible, has_external_id, within};
use crate::error::{Error, Result};
use crate::inbox::state::{EventState, PENDING};
use crate::order;
use chrono::{DateTime, FixedOffset};
use entity::inbox_events;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, QueryFilter, Select, Statement,
};

impl Visible for inbox_events::Entity {
    /// Raw events name many people.
    const GUARD: Option<Permission> = Some(Permission::BillingRead);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// A list of events, by the time they were received.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Events {
    /// The states of the events; empty for all.
    pub states: Vec<EventState>,
    /// The type of the events, such as `invoice.paid`.
    pub kind: Option<String>,
    /// The provider of the events.
    pub provider: Option<&'static str>,
    /// The id of the event at its provider.
    pub external_id: Option<String>,
    /// The id at its provider of the object that the events are about.
    pub object_id: Option<String>,
    /// True for events that wait for something, false for those that do not; `None` for both.
    pub waiting: Option<bool>,
    /// The span in which the events were received.
    pub received: Between,
    /// True for newest first.
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
        if let Some(provider) = self.provider {
            rows = rows.filter(Column::Provider.eq(provider));
        }
        if let Some(external_id) = &self.external_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ExternalId, external_id));
        }
        if let Some(object_id) = &self.object_id {
            rows = rows.filter(has_external_id(Column::Provider, Column::ObjectId, object_id));
        }
        if let Some(waiting) = self.waiting {
            rows = rows.filter(if waiting { Column::WaitsFor.is_not_null() } else { Column::WaitsFor.is_null() });
        }
        within(rows, Column::ReceivedAt, &self.received)
    }

    fn order(&self) -> Order<inbox_events::Entity> {
        order!(inbox_events, received_at, ReceivedAt, self.descending)
    }
}

/// The number of events that are still to be applied.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Backlog {
    /// Events that were not tried yet and wait for nothing.
    pub received: i64,
    /// Events that failed and are retried.
    pub failed: i64,
    /// Events that are not retried until an admin replays them.
    pub parked: i64,
    /// Events that wait for something.
    pub waiting: i64,
    /// The time at which the oldest event arrived that is received or failed.
    pub oldest_received_at: Option<DateTime<FixedOffset>>,
}

/// Counts the events that are still to be applied, in one statement that reads no others.
pub(in crate::inbox) async fn backlog(db: &DatabaseConnection) -> Result<Backlog> {
    let counts = [EventState::Received, EventState::Failed, EventState::Parked].map(EventState::as_str).map(|state| {
        format!("(SELECT COUNT(*) FROM inbox_events WHERE state = '{state}' AND waits_for IS NULL) AS {state}")
    });
    let oldest = PENDING.map(EventState::as_str).map(|state| {
        format!(
            "SELECT MIN(received_at) AS received_at FROM inbox_events WHERE state = '{state}' AND waits_for IS NULL"
        )
    });
    let sql = format!(
        "SELECT {}, (SELECT COUNT(*) FROM inbox_events WHERE waits_for IS NOT NULL) AS waiting, \
         (SELECT MIN(received_at) FROM ({}) AS oldest) AS oldest_received_at",
        counts.join(", "),
        oldest.join(" UNION ALL "),
    );
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Error::internal(anyhow::anyhow!("the statement of counts returned no row")))?;
    Ok(Backlog::from_query_result(&row, "")?)
}
