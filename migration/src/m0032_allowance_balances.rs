//! Balances for the allowances of plans and add-ons that accounts had before allowances were granted: the first reader or
//! the schedule settles them, as all others.

use crate::table::*;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The add-ons of subscriptions that have allowances.
const ADDONS: &str = "SELECT i.account_id AS account_id, a.credit_unit_id AS credit_unit_id FROM subscription_items i \
     JOIN prices p ON p.id = i.price_id JOIN credit_allowances a ON a.product_version_id = p.product_version_id \
     WHERE i.kind = 'addon'";
/// The plans of subscriptions that have allowances.
const PLANS: &str = "SELECT s.account_id AS account_id, a.credit_unit_id AS credit_unit_id FROM subscriptions s \
     JOIN credit_allowances a ON a.product_version_id = s.product_version_id \
     WHERE s.status IN ('trialing', 'active', 'past_due')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (new_id, now) = match manager.get_database_backend() {
            DbBackend::Postgres => ("gen_random_uuid()", "now()"),
            _ => ("randomblob(16)", "strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now')"),
        };
        let due = format!(
            "UPDATE balances SET next_due_at = {now} WHERE (next_due_at IS NULL OR next_due_at > {now}) \
             AND account_id IN (SELECT account_id FROM ({ADDONS}) AS added)"
        );
        let missing = format!(
            "INSERT INTO balances (id, account_id, credit_unit_id, entry_count, updated_at, available, held, spent, \
             expired, issued, revoked, owed, next_due_at) \
             SELECT {new_id}, given.account_id, given.credit_unit_id, 0, {now}, 0, 0, 0, 0, 0, 0, 0, {now} \
             FROM ({PLANS} UNION {ADDONS}) AS given WHERE NOT EXISTS (SELECT 1 FROM balances b \
             WHERE b.account_id = given.account_id AND b.credit_unit_id = given.credit_unit_id) ON CONFLICT DO NOTHING"
        );
        run(manager, vec![due, missing]).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        // An empty balance says the same as none.
        Ok(())
    }
}
