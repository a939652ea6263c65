//! Subscriptions of Paddle: discounts with their terms, restrictions and currency, and the end of a pause.

use super::books::deliver_from;
use super::{figures, history};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    a_discount_is_deducted_by_its_terms,
    a_discount_that_is_not_known_makes_the_amount_unknown,
    a_discount_ends_while_nothing_else_happens,
    a_pause_and_its_end_are_scheduled,
    a_price_in_another_currency_is_unknown_rather_than_wrong,
);

fn event(kind: &str, day: i64, data: Value) -> Value {
    let at = format!("2026-01-{:02}T00:00:05.000001Z", day + 1);
    let id = format!("evt_{kind}_{day}_{}", data["id"].as_str().unwrap());
    json!({"event_id": id, "event_type": kind, "occurred_at": at, "notification_id": format!("ntf_{id}"), "data": data})
}

/// A subscription to a plan of 20.00 and three seats of 10.00.
fn subscription(discount: Value) -> Value {
    let item = |id: &str, kind: &str, amount: &str, quantity: i64| {
        json!({"quantity": quantity, "price": {
            "id": format!("pri_{id}"), "product_id": format!("pro_{id}"), "custom_data": {"kind": kind, "plan": id},
            "billing_cycle": {"interval": "month", "frequency": 1}, "name": id,
            "unit_price": {"amount": amount, "currency_code": "USD"}, "unit_price_overrides": [],
        }})
    };
    json!({
        "id": "sub_1", "status": "active", "customer_id": "ctm_1", "currency_code": "USD",
        "custom_data": null, "created_at": "2026-01-01T00:00:05Z", "started_at": "2026-01-01T00:00:05Z",
        "items": [item("pro", "plan", "2000", 1), item("seat", "addon", "1000", 3)], "discount": discount,
        "scheduled_change": null,
    })
}

fn paid() -> Value {
    let captured = json!({"status": "captured", "amount": "5000", "captured_at": "2026-01-01T00:00:05Z"});
    json!({
        "id": "txn_1", "status": "completed", "customer_id": "ctm_1", "subscription_id": "sub_1",
        "currency_code": "USD", "origin": "web", "created_at": "2026-01-01T00:00:05Z",
        "billed_at": "2026-01-01T00:00:05Z", "items": [], "custom_data": null, "payments": [captured],
        "details": {"totals": {"total": "5000", "grand_total": "5000", "tax": "0", "discount": "0",
            "currency_code": "USD"}, "line_items": []},
    })
}

fn discount(terms: Value) -> Value {
    let mut whole = json!({
        "id": "dsc_1", "status": "active", "type": "percentage", "amount": "10", "currency_code": null, "recur": true,
        "maximum_recurring_intervals": null, "restrict_to": null, "created_at": "2026-01-01T00:00:00Z",
    });
    for (name, value) in terms.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}

const APPLIED: &str = r#"{"id": "dsc_1", "starts_at": "2026-01-01T00:00:05Z", "ends_at": null}"#;

/// Delivers events after that of the customer, whom a server made for `ann`.
async fn deliver(test: &TestApp, events: &[Value]) {
    let customer = json!({
        "id": "ctm_1", "status": "active", "email": "ann@example.com", "name": "Ann", "custom_data": {"user_id": "ann"},
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    });
    let customer = event("customer.created", 0, customer);
    deliver_from(test, Provider::Paddle, &[&[customer][..], events].concat()).await;
}

async fn a_discount_is_deducted_by_its_terms(test: &TestApp) {
    let applied: Value = serde_json::from_str(APPLIED).unwrap();
    deliver(
        test,
        &[event("subscription.created", 0, subscription(applied)), event("transaction.completed", 0, paid())],
    )
    .await;
    for (day, (terms, expected)) in [
        (json!({}), ["USD 4500", "USD 4500"]),
        (json!({"amount": "12.5", "restrict_to": ["pro_seat"]}), ["USD 4625", "USD 4625"]),
        (json!({"amount": "50", "restrict_to": ["pri_pro"]}), ["USD 4000", "USD 4000"]),
        (json!({"type": "flat", "amount": "700", "currency_code": "USD"}), ["USD 4300", "USD 4300"]),
        (json!({"type": "flat", "amount": "700", "currency_code": "EUR"}), ["USD unknown 1", "USD unknown 1"]),
        (
            json!({"type": "flat_per_seat", "amount": "100", "currency_code": "USD", "restrict_to": ["pro_seat"]}),
            ["USD 4700", "USD 4700"],
        ),
        (json!({"recur": false}), ["USD 5000", "USD 4500"]),
    ]
    .into_iter()
    .enumerate()
    {
        let kind = if day == 0 { "discount.created" } else { "discount.updated" };
        deliver(test, &[event(kind, i64::try_from(day).unwrap(), discount(terms))]).await;
        assert_eq!(figures(test, 1).await, expected, "{day}");
    }
}

