//! Ending a subscription, having it go on, and pausing it.

use super::order::{Order, again, ensure, place};
use super::subscription::{billed, mirrored, update};
use crate::app::App;
use crate::auth::Viewer;
use crate::error::{Error, Result};
use crate::outbox::Call;
use chrono::{DateTime, Utc};
use entity::subscriptions::Model;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// The longest comment that Stripe keeps.
const LONGEST_COMMENT: usize = 5_000;

/// How a subscription is to end.
#[derive(Debug, Clone, Serialize)]
pub struct Cancel {
    /// Which one.
    pub subscription_id: Uuid,
    /// At once, without paying anything back, rather than at the end of what is paid for.
    pub now: bool,
    /// Why, in one word of Stripe's.
    pub feedback: Option<Feedback>,
    /// Why, in the customer's words.
    pub comment: Option<String>,
}

/// Why customers leave, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Feedback {
    /// It is hard to use.
    TooComplex,
    /// It is not good enough.
    LowQuality,
    /// Something else.
    Other,
    /// Another product is better.
    SwitchedService,
    /// Something is missing.
    MissingFeatures,
    /// It costs too much.
    TooExpensive,
    /// Support was not good.
    CustomerService,
    /// It is not used.
    Unused,
}

/// Ends a subscription, now or when what is paid for ends.
pub async fn cancel_subscription(app: &App, viewer: &Viewer, cancel: Cancel, key: &str) -> Result<Model> {
    if cancel.comment.as_ref().is_some_and(|comment| comment.chars().count() > LONGEST_COMMENT) {
        return Err(Error::refused("COMMENT_TOO_LONG", &["comment"], "a comment has at most 5,000 characters"));
    }
    let input = cancel.clone();
    let order = Order { operation: "subscriptions.cancel", key, input: &input };
    if let Some(done) = again(app, viewer, &order).await? {
        return mirrored(app, &done.object_id).await;
    }
    release_schedule(app, viewer, cancel.subscription_id).await?;
    let caller = viewer.clone();
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let row = billed(txn, &caller, cancel.subscription_id).await?;
            let mut details = serde_json::Map::new();
            details.extend(cancel.feedback.map(|feedback| ("feedback".to_owned(), json!(feedback))));
            details.extend(cancel.comment.map(|comment| ("comment".to_owned(), json!(comment))));
            let mut params = json!({});
            if !details.is_empty() {
                params["cancellation_details"] = Value::Object(details);
            }
            if !cancel.now {
                params["cancel_at_period_end"] = json!(true);
            }
            Ok(Call { deletes: cancel.now, ..update(&row, "subscriptions.cancel", params) })
        })
    });
    mirrored(app, &done.await?.object_id).await
}

/// Has a subscription go on that was to end, or that is paused.
pub async fn resume_subscription(app: &App, viewer: &Viewer, subscription_id: Uuid, key: &str) -> Result<Model> {
    let order = Order { operation: "subscriptions.resume", key, input: &subscription_id };
    let caller = viewer.clone();
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let row = billed(txn, &caller, subscription_id).await?;
            let mut params = json!({});
            if row.cancel_at_period_end {
                params["cancel_at_period_end"] = json!(false);
            } else if row.cancel_at.is_some() {
                params["cancel_at"] = Value::Null;
            }
            if row.paused_at.is_some() && row.status != "paused" {
                params["pause_collection"] = Value::Null;
            }
            let call = update(&row, "subscriptions.resume", params);
            match &*row.status {
                // Stripe paused it by itself: a trial ended and there was no card.
                "paused" => Ok(Call {
                    path: format!("{}/resume", call.path),
                    params: json!({"billing_cycle_anchor": "now"}),
                    ..call
                }),
                _ if call.params == json!({}) => {
                    let message = "it is neither to end nor paused";
                    Err(Error::refused("NOTHING_TO_RESUME", &["subscriptionId"], message))
                }
                _ => Ok(call),
            }
        })
    });
    mirrored(app, &done.await?.object_id).await
}

/// Has nothing collected for a subscription, until it is resumed or until `until`. The plan is
/// kept meanwhile.
pub async fn pause_subscription(
    app: &App,
    viewer: &Viewer,
    (subscription_id, until): (Uuid, Option<DateTime<Utc>>),
    key: &str,
) -> Result<Model> {
    let order = Order { operation: "subscriptions.pause", key, input: &(subscription_id, until) };
    let (caller, now) = (viewer.clone(), app.now());
    let done = place(app, viewer, order, move |txn| {
        Box::pin(async move {
            let row = billed(txn, &caller, subscription_id).await?;
            if until.is_some_and(|until| until <= now) {
                return Err(Error::refused("UNTIL_INVALID", &["until"], "it lies in the past"));
            }
            if row.paused_at.is_some() || row.status == "paused" {
                return Err(Error::refused("ALREADY_PAUSED", &["subscriptionId"], "it is paused already"));
            }
            let mut pause = json!({"behavior": "void"});
            if let Some(until) = until {
                pause["resumes_at"] = json!(until.timestamp());
            }
            Ok(update(&row, "subscriptions.pause", json!({"pause_collection": pause})))
        })
    });
    mirrored(app, &done.await?.object_id).await
}

/// Takes a subscription out of the hands of its schedule, if it has one: what is planned for it is not to be.
pub(super) async fn release_schedule(app: &App, viewer: &Viewer, subscription_id: Uuid) -> Result<()> {
    let caller = viewer.clone();
    let row = app.db.write(move |txn| Box::pin(async move { billed(txn, &caller, subscription_id).await })).await?;
    let Some(schedule) = row.schedule_external_id else { return Ok(()) };
    let call = Call {
        account_id: Some(row.account_id),
        operation: "subscriptions.release",
        deletes: false,
        path: format!("subscription_schedules/{schedule}/release"),
        params: json!({}),
        key: Some(format!("release-{schedule}-{}", app.now().format("%Y%m%d"))),
        persistent: true,
    };
    ensure(app, viewer, call).await.map(drop)
}
