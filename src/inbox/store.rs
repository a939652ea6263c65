//! Every query on the events that providers sent.

use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Visible, within};
use crate::order;
use entity::inbox_events;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

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
