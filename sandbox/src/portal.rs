//! The portal in which customers change what they have.

use serde_json::{Value, json};

use super::cards::{self, Card};
use super::form::Params;
use super::refusal::{Outcome, refused};
use super::state::{State, text};
use super::subscriptions::first_item;

/// `POST /v1/billing_portal/sessions`
pub(super) fn create(state: &mut State, params: &Params) -> Outcome<Value> {
    params.allow(&["customer", "return_url", "configuration", "locale"])?;
    let customer = state.find("customer", params.need("customer")?, "customer")?;
    let id = state.new_id("bps_");
    let session = json!({
        "id": id, "object": "billing_portal.session", "configuration": null, "created": state.now,
        "customer": customer["id"], "flow": null, "livemode": false, "locale": params.or_null("locale"),
        "on_behalf_of": null, "return_url": params.or_null("return_url"), "url": format!("{}/portal/{id}", state.base),
    });
    state.put(session.clone());
    Ok(session)
}

/// What a customer asks for in the portal.
pub(super) enum Wish {
    /// To end a subscription with its period.
    Cancel(String),
    /// Not to end it after all.
    Keep(String),
    /// To pay with another card.
    Card(Card),
}

/// Does what a customer asks for.
pub(super) fn act(state: &mut State, session: &str, wish: &Wish) -> Outcome<()> {
    let session = state.find("billing_portal.session", session, "")?;
    let customer = text(&session, "customer").to_owned();
    let now = state.now;
    match wish {
        Wish::Card(card) => _ = cards::set_default(state, &customer, *card),
        Wish::Cancel(id) | Wish::Keep(id) => {
            let subscription = state.find("subscription", id, "subscription")?;
            if subscription["customer"] != customer.as_str() || !subscription["ended_at"].is_null() {
                return Err(refused("", "subscription", "This subscription cannot be changed."));
            }
            let end = match wish {
                Wish::Cancel(_) => first_item(&subscription)["current_period_end"].clone(),
                _ => Value::Null,
            };
            state.update(id, "customer.subscription.updated", |subscription| {
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
