//! Reads and changes of the catalogue at Stripe.

use crate::app::App;
use crate::error::{Error, Result};
use crate::outbox::{Operation, ProviderRequest};
use crate::plans::{self, Sold};
use crate::providers::stripe::CallError;
use serde_json::Value;
use uuid::Uuid;

/// Returns a plan with its prices here and at Stripe.
pub(super) async fn sold_plan(app: &App, plan_id: Uuid) -> Result<Sold> {
    let sold = plans::sold(app.db.read(), "stripe", plan_id).await?;
    sold.ok_or_else(|| Error::internal(anyhow::anyhow!("A plan vanished.")))
}

/// Creates a change of the catalogue at Stripe. It charges nobody, so the worker sends it later if Stripe is unavailable.
pub(super) fn change(operation: Operation, path: impl Into<String>, params: Value, key: String) -> ProviderRequest {
    ProviderRequest::post(operation, path).params(params).key(key).persistent()
}

/// Converts the failure of a read, which a job repeats if Stripe was unavailable.
pub(super) fn error_of_read(error: CallError) -> Error {
    match error {
        CallError::Unavailable(_) => Error::ProviderUnavailable { will_retry: true },
        error => Error::internal(error),
    }
}

/// Logs a refusal, which Stripe would repeat, and which the list of calls shows. Another failure is tried again.
pub(super) fn without_refusal(result: Result<()>) -> Result<()> {
    match result {
        Err(Error::Refused(refusal)) => {
            tracing::error!(code = refusal.code, reason = %refusal.message, "Stripe refuses a change of the catalogue");
            Ok(())
        }
        result => result,
    }
}
