//! Refunds, which succeed at once and may fail later.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request, malformed_parameter, missing_parameter};
use crate::params::Params;
use crate::store::{Store, number, text};

/// Handles `POST /v1/refunds`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["payment_intent", "charge", "amount", "reason", "metadata.*"])?;
    let reason = params.one_of("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    let charge = charge(store, params)?;
    let left = number(&charge, "amount_captured") - number(&charge, "amount_refunded");
    let amount = params.number("amount")?.unwrap_or(left);
    let id = text(&charge, "id");
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(invalid_request("charge_already_refunded", "", &message));
    }
    if charge["disputed"] == true {
        return Err(invalid_request(
            "charge_disputed",
            "",
            &format!("Charge {id} has been charged back; cannot issue a refund."),
        ));
    }
    if amount < 1 {
        return Err(malformed_parameter("parameter_invalid_integer", "amount", "Invalid positive integer"));
    }
    if amount > left {
        let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
        return Err(invalid_request("amount_too_large", "amount", &message));
    }
    let refund = json!({
        "id": store.new_id("re_"), "object": "refund", "amount": amount, "balance_transaction": store.new_id("txn_"),
        "charge": id, "created": store.now, "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": params.metadata("metadata"), "payment_intent": charge["payment_intent"],
        "reason": reason, "receipt_number": null, "source_transfer_reversal": null, "status": "succeeded",
        "transfer_reversal": null,
    });
    let refund = store.create("refund.created", refund);
    store.update(id, "charge.refunded", |charge| refunded(charge, amount));
    Ok(refund)
}

fn refunded(charge: &mut Value, amount: i64) {
    let sum = number(charge, "amount_refunded") + amount;
    charge["amount_refunded"] = json!(sum);
    charge["refunded"] = json!(sum == number(charge, "amount"));
}

fn charge(store: &Store, params: &Params) -> StripeResult<Value> {
    if let Some(charge) = params.text("charge") {
        return store.find("charge", charge, "charge");
    }
    let Some(intent) = params.text("payment_intent") else { return Err(missing_parameter("payment_intent")) };
    let intent = store.find("payment_intent", intent, "payment_intent")?;
    if text(&intent, "status") != "succeeded" {
        let message =
            format!("This PaymentIntent ({}) does not have a successful charge to refund.", text(&intent, "id"));
        return Err(invalid_request("", "payment_intent", &message));
    }
    store.find("charge", text(&intent, "latest_charge"), "payment_intent")
}

/// Makes a succeeded refund fail, as if the customer's bank had rejected it.
pub(crate) fn fail(store: &mut Store, id: &str) -> StripeResult<()> {
    let refund = store.find("refund", id, "")?;
    if text(&refund, "status") != "succeeded" {
        return Err(invalid_request("", "", "This refund has failed before."));
    }
    let charge = text(&refund, "charge").to_owned();
    let before = store.get(id).clone();
    let transaction = store.new_id("txn_");
    store.edit(id, |refund| {
        refund["status"] = json!("failed");
        refund["failure_reason"] = json!("lost_or_stolen_card");
        refund["failure_balance_transaction"] = json!(transaction);
    });
    store.edit(&charge, |charge| refunded(charge, -number(&refund, "amount")));
    store.emit_update("refund.updated", id, &before);
    store.emit("refund.failed", id);
    store.emit_update("charge.refund.updated", id, &before);
    Ok(())
}
