//! What a provider says of an object when it is asked, as an event of the inbox: so the newest state is applied even
//! where events come late, in disorder or not at all.
//!
//! Asked before the transaction, never inside one. Where there is no answer the events alone decide, by their order.

use super::clean::clean;
use super::{store, stripe};
use crate::app::App;
use crate::error::Result;
use crate::meter::FetchOutcome;
use crate::providers::Provider;
use crate::providers::stripe::{CallError, VERSION, is_fetchable};
use chrono::{DateTime, Timelike, Utc};
use entity::inbox_events::Model;
use serde_json::{Value, json};

/// The type of an event that holds an object we asked for.
const FETCHED: &str = "tollgate.fetched";

/// What differs each time that an object is shown, and says nothing of it.
const PASSING: [&str; 4] = ["hosted_invoice_url", "invoice_pdf", "receipt_url", "url"];

/// The newest state of an object that has events to be applied; empty where it cannot be asked for or nobody answers.
pub(super) async fn latest(app: &App, provider: Provider, object_id: &str) -> Vec<Model> {
    match ask(app, provider, object_id).await {
        Ok(found) => found.into_iter().collect(),
        Err(error) => {
            tracing::warn!(cause = format!("{:#}", anyhow::Error::from(error)), "an object is applied without asking");
            Vec::new()
        }
    }
}

async fn ask(app: &App, provider: Provider, object_id: &str) -> Result<Option<Model>> {
    let (Provider::Stripe, Some(client)) = (provider, &app.stripe) else { return Ok(None) };
    let Some(event) = store::pending_event(app.db.read(), provider, object_id).await? else { return Ok(None) };
    let Some(kind) = stripe::kind(&event.payload["data"]["object"]).filter(|kind| is_fetchable(kind)) else {
        return Ok(None);
    };
    let answer = match client.get(kind, object_id).await {
        Ok(answer) => answer,
        Err(CallError::NotFound) => {
            app.meter.count_fetch(FetchOutcome::Missing);
            tracing::debug!(kind, object_id, "Stripe does not have an object that it told of");
            return Ok(None);
        }
        Err(error) => {
            app.meter.count_fetch(FetchOutcome::Failed);
            tracing::warn!(kind, object_id, %error, "an object is applied as it was told, as it cannot be fetched");
            return Ok(None);
        }
    };
    app.meter.count_fetch(FetchOutcome::Answered);
    let found = fetched(app, answer.object, answer.at);
    Ok(found.filter(|row| row.object_id.as_deref() == Some(object_id)))
}

/// An object of Stripe that was asked for, as an event that tells its state; `None` where it is none of ours.
pub(super) fn fetched(app: &App, object: Value, at: Option<DateTime<Utc>>) -> Option<Model> {
    told(app, object, at, "fetched")
}

/// The same for an object that was learned of in the way that `source` says.
pub(super) fn told(app: &App, mut object: Value, at: Option<DateTime<Utc>>, source: &str) -> Option<Model> {
    clean(&mut object);
    let (kind, object_id) = (stripe::kind(&object)?, object["id"].as_str()?.to_owned());
    if object["livemode"].as_bool().is_some_and(|livemode| livemode != app.config.providers.livemode) {
        return None;
    }
    let event = match object["deleted"].as_bool() {
        // All that is told of such an object is its id.
        Some(true) => Some(format!("{kind}.deleted")).filter(|event| stripe::is_obituary(event))?,
        _ => FETCHED.to_owned(),
    };
    let now = app.now();
    // By Stripe's clock, as the events are that it is ordered among, and to the second as they are.
    let at = at.unwrap_or(now).with_nanosecond(0)?;
    // Of two answers in one second the later one has the greater id.
    let id = app.new_id();
    let external_id = format!("fetched:{object_id}:{id}");
    let payload = json!({
        "id": external_id, "object": "event", "type": event, "api_version": VERSION, "created": at.timestamp(),
        "livemode": app.config.providers.livemode, "data": {"object": object},
    });
    Some(Model {
        id,
        provider: Provider::Stripe.name().to_owned(),
        external_id,
        kind: event,
        api_version: Some(VERSION.to_owned()),
        object_id: Some(object_id),
        occurred_at: at.fixed_offset(),
        received_at: now.fixed_offset(),
        payload,
        state: "received".to_owned(),
        attempts: 0,
        next_attempt_at: None,
        error: None,
        applied_at: None,
        source: source.to_owned(),
        waits_for: None,
        note: None,
    })
}

/// Whether two states of an object are the same.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    let (Value::Object(one), Value::Object(other)) = (one, other) else { return one == other };
    let lasting = |fields: &serde_json::Map<String, Value>, name: &str| {
        (!PASSING.contains(&name)).then(|| fields.get(name).cloned()).flatten()
    };
    one.keys().chain(other.keys()).all(|name| lasting(one, name) == lasting(other, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_anew_each_time_makes_no_other_state() {
        let one = json!({"id": "in_1", "status": "open", "invoice_pdf": "https://a.example/1"});
        assert!(is_same(&one, &json!({"id": "in_1", "status": "open", "invoice_pdf": "https://a.example/2"})));
        assert!(is_same(&one, &json!({"id": "in_1", "status": "open"})));
        assert!(!is_same(&one, &json!({"id": "in_1", "status": "paid", "invoice_pdf": "https://a.example/1"})));
        assert!(!is_same(&one, &json!({"id": "in_1", "status": "open", "number": "1"})));
    }
}
