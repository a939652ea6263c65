//! A subscription as a payment provider has it, independent of the provider.

use super::pricing::{Package, Pricing};
use crate::plans::PriceInterval;
use crate::subscriptions::exact::Exact;
use crate::subscriptions::values::{DiscountDuration, DiscountScope, ScheduledChangeKind, SubscriptionStatus};
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// A subscription at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedSubscription {
    /// The provider: `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id at the provider.
    pub external_id: String,
    /// The customer's id at the provider.
    pub customer_external_id: Option<String>,
    /// Its status; `Paused` while the provider collects nothing.
    pub status: SubscriptionStatus,
    /// The currency that it bills in: ISO 4217 code in upper case.
    pub currency: Option<String>,
    /// Time of its start.
    pub started_at: DateTime<Utc>,
    /// Start and end of its trial.
    pub trial: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Scheduled time of its end, past or future.
    pub cancel_at: Option<DateTime<Utc>>,
    /// The provider's flag, which may be false although `cancel_at` is set.
    pub cancel_at_period_end: bool,
    /// Time of the request to end it.
    pub canceled_at: Option<DateTime<Utc>>,
    /// Time of its end.
    pub ended_at: Option<DateTime<Utc>>,
    /// Start of the present pause.
    pub paused_at: Option<DateTime<Utc>>,
    /// Time of the next bill, if the provider states it.
    pub next_billed_at: Option<DateTime<Utc>>,
    /// The id of its schedule at the provider.
    pub schedule_external_id: Option<String>,
    /// The id of its newest invoice at the provider.
    pub latest_invoice_external_id: Option<String>,
    /// The host application's metadata.
    pub metadata: Value,
    /// Its items.
    pub items: Vec<ObservedItem>,
    /// Its scheduled changes.
    pub scheduled: Vec<ObservedChange>,
    /// Time of creation at the provider.
    pub created_at: DateTime<Utc>,
    /// The provider's timestamp of this state.
    pub observed_at: DateTime<Utc>,
}

/// An item of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedItem {
    /// Its id at the provider, unique among the items of all subscriptions.
    pub external_id: String,
    /// The price's id at the provider.
    pub price_external_id: String,
    /// The id at the provider of the price's product.
    pub product_external_id: Option<String>,
    /// Quantity; `None` if usage is metered.
    pub quantity: Option<i64>,
    /// True if usage is metered.
    pub metered: bool,
    /// Its current billing period.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The price, in the subscription's currency.
    pub pricing: Pricing,
    /// The package in which units are sold; `None` if each unit is sold by itself.
    pub package: Option<Package>,
    /// Unit of the billing period.
    pub interval: PriceInterval,
    /// Number of intervals in one period.
    pub interval_count: i64,
}

impl ObservedItem {
    /// Returns its amount in one period, before discounts; `None` if it is not known.
    pub(super) fn amount(&self) -> Option<Exact> {
        self.pricing.amount(self.quantity.unwrap_or(1), self.package)
    }
}

/// A scheduled change of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedChange {
    /// Its kind.
    pub kind: ScheduledChangeKind,
    /// Time of the change.
    pub effective_at: DateTime<Utc>,
    /// The items after the change; empty if they stay.
    pub items: Vec<ObservedPlannedItem>,
}

/// An item of a subscription after a scheduled change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPlannedItem {
    /// The price's id at the provider.
    pub price_external_id: String,
    /// Quantity; `None` if the schedule does not state one.
    pub quantity: Option<i64>,
}

/// A discount of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDiscount {
    /// Its id at the provider.
    pub external_id: String,
    /// The part of the bill that it is given on.
    pub scope: DiscountScope,
    /// The id at the provider of the item that it is given on; `None` for all items.
    pub item_external_id: Option<String>,
    /// The ids at the provider of the products or prices that it is restricted to; `None` for all.
    pub products: Option<Vec<String>>,
    /// The coupon's id at the provider; `None` if it is not known.
    pub coupon_external_id: Option<String>,
    /// Its terms; `None` if they are not known.
    pub terms: Option<DiscountTerms>,
    /// Time of its start.
    pub starts_at: Option<DateTime<Utc>>,
    /// Time of its end: as planned, or earlier if it was removed.
    pub ends_at: Option<DateTime<Utc>>,
}

/// The terms of a discount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscountTerms {
    /// Its duration.
    pub duration: DiscountDuration,
    /// The deduction.
    pub off: DiscountOff,
}

/// The deduction of a discount from an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiscountOff {
    /// A part of the amount, from 0 to 1.
    Part(Exact),
    /// An amount.
    Amount {
        /// The amount in minor units.
        minor: i64,
        /// ISO 4217 code in upper case.
        currency: String,
        /// True if it is taken off each unit, false if once off the invoice.
        per_unit: bool,
    },
}

/// A past state of a subscription: the last one of its second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedState {
    /// Time from which it was in force.
    pub effective_at: DateTime<Utc>,
    /// Its status at that time.
    pub status: SubscriptionStatus,
    /// True while nothing is collected.
    pub paused: bool,
    /// The currency that it billed in: ISO 4217 code in upper case.
    pub currency: Option<String>,
    /// Its items at that time.
    pub items: Vec<ObservedItem>,
    /// Its discounts at that time, and those of its customer that begin while it is in force.
    pub discounts: Vec<ObservedDiscount>,
    /// The type of the event that caused it, such as `customer.subscription.updated`.
    pub cause: String,
    /// The event's id in the inbox.
    pub inbox_event_id: Uuid,
}

impl ObservedState {
    /// Returns a sentence without its end on the first amount that is not known; `None` if all are.
    pub fn unknown_amount(&self) -> Option<String> {
        let item = self.items.iter().find(|item| !item.metered && item.amount().is_none());
        let currency = self.currency.as_deref().unwrap_or("the subscription's currency");
        let price =
            item.map(|item| format!("The amount of the price {} in {currency} is not known", item.price_external_id));
        let is_unknown = |discount: &&ObservedDiscount| !discount.is_known_in(currency);
        let discount = self.discounts.iter().find(is_unknown).map(|discount| &discount.external_id);
        price.or_else(|| Some(format!("The amount of the discount {} in {currency} is not known", discount?)))
    }
}
