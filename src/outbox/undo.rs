//! Reverting the local changes of a call that Stripe refuses.
//!
//! This runs in the transaction that records the refusal. A process that is killed before it sends the call again, and is
//! refused again.

use super::operation::Operation;
use crate::db::Txn;
use crate::error::Result;
use crate::{gifts, payments};
use entity::outbox_calls::Model;
use uuid::Uuid;

/// Reverts what was changed here for `call`, which Stripe refused with `code`.
pub(super) async fn undo(txn: &Txn, call: &Model, code: &str) -> Result<()> {
    // The metadata of the request names the row that it was made for.
    let row = |name: &str| Uuid::try_parse(call.params["metadata"][name].as_str()?).ok();
    match (Operation::of(call), row("tollgate_refund"), row("gift")) {
        (Some(Operation::CreateRefund), Some(refund_id), _) => payments::fail_refund(txn, refund_id, code).await,
        (Some(Operation::BuyGift), _, Some(gift_id)) => gifts::abandon(txn, gift_id).await,
        (Some(Operation::RedeemGift), _, Some(gift_id)) => gifts::release_redemption(txn, gift_id).await,
        _ => Ok(()),
    }
}
