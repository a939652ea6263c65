//! A subscription as a payment provider has it, independent of the provider.

use crate::plans::PriceInterval;
use crate::subscriptions::values::{DiscountDuration, ScheduledChangeKind, SubscriptionStatus};
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
    /// Quantity; `None` if usage is metered.
    pub quantity: Option<i64>,
    /// True if usage is metered.
    pub metered: bool,
    /// Its current billing period.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// ISO 4217 code in upper case.
    pub currency: String,
    /// The price of one unit in minor units; `None` if it is not one whole amount.
    pub unit_amount_minor: Option<i64>,
    /// Unit of the billing period.
    pub interval: PriceInterval,
    /// Number of intervals in one period.
    pub interval_count: i64,
}

/// A scheduled change of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedChange {
    /// Its kind.
    pub kind: ScheduledChangeKind,
    /// Time of the change.
    pub effective_at: DateTime<Utc>,
    /// The id of the new price at the provider.
    pub price_external_id: Option<String>,
    /// The new quantity.
    pub quantity: Option<i64>,
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
    /// Its items at that time.
    pub items: Vec<ObservedItem>,
    /// Its discounts at that time.
    pub discounts: Vec<ObservedDiscount>,
    /// The type of the event that caused it, such as `customer.subscription.updated`.
    pub cause: String,
    /// The event's id in the inbox.
    pub inbox_event_id: Uuid,
}

/// A discount of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDiscount {
    /// The coupon's id at the provider.
    pub coupon_external_id: String,
    /// Percentage off, in hundredths of a percent.
    pub percent_basis_points: Option<i64>,
    /// Amount off, in minor units.
    pub amount_off_minor: Option<i64>,
    /// Its duration.
    pub duration: DiscountDuration,
    /// Time of its start.
    pub starts_at: Option<DateTime<Utc>>,
    /// Time of its end.
    pub ends_at: Option<DateTime<Utc>>,
}
