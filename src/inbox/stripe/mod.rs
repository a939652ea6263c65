//! What Stripe's objects say, in our terms: read as JSON, because the version of an endpoint decides the shape of what
//! it gets, and old and new shapes stand side by side. <https://docs.stripe.com/changelog> names the versions:
//!
//! - 2025-03-31 "basil" moved the billing period to the items and the subscription of an invoice to its `parent`, took
//!   the ties between invoices and payment intents away (only an `invoice_payment` has them), and the single `discount`.
//! - 2025-09-30 "clover" put the coupon of a discount under `source`, and that of a promotion code under `promotion`.
//!
//! What is missing or malformed is `None`, and never a reason to fail.

mod catalogue;
mod discount;
mod invoice;
mod payment;
mod subscription;

pub(super) use catalogue::{customer, embedded_prices, price};
pub(super) use discount::{coupon, coupon_of, promo_code, redemption};
pub(super) use invoice::invoice;
pub(super) use payment::{buys_credits, payment, purchase};
pub(super) use subscription::{state, subscription};

use super::json::{at, text};
use super::object::{Object, Ties};
use crate::plans::PriceInterval;
use serde_json::Value;
use uuid::Uuid;

/// The kinds of objects that are mirrored.
const KINDS: [&str; 14] = [
    "charge",
    "checkout.session",
    "coupon",
    "customer",
    "discount",
    "dispute",
    "invoice",
    "invoice_payment",
    "payment_intent",
    "price",
    "product",
    "promotion_code",
    "refund",
    "subscription",
];

/// What kind of object this is; `None` for those that are not mirrored.
///
/// A `plan` is the same thing as the price with its id, and is told as that too.
pub(super) fn kind(object: &Value) -> Option<&'static str> {
    let kind = text(object, "object")?;
    KINDS.into_iter().chain(["subscription_schedule"]).find(|known| *known == kind)
}

/// Events that tell no more of an object than that it is gone.
pub(super) const OBITUARIES: [&str; 4] = ["customer.deleted", "product.deleted", "price.deleted", "coupon.deleted"];

/// Whether events of this kind say that their object is gone.
pub(super) fn is_obituary(kind: &str) -> bool {
    OBITUARIES.contains(&kind) || kind == "customer.discount.deleted"
}

/// What an object is tied to.
pub(super) fn ties(kind: &str, object: &Value) -> Ties {
    let (own, tie) = (|| id(at(object, "id")), |path| id(at(object, path)));
    let mut ties = Ties {
        customer: tie("customer"),
        subscription: tie("subscription").or_else(|| tie("parent.subscription_details.subscription")),
        invoice: tie("invoice"),
        payment: tie("payment_intent").or_else(|| tie("payment.payment_intent")),
        charge: tie("charge"),
        product: tie("product").filter(|_| kind == "price"),
    };
    match kind {
        "customer" => ties.customer = own(),
        "subscription" => ties.subscription = own(),
        "invoice" => ties.invoice = own(),
        "payment_intent" => ties.payment = own(),
        "charge" => {
            ties.charge = own();
            // Charges that were made without an intent are payments by themselves.
            ties.payment = ties.payment.or_else(own);
        }
        _ => {}
    }
    ties
}

/// The account here that an object names by itself.
pub(super) fn account(object: &Value) -> Option<Uuid> {
    let named = ["metadata.tollgate_account", "parent.subscription_details.metadata.tollgate_account"];
    named.into_iter().find_map(|path| Uuid::try_parse(text(object, path)?).ok())
}

/// The user that an object names by itself.
pub(super) fn user(object: &Value) -> Option<&str> {
    let named = ["metadata.user_id", "client_reference_id"].into_iter().find_map(|path| text(object, path));
    named.or_else(|| {
        ["parent.subscription_details.metadata.user_id", "subscription_details.metadata.user_id"]
            .into_iter()
            .find_map(|path| text(object, path))
    })
}

/// The gift here that an object is made for: the checkout that sells it, or the subscription that it was redeemed for.
pub(super) fn gift(object: &Object) -> Option<Uuid> {
    let made = ["checkout.session", "subscription"].contains(&object.kind.as_str());
    Uuid::try_parse(text(&object.payload, "metadata.gift").filter(|_| made)?).ok()
}

/// Whether a checkout session ended without anything being bought.
pub(super) fn is_expired(session: &Object) -> bool {
    text(&session.payload, "status") == Some("expired")
}

/// How near the state of an object is to its end.
pub(super) fn progress(kind: &str, object: &Value) -> u8 {
    let status = text(object, "status").unwrap_or_default();
    match (kind, status) {
        ("subscription", "incomplete") => 0,
        ("subscription", "canceled" | "incomplete_expired") => 3,
        ("invoice", "draft") => 0,
        ("invoice", "open") => 1,
        ("invoice", "uncollectible") => 2,
        ("invoice", _) => 3,
        ("payment_intent", "processing" | "requires_capture") => 1,
        ("payment_intent", "succeeded" | "canceled") => 3,
        ("charge", "pending") => 0,
        ("charge", _) if at(object, "refunded") == &Value::Bool(true) => 3,
        ("charge", _) => 1 + u8::from(at(object, "amount_refunded").as_i64() > Some(0)),
        ("refund", "succeeded") => 2,
        ("refund", "failed" | "canceled") => 3,
        ("dispute", "under_review" | "warning_under_review") => 1,
        ("dispute", "won" | "lost" | "warning_closed" | "prevented") => 3,
        ("checkout.session", "complete") => 1 + u8::from(text(object, "payment_status") != Some("unpaid")),
        ("checkout.session", "expired") => 2,
        ("subscription_schedule", "completed" | "released" | "canceled") => 3,
        ("subscription" | "subscription_schedule" | "invoice_payment", _) => 1,
        _ => 0,
    }
}

/// An id, which stands by itself or in the object that it is the id of.
fn id(value: &Value) -> Option<String> {
    value.as_str().or_else(|| value["id"].as_str()).filter(|id| !id.is_empty()).map(str::to_owned)
}

/// A currency as we write it.
fn currency(object: &Value) -> Option<String> {
    let currency = text(object, "currency")?.to_ascii_uppercase();
    (currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(currency)
}

/// How often a price is charged, in our words.
fn interval(price: &Value) -> PriceInterval {
    let interval = text(price, "recurring.interval").and_then(|interval| interval.parse().ok());
    interval.unwrap_or(PriceInterval::OneTime)
}
