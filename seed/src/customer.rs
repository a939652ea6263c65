//! One account on its way through time: what everything that happens to it needs at hand.

use super::calendar::{At, Calendar, millis};
use super::catalogue::Catalogue;
use super::dice::Dice;
use super::ledger::Event;
use super::rows::Rows;
use ::entity::inbox_events;
use serde_json::{Value, json};
use uuid::Uuid;

/// What all customers share.
pub(super) struct World {
    pub(super) calendar: Calendar,
    pub(super) catalogue: Catalogue,
    pub(super) issuer: String,
    pub(super) seed: u64,
    /// The user who decides on refunds and grants credits by hand.
    pub(super) admin: Uuid,
}

/// An account, and the rows its life leaves behind.
pub(super) struct Customer<'w> {
    pub(super) world: &'w World,
    pub(super) dice: &'w mut Dice,
    /// What the provider adds by itself, which changes nothing else.
    pub(super) aside: Dice,
    pub(super) rows: &'w mut Rows,
    pub(super) account_id: Uuid,
    /// The number of its owner.
    pub(super) number: u64,
    pub(super) owner: Uuid,
    pub(super) currency: &'static str,
    pub(super) provider: &'static str,
    /// The customer's id at the provider.
    pub(super) reference: String,
    pub(super) invoices: u32,
    /// What happened to its credits, in no order; see [`super::ledger::settle`].
    pub(super) credits: Vec<Event>,
}

impl Customer<'_> {
    /// Whether `at` is early enough to be told of.
    pub(super) fn reached(&self, at: At) -> bool {
        at <= self.world.calendar.horizon()
    }

    /// The owner, as an actor.
    pub(super) fn actor(&self) -> String {
        format!("user:{}", self.owner)
    }

    /// Puts what the provider said at `at` about `object` into the inbox, received after `after` and applied; tells the
    /// row's id and when it was applied.
    pub(super) fn inbox(&mut self, at: At, after: At, kind: &str, object: Value) -> (Uuid, At) {
        let received_at = (at + millis(self.dice.between(400, 3_500))).max(after + millis(1));
        let applied_at = received_at + millis(self.dice.between(15, 900));
        let id = self.dice.id(received_at);
        let object_id = object.get("id").and_then(Value::as_str).map(str::to_owned);
        let stripe = self.provider == "stripe";
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
