//! The stream of revenue of payments for subscriptions.

use super::books::{Books, START, deliver, item, subscription, with};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};

both_engines!(
    an_add_on_alone_is_revenue_of_add_ons,
    the_lines_of_the_invoice_decide,
    a_price_that_becomes_known_decides_then,
);

async fn streams(test: &TestApp) -> Vec<String> {
    let query = "{ payments(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { stream } } }";
    let data = test.admin().data(query, json!({})).await;
    let nodes = data["payments"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["stream"].as_str().unwrap().to_owned()).collect()
}

async fn notes(test: &TestApp) -> Value {
    let notes = "{ webhookEvents(first: 9, filter: {objectId: \"sub_1\"}) { nodes { note } } }";
    test.admin().data(notes, json!({})).await["webhookEvents"]["nodes"].take()
}

async fn an_add_on_alone_is_revenue_of_add_ons(test: &TestApp) {
    let mut books = Books::new("2025-08-27.basil");
    books.subscribe(subscription(json!([item("seat", json!({})), item("storage", json!({}))])));
    books.events.reverse();
    books.deliver(test).await;
    assert_eq!(streams(test).await, ["ADDON"]);
    assert_eq!(notes(test).await, json!([{"note": null}]), "it has no plan to be known");
    let revenue = "{ analytics { revenue(from: \"2026-01-01\", to: \"2026-02-01\") { stream gross { amount } } } }";
    let revenue = test.admin().data(revenue, json!({})).await["analytics"]["revenue"].take();
    assert_eq!(revenue, json!([{"stream": "ADDON", "gross": {"amount": "1000"}}]));
}

async fn the_lines_of_the_invoice_decide(test: &TestApp) {
    let mut books = Books::new("2025-08-27.basil");
    books.subscribe(subscription(json!([item("seat", json!({})), item("pro", json!({}))])));
    let basil = |price: &str, amount: i64| json!({"amount": amount, "pricing": {"type": "price_details", "price_details": {"price": price}}});
    let old = |price: &str, amount: i64| json!({"amount": amount, "price": {"id": price, "object": "price"}});
    for (number, lines) in [
        json!([basil("price_seat", 500)]),
        json!([old("price_seat", 500)]),
        json!([basil("price_seat", 500), basil("price_pro", -200)]),
        json!([basil("price_seat", 500), basil("price_pro", 0)]),
        json!([basil("price_seat", 500), basil("price_new", 100)]),
        json!([basil("price_pro", 0)]),
    ]
    .into_iter()
    .enumerate()
    {
        let (invoice, intent) = (format!("in_{number}"), format!("pi_{number}"));
        let at = START + 100 + i64::try_from(number).unwrap();
        books.add(
            "payment_intent.succeeded",
            at,
            json!({
                "id": intent, "object": "payment_intent", "amount": 500, "amount_received": 500, "currency": "usd",
                "customer": "cus_1", "created": at, "status": "succeeded", "invoice": invoice,
            }),
        );
        books.add(
            "invoice.paid",
            at,
            json!({
                "id": invoice, "object": "invoice", "created": at, "currency": "usd", "customer": "cus_1",
                "status": "paid", "subtotal": 500, "total": 500, "amount_due": 500, "amount_paid": 500,
                "subscription": "sub_1", "payment_intent": intent, "lines": {"object": "list", "data": lines},
            }),
        );
    }
    books.deliver(test).await;
    let expected = ["SUBSCRIPTION", "ADDON", "ADDON", "SUBSCRIPTION", "ADDON", "SUBSCRIPTION", "SUBSCRIPTION"];
    assert_eq!(streams(test).await, expected);
}

async fn a_price_that_becomes_known_decides_then(test: &TestApp) {
    let seat = item("seat", json!({"metadata": {}}));
    let mut books = Books::new("2025-08-27.basil");
    books.add("price.created", START, seat["price"].clone());
    books.subscribe(subscription(json!([seat])));
    books.deliver(test).await;
    assert_eq!(streams(test).await, ["SUBSCRIPTION"], "nothing says that it is no plan");
    let unknown = "No plan is known for the price price_seat, so nothing is granted.";
    assert_eq!(notes(test).await, json!([{"note": unknown}]));
    let mut books = Books::new("2025-08-27.basil");
    books.events.clear();
    books.add("price.updated", START + 50, with(seat["price"].clone(), json!({"metadata": {"addon": "seat"}})));
    deliver(test, &books.events).await;
    assert_eq!(streams(test).await, ["ADDON"]);
}
