//! Stories: events of a customer, delivered in every order, and what must be told in the end.

use crate::support::stripe::Stripe;
use crate::support::{TestApp, sql, webhooks};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use tollgate::auth::Viewer;
use tollgate::inbox::{ApplyObject, ReapplyPrice, WakeWaiting, rebuild};
use tollgate::jobs::Worker;
use tollgate::providers::Provider;

/// The version of Stripe's objects in the stories.
const VERSION: &str = "2025-08-27.basil";

/// The prefixes of ids that differ from run to run.
const PREFIXES: [&str; 15] = [
    "evt_", "cus_", "sub_", "si_", "in_", "pi_", "ch_", "re_", "du_", "cs_", "inpay_", "txn_", "adj_", "ctm_",
    "txnitm_",
];

/// An event of Stripe at a second about an object.
pub(super) fn stripe(at: i64, kind: &str, object: Value) -> (Provider, Value) {
    let id = format!("evt_{at}_{}_{}", kind.replace('.', "_"), object["id"].as_str().unwrap());
    let event = json!({"id": id, "object": "event", "api_version": VERSION, "created": at, "livemode": false,
        "type": kind, "data": {"object": object}});
    (Provider::Stripe, event)
}

/// An event of Paddle at an instant about an object.
pub(super) fn paddle(at: &str, kind: &str, object: Value) -> (Provider, Value) {
    let id = format!("evt_{}_{}_{}", at.replace(':', ""), kind.replace('.', "_"), object["id"].as_str().unwrap());
    (
        Provider::Paddle,
        json!({"event_id": id, "event_type": kind, "occurred_at": at, "notification_id": id, "data": object}),
    )
}

/// The events of a fixture.
pub(super) fn fixture(name: &str) -> Vec<(Provider, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/money").join(name);
    let events: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let provider = |event: &Value| Provider::named(event["provider"].as_str().unwrap()).unwrap();
    events.into_iter().map(|mut event| (provider(&event), event["event"].take())).collect()
}

/// The customer of every story, whose user is `ann`.
pub(super) fn customer() -> (Provider, Value) {
    let object = json!({"id": "cus_1", "object": "customer", "created": 1_767_225_600, "metadata": {"user_id": "ann"}});
    stripe(1_767_225_600, "customer.created", object)
}

/// The customer of every story at Paddle, whose user is `ann`.
pub(super) fn paddle_customer() -> (Provider, Value) {
    let object = json!({"id": "ctm_1", "status": "active", "custom_data": {"user_id": "ann"},
        "created_at": "2026-01-01T10:00:00Z", "updated_at": "2026-01-01T10:00:00Z"});
    paddle("2026-01-01T10:00:00Z", "customer.created", object)
}

/// A payment intent of `amount` that succeeded, with the other fields of `with`.
pub(super) fn intent(id: &str, created: i64, (amount, currency): (i64, &str), with: Value) -> Value {
    merged(
        json!({"id": id, "object": "payment_intent", "amount": amount, "amount_received": amount, "currency": currency,
            "customer": "cus_1", "created": created, "status": "succeeded", "capture_method": "automatic",
            "latest_charge": id.replace("pi_", "ch_"), "metadata": {}}),
        with,
    )
}

/// The charge of a payment intent, captured, with the other fields of `with`.
pub(super) fn charge(intent: &str, created: i64, (amount, currency): (i64, &str), with: Value) -> Value {
    merged(
        json!({"id": intent.replace("pi_", "ch_"), "object": "charge", "amount": amount, "amount_captured": amount,
            "amount_refunded": 0, "captured": true, "refunded": false, "currency": currency, "customer": "cus_1",
            "created": created, "status": "succeeded", "payment_intent": intent, "metadata": {}}),
        with,
    )
}

/// A refund of a payment.
pub(super) fn refund(id: &str, intent: &str, created: i64, (amount, currency): (i64, &str), status: &str) -> Value {
    json!({"id": id, "object": "refund", "amount": amount, "currency": currency, "created": created, "status": status,
        "payment_intent": intent, "charge": intent.replace("pi_", "ch_"), "reason": null, "metadata": {}})
}

