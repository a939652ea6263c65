//! The names under which objects and the records derived from them are locked.

use super::kinds::{ObjectKind, RecordKind};

/// The kinds of objects and records whose locks are one where their ids are.
///
/// One id may be an invoice, a payment and a purchase at once, and the providers assign the ids of all of these, so that
/// they share a group. Ids that people choose, such as those of coupons and prices, have groups of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LockGroup {
    Customer,
    Product,
    Price,
    Coupon,
    PromotionCode,
    Discount,
    Subscription,
    Schedule,
    Money,
}

/// The name of a lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LockKey {
    pub(super) group: LockGroup,
    pub(super) id: String,
}

impl LockGroup {
    /// Returns the name of the group in the key of the lock.
    pub(super) fn name(self) -> &'static str {
        match self {
            LockGroup::Customer => "customer",
            LockGroup::Product => "product",
            LockGroup::Price => "price",
            LockGroup::Coupon => "coupon",
            LockGroup::PromotionCode => "promotion_code",
            LockGroup::Discount => "discount",
            LockGroup::Subscription => "subscription",
            LockGroup::Schedule => "schedule",
            LockGroup::Money => "money",
        }
    }
}

impl ObjectKind {
    /// Returns the lock of the object with this id.
    pub(super) fn lock(self, id: &str) -> LockKey {
        let group = match self {
            ObjectKind::Customer => LockGroup::Customer,
            ObjectKind::Product => LockGroup::Product,
            ObjectKind::Price => LockGroup::Price,
            ObjectKind::Coupon => LockGroup::Coupon,
            ObjectKind::PromotionCode => LockGroup::PromotionCode,
            ObjectKind::Discount => LockGroup::Discount,
            ObjectKind::Subscription => LockGroup::Subscription,
            ObjectKind::SubscriptionSchedule => LockGroup::Schedule,
            ObjectKind::Adjustment
            | ObjectKind::Charge
            | ObjectKind::CheckoutSession
            | ObjectKind::Dispute
            | ObjectKind::Invoice
            | ObjectKind::InvoicePayment
            | ObjectKind::PaymentIntent
            | ObjectKind::Refund
            | ObjectKind::Transaction => LockGroup::Money,
        };
        LockKey { group, id: id.to_owned() }
    }
}

impl RecordKind {
    /// Returns the lock of the record with this id, which is that of the object that it is derived from.
    pub(super) fn lock(self, id: &str) -> LockKey {
        let group = match self {
            RecordKind::Customer => LockGroup::Customer,
            RecordKind::Price => LockGroup::Price,
            RecordKind::Coupon => LockGroup::Coupon,
            RecordKind::PromoCode => LockGroup::PromotionCode,
            RecordKind::Redemption => LockGroup::Discount,
            RecordKind::Subscription => LockGroup::Subscription,
            RecordKind::Invoice
            | RecordKind::Payment
            | RecordKind::Purchase
            | RecordKind::Licences
            | RecordKind::Gift => LockGroup::Money,
        };
        LockKey { group, id: id.to_owned() }
    }
}
