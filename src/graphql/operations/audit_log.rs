//! The audit log.

use crate::audit::AuditLog;
use crate::graphql::common::{
    Connection, DateTimeRange, Instant, Json, Row, global_id, optional_text, page, page_args,
};
use crate::order_input;
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::audit_log;

pub struct AuditLogEntry(pub(crate) Row<audit_log::Entity>);

/// An entry of the audit log: one action by one actor. Entries are added and never changed. Visible with the scope
/// `audit:read`.
#[Object]
impl AuditLogEntry {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<AuditLogEntry>(self.0.id)
    }

    /// Time of the action.
    async fn at(&self) -> Instant {
        self.0.at.into()
    }

    /// The actor: `user:` with the id of a user, `service:` with a token's subject, `key:` with the prefix of an API
    /// key, or `system:` with a part of Tollgate.
    async fn actor(&self) -> &str {
        &self.0.actor
    }

    /// The action, e.g. `credits.grant`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// The type of the object that the action changed, e.g. `CreditGrant`.
    async fn entity_type(&self) -> &str {
        &self.0.entity_type
    }

    /// The global id of what it was done to.
    async fn entity_id(&self) -> ID {
        crate::graphql::common::global_id_of(&self.0.entity_type, self.0.entity_id)
    }

    /// The changed fields before the action; null if the object is new.
    async fn before(&self) -> Option<Json> {
        self.0.before.clone().map(Json)
    }

    /// The changed fields after the action.
    async fn after(&self) -> Option<Json> {
        self.0.after.clone().map(Json)
    }
}

/// Conditions on entries; an entry must meet all that are given.
#[derive(InputObject, Default)]
pub struct AuditLogEntryFilter {
    /// Entries by this actor.
    actor: Option<String>,
    /// Entries with this action.
    action: Option<String>,
    /// Entries about the object with this global id.
    entity_id: Option<ID>,
    /// Entries in this span.
    at: Option<DateTimeRange>,
}

order_input! {
    /// The order of a list of the audit log.
    AuditLogEntryOrder by
    /// The fields that the audit log can be ordered by.
    AuditLogEntryOrderField {
        /// Time of the action.
        At,
    }
}

/// The query root of the audit log.
#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// Actions and their actors. Requires the scope `audit:read`.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the entries.")] filter: Option<AuditLogEntryFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<AuditLogEntryOrder>,
    ) -> Result<Connection<AuditLogEntry>> {
        let filter = filter.unwrap_or_default();
        let entity_id = filter.entity_id.map(|id| crate::graphql::common::any_local_id(&id)).transpose()?;
        let list = AuditLog {
            actor: optional_text("actor", filter.actor)?,
            action: optional_text("action", filter.action)?,
            entity_id,
            at: DateTimeRange::between(filter.at),
            descending: AuditLogEntryOrder::descending(order_by, true),
        };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}
