//! Subscriptions as the payment providers have them, now and at every time before.

mod arr;
mod history;
mod present;

pub use present::{note_first_payment, project_subscription};

use super::values::{DiscountDuration, ScheduledChangeKind, SubscriptionStatus};
use crate::plans::PriceInterval;
use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

/// A subscription at a payment provider, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedSubscription {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id there.
    pub external_id: String,
    /// The customer's id there.
    pub customer_external_id: Option<String>,
    /// Its status; `Paused` where the provider collects nothing.
    pub status: SubscriptionStatus,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// The bounds of its trial.
    pub trial: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When it will end, or was to end.
    pub cancel_at: Option<DateTime<Utc>>,
    /// The provider's flag; it may be false although `cancel_at` is set.
    pub cancel_at_period_end: bool,
    /// When it was asked to end.
    pub canceled_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// Since when it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// When it is billed next, where the provider says so by itself.
    pub next_billed_at: Option<DateTime<Utc>>,
    /// The id there of the schedule that governs it.
    pub schedule_external_id: Option<String>,
    /// The id there of its newest invoice.
    pub latest_invoice_external_id: Option<String>,
    /// The host application's own notes on it.
    pub metadata: Value,
    /// What it bills for.
    pub items: Vec<ObservedItem>,
    /// What is to become of it.
    pub scheduled: Vec<ObservedChange>,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
    /// The provider's time of this state.
    pub observed_at: DateTime<Utc>,
}

/// One thing that a subscription bills for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedItem {
    /// Its id there; unique among all items of all subscriptions.
    pub external_id: String,
    /// The price's id there.
    pub price_external_id: String,
    /// How many; `None` where usage is metered.
    pub quantity: Option<i64>,
    /// Whether usage is metered.
    pub metered: bool,
    /// The current billing period of this item.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// ISO 4217, upper case.
    pub currency: String,
    /// The price of one unit; `None` where it is not one whole amount.
    pub unit_amount_minor: Option<i64>,
    /// The unit of its billing period.
    pub interval: PriceInterval,
    /// How many intervals one period has.
    pub interval_count: i64,
}

/// What is to become of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedChange {
    /// What kind of change.
    pub kind: ScheduledChangeKind,
    /// When.
    pub effective_at: DateTime<Utc>,
    /// The price's id there that it changes to.
    pub price_external_id: Option<String>,
    /// How many of it.
    pub quantity: Option<i64>,
}

/// A state that a subscription was in: the last of its second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedState {
    /// Since when.
    pub effective_at: DateTime<Utc>,
    /// Its status then.
    pub status: SubscriptionStatus,
    /// Whether nothing is collected.
    pub paused: bool,
    /// What it billed for.
    pub items: Vec<ObservedItem>,
    /// What was taken off.
    pub discounts: Vec<ObservedDiscount>,
    /// The kind of event that brought it, e.g. `customer.subscription.updated`.
    pub cause: String,
    /// The event in the inbox.
    pub inbox_event_id: Uuid,
}

/// Something that lowers what a subscription costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDiscount {
    /// The coupon's id there.
    pub coupon_external_id: String,
    /// The percentage that is taken off, in hundredths of a percent.
    pub percent_basis_points: Option<i64>,
    /// The amount that is taken off, in the currency's smallest unit.
    pub amount_off_minor: Option<i64>,
    /// For how long.
    pub duration: DiscountDuration,
    /// When it began.
    pub starts_at: Option<DateTime<Utc>>,
    /// When it ends.
    pub ends_at: Option<DateTime<Utc>>,
}