/// A dispute over a payment.
pub(super) fn dispute(id: &str, intent: &str, created: i64, (amount, currency): (i64, &str), status: &str) -> Value {
    json!({"id": id, "object": "dispute", "amount": amount, "currency": currency, "created": created, "status": status,
        "payment_intent": intent, "charge": intent.replace("pi_", "ch_"), "reason": "fraudulent",
        "balance_transactions": [], "metadata": {}})
}

/// `object` with the fields of `with` in place of its own.
pub(super) fn merged(mut object: Value, with: Value) -> Value {
    for (name, value) in with.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

const TOLD: &str = "{ viewer { account { currency
    creditBalance(unit: \"credits\") { available }
    subscriptions(first: 9) { nodes { externalId firstPaidAt } }
    invoices(first: 9) { nodes { externalId collectionStatus paidAt paymentExternalId subscription { externalId }
        subtotal { amount currency } discount { amount } tax { amount } total { amount } due { amount } paid { amount } } }
    payments(first: 9, orderBy: {field: CREATED_AT, direction: ASC}) { nodes { externalId stream chargeStatus paidAt
        amount { amount currency } received { amount } refunded { amount } returned { amount } fullyRefunded
        refunds(first: 9) { nodes { providerRefundId processingStatus amount { amount currency } } }
        disputes { externalId caseStatus closedAt amount { amount currency } } } }
} } }";

/// The answers of the API at the end of a story.
pub(super) struct Told {
    /// The account of the user, with the ids of the story.
    pub(super) account: Value,
}

impl Told {
    /// The payment with this id.
    pub(super) fn payment(&self, id: &str) -> &Value {
        self.found("payments", id)
    }

    /// The invoice with this id.
    pub(super) fn invoice(&self, id: &str) -> &Value {
        self.found("invoices", id)
    }

