//! The allowances of an account whose plan changes.

use super::store::plans::{insert_missing, make_due};
use crate::db::Txn;
use crate::error::Result;
use uuid::Uuid;

/// Notes that the subscriptions of an account have changed: its balances are settled again at their next use, or by the
/// schedule, so that allowances begin and end.
pub async fn note_plans(txn: &Txn, account_id: Uuid) -> Result<()> {
    insert_missing(txn, account_id).await?;
    make_due(txn, account_id).await
}
