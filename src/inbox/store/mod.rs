//! Every query on the events that providers sent.

mod mirror;
mod replay;

pub(super) use mirror::{Store, Tie, waiting_for, waiting_in_vain};
pub(super) use replay::{
    Chosen, chosen, customers_of, known, objects, payloads, pending_event, reopen, waiting_objects, watermark,
};

use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Visible, has_external_id, within};
use crate::error::Result;
use crate::order;
use chrono::{DateTime, FixedOffset};
use entity::inbox_events;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult, QueryFilter, Select, Statement,
};

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
    /// From this provider alone.
    pub provider: Option<&'static str>,
    /// Known by this id at its provider alone.
    pub external_id: Option<String>,
    /// About the object with this id at its provider alone.
    pub object_id: Option<String>,
    /// Whether it waits for something that is not known yet; `None` for either.
    pub waiting: Option<bool>,
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

/// What of the inbox is still to be dealt with.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Backlog {
    /// Not applied yet, and in want of nothing.
    pub received: i64,
    /// Tried in vain, and to be tried again.
    pub failed: i64,
    /// Given up until an admin looks at it.
    pub parked: i64,
    /// In want of something that is not known yet.
    pub waiting: i64,
    /// When the oldest arrived of those that are received or failed.
    pub oldest_received_at: Option<DateTime<FixedOffset>>,
}

/// Counts what is still to be dealt with, in one statement that reads none of what is done with.
pub(super) async fn backlog(db: &DatabaseConnection) -> Result<Backlog> {
    let counts = ["received", "failed", "parked"].map(|state| {
        format!("(SELECT COUNT(*) FROM inbox_events WHERE state = '{state}' AND waits_for IS NULL) AS {state}")
    });
    let oldest = ["received", "failed"].map(|state| {
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
    let row = row.ok_or_else(|| crate::error::Error::internal(anyhow::anyhow!("a statement of counts has one row")))?;
    Ok(Backlog::from_query_result(&row, "")?)
}
