//! Giving up a call on request.

use super::operation::{CallState, Operation};
use super::store;
use crate::db::Txn;
use crate::error::Result;
use entity::outbox_calls::ActiveModel;
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// The code of a call that was withdrawn, in place of a refusal's.
const WITHDRAWN: &str = "withdrawn";

/// Withdraws the call of `operation` for an account whose metadata has `id` under `name`, so that it is never sent again.
/// Returns false if Stripe has answered it, or its first try is under way. Without a call there is nothing to withdraw.
pub async fn withdraw(txn: &Txn, account_id: Uuid, operation: Operation, name: &str, id: Uuid) -> Result<bool> {
    let id = id.to_string();
    let calls = store::calls_of_account(txn, account_id, operation).await?;
    let Some(call) = calls.into_iter().find(|call| call.params["metadata"][name] == *id) else { return Ok(true) };
    let is_open = match CallState::of(&call)? {
        CallState::Done | CallState::Refused => false,
        CallState::Pending => call.attempts > 0 || call.due_at.is_some_and(|due| due <= txn.now().fixed_offset()),
        CallState::Abandoned | CallState::Unresolved => true,
    };
    if is_open {
        let change = ActiveModel {
            state: Set(CallState::Refused.to_string()),
            error_code: Set(Some(WITHDRAWN.to_owned())),
            settled_at: Set(Some(txn.now().fixed_offset())),
            due_at: Set(None),
            ..Default::default()
        };
        store::update(txn, call.id, change).await?;
    }
    Ok(is_open)
}
