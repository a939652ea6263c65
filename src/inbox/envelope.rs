//! Reads the envelope of an event, which is all that is read when it arrives.

use super::redact::redact;
use crate::config::Providers;
use crate::providers::Provider;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde_json::Value;

/// The maximum length of an id or a type, in bytes; those of the providers are far shorter.
const MAX_WORD_BYTES: usize = 255;
/// The last second that both engines store in a sortable form: the end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

/// The reason to ignore an event that is about no object.
const NO_OBJECT: &str = "The event is about no object with an id.";
/// The reason to ignore an event of a type that the provider may have introduced later.
pub(super) const UNKNOWN_TYPE: &str =
    "Events of this type are not known to this version: replay the event after an update.";
/// The reason to ignore an event about an object that is not mirrored.
const NOT_MIRRORED: &str = "Objects of this kind are not mirrored.";

/// The envelope of an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Envelope {
    /// The event's id at the provider.
    pub(super) external_id: String,
    /// The event's type, such as `invoice.paid`.
    pub(super) event_type: String,
    /// The version of the provider's API that it is in, where it names one.
    pub(super) api_version: Option<String>,
    /// The id of the object that it is about, where that has one.
    pub(super) object_id: Option<String>,
    /// The kind of that object, by the provider's name.
    pub(super) object_kind: Option<String>,
    /// The time of the event, by the provider's clock.
    pub(super) occurred_at: DateTime<Utc>,
    /// The reason why it is stored without effect; `None` where it is to be applied.
    pub(super) ignored: Option<&'static str>,
}

/// Reads the verified body of a webhook, and returns the event with secrets removed; the error says why it is no event.
pub(super) fn read(provider: Provider, config: &Providers, body: &[u8]) -> Result<(Envelope, Value), &'static str> {
    read_value(provider, config, serde_json::from_slice(body).map_err(|_| "the body is not JSON")?)
}

/// Reads an event that was fetched, like [`read`].
pub(super) fn read_value(
    provider: Provider,
    config: &Providers,
    mut payload: Value,
) -> Result<(Envelope, Value), &'static str> {
    redact(&mut payload);
    let envelope = match provider {
        Provider::Stripe => stripe(config, &payload)?,
        Provider::Paddle => paddle(&payload)?,
    };
    Ok((envelope, payload))
}

fn stripe(config: &Providers, event: &Value) -> Result<Envelope, &'static str> {
    let external_id = word(&event["id"]).ok_or("the event has no id")?;
    let event_type = word(&event["type"]).ok_or("the event has no type")?;
    let created = match &event["created"] {
        Value::Number(seconds) => seconds.as_i64().and_then(second),
        Value::String(text) => instant(text),
        _ => None,
    };
    let occurred_at = created.ok_or("the event has no time of creation")?;
    let thin = event["object"].as_str().is_some_and(|object| object.starts_with("v2."));
    let object = if thin { &event["related_object"] } else { &event["data"]["object"] };
    let object_id = word(&object["id"]);
    let ours = event["account"].as_str().is_none_or(|account| config.stripe.account.as_deref() == Some(account));
    let ignored = if event["livemode"].as_bool() != Some(config.livemode) {
        Some("The event is of the other mode, live or test.")
    } else if !ours {
        Some("The event is of another account.")
    } else if thin {
        Some("Thin events hold no object: let the endpoint send snapshots.")
    } else if object_id.is_none() {
        Some(NO_OBJECT)
    } else {
        unmirrored(Provider::Stripe, &event_type, object)
    };
    let api_version = word(&event["api_version"]);
    let object_kind = word(&object["object"]).filter(|_| object_id.is_some());
    Ok(Envelope { external_id, event_type, api_version, object_id, object_kind, occurred_at, ignored })
}

