//! Carrying out a refund.

use super::customer::metadata_of;
use super::order::{Order, place, without_card};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::outbox::Call;
use crate::payments::{self, CARRY_OUT_REFUND};
use entity::refunds::Model;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// A refund that is granted.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Approval {
    /// Which one.
    pub refund_id: Uuid,
    /// How much, in the payment's smallest unit: not more than was asked for; `None` for that.
    pub amount_minor: Option<i64>,
}

/// Approves a refund that was asked for, and has Stripe carry it out.
///
/// It is approved in the transaction that writes the call down. The refund that Stripe makes bears our id, by which the
/// inbox finds the row, whichever of answer and webhook comes first. Where Stripe refuses, the refund has failed.
pub async fn approve_refund(app: &App, viewer: &Viewer, approval: Approval, key: &str) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    let order = Order { operation: "refunds.approve", key, input: &approval };
    let actor = viewer.actor().to_owned();
    let placed = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let grant = (approval.refund_id, approval.amount_minor);
            let (payment, refund) = payments::approve_refund(txn, &actor, grant).await?;
            let mut metadata = metadata_of(txn, refund.account_id).await?;
            metadata["tollgate_refund"] = json!(refund.id);
            let mut params = json!({"amount": refund.amount_minor, "metadata": metadata, "expand": ["charge"]});
            // A charge that was made without an intent is a payment by itself.
            let by_itself = payment.charge_external_id.as_ref() == Some(&payment.external_id);
            params[if by_itself { "charge" } else { "payment_intent" }] = json!(payment.external_id);
            Ok(Call {
                account_id: Some(refund.account_id),
                operation: CARRY_OUT_REFUND,
                deletes: false,
                path: "refunds".to_owned(),
                params,
                key: None,
                persistent: true,
            })
        })
    });
    placed.await.map_err(without_card)?;
    payments::refund(app, approval.refund_id).await
}
