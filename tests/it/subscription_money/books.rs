//! Events of subscriptions in minimal form, and the figures that result from them.

use crate::support::{TestApp, sql, webhooks};
use chrono::DateTime;
use serde_json::{Value, json};
use tollgate::auth::Viewer;
use tollgate::inbox::rebuild;
use tollgate::providers::Provider;

/// 2026-01-01.
pub(super) const START: i64 = 1_767_225_600;
pub(super) const DAY: i64 = 86_400;

/// Events to be delivered, of one customer, `cus_1` of `ann`, unless they name another.
pub(super) struct Books {
    pub(super) version: &'static str,
    pub(super) events: Vec<Value>,
}

impl Books {
    /// Begins with the customer, in a version of Stripe's API.
    pub(super) fn new(version: &'static str) -> Books {
        let mut books = Books { version, events: Vec::new() };
        let customer = json!({"id": "cus_1", "object": "customer", "created": START, "metadata": {"user_id": "ann"}});
        books.add("customer.created", START, customer);
        books
    }

    /// Adds an event.
    pub(super) fn add(&mut self, kind: &str, at: i64, object: Value) {
        let id = format!("evt_{}_{kind}_{at}", self.events.len());
        self.events.push(json!({
            "id": id, "object": "event", "api_version": self.version, "created": at, "livemode": false, "type": kind,
            "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null}, "data": {"object": object},
        }));
    }

    /// Adds a subscription that is paid at once.
    pub(super) fn subscribe(&mut self, subscription: Value) {
        let (id, currency) = (subscription["id"].clone(), subscription["currency"].clone());
        let name = id.as_str().unwrap().to_owned();
        let customer = subscription["customer"].clone();
        self.add("customer.subscription.created", START + 5, subscription);
        let (invoice, intent) = (format!("in_{name}"), format!("pi_{name}"));
        self.add(
            "payment_intent.succeeded",
            START + 5,
            json!({
                "id": intent, "object": "payment_intent", "amount": 1_000, "amount_received": 1_000,
                "currency": currency, "customer": customer, "created": START + 5, "status": "succeeded",
                "invoice": invoice,
            }),
        );
        self.add(
            "invoice.paid",
            START + 5,
            json!({
                "id": invoice, "object": "invoice", "created": START + 5, "currency": currency, "customer": customer,
                "status": "paid", "subtotal": 1_000, "total": 1_000, "amount_due": 1_000, "amount_paid": 1_000,
                "subscription": name, "payment_intent": intent,
                "parent": {"type": "subscription_details", "subscription_details": {"subscription": name}},
            }),
        );
    }

    /// Delivers all events in their order and applies them.
    pub(super) async fn deliver(self, test: &TestApp) {
        let events = self.events;
        deliver(test, &events).await;
    }
}

/// Signs in `ann`, delivers events of Stripe and applies them.
pub(super) async fn deliver(test: &TestApp, events: &[Value]) {
    deliver_from(test, Provider::Stripe, events).await;
}

/// Like [`deliver`], for either provider.
pub(super) async fn deliver_from(test: &TestApp, provider: Provider, events: &[Value]) {
    post(test, provider, events).await;
    // The redemption of a coupon waits for the coupon; the deduction does not.
    let left = "SELECT external_id FROM inbox_events \
        WHERE state NOT IN ('applied', 'ignored') AND kind NOT LIKE 'customer.discount.%'";
    let left: Vec<String> = sql::column(test.app.db.read(), left, []).await;
    assert_eq!(left, Vec::<String>::new(), "every event is applied");
    assert_rebuilt(test).await;
}

/// Delivers events, and applies those that can be applied.
pub(super) async fn post(test: &TestApp, provider: Provider, events: &[Value]) {
    test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
    for event in events {
        assert_eq!(webhooks::deliver(test, provider, event).await.status, 200);
    }
    test.run_jobs().await;
}

/// A rebuild from the inbox changes nothing.
async fn assert_rebuilt(test: &TestApp) {
    let rebuilt = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap();
    assert_eq!((rebuilt.drift.differences, rebuilt.drift.failures), (vec![], Vec::<String>::new()));
}

