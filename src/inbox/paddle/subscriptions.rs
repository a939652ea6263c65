//! Reads subscriptions.

use super::catalogue::interval;
use super::discounts::discounts;
use super::fields::{PADDLE, created_at, currency, natural, span};
use crate::inbox::json::{at, instant, list, text};
use crate::inbox::object::{Object, SubscriptionState};
use crate::subscriptions::{
    Exact, ObservedChange, ObservedItem, ObservedSubscription, Pricing, ScheduledChangeKind, SubscriptionStatus,
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// Reads a subscription; `None` for an unknown status.
pub(in crate::inbox) fn subscription(object: &Object) -> Option<ObservedSubscription> {
    let payload = &object.payload;
    let status = status(payload)?;
    let time = |path| instant(at(payload, path));
    let period = span(at(payload, "current_billing_period"));
    let scheduled = scheduled(at(payload, "scheduled_change"));
    let cancel_at =
        scheduled.iter().find(|change| change.kind == ScheduledChangeKind::Cancel).map(|change| change.effective_at);
    let canceled_at = time("canceled_at");
    let metadata = at(payload, "custom_data");
    Some(ObservedSubscription {
        provider: PADDLE,
        external_id: object.external_id.clone(),
        customer_external_id: text(payload, "customer_id").map(str::to_owned),
        status,
        currency: paid_in(payload),
        started_at: time("started_at").or_else(|| time("first_billed_at")).unwrap_or_else(|| created_at(object)),
        trial: trial(payload),
        cancel_at,
        // Paddle has no such flag.
        cancel_at_period_end: cancel_at.is_some() && cancel_at == period.map(|(_, end)| end),
        canceled_at,
        ended_at: (status == SubscriptionStatus::Canceled).then(|| canceled_at.unwrap_or(object.occurred_at)),
        paused_at: time("paused_at"),
        next_billed_at: time("next_billed_at"),
        schedule_external_id: None,
        // Only the event of the creation names a transaction, which is not the newest for long.
        latest_invoice_external_id: None,
        metadata: if metadata.is_object() { metadata.clone() } else { Value::Object(Map::new()) },
        items: items(object),
        scheduled,
        created_at: created_at(object),
        observed_at: object.occurred_at,
    })
}

/// Reads the state of a subscription for its history; `None` for an unknown status. `related` has its discounts, as far
/// as they are known.
pub(in crate::inbox) fn state(object: &Object, related: &[Object]) -> Option<SubscriptionState> {
    let status = status(&object.payload)?;
    Some(SubscriptionState {
        status,
        paused: status == SubscriptionStatus::Paused,
        items: items(object),
        discounts: discounts(&object.payload, related),
        currency: paid_in(&object.payload),
    })
}

fn status(payload: &Value) -> Option<SubscriptionStatus> {
    use SubscriptionStatus::{Active, Canceled, PastDue, Paused, Trialing};
    let status = text(payload, "status")?.parse().ok();
    status.filter(|status| matches!(status, Active | Canceled | PastDue | Paused | Trialing))
}

/// Returns the span from the first start to the last end of the items' trials, which Paddle keeps after the trial.
fn trial(payload: &Value) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let trials = list(payload, "items").iter().filter_map(|item| span(at(item, "trial_dates")));
    trials.reduce(|all, next| (all.0.min(next.0), all.1.max(next.1)))
}

/// Reads the scheduled changes. A pause may have its end scheduled too.
fn scheduled(change: &Value) -> Vec<ObservedChange> {
    let planned = |kind, effective_at| ObservedChange { kind, effective_at, items: Vec::new() };
    let kind = text(change, "action").and_then(|action| action.parse().ok());
    let kind = kind.filter(|kind| *kind != ScheduledChangeKind::PlanChange);
    let change_at = instant(at(change, "effective_at"));
    let mut all: Vec<_> = kind.zip(change_at).map(|(kind, at)| planned(kind, at)).into_iter().collect();
    if kind == Some(ScheduledChangeKind::Pause) {
        all.extend(instant(at(change, "resume_at")).map(|resume_at| planned(ScheduledChangeKind::Resume, resume_at)));
    }
    all
}

/// Returns the currency that a subscription bills in; where it is not stated, that of its first price.
fn paid_in(payload: &Value) -> Option<String> {
    currency(payload, "currency_code").or_else(|| currency(payload, "items.0.price.unit_price.currency_code"))
}

/// Reads the items, each price once, as Paddle has it.
fn items(object: &Object) -> Vec<ObservedItem> {
    let payload = &object.payload;
    let period = span(at(payload, "current_billing_period"));
    let mut items: Vec<ObservedItem> = Vec::new();
    for item in list(payload, "items") {
        let price = at(item, "price");
        let Some(price_id) = text(price, "id").filter(|id| items.iter().all(|item| item.price_external_id != *id))
        else {
            continue;
        };
        let cycles = [at(price, "billing_cycle"), at(payload, "billing_cycle")];
        let cycle = cycles.into_iter().find(|cycle| cycle.is_object()).unwrap_or(&Value::Null);
        let (Some((interval, interval_count)), Some(currency)) = (interval(cycle), paid_in(payload)) else { continue };
        items.push(ObservedItem {
            external_id: format!("{}:{price_id}", object.external_id),
            price_external_id: price_id.to_owned(),
            product_external_id: text(price, "product_id").map(str::to_owned),
            // Paddle has no metered items.
            quantity: Some(natural(at(item, "quantity")).unwrap_or(1)),
            metered: false,
            period,
            pricing: unit_amount(price, &currency)
                .map_or(Pricing::Unknown, |amount| Pricing::PerUnit(Exact::from_integer(amount.into()))),
            package: None,
            interval,
            interval_count,
        });
    }
    items
}

/// Reads the price of one unit in the subscription's currency: the price's own, or the one that is set for other
/// countries. `None` where Paddle converts the currency or where countries differ.
fn unit_amount(price: &Value, paid_in: &str) -> Option<i64> {
    let amount = |priced: &Value| {
        let same = currency(priced, "unit_price.currency_code").as_deref() == Some(paid_in);
        if same { natural(at(priced, "unit_price.amount")) } else { None }
    };
    amount(price).or_else(|| {
        let mut others: Vec<_> = list(price, "unit_price_overrides").iter().filter_map(amount).collect();
        others.sort_unstable();
        others.dedup();
        if let [only] = others[..] { Some(only) } else { None }
    })
}
