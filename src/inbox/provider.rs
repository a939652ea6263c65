//! Selects the reader of each provider: all code that differs between the two.

use super::kinds::{KindEntry, ObjectKind, kind_named};
use super::object::{Object, References, SubscriptionState};
use super::past::Past;
use super::{paddle, stripe};
use crate::accounts::ObservedCustomer;
use crate::credits::ObservedPurchase;
use crate::payments::{ObservedInvoice, ObservedPayment};
use crate::plans::ObservedPrice;
use crate::providers::Provider;
use crate::subscriptions::ObservedSubscription;
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::collections::BTreeSet;
use uuid::Uuid;

impl Provider {
    /// Returns the table of the kinds of objects that are mirrored.
    fn kinds(self) -> &'static [KindEntry] {
        match self {
            Provider::Stripe => stripe::KINDS,
            Provider::Paddle => paddle::KINDS,
        }
    }

    /// Returns the entry of a kind; `None` where the provider has no such objects.
    pub(super) fn kind_entry(self, kind: ObjectKind) -> Option<&'static KindEntry> {
        self.kinds().iter().find(|entry| entry.kind == kind)
    }

    /// Returns the provider's name of a kind; empty where it has no such objects.
    pub(super) fn kind_name(self, kind: ObjectKind) -> &'static str {
        self.kind_entry(kind).map_or("", |entry| entry.name)
    }

    /// Returns the kind with this name; `None` for kinds that are not mirrored.
    pub(super) fn kind_named(self, name: &str) -> Option<ObjectKind> {
        kind_named(self.kinds(), name)
    }

    /// Returns the kind of the object of an event; `None` for kinds that are not mirrored and for types of events that
    /// this version does not know.
    pub(super) fn kind_of(self, event_type: &str, object: &Value) -> Option<ObjectKind> {
        if !self.knows(event_type) {
            return None;
        }
        match self {
            Provider::Stripe => stripe::kind(object),
            Provider::Paddle => paddle::kind(event_type),
        }
    }

    /// Returns the provider's name of the kind of an event's object, also for kinds that are not mirrored.
    pub(super) fn kind_name_of<'e>(self, event_type: &'e str, object: &'e Value) -> Option<&'e str> {
        match self {
            Provider::Stripe => object["object"].as_str(),
            Provider::Paddle => Some(event_type.split('.').next().unwrap_or(event_type)),
        }
    }

    /// Takes the object out of an event, and its previous values as far as the event has them.
    pub(super) fn take_object(self, mut event: Value) -> (Value, Value) {
        match self {
            Provider::Stripe => (event["data"]["object"].take(), event["data"]["previous_attributes"].take()),
            Provider::Paddle => (event["data"].take(), Value::Null),
        }
    }

    /// Returns the references of an object.
    pub(super) fn references(self, kind: ObjectKind, object: &Value) -> References {
        match self {
            Provider::Stripe => stripe::references(kind, object),
            Provider::Paddle => paddle::references(kind, object),
        }
    }

    /// Ranks the state of an object by how near it is to the end of the object's life.
    pub(super) fn progress(self, kind: ObjectKind, object: &Value) -> u8 {
        match self {
            Provider::Stripe => stripe::progress(kind, object),
            Provider::Paddle => u8::from(paddle::is_terminal(kind, object)),
        }
    }

    /// Returns the types of events that contain nothing but the deletion of an object.
    pub(super) fn bare_deletions(self) -> &'static [&'static str] {
        match self {
            Provider::Stripe => &stripe::BARE_DELETIONS,
            Provider::Paddle => &[],
        }
    }

    /// Returns true for a type of event that reports a deletion.
    pub(super) fn is_deletion(self, event_type: &str) -> bool {
        match self {
            Provider::Stripe => stripe::is_deletion(event_type),
            Provider::Paddle => false,
        }
    }

    /// Returns the account that an object names, as objects do that Tollgate created.
    pub(super) fn account(self, object: &Object) -> Option<Uuid> {
        match self {
            Provider::Stripe => stripe::account(&object.payload),
            Provider::Paddle => None,
        }
    }

    /// Returns the user of the host application whom an object names in a field that only a server can write.
    pub(super) fn user(self, object: &Object) -> Option<String> {
        match self {
            Provider::Stripe => stripe::user(&object.payload).map(str::to_owned),
            Provider::Paddle => paddle::user(object),
        }
    }

    /// Returns the text with which an object names its owner in a field that the buyer's browser can write. It counts
    /// only if it is a signed reference.
    pub(super) fn claim(self, object: &Object) -> Option<String> {
        match self {
            Provider::Stripe => stripe::claim(object).map(str::to_owned),
            Provider::Paddle => paddle::claim(object),
        }
    }

    /// Returns the time of an object's creation.
    pub(super) fn created_at(self, object: &Object) -> DateTime<Utc> {
        match self {
            Provider::Stripe => stripe::created_at(object),
            Provider::Paddle => paddle::created_at(object),
        }
    }

    /// Reads a customer.
    pub(super) fn read_customer(self, object: &Object) -> Option<ObservedCustomer> {
        match self {
            Provider::Stripe => stripe::customer(object),
            Provider::Paddle => paddle::customer(object),
        }
    }

    /// Reads a price; `product` is its product, if it is known.
    pub(super) fn read_price(self, object: &Object, product: Option<&Object>) -> Option<ObservedPrice> {
        match self {
            Provider::Stripe => stripe::price(object, product),
            Provider::Paddle => paddle::price(object, product),
        }
    }

    /// Returns the prices inside a subscription, each with its product if that is inside too.
    pub(super) fn embedded_prices(self, subscription: &Object) -> Vec<(Object, Option<Object>)> {
        match self {
            Provider::Stripe => stripe::embedded_prices(subscription).into_iter().map(|price| (price, None)).collect(),
            Provider::Paddle => paddle::embedded_prices(&subscription.payload),
        }
    }

    /// Returns the discounts, coupons and prices inside a version of a subscription or a customer.
    pub(super) fn embedded(self, holder: &Object) -> Vec<Object> {
        match self {
            Provider::Stripe => stripe::embedded(holder),
            Provider::Paddle => Vec::new(),
        }
    }

    /// Returns the fields of an object that decide on the amounts of subscriptions; none for most kinds.
    pub(super) fn terms(self, kind: ObjectKind) -> &'static [&'static str] {
        match (self, kind) {
            (Provider::Stripe, ObjectKind::Price) => &["currency_options", "tiers"],
            (Provider::Stripe, ObjectKind::Coupon) => &stripe::COUPON_TERMS,
            (Provider::Paddle, ObjectKind::Discount) => &paddle::DISCOUNT_TERMS,
            _ => &[],
        }
    }

    /// Returns the fields of an object that are sent only where they were expanded; none for most kinds.
    pub(super) fn expanded_fields(self, kind: ObjectKind) -> &'static [&'static str] {
        match self {
            Provider::Stripe => stripe::expanded_fields(kind),
            Provider::Paddle => &[],
        }
    }

    /// Returns the ids of the objects that decide on the amounts of a version of a subscription, as far as it does not
    /// contain them: discounts, coupons, prices.
    pub(super) fn needed_by(self, subscription: &Value) -> BTreeSet<String> {
        match self {
            Provider::Stripe => stripe::needed(subscription),
            Provider::Paddle => paddle::needed(subscription).into_iter().collect(),
        }
    }

    /// Reads a subscription; `related` are its schedules, its discounts and their coupons.
    pub(super) fn read_subscription(self, object: &Object, related: &[Object]) -> Option<ObservedSubscription> {
        match self {
            Provider::Stripe => stripe::subscription(object, related),
            Provider::Paddle => paddle::subscription(object),
        }
    }

    /// Reads the state of a version of a subscription for its history.
    pub(super) fn read_state(self, object: &Object, related: &[Object]) -> Option<SubscriptionState> {
        match self {
            Provider::Stripe => stripe::state(&object.payload, related),
            Provider::Paddle => paddle::state(object, related),
        }
    }

    /// Returns the ids of the prices that the lines of an invoice, or the items of a subscription, sell for money.
    pub(super) fn prices_sold(self, payload: &Value) -> Vec<String> {
        match self {
            Provider::Stripe => stripe::prices_sold(payload),
            // A transaction says itself what its lines are.
            Provider::Paddle => Vec::new(),
        }
    }

    /// Reads an invoice; `payments` are the links to its payments.
    pub(super) fn read_invoice(self, object: &Object, payments: &[Object]) -> Option<ObservedInvoice> {
        match self {
            Provider::Stripe => stripe::invoice(object, payments),
            Provider::Paddle => paddle::invoice(object),
        }
    }

    /// Returns the types of events that tell when something happened to a payment or an invoice.
    pub(super) fn telling_events(self) -> &'static [&'static str] {
        match self {
            Provider::Stripe => &stripe::TELLING_EVENTS,
            Provider::Paddle => &[],
        }
    }

    /// Reads a payment from all objects that refer to it, and their past.
    pub(super) fn read_payment(self, external_id: &str, related: &[Object], past: &Past) -> Option<ObservedPayment> {
        let of_kind = |kind| related.iter().filter(move |object| object.kind == kind);
        match self {
            Provider::Stripe => stripe::payment(external_id, related, past),
            Provider::Paddle => {
                let adjustments: Vec<_> = of_kind(ObjectKind::Adjustment).collect();
                paddle::payment(of_kind(ObjectKind::Transaction).next()?, &adjustments)
            }
        }
    }

    /// Reads purchased credits, of `unit` where the object names none. `payment` is our id of the payment and its
    /// newest state, if it is known.
    pub(super) fn read_purchase(
        self,
        object: &Object,
        adjustments: &[Object],
        unit: &str,
        payment: Option<(Uuid, &ObservedPayment)>,
    ) -> Option<ObservedPurchase> {
        match self {
            Provider::Stripe => stripe::purchase(object, unit, payment),
            Provider::Paddle => {
                let adjustments: Vec<_> = adjustments.iter().collect();
                paddle::purchase(object, &adjustments, unit, payment.map(|(id, _)| id))
            }
        }
    }
}
