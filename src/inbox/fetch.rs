//! Fetches the newest version of an object from Stripe, as an event of the inbox, so that it is applied even where
//! events are late, out of order or lost.
//!
//! Objects are fetched before the transaction, never inside one. Where Stripe does not answer, the events alone decide.

use super::kinds::ObjectKind;
use super::redact::redact;
use super::state::{EventSource, EventState};
use super::{store, stripe};
use crate::app::App;
use crate::error::Result;
use crate::metrics::FetchOutcome;
use crate::providers::Provider;
use crate::providers::stripe::{CallError, VERSION};
use chrono::{DateTime, Timelike, Utc};
use entity::inbox_events::Model;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// The type of an event that holds a fetched object.
pub(super) const FETCHED: &str = "tollgate.fetched";

/// The longest wait for an object, with all attempts: events are applied one after the other, so that a slow answer
/// holds up those behind it, and without an answer the events alone decide.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Fields that differ each time that an object is fetched, and say nothing of its state.
const VOLATILE_FIELDS: [&str; 4] = ["hosted_invoice_url", "invoice_pdf", "receipt_url", "url"];

/// Fields that Stripe returns only where they are expanded.
const EXPANDED_ONLY: [&str; 3] = ["applies_to", "currency_options", "tiers"];

/// Returns the newest version of an object that has pending events; empty where it cannot be fetched or Stripe does not
/// answer.
pub(super) async fn latest(app: &App, provider: Provider, kind: ObjectKind, object_id: &str) -> Vec<Model> {
    match fetch(app, provider, kind, object_id).await {
        Ok(found) => found.into_iter().collect(),
        Err(error) => {
            tracing::warn!(cause = format!("{:#}", anyhow::Error::from(error)), "an object is applied unfetched");
            Vec::new()
        }
    }
}

async fn fetch(app: &App, provider: Provider, kind: ObjectKind, object_id: &str) -> Result<Option<Model>> {
    let (Provider::Stripe, Some(client)) = (provider, &app.stripe) else { return Ok(None) };
    let Some(event) = store::pending_event(app.db.read(), provider, kind, object_id).await? else { return Ok(None) };
    let sent = &event.payload["data"]["object"];
    let Some(collection) = stripe::collection_of(sent) else { return Ok(None) };
    let expansions = stripe::expansions(sent);
    let answer = match timeout(MAX_WAIT, client.get(collection, object_id, &expansions)).await {
        Ok(Ok(answer)) => answer,
        Err(_) => {
            app.metrics.count_fetch(FetchOutcome::Failed);
            let limit_s = MAX_WAIT.as_secs();
            tracing::warn!(collection, object_id, limit_s, "an object is applied as it was sent: Stripe is slow");
            return Ok(None);
        }
        Ok(Err(CallError::NotFound)) => {
            app.metrics.count_fetch(FetchOutcome::Missing);
            tracing::debug!(collection, object_id, "Stripe sent an object that it does not have");
            return Ok(None);
        }
        Ok(Err(error)) => {
            app.metrics.count_fetch(FetchOutcome::Failed);
            tracing::warn!(collection, object_id, %error, "an object is applied as it was sent: it cannot be fetched");
            return Ok(None);
        }
    };
    app.metrics.count_fetch(FetchOutcome::Answered);
    let found = event_of(app, answer.object, answer.at, EventSource::Fetched);
    let is_asked = |row: &Model| {
        row.object_id.as_deref() == Some(object_id) && row.object_kind.as_deref() == Some(provider.kind_name(kind))
    };
    Ok(found.filter(is_asked))
}

