//! The kinds of objects that are mirrored, and the entries of each provider's table of them.

use serde::{Deserialize, Serialize};

/// A kind of object at a payment provider that is mirrored. Ids are unique among the objects of one kind only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A refund, credit or chargeback at Paddle.
    Adjustment,
    /// One attempt to take money at Stripe.
    Charge,
    /// A visit to Stripe's checkout page.
    CheckoutSession,
    /// Stripe's terms of a discount.
    Coupon,
    /// A customer.
    Customer,
    /// A coupon given to a customer at Stripe; a discount of the catalogue at Paddle.
    Discount,
    /// A payment that a bank questions.
    Dispute,
    /// An invoice.
    Invoice,
    /// The link between an invoice and the payment of it.
    InvoicePayment,
    /// A payment at Stripe.
    PaymentIntent,
    /// A price of a product.
    Price,
    /// A product.
    Product,
    /// A code that gives a coupon.
    PromotionCode,
    /// Money that went back.
    Refund,
    /// A subscription.
    Subscription,
    /// The scheduled changes of a subscription.
    SubscriptionSchedule,
    /// An invoice and its payment in one, at Paddle.
    Transaction,
}

/// The kinds of objects that decide on the amounts of subscriptions.
pub(super) const DECIDING_KINDS: [ObjectKind; 3] = [ObjectKind::Coupon, ObjectKind::Discount, ObjectKind::Price];

/// A kind of record that is derived from objects. A record refers only to records of the kinds before its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RecordKind {
    Customer,
    Price,
    Coupon,
    PromoCode,
    Subscription,
    Redemption,
    Invoice,
    Payment,
    Purchase,
    Licences,
    Gift,
}

/// A record, named by the id at the provider of the object that it is derived from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordKey {
    pub(super) kind: RecordKind,
    pub(super) id: String,
}

/// One kind of object in a provider's table.
#[derive(Debug)]
pub(super) struct KindEntry {
    pub(super) kind: ObjectKind,
    /// The provider's name for the kind, as stored in `provider_objects.kind`.
    pub(super) name: &'static str,
    /// The path below `/v1/` at which objects are fetched and listed; `None` where the provider has none.
    pub(super) collection: Option<&'static str>,
    /// The query with which all objects are listed.
    pub(super) list_filters: &'static [(&'static str, &'static str)],
    /// The part of the list that a comparison covers.
    pub(super) sweep: Sweep,
    /// The records that depend on an object.
    pub(super) records: &'static [Dependent],
}

/// The part of a list that a comparison covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sweep {
    /// Nothing.
    Never,
    /// Every object.
    All,
    /// The objects created in the span of the comparison, for kinds that grow without bound.
    Created,
}

/// A record that depends on an object.
#[derive(Debug)]
pub(super) struct Dependent {
    pub(super) record: RecordKind,
    pub(super) id: DependentId,
}

/// The kinds of objects that objects refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    Customer,
    Subscription,
    Invoice,
    Payment,
    Product,
    PromotionCode,
}

/// The origin of a dependent record's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DependentId {
    /// The object's own id.
    Own,
    /// The id of an object that it refers to.
    Of(Reference),
    /// The ids of the objects of this kind that refer to the object.
    Referencing(Reference, ObjectKind),
}

impl KindEntry {
    /// Creates an entry of a kind that cannot be fetched and that no record depends on.
    pub(super) const fn new(kind: ObjectKind, name: &'static str) -> KindEntry {
        KindEntry { kind, name, collection: None, list_filters: &[], sweep: Sweep::Never, records: &[] }
    }

    /// Sets the path at which objects are fetched.
    pub(super) const fn fetched_at(self, collection: &'static str) -> KindEntry {
        KindEntry { collection: Some(collection), ..self }
    }

    /// Sets the path at which objects are fetched and listed, and the part that a comparison covers.
    pub(super) const fn swept_at(self, collection: &'static str, sweep: Sweep) -> KindEntry {
        KindEntry { collection: Some(collection), sweep, ..self }
    }

    /// Sets the query with which all objects are listed.
    pub(super) const fn listed_with(self, list_filters: &'static [(&'static str, &'static str)]) -> KindEntry {
        KindEntry { list_filters, ..self }
    }

    /// Sets the records that depend on an object.
    pub(super) const fn with_records(self, records: &'static [Dependent]) -> KindEntry {
        KindEntry { records, ..self }
    }
}

impl Dependent {
    /// The record that is derived from the object itself.
    pub(super) const fn own(record: RecordKind) -> Dependent {
        Dependent { record, id: DependentId::Own }
    }

    /// The prices of the object, a product.
    pub(super) const fn prices() -> Dependent {
        let id = DependentId::Referencing(Reference::Product, ObjectKind::Price);
        Dependent { record: RecordKind::Price, id }
    }

    /// The redemptions of the object, a promotion code.
    pub(super) const fn redemptions() -> Dependent {
        let id = DependentId::Referencing(Reference::PromotionCode, ObjectKind::Discount);
        Dependent { record: RecordKind::Redemption, id }
    }

    /// The record that is derived from an object that the object refers to.
    pub(super) const fn of(reference: Reference, record: RecordKind) -> Dependent {
        Dependent { record, id: DependentId::Of(reference) }
    }
}

/// Returns the kind called `name` in a provider's table; `None` for kinds that are not mirrored.
pub(super) fn kind_named(table: &[KindEntry], name: &str) -> Option<ObjectKind> {
    table.iter().find(|entry| entry.name == name).map(|entry| entry.kind)
}