async fn a_discount_that_is_not_known_makes_the_amount_unknown(test: &TestApp) {
    let applied: Value = serde_json::from_str(APPLIED).unwrap();
    deliver(
        test,
        &[event("subscription.created", 0, subscription(applied)), event("transaction.completed", 0, paid())],
    )
    .await;
    assert_eq!(figures(test, 1).await, ["USD unknown 1", "USD unknown 1"]);
    let notes = "{ webhookEvents(first: 9, filter: {objectId: \"sub_1\"}) { nodes { note } } }";
    let notes = test.admin().data(notes, json!({})).await["webhookEvents"]["nodes"].take();
    let note = "The amount of the discount dsc_1 in USD is not known, so its recurring revenue is unknown.";
    assert_eq!(notes, json!([{"note": note}]));
}

async fn a_discount_ends_while_nothing_else_happens(test: &TestApp) {
    let applied = json!({"id": "dsc_1", "starts_at": "2026-01-01T00:00:05Z", "ends_at": "2026-01-11T00:00:00Z"});
    let events = [
        event("discount.created", 0, discount(json!({"maximum_recurring_intervals": 1}))),
        event("subscription.created", 0, subscription(applied)),
        event("transaction.completed", 0, paid()),
    ];
    deliver(test, &events).await;
    for (days, all) in [(9, "USD 4500"), (10, "USD 5000")] {
        assert_eq!(figures(test, days).await, ["USD 5000", all], "{days}");
    }
    let discounts = &history(test).await["discounts"];
    assert_eq!([&discounts[0]["discountDuration"], &discounts[0]["endsAt"]], ["REPEATING", "2026-01-11T00:00:00Z"]);
}

async fn a_pause_and_its_end_are_scheduled(test: &TestApp) {
    let mut whole = subscription(Value::Null);
    let planned = async || {
        let changes = history(test).await["scheduledChanges"].take();
        let change = |change: &Value| format!("{} {}", change["changeKind"], change["effectiveAt"]).replace('"', "");
        changes.as_array().unwrap().iter().map(change).collect::<Vec<_>>()
    };
    whole["scheduled_change"] =
        json!({"action": "pause", "effective_at": "2026-02-01T00:00:00Z", "resume_at": "2026-03-01T00:00:00Z"});
    deliver(test, &[event("subscription.created", 0, whole.clone())]).await;
    assert_eq!(planned().await, ["PAUSE 2026-02-01T00:00:00Z", "RESUME 2026-03-01T00:00:00Z"]);
    whole["status"] = json!("paused");
    whole["paused_at"] = json!("2026-01-02T00:00:00Z");
    whole["scheduled_change"] = json!({"action": "resume", "effective_at": "2026-03-05T00:00:00Z", "resume_at": null});
    deliver(test, &[event("subscription.paused", 1, whole.clone())]).await;
    assert_eq!(planned().await, ["RESUME 2026-03-05T00:00:00Z"]);
    (whole["status"], whole["scheduled_change"], whole["paused_at"]) = (json!("active"), Value::Null, Value::Null);
    deliver(test, &[event("subscription.resumed", 2, whole)]).await;
    assert_eq!(planned().await, Vec::<String>::new());
}

async fn a_price_in_another_currency_is_unknown_rather_than_wrong(test: &TestApp) {
    let mut whole = subscription(Value::Null);
    whole["currency_code"] = json!("GBP");
    whole["items"][0]["price"]["unit_price_overrides"] =
        json!([{"country_codes": ["GB"], "unit_price": {"amount": "1500", "currency_code": "GBP"}}]);
    deliver(test, &[event("subscription.created", 0, whole.clone()), event("transaction.completed", 0, paid())]).await;
    assert_eq!(figures(test, 1).await, ["GBP unknown 1", "GBP unknown 1"]);
    assert_eq!(history(test).await["currency"], "GBP");
    whole["items"].as_array_mut().unwrap().pop();
    deliver(test, &[event("subscription.updated", 1, whole)]).await;
    assert_eq!(figures(test, 2).await, ["GBP 1500", "GBP 1500"]);
}