fn paddle(event: &Value) -> Result<Envelope, &'static str> {
    let external_id = word(&event["event_id"]).ok_or("the event has no event_id")?;
    let event_type = word(&event["event_type"]).ok_or("the event has no event_type")?;
    let occurred_at = event["occurred_at"].as_str().and_then(instant).ok_or("the event has no occurred_at")?;
    let object_id = word(&event["data"]["id"]);
    let ignored = match object_id {
        Some(_) => unmirrored(Provider::Paddle, &event_type, &event["data"]),
        None => Some(NO_OBJECT),
    };
    let object_kind = Provider::Paddle.kind_name_of(&event_type, &event["data"]).map(str::to_owned);
    let object_kind = object_kind.filter(|_| object_id.is_some());
    Ok(Envelope { external_id, event_type, api_version: None, object_id, object_kind, occurred_at, ignored })
}

/// Returns the reason why an event about an object has no effect; `None` where the object is mirrored.
pub(super) fn unmirrored(provider: Provider, event_type: &str, object: &Value) -> Option<&'static str> {
    if !provider.knows(event_type) {
        return Some(UNKNOWN_TYPE);
    }
    provider.kind_of(event_type, object).is_none().then_some(NOT_MIRRORED)
}

/// Returns a text that is short enough for an index.
fn word(value: &Value) -> Option<String> {
    value.as_str().filter(|word| !word.is_empty() && word.len() <= MAX_WORD_BYTES).map(str::to_owned)
}

fn second(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0).filter(|_| (0..=LAST_SECOND).contains(&seconds))
}

