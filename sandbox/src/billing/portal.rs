//! The customer portal.

use serde_json::{Value, json};

use crate::error::{StripeResult, invalid_request};
use crate::objects::cards::{self, Card};
use crate::objects::subscriptions::first_item;
use crate::params::Params;
use crate::store::{Store, text};

/// Handles `POST /v1/billing_portal/sessions`.
pub(crate) fn create(store: &mut Store, params: &Params) -> StripeResult<Value> {
    params.allow_only(&["customer", "return_url", "configuration", "locale"])?;
    let customer = store.find("customer", params.require("customer")?, "customer")?;
    let id = store.new_id("bps_");
    let session = json!({
        "id": id, "object": "billing_portal.session", "configuration": null, "created": store.now,
        "customer": customer["id"], "flow": null, "livemode": false, "locale": params.or_null("locale"),
        "on_behalf_of": null, "return_url": params.or_null("return_url"), "url": format!("{}/portal/{id}", store.base_url),
    });
    store.insert(session.clone());
    Ok(session)
}

/// An action of a customer in the portal.
pub(crate) enum PortalAction {
    /// Cancels a subscription at the end of its period.
    Cancel(String),
    /// Reverts the cancellation of a subscription.
    Keep(String),
    /// Changes the card.
    Card(Card),
}

/// Performs an action of a customer.
pub(crate) fn perform(store: &mut Store, session: &str, action: &PortalAction) -> StripeResult<()> {
    let session = store.find("billing_portal.session", session, "")?;
    let customer = text(&session, "customer").to_owned();
    let now = store.now;
    match action {
        PortalAction::Card(card) => _ = cards::set_default(store, &customer, *card),
        PortalAction::Cancel(id) | PortalAction::Keep(id) => {
            let subscription = store.find("subscription", id, "subscription")?;
            if subscription["customer"] != customer.as_str() || !subscription["ended_at"].is_null() {
                return Err(invalid_request("", "subscription", "This subscription cannot be changed."));
            }
            let end = match action {
                PortalAction::Cancel(_) => first_item(&subscription)["current_period_end"].clone(),
                _ => Value::Null,
            };
            store.update(id, "customer.subscription.updated", |subscription| {
                let ends = !end.is_null();
                subscription["canceled_at"] = if ends { json!(now) } else { Value::Null };
                let reason = if ends { json!("cancellation_requested") } else { Value::Null };
                subscription["cancellation_details"]["reason"] = reason;
                subscription["cancel_at_period_end"] = json!(false);
                subscription["cancel_at"] = end;
            });
        }
    }
    Ok(())
}
