//! One account over time, with the state that its events share.

use super::calendar::{At, Calendar, millis};
use super::catalogue::Catalogue;
use super::credit_events::{Event, Lifted};
use super::dice::Dice;
use super::held::Held;
use super::rows::Rows;
use ::entity::inbox_events;
use serde_json::{Value, json};
use uuid::Uuid;

/// The state that all customers share.
pub(super) struct World {
    pub(super) calendar: Calendar,
    pub(super) catalogue: Catalogue,
    pub(super) issuer: String,
    pub(super) seed: u64,
    /// The administrator, who decides on refunds and grants credits by hand.
    pub(super) admin: Uuid,
}

/// An account and its rows.
pub(super) struct Customer<'w> {
    pub(super) world: &'w World,
    pub(super) dice: &'w mut Dice,
    /// The random stream for details of the provider, which affect nothing else.
    pub(super) aside: Dice,
    pub(super) rows: &'w mut Rows,
    pub(super) account_id: Uuid,
    /// The number of the owner.
    pub(super) number: u64,
    pub(super) owner: Uuid,
    pub(super) currency: &'static str,
    pub(super) provider: &'static str,
    /// The customer's id at the provider.
    pub(super) reference: String,
    pub(super) invoices: u32,
    /// The random stream for credits and usage, which affect nothing else.
    pub(super) books: Dice,
    /// The hours by which the account's time zone is ahead of UTC.
    pub(super) offset_hours: i64,
    /// The events of its credits and of its usage, unordered; see [`crate::ledger::settle`].
    pub(super) credits: Vec<Event>,
    /// The plans that it has at the end of the history.
    pub(super) held: Vec<Held<'w>>,
    /// The overrides of its limits.
    pub(super) lifted: Vec<Lifted>,
}

impl Customer<'_> {
    /// Returns true if `at` is within the history.
    pub(super) fn has_reached(&self, at: At) -> bool {
        at <= self.world.calendar.horizon()
    }

    /// Returns the owner as an actor.
    pub(super) fn actor(&self) -> String {
        format!("user:{}", self.owner)
    }

    /// Adds an applied event about `object` to the inbox, sent at `at` and received after `after`. Returns the row's id and
    /// the time of its application.
    pub(super) fn inbox(&mut self, at: At, after: At, kind: &str, object: Value) -> (Uuid, At) {
        let received_at = (at + millis(self.dice.between(400, 3_500))).max(after + millis(1));
        let applied_at = received_at + millis(self.dice.between(15, 900));
        let id = self.dice.id(received_at);
        let object_id = object.get("id").and_then(Value::as_str).map(str::to_owned);
        let stripe = self.provider == "stripe";
        let object_kind = match stripe {
            true => object.get("object").and_then(Value::as_str),
            false => kind.split('.').next(),
        };
        let object_kind = object_kind.map(str::to_owned);
        let external_id = self.dice.token(if stripe { "evt_" } else { "ntf_" });
        let api_version = stripe.then(|| "2026-03-25.dahlia".to_owned());
        let payload = if stripe {
            json!({
                "id": external_id, "object": "event", "type": kind, "api_version": api_version, "livemode": true,
                "created": at.timestamp(), "data": {"object": object},
            })
        } else {
            json!({"event_id": external_id, "event_type": kind, "occurred_at": at, "data": object})
        };
        self.rows.inbox_events.push(inbox_events::Model {
            id,
            provider: self.provider.to_owned(),
            external_id,
            kind: kind.to_owned(),
            api_version,
            object_id,
            object_kind,
            occurred_at: at,
            received_at,
            payload,
            state: "applied".to_owned(),
            attempts: 1,
            next_attempt_at: None,
            error: None,
            applied_at: Some(applied_at),
            source: "webhook".to_owned(),
            waits_for: None,
            note: None,
        });
        (id, applied_at)
    }
}