/// A monthly item of a subscription to the plan `pro`, of 20.00 USD, with these fields of the price changed.
pub(super) fn item(id: &str, price: Value) -> Value {
    let mut whole = json!({
        "id": format!("price_{id}"), "object": "price", "active": true, "currency": "usd", "unit_amount": 2_000,
        "metadata": if id == "pro" { json!({"plan": "pro", "tier": "2"}) } else { json!({"addon": id}) },
        "product": format!("prod_{id}"), "created": START,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
    });
    merge(&mut whole, price);
    json!({
        "id": format!("si_{id}"), "object": "subscription_item", "quantity": 1, "price": whole,
        "current_period_start": START, "current_period_end": START + 31 * DAY,
    })
}

/// An active subscription `sub_1` of `cus_1` in USD to these items.
pub(super) fn subscription(items: Value) -> Value {
    json!({
        "id": "sub_1", "object": "subscription", "created": START + 5, "start_date": START + 5, "status": "active",
        "currency": "usd", "customer": "cus_1", "items": {"object": "list", "data": items},
    })
}

/// A value with some of its fields changed.
pub(super) fn with(mut value: Value, fields: Value) -> Value {
    merge(&mut value, fields);
    value
}

fn merge(value: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("{fields} is no object") };
    for (name, field) in fields {
        value[name] = field;
    }
}

/// Monthly revenue at an instant, as `currency amount`, by discount policy; with the number of subscriptions that are
/// left out.
pub(super) async fn figures_at(test: &TestApp, at: i64) -> [String; 2] {
    const QUERY: &str = "query($at: DateTime!) { analytics {
        forever: recurringRevenue(asOf: $at) { mrr { amount currency } }
        all: recurringRevenue(asOf: $at, discounts: ALL_ACTIVE) { mrr { amount currency } }
        foreverUnknown: unknownRecurringRevenue(asOf: $at) { currency subscriptionCount }
        allUnknown: unknownRecurringRevenue(asOf: $at, discounts: ALL_ACTIVE) { currency subscriptionCount }
    } }";
    let at = DateTime::from_timestamp(at, 0).unwrap().to_rfc3339();
    let data = test.admin().data(QUERY, json!({"at": at})).await["analytics"].take();
    ["forever", "all"].map(|policy| {
        let rows = data[policy].as_array().unwrap().iter();
        let known = rows.map(|row| {
            format!("{} {}", row["mrr"]["currency"].as_str().unwrap(), row["mrr"]["amount"].as_str().unwrap())
        });
        let unknown = data[&format!("{policy}Unknown")].as_array().unwrap().iter();
        let unknown = unknown
            .map(|row| format!("{} unknown {}", row["currency"].as_str().unwrap_or("?"), row["subscriptionCount"]));
        known.chain(unknown).collect::<Vec<_>>().join(", ")
    })
}

/// Monthly revenue some days after the start; see [`figures_at`].
pub(super) async fn figures(test: &TestApp, days: i64) -> [String; 2] {
    figures_at(test, START + 5 + days * DAY).await
}

/// The subscription that `ann` holds, as she reads it.
pub(super) async fn history(test: &TestApp) -> Value {
    const QUERY: &str = "{ viewer { account { subscriptions(first: 1) { nodes {
        currency
        discounts {
            externalId scope itemExternalId productExternalIds couponExternalId discountDuration percentBasisPoints
            amountOff { amount currency } perUnit beginsAt endsAt inForce
        }
        scheduledChanges { changeKind effectiveAt plan { code } priceExternalId quantity }
        history(first: 2) { nodes {
            currency arr { amount currency } discountedArr { amount currency } itemsInForce discountInForce
            arrChanges { effectiveAt arr { amount } discountedArr { amount currency } }
        } }
    } } } } }";
    let mut data = test.user("ann").data(QUERY, json!({})).await;
    data["viewer"]["account"]["subscriptions"]["nodes"][0].take()
}
