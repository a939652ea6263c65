//! Actions of customers on the checkout page.

use serde_json::{Value, json};

use crate::billing::payments;
use crate::error::{StripeResult, card_error, card_error_with_rollback, invalid_request, no_payment_method};
use crate::objects::basket;
use crate::objects::cards::{self, Card};
use crate::objects::customers;
use crate::objects::discounts;
use crate::objects::intents::{self, Attempt, IntentDetails};
use crate::objects::invoices;
use crate::objects::sessions::{self, find_open};
use crate::objects::subscriptions::{self, NewSubscription};
use crate::store::{Store, number, text};
use crate::terms::days_after;

const SECONDS_PER_DAY: i64 = 86_400;

/// Pays a session. Returns the intent if the customer has to confirm it.
pub(crate) fn pay(store: &mut Store, id: &str, card: Card) -> StripeResult<Option<String>> {
    let session = find_open(store, id)?;
    let payment = session["mode"] == "payment";
    let customer = ensure_customer(store, &session);
    let method = cards::create(store, card, customer.as_deref());
    if payment { pay_once(store, &session, &method) } else { subscribe(store, &session, &method) }
}

/// Returns the customer of a session. In subscription mode, creates one if there is none.
fn ensure_customer(store: &mut Store, session: &Value) -> Option<String> {
    let id = text(session, "id");
    let notes = basket::load(store, id);
    let known = session["customer"].as_str().or(notes["customer"].as_str()).map(str::to_owned);
    if known.is_some() || session["mode"] == "payment" {
        return known;
    }
    let email = session["customer_email"].as_str().unwrap_or("buyer@example.com").to_owned();
    let created = customers::insert(store, json!({}), |customer| {
        customer["email"] = json!(email);
        customer["name"] = json!("Example Buyer");
    });
    store.emit("customer.created", &created);
    basket::set(store, id, "customer", &json!(created));
    Some(created)
}

fn pay_once(store: &mut Store, session: &Value, method: &str) -> StripeResult<Option<String>> {
    let id = text(session, "id");
    if session["amount_total"] == 0 {
        sessions::complete(store, id, "no_payment_required");
        return Ok(None);
    }
    let notes = basket::load(store, id);
    let intent = match session["payment_intent"].as_str() {
        Some(intent) => intent.to_owned(),
        None => {
            let details = IntentDetails {
                amount: number(session, "amount_total"),
                currency: text(session, "currency"),
                customer: session["customer"].clone(),
                description: notes["description"].clone(),
                metadata: notes["metadata"].clone(),
            };
            let intent = intents::insert(store, &details);
            store.emit("payment_intent.created", &intent);
            store.edit(id, |session| session["payment_intent"] = json!(intent));
            intent
        }
    };
    attempt(store, &intent, method)
}

fn attempt(store: &mut Store, intent: &str, method: &str) -> StripeResult<Option<String>> {
    match payments::attempt(store, intent, Some(method), false) {
        Attempt::Paid => Ok(None),
        Attempt::RequiresAction => Ok(Some(intent.to_owned())),
        Attempt::Declined(error) => Err(card_error(&error, store.get(intent))),
        Attempt::NoPaymentMethod => Err(no_payment_method()),
    }
}

fn subscribe(store: &mut Store, session: &Value, method: &str) -> StripeResult<Option<String>> {
    let id = text(session, "id");
    let notes = basket::load(store, id);
    // A card that is stored for later payments is checked as well.
    let declines = matches!(cards::behavior(store.get(method)), Card::Declined | Card::WithoutFunds);
    if declines && session["amount_total"] == 0 {
        let error = json!({"type": "card_error", "code": "card_declined", "decline_code": "generic_decline",
            "message": "Your card was declined."});
        return Err(card_error_with_rollback(&error, &Value::Null));
    }
    let customer = notes["customer"].as_str().or(session["customer"].as_str()).unwrap_or_default().to_owned();
    let known = notes["subscription"].as_str().filter(|known| store.get(known)["status"] == "incomplete");
    let subscription = match known {
        Some(known) => known.to_owned(),
        None => {
            let trial_end = notes["trial"].as_i64().map(|seconds| days_after(store.now, seconds / SECONDS_PER_DAY));
            let new = NewSubscription {
                customer: customer.clone(),
                items: basket::items(&notes).into_iter().map(|item| (item.price, item.quantity)).collect(),
                trial_end,
                method: json!(method),
                discounts: basket::coupons(&notes),
                metadata: notes["metadata"].clone(),
                description: notes["description"].clone(),
            };
            let created = subscriptions::create(store, &new, |_, _| Ok(()))?;
            basket::set(store, id, "subscription", &json!(created));
            created
        }
    };
    store.update(&subscription, "customer.subscription.updated", |subscription| {
        subscription["default_payment_method"] = json!(method);
    });
    if store.get(&subscription)["status"] == "incomplete" {
        let invoice = text(store.get(&subscription), "latest_invoice").to_owned();
        let intent = invoices::intent_of(store, &invoice);
        return attempt(store, &intent, method);
    }
    sessions::complete(store, id, "no_payment_required");
    Ok(None)
}

/// Applies the promotion code that a customer typed.
pub(crate) fn apply_code(store: &mut Store, id: &str, typed: &str) -> StripeResult<()> {
    let session = find_open(store, id)?;
    if session["allow_promotion_codes"] != true {
        return Err(invalid_request("", "code", "This session takes no promotion codes."));
    }
    let mut codes = store.all("promotion_code").rev();
    let found =
        codes.find(|code| code["active"] == true && text(code, "code").eq_ignore_ascii_case(typed.trim())).cloned();
    drop(codes);
    let Some(code) = found else { return Err(invalid_request("resource_missing", "code", "This code is invalid.")) };
    let amount = number(&session, "amount_subtotal");
    let coupon = discounts::resolve_code(store, &code, &session["customer"], amount, "code")?;
    let notes = basket::load(store, id);
    let items = basket::items(&notes);
    basket::save(store, id, &items, &[coupon], notes);
    // A failed attempt has left an intent with the former amount.
    if let Some(intent) = session["payment_intent"].as_str() {
        let amount = store.get(id)["amount_total"].clone();
        store.edit(intent, |intent| intent["amount"] = amount);
    }
    Ok(())
}
