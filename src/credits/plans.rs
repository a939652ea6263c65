//! The allowances of an account whose plan changes.

use super::ledger::Ledger;
use super::store::plans::{insert_missing, make_due};
use crate::db::Txn;
use crate::error::Result;
use uuid::Uuid;

/// Notes that the subscriptions of an account have changed, and settles its balances: allowances that are due now are
/// granted, and those of an earlier plan end.
pub async fn note_plans(txn: &Txn, account_id: Uuid) -> Result<()> {
    insert_missing(txn, account_id).await?;
    let due = make_due(txn, account_id).await?;
    let units = due.into_iter().map(|row| row.credit_unit_id).collect();
    Ledger::load_for_plans(txn, account_id, units).await?.write().await
}
