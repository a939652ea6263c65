//! Approving a refund, which Stripe carries out, and denying one.

use super::kernel::{StripeAction, metadata_of};
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::config::SpentCredits;
use crate::credits;
use crate::error::{Error, Result};
use crate::outbox::{self, Operation, ProviderRequest};
use crate::payments::{self, Denial};
use crate::providers::stripe::amount_of;
use entity::refunds::Model;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

/// An approval of a refund.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Approval {
    /// The refund.
    pub refund_id: Uuid,
    /// The amount, in the payment's smallest unit, up to the requested amount; `None` for all of it.
    pub amount_minor: Option<i64>,
}

/// Approves a requested refund, and has Stripe carry it out.
///
/// It is approved in the transaction that commits the request. The metadata of Stripe's refund holds our id, by which the
/// inbox finds the row, whether the answer or the webhook comes first. If Stripe refuses, the refund has failed.
pub async fn approve_refund(app: &App, viewer: &Viewer, approval: Approval, key: &str) -> Result<Model> {
    viewer.require(Permission::BillingWrite)?;
    let action = StripeAction::new(app, viewer, Operation::CreateRefund, key, &approval)?.without_card();
    let refuses_spent = app.config.spent_credits == SpentCredits::Refuse;
    let answer = action.execute_once(move |txn, viewer| {
        Box::pin(async move {
            let Approval { refund_id, amount_minor } = approval;
            let (payment, refund) = payments::approve_refund(txn, viewer.actor(), refund_id, amount_minor).await?;
            if refuses_spent {
                let returned = payment.refunded_minor + refund.amount_minor;
                credits::refuse_spent(txn, payment.id, payment.amount_minor, returned).await?;
            }
            let amount = amount_of(refund.amount_minor, &refund.currency)
                .map_err(|error| Error::refused("AMOUNT_INVALID", &["amount"], error.to_string()))?;
            let mut metadata = metadata_of(txn, refund.account_id).await?;
            metadata["tollgate_refund"] = json!(refund.id);
            let mut params = json!({"amount": amount, "metadata": metadata, "expand": ["charge"]});
            // The payment of a charge without an intent has the charge's id.
            let has_intent = payment.charge_external_id.as_ref() != Some(&payment.external_id);
            params[if has_intent { "payment_intent" } else { "charge" }] = json!(payment.external_id);
            let request = ProviderRequest::post(Operation::CreateRefund, "refunds");
            Ok(request.account(refund.account_id).params(params).persistent())
        })
    });
    answer.await?;
    payments::refund(app, approval.refund_id).await
}

/// Denies a requested refund, or fails an approved one that Stripe has not carried out: one whose request was given up or
/// has no known outcome, or is kept because Stripe does not answer.
pub async fn deny_refund(app: &App, viewer: &Viewer, denial: Denial, key: &str) -> Result<Model> {
    let withdraw: payments::Withdraw = |txn, refund| {
        Box::pin(outbox::withdraw(txn, refund.account_id, Operation::CreateRefund, "tollgate_refund", refund.id))
    };
    payments::deny_refund(app, viewer, denial, key, withdraw).await
}