/// Reads an instant in the form of RFC 3339, truncated to the microseconds that are stored.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    second(at.timestamp())?;
    at.duration_trunc(TimeDelta::microseconds(1)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use serde_json::json;

    fn providers(settings: &[(&str, &str)]) -> Providers {
        let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(None, env).unwrap().providers
    }

    fn of_stripe(change: Value) -> Value {
        let mut event = json!({
            "id": "evt_1", "object": "event", "api_version": "2024-06-20", "created": 1_768_478_400, "livemode": false,
            "type": "invoice.paid", "data": {"object": {"id": "in_1", "object": "invoice"}}
        });
        let fields = event.as_object_mut().unwrap();
        fields.extend(change.as_object().unwrap().clone());
        fields.retain(|_, value| !value.is_null());
        event
    }

    fn ignored(settings: &[(&str, &str)], event: &Value) -> Option<&'static str> {
        read(Provider::Stripe, &providers(settings), event.to_string().as_bytes()).unwrap().0.ignored
    }

    fn reason(provider: Provider, body: &str) -> &'static str {
        read(provider, &providers(&[]), body.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_event_of_stripe_is_read() {
        let body = of_stripe(json!({})).to_string();
        let (envelope, payload) = read(Provider::Stripe, &providers(&[]), body.as_bytes()).unwrap();
        let expected = Envelope {
            external_id: "evt_1".to_owned(),
            event_type: "invoice.paid".to_owned(),
            api_version: Some("2024-06-20".to_owned()),
            object_id: Some("in_1".to_owned()),
            object_kind: Some("invoice".to_owned()),
            occurred_at: "2026-01-15T12:00:00Z".parse().unwrap(),
            ignored: None,
        };
        assert_eq!((envelope, payload), (expected, of_stripe(json!({}))));
    }

    #[test]
    fn an_event_of_paddle_keeps_its_microseconds() {
        let event = json!({"event_id": "evt_01", "event_type": "customer.created", "notification_id": "ntf_1",
            "occurred_at": "2024-09-10T20:26:40.0270619Z", "data": {"id": "ctm_1"}});
        let (envelope, _) = read(Provider::Paddle, &providers(&[]), event.to_string().as_bytes()).unwrap();
        assert_eq!(envelope.occurred_at.to_rfc3339(), "2024-09-10T20:26:40.027061+00:00");
        assert_eq!((envelope.external_id.as_str(), envelope.object_id.as_deref()), ("evt_01", Some("ctm_1")));
        assert_eq!((envelope.api_version, envelope.ignored), (None, None));
    }

    #[test]
    fn an_event_that_is_not_for_us_is_ignored_with_a_reason() {
        let summary = json!({"object": {"object": "entitlements.active_entitlement_summary", "customer": "cus_1"}});
        let thin = json!({"object": "v2.core.event", "created": "2026-01-15T12:00:00.123Z", "data": null,
            "related_object": {"id": "mtr_1", "type": "billing.meter"}});
        let ours = [("TOLLGATE_STRIPE_ACCOUNT", "acct_1")];
        let live = [("TOLLGATE_LIVEMODE", "true")];
        for (settings, change, expected) in [
            (&[][..], json!({}), None),
            (&[], json!({"livemode": true}), Some("The event is of the other mode, live or test.")),
            (&live, json!({}), Some("The event is of the other mode, live or test.")),
            (&live, json!({"livemode": true}), None),
            (&[], json!({"livemode": null}), Some("The event is of the other mode, live or test.")),
            (&[], json!({"account": "acct_1"}), Some("The event is of another account.")),
            (&ours, json!({"account": "acct_1"}), None),
            (&ours, json!({"account": "acct_2"}), Some("The event is of another account.")),
            (&ours, json!({}), None),
            (&[], json!({"data": summary}), Some(NO_OBJECT)),
            (&[], json!({"type": "invoice.teleported"}), Some(UNKNOWN_TYPE)),
            (&[], json!({"type": "invoice"}), Some(UNKNOWN_TYPE)),
            (
                &[],
                json!({"type": "plan.created", "data": {"object": {"id": "gold", "object": "plan"}}}),
                Some(NOT_MIRRORED),
            ),
            (&[], thin, Some("Thin events hold no object: let the endpoint send snapshots.")),
        ] {
            assert_eq!(ignored(settings, &of_stripe(change.clone())), expected, "{change}");
        }
    }

    #[test]
    fn a_body_that_is_no_event_is_declined_with_a_reason() {
        let stripe = |change| reason(Provider::Stripe, &of_stripe(change).to_string());
        for body in ["", "{", "\u{feff}{}", "{\"id\":1e999}", &"[".repeat(500)] {
            assert_eq!(reason(Provider::Stripe, body), "the body is not JSON");
        }
        for body in ["[]", "7", "null", "{}", "{\"id\":\"\"}", "{\"id\":7}"] {
            assert_eq!(reason(Provider::Stripe, body), "the event has no id");
            assert_eq!(reason(Provider::Paddle, body), "the event has no event_id");
        }
        assert_eq!(stripe(json!({"id": "x".repeat(256)})), "the event has no id");
        assert_eq!(stripe(json!({"type": null})), "the event has no type");
        for created in [json!(null), json!(-1), json!(1.5), json!(LAST_SECOND + 1), json!("yesterday")] {
            assert_eq!(stripe(json!({"created": created})), "the event has no time of creation");
        }
        assert_eq!(reason(Provider::Paddle, "{\"event_id\":\"evt_1\"}"), "the event has no event_type");
        let undated = "{\"event_id\":\"evt_1\",\"event_type\":\"a\",\"occurred_at\":\"2024-02-30T00:00:00Z\"}";
        assert_eq!(reason(Provider::Paddle, undated), "the event has no occurred_at");
    }

    #[test]
    fn no_character_is_left_that_cannot_be_stored() {
        let body = of_stripe(json!({"id": "evt\0_1", "a\0b": ["\0", {"c": "d\0"}]})).to_string();
        let (envelope, payload) = read(Provider::Stripe, &providers(&[]), body.as_bytes()).unwrap();
        assert_eq!((envelope.external_id.as_str(), &payload["ab"]), ("evt_1", &json!(["", {"c": "d"}])));
        assert!(!payload.to_string().contains("u0000"));
    }
}