/// Returns an event that holds an object as Stripe returned it at `at`; `None` for an object of the other mode or of a
/// kind that is not mirrored.
pub(super) fn event_of(app: &App, mut object: Value, at: Option<DateTime<Utc>>, source: EventSource) -> Option<Model> {
    redact(&mut object);
    let kind = Provider::Stripe.kind_entry(stripe::kind(&object)?)?;
    let object_id = object["id"].as_str()?.to_owned();
    if object["livemode"].as_bool().is_some_and(|livemode| livemode != app.config.providers.livemode) {
        return None;
    }
    let event_type = match object["deleted"].as_bool() {
        // A deleted object is returned with nothing but its id.
        Some(true) => Some(format!("{}.deleted", kind.name)).filter(|event_type| stripe::is_deletion(event_type))?,
        _ => FETCHED.to_owned(),
    };
    let now = app.now();
    // By Stripe's clock and to the second, like the events among which it is ordered.
    let at = at.unwrap_or(now).with_nanosecond(0)?;
    // Of two answers in one second, the later one has the greater id.
    let id = app.new_id();
    let external_id = format!("fetched:{object_id}:{id}");
    let payload = json!({
        "id": external_id, "object": "event", "type": event_type, "api_version": VERSION, "created": at.timestamp(),
        "livemode": app.config.providers.livemode, "data": {"object": object},
    });
    Some(Model {
        id,
        provider: Provider::Stripe.name().to_owned(),
        external_id,
        kind: event_type,
        api_version: Some(VERSION.to_owned()),
        object_id: Some(object_id),
        occurred_at: at.fixed_offset(),
        received_at: now.fixed_offset(),
        payload,
        state: EventState::Received.as_str().to_owned(),
        attempts: 0,
        next_attempt_at: None,
        error: None,
        applied_at: None,
        source: source.as_str().to_owned(),
        waits_for: None,
        note: None,
        object_kind: Some(kind.name.to_owned()),
    })
}

/// Returns the kind and the id of the object of a fetched event.
pub(super) fn object_of(row: &Model) -> Option<(ObjectKind, String)> {
    Some((Provider::Stripe.kind_named(row.object_kind.as_deref()?)?, row.object_id.clone()?))
}

/// Returns true if a known version of an object shows the state of a fetched one, and all that was expanded in it.
pub(super) fn is_same(known: &Value, fetched: &Value) -> bool {
    let (Value::Object(known), Value::Object(fetched)) = (known, fetched) else { return known == fetched };
    let is_lasting = |name: &&String| !VOLATILE_FIELDS.contains(&name.as_str());
    let mut names = known.keys().chain(fetched.keys()).filter(is_lasting);
    names.all(|name| shows_field(known.get(name), fetched.get(name), name))
}

fn shows_field(known: Option<&Value>, fetched: Option<&Value>, name: &str) -> bool {
    match (known, fetched) {
        (Some(known), Some(fetched)) => shows(known, fetched),
        (Some(_), None) | (None, Some(Value::Null)) if EXPANDED_ONLY.contains(&name) => true,
        (known, fetched) => known == fetched,
    }
}

/// Returns true if `known` says all that `fetched` says, which may have ids in place of objects.
fn shows(known: &Value, fetched: &Value) -> bool {
    match (known, fetched) {
        (Value::Object(known), Value::Object(fetched)) => {
            known.keys().chain(fetched.keys()).all(|name| shows_field(known.get(name), fetched.get(name), name))
        }
        (Value::Array(known), Value::Array(fetched)) => {
            known.len() == fetched.len() && known.iter().zip(fetched).all(|(known, fetched)| shows(known, fetched))
        }
        (Value::Object(known), Value::String(id)) => known.get("id").and_then(Value::as_str) == Some(id),
        (known, fetched) => known == fetched,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatile_fields_make_no_other_state() {
        let one = json!({"id": "in_1", "status": "open", "invoice_pdf": "https://a.example/1"});
        assert!(is_same(&one, &json!({"id": "in_1", "status": "open", "invoice_pdf": "https://a.example/2"})));
        assert!(is_same(&one, &json!({"id": "in_1", "status": "open"})));
        assert!(!is_same(&one, &json!({"id": "in_1", "status": "paid", "invoice_pdf": "https://a.example/1"})));
        assert!(!is_same(&one, &json!({"id": "in_1", "status": "open", "number": "1"})));
    }

    #[test]
    fn what_is_expanded_is_news_and_what_is_not_is_none() {
        let price = |fields: Value| json!({"id": "sub_1", "items": {"data": [{"price": fields}]}});
        let (bare, expanded) =
            (price(json!({"id": "p"})), price(json!({"id": "p", "currency_options": {"eur": {"unit_amount": 1}}})));
        assert!(is_same(&expanded, &bare) && !is_same(&bare, &expanded));
        let (named, whole) = (json!({"discounts": ["di_1"]}), json!({"discounts": [{"id": "di_1", "end": null}]}));
        assert!(is_same(&whole, &named) && !is_same(&named, &whole));
        assert!(!is_same(&whole, &json!({"discounts": ["di_2"]})) && !is_same(&whole, &json!({"discounts": []})));
    }
}
