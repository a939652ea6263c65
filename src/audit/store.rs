//! Every query on the audit log.

use crate::auth::{Permission, Scope};
use crate::db::{Between, Listing, Order, Visible, within};
use crate::order;
use entity::audit_log;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use uuid::Uuid;

impl Visible for audit_log::Entity {
    const GUARD: Option<Permission> = Some(Permission::AuditRead);

    fn visible(_: Scope) -> Select<Self> {
        Self::find()
    }
}

/// Entries of the audit log, newest or oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AuditLog {
    /// The only actor, such as `user:<uuid>`; `None` for all.
    pub actor: Option<String>,
    /// The only action, such as `credits.grant`; `None` for all.
    pub action: Option<String>,
    /// The only row; `None` for all.
    pub entity_id: Option<Uuid>,
    /// The range of times.
    pub at: Between,
    /// True for the newest first.
    pub descending: bool,
}

impl Listing for AuditLog {
    type Entity = audit_log::Entity;

    fn filter(&self, mut rows: Select<audit_log::Entity>) -> Select<audit_log::Entity> {
        use audit_log::Column;
        if let Some(actor) = &self.actor {
            rows = rows.filter(Column::Actor.eq(actor));
        }
        if let Some(action) = &self.action {
            rows = rows.filter(Column::Action.eq(action));
        }
        if let Some(entity_id) = self.entity_id {
            rows = rows.filter(Column::EntityId.eq(entity_id));
        }
        within(rows, Column::At, &self.at)
    }

    fn order(&self) -> Order<audit_log::Entity> {
        order!(audit_log, at, At, self.descending)
    }
}
