//! What was done here for a call that Stripe refuses, and has to be undone.
//!
//! Undone in the transaction that notes the refusal: who is killed before it makes the call again, and is refused again.

use crate::db::Txn;
use crate::error::Result;
use crate::{gifts, payments};
use entity::outbox_calls::Model;
use uuid::Uuid;

/// Undoes what was done for `call`, which Stripe refuses with this word.
pub(super) async fn undo(txn: &Txn, call: &Model, code: &str) -> Result<()> {
    // Each call names the row that it is made for, in what is sent with it.
    let named = |name: &str| Uuid::try_parse(call.params["metadata"][name].as_str()?).ok();
    match &*call.operation {
        payments::CARRY_OUT_REFUND => match named("tollgate_refund") {
            Some(id) => payments::refund_refused(txn, id, code).await,
            None => Ok(()),
        },
        gifts::SELL | gifts::REDEEM => match named("gift") {
            Some(id) => gifts::refused(txn, id, &call.operation).await,
            None => Ok(()),
        },
        _ => Ok(()),
    }
}
