//! The kinds of Stripe's objects that are mirrored.

use crate::inbox::json::text;
use crate::inbox::kinds::{Dependent, KindEntry, ObjectKind, RecordKind, Reference, Sweep, kind_named};
use serde_json::Value;

/// The kinds, in the order in which they refer to each other. A `plan` is not among them: it is the price with its id,
/// and comes as that too.
pub(in crate::inbox) const KINDS: &[KindEntry] = &[
    KindEntry::new(ObjectKind::Product, "product")
        .swept_at("products", Sweep::All)
        .with_records(&[Dependent::prices()]),
    KindEntry::new(ObjectKind::Price, "price")
        .swept_at("prices", Sweep::All)
        .with_records(&[Dependent::own(RecordKind::Price)]),
    KindEntry::new(ObjectKind::Coupon, "coupon")
        .swept_at("coupons", Sweep::All)
        .with_records(&[Dependent::own(RecordKind::Coupon)]),
    KindEntry::new(ObjectKind::PromotionCode, "promotion_code")
        .swept_at("promotion_codes", Sweep::All)
        .with_records(&[Dependent::own(RecordKind::PromoCode), Dependent::redemptions()]),
    KindEntry::new(ObjectKind::Customer, "customer")
        .swept_at("customers", Sweep::All)
        .with_records(&[Dependent::own(RecordKind::Customer)]),
    KindEntry::new(ObjectKind::Subscription, "subscription")
        .swept_at("subscriptions", Sweep::All)
        .listed_with(&[("status", "all")])
        .with_records(&[Dependent::own(RecordKind::Subscription)]),
    KindEntry::new(ObjectKind::Invoice, "invoice")
        .swept_at("invoices", Sweep::Created)
        .with_records(&[Dependent::own(RecordKind::Invoice)]),
    KindEntry::new(ObjectKind::InvoicePayment, "invoice_payment")
        .swept_at("invoice_payments", Sweep::Created)
        .with_records(&[Dependent::of(Reference::Invoice, RecordKind::Invoice), PAYMENT]),
    KindEntry::new(ObjectKind::PaymentIntent, "payment_intent")
        .swept_at("payment_intents", Sweep::Created)
        .with_records(&[PAYMENT]),
    KindEntry::new(ObjectKind::Charge, "charge").swept_at("charges", Sweep::Created).with_records(&[PAYMENT]),
    KindEntry::new(ObjectKind::Refund, "refund").swept_at("refunds", Sweep::Created).with_records(&[PAYMENT]),
    KindEntry::new(ObjectKind::Dispute, "dispute").swept_at("disputes", Sweep::Created).with_records(&[PAYMENT]),
    KindEntry::new(ObjectKind::CheckoutSession, "checkout.session")
        .swept_at("checkout/sessions", Sweep::Created)
        .with_records(&[Dependent::own(RecordKind::Purchase), Dependent::own(RecordKind::Gift)]),
    KindEntry::new(ObjectKind::SubscriptionSchedule, "subscription_schedule")
        .fetched_at("subscription_schedules")
        .with_records(&[SUBSCRIPTION]),
    KindEntry::new(ObjectKind::Discount, "discount")
        .with_records(&[SUBSCRIPTION, Dependent::own(RecordKind::Redemption)]),
];

const PAYMENT: Dependent = Dependent::of(Reference::Payment, RecordKind::Payment);
const SUBSCRIPTION: Dependent = Dependent::of(Reference::Subscription, RecordKind::Subscription);

/// Returns the kind of an object; `None` for kinds that are not mirrored.
pub(in crate::inbox) fn kind(object: &Value) -> Option<ObjectKind> {
    kind_named(KINDS, text(object, "object")?)
}

/// Returns the path of an object's collection; `None` where Stripe does not return objects of its kind by id.
pub fn collection_of(object: &Value) -> Option<&'static str> {
    entry(kind(object)?)?.collection
}

/// Returns the entry of a kind; `None` for kinds that Stripe does not have.
pub(in crate::inbox) fn entry(kind: ObjectKind) -> Option<&'static KindEntry> {
    KINDS.iter().find(|entry| entry.kind == kind)
}
