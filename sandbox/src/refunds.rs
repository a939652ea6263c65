//! Refunds, which succeed at once and may fail later.

use serde_json::{Value, json};

use super::form::Params;
use super::refusal::{Outcome, malformed, missing, refused};
use super::state::{State, number, text};

/// `POST /v1/refunds`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&["payment_intent", "charge", "amount", "reason", "metadata.*"])?;
    let reason = params.word("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    let charge = charge(state, params)?;
    let left = number(&charge, "amount_captured") - number(&charge, "amount_refunded");
    let amount = params.number("amount")?.unwrap_or(left);
    let id = text(&charge, "id");
    if left == 0 {
        let message = format!("Charge {id} has already been refunded.");
        return Err(refused("charge_already_refunded", "", &message));
    }
    if charge["disputed"] == true {
        return Err(refused(
            "charge_disputed",
            "",
            &format!("Charge {id} has been charged back; cannot issue a refund."),
        ));
    }
    if amount < 1 {
        return Err(malformed("parameter_invalid_integer", "amount", "Invalid positive integer"));
    }
    if amount > left {
        let message = format!("Refund amount ({amount}) is greater than unrefunded amount on charge ({left})");
        return Err(refused("amount_too_large", "amount", &message));
    }
    let refund = json!({
        "id": state.new_id("re_"), "object": "refund", "amount": amount, "balance_transaction": state.new_id("txn_"),
        "charge": id, "created": state.now, "currency": charge["currency"],
        "destination_details": {"card": {"reference_status": "pending", "type": "refund"}, "type": "card"},
        "metadata": params.metadata("metadata"), "payment_intent": charge["payment_intent"],
        "reason": reason, "receipt_number": null, "source_transfer_reversal": null, "status": "succeeded",
        "transfer_reversal": null,
    });
    let refund = state.create("refund.created", refund);
    state.update(id, "charge.refunded", |charge| refunded(charge, amount));
    Ok(refund)
}

fn refunded(charge: &mut Value, amount: i64) {
    let sum = number(charge, "amount_refunded") + amount;
    charge["amount_refunded"] = json!(sum);
    charge["refunded"] = json!(sum == number(charge, "amount"));
}

fn charge(state: &State, params: &Params) -> Outcome<Value> {
    if let Some(charge) = params.text("charge") {
        return state.find("charge", charge, "charge");
    }
    let Some(intent) = params.text("payment_intent") else { return Err(missing("payment_intent")) };
    let intent = state.find("payment_intent", intent, "payment_intent")?;
    if text(&intent, "status") != "succeeded" {
        let message =
            format!("This PaymentIntent ({}) does not have a successful charge to refund.", text(&intent, "id"));
        return Err(refused("", "payment_intent", &message));
    }
    state.find("charge", text(&intent, "latest_charge"), "payment_intent")
}

/// A refund that comes back: the bank of the customer did not take it.
pub(super) fn fail(state: &mut State, id: &str) -> Outcome<()> {
    let refund = state.find("refund", id, "")?;
    if text(&refund, "status") != "succeeded" {
        return Err(refused("", "", "This refund has failed before."));
    }
    let charge = text(&refund, "charge").to_owned();
    let before = state.get(id).clone();
    let transaction = state.new_id("txn_");
    state.edit(id, |refund| {
        refund["status"] = json!("failed");
        refund["failure_reason"] = json!("lost_or_stolen_card");
        refund["failure_balance_transaction"] = json!(transaction);
    });
    state.edit(&charge, |charge| refunded(charge, -number(&refund, "amount")));
    state.tell_change("refund.updated", id, &before);
    state.tell("refund.failed", id);
    state.tell_change("charge.refund.updated", id, &before);
    Ok(())
}
