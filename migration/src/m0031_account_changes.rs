//! The changes of balances and entitlements: one row for all that a transaction changed.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const OLD_KINDS: &str = "kind IN ('subscription_changed', 'payment_recorded', 'webhook_event_received')";
const NEW_KINDS: &str = "kind IN ('subscription_changed', 'payment_recorded', 'webhook_event_received', \
     'balance_changed', 'entitlements_changed')";
/// The part of the CHECK by which PostgreSQL knows it.
const KNOWN_BY: &str = "(kind = ANY";
/// Of a row about several: a list of pairs of a subject and its account; then `subject_id` is that of the row itself.
const COLUMNS: [(&str, &str); 1] = [("changes", "subjects JSON")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add_columns(manager, &COLUMNS).await?;
        replace_check(manager, "changes", (OLD_KINDS, NEW_KINDS), KNOWN_BY).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let kept = "DELETE FROM changes WHERE kind IN ('balance_changed', 'entitlements_changed')";
        run(manager, vec![kept.to_owned()]).await?;
        replace_check(manager, "changes", (NEW_KINDS, OLD_KINDS), KNOWN_BY).await?;
        drop_columns(manager, &COLUMNS).await
    }
}
