//! The log of what people and services did. An entry is written in the transaction of the action itself, and never
//! changed.

mod store;

pub use store::AuditLog;

use crate::db::{Txn, insert_all};
use crate::error::Result;
use entity::audit_log::{ActiveModel, Entity};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// An entry of the audit log: an action on one row, and that row before and after.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    action: &'static str,
    entity_type: &'static str,
    entity_id: Uuid,
    account_id: Option<Uuid>,
    before: Option<serde_json::Value>,
    after: Option<serde_json::Value>,
}

impl AuditEntry {
    /// Creates an entry for `action`, such as `credits.grant`, on the row `entity_id` of the GraphQL type
    /// `entity_type`.
    pub fn new(action: &'static str, entity_type: &'static str, entity_id: Uuid) -> AuditEntry {
        AuditEntry { action, entity_type, entity_id, account_id: None, before: None, after: None }
    }

    /// Adds the account that the row belongs to, if it belongs to one.
    pub fn account(self, account_id: impl Into<Option<Uuid>>) -> AuditEntry {
        AuditEntry { account_id: account_id.into(), ..self }
    }

    /// Adds the row as it was.
    pub fn before(self, row: serde_json::Value) -> AuditEntry {
        AuditEntry { before: Some(row), ..self }
    }

    /// Adds the row as it is now, or the input of the action.
    pub fn after(self, row: serde_json::Value) -> AuditEntry {
        AuditEntry { after: Some(row), ..self }
    }
}

impl Txn {
    /// Writes `entry` to the audit log, as done by `actor`, which is [`Viewer::actor`](crate::auth::Viewer::actor).
    pub async fn audit(&self, actor: &str, entry: AuditEntry) -> Result<()> {
        self.audit_all(vec![(actor, entry)]).await
    }

    /// Records several changes, each with its actor.
    pub async fn audit_all(&self, entries: Vec<(&str, AuditEntry)>) -> Result<()> {
        let row = |(actor, entry): (&str, AuditEntry)| ActiveModel {
            id: Set(self.new_id()),
            at: Set(self.now().fixed_offset()),
            actor: Set(actor.to_owned()),
            action: Set(entry.action.to_owned()),
            entity_type: Set(entry.entity_type.to_owned()),
            entity_id: Set(entry.entity_id),
            account_id: Set(entry.account_id),
            before: Set(entry.before),
            after: Set(entry.after),
        };
        insert_all::<Entity>(self, entries.into_iter().map(row).collect()).await
    }
}