    fn found(&self, list: &str, id: &str) -> &Value {
        let nodes = self.account[list]["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["externalId"] == id).unwrap_or_else(|| panic!("no {id}: {}", self.account))
    }
}

/// An amount as it is told.
pub(super) fn minor(value: &Value) -> Option<i64> {
    Some(value.get("amount")?.as_str()?.parse().unwrap())
}

/// `[subtotal, discount, tax, total]` of an invoice, which add up.
pub(super) fn sums(invoice: &Value) -> [i64; 4] {
    let [subtotal, discount, tax, total] =
        ["subtotal", "discount", "tax", "total"].map(|name| minor(&invoice[name]).unwrap());
    assert_eq!(subtotal - discount + tax, total, "{invoice}");
    [subtotal, discount, tax, total]
}

/// `[amount, received, refunded]` of a payment.
pub(super) fn flows(payment: &Value) -> [i64; 3] {
    ["amount", "received", "refunded"].map(|name| minor(&payment[name]).unwrap())
}

/// A second as the API writes it.
pub(super) fn time(second: i64) -> Value {
    json!(chrono::DateTime::from_timestamp(second, 0).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// The events of a run, with ids and a user of its own, so that one database holds many runs.
fn renamed(events: &[(Provider, Value)], run: usize) -> Vec<(Provider, Value)> {
    let rename = |event: &Value| {
        let text = event.to_string().replace("\"ann\"", &format!("\"ann{run}\""));
        let text = PREFIXES
            .iter()
            .fold(text, |text, prefix| text.replace(&format!("\"{prefix}"), &format!("\"{prefix}r{run}r")));
        serde_json::from_str(&text).unwrap()
    };
    events.iter().map(|(provider, event)| (*provider, rename(event))).collect()
}

async fn told(test: &TestApp, run: usize) -> Told {
    let data = test.user(&format!("ann{run}")).data(TOLD, json!({})).await;
    let account = data["viewer"]["account"].to_string().replace(&format!("r{run}r"), "");
    Told { account: serde_json::from_str(&account).unwrap() }
}

async fn deliver(test: &TestApp, events: &[(Provider, Value)]) {
    for (provider, event) in events {
        assert_eq!(webhooks::deliver(test, *provider, event).await.status, 200, "{event}");
    }
}

/// Without the schedules that would learn everything by themselves.
pub(super) async fn work(test: &TestApp) {
    let worker = Worker::new().on_demand::<ApplyObject>().on_demand::<ReapplyPrice>();
    let worker = worker.every::<WakeWaiting>(chrono::TimeDelta::minutes(1));
    assert_eq!(worker.run_due(&test.app).await.unwrap().failed, 0, "jobs failed; their errors are in the table jobs");
}

/// The ways in which the events of a story are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    InOrder,
    Backwards,
    /// Everything twice, in any order.
    Shuffled,
    /// Like that, while Stripe is asked.
    Asking,
}

/// Delivers a story in its order, backwards, shuffled and doubled, and with Stripe being asked, each for another user,
/// and checks what is told after each; in the end a rebuild changes nothing.
pub(super) async fn tell(given: &TestApp, events: &[(Provider, Value)], check: impl Fn(&Told)) {
    use Way::{Asking, Backwards, InOrder, Shuffled};
    tell_in(given, &[InOrder, Backwards, Shuffled, Shuffled, Shuffled, Asking, Asking], 0, events, check).await;
    unchanged_by_a_rebuild(given).await;
}

/// Like the function above, with fewer runs, which are counted from `first` on, for one of many stories.
pub(super) async fn tell_from(given: &TestApp, first: usize, events: &[(Provider, Value)], check: impl Fn(&Told)) {
    tell_in(given, &[Way::Backwards, Way::Shuffled, Way::Asking], first, events, check).await;
}

async fn tell_in(given: &TestApp, ways: &[Way], first: usize, events: &[(Provider, Value)], check: impl Fn(&Told)) {
    for (run, way) in (first..).zip(ways) {
        given.user(&format!("ann{run}")).data("{ viewer { user { id } } }", json!({})).await;
        given.run_jobs().await;
        let mut events = renamed(events, run);
        let mut dice = ChaCha8Rng::seed_from_u64(run.try_into().unwrap());
        let stripe = if *way == Way::Asking { Some(stand_in(&events).await) } else { None };
        let asking = match &stripe {
            Some(stripe) => Some(given.beside(&stripe.settings()).await),
            None => None,
        };
        match way {
            Way::InOrder => {}
            Way::Backwards => events.reverse(),
            Way::Shuffled | Way::Asking => {
                events.extend(events.clone());
                events.shuffle(&mut dice);
            }
        }
        let test = asking.as_ref().unwrap_or(given);
        let one_by_one = matches!(way, Way::InOrder | Way::Backwards);
        while !events.is_empty() {
            let size = if one_by_one { 1 } else { dice.random_range(1..=events.len().min(4)) };
            deliver(test, &events.drain(..size).collect::<Vec<_>>()).await;
            work(test).await;
        }
        check(&told(test, run).await);
    }
    let left = "SELECT external_id FROM inbox_events WHERE state NOT IN ('applied', 'ignored')";
    assert_eq!(sql::column::<String>(given.app.db.read(), left, []).await, [""; 0]);
}

/// A rebuild finds nothing to change.
pub(super) async fn unchanged_by_a_rebuild(test: &TestApp) {
    let rebuilt = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap();
    assert_eq!((rebuilt.drift.differences, rebuilt.drift.failures, rebuilt.waiting), (vec![], vec![], 0));
}

/// A stand-in for Stripe that shows each object as its last event does.
async fn stand_in(events: &[(Provider, Value)]) -> Stripe {
    let mut objects: BTreeMap<String, Value> = BTreeMap::new();
    for (_, event) in events.iter().filter(|(provider, _)| *provider == Provider::Stripe) {
        let object = &event["data"]["object"];
        objects.insert(object["id"].as_str().unwrap().to_owned(), object.clone());
    }
    Stripe::start(&[json!({ VERSION: objects })], Vec::new()).await
}
