//! Reads subscriptions, their schedules, and their past states.

use super::discount::discounts;
use super::fields::{currency, id, interval, own_amount};
use crate::inbox::json::{at, list, minor, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, SubscriptionState};
use crate::subscriptions::{
    ObservedChange, ObservedItem, ObservedSubscription, ScheduledChangeKind, SubscriptionStatus,
};
use chrono::{DateTime, Utc};
use serde_json::Value;

type Period = (DateTime<Utc>, DateTime<Utc>);

/// Reads a subscription; `related` holds its schedules, discounts and their coupons as far as they are known.
pub(in crate::inbox) fn subscription(object: &Object, related: &[Object]) -> Option<ObservedSubscription> {
    let subscription = &object.payload;
    let instant = |name: &str| seconds(at(subscription, name));
    let created_at = instant("created")?;
    let status = status(subscription)?;
    let schedule_external_id = id(at(subscription, "schedule"));
    let ended_at = instant("ended_at");
    let mut scheduled: Vec<ObservedChange> = Vec::new();
    if ended_at.is_none() && !matches!(status, SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired) {
        scheduled.extend(instant("cancel_at").map(|effective_at| ObservedChange {
            kind: ScheduledChangeKind::Cancel,
            effective_at,
            price_external_id: None,
            quantity: None,
        }));
        let schedules = related.iter().filter(|object| object.kind == ObjectKind::SubscriptionSchedule);
        scheduled.extend(schedules.filter_map(|schedule| next_phase(&schedule.payload)));
    }
    Some(ObservedSubscription {
        provider: "stripe",
        external_id: object.external_id.clone(),
        customer_external_id: id(at(subscription, "customer")),
        status,
        started_at: instant("start_date").unwrap_or(created_at),
        trial: instant("trial_start").zip(instant("trial_end")).filter(|(start, end)| start <= end),
        cancel_at: instant("cancel_at"),
        cancel_at_period_end: at(subscription, "cancel_at_period_end") == &Value::Bool(true),
        canceled_at: instant("canceled_at"),
        ended_at,
        paused_at: None,
        next_billed_at: None,
        schedule_external_id,
        latest_invoice_external_id: id(at(subscription, "latest_invoice")),
        metadata: at(subscription, "metadata").clone(),
        items: items(subscription),
        scheduled,
        created_at,
        observed_at: object.occurred_at,
    })
}

/// Reads the state of a subscription for its history.
pub(in crate::inbox) fn state(subscription: &Value, related: &[Object]) -> Option<SubscriptionState> {
    let status = status(subscription)?;
    Some(SubscriptionState {
        status,
        paused: status == SubscriptionStatus::Paused || !at(subscription, "pause_collection").is_null(),
        items: items(subscription),
        discounts: discounts(subscription, related),
    })
}

fn status(subscription: &Value) -> Option<SubscriptionStatus> {
    text(subscription, "status")?.parse().ok()
}

fn items(subscription: &Value) -> Vec<ObservedItem> {
    // Before basil the period of all items is on the subscription.
    let whole = period(subscription);
    list(subscription, "items.data").iter().filter_map(|each| item(each, whole)).collect()
}

fn item(item: &Value, whole: Option<Period>) -> Option<ObservedItem> {
    let price = at(item, "price");
    let interval = interval(price);
    Some(ObservedItem {
        external_id: text(item, "id")?.to_owned(),
        price_external_id: id(price)?,
        quantity: minor(at(item, "quantity")).filter(|quantity| *quantity >= 0),
        metered: text(price, "recurring.usage_type") == Some("metered"),
        period: period(item).or(whole),
        currency: currency(price)?,
        unit_amount_minor: own_amount(price, "unit_amount").filter(|amount| *amount >= 0),
        interval,
        interval_count: minor(at(price, "recurring.interval_count")).filter(|count| *count > 0).unwrap_or(1),
    })
}

fn period(holder: &Value) -> Option<Period> {
    let (start, end) = (seconds(at(holder, "current_period_start")), seconds(at(holder, "current_period_end")));
    start.zip(end).filter(|(start, end)| start <= end)
}

/// Returns the change that the phase after the current one makes.
fn next_phase(schedule: &Value) -> Option<ObservedChange> {
    if !matches!(text(schedule, "status"), Some("active" | "not_started")) {
        return None;
    }
    let current_end = seconds(at(schedule, "current_phase.end_date"));
    let mut phases = list(schedule, "phases").iter();
    let next = phases.find_map(|phase| {
        let start = seconds(at(phase, "start_date"))?;
        current_end.is_none_or(|end| start >= end).then_some((phase, start))
    });
    let (phase, effective_at) = next?;
    let item = at(phase, "items.0");
    Some(ObservedChange {
        kind: ScheduledChangeKind::PlanChange,
        effective_at,
        price_external_id: Some(id(at(item, "price"))?),
        quantity: minor(at(item, "quantity")).filter(|quantity| *quantity >= 0),
    })
}
