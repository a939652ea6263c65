//! Another plan for a subscription: at once, or when what is paid for ends.

use super::cancel::release_schedule;
use super::offer::{Offer, offer};
use super::order::{Order, again, ensure, place};
use super::subscription::{billed, mirrored, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::db::Txn;
use crate::error::{Error, Result};
use crate::inbox;
use crate::outbox::{self, Call};
use crate::subscriptions;
use chrono::{DateTime, Utc};
use entity::subscription_items;
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// What a subscription is to become.
#[derive(Debug, Clone, Serialize)]
pub struct PlanChange {
    /// Which subscription.
    pub subscription_id: Uuid,
    /// The price of the plan.
    pub price_id: Uuid,
    /// How many; as many as now where it is left out.
    pub quantity: Option<i64>,
    /// At once, with the difference paid or credited now; else when what is paid for ends.
    pub now: bool,
    /// As of when the difference is reckoned, as a preview said; the present where it is left out.
    pub proration_at: Option<DateTime<Utc>>,
}

/// Changes the plan of a subscription. A change that was planned before is not to be.
pub async fn change_plan(app: &App, viewer: &Viewer, change: PlanChange, key: &str) -> Result<Model> {
    let input = change.clone();
    let order = Order { operation: "subscriptions.change_plan", key, input: &input };
    if let Some(done) = again(app, viewer, &order).await? {
        return changed(app, done.object_id, change.subscription_id).await;
    }
    let id = change.subscription_id;
    let caller = viewer.clone();
    let done = if change.now {
        // What was planned is given up only for a change that can be.
        find(app, viewer, &change).await?;
        release_schedule(app, viewer, id).await?;
        place(app, viewer, order, move |txn| {
            Box::pin(async move {
                let Wanted { row, item, offer } = wanted(txn, &caller, &change).await?;
                let mut params = json!({
                    "items": [replaced(&item, &offer)],
                    "proration_behavior": "always_invoice",
                    "payment_behavior": "error_if_incomplete",
                    "expand": ["latest_invoice.payments"],
                });
                if let Some(at) = change.proration_at {
                    params["proration_date"] = json!(at.timestamp());
                }
                // A charge: not made later, when the customer has gone away.
                Ok(Call { persistent: false, ..update(&row, "subscriptions.change_plan", params) })
            })
        })
        .await?
    } else {
        let schedule = schedule(app, viewer, &change, order.key_of(viewer, "schedule")).await?;
        place(app, viewer, order, move |txn| {
            Box::pin(async move {
                let Wanted { row, item, offer } = wanted(txn, &caller, &change).await?;
                planned(&row, &item, &offer, &schedule)
            })
        })
        .await?
    };
    changed(app, done.object_id, id).await
}

/// The subscription after a change; of a change that is planned Stripe answers with the schedule.
async fn changed(app: &App, object_id: String, id: Uuid) -> Result<Model> {
    if object_id.starts_with("sub_sched") {
        return subscriptions::find(app.db.read(), id).await;
    }
    mirrored(app, &object_id).await
}

struct Wanted {
    row: Model,
    item: subscription_items::Model,
    offer: Offer,
}

async fn find(app: &App, viewer: &Viewer, change: &PlanChange) -> Result<Wanted> {
    let (caller, change) = (viewer.clone(), change.clone());
    app.db.write(move |txn| Box::pin(async move { wanted(txn, &caller, &change).await })).await
}

/// What is to be changed into what.
async fn wanted(txn: &Txn, viewer: &Viewer, change: &PlanChange) -> Result<Wanted> {
    let row = billed(txn, viewer, change.subscription_id).await?;
    let item = plan_item(txn, row.id).await?;
    let quantity = change.quantity.or(item.quantity).unwrap_or(1);
    let offer = offer(txn, change.price_id, quantity, &["plan"]).await?;
    if !offer.recurs() {
        return Err(Error::refused("PRICE_NOT_FOUND", &["priceId"], "a subscription needs a price that recurs"));
    }
    if Some(&offer.sold_as.external_id) == item.price_external_id.as_ref() && Some(quantity) == item.quantity {
        return Err(Error::refused("NOTHING_TO_CHANGE", &["priceId"], "the subscription has this price"));
    }
    Ok(Wanted { row, item, offer })
}

/// The item of a subscription that gives the plan.
pub(super) async fn plan_item(txn: &Txn, subscription_id: Uuid) -> Result<subscription_items::Model> {
    let items = subscriptions::items_of(txn, subscription_id).await?;
    let plan = items.into_iter().find(|item| item.kind == "plan");
    plan.ok_or_else(|| Error::refused("NO_PLAN", &["subscriptionId"], "the subscription gives no plan to be changed"))
}

/// An item with another price, as Stripe is told.
pub(super) fn replaced(item: &subscription_items::Model, offer: &Offer) -> Value {
    let mut replaced = offer.item();
    replaced["id"] = json!(item.external_id);
    replaced
}

/// The schedule of a subscription, made where there is none; it leaves all as it is.
async fn schedule(app: &App, viewer: &Viewer, change: &PlanChange, key: String) -> Result<Value> {
    let Wanted { row, .. } = find(app, viewer, change).await?;
    if let Some(known) = &row.schedule_external_id {
        return outbox::look_up(app, "subscription_schedules", known, &[]).await;
    }
    if row.cancel_at.is_some() {
        let message = "the subscription is to end; resume it first";
        return Err(Error::refused("TO_BE_CANCELED", &["subscriptionId"], message));
    }
    let call = Call {
        account_id: Some(row.account_id),
        operation: "subscriptions.schedule",
        deletes: false,
        path: "subscription_schedules".to_owned(),
        params: json!({"from_subscription": row.external_id, "expand": ["subscription"]}),
        key: Some(key),
        persistent: true,
    };
    let made = ensure(app, viewer, call).await?;
    match made.object {
        Some(object) => Ok(object),
        None => outbox::look_up(app, "subscription_schedules", &made.object_id, &[]).await,
    }
}

/// The call that plans a change: what is now until the period ends, then the other plan.
fn planned(row: &Model, item: &subscription_items::Model, offer: &Offer, schedule: &Value) -> Result<Call> {
    let current = &schedule["phases"][0];
    let odd = || Error::internal(anyhow::anyhow!("a schedule has no phase that is now"));
    let (id, start, end) = (schedule["id"].as_str(), current["start_date"].as_i64(), current["end_date"].as_i64());
    let (id, start, end) = (id.ok_or_else(odd)?, start.ok_or_else(odd)?, end.ok_or_else(odd)?);
    let items = current["items"].as_array().ok_or_else(odd)?;
    let told = |item: &Value| {
        let price = item["price"].as_str().or_else(|| item["price"]["id"].as_str());
        json!({"price": price, "quantity": item["quantity"]})
    };
    let now: Vec<Value> = items.iter().map(told).collect();
    let of_plan = |told: &Value| told["price"].as_str() == item.price_external_id.as_deref();
    let then: Vec<Value> = now.iter().map(|told| if of_plan(told) { offer.item() } else { told.clone() }).collect();
    Ok(Call {
        path: format!("subscription_schedules/{id}"),
        ..update(
            row,
            "subscriptions.change_plan",
            json!({
                "end_behavior": "release",
                "phases": [
                    {"items": now, "start_date": start, "end_date": end},
                    {"items": then, "start_date": end, "iterations": 1, "proration_behavior": "none"},
                ],
                "expand": ["subscription"],
            }),
        )
    })
}

/// Gives up what is planned for a subscription.
pub async fn undo_scheduled_change(app: &App, viewer: &Viewer, subscription_id: Uuid, key: &str) -> Result<Model> {
    let order = Order { operation: "subscriptions.undo_scheduled_change", key, input: &subscription_id };
    let caller = viewer.clone();
    place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let row = billed(txn, &caller, subscription_id).await?;
            let Some(schedule) = &row.schedule_external_id else {
                let message = "nothing is planned for the subscription; one that is to end is resumed";
                return Err(Error::refused("NOTHING_PLANNED", &["subscriptionId"], message));
            };
            let path = format!("subscription_schedules/{schedule}/release");
            Ok(Call { path, ..update(&row, "subscriptions.undo_scheduled_change", json!({})) })
        })
    })
    .await?;
    let row = subscriptions::find(app.db.read(), subscription_id).await?;
    if row.schedule_external_id.is_some() {
        // Stripe answers with the schedule, which does not show the subscription any more.
        inbox::refresh(app, "subscriptions", &row.external_id, &[]).await?;
    }
    subscriptions::find(app.db.read(), subscription_id).await
}
