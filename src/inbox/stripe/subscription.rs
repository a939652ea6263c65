//! Reads subscriptions, their schedules, and their past states.

use super::applied::discounts;
use super::fields::{id, interval};
use super::pricing::{package, paid_in, pricing};
use crate::inbox::json::{at, list, minor, seconds, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, SubscriptionState};
use crate::subscriptions::{
    ObservedChange, ObservedItem, ObservedPlannedItem, ObservedSubscription, Pricing, ScheduledChangeKind,
    SubscriptionStatus,
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
        let resumes_at = seconds(at(subscription, "pause_collection.resumes_at"));
        let ends = [(ScheduledChangeKind::Cancel, instant("cancel_at")), (ScheduledChangeKind::Resume, resumes_at)];
        scheduled.extend(ends.into_iter().filter_map(|(kind, effective_at)| {
            Some(ObservedChange { kind, effective_at: effective_at?, items: Vec::new() })
        }));
        let schedules = related.iter().filter(|object| object.kind == ObjectKind::SubscriptionSchedule);
        scheduled.extend(schedules.filter_map(|schedule| next_phase(&schedule.payload)));
    }
    Some(ObservedSubscription {
        provider: "stripe",
        external_id: object.external_id.clone(),
        customer_external_id: id(at(subscription, "customer")),
        status,
        currency: paid_in(subscription),
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
        items: items(subscription, related),
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
        items: items(subscription, related),
        discounts: discounts(subscription, paid_in(subscription).as_deref(), related),
        currency: paid_in(subscription),
    })
}

fn status(subscription: &Value) -> Option<SubscriptionStatus> {
    text(subscription, "status")?.parse().ok()
}

fn items(subscription: &Value, related: &[Object]) -> Vec<ObservedItem> {
    // Before basil the period of all items is on the subscription.
    let whole = period(subscription);
    let paid_in = paid_in(subscription);
    let items = list(subscription, "items.data").iter();
    items.filter_map(|each| item(each, whole, paid_in.as_deref(), related)).collect()
}

fn item(item: &Value, whole: Option<Period>, paid_in: Option<&str>, related: &[Object]) -> Option<ObservedItem> {
    let price = at(item, "price");
    Some(ObservedItem {
        external_id: text(item, "id")?.to_owned(),
        price_external_id: id(price)?,
        product_external_id: id(at(price, "product")),
        quantity: minor(at(item, "quantity")).filter(|quantity| *quantity >= 0),
        metered: text(price, "recurring.usage_type") == Some("metered"),
        period: period(item).or(whole),
        pricing: paid_in.map_or(Pricing::Unknown, |paid_in| pricing(price, paid_in, related)),
        package: package(price),
        interval: interval(price),
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
    let items = list(phase, "items").iter().filter_map(|item| {
        let quantity = minor(at(item, "quantity")).filter(|quantity| *quantity >= 0);
        // Before 2020-08-27 the price of a phase is its `plan`.
        let price_external_id = id(at(item, "price")).or_else(|| id(at(item, "plan")))?;
        Some(ObservedPlannedItem { price_external_id, quantity })
    });
    let items: Vec<_> = items.collect();
    (!items.is_empty()).then_some(ObservedChange { kind: ScheduledChangeKind::PlanChange, effective_at, items })
}
