//! The kinds of Paddle's objects that are mirrored.

use crate::inbox::kinds::{Dependent, KindEntry, ObjectKind, RecordKind, Reference, kind_named};

/// The kinds, by the beginning of the types of their events.
pub(in crate::inbox) const KINDS: &[KindEntry] = &[
    KindEntry::new(ObjectKind::Customer, "customer").with_records(&[Dependent::own(RecordKind::Customer)]),
    KindEntry::new(ObjectKind::Product, "product").with_records(&[Dependent::prices()]),
    KindEntry::new(ObjectKind::Price, "price").with_records(&[Dependent::own(RecordKind::Price)]),
    KindEntry::new(ObjectKind::Discount, "discount"),
    KindEntry::new(ObjectKind::Subscription, "subscription").with_records(&[Dependent::own(RecordKind::Subscription)]),
    KindEntry::new(ObjectKind::Transaction, "transaction").with_records(&[
        Dependent::own(RecordKind::Invoice),
        Dependent::own(RecordKind::Payment),
        Dependent::own(RecordKind::Purchase),
        Dependent::own(RecordKind::Licences),
    ]),
    KindEntry::new(ObjectKind::Adjustment, "adjustment").with_records(&[
        Dependent::of(Reference::Payment, RecordKind::Payment),
        Dependent::of(Reference::Payment, RecordKind::Purchase),
        Dependent::of(Reference::Payment, RecordKind::Licences),
    ]),
];

/// Returns the kind of the object of an event of this type; `None` for kinds that are not mirrored.
pub(in crate::inbox) fn kind(event_type: &str) -> Option<ObjectKind> {
    kind_named(KINDS, event_type.split_once('.')?.0)
}
